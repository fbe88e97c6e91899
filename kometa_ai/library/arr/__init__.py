"""The HTTP API that Radarr shares with its siblings: connection, retries, edits, diagnosis."""
