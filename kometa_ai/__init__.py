"""Kometa-AI: collections described in plain words, decided by a language model, tagged in Radarr."""
