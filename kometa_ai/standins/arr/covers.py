"""Stand in for MediaCoverController, which both programs have: it answers with the files of an item's cover folder.

The folder has the number of the item's row. Each poster is there in full and, by its height, in two smaller sizes; a
smaller one that is missing or empty is answered with the full one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from kometa_ai.standins.arr.errors import FrameworkError
from kometa_ai.standins.arr.http import V3, problem_details, route
from kometa_ai.standins.arr.posters import draw_poster

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from kometa_ai.standins.arr.store import Store

_FULL = 750
_HEIGHTS = {"poster.jpg": _FULL, "poster-500.jpg": 500, "poster-250.jpg": 250}
_NAME = re.compile(r"\A.+\.(jpg|png|gif)")
_RESIZED = re.compile(r"-\d+\.jpg$")
_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
_DRAWN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CoverFile:
    """A file of a cover folder, and when it was written."""

    body: bytes
    written: datetime = _DRAWN


class Covers:
    """The cover folders of a library. Every item has a poster, drawn for it, until a test changes its files.

    Methods name items by their number at the metadata's site, and files as the program does: `poster-250.jpg`.
    """

    def __init__(self, store: Store[Any, Any]) -> None:
        self._store = store
        self._changed: dict[tuple[int, str], CoverFile | None] = {}

    def routes(self) -> list[Route]:
        """Path and action."""
        return [route("GET", f"{V3}/MediaCover/{{id}}/{{name}}", self._get)]

    def put(self, number: int, body: bytes, name: str = "poster-250.jpg", *, written: datetime = _DRAWN) -> None:
        """Put a file into an item's folder."""
        self._changed[number, name] = CoverFile(body, written)

    def remove(self, number: int, *names: str) -> None:
        """Remove files from an item's folder, or all that it has."""
        for name in names or _HEIGHTS:
            self._changed[number, name] = None

    async def _get(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not request.path_params["id"].isdecimal() or not _NAME.match(name):
            raise HTTPException(404)
        found = self._file(int(request.path_params["id"]), name)
        if found is None:
            # Not raised: the error pipeline is outside, and would take the headers away.
            return await problem_details(request, FrameworkError(404))
        headers = {"Last-Modified": format_datetime(found.written, usegmt=True)}
        if _is_unchanged(found, request.headers.get("If-Modified-Since")):
            return Response(status_code=304, headers=headers)
        return Response(found.body, headers=headers, media_type=_TYPES[name.rpartition(".")[2]])

    def _file(self, item_id: int, name: str) -> CoverFile | None:
        row = self._store.row(item_id)
        if row is None:
            return None
        number = self._store.number(row)
        found = self._kept(number, name)
        full = _RESIZED.sub(".jpg", name)
        if (found is None or not found.body) and full != name:
            return self._kept(number, full)
        return found if found and found.body else None

    def _kept(self, number: int, name: str) -> CoverFile | None:
        if (number, name) in self._changed:
            return self._changed[number, name]
        return CoverFile(draw_poster(number, _HEIGHTS[name])) if name in _HEIGHTS else None


def _is_unchanged(found: CoverFile, since: str | None) -> bool:
    """Whether it was not written after that moment; one that is no date, or is to come, says nothing."""
    try:
        moment = parsedate_to_datetime(since or "")
    except ValueError:
        return False
    return found.written.replace(microsecond=0) <= moment <= datetime.now(UTC)
