"""Reach other hosts: proxies, certificate authorities, limits for answers, and explanations of failures."""
