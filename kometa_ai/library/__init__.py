"""Libraries of the user, such as Radarr: what they hold, and how their tags are changed."""
