"""Say in plain words why a service cannot be used: its name, the connection, its answer."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from kometa_ai.network.failures import Way

PATIENCE = 1.0
"""Seconds for each step: the user has waited nearly a minute already."""

_PORTS = {"http": 80, "https": 443}


async def diagnose(way: Way, service: str, answer: str) -> str:
    """Look the host up and connect to it; say what that found, and what HTTP had to say (`answer`).

    Where a proxy is in between, it is the proxy that is looked up and connected to, as HTTP does it.
    """
    if way.proxy:
        host, port, runs = way.proxy.host, way.proxy.port, "the proxy"
        before = f"Requests go through {way.proxy}. "
    else:
        parts = urlsplit(way.address)
        host, port, runs = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80), service
        before = ""
    name, is_known = await _name(host)
    if not is_known:
        return f"{before}{name} TCP: not tried. HTTP: not tried."
    connection, is_open = await _connection(host, port, runs)
    return f"{before}{name} {connection} HTTP: {answer if is_open else 'not tried.'}"


async def _name(host: str) -> tuple[str, bool]:
    try:
        async with asyncio.timeout(PATIENCE):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except TimeoutError:
        return f"DNS: no answer for {host!r} in time.", False
    except (OSError, UnicodeError):
        return f"DNS: nobody here knows {host!r}; in Docker, both containers must be in one network.", False
    addresses = sorted({str(entry[4][0]) for entry in found})
    return f"DNS: {host} is {', '.join(addresses)}.", True


async def _connection(host: str, port: int, runs: str) -> tuple[str, bool]:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"TCP: port {port} does not answer; a firewall, or a host that is off.", False
    except OSError as error:
        return f"TCP: port {port} cannot be reached ({error.strerror or error}); {runs} is not running there.", False
    writer.close()
    return f"TCP: port {port} is open.", True
