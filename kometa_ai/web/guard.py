"""What every request passes first: the URL base, the key, and headers for every answer."""

from __future__ import annotations

import binascii
import hmac
import time
from base64 import b64decode
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = frozenset({"/ping", "/health"})
WEBHOOK = "/api/v1/webhooks/radarr"
_QUIET_SECONDS = 60.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_log = structlog.get_logger()


class Guard:
    """Lets no request without the key through, except to the open paths; what lies behind a path is not told before.

    Paths are served below the URL base and without it, since some proxies take it away and some do not.
    """

    def __init__(self, app: ASGIApp, *, api_key: str, url_base: str) -> None:
        self._app = app
        self._api_key = api_key.encode()
        self._url_base = url_base
        self._complained = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI wants it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        path: str = scope["path"]
        if self._url_base and f"{path}/".startswith(f"{self._url_base}/"):
            scope = {**scope, "root_path": self._url_base}
            path = path.removeprefix(self._url_base) or "/"
        if path in OPEN_PATHS or self._has_key(Headers(scope=scope), basic=path == WEBHOOK):
            await self._app(scope, receive, send_with_headers)
            return
        self._complain(scope, path)
        refusal = JSONResponse(
            {"error": "A key is needed, or this one is wrong.", "remedy": "Send it in the header X-Api-Key."},
            status_code=401,
            headers={"WWW-Authenticate": 'Basic realm="Kometa-AI"' if path == WEBHOOK else "Bearer"},
        )
        await refusal(scope, receive, send_with_headers)

    def _has_key(self, headers: Headers, *, basic: bool) -> bool:
        # All are compared, and none is left early: how long it takes tells nothing.
        matches = [hmac.compare_digest(given, self._api_key) for given in _keys(headers, basic=basic)]
        return any(matches)

    def _complain(self, scope: Scope, path: str) -> None:
        """Say in the log that somebody has the wrong key, but not for every request of a scanner."""
        if time.monotonic() - self._complained > _QUIET_SECONDS:
            self._complained = time.monotonic()
            client = scope.get("client")
            _log.warning("http.refused", client=client[0] if client else "", method=scope["method"], path=path[:200])


def _keys(headers: Headers, *, basic: bool) -> Iterator[bytes]:
    """Every key that a request brings."""
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
