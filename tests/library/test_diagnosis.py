"""What is said of a Radarr that cannot be reached."""

from __future__ import annotations

import socket

from kometa_ai.library.arr.diagnosis import diagnose
from kometa_ai.network.environment import Network
from kometa_ai.network.failures import Way
from kometa_ai.network.proxies import read_proxies
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.serving import serve


def way(url: str, **environ: str) -> Way:
    """The way to an address in an environment."""
    network = Network(proxies=read_proxies(environ))
    return Way(address=url, setting="RADARR_URL", proxy=network.proxy_to(url))


async def test_all_in_order() -> None:
    """Each step says what it found, up to Radarr's own answer."""
    with serve(RadarrStandIn().app) as url:
        found = await diagnose(way(url), "Radarr", "it answered 503.")

    assert found.startswith("DNS: 127.0.0.1 is 127.0.0.1. TCP: port")
    assert found.endswith("is open. HTTP: it answered 503.")


async def test_a_closed_port() -> None:
    """A refused connection ends the diagnosis, and says that nothing is running there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    found = await diagnose(way(f"http://127.0.0.1:{port}/radarr"), "Radarr", "refused")

    assert f"TCP: port {port} cannot be reached" in found
    assert found.endswith("HTTP: not tried.")


async def test_an_unknown_name() -> None:
    """A host name that cannot be resolved, with what that means in Docker."""
    found = await diagnose(way("http://no-such-host.invalid:7878"), "Radarr", "unknown")

    assert found.startswith("DNS: ")
    assert found.endswith("TCP: not tried. HTTP: not tried.")


async def test_credentials_are_not_shown() -> None:
    """Nothing of a user or password in the address is repeated."""
    found = await diagnose(way("http://user:secret@127.0.0.1:9"), "Radarr", "refused")

    assert "secret" not in found


async def test_a_proxy_in_between_is_what_is_looked_at() -> None:
    """Name and port are those of the proxy, which is named with its variable: nothing else is connected to."""
    with serve(RadarrStandIn().app) as url:
        port = url.rpartition(":")[2]
        found = await diagnose(
            way("http://radarr:7878", HTTP_PROXY=f"http://u:secret@127.0.0.1:{port}"), "Radarr", "it answered."
        )

    assert found.startswith(f"Requests go through the proxy of HTTP_PROXY (127.0.0.1:{port}). DNS: 127.0.0.1 is")
    assert f"TCP: port {port} is open. HTTP: it answered." in found
    assert "secret" not in found


async def test_a_proxy_that_is_down() -> None:
    """It is the proxy that is not running, not Radarr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    found = await diagnose(way("http://radarr:7878", all_proxy=f"127.0.0.1:{port}"), "Radarr", "refused")

    assert f"the proxy of all_proxy (127.0.0.1:{port})" in found
    assert "the proxy is not running there" in found
