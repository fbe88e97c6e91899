"""Read the command line, call a job for each command, and print what it returns."""
