"""Tell whether an address is one of the user's own network: a machine at home, or a container beside this one."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

_AT_HOME = (".localhost", ".local", ".lan", ".home", ".internal", ".home.arpa")


def is_private(url: str) -> bool:
    """Whether the host is a private IP address, a name without a dot, or one that only a local network knows."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".").partition("%")[0]
    except ValueError:
        return False
    try:
        return not ip_address(host).is_global
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(_AT_HOME))
