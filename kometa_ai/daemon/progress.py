"""Watch how far a run has come, for the API's clients."""

from __future__ import annotations

from datetime import datetime

import msgspec

from kometa_ai.app import now
from kometa_ai.core.options import Options
from kometa_ai.core.report import Kind
from kometa_ai.jobs.undo import Undo


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a run, with what is counted in it."""

    name: str
    started: datetime
    counted: str = ""
    done: int = 0
    total: int = 0


class Going(msgspec.Struct, frozen=True, kw_only=True):
    """A run in progress, at one moment.

    `cost_usd` is what it has cost so far, `max_cost_usd` what it may cost; None if there is no limit. No person waits
    for a run that is `unattended`. `status` is `running`, or `stopping` once it was asked to.
    """

    run_id: str
    trigger: str
    started: datetime
    dry_run: bool
    collections: tuple[str, ...]
    kind: Kind = "run"
    undoes: str = ""
    only_movies: int | None = None
    step: str = ""
    counted: str = ""
    done: int = 0
    total: int = 0
    cost_usd: float = 0.0
    max_cost_usd: float | None = None
    unattended: bool = False
    status: str = "running"


class Progress:
    """Watches one run. The run's thread writes and others read, so each field is replaced whole, never changed.

    `limit` is what the run may cost, in USD. `has_begun` says that it holds the lock.
    """

    def __init__(self, run_id: str, trigger: str, wanted: Options | Undo, limit: float | None = None) -> None:
        self.run_id = run_id
        self.started = now()
        self.steps: tuple[Step, ...] = ()
        self._trigger = trigger
        self._wanted = wanted
        self._limit = limit
        self._cost = 0.0
        self.has_begun = False
        self.is_stopping = False

    @property
    def going(self) -> Going:
        """How far it has come."""
        steps = self.steps
        step = steps[-1] if steps else Step(name="Starting", started=self.started)
        going = Going(
            run_id=self.run_id,
            trigger=self._trigger,
            started=self.started,
            dry_run=self._wanted.dry_run,
            collections=(),
            step=step.name,
            counted=step.counted,
            done=step.done,
            total=step.total,
            cost_usd=round(self._cost, 6),
            max_cost_usd=self._limit,
            unattended=self._wanted.unattended,
            status="stopping" if self.is_stopping else "running",
        )
        match self._wanted:
            case Undo(run_id=undoes):
                return msgspec.structs.replace(going, kind="undo", undoes=undoes)
            case Options(collections=collections, movies=movies):
                return msgspec.structs.replace(going, collections=collections, only_movies=len(movies) or None)

    def step(self, name: str) -> None:
        """See Observer."""
        self.steps = (*self.steps, Step(name=name, started=now()))

    def total(self, what: str, count: int) -> None:
        """See Observer."""
        self._replace(counted=what, total=count, done=0)

    def advance(self, what: str, count: int) -> None:
        """See Observer."""
        del what
        if self.steps:
            self._replace(done=self.steps[-1].done + count)

    def cost(self, usd: float) -> None:
        """See Observer."""
        self._cost = usd

    def _replace(self, **fields: str | int) -> None:
        *before, last = self.steps or (Step(name="Starting", started=self.started),)
        self.steps = (*before, msgspec.structs.replace(last, **fields))
