"""What is remembered between runs, and how it survives."""
