"""What the program costs: `python -m benchmarks` measures whole runs and prints one report. See docs/benchmarks.md."""
