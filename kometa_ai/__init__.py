"""Kometa-AI: collections described in plain words, decided by Claude, tagged in Radarr."""
