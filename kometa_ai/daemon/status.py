"""Put together the daemon's status, health, past runs and metrics from its parts, for the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.__version__ import __version__
from kometa_ai.app import now
from kometa_ai.daemon.spending import spent
from kometa_ai.errors import RepairState
from kometa_ai.jobs.aside import DoesNotAnswer, Patience
from kometa_ai.jobs.running import summary_of
from kometa_ai.run.spending import of_month
from kometa_ai.state.by_line import Damaged
from kometa_ai.state.schema import RUNS_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.daemon.indexing import Indexer
    from kometa_ai.daemon.metrics import Metrics
    from kometa_ai.daemon.overview import Overview, OverviewReader
    from kometa_ai.daemon.pulse import Pulse
    from kometa_ai.daemon.runs import Runs
    from kometa_ai.daemon.spending import Spent
    from kometa_ai.daemon.timetable import Timetable
    from kometa_ai.daemon.watch import Watch
    from kometa_ai.errors import KometaAIError
    from kometa_ai.settings.schema import Settings
    from kometa_ai.state.choices import ChoicesFile
    from kometa_ai.state.schema import RunSummary


_DONE = ("ok", "problems", "waiting")
"""The outcomes of runs that came to their end, whatever they met on the way."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon at a glance: flat, fit for a dashboard's widget."""

    status: str
    version: str
    started: datetime
    next_run: datetime | None
    schedule: str
    radarr: str
    sonarr: str
    model: str
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
    shows: int
    collections: int
    members: int
    pending: int
    undelivered: int
    problem: str | None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the daemon itself is in order. A library or a model that is down is no reason to restart it."""

    status: str
    version: str
    state: str
    loop: str
    problem: str | None
    radarr: str
    sonarr: str
    model: str
    running: bool
    next_run: datetime | None
    last_outcome: str | None


class Views:
    """Puts together what the API shows of the daemon; computes it anew for each caller."""

    def __init__(
        self,
        settings: Settings,
        *,
        runs: Runs,
        timetable: Timetable,
        watch: Watch,
        overview: OverviewReader,
        metrics: Metrics,
        pulse: Pulse,
        indexer: Indexer,
        choices: ChoicesFile,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._runs = runs
        self._timetable = timetable
        self._watch = watch
        self._overview = overview
        self._metrics = metrics
        self._pulse = pulse
        self._indexer = indexer
        self._choices = choices
        self._looks = Patience("STATE_DIR", most=4)
        self._clock = clock
        self._started = now()

    async def status(self) -> Status:
        """What runs, what ran, what comes next."""
        overview = await self._overview.read()
        current = self._runs.current
        going = current.going if current else None
        runs = await self.past_runs()
        last = runs[-1] if runs else None
        return Status(
            status="running" if going else "idle",
            version=__version__,
            started=self._started,
            next_run=self._timetable.next_run,
            schedule=self._timetable.schedule.describe(),
            radarr=self._watch.worst("Radarr"),
            sonarr=self._watch.worst("Sonarr"),
            model=self._watch.model,
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
            movies=overview.count("movie"),
            shows=overview.count("show"),
            collections=len(overview.collections),
            members=sum(status.members for status in overview.collections.values()),
            pending=sum(status.pending for status in overview.collections.values()),
            undelivered=await self._overview.undelivered(),
            problem=await self.problem() or await self.note() or None,
        )

    async def past_runs(self) -> list[RunSummary]:
        """The runs that have ended, the newest last; also those that could not be written to the state.

        Runs that are dated ahead of now were made while the clock was wrong: all others count as newer.
        """
        runs = {run.run_id: run for run in (await self._overview.read()).runs}
        last = self._runs.last
        others = [*self._runs.failed, *([summary_of(last)] if last else [])]
        runs |= {run.run_id: run for run in others if run.run_id not in runs}
        now = self._clock()
        return sorted(runs.values(), key=lambda run: (run.started <= now, run.started))[-RUNS_KEPT:]

    async def last_run(self) -> str:
        """The id of the run that has ended last; empty if none has."""
        past = await self.past_runs()
        return past[-1].run_id if past else ""

    async def spent(self) -> Spent:
        """What months, collections and questions have cost."""
        overview = await self._overview.read()
        return spent(overview.spending, await self.past_runs(), self._clock(), self._settings.tz)

    async def is_new(self) -> bool:
        """Whether no run of everything has done its work yet, in a first start that may still go wrong."""
        if (await self._overview.read()).last_successful_run is not None:
            return False
        return not any(run.is_of_everything and run.outcome in _DONE for run in await self.past_runs())

    async def health(self) -> Health:
        """Whether the state can be used and the loop lives; that this answers at all says the latter."""
        await self._pulse.beat_again()
        problem, damage = await self.problem(), await self.damage()
        last = self._runs.last
        return Health(
            status="Error" if problem else "OK",
            version=__version__,
            state=self._state_word(is_unusable=bool(await self.unusable()), is_damaged=bool(damage)),
            loop="stuck" if self._pulse.is_stuck else "ok",
            problem=problem or await self.note() or None,
            radarr=self._watch.worst("Radarr"),
            sonarr=self._watch.worst("Sonarr"),
            model=self._watch.model,
            running=self._runs.current is not None,
            next_run=self._timetable.next_run,
            last_outcome=last.outcome if last else None,
        )

    def _state_word(self, *, is_unusable: bool, is_damaged: bool) -> str:
        if not self._pulse.is_writable:
            return "cannot be written"
        if self._runs.no_lock:
            return "cannot be locked"
        return "cannot be read" if is_unusable else "damaged" if is_damaged else "ok"

    async def figures(self) -> bytes:
        """The metrics in Prometheus' text format."""
        overview = await self._overview.read()
        return self._metrics.render(
            overview,
            month_cost=self._month_cost(overview),
            next_run=self._timetable.next_run,
            is_running=self._runs.current is not None,
            services={name: word == "ok" for name, word in self._watch.words.items()},
            state_bytes=await self._overview.size(),
            undelivered=await self._overview.undelivered(),
        )

    async def problem(self) -> str:
        """What keeps the daemon from its work; empty if nothing does."""
        return await self._pulse.problem() or self._runs.trouble or await self.unusable()

    async def unusable(self) -> str:
        """Why no run could read the state or people's choices; empty if it can, or could repair them."""
        await self._overview.read()
        found: KometaAIError | None = self._overview.failure
        if found is None or isinstance(found, Damaged):
            found = await self._read_choices()
        return str(found or "")

    async def damage(self) -> str:
        """What is damaged of these, which the next run repairs and a restart does not; empty while a run is on."""
        if self._runs.current is not None:
            return ""
        await self._overview.read()
        found = self._overview.failure or self._indexer.failure_of(self._overview.snapshot)
        if isinstance(found, Damaged):
            return str(found)
        damage = self._choices.damage if await self._read_choices() is None else ""
        return f"{damage} Start a run: it puts what was restored in its place." if damage else ""

    async def note(self) -> str:
        """What an operator should know that a restart does not mend; empty if there is nothing."""
        return await self.damage() or self._pulse.company

    async def _read_choices(self) -> RepairState | None:
        try:
            await self._looks(self._choices.read)
        except RepairState as error:
            return error
        except DoesNotAnswer:  # which the heartbeat tells
            pass
        return None

    def _month_cost(self, overview: Overview) -> float:
        """What the runs that have ended, dry ones and those of other processes too, have cost in this month."""
        return of_month(overview.spending, self._clock(), self._settings.tz).cost_usd
