"""Measure what the program costs: `python -m benchmarks` runs it as a whole and prints a report; docs/benchmarks.md."""
