"""What is said of a Radarr that cannot be reached."""

from __future__ import annotations

import socket

from kometa_ai.radarr.diagnosis import diagnose
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.serving import serve


async def test_all_in_order() -> None:
    """Each step says what it found, up to Radarr's own answer."""
    with serve(RadarrStandIn().app) as url:
        found = await diagnose(url)

    assert found.startswith("DNS: 127.0.0.1 is 127.0.0.1. TCP: port")
    assert "HTTP: GET /ping answered 200 (application/json" in found


async def test_a_closed_port() -> None:
    """A refused connection ends the diagnosis, and says that nothing is running there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    found = await diagnose(f"http://127.0.0.1:{port}/radarr")

    assert f"TCP: port {port} cannot be reached" in found
    assert "HTTP" not in found


async def test_an_unknown_name() -> None:
    """A name that nobody knows, with what that means in Docker."""
    found = await diagnose("http://no-such-host.invalid:7878")

    assert found.startswith("DNS: ")
    assert "TCP" not in found


async def test_not_http() -> None:
    """A port that is open and says nothing of use is told apart from one that answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.listen()
        found = await diagnose(f"http://user:secret@127.0.0.1:{server.getsockname()[1]}")

    assert "is open. HTTP: no answer to GET /ping" in found
    assert "secret" not in found
