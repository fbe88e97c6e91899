"""Find a movie or show in the library, and show where it stands in every collection, why, and what became of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, HTTPException, Query, Request, Response

from kometa_ai.core.item import KINDS, ItemKey, Kind, kind_of, number_of
from kometa_ai.core.naming import CollectionKey
from kometa_ai.errors import FixUsage, KometaAIError
from kometa_ai.web.answers import status_of
from kometa_ai.web.api.routing import NamedItem, key_of
from kometa_ai.web.pages import places
from kometa_ai.web.pages.forms import form_of
from kometa_ai.web.pages.rendering import page, see, visitor_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kometa_ai.daemon.index import Index
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.listing import CollectionOfItem, ItemPage
    from kometa_ai.jobs.explain import Explained

SIZE = 60
"""Movies and shows on a page of the list."""
_PATIENCE = 3.0
"""Seconds that a choice waits for an index with it."""

_EXTERNAL = {"movie": "https://www.themoviedb.org/movie/{}", "show": "https://www.thetvdb.com/dereferrer/series/{}"}

router = APIRouter(prefix="/movies", include_in_schema=False)


class Row(NamedTuple):
    """A collection in the table of an item, with its words."""

    place: CollectionOfItem
    because: str
    said: str
    looks: str
    waits: Sequence[str]


class Shown(NamedTuple):
    """An item and everything about it. `names` are those of all collections, by their keys."""

    item: ItemPage
    rows: Sequence[Row]
    names: dict[CollectionKey, str]
    when: datetime | None


@router.get("")
async def search(
    request: Request,
    q: Annotated[str, Query(max_length=200)] = "",
    kind: Kind | None = None,
    number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
) -> Response:
    """The movies and shows of all libraries, or those that a text finds. One that is named alone is shown itself."""
    daemon: Daemon = request.app.state.daemon

    def look(index: Index) -> dict[str, Any]:
        kinds = (kind,) if kind else KINDS
        found = index.search(q, kinds=kinds, start=(number - 1) * SIZE, size=SIZE)
        counts = {each: index.search(q, kinds=(each,), size=0).total for each in KINDS}
        names = {line.key: line.name for line in index.list_collections()}
        return {"items": found.items, "total": found.total, "counts": counts, "names": names, "when": index.as_of}

    found = await daemon.indexer.ask(look)
    if found["total"] == 1 and ":" in q:
        return see(request, f"/movies/{found['items'][0].key}")
    return await page(request, "library.jinja", text=q.strip(), kind=kind, number=number, size=SIZE, **found)


@router.get("/{key}")
async def read(request: Request, key: NamedItem, done: Literal["in", "out", "release", ""] = "") -> Response:
    """A movie or show, as of the last run."""
    return await show(request, key_of(key), done=done)


@router.post("/{key}/fresh")
async def read_afresh(request: Request, key: NamedItem) -> Response:
    """The same, explained with its library read now. Nothing is changed by it."""
    daemon: Daemon = request.app.state.daemon
    try:
        explained = await daemon.explain(key_of(key))
    except KometaAIError as error:
        return await show(request, key_of(key), refused=error)
    return await show(request, key_of(key), explained=explained)


@router.post("/{key}/pins")
async def choose(request: Request, key: NamedItem) -> Response:
    """Pin the movie or show in or out of a collection, or release its pin."""
    daemon: Daemon = request.app.state.daemon
    form = await form_of(request)
    item, collection, choice = key_of(key), CollectionKey(form.text("collection")), form.text("choice")
    try:
        if choice == "release":
            found = await daemon.choosing.release(collection, item)
        elif choice in ("in", "out"):
            found = await daemon.choosing.pin(
                collection, item, include=choice == "in", by=visitor_name(request), origin="page"
            )
        else:
            raise FixUsage("Nothing was chosen.", "Use one of the buttons beside a collection.")
        if found is None:
            raise FixUsage("There is no such collection for it, or no pin any more.", "Look at the list below.")
    except KometaAIError as error:
        return await show(request, item, refused=error)
    await daemon.indexer.soon(_PATIENCE)  # so that the page that follows shows it
    return see(request, f"/movies/{item}", done=choice)


async def show(
    request: Request,
    key: ItemKey,
    *,
    done: str = "",
    refused: KometaAIError | None = None,
    explained: Explained | None = None,
) -> Response:
    """The page of a movie or show. Raise HTTPException 404 for one that is neither held nor remembered."""
    daemon: Daemon = request.app.state.daemon
    found, when = await daemon.indexer.ask(lambda index: (_shown(index, key), index.as_of))
    if found is None:
        why = "" if when else " here: no run has read a library yet"
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no movie or show {key!r}{why}.")
    return await page(
        request,
        "item.jinja",
        status=status_of(refused) if refused else HTTPStatus.OK,
        **found._asdict(),
        kind=kind_of(key),
        titles={library.name: library.title for library in daemon.settings.libraries},
        elsewhere=_EXTERNAL[kind_of(key)].format(number_of(key)),
        next_run=daemon.timetable.next_run,
        done=done,
        refused=refused,
        explained=explained,
    )


def _shown(index: Index, key: ItemKey) -> Shown | None:
    item = index.item(key)
    if item is None:
        return None
    rows = [
        Row(each, places.because(each), places.close_verdict(each), places.looks(each), places.waits(each))
        for each in item.collections
    ]
    names = {line.key: line.name for line in index.list_collections()}
    return Shown(item, sorted(rows, key=_order), names, index.as_of)


def _order(row: Row) -> tuple[bool, float, str]:
    """Those that it is in come first, then the surest."""
    return not row.place.belongs, -(row.place.confidence or 0.0), row.place.name.casefold()
