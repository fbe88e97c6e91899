"""Do a run for the caller of the command line: in a watched thread, ended by signals, with notifications after it."""

from __future__ import annotations

import asyncio
import gc
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from kometa_ai.jobs.after_changes import tell_or_end
from kometa_ai.jobs.running import new_run_id, run_and_report
from kometa_ai.jobs.stopping import ending_in_order
from kometa_ai.jobs.supervision import Supervised
from kometa_ai.jobs.undo import undo as take_back
from kometa_ai.notification import dispatch as notification
from kometa_ai.notification.background import finish
from kometa_ai.run.failure import RunHangs, report_of_failure
from kometa_ai.run.scope import check_again
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime
    from pathlib import Path

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.jobs.session import Session
    from kometa_ai.jobs.undo import Undone
    from kometa_ai.run.options import Observer, Options
    from kometa_ai.run.parts import Parts
    from kometa_ai.settings.schema import Settings

_PATIENCE, _SHORT = 120.0, 1.0
"""Seconds that the program stays for a report that is still on its way, and when it was told to end."""

_log = structlog.get_logger()
_T = TypeVar("_T")


async def run(
    session: Session, options: Options, observer: Observer, next_run: Callable[[], datetime | None]
) -> tuple[RunReport, bool]:
    """Do one run, and return its report and whether a signal has told the program to end.

    Raise FixUsage for options that cannot be followed. A run that hangs has a report that says so.
    """
    run_id, started = new_run_id(session.now()), session.now()
    job = _supervised(session.settings)

    async def notify(report: RunReport) -> list[Problem]:
        return await notification.notify(report, session.settings, unattended=False)

    async def do(parts: Parts) -> RunReport:
        check_again(options.ask_again, parts.store.memory)
        return await run_and_report(parts, session.rules, options, notify=notify, next_run=next_run(), run_id=run_id)

    async def work() -> RunReport:
        # Everything that reads a file may hang, and so it is done in the run's thread.
        session.check_names(options.collections)
        report, _ = await session.perform(do, job, observer=observer, load=_load_for_good)
        return report

    def failed(error: RunHangs) -> RunReport:
        _log.error("run.hangs", run_id=run_id, why=error.message, remedy=error.remedy)
        return report_of_failure(
            run_id, error, started=started, finished=session.now(), dry_run=options.dry_run, signal=job.why
        )

    return await _watched(job, work, failed)


async def undo(session: Session, run_id: str, *, dry_run: bool) -> Undone:
    """Take a run's tag changes back."""
    with session.lock() as store:
        async with session.open_parts(store, None) as parts:
            return await take_back(parts, run_id, dry_run=dry_run)


def tell(names: Sequence[str], settings: Settings, *, is_ending: bool = False) -> int:
    """Tell of changed collections, and wait for reports on their way; return the exit code of a signal that ends that.

    Not while the state is locked, since it may take as long as a run of Kometa.
    """
    seconds = _SHORT if is_ending else _PATIENCE
    return asyncio.run(tell_or_end(() if is_ending else names, settings, then=partial(_finish, seconds)))


async def _watched(
    job: Supervised, work: Callable[[], Coroutine[Any, Any, _T]], failed: Callable[[RunHangs], _T]
) -> tuple[_T, bool]:
    """Do the work in a thread of its own; signals ask for its end. Also return whether one came."""
    with ending_in_order(lambda number: job.interrupt(number.name)):
        try:
            result = await job.watch("run", work)
        except RunHangs as error:
            result = failed(error)
        return result, bool(job.why)


def _supervised(settings: Settings) -> Supervised:
    return Supervised(settings.run_timeout.total_seconds() if settings.run_timeout is not None else None)


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
