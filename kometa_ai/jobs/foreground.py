"""Do a run for the caller of the command line: in a watched thread, ended by signals, with notifications after it."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from kometa_ai.jobs.aside import LooseThreads
from kometa_ai.jobs.running import new_run_id, run_and_report
from kometa_ai.jobs.stopping import ending_in_order
from kometa_ai.jobs.supervision import Supervised
from kometa_ai.jobs.undo import Undone, UndoResult
from kometa_ai.jobs.undo import undo as take_back
from kometa_ai.notification import dispatch as notification
from kometa_ai.notification.after_changes import after_changes
from kometa_ai.notification.background import finish
from kometa_ai.run.failure import RunHangs, report_of_failure
from kometa_ai.run.scope import check_again
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime
    from pathlib import Path

    from kometa_ai.core.options import Options
    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.jobs.session import Session
    from kometa_ai.jobs.undo import Undo
    from kometa_ai.run.parts import Parts
    from kometa_ai.run.watching import Observer
    from kometa_ai.settings.schema import Settings

_PATIENCE, _SHORT = 120.0, 1.0
"""Seconds that the program stays for a report that is still on its way, and when it was told to end."""

_log = structlog.get_logger()
_T = TypeVar("_T")


class Foreground:
    """Does one run for a caller who waits; `next_run` says when the daemon runs next."""

    def __init__(self, session: Session, observer: Observer, next_run: Callable[[], datetime | None]) -> None:
        self._session = session
        self._observer = observer
        self._next_run = next_run
        self._started = session.now()
        self._run_id = new_run_id(self._started)
        limit = session.settings.run_timeout
        self._job = Supervised(limit.total_seconds() if limit is not None else None)

    @property
    def is_ending(self) -> bool:
        """Whether a signal has told the program to end."""
        return bool(self._job.why)

    async def run(self, options: Options) -> RunReport:
        """Do one run of the library. Raise FixUsage for options that cannot be followed; a hang is a report."""

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

        return await self._watched(do, lambda: None, failed)

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
        """Do a run in a thread of its own; signals ask for its end."""

        async def work() -> _T:
            # Everything that reads a file may hang, and so it is done in the run's thread.
            before()
            result, _ = await self._session.perform(do, self._job, observer=self._observer, load=_load_for_good)
            return result

        with ending_in_order(lambda number: self._job.interrupt(number.name)):
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

    That would be a tenth of a settled run.
    """
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
