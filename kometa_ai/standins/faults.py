"""Put faults between a client and a stand-in: lost connections, slow bytes, wrong statuses."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint
from starlette.responses import RedirectResponse, Response

from kometa_ai.standins.serving import hang_up, has_hung_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Effect:
    """What happens to a request instead of, or around, the application.

    `inside` effects are failures of the application itself: they come after authentication and the like.
    """

    around: Callable[[ASGIApp], ASGIApp]
    inside: bool = False


@dataclass(slots=True)
class Fault:
    """An effect and the requests it is for: after `skip` matching ones, the next `times` (None: all)."""

    effect: Effect
    method: str | None
    path: str
    times: int | None
    skip: int
    hits: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is hit; also counts it."""
        if self.method not in {None, method} or not fnmatchcase(path.lower(), self.path.lower()):
            return False
        self.hits += 1
        return self.hits > self.skip and (self.times is None or self.hits <= self.skip + self.times)


class Faults:
    """Faults that wait for their requests, in the order in which they were injected."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def inject(
        self, effect: Effect, *, method: str | None = None, path: str = "*", times: int | None = 1, skip: int = 0
    ) -> Fault:
        """Apply an effect to requests of this method whose path matches this glob."""
        fault = Fault(effect, method, path, times, skip)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def layer(self, app: ASGIApp, *, inside: bool) -> ASGIApp:
        """The application with the faults of one place applied: in front of it, or inside."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            struck = self._struck(scope["method"], scope["path"], inside=inside) if scope["type"] == "http" else None
            await (app if struck is None else struck.around(app))(scope, receive, send)

        return call

    def _struck(self, method: str, path: str, *, inside: bool) -> Effect | None:
        with self._lock:
            candidates = (fault for fault in self._faults if fault.effect.inside == inside)
            return next((fault.effect for fault in candidates if fault.strikes(method, path)), None)


def answer(status: int, body: str = "", content_type: str = "text/html; charset=utf-8", **headers: str) -> Effect:
    """Another server (a proxy, a portal) answers, as a reverse proxy without its upstream does with 502 and HTML."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Effect(lambda _app: Response(body, status, named, media_type=content_type))


def html_page() -> Effect:
    """200 and a page of HTML: the log-in portal of a proxy, or the web interface where the API was expected."""
    return answer(200, "<!doctype html>\n<html><head><title>Log in</title></head><body></body></html>\n")


def bad_gateway() -> Effect:
    """502 and HTML: the reverse proxy is up, what is behind it is not."""
    return answer(502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n")


def redirect(location: str, status: int = 302) -> Effect:
    """A redirect."""
    return Effect(lambda _app: RedirectResponse(location, status))


def drop() -> Effect:
    """The connection ends without an answer, and the request has no effect."""

    async def call(scope: Scope, _receive: Receive, _send: Send) -> None:
        await hang_up(scope)

    return Effect(lambda _app: call)


def drop_after_applying() -> Effect:
    """The connection ends without an answer, but the request was carried out."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, _send: Send) -> None:
            await app(scope, receive, _discard)
            await hang_up(scope)

        return call

    return Effect(around)


def delay(seconds: float) -> Effect:
    """The request waits before it is carried out."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            await anyio.sleep(seconds)
            await app(scope, receive, send)

        return call

    return Effect(around)


def delay_answer(seconds: float) -> Effect:
    """The request is carried out at once, and its answer waits: a client that times out has changed something."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            answered: list[Message] = []

            async def keep(message: Message) -> None:
                answered.append(message)

            await app(scope, receive, keep)
            await anyio.sleep(seconds)
            for message in answered:
                await send(message)

        return call

    return Effect(around)


def rewrite(change: Callable[[bytes], bytes]) -> Effect:
    """The request is carried out, and the body of its answer arrives changed: an odd row, a byte order mark."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            body = b""

            async def collect(message: Message) -> None:
                nonlocal body
                if message["type"] != "http.response.body":
                    headers = [pair for pair in message["headers"] if pair[0].lower() != b"content-length"]
                    await send({**message, "headers": headers})
                    return
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await send({"type": "http.response.body", "body": change(body)})

            await app(scope, receive, collect)

        return call

    return Effect(around, inside=True)


def answer_instead(status: int, body: str = "", content_type: str = "text/html; charset=utf-8") -> Effect:
    """The request is carried out, but a proxy answers: it gave up waiting (504), or only says that it took it."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, _discard)
            await Response(body, status, media_type=content_type)(scope, receive, send)

        return call

    return Effect(around)


def truncate(keep: int) -> Effect:
    """The connection ends after `keep` bytes of the body; the status is that of a success."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            left = keep

            async def cut(message: Message) -> None:
                nonlocal left
                if left < 0:
                    return
                body = message.get("body", b"")
                last = message["type"] == "http.response.body" and len(body) >= left
                await send({**message, "body": body[:left], "more_body": True} if "body" in message else message)
                left -= len(body)
                if last:
                    left = -1
                    await hang_up(scope, flush=True)

            await app(scope, receive, cut)
            if left >= 0:
                await hang_up(scope, flush=True)

        return call

    return Effect(around)


def flood(size: int, beginning: bytes = b"", content_type: str = "image/jpeg") -> Effect:
    """200 and a body of so many bytes, without a length; it ends earlier only when the client hangs up."""

    async def call(scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", content_type.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": beginning, "more_body": True})
        left = size - len(beginning)
        while left > 0 and not has_hung_up(scope):
            piece = bytes(min(left, _PIECE))
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            left -= len(piece)
            # What is sent into a broken connection is lost at once: without this the loop would never hear that it is.
            await checkpoint()
        await send({"type": "http.response.body", "body": b""})

    return Effect(lambda _app: call)


def trickle(seconds: float) -> Effect:
    """The request is carried out, and the body of its answer comes byte by byte, this far apart."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            async def slowly(message: Message) -> None:
                for byte in message.get("body", b""):
                    if has_hung_up(scope):
                        return
                    await send({"type": "http.response.body", "body": bytes((byte,)), "more_body": True})
                    await anyio.sleep(seconds)
                await send({**message, "body": b""} if "body" in message else message)

            await app(scope, receive, slowly)

        return call

    return Effect(around)


async def _discard(_message: Message) -> None:
    """Discard the message: no server receives it."""
