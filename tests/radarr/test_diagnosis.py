"""What is said of a Radarr that cannot be reached."""

from __future__ import annotations

import socket

from kometa_ai.radarr.diagnosis import diagnose
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.serving import serve


async def test_all_in_order() -> None:
    """Each step says what it found, up to Radarr's own answer."""
    with serve(RadarrStandIn().app) as url:
        found = await diagnose(url, "it answered 503.")

    assert found.startswith("DNS: 127.0.0.1 is 127.0.0.1. TCP: port")
    assert found.endswith("is open. HTTP: it answered 503.")


async def test_a_closed_port() -> None:
    """A refused connection ends the diagnosis, and says that nothing is running there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    found = await diagnose(f"http://127.0.0.1:{port}/radarr", "refused")

    assert f"TCP: port {port} cannot be reached" in found
    assert found.endswith("HTTP: not tried.")


async def test_an_unknown_name() -> None:
    """A name that nobody knows, with what that means in Docker."""
    found = await diagnose("http://no-such-host.invalid:7878", "unknown")

    assert found.startswith("DNS: ")
    assert found.endswith("TCP: not tried. HTTP: not tried.")


async def test_credentials_are_not_shown() -> None:
    """Nothing of a user or password in the address is repeated."""
    found = await diagnose("http://user:secret@127.0.0.1:9", "refused")

    assert "secret" not in found
