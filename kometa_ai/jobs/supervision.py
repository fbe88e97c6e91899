"""Supervise a run in a thread of its own from another thread: stop it on request, abandon it when it hangs."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from kometa_ai.jobs.aside import Aside
from kometa_ai.jobs.stopping import GRACE, TELLING, WRITING, end_run, grace_of, time_out
from kometa_ai.run.failure import RunHangs

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kometa_ai.run.stopping import Interruption
    from kometa_ai.state.lock import StateLock
    from kometa_ai.state.store import Store

HANGS = 180.0
"""Seconds without a pulse from a run's thread after which it counts as hanging; reading large folders is slow."""
LEFT_BEHIND = 900.0
"""Seconds without a pulse after which the thread is abandoned."""
_EVERY = 0.2
_PULSE = 0.5
_STILL = 3.0
"""Seconds without a pulse after which a run that was asked to stop is abandoned."""

_T = TypeVar("_T")


class Supervised:
    """A run as other threads see it; a request to stop may come before the run has started."""

    def __init__(self, run_timeout: float | None) -> None:
        self._started = self._pulse = time.monotonic()
        self._run_timeout = run_timeout
        self._guard = threading.Lock()
        self._why = ""
        self._told = 0.0
        self._process_ends = False
        self._end: Callable[[], object] | None = None
        self._interruption: Interruption | None = None
        self._lock: StateLock | None = None
        self._store: Store | None = None
        self._left: Aside[Any] | None = None

    @property
    def why(self) -> str:
        """The signal that asked the run to stop, or who did; empty if none did."""
        return self._why

    @property
    def silent(self) -> float:
        """Seconds since the last pulse of the run's thread."""
        return time.monotonic() - self._pulse

    @property
    def step(self) -> str:
        """The step that the run is in."""
        return (self._interruption.step if self._interruption else "") or "Starting"

    def interrupt(self, why: str, *, process_ends: bool = True) -> None:
        """Ask the run to stop. Asking again changes nothing, unless the process is to end as well, and was not before.

        A process that goes on has time for the run's report: it is sent however long that takes.
        """
        with self._guard:
            if self._why and (self._process_ends or not process_ends):
                return
            self._why = self._why or why
            self._process_ends = process_ends
            self._told = time.monotonic()
            if self._end is not None:
                # Its loop is closed if the run has just ended by itself.
                with suppress(RuntimeError):
                    self._end()

    async def watch(self, name: str, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run the work in a thread and return its result. Raise RunHangs if the thread does not come back."""
        job = Aside(name, work)
        try:
            while not job.result.done():
                await asyncio.wait({job.result}, timeout=_EVERY)
                if not job.result.done() and self._is_overdue():
                    raise RunHangs(self.step, self.silent)
            return await job.result
        finally:
            if not job.result.done():
                job.cancel()
                self._left = job

    @property
    def is_left_behind(self) -> bool:
        """Whether the thread was abandoned and still exists."""
        return self._left is not None and self._left.is_alive

    def take_over(self) -> bool:
        """Make sure that an abandoned run writes nothing any more, and release its lock.

        Return False if it hangs in the middle of a write to the state: then it has to keep the lock.
        """
        if self._interruption is not None:
            self._interruption.is_left_behind = True
        lock, store = self._lock, self._store  # the run may let go of them at any time
        if lock is None or store is None or not store.fence():
            return False
        lock.release()
        return True

    # In the run's thread

    def holds(self, lock: StateLock, store: Store) -> None:
        """Note the lock and the state that the run has taken."""
        self._lock, self._store = lock, store

    def lets_go(self) -> None:
        """Forget the lock and the state: the run has ended by itself, and the state is large."""
        self._lock = self._store = None

    def attach(self, interruption: Interruption, run: asyncio.Task[Any]) -> asyncio.Task[None]:
        """Note that the run has started; return the task that gives its pulse, for the caller to cancel at the end."""
        loop = asyncio.get_running_loop()
        with self._guard:
            self._interruption = interruption
            self._end = lambda: loop.call_soon_threadsafe(
                partial(end_run, interruption, run, self._why, process_ends=self._process_ends)
            )
            if self._why:
                self._end()
        if self._run_timeout is not None:
            left = max(0.0, self._started + self._run_timeout - time.monotonic())
            loop.call_later(left, time_out, interruption, run, self._run_timeout)
        return loop.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            self._pulse = time.monotonic()
            await asyncio.sleep(_PULSE)

    # Elsewhere

    def _is_overdue(self) -> bool:
        now, found = time.monotonic(), self._interruption
        is_still = self.silent > _STILL
        if self._told and (self._process_ends or found is None or not found.is_reporting):
            is_busy = found is not None and found.is_busy
            limit = GRACE + TELLING + 0.6 if is_busy or not is_still else _STILL + 0.6
            if now - self._told > limit:
                return True
        if self._run_timeout is not None:
            over = now - self._started - self._run_timeout
            is_writing = found is not None and found.is_writing
            limit = _STILL if is_still and not is_writing else grace_of(self._run_timeout) + WRITING + 2 * _STILL
            if over > limit:
                return True
        return self.silent > LEFT_BEHIND
