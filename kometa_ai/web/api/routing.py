"""Share among routes: the daemon, the key, the answers that many have, and lists in pages."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from pydantic import BeforeValidator

from kometa_ai.core.item import ItemKey
from kometa_ai.core.picture import Height
from kometa_ai.core.text import one_line
from kometa_ai.daemon.life import Daemon
from kometa_ai.web.answers import DOCUMENTED_KEY, KEY_NEEDED, FailedModel, json_answer, reference_to

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from fastapi import Response

    from kometa_ai.core.report import RunReport
    from kometa_ai.web.visitors import Visitor

LARGEST_PAGE = 500
MOST_ITEMS = 500
"""The most movies, shows or answers that one request may name."""
_PAGE = 60
_LAST_PAGE = 1_000_000

_Item = TypeVar("_Item")


class Routes(NamedTuple):
    """The routes of one module, and the structs that its answers are made of, for the OpenAPI document."""

    router: APIRouter
    structs: tuple[type[msgspec.Struct], ...] = ()


def router_of(path: str, tag: str, *dependencies: Any) -> APIRouter:  # noqa: ANN401 - as FastAPI types them
    """A router below /api/v1 whose routes need the key."""
    return APIRouter(
        prefix=f"/api/v1{path}", tags=[tag], dependencies=[*DOCUMENTED_KEY, *dependencies], responses=KEY_NEEDED
    )


def failing(answers: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Describe answers that say what is wrong, each with its reason, in the OpenAPI document."""
    return {status: {"model": FailedModel, "description": why} for status, why in answers.items()}


def _daemon(request: Request) -> Daemon:
    daemon: Daemon = request.app.state.daemon
    return daemon


TheDaemon = Annotated[Daemon, Depends(_daemon)]


NamedItem = Annotated[
    str,
    Path(
        pattern=r"^((movie|show):)?[1-9][0-9]{0,9}$",
        description="A movie by its TMDb id (`603` or `movie:603`), a show by its TVDb id (`show:81189`).",
    ),
]


def key_of(named: str) -> ItemKey:
    """The key of an item that a path names; a number alone is a movie's."""
    return ItemKey(named if ":" in named else f"movie:{named}")


def _number(text: object) -> object:
    """A query's number: a literal is compared as it is, and a query holds text."""
    return int(text) if isinstance(text, str) and re.fullmatch("[0-9]{1,4}", text) else text


PosterSize = Annotated[Height, BeforeValidator(_number), Query(description="How high it is, in pixels.")]


def name_of_sender(request: Request, given: str = "") -> str:
    """Who chooses: a visitor of the page by the name that is known of them; a program says `given` for itself."""
    visitor: Visitor | None = request.state.visitor
    return given if visitor is None or visitor.how == "key" else visitor.name


NO_SUCH_RUN = failing({404: "No such run is kept"})


async def kept_report(daemon: Daemon, run_id: str) -> RunReport:
    """The report of a run that has ended; 404 if it is not kept."""
    report = await daemon.report(run_id)
    if report is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no run {one_line(run_id, 100)!r}.")
    return report


class Page(NamedTuple):
    """Which part of a list is wanted; pages are counted from 1."""

    number: int
    size: int

    @property
    def start(self) -> int:
        """The place of its first item in the whole list."""
        return (self.number - 1) * self.size

    def of(self, whole: Sequence[_Item]) -> Sequence[_Item]:
        """The items of this page; none beyond the end."""
        return whole[self.start : self.start + self.size]


def _page(
    page: Annotated[int, Query(ge=1, le=_LAST_PAGE)] = 1, size: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = _PAGE
) -> Page:
    return Page(page, size)


ThePage = Annotated[Page, Depends(_page)]


class _Listed(msgspec.Struct, frozen=True, kw_only=True):
    items: Sequence[object]
    total: int
    page: int
    as_of: datetime | None


def listed(items: Sequence[object], *, total: int, page: Page, as_of: datetime | None) -> Response:
    """Answer with one page of a list. `as_of` is when what it tells was found out; None if nothing was yet."""
    return json_answer(_Listed(items=items, total=total, page=page.number, as_of=as_of))


def documented_list(*kinds: type[msgspec.Struct]) -> dict[str, Any]:
    """Describe one page of a list of such structs in the OpenAPI document."""
    schema = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": reference_to(*kinds)},
            "total": {"type": "integer"},
            "page": {"type": "integer"},
            "as_of": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        },
        "required": ["items", "total", "page", "as_of"],
    }
    return {"content": {"application/json": {"schema": schema}}}
