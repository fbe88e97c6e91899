"""Record what the program sends over HTTP, and write it as text that a person can review."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LINE = 116
_LONG = 200
"""A text or an object of more characters is written once in a file; later requests refer to the first."""
_OF_THE_CONNECTION = {"accept-encoding", "connection", "content-length", "host"}
_OF_THE_SDK = "x-stainless-"


@dataclass
class Exchange:
    """One request and the status of its answer; None when the connection ended without one."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int | None = None
    is_over: bool = False


class Wire:
    """Everything that one service was sent; `watch` puts it in front of the service's application."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._news = threading.Condition()

    def watch(self, app: Starlette) -> None:
        """Record the requests to this application, which is not running yet."""
        app.add_middleware(self._layer)

    def wait_for(self, is_it: Callable[[Exchange], bool], seconds: float) -> None:
        """Wait until such a request was answered. Raise TimeoutError after so many seconds."""
        with self._news:
            if not self._news.wait_for(lambda: any(one.is_over and is_it(one) for one in self._exchanges), seconds):
                raise TimeoutError("the program has not sent what is waited for")

    def take(self) -> list[Exchange]:
        """The requests since this was last called."""
        with self._news:
            taken, self._exchanges = self._exchanges, []
        return taken

    def _layer(self, app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            body = await _whole_body(receive)
            exchange = Exchange(
                method=scope["method"],
                target=scope["path"]
                + (f"?{unquote_plus(scope['query_string'].decode())}" if scope["query_string"] else ""),
                headers={name.decode().lower(): value.decode() for name, value in scope["headers"]},
                body=body,
            )
            with self._news:
                self._exchanges.append(exchange)
            unread = [body]

            async def replay() -> Message:
                return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

            async def note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    exchange.status = message["status"]
                await send(message)

            try:
                await app(scope, replay, note)
            finally:
                with self._news:
                    exchange.is_over = True
                    self._news.notify_all()

        return call


async def _whole_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def receiver() -> Starlette:
    """A service that takes whatever it is sent, as push services and webhooks do."""

    async def take(_request: Request) -> Response:
        return PlainTextResponse("taken")

    return Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST", "PUT"])])


def pretty(value: Any, margin: str = "") -> str:
    """JSON in which whatever fits on a line stands on one, below a margin that the first line has already."""
    text = json.dumps(value, ensure_ascii=False)
    if len(margin) + len(text) <= _LINE or not isinstance(value, dict | list) or not value:
        return text
    deeper = f"{margin}  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(name)}: {pretty(each, deeper)}" for name, each in value.items()]
    else:
        parts = [pretty(each, deeper) for each in value]
    begin, end = "{}" if isinstance(value, dict) else "[]"
    return begin + ",".join(f"\n{deeper}{part}" for part in parts) + f"\n{margin}{end}"


class Transcript:
    """Writes the requests to one service as text, over several steps of a world."""

    def __init__(self) -> None:
        self._headers: dict[str, dict[str, str]] = {}
        self._seen: dict[str, int] = {}
        self._count = 0

    def written(self, exchanges: Iterable[Exchange], normal: Callable[[str], str]) -> str:
        """A paragraph a request, in the order sent, but neighbours that are sent side by side sorted.

        `normal` takes out of a body what is another each time.
        """
        return "".join(self._one(exchange, normal) for exchange in _in_order(exchanges))

    def _one(self, exchange: Exchange, normal: Callable[[str], str]) -> str:
        self._count += 1
        status = "connection lost" if exchange.status is None else exchange.status
        lines = [f"[{self._count}] {exchange.method} {exchange.target} -> {status}"]
        headers = {
            name: value
            for name, value in sorted(exchange.headers.items())
            if name not in _OF_THE_CONNECTION and not name.startswith(_OF_THE_SDK)
        }
        before = self._headers.get(exchange.method, {})
        lines += [f"    {name}: {value}" for name, value in headers.items() if before.get(name) != value]
        lines += [f"    without {name}" for name in before if name not in headers]
        self._headers[exchange.method] = headers
        if exchange.body:
            lines += [f"    {line}" for line in self._body(normal(exchange.body.decode())).splitlines()]
        return "\n".join(lines) + "\n"

    def _body(self, body: str) -> str:
        try:
            value = json.loads(body)
        except ValueError:
            return body
        return pretty({name: self._readable(each) for name, each in value.items()})

    def _readable(self, value: Any) -> Any:
        text = value if isinstance(value, str) else json.dumps(value)
        if len(text) > _LONG and isinstance(value, str | dict):
            first = self._seen.setdefault(text, self._count)
            if first < self._count:
                return f"<as in [{first}]>"
        match value:
            case str() if "\n" in value:
                return {"lines": value.split("\n")}
            case dict():
                return {name: self._readable(each) for name, each in value.items()}
            case list():
                return [self._readable(each) for each in value]
        return value


def _in_order(exchanges: Iterable[Exchange]) -> Iterator[Exchange]:
    """As sent, but reads of the same path that follow each other sorted: the program sends two at a time."""
    group: list[Exchange] = []
    for exchange in exchanges:
        if group and _kind(group[-1]) != _kind(exchange):
            yield from sorted(group, key=lambda one: (len(one.target), one.target))
            group = []
        group.append(exchange)
    yield from sorted(group, key=lambda one: (len(one.target), one.target))


def _kind(exchange: Exchange) -> object:
    path = exchange.target.partition("?")[0]
    return path if exchange.method == "GET" and path.endswith("/credit") else id(exchange)
