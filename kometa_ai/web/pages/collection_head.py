"""Find a collection for one of its pages, with what stands above its tabs."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from fastapi import HTTPException, Path

from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.text import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from fastapi import Request

    from kometa_ai.daemon.index import Index
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.listing import CollectionPage

Tab = Literal["movies", "threshold", "prompt", "block"]

TheKey = Annotated[str, Path(max_length=300)]
"""The key of a collection in an address: `film-noir`, or `show:christmas`."""


class Head(NamedTuple):
    """A collection, and which of its tabs is shown.

    `as_of` is when the libraries were read. `has_twin` is whether one of shows has the same name: a run of the one of
    movies, whose key is that name, is about both. `ask` is the dialog that is to stand open.
    """

    collection: CollectionPage
    tab: Tab
    as_of: datetime | None
    has_twin: bool = False
    ask: str = ""

    @property
    def path(self) -> str:
        """Where its pages are, without the URL base."""
        return path_of(self.collection.key)


def path_of(key: CollectionKey) -> str:
    """The path of a collection's first page, without the URL base."""
    return f"/collections/{key}"


async def head_of(request: Request, key: str, tab: Tab) -> Head:
    """The head of a collection's page. Raise HTTPException 404 where there is no collection of that key."""
    daemon: Daemon = request.app.state.daemon
    ask = request.query_params.get("ask", "")

    def look(index: Index) -> Head | None:
        found = index.collection(CollectionKey(key))
        if found is None:
            return None
        twin = CollectionKey(f"show:{found.slug}") if found.kind == "movie" else None
        return Head(found, tab, index.as_of, any(each.key == twin for each in index.everything), ask)

    head = await daemon.indexer.ask(look)
    if head is None:
        raise unknown(key)
    return head


def unknown(key: str) -> HTTPException:
    """The answer for a key that no collection has."""
    return HTTPException(HTTPStatus.NOT_FOUND, f"There is no collection {one_line(key, 100)!r}.")
