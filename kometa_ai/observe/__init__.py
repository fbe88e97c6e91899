"""What is told about a run while it runs, and what is never told: logs and redaction."""
