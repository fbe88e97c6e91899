"""Why a Radarr cannot be reached: name, connection, answer, each in plain words."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 1.0
"""Seconds for each step: whoever waits for this has waited nearly a minute already."""

_PORTS = {"http": 80, "https": 443}


async def diagnose(url: str) -> str:
    """Look the host up, connect, and ask Radarr's ping, which needs no key; say what each step found."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80)
    findings = []
    steps: list[Callable[[], Awaitable[tuple[str, bool]]]] = [
        lambda: _name(host),
        lambda: _connection(host, port),
        lambda: _answer(url),
    ]
    for step in steps:
        finding, is_fine = await step()
        findings.append(finding)
        if not is_fine:
            break  # the next step could only say the same again
    return " ".join(findings)


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


async def _connection(host: str, port: int) -> tuple[str, bool]:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"TCP: port {port} does not answer; a firewall, or a host that is off.", False
    except OSError as error:
        return f"TCP: port {port} cannot be reached ({error.strerror or error}); Radarr is not running there.", False
    writer.close()
    return f"TCP: port {port} is open.", True


async def _answer(url: str) -> tuple[str, bool]:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    ping = parts._replace(
        netloc=f"{host}:{parts.port}" if parts.port else str(host),
        path=parts.path.rstrip("/") + "/ping",
        query="",
        fragment="",
    ).geturl()
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE) as client:
            response = await client.get(ping)
    except httpx2.HTTPError as error:
        return f"HTTP: no answer to GET /ping ({type(error).__name__}).", False
    kind = response.headers.get("content-type", "no content type")
    return f"HTTP: GET /ping answered {response.status_code} ({kind}).", True
