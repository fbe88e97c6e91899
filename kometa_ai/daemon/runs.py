"""The runs of a daemon, one at a time, each in a thread of its own, whoever asked for them."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from structlog.contextvars import bind_contextvars

from kometa_ai.__version__ import __version__
from kometa_ai.app import now, open_parts, rules_of
from kometa_ai.classifier.claude import Claude
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Outcome, RunReport
from kometa_ai.daemon.aside import aside
from kometa_ai.daemon.ending import end_run
from kometa_ai.daemon.progress import Progress
from kometa_ai.errors import CheckClaude, CheckRadarr, KometaAIError, RepairState, ReportDefect, WaitForOtherRun
from kometa_ai.notification import dispatch as notification
from kometa_ai.observe.logs import log_unexpected
from kometa_ai.observe.redact import Redactor
from kometa_ai.run import history
from kometa_ai.run.service import log_problems, new_run_id, run_and_report
from kometa_ai.settings.describe import secrets_of
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from kometa_ai.run.options import Options
    from kometa_ai.run.session import Parts
    from kometa_ai.settings.schema import Settings


class Ended(NamedTuple):
    """A run that has ended: its report, how often each kind of call had which outcome, and how long those took.

    `request_seconds` are of single requests to Claude, `batch_seconds` of batches.
    """

    report: RunReport
    radarr_calls: Counter[tuple[str, str]]
    claude_calls: Counter[str]
    request_seconds: Sequence[float] = ()
    batch_seconds: Sequence[float] = ()


class Runs:
    """Starts runs and knows the one that is on.

    `tell` is called in the loop with each run that has ended; `next_run` says what a report tells of the next one.
    """

    def __init__(
        self, settings: Settings, *, tell: Callable[[Ended], None], next_run: Callable[[], datetime | None]
    ) -> None:
        self._settings = settings
        self._redact = Redactor(secrets_of(settings)).text
        self._tell = tell
        self._next_run = next_run
        self._job: _Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False
        self.last: RunReport | None = None

    @property
    def current(self) -> Progress | None:
        """The run that is on."""
        return self._job.progress if self._job else None

    async def start(self, options: Options, trigger: str) -> str:
        """Start a run and return its id as soon as it holds the lock of the state folder.

        Raise WaitForOtherRun where a run is on, here or in another process, and RepairState where there is no lock.
        """
        if self._is_closed:
            raise WaitForOtherRun("The program is ending.", "Start the run when it is there again.")
        if self._job is not None:
            raise WaitForOtherRun(
                f"The run {self._job.progress.run_id} is in progress.", "Wait until it has ended, or stop it."
            )
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._job = _Job(Progress(new_run_id(now()), trigger, options), options)
        self._idle.clear()
        self._task = asyncio.create_task(self._do(self._job, begun))
        run_id = self._job.progress.run_id
        await begun
        return run_id

    def close(self, why: str) -> None:
        """Start no run any more, and end the one that is on: what it has learned is kept."""
        self._is_closed = True
        if self._job is not None:
            self._job.interrupt(why)

    async def ended(self) -> None:
        """Wait until no run is on."""
        await self._idle.wait()

    async def _do(self, job: _Job, begun: asyncio.Future[None]) -> None:
        bind_contextvars(run_id=job.progress.run_id)  # in this task and the run's thread only
        loop = asyncio.get_running_loop()

        def begin() -> None:
            if not begun.done():
                begun.set_result(None)

        try:
            ended = await aside("run", lambda: self._work(job, lambda: loop.call_soon_threadsafe(begin)))
        except Exception as error:  # noqa: BLE001 - see below
            # Whoever starts the run hears that there is no lock; anything else is not foreseen.
            if begun.done():
                log_unexpected("run.failed", error)
            else:
                begun.set_exception(error)
        else:
            self.last = ended.report
            self._tell(ended)
        finally:
            begun.cancel()
            self._job = None
            self._idle.set()

    # In the run's thread

    async def _work(self, job: _Job, begin: Callable[[], object]) -> Ended:
        with StateLock(self._settings.state_dir):
            begin()
            radarr: Counter[tuple[str, str]] = Counter()
            claude: Claude | None = None
            try:
                # Always from the disk: another process may have learned something since the last run.
                store = Store.load(self._settings.state_dir)
                async with open_parts(self._settings, store, job.progress) as parts:
                    radarr = parts.radarr.calls
                    claude = parts.provider if isinstance(parts.provider, Claude) else None
                    report = await self._run(job, parts)
            except Exception as error:  # noqa: BLE001 - see below
                # The daemon outlives whatever happens to a run, and whoever waits for a report gets one.
                report = await self._failed(job, error)
            if claude is None:
                return Ended(report, radarr, Counter())
            return Ended(report, radarr, claude.calls, claude.seconds, tuple(claude.batch_seconds.values()))

    async def _run(self, job: _Job, parts: Parts) -> RunReport:
        run = asyncio.create_task(
            run_and_report(
                parts,
                rules_of(self._settings),
                job.options,
                notify=partial(self._notify, job),
                next_run=self._next_run(),
                run_id=job.progress.run_id,
            )
        )
        if self._settings.run_timeout is not None:
            seconds = self._settings.run_timeout.total_seconds()
            asyncio.get_running_loop().call_later(seconds, parts.interruption.time_out)
        loop = asyncio.get_running_loop()
        job.attach(lambda why: loop.call_soon_threadsafe(end_run, parts.interruption, run, why))
        return await run

    async def _notify(self, job: _Job, report: RunReport) -> list[Problem]:
        return await notification.notify(report, self._settings, unattended=job.options.unattended)

    async def _failed(self, job: _Job, error: Exception) -> RunReport:
        """The report of a run that could not make one."""
        known = error if isinstance(error, KometaAIError) else ReportDefect(log_unexpected("run.failed", error))
        report = RunReport(
            run_id=job.progress.run_id,
            version=__version__,
            started=job.progress.started,
            finished=now(),
            dry_run=job.options.dry_run,
            outcome=_outcome(error),
            exit_code=known.exit_code,
            problems=(Problem(what=self._redact(known.message), remedy=self._redact(known.remedy)),),
            next_run=self._next_run(),
        )
        with suppress(RepairState):
            history.keep(self._settings.state_dir, report)
        if not report.dry_run:
            await self._notify(job, report)
        log_problems(report)
        return report


def _outcome(error: Exception) -> Outcome:
    match error:
        case RepairState():
            return "state unusable"
        case CheckRadarr():
            return "radarr unusable"
        case CheckClaude():
            return "claude unusable"
        case KometaAIError():
            return "wrong configuration"
    return "problems"


class _Job:
    """A run as the daemon's thread sees it; its end may be asked for before it has anything to end."""

    def __init__(self, progress: Progress, options: Options) -> None:
        self.progress = progress
        self.options = options
        self._guard = threading.Lock()
        self._why = ""
        self._end: Callable[[str], object] | None = None

    def interrupt(self, why: str) -> None:
        with self._guard:
            first, self._why = not self._why, self._why or why
            if first and self._end is not None:
                # Its loop may just have closed: then it has ended by itself.
                with suppress(RuntimeError):
                    self._end(why)

    def attach(self, end: Callable[[str], object]) -> None:
        with self._guard:
            self._end = end
            if self._why:
                end(self._why)
