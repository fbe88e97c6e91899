"""Remember decisions, runs and choices in files that survive crashes and full disks."""
