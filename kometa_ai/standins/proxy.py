"""Stand in for an HTTP proxy: it forwards requests and opens tunnels, or refuses to, as Squid does."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from anyio.from_thread import start_blocking_portal

from kometa_ai.standins.serving import HOST

if TYPE_CHECKING:
    import ssl
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncIterator

_PAGE = "<!DOCTYPE html><html><head><title>ERROR: The requested URL could not be retrieved</title></head></html>"
_REASONS = {
    400: "Bad Request",
    403: "Forbidden",
    407: "Proxy Authentication Required",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
_SQUIDS = {
    400: "ERR_INVALID_REQ 0",
    403: "ERR_ACCESS_DENIED 0",
    407: "ERR_CACHE_ACCESS_DENIED 0",
    503: "ERR_DNS_FAIL 0",
}


class ProxyStandIn:
    """Serves while its context is open. `requests` are the request lines it received, `credentials` those sent to it.

    `refuses` is a status that it answers everything with, on an HTML page; or it `hangs_up` on each request. With `tls`
    clients reach the proxy itself by TLS.
    """

    def __init__(
        self, *, refuses: int | None = None, hangs_up: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[str] = []
        self.credentials: list[str] = []
        self._refuses = refuses
        self._hangs_up = hangs_up
        self._tls = tls
        self._stack = contextlib.ExitStack()
        self._port = 0

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{HOST}:{self._port}"

    def __enter__(self) -> Self:
        portal = self._stack.enter_context(start_blocking_portal(name="proxy"))
        self._stack.enter_context(portal.wrap_async_context_manager(self._serving()))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, HOST, 0, ssl=self._tls)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                await self._pass_on(reader, writer)
            finally:
                writer.close()

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        begin = await reader.readexactly(1)
        if not begin.isalpha():  # a TLS handshake to a proxy without TLS
            writer.write(_refusal(400))
            await writer.drain()
            return
        head = (begin + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *headers = head.split("\r\n")
        self.requests.append(first)
        self.credentials += [line.partition(": ")[2] for line in headers if line.lower().startswith("proxy-auth")]
        if self._hangs_up:
            return
        if self._refuses:
            writer.write(_refusal(self._refuses))
            await writer.drain()
            return
        method, target, _ = first.split(" ")
        is_tunnel = method == "CONNECT"
        parts = urlsplit(f"//{target}" if is_tunnel else target)
        try:
            there, to = await asyncio.open_connection(parts.hostname, parts.port or 80)
        except OSError:
            writer.write(_refusal(503))
            await writer.drain()
            return
        if is_tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = parts._replace(scheme="", netloc="").geturl() or "/"
            kept = [line for line in headers if line and not line.lower().startswith(("connection:", "proxy-"))]
            to.write("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1"))
        try:
            await asyncio.gather(_pipe(reader, to), _pipe(there, writer))
        finally:
            to.close()


async def _pipe(source: StreamReader, sink: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


def _refusal(status: int) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}",
        "Server: squid/6.13",
        "Content-Type: text/html;charset=utf-8",
        f"X-Squid-Error: {_SQUIDS.get(status, 'ERR_UNKNOWN 0')}",
        *(['Proxy-Authenticate: Basic realm="Squid"'] if status == 407 else []),  # noqa: PLR2004 - a status
        f"Content-Length: {len(_PAGE)}",
        "Connection: close",
    ]
    return ("\r\n".join([*lines, "", ""]) + _PAGE).encode()
