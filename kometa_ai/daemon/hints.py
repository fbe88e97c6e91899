"""Collect hints that items want a run, from the webhooks; when no more come, ask for one run for them (debounce)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from kometa_ai.core.item import kind_of, number_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.item import ItemKey

QUIET = 120.0
"""Quiet seconds before acting. Radarr sends its webhook a minute or two before it knows a movie's cast."""
LONGEST = 900.0
"""Seconds after the first hint at which to act in any case."""

_log = structlog.get_logger()


class Hints:
    """Collects hinted movies and shows. Calls `act` when hints stop coming; `act` takes them once a run can start.

    `unknown` tells which of some items nothing is known about. It is asked once for all hints that come together, and
    as late as possible: Sonarr sends an event for each file of a season, and a run may learn the show meanwhile.
    """

    def __init__(
        self,
        act: Callable[[], Awaitable[object]],
        *,
        unknown: Callable[[AbstractSet[ItemKey]], Awaitable[AbstractSet[ItemKey]]],
        quiet: float = QUIET,
        longest: float = LONGEST,
    ) -> None:
        self._act = act
        self._unknown = unknown
        self._quiet = quiet
        self._longest = longest
        self._first = self._last = 0.0
        self._items: set[ItemKey] = set()
        self._perhaps: set[ItemKey] = set()
        self._tried: set[ItemKey] = set()
        self._waiting = asyncio.Event()

    def add(self, item: ItemKey, what: str) -> None:
        """Add a hint without waiting. `what` is for the log."""
        self._note(item, what)
        self._items.add(item)
        self._waiting.set()

    def add_if_unknown(self, item: ItemKey, what: str) -> None:
        """Add a hint that counts only if nothing is known about the item, and only the first of its kind.

        Of some items nothing is ever known, because no collection asks about them; each makes one run at the most.
        """
        if item in self._items or item in self._perhaps or item in self._tried:
            return
        self._note(item, what, only_if_unknown=True)
        self._perhaps.add(item)
        self._waiting.set()

    async def take(self) -> frozenset[ItemKey]:
        """Return the items that want a run, and forget all hints so far; empty if every hint was about known items."""
        items, perhaps = frozenset(self._items), frozenset(self._perhaps)
        self._items.clear()
        self._perhaps.clear()
        self._waiting.clear()
        unknown: AbstractSet[ItemKey] = frozenset()
        # Counted as tried before the answer is there, for more files of the same season may be told of meanwhile.
        self._tried |= perhaps
        try:
            unknown = await self._unknown(perhaps) if perhaps else frozenset()
        finally:
            self._tried -= perhaps - unknown
        return items | unknown

    def give_back(self, items: frozenset[ItemKey]) -> None:
        """Add items again for which no run could start yet."""
        self._items |= items
        self._waiting.set()

    async def live(self) -> None:
        """Act on hints, for ever."""
        while True:
            await self._waiting.wait()
            await self._quiet_period()
            await self._act()

    def _note(self, item: ItemKey, what: str, **more: object) -> None:
        self._last = time.monotonic()
        if not (self._items or self._perhaps):
            self._first = self._last
        named = {"tmdb_id": number_of(item)} if kind_of(item) == "movie" else {}
        _log.info("hint.taken", what=what, key=item, **named, **more)

    async def _quiet_period(self) -> None:
        # The end moves with each hint.
        while (left := min(self._last + self._quiet, self._first + self._longest) - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)
