"""Make Radarr's tags match the decisions: plan, then apply."""
