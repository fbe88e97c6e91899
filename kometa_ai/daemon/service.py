"""The daemon: start up, wait for the schedule, run, wait again, until somebody ends it."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from kometa_ai.__version__ import __version__
from kometa_ai.app import now
from kometa_ai.core.summary import counted
from kometa_ai.daemon import heartbeat
from kometa_ai.daemon.hints import LONGEST, QUIET, Hints
from kometa_ai.daemon.memory import Memory
from kometa_ai.daemon.metrics import Metrics
from kometa_ai.daemon.redelivery import WAITS, Redelivery
from kometa_ai.daemon.runs import Ended, Runs
from kometa_ai.daemon.timetable import Timetable, schedule_of
from kometa_ai.daemon.watch import Watch
from kometa_ai.errors import KometaAIError, WaitForOtherRun
from kometa_ai.jobs.after_changes import APART, Teller
from kometa_ai.jobs.aside import DoesNotAnswer, Patience
from kometa_ai.jobs.running import summary_of
from kometa_ai.kometa.folder import read_folder
from kometa_ai.observe.logs import log_problem
from kometa_ai.run.options import Options
from kometa_ai.run.scope import choose
from kometa_ai.run.spending import of_month
from kometa_ai.settings.environment import load_settings
from kometa_ai.state.schema import RUNS_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from signal import Signals

    from kometa_ai.core.movie import TmdbId
    from kometa_ai.daemon.memory import Overview
    from kometa_ai.settings.schema import Settings
    from kometa_ai.state.schema import RunSummary

_READING = 60.0
"""Seconds for Kometa's folder: on a slow machine a large one takes its time."""

_log = structlog.get_logger()


class Paces(NamedTuple):
    """Seconds: how long hints wait for others, how far tellings are apart, when a held state is tried again.

    `redelivery` are the waits before reports that did not arrive are sent again.
    """

    hints_quiet: float = QUIET
    hints_longest: float = LONGEST
    changes_apart: float = APART
    retry: float = 60.0
    redelivery: Sequence[float] = WAITS


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon at a glance: flat, fit for a dashboard's widget."""

    status: str
    version: str
    started: datetime
    next_run: datetime | None
    schedule: str
    radarr: str
    claude: str
    run_id: str | None
    step: str | None
    done: int
    total: int
    last_run_id: str | None
    last_run: datetime | None
    last_outcome: str | None
    last_success: datetime | None
    last_added: int
    last_removed: int
    last_held_back: int
    last_problems: int
    last_cost_usd: float
    month_cost_usd: float
    movies: int
    collections: int
    members: int
    pending: int
    undelivered: int
    problem: str | None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the daemon itself is in order. A Radarr or Claude that is down is no reason to restart it."""

    status: str
    version: str
    state: str
    loop: str
    problem: str | None
    radarr: str
    claude: str
    running: bool
    next_run: datetime | None
    last_outcome: str | None


class Daemon:
    """Everything that lives as long as the program. `live` returns the exit code after `stop`."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        paces: Paces | None = None,
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._paces = paces = paces or Paces()
        self.settings = settings
        self._environ = environ
        self._schedule = schedule = schedule_of(settings)
        self._started = now()
        self._clock = clock
        self._stopping = asyncio.Event()
        self._beaten = True
        self._age: float | None = None
        self._is_writable = True
        self._looking = Patience("STATE_DIR", most=4)
        self._reading = Patience("CONFIG_DIR", seconds=_READING)
        self._cut_short = ""
        self.timetable = Timetable(schedule, settings.state_dir, clock=clock)
        self.runs = Runs(settings, tell=self._learn, next_run=lambda: self.timetable.next_run)
        self.memory = Memory(settings.state_dir)
        self.watch = Watch(settings)
        self.metrics = Metrics()
        self.hints = Hints(self._run_for_hints, quiet=paces.hints_quiet, longest=paces.hints_longest)
        self.teller = Teller(settings, apart=paces.changes_apart)
        self.redelivery = Redelivery(settings, waits=paces.redelivery)

    @property
    def is_stopping(self) -> bool:
        """Whether the end was asked for; whoever streams something ends it then."""
        return self._stopping.is_set()

    def stop(self, signal: Signals) -> None:
        """Ask for the end. A run that is on ends in order, which may take some seconds."""
        current = self.runs.current
        _log.info("daemon.stopping", signal=signal.name, running=current is not None)
        self._cut_short = current.run_id if current else ""
        self.runs.close(signal.name)
        self._stopping.set()

    async def live(self) -> int:
        """Start up, then wait and run until `stop`. Return the exit code: that of a run that was interrupted, or 0."""
        await self._beat()
        tasks = [
            asyncio.create_task(part)
            for part in (
                self._beat_for_ever(),
                self._follow_schedule(),
                self.hints.live(),
                self.teller.live(),
                self.redelivery.live(),
                self.watch.live(),
            )
        ]
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            # None of them ends by itself: one that does has failed, and a daemon without it would only seem to live.
            done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
            await self.runs.ended()
            last = self.runs.last
            was_cut_short = last is not None and last.run_id == self._cut_short and last.outcome == "interrupted"
            return last.exit_code if last and was_cut_short else 0
        finally:
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)
            with suppress(DoesNotAnswer):
                await Patience("STATE_DIR", seconds=1.0)(heartbeat.end, self.settings.state_dir)
            _log.info("daemon.stopped")

    async def status(self) -> Status:
        """How things are."""
        overview = await self.memory.overview()
        current = self.runs.current
        going = current.going if current else None
        runs = await self.past_runs()
        last = runs[-1] if runs else None
        return Status(
            status="running" if going else "idle",
            version=__version__,
            started=self._started,
            next_run=self.timetable.next_run,
            schedule=self._schedule.describe(),
            radarr=self.watch.seen["Radarr"].status,
            claude=self.watch.seen["Claude"].status,
            run_id=going.run_id if going else None,
            step=going.step if going else None,
            done=going.done if going else 0,
            total=going.total if going else 0,
            last_run_id=last.run_id if last else None,
            last_run=last.finished if last else None,
            last_outcome=last.outcome if last else None,
            last_success=overview.last_successful_run,
            last_added=last.added if last else 0,
            last_removed=last.removed if last else 0,
            last_held_back=last.held_back if last else 0,
            last_problems=last.problems if last else 0,
            last_cost_usd=last.cost_usd if last else 0.0,
            month_cost_usd=self._month_cost(overview),
            movies=overview.library.count if overview.library else 0,
            collections=len(overview.collections),
            members=sum(status.members for status in overview.collections.values()),
            pending=sum(status.pending for status in overview.collections.values()),
            undelivered=await self.memory.undelivered(),
            problem=await self._problem() or None,
        )

    async def past_runs(self) -> list[RunSummary]:
        """The runs that have ended, the newest last; also one of which the state could not be told."""
        runs = {run.run_id: run for run in (await self.memory.overview()).runs}
        last = self.runs.last
        others = [*self.runs.failed, *([summary_of(last)] if last else [])]
        runs |= {run.run_id: run for run in others if run.run_id not in runs}
        return sorted(runs.values(), key=lambda run: run.started)[-RUNS_KEPT:]

    async def health(self) -> Health:
        """Whether the state can be written and the loop lives; that this answers at all says the latter."""
        if not self._beaten:
            await self._beat()  # it may be well again
        problem = await self._problem()
        age = self._age or 0.0
        last = self.runs.last
        return Health(
            status="Error" if problem else "OK",
            version=__version__,
            state="cannot be written" if not self._is_writable else "cannot be locked" if self.runs.no_lock else "ok",
            loop="ok" if age < heartbeat.LONGEST else "stuck",
            problem=problem or None,
            radarr=self.watch.seen["Radarr"].status,
            claude=self.watch.seen["Claude"].status,
            running=self.runs.current is not None,
            next_run=self.timetable.next_run,
            last_outcome=last.outcome if last else None,
        )

    async def _problem(self) -> str:
        """What keeps the daemon from its work; empty where nothing does."""
        folder = self.settings.state_dir
        try:
            self._age, is_writable = await self._looking(_look, folder)
        except DoesNotAnswer as error:
            self._is_writable = False
            return error.message
        self._is_writable = self._beaten and is_writable
        if not self._is_writable:
            return f"STATE_DIR ({str(folder)!r}) cannot be written."
        if self._age is not None and self._age >= heartbeat.LONGEST:
            return f"The daemon has given no sign of life for {self._age:.0f} seconds."
        return self.runs.trouble

    async def figures(self) -> bytes:
        """The metrics in Prometheus' text format."""
        overview = await self.memory.overview()
        return self.metrics.render(
            overview,
            month_cost=self._month_cost(overview),
            next_run=self.timetable.next_run,
            is_running=self.runs.current is not None,
            services={name.lower(): seen.status == "ok" for name, seen in self.watch.seen.items()},
            state_bytes=await self.memory.size(),
        )

    def _month_cost(self, overview: Overview) -> float:
        """What the runs that have ended, dry ones and those of other processes too, have cost in this month."""
        return of_month(overview.spending, self._clock(), self.settings.tz).cost_usd

    async def check_names(self, names: Sequence[str]) -> None:
        """Raise FixUsage for names that no collection has now."""
        if names:
            choose(await self._reading(read_folder, self.settings.config_dir), names)

    async def recheck(self) -> None:
        """Read settings and Kometa's folder again and log what is wrong with them. Nothing is taken over."""
        try:
            loaded = await self._looking(load_settings, self._environ)
            changed = [
                name.upper()
                for name in type(loaded.settings).model_fields
                if name != "http_api_key" and getattr(loaded.settings, name) != getattr(self.settings, name)
            ]
            if changed:
                _log.warning("settings.changed", settings=changed, remedy="Restart to use them.")
            await self._look_at_folder()
        except KometaAIError as error:
            problems = [str(problem) for problem in getattr(error, "problems", ())]
            _log.warning("recheck.failed", why=error.message, problems=problems, remedy=error.remedy)

    async def _look_at_folder(self) -> str:
        """Read Kometa's folder, log what is wrong with it, and say in words what is there."""
        folder = await self._reading(read_folder, self.settings.config_dir)
        for problem in (*folder.problems, *folder.warnings):
            log_problem("collections.problem", problem)
        names = [collection.name for collection in folder.collections]
        _log.info("collections.found", names=names, problems=len(folder.problems), warnings=len(folder.warnings))
        problems = f", {counted(len(folder.problems), 'problem')}" if folder.problems else ""
        return counted(len(names), "collection") + problems

    # Parts of its life

    async def _follow_schedule(self) -> None:
        await self._start_up()
        async for due in self.timetable.times():
            await self._start("schedule", due=due.isoformat())

    async def _start_up(self) -> None:
        """Find the next time, look at Radarr and Claude, and say all that in one line."""
        # The time first: who asks for the status meanwhile is told it, however long a dead service takes to look at.
        next_run = await self.timetable.prepare()
        await self.watch.look()
        try:
            found = await self._look_at_folder()
        except KometaAIError as error:
            # Each run looks again, and reports it.
            _log.warning("collections.not_read", why=error.message, remedy=error.remedy)
            found = "cannot be read"
        services = " ".join(
            f"{name}: {(seen.detail or seen.status).rstrip('.')}." for name, seen in self.watch.seen.items()
        )
        left = timedelta(seconds=round((next_run - now()).total_seconds()))
        clock = f"{next_run.astimezone(self.settings.tz):%Y-%m-%d %H:%M}"
        summary = (
            f"Kometa-AI {__version__} is ready. {services} Kometa's folder: {found}. "
            f"Runs {self._schedule.describe()}; next {clock} (in {left})."
        )
        _log.info("daemon.ready", summary=summary, next_run=next_run.isoformat())

    async def _start(self, trigger: str, movies: frozenset[TmdbId] = frozenset(), **details: str) -> bool:
        """Start a run of everything, or for these movies, and say whether it has begun; the log says why it has not."""
        try:
            options = Options(movies=movies, batch_size=self.settings.batch_size, unattended=True)
            await self.runs.start(options, trigger)
        except WaitForOtherRun as error:
            if movies:
                _log.info("run.postponed", trigger=trigger, movies=len(movies), why=error.message)
            else:
                _log.warning("run.skipped", trigger=trigger, why=error.message, **details)
            return False
        except KometaAIError as error:
            _log.error("run.skipped", trigger=trigger, why=error.message, remedy=error.remedy, **details)
            return False
        return True

    async def _run_for_hints(self) -> None:
        """Start a run for the movies hinted at as soon as one may start."""
        while True:
            await self.runs.ended()
            clock = now().astimezone(self.settings.tz).time()
            if not any(window.covers(clock) for window in self.settings.schedule_blackout):
                # Only now: what was hinted at while this waited is taken along.
                movies = self.hints.take()
                if await self._start("webhook", movies):
                    return
                self.hints.give_back(movies)
            await asyncio.sleep(self._paces.retry)

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(heartbeat.EVERY)
            await self._beat()

    async def _beat(self) -> None:
        details = {
            "problem": self.runs.trouble,
            "next_run": self.timetable.next_run.isoformat() if self.timetable.next_run else None,
            "running": self.runs.current is not None,
            **{name.lower(): seen.status for name, seen in self.watch.seen.items()},
        }
        try:
            await self._looking(heartbeat.beat, self.settings.state_dir, details)
            self._beaten = True
        except (OSError, DoesNotAnswer) as error:
            if self._beaten:
                _log.error("state.not_writable", path=str(self.settings.state_dir), why=str(error))
            self._beaten = False

    def _learn(self, ended: Ended) -> None:
        self.watch.learn(ended.report)
        self.metrics.count(ended)
        self.teller.add(ended.report)
        self.redelivery.wake()


def _look(folder: Path) -> tuple[float | None, bool]:
    """The age of the heartbeat, and whether the state folder can be written."""
    return heartbeat.age(folder), os.access(folder, os.W_OK)
