"""Radarr: read movies, tags and credits; write tags through the bulk editor."""
