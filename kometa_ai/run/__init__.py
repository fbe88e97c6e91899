"""One run, from reading to reporting."""
