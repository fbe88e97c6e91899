"""Pass requests through the layers in front of the actions, in the order of the programs' start-up class.

Request log, network faults, path base, error pipeline, authorization, compression, version header, URL base redirect,
starting up, cache headers, the program's own faults. So 401 takes precedence over a redirect, and that over 503.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from kometa_ai.standins.arr.errors import ArrError
from kometa_ai.standins.arr.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kometa_ai.standins.arr.product import Behaviour, Product
    from kometa_ai.standins.faults import Faults

_PAGE = "<!doctype html>\n<html><head><title>{name}</title></head><body><div id=root></div></body></html>\n"
_ANONYMOUS = {"/ping", "/login", "/favicon.ico"}


@dataclass(slots=True)
class LoggedRequest:
    """A request as it arrived. `headers` have lower-case names, `body` is decoded JSON, `at` is monotonic time.

    `status` is None until an answer begins, and stays None if the connection is dropped.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    at: float = field(default_factory=time.monotonic)
    status: int | None = None


def layers(behaviour: Behaviour, requests: list[LoggedRequest], faults: Faults) -> Sequence[Middleware]:
    """The pipeline, outermost first."""
    return [
        Middleware(_request_log, requests),
        Middleware(faults.layer, inside=False),
        Middleware(_path_base, behaviour),
        Middleware(_error_pipeline, behaviour),
        Middleware(_authorization, behaviour),
        Middleware(_compression),
        Middleware(_version_and_cache_headers, behaviour),
        Middleware(_url_base_redirect, behaviour),
        Middleware(_starting_up, behaviour),
        Middleware(faults.layer, inside=True),
        Middleware(_web_interface, behaviour),
    ]


def _request_log(app: ASGIApp, requests: list[LoggedRequest]) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body = await _whole_body(receive)
        entry = LoggedRequest(
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            headers={name.lower(): value for name, value in Headers(scope=scope).items()},
            body=_decoded(body),
        )
        requests.append(entry)
        unread = [body]

        async def replay() -> Message:
            return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        await app(scope, replay, note)

    return call


async def _whole_body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace") or None


def _path_base(app: ASGIApp, behaviour: Behaviour) -> ASGIApp:
    """Strip the URL base, in any case, and record whether it was there, and which program this is."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path, base = scope["path"], behaviour.url_base
            based = bool(base) and f"{path}/".lower().startswith(f"{base}/".lower())
            scope["path"] = (path[len(base) :] or "/") if based else path
            scope.setdefault("state", {}).update(based=based, product=behaviour.product)
        await app(scope, receive, send)

    return call


def _error_pipeline(app: ASGIApp, behaviour: Behaviour) -> ASGIApp:
    """Answer an action's exception, outside of compression and without the program's headers."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except ArrError as error:
            body, status = error.json(behaviour.product), error.status(behaviour.product)
            await Response(body, status, media_type="application/json")(scope, receive, send)

    return call


def _authorization(app: ASGIApp, behaviour: Behaviour) -> ASGIApp:
    """Require the API key for everything but the web interface, which has its own rule."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(scope, behaviour) if scope["type"] == "http" else None
        await (refusal or app)(scope, receive, send)

    return call


def _refusal(scope: Scope, behaviour: Behaviour) -> Response | None:
    path = scope["path"].lower()
    if path.rstrip("/") in _ANONYMOUS or path.startswith("/content/"):
        return None
    if not _is_api(path) and scope["method"] == "GET":
        if behaviour.ui_auth == "none":
            return None
        base = behaviour.url_base if scope["state"]["based"] else ""
        return RedirectResponse(f"{base}/login?returnUrl={quote(base + scope['path'], safe='')}", 302)
    return None if _key(scope) == behaviour.api_key else Response(status_code=401)


def _key(scope: Scope) -> str:
    """The first key of the request, even if it is wrong or empty: query, `X-Api-Key`, `Authorization`."""
    query: str = scope["query_string"].decode()
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.lower() == "apikey":
            return value
    headers = Headers(scope=scope)
    key = headers.get("X-Api-Key")
    return headers.get("Authorization", "").replace("Bearer ", "") if key is None else key


def _compression(app: ASGIApp) -> ASGIApp:
    """Compress what is text; pictures are small already."""
    compressed = GZipMiddleware(app, minimum_size=1, compresslevel=1)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        is_picture = scope["type"] == "http" and _is_cover(scope["path"].lower())
        await (app if is_picture else compressed)(scope, receive, send)

    return call


def _version_and_cache_headers(app: ASGIApp, behaviour: Behaviour) -> ASGIApp:
    built = datetime.fromisoformat(behaviour.product.build_time)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Application-Version"] = behaviour.product.version
                if _is_cover(scope["path"].lower()):
                    headers["Cache-Control"] = "max-age=31536000, public"
                    headers.setdefault("Last-Modified", format_datetime(built, usegmt=True))
                    await send(message)
                    return
                headers["Cache-Control"] = "no-cache, no-store"
                headers["Expires"] = "-1"
                headers["Pragma"] = "no-cache"
            await send(message)

        is_api = scope["type"] == "http" and _is_api(scope["path"].lower())
        await app(scope, receive, with_headers if is_api else send)

    return call


def _url_base_redirect(app: ASGIApp, behaviour: Behaviour) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and behaviour.url_base and not scope["state"]["based"]:
            query = scope["query_string"].decode()
            location = f"{behaviour.url_base}{scope['path']}{'?' if query else ''}{query}"
            await RedirectResponse(location, 307)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return call


def _starting_up(app: ASGIApp, behaviour: Behaviour) -> ASGIApp:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and behaviour.starting_up:
            is_api = _is_api(scope["path"].lower())
            product = behaviour.product
            answer = starting_up_answer(product) if is_api else PlainTextResponse(product.starting, 503)
            await answer(scope, receive, send)
        else:
            await app(scope, receive, send)

    return call


def starting_up_answer(product: Product) -> Response:
    """The API's answer between listening and being ready."""
    return Response(to_json({"errorMessage": product.starting}), 503, media_type="application/json")


def _web_interface(app: ASGIApp, behaviour: Behaviour) -> ASGIApp:
    """Answer everything outside the API as the web interface, which only supports GET. Routes are case-insensitive."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].lower().rstrip("/") or "/" if scope["type"] == "http" else "/api"
        if _is_api(path) or path == "/ping":
            scope["path"] = path
            await app(scope, receive, send)
        elif scope["method"] != "GET":
            await Response(status_code=405, headers={"Allow": "GET"})(scope, receive, send)
        elif "." in path:
            await Response(status_code=404)(scope, receive, send)
        else:
            await HTMLResponse(_PAGE.format(name=behaviour.product.name))(scope, receive, send)

    return call


def _is_cover(path: str) -> bool:
    return _is_api(path) and "/mediacover" in path


def _is_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")
