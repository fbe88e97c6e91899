"""Open HTTP clients: httpx2 with our proxies, authorities and limits; none reads the environment by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from kometa_ai.__version__ import __version__
from kometa_ai.network.bounds import SMALL, Bound, BoundedTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kometa_ai.network.environment import Network


def open_client(
    network: Network,
    *,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    timeout: httpx2.Timeout | float = 30.0,
    bound_of: Callable[[httpx2.Request], Bound] | None = None,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> httpx2.AsyncClient:
    """A client that says who calls, and follows no redirects.

    A redirected PUT would become a GET, and keys would go to any host.
    """
    return httpx2.AsyncClient(
        headers={"User-Agent": f"Kometa-AI/{__version__}", **(headers or {})},
        auth=auth,
        timeout=timeout,
        transport=transport
        if isinstance(transport, BoundedTransport)
        else BoundedTransport(network, bound_of or (lambda _: Bound(SMALL)), transport),
        follow_redirects=False,
        trust_env=False,
    )
