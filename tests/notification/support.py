"""Reports, messages and settings for the tests of notifications."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kometa_ai.core.item import show_key
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import CollectionReport, LibraryLine, MovieLine, RunReport
from kometa_ai.notification.message import Message
from kometa_ai.settings.schema import Beside, Settings
from kometa_ai.standins.serving import serve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kometa_ai.network.environment import Network
    from kometa_ai.standins.mailbox import Mailbox

STARTED = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
HELLO = Message(subject="Kometa-AI: 3 added in „Film noir“", text="Été\n", html="<p>Été</p>")
TROUBLE = Problem(source="Claude", what="The answer was torn.", remedy="The next run asks again.", at=STARTED)


def movies(*titles: str) -> tuple[MovieLine, ...]:
    """Movies of 1995."""
    return tuple(MovieLine(title=title, year=1995, tmdb_id=number) for number, title in enumerate(titles, 1))


def waiting(*titles: str, until: datetime | None = None) -> tuple[MovieLine, ...]:
    """Movies of 1995 whose changes wait for a person until the ninth of March."""
    until = until or datetime(2026, 3, 9, 3, tzinfo=UTC)
    return tuple(msgspec.structs.replace(line, until=until, reason="0.65 so it is") for line in movies(*titles))


def shows(*titles: str) -> tuple[MovieLine, ...]:
    """Shows of 2008."""
    return tuple(MovieLine(title=title, year=2008, key=show_key(number)) for number, title in enumerate(titles, 1))


def libraries(*, down: str = "") -> tuple[LibraryLine, ...]:
    """Two Radarrs and a Sonarr; the one named `down` could not be used."""
    lines = (
        LibraryLine(name="radarr", title="Radarr", kind="movie", items=301),
        LibraryLine(name="radarr-4k", title="Radarr 4K", kind="movie", items=120),
        LibraryLine(name="sonarr", title="Sonarr", kind="show", items=119),
    )
    away: dict[str, Any] = {"items": 0, "error": "It does not answer."}
    return tuple(msgspec.structs.replace(line, **away) if line.name == down else line for line in lines)


def collection(name: str = "Heist Movies", **fields: Any) -> CollectionReport:
    """A collection of 43 movies to which nothing happened, unless said otherwise."""
    usual: dict[str, Any] = {"name": name, "slug": name, "tag": "kai-heist-movies", "members": 43}
    return CollectionReport(**usual | fields)


def report(**fields: Any) -> RunReport:
    """A run that went well and changed nothing, unless said otherwise."""
    usual: dict[str, Any] = {
        "run_id": "20260302-020000-ab12",
        "version": "1.0",
        "started": STARTED,
        "finished": STARTED + timedelta(minutes=2, seconds=23),
        "dry_run": False,
        "outcome": "ok",
        "exit_code": 0,
    }
    return RunReport(**usual | fields)


def settings_for(
    box: Mailbox, recipients: Iterable[str] = ("ann@example.org",), *, network: Network | None = None, **fields: Any
) -> Settings:
    """Settings that send to this mail server."""
    usual: dict[str, Any] = {
        "smtp_server": box.host,
        "smtp_port": box.port,
        "smtp_from": "Kometa-AI <kometa-ai@example.org>",
        "notification_recipients": tuple(recipients),
    }
    return Settings.model_validate(usual | fields, context=Beside(network) if network else None)


class Hooks:
    """An HTTP server that takes whatever is posted to it, as push services and webhooks do, while its context is open.

    A path with `slow` in it answers late; those in `refusing` are refused. `answer` is given in place of all that:
    a status and a body.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.refusing: set[str] = set()
        self.answer: tuple[int, dict[str, Any]] | None = None
        self._stack = ExitStack()
        self.port = 0

    def __enter__(self) -> Self:
        app = Starlette(routes=[Route("/{path:path}", self._take, methods=["POST", "PUT"])])
        url = self._stack.enter_context(serve(app))
        self.port = int(url.rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def url(self, schema: str, path: str = "", query: str = "") -> str:
        """An address of a service that lives here."""
        return f"{schema}://127.0.0.1:{self.port}/{path}" + (f"?{query}" if query else "")

    async def _take(self, request: Request) -> Response:
        path = request.url.path.strip("/")
        if self.answer:
            return JSONResponse(self.answer[1], self.answer[0])
        if path in self.refusing:
            return JSONResponse({"error": "no"}, status_code=500)
        self.received.append((path, await request.json()))
        if "slow" in path:
            await asyncio.sleep(1)
        return JSONResponse({"id": "1"})
