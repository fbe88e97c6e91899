"""Choose the proxy, limit the size of answers, and end calls that take too long, as a transport of httpx2.

Bytes are counted after decompression. The read time-out of a request limits the whole call: if it limited single reads
only, a server could hold us for ever by sending a byte now and then.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from kometa_ai.network.trust import context_for, no_trust

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from kometa_ai.network.environment import Network
    from kometa_ai.network.proxies import Proxy

KIB, MIB = 1024, 1024 * 1024
SMALL = 1 * MIB
"""Bytes; the limit for small answers: errors, checks, tags, the credits of one movie."""
_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
_EXTENSION = "kometa_ai.bound"
_AT_ONCE = 64 * KIB
"""An answer up to this size is read without a break, if it comes at once."""


class Bound(msgspec.Struct, frozen=True):
    """Limits of an answer: bytes, bytes of a line, and number of lines. `seconds` replaces the read time-out."""

    size: int
    line: int | None = None
    lines: int | None = None
    seconds: float | None = None

    @property
    def extension(self) -> dict[str, object]:
        """The value for `extensions` of a request whose limits differ from the client's."""
        return {_EXTENSION: self}


class AnswerTooLarge(httpx2.HTTPError):
    """An answer exceeds its limit."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Connections of one client, direct and through proxies; each is opened on first use."""

    def __init__(
        self,
        network: Network,
        bound_of: Callable[[httpx2.Request], Bound],
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._network = network
        self._bound_of = bound_of
        self._given = transport
        self._opened: dict[tuple[Proxy | None, str], httpx2.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; the body of the answer is decompressed, and raises AnswerTooLarge beyond its limit."""
        bound = request.extensions.get(_EXTENSION) or self._bound_of(request)
        seconds = bound.seconds or request.extensions.get("timeout", {}).get("read")
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        tunnel = _Tunnel()
        with tunnel.translating(request, seconds):
            async with asyncio.timeout_at(deadline):
                response = await self._sent(request, tunnel)
        body = _BoundedBody(response, _bound_for(response, bound), deadline)
        kept = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_RAW_BODY]
        return httpx2.Response(
            response.status_code, headers=kept, stream=body, extensions=response.extensions, request=request
        )

    async def read(self, request: httpx2.Request, seconds: float) -> tuple[httpx2.Response, bytearray]:
        """Send a request and read the whole answer, within so many seconds; raise what a client's `send` would raise.

        The answer is read as it comes: where ten thousand short ones are read, the layers of a client, each with a
        response, a stream and a time-out of its own, take more CPU than the reading.
        """
        bound = request.extensions.get(_EXTENSION) or self._bound_of(request)
        tunnel = _Tunnel()
        body = bytearray()  # grows in place: joining the chunks of a whole library would hold it twice
        with tunnel.translating(request, seconds):
            async with asyncio.timeout(seconds):
                response = await self._sent(request, tunnel)
                response.request = request
                try:
                    await _read_into(body, response, _bound_for(response, bound))
                finally:
                    await response.aclose()
        return response, body

    async def _sent(self, request: httpx2.Request, tunnel: _Tunnel) -> httpx2.Response:
        proxy = self._network.proxy_to(str(request.url))
        if proxy is not None and request.url.scheme == "https":
            request.extensions = {**request.extensions, "trace": tunnel}
        else:
            tunnel.is_passed = True
        return await self._to(proxy, request.url.scheme).handle_async_request(request)

    def _to(self, proxy: Proxy | None, scheme: str) -> httpx2.AsyncBaseTransport:
        if self._given is not None:
            return self._given
        key = (proxy, scheme)
        if key not in self._opened:
            self._opened[key] = self._open(proxy, scheme)
        return self._opened[key]

    def _open(self, proxy: Proxy | None, scheme: str) -> httpx2.AsyncHTTPTransport:
        # Without TLS, skip loading the system's authorities: it takes time and memory.
        trust = context_for(self._network.authorities) if scheme == "https" else no_trust()
        through = None
        if proxy is not None:
            is_encrypted = proxy.url.startswith("https:")
            through = httpx2.Proxy(
                proxy.url,
                auth=(proxy.username, proxy.password) if proxy.username or proxy.password else None,
                ssl_context=context_for(self._network.authorities) if is_encrypted else None,
            )
        return httpx2.AsyncHTTPTransport(
            verify=trust, trust_env=False, limits=_LIMITS, proxy=through, socket_options=_keep_alive()
        )

    async def aclose(self) -> None:
        """Close all connections."""
        if self._given is not None:
            await self._given.aclose()
        for transport in self._opened.values():
            await transport.aclose()


class _Tunnel:
    """Whether a request has left for its service. What fails before, between us and the proxy, never reached it."""

    def __init__(self) -> None:
        self.is_passed = False

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        """Receive an event of httpcore2 (https://www.encode.io/httpcore/extensions/#trace)."""
        if name.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self.is_passed = True

    @contextmanager
    def translating(self, request: httpx2.Request, seconds: float | None) -> Iterator[None]:
        """Name what goes wrong by where it does: before the request has left, it is the connection that fails."""
        try:
            yield
        except TimeoutError as error:
            kind = httpx2.ReadTimeout if self.is_passed else httpx2.ConnectTimeout
            raise kind(f"no answer within {seconds:g} s", request=request) from error
        except httpx2.TimeoutException as error:
            if self.is_passed:
                raise
            raise httpx2.ConnectTimeout(str(error), request=request) from error
        except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
            if self.is_passed:
                raise
            raise httpx2.ConnectError(str(error), request=request) from error


def _bound_for(response: httpx2.Response, bound: Bound) -> Bound:
    """The bound of an answer: an error says what it is in few words."""
    return bound if response.is_success else msgspec.structs.replace(bound, size=min(bound.size, SMALL))


async def _read_into(body: bytearray, response: httpx2.Response, bound: Bound) -> None:
    async for chunk in response.aiter_bytes():
        body += chunk
        # Count compressed bytes, too: a stream may be endless and decompress to nothing.
        if max(len(body), response.num_bytes_downloaded) > bound.size:
            raise _too_large(bound)
        if len(body) > _AT_ONCE:
            # Yield to the loop: few bytes received can be many after decompression.
            await asyncio.sleep(0)


def _too_large(bound: Bound) -> AnswerTooLarge:
    return AnswerTooLarge(f"the answer has more than {_in_words(bound.size)}")


_OF_THE_RAW_BODY = (b"content-encoding", b"content-length", b"transfer-encoding")


class _BoundedBody(httpx2.AsyncByteStream):
    """The body of an answer, decompressed and counted."""

    def __init__(self, response: httpx2.Response, bound: Bound, deadline: float | None) -> None:
        self._response = response
        self._bound = bound
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces, of whole lines if lines are limited, otherwise as they arrive."""
        if self._bound.line is None:
            async for chunk in self._counted():
                yield chunk
            return
        held: list[bytes] = []
        size = 0
        async for chunk in self._counted():
            lines, end, rest = chunk.rpartition(b"\n")
            size += len(lines.partition(b"\n")[0] if end else rest)
            if max(size, len(rest), *map(len, lines.split(b"\n")[1:])) > self._bound.line:
                raise AnswerTooLarge(f"the answer has a line of more than {_in_words(self._bound.line)}")
            if end:
                # The SDK joins the pieces of a line in time quadratic in its length, so it gets whole lines.
                yield b"".join([*held, lines, end])
                held, size = [rest], len(rest)
            else:
                held.append(rest)
        yield b"".join(held)

    async def _counted(self) -> AsyncIterator[bytes]:
        size = lines = 0
        chunks = self._response.aiter_bytes()
        while (chunk := await self._next(chunks)) is not None:
            size += len(chunk)
            # Count compressed bytes, too: a stream may be endless and decompress to nothing.
            if max(size, self._response.num_bytes_downloaded) > self._bound.size:
                raise _too_large(self._bound)
            lines += chunk.count(b"\n") + chunk.count(b"\r")
            if self._bound.lines is not None and lines > self._bound.lines:
                raise AnswerTooLarge(f"the answer has more than {self._bound.lines:,} lines")
            yield chunk
            # Yield to the loop: few bytes received can be many after decompression.
            await asyncio.sleep(0)

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await anext(chunks, None)
        except TimeoutError as error:
            raise httpx2.ReadTimeout("the answer did not end in time") from error

    async def aclose(self) -> None:
        await self._response.aclose()


def _in_words(size: int) -> str:
    return f"{size // MIB} MB" if size >= MIB else f"{size // KIB} kB"


def _keep_alive() -> list[tuple[int, int, int]]:
    """Socket options that detect a dead peer: an answer may take minutes, and routers drop idle connections."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    if sys.platform == "linux":
        options += [(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 60)]
        options += [(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 5)]
    return options
