"""The program as it lives in its container: it waits for the schedule, runs, and waits again."""
