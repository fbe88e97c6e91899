"""Stand in for Radarr, Sonarr, Claude, mail and proxies, in tests, the demo and development; made from their docs."""
