"""Do a run for the command line: watch its thread and signals, wait for batches, free memory, notify at the end."""

from __future__ import annotations

import asyncio
import gc
import math
import signal
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.errors import WaitForOtherRun
from kometa_ai.jobs.aside import LooseThreads
from kometa_ai.jobs.running import new_run_id, run_and_report
from kometa_ai.jobs.stopping import ending_in_order
from kometa_ai.jobs.supervision import Supervised
from kometa_ai.jobs.undo import UndoResult
from kometa_ai.jobs.undo import undo as take_back
from kometa_ai.jobs.undo_report import Undone
from kometa_ai.jobs.waiting import EVERY, Lookout
from kometa_ai.notification import dispatch as notification
from kometa_ai.notification.after_changes import after_changes
from kometa_ai.notification.background import finish
from kometa_ai.observe import process
from kometa_ai.run.failure import RunHangs, interrupted_code, report_of_failure
from kometa_ai.run.joining import joined
from kometa_ai.run.scope import check_again
from kometa_ai.run.watching import Step
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime
    from pathlib import Path

    from kometa_ai.core.options import Options
    from kometa_ai.core.report import RunReport
    from kometa_ai.jobs.session import Session
    from kometa_ai.jobs.undo import Undo
    from kometa_ai.jobs.waiting import Found
    from kometa_ai.run.parts import Parts
    from kometa_ai.run.watching import Observer
    from kometa_ai.settings.schema import Settings

_PATIENCE, _SHORT = 120.0, 1.0
"""Seconds that the program stays for a report that is still on its way, and when it was told to end."""

_log = structlog.get_logger()
_T = TypeVar("_T")
_NEW_OBJECTS = 200_000
"""After so many new objects the collector looks for cycles among them."""


class Foreground:
    """Does one run for a caller who waits; `next_run` says when the daemon runs next."""

    def __init__(
        self,
        session: Session,
        observer: Observer,
        next_run: Callable[[], datetime | None],
        *,
        looks_every: float = EVERY,
    ) -> None:
        self._session = session
        self._observer = observer
        self._next_run = next_run
        limit = session.settings.run_timeout
        self._deadline = time.monotonic() + (limit.total_seconds() if limit is not None else math.inf)
        self._lookout = Lookout(session)
        self._looks_every = looks_every
        self._signal = ""
        self._is_signaled = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        """Begin a run, with an id and a supervision of its own, in what is left of the caller's time."""
        self._started = self._session.now()
        self._run_id = new_run_id(self._started)
        left = self._deadline - time.monotonic()
        self._job = Supervised(None if math.isinf(left) else max(0.0, left))

    @property
    def is_ending(self) -> bool:
        """Whether a signal has told the program to end."""
        return bool(self._signal)

    async def run(self, options: Options) -> RunReport:
        """Do one run of the library. Raise FixUsage for options that cannot be followed; a hang is a report.

        If it hands a batch over, wait for the answers without the lock, and go on with another run: the report is that
        of all of them.
        """
        process.share_memory()
        with ending_in_order(self._end):
            reports = [await self._run_once(msgspec.structs.replace(options, caller_goes_on=True))]
            while reports[-1].outcome == "waiting" and (found := await self._found_due(reports[-1])):
                self._begin()
                try:
                    reports.append(await self._run_once(found.options))
                except WaitForOtherRun:
                    await self._pause()
                else:
                    self._lookout.note(found)
        return self._concluded(joined(reports))

    async def _found_due(self, report: RunReport) -> Found | None:
        """Wait until a run can be gone on with. None if the caller's time is over, or another run has taken over."""
        self._forget_the_run()
        self._observer.step(Step.WAITING)
        while not (self.is_ending or self._is_late):
            found = await self._lookout.look()
            if self.is_ending or found is None or found.run_id != report.run_id or found.is_stuck:
                return None
            if found.is_due:
                return found
            await self._pause()
        return None

    def _forget_the_run(self) -> None:
        """Free the memory of a run that has ended: it may be a day until the next one, which loads the state anew."""
        self._job = Supervised(None)
        gc.unfreeze()
        process.give_back()

    async def _pause(self) -> None:
        """Wait for the time of the next look, or for a signal."""
        seconds = min(self._looks_every, self._deadline - time.monotonic())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._is_signaled.wait()

    @property
    def _is_late(self) -> bool:
        return time.monotonic() >= self._deadline

    def _concluded(self, report: RunReport) -> RunReport:
        """The report as the caller gets it, if it is not waited for any longer."""
        if report.outcome != "waiting":
            return report
        if self.is_ending:
            _log.info("batch.left", run_id=report.run_id, why=self._signal)
            code = interrupted_code(self._signal)
            return msgspec.structs.replace(report, outcome="interrupted", exit_code=code)
        if self._is_late:
            _log.info("batch.left", run_id=report.run_id, why="RUN_TIMEOUT")
            over = Problem(
                source="RUN_TIMEOUT",
                what=f"The time for this run is over; {report.pending:,} questions are left for the next one.",
                remedy="Wait for it, or give runs more time.",
                at=self._session.now(),
            )
            return msgspec.structs.replace(report, outcome="problems", problems=(*report.problems, over))
        return report

    def _end(self, number: signal.Signals) -> None:
        self._signal = self._signal or number.name
        self._is_signaled.set()
        self._job.interrupt(number.name)

    async def _run_once(self, options: Options) -> RunReport:
        async def do(parts: Parts) -> RunReport:
            check_again(options.ask_again, parts.store.memory)
            return await run_and_report(
                parts,
                self._session.rules,
                options,
                notify=self._notify,
                next_run=self._next_run(),
                run_id=self._run_id,
            )

        def before() -> None:
            self._session.check_names(options.collections)

        return await self._watched(do, before, lambda error: self._failed(error, dry_run=options.dry_run))

    async def undo(self, wanted: Undo) -> UndoResult:
        """Take one run back. Raise FixUsage if there is nothing to take back."""

        async def do(parts: Parts) -> UndoResult:
            return await take_back(parts, wanted, run_id=self._run_id, notify=self._notify, next_run=self._next_run())

        def failed(error: RunHangs) -> UndoResult:
            report = self._failed(error, dry_run=wanted.dry_run, undoes=wanted.run_id)
            undone = Undone(
                run_id=wanted.run_id,
                dry_run=wanted.dry_run,
                problems=report.problems,
                undo_id=report.run_id,
                outcome=report.outcome,
                exit_code=report.exit_code,
            )
            return UndoResult(report, undone)

        with ending_in_order(self._end):
            return await self._watched(do, lambda: None, failed)

    async def aside(self, do: Callable[[Parts], Coroutine[Any, Any, _T]], before: Callable[[], None]) -> _T:
        """Do what spends and is no run, under the same lock, signals and limit of time. Raise RunHangs if it hangs."""

        def failed(error: RunHangs) -> _T:
            raise error

        process.share_memory()
        with ending_in_order(self._end):
            return await self._watched(do, before, failed)

    def tell(self, names: Sequence[str]) -> int:
        """Tell of changed collections, and wait for reports on their way; return the exit code of a signal meanwhile.

        To be called after the run, since it may take as long as a run of Kometa. A program that ends tells no one.
        """
        then = partial(_finish, _SHORT if self.is_ending else _PATIENCE)
        return asyncio.run(_tell(() if self.is_ending else names, self._session.settings, then))

    async def _notify(self, report: RunReport) -> list[Problem]:
        return await notification.notify(report, self._session.settings, unattended=False)

    async def _watched(
        self,
        do: Callable[[Parts], Coroutine[Any, Any, _T]],
        before: Callable[[], None],
        failed: Callable[[RunHangs], _T],
    ) -> _T:
        """Do a run in a thread of its own."""

        async def work() -> _T:
            # Everything that reads a file may hang, and so it is done in the run's thread.
            before()
            result, _ = await self._session.perform(do, self._job, observer=self._observer, load=_load_for_good)
            return result

        try:
            return await self._job.watch("run", work)
        except RunHangs as error:
            return failed(error)

    def _failed(self, error: RunHangs, *, dry_run: bool, undoes: str = "") -> RunReport:
        _log.error("run.hangs", run_id=self._run_id, why=error.message, remedy=error.remedy)
        return report_of_failure(
            self._run_id,
            error,
            started=self._started,
            finished=self._session.now(),
            dry_run=dry_run,
            signal=self._job.why,
            undoes=undoes,
        )


async def _tell(names: Sequence[str], settings: Settings, then: Callable[[], object]) -> int:
    """Tell of changed collections, then do `then`; return 0, or the exit code of the signal that ended it.

    The signal ends a command that still runs, with all that it has started.
    """
    loop = asyncio.get_running_loop()
    loop.set_default_executor(LooseThreads())

    async def tell() -> None:
        if names:
            await after_changes(names, settings)
        await loop.run_in_executor(None, then)

    telling = asyncio.create_task(tell())
    signals: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        signals.append(number)
        telling.cancel()

    with ending_in_order(end), suppress(asyncio.CancelledError):
        await telling
    if not signals:
        return 0
    if names:
        _log.warning("after_changes.not_told", collections=list(names), why="the program ends")
    return 128 + signals[0]


def _load_for_good(folder: Path) -> Store:
    """Load the state of a process that does one run: the collector need not look through it again and again.

    That would be a tenth of a settled run. What such a run makes is freed by counting references, so that the collector
    looks seldom for cycles, too: every 700 new objects, as is usual, would be a tenth of a first run.
    """
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
    gc.disable()
    try:
        store = Store.load(folder)
        gc.freeze()
    finally:
        gc.enable()
    return store


def _finish(seconds: float) -> None:
    """Wait for reports on their way: a mail server that scans each message takes its time."""
    if not finish(seconds):
        _log.warning("notification.left", remedy="The report is kept; it goes once more with the next run.")
