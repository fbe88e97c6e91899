"""Make visitors who give wrong passwords wait, per address and, milder, in all. No visitor is ever locked out."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Pace(NamedTuple):
    """How many wrong passwords are free, the longest wait after them in seconds, and in how many one is forgotten.

    The waits are 1, 2, 4 … seconds.
    """

    free: int
    longest: float
    forgotten_in: float


PER_ADDRESS = Pace(free=5, longest=60.0, forgotten_in=600.0)
IN_ALL = Pace(free=50, longest=4.0, forgotten_in=12.0)
_ADDRESSES = 1000
_MOST_DOUBLINGS = 6
"""More wrong passwords than these make no wait longer, and need not be forgotten first."""


class _Wrong(NamedTuple):
    """How many wrong passwords are not forgotten yet, and when the latest came, in seconds."""

    wrong: float = 0.0
    latest: float = -math.inf

    def rest(self, pace: Pace, now: float) -> float:
        """Seconds until the next password is looked at."""
        over = math.ceil(self.wrong) - pace.free
        return 0.0 if over < 0 else max(0.0, self.latest + min(pace.longest, 2.0**over) - now)

    def one_more(self, pace: Pace, now: float) -> _Wrong:
        forgotten = (now - self.latest) / pace.forgotten_in
        return _Wrong(min(max(0.0, self.wrong - forgotten) + 1, pace.free + _MOST_DOUBLINGS), now)


class Waits:
    """The wrong passwords of each address and in all, in memory. A look and what follows belong in one step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of: OrderedDict[str, _Wrong] = OrderedDict()
        self._all = _Wrong()

    def rest(self, address: str, *, is_local: bool = False) -> int:
        """Whole seconds until a password from this address is looked at; 0 for at once.

        A visitor at home does not wait for others: however many guess from outside, there is a way in.
        """
        now = self._clock()
        own = self._of.get(address, _Wrong()).rest(PER_ADDRESS, now)
        return math.ceil(own if is_local else max(own, self._all.rest(IN_ALL, now)))

    def wrong(self, address: str) -> None:
        """Note a wrong password."""
        now = self._clock()
        self._of[address] = self._of.get(address, _Wrong()).one_more(PER_ADDRESS, now)
        self._of.move_to_end(address)
        while len(self._of) > _ADDRESSES:
            self._of.popitem(last=False)
        self._all = self._all.one_more(IN_ALL, now)

    def right(self, address: str) -> None:
        """Forget the wrong passwords of an address that has given the right one."""
        self._of.pop(address, None)
