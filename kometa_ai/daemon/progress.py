"""How far a run has come, for whoever looks at it while it runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.app import now

if TYPE_CHECKING:
    from kometa_ai.run.options import Options


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a run, with what is counted in it."""

    name: str
    started: datetime
    counted: str = ""
    done: int = 0
    total: int = 0


class Going(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is on, as it was at one moment."""

    run_id: str
    trigger: str
    started: datetime
    dry_run: bool
    collections: tuple[str, ...]
    only_movies: int | None = None
    step: str = ""
    counted: str = ""
    done: int = 0
    total: int = 0
    status: str = "running"


class Progress:
    """Watches one run. The run's thread writes, others read: each field is put in its place whole, never changed."""

    def __init__(self, run_id: str, trigger: str, options: Options) -> None:
        self.run_id = run_id
        self.started = now()
        self.steps: tuple[Step, ...] = ()
        self._trigger = trigger
        self._options = options

    @property
    def going(self) -> Going:
        """How far it has come."""
        steps = self.steps
        step = steps[-1] if steps else Step(name="Starting", started=self.started)
        return Going(
            run_id=self.run_id,
            trigger=self._trigger,
            started=self.started,
            dry_run=self._options.dry_run,
            collections=self._options.collections,
            only_movies=len(self._options.movies) or None,
            step=step.name,
            counted=step.counted,
            done=step.done,
            total=step.total,
        )

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

    def _replace(self, **fields: str | int) -> None:
        *before, last = self.steps or (Step(name="Starting", started=self.started),)
        self.steps = (*before, msgspec.structs.replace(last, **fields))
