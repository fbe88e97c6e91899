"""Serve an ASGI application over real HTTP from a background thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, cast

import uvicorn
from anyio.from_thread import start_blocking_portal
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"

_TICK = 0.01
"""Seconds after which an answer that takes its time looks whether it still has to."""


def listener_on(port: int, host: str = HOST) -> socket.socket:
    """A socket that listens; port 0 picks a free one."""
    # asyncio disables Nagle's algorithm only for sockets that name their protocol; with it, each answer in several
    # pieces waits for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def serve(app: ASGIApp, *, port: int = 0, host: str = HOST, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve `app` while the context is open; yield its base URL, without a slash at the end.

    With `tls`, a context with a certificate, the URL is https. Port 0 picks a free port. In a container another host
    than the default is needed, which is reachable from this machine only. Closing ends requests that still run, so that
    a delayed answer does not delay a test.
    """
    with (
        listener_on(port, host) as listener,
        start_blocking_portal(name="stand-in") as portal,
        portal.wrap_async_context_manager(_serving(app, listener, tls)),
    ):
        yield f"{'https' if tls else 'http'}://{host}:{listener.getsockname()[1]}"


async def hang_up(scope: Scope, *, flush: bool = False) -> None:
    """End the connection of this request, as a network or a dying server does; only works below `serve`.

    With `flush` what was sent so far still arrives. Nothing can be sent afterwards.
    """
    connection = cast("_Protocol", scope["state"]["connection"])
    if flush:
        connection.transport.close()
    else:
        connection.transport.abort()
    # Until the protocol has noticed, uvicorn would take a silent application for a broken one.
    await connection.lost.wait()


def has_hung_up(scope: Scope) -> bool:
    """Whether the client of this request has ended its connection; only works below `serve`."""
    return cast("_Protocol", scope["state"]["connection"]).lost.is_set()


async def take_time(latency: Callable[[], float], *, hung_up: Callable[[], bool] = lambda: False) -> bool:
    """Wait for `latency()` seconds, or until the client has hung up; whether it has not.

    The latency is asked for again and again: one that is lowered meanwhile lets the answers that wait go.
    """
    begun = time.monotonic()
    await asyncio.sleep(0)
    while (left := begun + latency() - time.monotonic()) > 0 and not hung_up():  # noqa: ASYNC110 - a latency is a number, and has no event
        await asyncio.sleep(min(left, _TICK))
    return not hung_up()


async def let_connections_arrive() -> None:
    """Wait for connections that were just accepted: they take three rounds of the loop to reach their protocol."""
    for _ in range(3):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def _serving(app: ASGIApp, listener: socket.socket, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    config = uvicorn.Config(
        _ending_quietly(app),
        interface="asgi3",
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
    )
    config.load()
    config.ssl = tls
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.ready.wait()
        yield
    finally:
        server.stopping.set()
        await task


class _Server(uvicorn.Server):
    """Uvicorn that starts and stops at once; the original polls every tenth of a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()

    async def main_loop(self) -> None:
        self.ready.set()
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        await let_connections_arrive()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        connections = cast("set[_Protocol]", self.server_state.connections)
        for connection in connections:
            connection.transport.abort()
        await asyncio.gather(*(connection.lost.wait() for connection in connections))


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets the application end its connection, for which ASGI has no message."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base does
        super().connection_made(transport)
        self.lost = asyncio.Event()
        self.app_state = {**self.app_state, "connection": self}

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


def _ending_quietly(app: ASGIApp) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops. Uvicorn would log the cancellation as an error of the application.
            await hang_up(scope)

    return call
