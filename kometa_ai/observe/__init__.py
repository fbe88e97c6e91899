"""Logs, redaction of secrets, and the memory of the process."""
