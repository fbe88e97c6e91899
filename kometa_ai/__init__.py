"""Let a language model decide which movies and shows are in Plex collections, and tag them in Radarr and Sonarr."""
