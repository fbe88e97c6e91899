"""The settings: every environment variable once, read, checked and shown."""
