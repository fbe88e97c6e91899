"""Limit requests side by side: how many there may be, the pauses that the service asks for, and the money there is."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

import msgspec

from kometa_ai.observe import process
from kometa_ai.providers.port import RETRIED, Failure, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kometa_ai.asking.ending import Course

FIRST_WAIT, LONGEST_WAIT, LONGEST_RETRY_AFTER = 1.5, 30.0, 300.0
SHORTEST_SHARE = 2 / 3
"""Share of each wait that is fixed; the rest is jitter."""

TIGHT = 0.85
"""The part of the container's memory above which requests go one by one."""

TRIES = {Failure.RATE_LIMITED: 10, Failure.OVERLOADED: 10, Failure.SERVER_ERROR: 6, Failure.NO_CONNECTION: 6}


class Sleep(Protocol):
    """Wait for some seconds."""

    def __call__(self, seconds: float, /) -> Awaitable[None]:
        """As asyncio.sleep."""
        ...


def is_worth_another_try(failure: RequestFailed, tries: int) -> bool:
    """Whether to send a request again that has failed so many times, the last time like this."""
    return failure.failure in RETRIED and tries < TRIES[failure.failure]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be asked: requests side by side (0 = as each model has it), USD in a run (0 = no limit)."""

    concurrency: int = 0
    max_cost: float = 0.0

    def budget(self, left: float | None = None) -> Budget:
        """The money of a run; `left` is what earlier runs have left of it that this one goes on with."""
        limits = [limit for limit in (self.max_cost or None, left) if limit is not None]
        return Budget(min(limits, default=None), full=self.max_cost or None)


class Places:
    """How many requests may be in flight: fewer while the service is busy or memory is short, else up to `most`.

    Halved by every failure that others would meet too, and one more for each round of answers. Places are given in the
    order in which they were asked for, and one that becomes free is handed on.
    """

    def __init__(self, most: int, pressure: Callable[[], float] = process.pressure) -> None:
        self._most = most
        self._allowed = float(most)
        self._taken = 0
        self._pressure = pressure
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()  # its turn had come in the same moment
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._taken -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._taken < self._open():
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._taken += 1
                turn.set_result(None)

    def _open(self) -> int:
        if self._taken and self._pressure() > TIGHT:
            return 1  # rather slowly than ended by the kernel
        return int(self._allowed)

    def shrink(self) -> None:
        """The service is busy."""
        self._allowed = max(1.0, self._allowed / 2)

    def grow(self) -> None:
        """The service has answered."""
        self._allowed = min(float(self._most), self._allowed + 1 / self._allowed)
        self._admit()


class Pauses:
    """Pauses of all workers together, which the end of the asking cuts short."""

    def __init__(self, sleep: Sleep, course: Course) -> None:
        self._sleep = sleep
        self._course = course
        self._resume_at = 0.0

    def back_off(self, failure: RequestFailed, tries: int) -> float:
        """Let all workers wait, the longer the more tries there were; return for how many seconds."""
        longest = min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT)
        wait = random.uniform(longest * SHORTEST_SHARE, longest)  # noqa: S311 - no secret
        if failure.retry_after is not None:
            wait = max(wait, min(failure.retry_after, LONGEST_RETRY_AFTER))
        self.hold(wait)
        return wait

    def hold(self, seconds: float) -> None:
        """Let all workers wait that long."""
        self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    async def wait(self) -> None:
        """Wait until no pause is left, or nothing more may be sent."""
        waited = time.monotonic()
        while (until := self._resume_at) > waited and not self._course.is_over:
            await self._until_over(until - max(waited, time.monotonic()))
            waited = until

    async def _until_over(self, seconds: float) -> None:
        waits = (asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._course.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


class Budget:
    """USD reserved before a request is sent and settled after, so that requests side by side cannot overrun it.

    Without a limit nothing is counted. `full` is the limit of a run that goes on with no other.
    """

    def __init__(self, limit: float | None, *, full: float | None = None) -> None:
        self.limit = limit or 0.0
        self.full = full or self.limit
        self.is_limited = limit is not None
        self._committed = 0.0
        self._open = 0
        self._settled = asyncio.Event()

    @property
    def left(self) -> float:
        """What is neither spent nor reserved."""
        return self.limit - self._committed

    def charge(self, amount: float) -> None:
        """Count what is spent without having been reserved."""
        if self.is_limited:
            self._committed += amount

    async def reserve(self, estimate: float) -> bool:
        """Take room for the estimate and say whether there was any.

        Estimates are high: where the room is not enough, wait for requests in flight to settle for less.
        """
        if not self.is_limited:
            return True
        if not self.limit:
            return False  # a limit of 0 asks nothing, of a free model neither
        while self._committed + estimate > self.limit:
            if not self._open:
                return False
            await self._settled.wait()
        self._committed += estimate
        self._open += 1
        return True

    def settle(self, estimate: float, actual: float) -> None:
        """Put what a request really cost in the place of its reservation."""
        if self.is_limited:
            self._committed += actual - estimate
            self._open -= 1
            self._settled.set()
            self._settled = asyncio.Event()
