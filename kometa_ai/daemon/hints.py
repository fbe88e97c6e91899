"""Hints that movies are worth a run, such as Radarr's webhook: wait until they stop coming, then ask for one run."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kometa_ai.core.movie import TmdbId

QUIET = 120.0
"""Seconds without another hint. Radarr tells of a movie before it knows its cast, which takes it a minute or two."""
LONGEST = 900.0
"""Seconds after the first hint, however many follow."""

_log = structlog.get_logger()


class Hints:
    """Collects movies that were hinted at. `act` is called when they stop coming, and takes them when it can act."""

    def __init__(self, act: Callable[[], Awaitable[object]], *, quiet: float = QUIET, longest: float = LONGEST) -> None:
        self._act = act
        self._quiet = quiet
        self._longest = longest
        self._first = self._last = 0.0
        self._movies: set[TmdbId] = set()
        self._waiting = asyncio.Event()

    def add(self, movie: TmdbId, what: str) -> None:
        """Take a hint; never waits. `what` is for the log."""
        self._last = time.monotonic()
        if not self._movies:
            self._first = self._last
        self._movies.add(movie)
        self._waiting.set()
        _log.info("hint.taken", what=what, tmdb_id=movie)

    def take(self) -> frozenset[TmdbId]:
        """The movies hinted at so far, which then are somebody else's business."""
        movies = frozenset(self._movies)
        self._movies.clear()
        self._waiting.clear()
        return movies

    def give_back(self, movies: frozenset[TmdbId]) -> None:
        """Keep movies for which nothing could be done yet."""
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
