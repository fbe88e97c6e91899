"""Serve the API from the daemon's own loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import uvicorn

from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixConfiguration
from kometa_ai.web.guard import LARGEST_HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp

AT_ONCE = 500
"""Connections; further ones are told to come back later."""
_PATIENCE = 0.3
"""Seconds that answers on their way get when the program ends."""


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve while the context is open and yield the address. Raise FixConfiguration where it cannot be listened on."""
    with _listening(host, port) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                http="h11",
                h11_max_incomplete_event_size=LARGEST_HEADERS,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=AT_ONCE,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[listener]))
        shown = f"[{host}]" if ":" in host else host
        try:
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            asyncio.get_running_loop().call_later(_PATIENCE, setattr, server, "force_exit", True)  # noqa: FBT003
            await task


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to the daemon."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    try:
        listener = _listener(host, port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FixConfiguration(
            "The HTTP server cannot be started.",
            [
                Problem(
                    source="HTTP_PORT",
                    what=f"{host} port {port} cannot be listened on: {reason}.",
                    remedy="Set HTTP_HOST and HTTP_PORT to an address that is free; HTTP_PORT=0 is no server.",
                )
            ],
        ) from error
    with listener:
        yield listener


def _listener(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )[0]
    # The protocol is named: only then asyncio switches Nagle's algorithm off.
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
