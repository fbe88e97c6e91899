"""Pins: all that people have made, by where they were made, each to release; and those that stand in the blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

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
    done: Annotated[str, Query(max_length=20)] = "",
    ask: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """The pins of one origin, of one collection, or all."""
    return await _shown(request, daemon, origin, collection, number, done=done, ask=ask)


@router.post("/pins/release")
async def release(request: Request, daemon: TheDaemon) -> Response:
    """Release the pins that a form names."""
    form = await form_of(request)
    origin, collection = _origin_in(form.text("origin")), _collection_in(form.text("collection"))
    named = form.all("pin")
    if not named:
        return see(request, "/pins", origin=origin, collection=collection, done="none")
    try:
        await daemon.choosing.release_all(frozenset(map(pair_in, named)))
    except KometaAIError as error:
        return await _shown(request, daemon, origin, collection, 1, error=error)
    return see(request, "/pins", origin=origin, collection=collection, done="one" if len(named) == 1 else "some")


@router.post("/pins/release-all")
async def release_all(request: Request, daemon: TheDaemon) -> Response:
    """Release all pins of an origin or a collection, if they are as many as was shown."""
    form = await form_of(request)
    origin, collection = _origin_in(form.text("origin")), _collection_in(form.text("collection"))
    try:
        rows = (await daemon.choosing.pinned()).of(origin, collection)
        pairs = frozenset((row.key, row.slug) for row in rows if row.key is not None and row.origin != BLOCK)
        if len(pairs) != form.number("count"):
            raise Miscounted(f"Nothing was released: the list has {len(pairs):,} pins by now.", "Look at them again.")
        await daemon.choosing.release_all(pairs)
    except KometaAIError as error:
        return await _shown(request, daemon, origin, collection, 1, error=error)
    return see(request, "/pins", done="some")


def _origin_in(text: str) -> str:
    return text if text in ORIGINS else ""


def _collection_in(text: str) -> str:
    return text if re.fullmatch(COLLECTION, text) else ""


async def _shown(
    request: Request,
    daemon: Daemon,
    origin: str,
    collection: str,
    number: int,
    *,
    done: str = "",
    ask: str = "",
    error: KometaAIError | None = None,
) -> Response:
    found = await daemon.choosing.pinned()
    rows = found.of(_origin_in(origin), collection)
    start = (number - 1) * SIZE
    return await page(
        request,
        "pins.jinja",
        status=200 if error is None else 409 if isinstance(error, Miscounted) else status_of(error),
        found=found,
        rows=rows[start : start + SIZE],
        total=len(rows),
        releasable=sum(row.origin != BLOCK for row in rows),
        origins=ORIGINS,
        origin=_origin_in(origin),
        collection=collection,
        number=number,
        size=SIZE,
        done=done,
        ask=ask,
        error=error,
    )
