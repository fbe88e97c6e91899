"""Check every request before its route: URL base, key or visitor, and its form; add headers to every answer."""

from __future__ import annotations

import asyncio
import binascii
import hmac
import time
from base64 import b64decode
from collections import OrderedDict, deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from kometa_ai.core.text import one_line
from kometa_ai.observe.logs import log_unexpected
from kometa_ai.observe.repeats import Repeats
from kometa_ai.web.answers import Failed, json_answer
from kometa_ai.web.connections import trust
from kometa_ai.web.gate import LONGEST_PATH, Gate, Passed
from kometa_ai.web.tokens import BODY_TOO_LARGE, LARGEST_BODY, limited
from kometa_ai.web.visitors import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kometa_ai.web.visitors import Entrance

OPEN_PATHS = frozenset({"/ping", "/health"})
LARGEST_HEADERS = 16 * 1024
WEBHOOKS = frozenset({"/api/v1/webhooks/radarr", "/api/v1/webhooks/sonarr"})
"""Where the key may come as a Basic password: older versions of Radarr and Sonarr cannot send headers."""
_WRONG_KEYS = 20
_WITHIN = 60.0
_DELAY = 0.5
_ADDRESSES = 1000
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # Otherwise a foreign page could find out by <img> which posters there are, where WEB_LOGIN asks for no sign-in.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Decides who sends a request, before any route can reveal whether a path exists.

    A caller with the API's key has all rights. Without an `entrance` no other caller passes, except to the open paths;
    with one its visitors do, whose names and tokens the routes find in `scope["state"]["visitor"]`.
    Paths are served below the URL base and without it: some reverse proxies strip it, others do not.
    """

    def __init__(self, app: ASGIApp, *, api_key: str, url_base: str, entrance: Entrance | None = None) -> None:
        self._app = app
        self._api_key = api_key.encode()
        self._url_base = url_base
        self._gate = Gate(entrance) if entrance else None
        self._refused = Repeats("http.refused")
        self._guesses = _Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = _unusable(scope)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        path: str = scope["path"]
        if self._url_base and f"{path}/".startswith(f"{self._url_base}/"):
            path = path.removeprefix(self._url_base) or "/"
            scope = {**scope, "root_path": self._url_base, "path": f"{self._url_base}{path}"}
        # A state of this request alone, whatever the server keeps in its own.
        scope["state"] = {**scope.get("state", {}), "visitor": None}
        keys = list(_keys(Headers(scope=scope), basic=path in WEBHOOKS))
        if self._is_among(keys):
            trust(scope)
            scope["state"]["visitor"] = Visitor("", "", "key")
            await self._answer(scope, limited(receive), send_with_headers)
        elif path in OPEN_PATHS:
            await self._answer(scope, limited(receive), send_with_headers)
        elif self._gate is None:
            await self._refuse(scope, path, receive, send_with_headers, is_guess=any(keys))
        else:
            await self._admit(self._gate, scope, path, receive, send_with_headers, is_guess=any(keys))

    async def _admit(
        self, gate: Gate, scope: Scope, path: str, receive: Receive, send: Send, *, is_guess: bool
    ) -> None:
        """Answer a visitor, or tell a caller that is none how to become one."""
        try:
            found = await gate.admit(scope, path, receive)
        except ClientDisconnect:
            return
        if found is None:
            await self._refuse(scope, path, receive, send, is_guess=is_guess)
            return
        if is_guess and scope["state"]["visitor"] is None:
            await self._slow_down(scope)
        if isinstance(found, Passed):
            await self._answer(scope, found.receive, _with_cookie(send, found.cookie) if found.cookie else send)
        else:
            await found(scope, receive, send)

    async def _refuse(self, scope: Scope, path: str, receive: Receive, send: Send, *, is_guess: bool) -> None:
        """Ask for the key."""
        self._refused.add(client=_peer(scope), method=scope["method"], path=one_line(path, LONGEST_PATH))
        if is_guess:
            await self._slow_down(scope)
        refusal = json_answer(
            Failed("A key is needed, or this one is wrong.", "Send it in the header X-Api-Key."),
            HTTPStatus.UNAUTHORIZED,
            {"WWW-Authenticate": 'Basic realm="Kometa-AI"' if path in WEBHOOKS else "Bearer"},
        )
        await refusal(scope, receive, send)

    async def _slow_down(self, scope: Scope) -> None:
        """Delay the answer to a wrong key after many of them. A request with the right key is never delayed."""
        if self._guesses.are_too_many(_peer(scope)):
            await asyncio.sleep(_DELAY)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer. If it fails, the caller gets one sentence, and the log the stack trace."""
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is
            failed = Failed(log_unexpected("http.failed", error))
            if not has_begun:
                await json_answer(failed, HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, send)

    def _is_among(self, keys: Sequence[bytes]) -> bool:
        # Compare all keys without leaving early, so that the time taken reveals nothing.
        matches = [hmac.compare_digest(given, self._api_key) for given in keys]
        return any(matches)


class _Guesses:
    """The times of the latest wrong keys of each address."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def are_too_many(self, client: str) -> bool:
        """Record a wrong key; return whether _WRONG_KEYS came before it within a minute."""
        now = time.monotonic()
        times = self._times.setdefault(client, deque(maxlen=_WRONG_KEYS))
        self._times.move_to_end(client)
        while len(self._times) > _ADDRESSES:
            self._times.popitem(last=False)
        are_too_many = len(times) == _WRONG_KEYS and now - times[0] < _WITHIN
        times.append(now)
        return are_too_many


def _peer(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


def _unusable(scope: Scope) -> Response | None:
    """The answer to a request that is too large or asks for a WebSocket; None for any other."""
    headers = Headers(scope=scope)
    if headers.get("upgrade", "").strip().lower() == "websocket":
        remedy = "Watch a run by its server-sent events: GET /api/v1/runs/{run_id}/events."
        return json_answer(Failed("There are no WebSockets here.", remedy), HTTPStatus.BAD_REQUEST)
    if sum(len(name) + len(value) for name, value in headers.raw) > LARGEST_HEADERS:
        return json_answer(Failed("The headers are too large."), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > LARGEST_BODY:
        return json_answer(Failed(BODY_TOO_LARGE), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return None


def _with_cookie(send: Send, cookie: str) -> Send:
    """Give the browser a cookie with an answer."""

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("Set-Cookie", cookie)
        await send(message)

    return send_with_cookie


def _keys(headers: Headers, *, basic: bool) -> Iterator[bytes]:
    """Every key in the headers of a request."""
    for value in headers.getlist("x-api-key"):
        yield value.strip().encode()
    for value in headers.getlist("authorization"):
        scheme, _, rest = value.partition(" ")
        if scheme.lower() == "bearer":
            yield rest.strip().encode()
        elif basic and scheme.lower() == "basic":
            yield _password(rest.strip())


def _password(credentials: str) -> bytes:
    try:
        return b64decode(credentials, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
