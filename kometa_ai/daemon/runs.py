"""Start the daemon's runs, one at a time, each in a thread of its own: scheduled, hinted at or asked for by the API.

Why: docs/decisions/0011-one-process.md
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog
from structlog.contextvars import bind_contextvars

from kometa_ai.app import now
from kometa_ai.core.options import Options
from kometa_ai.daemon.beginning import Beginning
from kometa_ai.daemon.progress import Progress
from kometa_ai.errors import KometaAIError, RepairState, ReportDefect, WaitForOtherRun
from kometa_ai.jobs.aside import Patience, aside
from kometa_ai.jobs.running import log_problems, new_run_id, run_and_report, summary_of
from kometa_ai.jobs.session import Traffic
from kometa_ai.jobs.supervision import HANGS, Supervised
from kometa_ai.jobs.undo import Undo, undo
from kometa_ai.notification import dispatch as notification
from kometa_ai.observe import process
from kometa_ai.observe.logs import log_unexpected
from kometa_ai.run.failure import RunHangs, report_of_failure
from kometa_ai.state import history

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.jobs.session import Session
    from kometa_ai.run.parts import Parts
    from kometa_ai.state.schema import RunSummary

_MOST_LEFT = 3
_KEEPING = 1.0
_TELLING = 60.0
_REMEMBERED = 8
"""Runs that are told to who looks again after a moment. No more: each holds its report."""

_log = structlog.get_logger()


class Ended(NamedTuple):
    """A run that has ended: its report, and the calls it has made."""

    report: RunReport
    traffic: Traffic


class Ending(msgspec.Struct, frozen=True):
    """A run that has ended: how it went, and its report, unless it failed in a way that left none."""

    progress: Progress
    report: RunReport | None


class Runs:
    """Starts runs and knows the one in progress.

    `tell` is called in the loop with each run that has ended; `next_run` returns the time of the next one, for reports.
    `last` is the report of the run that has ended last, and `ended_since` tells of the latest ones; `failed` are runs
    that could not be written to the state. `no_lock` is why the last run could not start.
    """

    def __init__(
        self, session: Session, *, tell: Callable[[Ended], None], next_run: Callable[[], datetime | None]
    ) -> None:
        self._session = session
        self._settings = session.settings
        self._tell = tell
        self._next_run = next_run
        self._job: _Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._freeing: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False
        self._left: list[_Job] = []
        self.no_lock = ""
        self._keeping = Patience("STATE_DIR", seconds=_KEEPING)
        self.last: RunReport | None = None
        self._endings: deque[Ending] = deque(maxlen=_REMEMBERED)
        self.endings = 0
        """How many runs have ended since the program began."""
        self.failed: deque[RunSummary] = deque(maxlen=history.KEPT)
        self._triggers: deque[tuple[str, str]] = deque(maxlen=history.KEPT)

    @property
    def current(self) -> Progress | None:
        """The progress of the run that is in progress, if one is."""
        return self._job.progress if self._job else None

    def ended_since(self, count: int) -> list[Ending]:
        """The runs that have ended since `endings` was `count`, the earliest first; of many, the latest few."""
        missed = min(self.endings - count, len(self._endings))
        return list(self._endings)[len(self._endings) - missed :]

    @property
    def triggers(self) -> dict[str, str]:
        """What started which run, by their ids, since the program began."""
        return dict(self._triggers)

    @property
    def trouble(self) -> str:
        """What prevents runs: the lock cannot be had, or a run hangs; empty if nothing does."""
        job = self._job
        if job is not None and job.silent > HANGS:
            return f"The run {job.progress.run_id} hangs in the step {job.step!r} for {job.silent:.0f} seconds."
        self._left = [one for one in self._left if one.is_left_behind]
        if self._left:
            left = self._left[0].progress.run_id
            return f"The run {left} was left behind and still hangs; restart the program to be rid of it."
        return self.no_lock

    async def start(self, wanted: Options | Undo, trigger: str) -> str:
        """Start a run of the library, or an undo, and return its id as soon as it holds the lock of the state folder.

        Raise WaitForOtherRun if a run is in progress, here or elsewhere, and RepairState if the lock cannot be had.
        """
        if self._is_closed:
            raise WaitForOtherRun("The program is ending.", "Start the run when it is there again.")
        if self._job is not None:
            raise WaitForOtherRun(
                f"The run {self._job.progress.run_id} is in progress.", "Wait until it has ended, or stop it."
            )
        if len(self._left) >= _MOST_LEFT and self.trouble:
            raise RepairState(f"Runs hang again and again. {self.trouble}", "Restart the program.")
        beginning = Beginning()
        progress = Progress(new_run_id(now()), trigger, wanted, self._limit_of(wanted))
        self._job = _Job(progress, wanted, self._settings.run_timeout)
        self._triggers.append((progress.run_id, trigger))
        self._idle.clear()
        self._task = asyncio.create_task(self._do(self._job, beginning))
        run_id = self._job.progress.run_id
        await beginning.wait(f"The run {run_id}")
        return run_id

    def _limit_of(self, wanted: Options | Undo) -> float | None:
        """What a run may cost; None if there is no limit. An undo asks nothing."""
        if isinstance(wanted, Undo):
            return None
        budget = self._session.rules.limits.budget(wanted.max_cost)
        return budget.limit if budget.is_limited else None

    def stop(self, run_id: str, by: str) -> bool:
        """Ask a run to stop: what it has learned is kept, nothing more is begun. Return whether it is in progress."""
        job = self._job
        if job is None or job.progress.run_id != run_id:
            return False
        job.progress.is_stopping = True
        job.interrupt(by, process_ends=False)
        return True

    def close(self, why: str) -> None:
        """Start no further run, and ask the one in progress to stop: what it has learned is kept."""
        self._is_closed = True
        if self._job is not None:
            self._job.interrupt(why)

    async def ended(self) -> None:
        """Wait until no run is in progress."""
        await self._idle.wait()

    async def _do(self, job: _Job, beginning: Beginning) -> None:
        bind_contextvars(run_id=job.progress.run_id)  # in this task and the run's thread only
        loop = asyncio.get_running_loop()

        def begin() -> None:
            job.progress.has_begun = True
            if not beginning.is_over:
                self.no_lock = ""
            beginning.come()

        ended: Ended | None = None
        try:
            ended = await job.watch("run", lambda: self._work(job, lambda: loop.call_soon_threadsafe(begin)))
        except WaitForOtherRun as error:
            beginning.fail(error)
        except (RepairState, RunHangs) as error:
            # A run that could not start is a run with a problem, so that the operator is told.
            if isinstance(error, RunHangs):
                job.take_over()
                self._left.append(job)
            else:
                self.no_lock = error.message
            beginning.fail(error)
            ended = await self._could_not(job, error)
        except Exception as error:  # noqa: BLE001 - the daemon lives on
            if beginning.is_over:
                log_unexpected("run.failed", error)
            beginning.fail(error)
        finally:
            beginning.give_up()
            self._end(job, ended)

    def _end(self, job: _Job, ended: Ended | None) -> None:
        """Note the run that has ended, let the next one start, and free the memory that it has used."""
        if job.failure is not None:
            self.failed.append(job.failure)
        if ended is not None:
            self.last = ended.report
            self._tell(ended)
        if ended is not None or job.progress.has_begun:
            self._endings.append(Ending(job.progress, ended.report if ended is not None else None))
            self.endings += 1
        self._job = None
        self._idle.set()
        if not self._is_closed:
            self._freeing = asyncio.create_task(asyncio.to_thread(process.give_back))

    async def _could_not(self, job: _Job, error: KometaAIError) -> Ended:
        """Keep and send the report of a run that could not be done; the disk may not answer meanwhile."""
        report = self._report_of(job, error)
        log_problems(report)
        with suppress(KometaAIError):
            await self._keeping(history.keep, self._settings.state_dir, report)
        if not (report.dry_run or job.why):
            try:
                async with asyncio.timeout(_TELLING):
                    await aside("notification", lambda: self._notify(job, report))
            except Exception as failed:  # noqa: BLE001 - a run that failed must not end the daemon
                _log.warning("notification.not_sent", why=f"{type(failed).__name__}: {failed}")
        return Ended(report, Traffic())

    # In the run's thread

    async def _work(self, job: _Job, begin: Callable[[], object]) -> Ended:
        async def do(parts: Parts) -> RunReport:
            notify, next_run, run_id = partial(self._notify, job), self._next_run(), job.progress.run_id
            match job.wanted:
                case Undo():
                    return (await undo(parts, job.wanted, run_id=run_id, notify=notify, next_run=next_run)).report
                case Options():
                    rules = self._session.rules
                    return await run_and_report(
                        parts, rules, job.wanted, notify=notify, next_run=next_run, run_id=run_id
                    )

        # Whatever happens to a run, the daemon lives on, and a caller who waits gets a report.
        try:
            return Ended(
                *await self._session.perform(
                    do,
                    job,
                    observer=job.progress,
                    # A run about what was added just now is to be quick.
                    patient=job.wanted.unattended and not (isinstance(job.wanted, Options) and job.wanted.movies),
                    begin=begin,
                    recover=partial(self._failed, job),
                )
            )
        finally:
            job.lets_go()

    async def _notify(self, job: _Job, report: RunReport) -> list[Problem]:
        return await notification.notify(report, self._settings, unattended=job.wanted.unattended)

    async def _failed(self, job: _Job, error: Exception) -> RunReport:
        """Make, keep and send the report of a run that could not do so itself."""
        known = error if isinstance(error, KometaAIError) else ReportDefect(log_unexpected("run.failed", error))
        report = self._report_of(job, known)
        with suppress(RepairState):
            history.keep(self._settings.state_dir, report)
        if not report.dry_run:
            await self._notify(job, report)
        log_problems(report)
        return report

    def _report_of(self, job: _Job, error: KometaAIError) -> RunReport:
        report = report_of_failure(
            job.progress.run_id,
            error,
            started=job.progress.started,
            finished=now(),
            dry_run=job.wanted.dry_run,
            signal=job.why,
            undoes=job.wanted.run_id if isinstance(job.wanted, Undo) else "",
            next_run=self._next_run(),
            redact=self._session.redact,
        )
        job.failure = summary_of(report)
        return report


class _Job(Supervised):
    """A run of the daemon: its progress, and what was asked for."""

    def __init__(self, progress: Progress, wanted: Options | Undo, run_timeout: timedelta | None) -> None:
        super().__init__(run_timeout.total_seconds() if run_timeout is not None else None)
        self.progress = progress
        self.wanted = wanted
        self.failure: RunSummary | None = None
