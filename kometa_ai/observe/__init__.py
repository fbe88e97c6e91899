"""Logs, redaction of secrets, and memory use of the process."""
