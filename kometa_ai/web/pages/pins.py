"""Show all pins that people have made, by where they were made, each to release; and those in the blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from fastapi import APIRouter, Query, Request, Response

from kometa_ai.daemon.choosing import Miscounted
from kometa_ai.daemon.pinned import BLOCK
from kometa_ai.errors import KometaAIError
from kometa_ai.web.answers import status_of
from kometa_ai.web.api.review import COLLECTION
from kometa_ai.web.api.routing import TheDaemon
from kometa_ai.web.pages.forms import form_of
from kometa_ai.web.pages.rendering import page, see
from kometa_ai.web.pages.tickets import pair_in

if TYPE_CHECKING:
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.pinning import Chosen
    from kometa_ai.web.pages.forms import Form

SIZE = 60
ORIGINS: dict[str, str] = {
    "review": "In review",
    "page": "On the page",
    "command line": "Command line",
    "api": "By the API",
    "hand edit": "By hand in the library",
    "undo": "By an undo",
    BLOCK: "In the blocks",
}
"""Where pins come from, as the page calls it."""

router = APIRouter(include_in_schema=False)


@router.get("/pins")
async def read(
    request: Request,
    daemon: TheDaemon,
    *,
    origin: Annotated[str, Query(max_length=20)] = "",
    collection: Annotated[str, Query(pattern=rf"^$|{COLLECTION}")] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
    done: Annotated[Literal["released", "undone", "none", ""], Query()] = "",
    count: Annotated[int, Query(alias="n", ge=0)] = 0,
    undo: Annotated[str, Query(max_length=40)] = "",
    ask: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """The pins of one origin, of one collection, or all."""
    return await _shown(request, daemon, _Part(origin, collection, number), said=_Said(done, count, undo), ask=ask)


@router.post("/pins/release")
async def release(request: Request, daemon: TheDaemon) -> Response:
    """Release the pins that a form names."""
    form = await form_of(request)
    part, named = _part_in(form), form.all("pin")
    if not named:
        return see(request, "/pins", **part.query, done="none")
    try:
        chosen = await daemon.pinning.release(map(pair_in, named))
    except KometaAIError as error:
        return await _shown(request, daemon, part, error=error)
    return see(request, "/pins", **part.query, **_told(chosen))


@router.post("/pins/release-all")
async def release_all(request: Request, daemon: TheDaemon) -> Response:
    """Release all pins of an origin or a collection, if they are as many as was shown."""
    form = await form_of(request)
    part = _part_in(form)
    try:
        rows = (await daemon.choosing.pinned()).of(part.origin, part.collection)
        pairs = frozenset((row.key, row.slug) for row in rows if row.key is not None and row.origin != BLOCK)
        if len(pairs) != form.number("count"):
            raise Miscounted(f"Nothing was released: the list has {len(pairs):,} pins by now.", "Look at them again.")
        chosen = await daemon.pinning.release(pairs)
    except KometaAIError as error:
        return await _shown(request, daemon, part, error=error)
    return see(request, "/pins", **_told(chosen))


@router.post("/pins/undo")
async def take_back(request: Request, daemon: TheDaemon) -> Response:
    """Make the pins again that were released, where no other choice has been made since."""
    form = await form_of(request)
    part = _part_in(form)
    try:
        count = await daemon.pinning.take_back(form.text("undo"))
    except KometaAIError as error:
        return await _shown(request, daemon, part, error=error)
    return see(request, "/pins", **part.query, done="undone", n=count)


class _Part(NamedTuple):
    """Which pins are shown: of one origin, of one collection, and which page of them."""

    origin: str = ""
    collection: str = ""
    number: int = 1

    @property
    def query(self) -> dict[str, str]:
        """The same as the query of an address."""
        return {"origin": self.origin, "collection": self.collection}


class _Said(NamedTuple):
    """What has just been done to how many pins; `undo` takes it back."""

    done: str = ""
    pins: int = 0
    undo: str = ""


def _told(chosen: Chosen) -> dict[str, object]:
    return {"done": "released", "n": chosen.changed, "undo": chosen.id}


def _part_in(form: Form) -> _Part:
    return _Part(_origin_in(form.text("origin")), _collection_in(form.text("collection")))


def _origin_in(text: str) -> str:
    return text if text in ORIGINS else ""


def _collection_in(text: str) -> str:
    return text if re.fullmatch(COLLECTION, text) else ""


async def _shown(
    request: Request,
    daemon: Daemon,
    part: _Part,
    *,
    said: _Said | None = None,
    ask: str = "",
    error: KometaAIError | None = None,
) -> Response:
    found, said = await daemon.choosing.pinned(), said or _Said()
    origin = _origin_in(part.origin)
    rows = found.of(origin, part.collection)
    start = (part.number - 1) * SIZE
    return await page(
        request,
        "pins.jinja",
        status=200 if error is None else 409 if isinstance(error, Miscounted) else status_of(error),
        found=found,
        rows=rows[start : start + SIZE],
        total=len(rows),
        releasable=sum(row.origin != BLOCK for row in rows),
        origins=ORIGINS,
        origin=origin,
        collection=part.collection,
        number=part.number,
        size=SIZE,
        said=said,
        can_undo=daemon.pinning.can_take_back(said.undo),
        ask=ask,
        error=error,
    )
