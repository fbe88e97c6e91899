"""Do what a person can ask for, one function a job; the command line and the daemon call the same ones."""
