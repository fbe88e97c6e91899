"""What a person can ask for; the command line and the daemon call these functions."""
