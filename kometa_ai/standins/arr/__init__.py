"""What Radarr and Sonarr have in common, as one is a fork of the other: the way to an action, tags, saving, errors."""
