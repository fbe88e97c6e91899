"""Make the tags of Radarr and Sonarr match the decisions: plan, then apply."""
