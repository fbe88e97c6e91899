"""Reach the user's libraries, each a Radarr or a Sonarr: read what they hold, and change their tags."""
