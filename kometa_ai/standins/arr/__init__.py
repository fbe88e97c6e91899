"""Do what Radarr and Sonarr, one a fork of the other, have in common: the way to an action, tags, saving, errors."""
