"""Offer a test what both stand-ins have: the server, its log, the library's tags, what users and time do to them.

Methods name items by their number at the metadata's site (TMDb, TVDB), since that is stable; the programs' own ids
differ from it on purpose.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from kometa_ai.standins.arr.covers import Covers
from kometa_ai.standins.arr.errors import FrameworkError
from kometa_ai.standins.arr.http import V3, problem_details, refuse_quietly
from kometa_ai.standins.arr.pipeline import LoggedRequest, layers
from kometa_ai.standins.arr.probes import Probes
from kometa_ai.standins.arr.product import Behaviour
from kometa_ai.standins.arr.store import Row, Store
from kometa_ai.standins.arr.tags import Tags
from kometa_ai.standins.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.routing import BaseRoute

API_KEY = "0123456789abcdef0123456789abcdef"

_Row = TypeVar("_Row", bound=Row)
_Behaviour = TypeVar("_Behaviour", bound=Behaviour)


class ArrStandIn(Generic[_Row, _Behaviour]):
    """One Radarr or Sonarr. `app` is the server, `requests` its log, `behaviour` how it behaves, `faults` what fails.

    `covers` are the pictures of its items. `items` is the path of the library below /api/v3.
    """

    def __init__(self, behaviour: _Behaviour, store: Store[_Row, Any], items: str, routes: Iterable[BaseRoute]) -> None:
        self.behaviour = behaviour
        self.requests: list[LoggedRequest] = []
        self.faults = Faults()
        self._items = items
        self._store = store
        self.covers = Covers(store)
        self.app = Starlette(
            routes=[
                *Probes(behaviour).routes(),
                *Tags(store, behaviour).routes(),
                *self.covers.routes(),
                *routes,
            ],
            middleware=layers(behaviour, self.requests, self.faults),
            exception_handlers={HTTPException: refuse_quietly, FrameworkError: problem_details},
        )
        self.app.router.redirect_slashes = False

    # What the library holds

    @property
    def labels(self) -> set[str]:
        """Every tag there is."""
        return set(self._store.labels().values())

    def tag_id(self, label: str) -> int:
        """The id of a tag; KeyError if there is none."""
        found = self._store.tag_id(label.lower())
        if found is None:
            raise KeyError(label)
        return found

    def labels_of(self, number: int) -> set[str]:
        """The labels of an item's tags, without ids that no longer name a tag."""
        return set(self._store.labels_of(self._row(number)))

    def members(self, label: str) -> set[int]:
        """The numbers of the items with this tag; empty if there is no such tag."""
        tag = self._store.tag_id(label.lower())
        return {self._store.number(row) for row in self._store.rows() if tag in row.tags}

    # What others do to it

    def tag_by_hand(self, number: int, label: str) -> None:
        """Add a tag as the user does; it is created if there is none."""
        row = self._row(number)
        tag = self._store.ensure_tag(label)
        self._store.update(self._store.auto_tagged(replace(row, tags=row.tags | {tag})))

    def untag_by_hand(self, number: int, label: str) -> None:
        """Remove a tag from an item as the user does."""
        row = self._row(number)
        tag = self.tag_id(label)
        self._store.update(self._store.auto_tagged(replace(row, tags=row.tags - {tag})))

    def housekeeping(self) -> None:
        """Do the daily clean-up: every unused tag is deleted."""
        self._store.housekeeping()

    def _hold(self, number: int) -> Callable[[], None]:
        """Read an item's row; calling the result saves it as it was then."""
        row = self._row(number)
        return lambda: self._store.update(row)

    # What it was asked

    @property
    def writes(self) -> list[LoggedRequest]:
        """Every request that writes."""
        return [request for request in self.requests if request.method not in {"GET", "HEAD"}]

    @property
    def editor_calls(self) -> list[LoggedRequest]:
        """The bulk edits."""
        return self._asked("PUT", f"/{self._items}/editor")

    @property
    def list_reads(self) -> list[LoggedRequest]:
        """The reads of the whole library."""
        return self._asked("GET", f"{V3}/{self._items}")

    @property
    def cover_reads(self) -> list[LoggedRequest]:
        """The reads of pictures."""
        return [request for request in self.requests if "/mediacover/" in request.path.lower()]

    def _asked(self, method: str, ending: str) -> list[LoggedRequest]:
        return [
            request
            for request in self.requests
            if request.method == method and request.path.lower().rstrip("/").endswith(ending)
        ]

    def _row(self, number: int) -> _Row:
        row = self._store.row_by_number(number)
        if row is None:
            raise KeyError(number)
        return row
