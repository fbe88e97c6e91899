"""Serve the API with uvicorn from the daemon's own loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import uvicorn

from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixConfiguration
from kometa_ai.web.connections import BACKLOG, Door
from kometa_ai.web.guard import LARGEST_HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp

_PATIENCE = 0.3
"""Seconds that in-flight answers get when the program ends."""


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int) -> AsyncIterator[str]:
    """Serve while the context is open; yield the address. Raises FixConfiguration if it cannot be listened on."""
    with _listening(host, port) as listener:
        server = _Server(
            uvicorn.Config(
                app,
                http="h11",
                h11_max_incomplete_event_size=LARGEST_HEADERS,
                ws="none",
                lifespan="off",
                log_config=None,
                # Clients cause uvicorn's warnings at will; the door logs them, with a count.
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
            ),
            listener,
        )
        task = asyncio.create_task(server.serve(sockets=[]))
        shown = f"[{host}]" if ":" in host else host
        try:
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            asyncio.get_running_loop().call_later(_PATIENCE, setattr, server, "force_exit", True)  # noqa: FBT003
            await task


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to the daemon, and lets our own Door accept connections.

    Asyncio accepts without a limit, until the process has no file descriptor left.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener
        self._door: Door | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the door after uvicorn's own start."""
        await super().startup(sockets)
        self._door = Door(self._listener, self.config, self.server_state)
        self._door.open()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, let in-flight answers finish, then close the remaining connections."""
        if self._door is not None:
            self._door.close()
        await super().shutdown(sockets)
        if self._door is not None:
            self._door.abort()

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
    # Name the protocol: asyncio disables Nagle's algorithm only for sockets that do.
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
