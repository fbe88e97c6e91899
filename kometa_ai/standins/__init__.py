"""Stand in for Radarr, Claude, mail servers and proxies, in tests, demo and development; made from docs and sources."""
