"""Stand in for Radarr, Sonarr, Claude, mail servers and proxies, for tests and the demo; from docs and sources.

Why: docs/decisions/0013-stand-ins.md
"""
