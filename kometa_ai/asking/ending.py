"""Note why the asking of one run has ended (money, time, a signal, an error), and end it, through `Course`."""

from __future__ import annotations

import asyncio

import msgspec


class Stopped(msgspec.Struct, frozen=True):
    """Every further request would fail like this: `error` is a CheckModel, or the failure that came so often."""

    error: Exception


class TimedOut(msgspec.Struct, frozen=True):
    """RUN_TIMEOUT is over."""


class OutOfBudget(msgspec.Struct, frozen=True):
    """A request may cost `highest_estimate`, which is more than is left of the `limit`, MAX_COST_PER_RUN."""

    highest_estimate: float
    limit: float


class Unpriced(msgspec.Struct, frozen=True):
    """These models were not asked: their prices are not known, so the limit could not be kept. Others were."""

    models: tuple[str, ...]


class Interrupted(msgspec.Struct, frozen=True):
    """A signal ended the run."""

    signal: str


class StateUnwritable(msgspec.Struct, frozen=True):
    """Verdicts cannot be kept: asking on would pay for them twice."""


class Crashed(msgspec.Struct, frozen=True):
    """An error that is raised once the requests in flight have been recorded."""

    why: str


Ending = Stopped | TimedOut | OutOfBudget | Unpriced | Interrupted | StateUnwritable | Crashed


class Course:
    """The course that the asking of one run takes, for the parts that wait for it or end it.

    `endings` has one entry for each kind of end that was met, in that order: a request in flight may meet another one.
    """

    def __init__(self) -> None:
        self.has_begun = False
        self.in_flight = 0
        self.endings: list[Ending] = []
        self._over = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be sent."""
        return self._over.is_set()

    @property
    def stopped(self) -> Exception | None:
        """The error that every further request would meet."""
        return next((ending.error for ending in self.endings if isinstance(ending, Stopped)), None)

    @property
    def may_wait(self) -> bool:
        """Whether the run may end as waiting for a batch: nothing but the limit on costs has ended the asking."""
        return all(isinstance(ending, OutOfBudget | Unpriced) for ending in self.endings)

    def end(self, ending: Ending) -> None:
        """Send nothing more, except to models that are not `Unpriced`; requests in flight are still taken."""
        before = next((known for known in self.endings if type(known) is type(ending)), None)
        match before, ending:
            case (None, _):
                self.endings.append(ending)
            case (OutOfBudget(), OutOfBudget()):
                if ending.highest_estimate > before.highest_estimate:
                    self.endings[self.endings.index(before)] = ending
            case (Unpriced(), Unpriced()):
                models = tuple(sorted({*before.models, *ending.models}))
                self.endings[self.endings.index(before)] = Unpriced(models)
        if not isinstance(ending, Unpriced):
            self._over.set()

    async def wait(self) -> None:
        """Wait until nothing more may be sent."""
        await self._over.wait()
