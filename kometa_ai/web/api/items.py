"""Answer about movies and shows: search them, and read one with its place in every collection, from the index."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import HTTPException, Query, Response

from kometa_ai.daemon.listing import ItemPage, ListedItem
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.explain import Explained
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.collections import NO_INDEX, SearchedText
from kometa_ai.web.api.routing import (
    NamedItem,
    Routes,
    TheDaemon,
    ThePage,
    documented_list,
    failing,
    key_of,
    listed,
    router_of,
)

if TYPE_CHECKING:
    from kometa_ai.daemon.index import Index

_UNKNOWN = failing({404: "There is no such movie or show"})

Fresh = Annotated[bool, Query(description="Read its library now, and explain it as the next run would.")]

router = router_of("/movies", "movies")
ROUTES = Routes(router, (ListedItem, ItemPage, Explained))


@router.get("", responses={200: documented_list(ListedItem), **NO_INDEX})
async def search(daemon: TheDaemon, page: ThePage, q: SearchedText = "") -> Response:
    """The movies and shows of the libraries in order of their titles; with `q` those that it names or that have it."""

    def look(index: Index) -> Response:
        found = index.search(q, start=page.start, size=page.size)
        return listed(found.items, total=found.total, page=page, as_of=index.as_of)

    return await daemon.indexer.ask(look)


@router.get("/{key}", responses={200: documented(ItemPage, Explained), **_UNKNOWN, **NO_INDEX})
async def read_item(
    daemon: TheDaemon,
    key: NamedItem,
    fresh: Fresh = False,  # noqa: FBT002 - as FastAPI reads it
) -> Response:
    """A movie or show, its place in each collection, and its changes; with `fresh` explained as its library has it."""
    item = key_of(key)
    if fresh:
        try:
            return json_answer(await daemon.explain(item))
        except FixUsage as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, error.message) from error
    found = await daemon.indexer.ask(lambda index: index.item(item))
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no movie or show {item!r}.")
    return json_answer(found)
