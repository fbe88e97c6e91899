"""Answer about collections: list them, read one, and list its movies or shows, from the index."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Depends, HTTPException, Path, Query, Response

from kometa_ai.core.naming import CollectionKey
from kometa_ai.daemon.listing import CollectionLine, CollectionPage, ItemInCollection, ListName, SortName
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.routing import Routes, TheDaemon, ThePage, documented_list, failing, listed, router_of

if TYPE_CHECKING:
    from kometa_ai.daemon.index import Index

LONGEST_TEXT = 200
"""Characters of a text that is searched for."""

NO_INDEX = failing({503: "The state cannot be read, or the answer is still being prepared"})
_UNKNOWN = failing({404: "There is no such collection"})

router = router_of("/collections", "collections")
ROUTES = Routes(router, (CollectionLine, CollectionPage, ItemInCollection))

TheKey = Annotated[
    str, Path(pattern=r"^(show:)?[a-z0-9-]{1,250}$", description="A slug (`film-noir`), for shows `show:film-noir`.")
]
SearchedText = Annotated[
    str,
    Query(max_length=LONGEST_TEXT, description="Part of a title, or `Heat (1995)`, `tmdb:949`, `tvdb:81189`, `tt…`."),
]


@router.get("", responses={200: documented_list(CollectionLine), **NO_INDEX})
async def list_collections(daemon: TheDaemon, page: ThePage) -> Response:
    """Every collection: those that take part first, then those that are off, skipped or gone, each with why."""
    index = await daemon.indexer.index()
    found = index.list_collections()
    return listed(page.of(found), total=len(found), page=page, as_of=index.as_of)


@router.get("/{key}", responses={200: documented(CollectionPage), **_UNKNOWN, **NO_INDEX})
async def read_collection(daemon: TheDaemon, key: TheKey) -> Response:
    """One collection: its rules, its counts, and how its verdicts are spread over the confidences."""
    found = await daemon.indexer.ask(lambda index: index.collection(CollectionKey(key)))
    if found is None:
        raise _unknown(key)
    return json_answer(found)


class Wanted(NamedTuple):
    """Which list of a collection is wanted, in which order, and the text that is searched for."""

    which: ListName
    sort: SortName | None
    text: str


def _wanted(
    which: Annotated[ListName, Query(alias="list")] = "members", sort: SortName | None = None, q: SearchedText = ""
) -> Wanted:
    return Wanted(which, sort, q)


@router.get("/{key}/movies", responses={200: documented_list(ItemInCollection), **_UNKNOWN, **NO_INDEX})
async def list_items(
    daemon: TheDaemon, key: TheKey, page: ThePage, wanted: Annotated[Wanted, Depends(_wanted)]
) -> Response:
    """A list of the collection's movies or shows, each with its confidence, why it is in or out, and what it waits for.

    `entered` and `left` are the changes of the runs that are kept, the latest first; all others begin with the highest
    confidence.
    """

    def look(index: Index) -> Response:
        found = index.items_of(
            CollectionKey(key), wanted.which, sort=wanted.sort, text=wanted.text, start=page.start, size=page.size
        )
        if found is None:
            raise _unknown(key)
        return listed(found.items, total=found.total, page=page, as_of=index.as_of)

    return await daemon.indexer.ask(look)


def _unknown(key: str) -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, f"There is no collection {key!r}.")
