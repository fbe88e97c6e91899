"""Stand in for Radarr, Claude, mail servers and proxies, in tests, the demo and development; made from their docs."""
