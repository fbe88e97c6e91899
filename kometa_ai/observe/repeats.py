"""Limit log lines that clients can cause at will: write the first, then count the others."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from weakref import WeakSet

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = 10.0
"""Seconds after the first line until the count of what followed is written."""
EVERY = 60.0
"""Seconds between counts while the event continues; after as much silence the next line is written at once."""

_log = structlog.get_logger()
_all: WeakSet[Repeats] = WeakSet()


class Repeats:
    """One event that may occur thousands of times a second. The server calls `settle_all` regularly."""

    def __init__(self, event: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._event = event
        self._clock = clock
        self._next = float("-inf")
        self._more = 0
        self._last: dict[str, object] = {}
        _all.add(self)

    def add(self, **details: object) -> None:
        """Write a line, or count it if one was written just before."""
        now = self._clock()
        if now >= self._next and not self._more:
            self._next = now + FIRST
            _log.warning(self._event, **details)
            return
        self._more += 1
        self._last = details
        self.settle()

    def settle(self, *, at_once: bool = False) -> None:
        """Write the count of the lines held back, if it is due."""
        now = self._clock()
        if self._more and (at_once or now >= self._next):
            self._next = now + EVERY
            _log.warning(self._event, **self._last, repeated=f"and {self._more:,} more")
            self._more = 0


def settle_all(*, at_once: bool = False) -> None:
    """Write the counts of all events that are due."""
    for repeats in list(_all):
        repeats.settle(at_once=at_once)
