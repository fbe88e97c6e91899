"""Collect hints that movies want a run, such as Radarr's webhook; when no more come, ask for one run (debounce)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from kometa_ai.core.item import number_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kometa_ai.core.item import ItemKey

QUIET = 120.0
"""Quiet seconds before acting. Radarr sends its webhook a minute or two before it knows a movie's cast."""
LONGEST = 900.0
"""Seconds after the first hint at which to act in any case."""

_log = structlog.get_logger()


class Hints:
    """Collects hinted movies. Calls `act` when hints stop coming; `act` takes the movies once it can start a run."""

    def __init__(self, act: Callable[[], Awaitable[object]], *, quiet: float = QUIET, longest: float = LONGEST) -> None:
        self._act = act
        self._quiet = quiet
        self._longest = longest
        self._first = self._last = 0.0
        self._movies: set[ItemKey] = set()
        self._waiting = asyncio.Event()

    def add(self, movie: ItemKey, what: str) -> None:
        """Add a hint without waiting. `what` is for the log."""
        self._last = time.monotonic()
        if not self._movies:
            self._first = self._last
        self._movies.add(movie)
        self._waiting.set()
        _log.info("hint.taken", what=what, tmdb_id=number_of(movie))

    def take(self) -> frozenset[ItemKey]:
        """Return the movies hinted at so far, and forget them."""
        movies = frozenset(self._movies)
        self._movies.clear()
        self._waiting.clear()
        return movies

    def give_back(self, movies: frozenset[ItemKey]) -> None:
        """Add movies again for which no run could start yet."""
        self._movies |= movies
        self._waiting.set()

    async def live(self) -> None:
        """Act on hints, for ever."""
        while True:
            await self._waiting.wait()
            await self._quiet_period()
            await self._act()

    async def _quiet_period(self) -> None:
        # The end moves with each hint.
        while (left := min(self._last + self._quiet, self._first + self._longest) - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)
