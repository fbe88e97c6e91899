"""Speak the HTTP API that Radarr and Sonarr share: connection, retries, edits, diagnosis."""
