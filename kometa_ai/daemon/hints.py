"""Hints that a run is worth while, such as Radarr's webhook: wait until they stop coming, then ask for one run."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

QUIET = 120.0
"""Seconds without another hint. Radarr tells of a movie before it knows its cast, which takes it a minute or two."""
LONGEST = 900.0
"""Seconds after the first hint, however many follow."""

_log = structlog.get_logger()


class Hints:
    """Collects hints. `act` is called once for all that came together; hints that come meanwhile make another call."""

    def __init__(self, act: Callable[[], Awaitable[object]], *, quiet: float = QUIET, longest: float = LONGEST) -> None:
        self._act = act
        self._quiet = quiet
        self._longest = longest
        self._first = self._last = 0.0
        self._waiting = asyncio.Event()

    @property
    def are_waiting(self) -> bool:
        """Whether something has been hinted at and nothing was done about it yet."""
        return self._waiting.is_set()

    def add(self, what: str) -> None:
        """Take a hint; never waits."""
        self._last = time.monotonic()
        if not self._waiting.is_set():
            self._first = self._last
            self._waiting.set()
        _log.info("hint.taken", what=what)

    async def live(self) -> None:
        """Act on hints, for ever."""
        while True:
            await self._waiting.wait()
            await self._quiet_period()
            self._waiting.clear()
            await self._act()

    async def _quiet_period(self) -> None:
        # The end moves with each hint.
        while (left := min(self._last + self._quiet, self._first + self._longest) - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)
