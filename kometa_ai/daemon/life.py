"""Run the daemon's life from its parts: start up, run when the schedule or a hint says so, end on a signal."""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import msgspec
import structlog

from kometa_ai.__version__ import __version__
from kometa_ai.app import now
from kometa_ai.core.item import SERVICES, key_named, kind_of, ref_of
from kometa_ai.core.options import Options
from kometa_ai.core.summary import counted, counted_items
from kometa_ai.core.text import one_line
from kometa_ai.daemon.batches import BatchWatch
from kometa_ai.daemon.blocks import Blocks
from kometa_ai.daemon.change_notifier import APART, ChangeNotifier
from kometa_ai.daemon.choosing import Choosing
from kometa_ai.daemon.hints import LONGEST, QUIET, Hints
from kometa_ai.daemon.indexing import Indexer
from kometa_ai.daemon.looks import Looks
from kometa_ai.daemon.metrics import Metrics
from kometa_ai.daemon.overtaken import check_open
from kometa_ai.daemon.overview import OverviewReader
from kometa_ai.daemon.pinning import Pinning
from kometa_ai.daemon.posters import Posters
from kometa_ai.daemon.prompts import PastPrompt, past_prompts
from kometa_ai.daemon.pulse import Pulse
from kometa_ai.daemon.redelivery import WAITS, Redelivery
from kometa_ai.daemon.runs import Ended, Runs
from kometa_ai.daemon.status import Views
from kometa_ai.daemon.timetable import Timetable, schedule_of
from kometa_ai.daemon.trials import Trials
from kometa_ai.daemon.watch import Watch
from kometa_ai.errors import FixUsage, KometaAIError, WaitForOtherRun
from kometa_ai.jobs.aside import DoesNotAnswer, Patience, aside
from kometa_ai.jobs.blocks import Sought
from kometa_ai.jobs.cancel import cancel
from kometa_ai.jobs.views import explanation
from kometa_ai.jobs.waiting import EVERY
from kometa_ai.observe.log_end import newest_lines, whole_log
from kometa_ai.observe.logs import log_problem
from kometa_ai.settings.changes import changed_variables
from kometa_ai.settings.describe import as_dump
from kometa_ai.settings.environment import Loaded, load_settings
from kometa_ai.state.lock import LockReader
from kometa_ai.tags.shown import shown_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from signal import Signals

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.daemon.index import Index
    from kometa_ai.jobs.blocks import Written
    from kometa_ai.jobs.cancel import Cancellation
    from kometa_ai.jobs.explain import Explained
    from kometa_ai.jobs.session import Session
    from kometa_ai.jobs.whatif import WhatIf
    from kometa_ai.observe.log_end import Level, LogEnd

_READING = 60.0
"""Seconds for reading Kometa's folder; a large one is slow on a slow machine."""

_CANCELING = 120.0
"""Seconds for Anthropic's answers about all open batches."""

_OURSELVES = f"process {os.getpid()} on {socket.gethostname()},"

_log = structlog.get_logger()


class Paces(NamedTuple):
    """Seconds: the debounce of hints, the pause between reports of changes, the retry while the state is locked.

    `batches` is how far looks at open batches are apart. `redelivery` are the waits before reports that did not arrive
    are sent again.
    """

    hints_quiet: float = QUIET
    hints_longest: float = LONGEST
    changes_apart: float = APART
    retry: float = 60.0
    batches: float = EVERY
    redelivery: Sequence[float] = WAITS


class Daemon:
    """Everything that lives as long as the program. `live` returns the exit code after `stop`."""

    def __init__(
        self,
        session: Session,
        environ: Mapping[str, str],
        paces: Paces | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._paces = paces = paces or Paces()
        self._session = session
        self.titles = session.titles
        self.settings = settings = session.settings
        clock = clock or session.now
        self._environ = environ
        self._stopping = asyncio.Event()
        self._looking = Patience("STATE_DIR", most=4)
        self._lock = LockReader(settings.state_dir)
        self._reading = Patience("CONFIG_DIR", seconds=_READING)
        self._blocks = Blocks(session)
        self._logs = Patience("LOG_DIR", most=2)
        self._sources = load_settings(environ, required=()).sources
        self._explaining = asyncio.Lock()
        self._cut_short = ""
        self.timetable = Timetable(schedule_of(settings), settings.state_dir, clock=clock)
        self.runs = Runs(session, tell=self._learn, next_run=lambda: self.timetable.next_run)
        self.overview = OverviewReader(settings.state_dir, {library.name for library in settings.libraries})
        self.indexer = Indexer(session)
        self.posters = Posters(session, self.indexer)
        self.choosing = Choosing(session, self.indexer, clock)
        self.pinning = Pinning(session, self.indexer, clock)
        self.trials = Trials(session)
        self.watch = Watch(session)
        self.metrics = Metrics()
        self.pulse = Pulse(settings.state_dir, self._vital_signs)
        self.views = Views(
            settings,
            runs=self.runs,
            timetable=self.timetable,
            watch=self.watch,
            overview=self.overview,
            metrics=self.metrics,
            pulse=self.pulse,
            indexer=self.indexer,
            choices=session.choices,
            clock=clock,
        )
        self.looks = Looks(session, environ, last_run=self.views.last_run)
        self.hints = Hints(
            self._run_for_hints,
            unknown=self.overview.unknown,
            quiet=paces.hints_quiet,
            longest=paces.hints_longest,
        )
        self.notifier = ChangeNotifier(settings, apart=paces.changes_apart)
        self.redelivery = Redelivery(settings, waits=paces.redelivery)
        self.batches = BatchWatch(session, self._go_on, every=paces.batches)

    @property
    def alerts(self) -> tuple[Problem, ...]:
        """What the last run since the start has said of the state: that it was restored from a backup, say."""
        last = self.runs.last
        return tuple(each for each in (*last.problems, *last.warnings) if each.source == "state") if last else ()

    @property
    def page_size(self) -> int:
        """How many items a request has."""
        return self._session.rules.page_size

    @property
    def is_stopping(self) -> bool:
        """Whether the daemon was asked to stop; streams end then."""
        return self._stopping.is_set()

    def stop(self, signal: Signals) -> None:
        """Ask the daemon to stop. A run in progress ends in order, which may take some seconds."""
        current = self.runs.current
        _log.info("daemon.stopping", signal=signal.name, running=current is not None)
        self._cut_short = current.run_id if current else ""
        self.runs.close(signal.name)
        self.trials.close(signal.name)
        self._stopping.set()

    async def live(self) -> int:
        """Start up, then wait and run until `stop`. Return the exit code: that of a run that was interrupted, or 0."""
        await self.pulse.beat()
        tasks = [
            asyncio.create_task(part)
            for part in (
                self.pulse.live(),
                self._follow_schedule(),
                self.hints.live(),
                self.notifier.live(),
                self.redelivery.live(),
                self.watch.live(),
                self.batches.live(),
            )
        ]
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            # No part ends by itself: one that does has failed, and the daemon must not go on without it.
            done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
            await self.runs.ended()
            await self.trials.ended()
            last = self.runs.last
            was_cut_short = last is not None and last.run_id == self._cut_short and last.outcome == "interrupted"
            return last.exit_code if last and was_cut_short else 0
        finally:
            for task in (*tasks, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)
            self.indexer.close()
            await self.posters.close()
            await self.pulse.end()
            _log.info("daemon.stopped")

    async def start(self, trigger: str, items: frozenset[ItemKey] = frozenset(), **details: str) -> bool:
        """Start an unattended run, of these items if any are given. Return whether it started; if not, log why."""
        options = Options(movies=items, batch_size=self.page_size, unattended=True)
        return await self._start(options, trigger, **details)

    async def _start(self, options: Options, trigger: str, **details: str) -> bool:
        try:
            await self.runs.start(options, trigger)
        except WaitForOtherRun as error:
            if options.movies:
                _log.info("run.postponed", trigger=trigger, items=counted_items(options.movies), why=error.message)
            elif options.goes_on_with is not None:
                _log.info("run.postponed", trigger=trigger, why=error.message)
            else:
                _log.warning("run.skipped", trigger=trigger, why=error.message, **details)
            return False
        except KometaAIError as error:
            _log.error("run.skipped", trigger=trigger, why=error.message, remedy=error.remedy, **details)
            return False
        return True

    async def foresee(self, key: CollectionKey, threshold: float) -> WhatIf | None:
        """What another threshold of a collection would do, from the index, with the lines to copy into its file.

        None for a collection that takes no part, or of which no library was read yet.
        """

        def look(index: Index) -> tuple[Collection, WhatIf] | None:
            found = index.foresee(key, threshold)
            if found is None:
                return None
            collection = next(each for each in index.collections if each.key == key)
            return collection, msgspec.structs.replace(found, as_of=index.as_of)

        found = await self.indexer.ask(look)
        return await self._blocks.with_lines(*found) if found else None

    async def block_of(self, key: CollectionKey) -> Written | None:
        """A collection's block as it stands in Kometa's files now; None for a key that no collection has.

        Raise FixConfiguration if Kometa's folder cannot be read, DoesNotAnswer if that takes too long.
        """
        found = await self.indexer.ask(lambda index: index.collection(key))
        if found is None:
            return None
        return await self._blocks.written(Sought(key, found.name, found.kind, found.source))

    async def prompts_of(self, key: CollectionKey) -> tuple[PastPrompt, ...]:
        """The prompts that a collection has had, the newest first, and what the first run with each has changed."""
        overview = await self.overview.read()
        moves = await self.indexer.ask(lambda index: index.moves_by_run(key))
        return past_prompts(overview.prompts.get(key, ()), overview.runs, moves)

    async def report(self, run_id: str) -> RunReport | None:
        """The report of a run that has ended; None if it is not kept. Raise RepairState if it cannot be read."""
        last = self.runs.last
        # From memory if it is the last one: it may not have been written to the disk.
        return last if last is not None and last.run_id == run_id else await self.overview.report(run_id)

    async def check_names(self, names: Sequence[str]) -> None:
        """Raise FixUsage for names that no collection has now."""
        await self._reading(self._session.check_names, names)

    def items_named(self, references: Sequence[str]) -> frozenset[ItemKey]:
        """The keys of items by their references. Raise FixUsage for what is none, or what no library could hold."""
        try:
            found = frozenset(map(key_named, references))
        except ValueError as error:
            raise FixUsage(f"{error}.", "Name each movie by its TMDb id, each show by its TVDb id.") from error
        if foreign := sorted({kind_of(key) for key in found} - self.settings.kinds):
            kind = foreign[0]
            raise FixUsage(f"No {SERVICES[kind]} is set up, so no run could be about a {kind}.", "Leave it out.")
        return found

    async def check_shown(self, run_id: str) -> None:
        """Raise FixUsage if this is no dry run within which another run could keep, MadeAlready if nothing is left."""
        report = await self.overview.report(run_id)
        if report is None:
            raise FixUsage(f"There is no run {one_line(run_id, 100)!r}.", "Do a dry run, and name that one.")
        shown_by(report)
        check_open(run_id, await self.views.past_runs())

    async def wanted_run(
        self,
        *,
        dry_run: bool = False,
        collections: Sequence[str] = (),
        movies: Sequence[str] = (),
        force_refresh: bool = False,
        allow_removals: bool = False,
        max_cost: float | None = None,
        within: str = "",
    ) -> Options:
        """The options of a run that a user asks for, all of it when nothing is named.

        Raise FixUsage for a collection, an item or a dry run that there is not, MadeAlready for a dry run that is done.
        """
        await self.check_names(collections)
        if within:
            await self.check_shown(within)
        return Options(
            dry_run=dry_run,
            collections=tuple(collections),
            movies=self.items_named(movies),
            force_refresh=force_refresh,
            allow_removals=allow_removals,
            max_cost=max_cost,
            within=within,
            batch_size=self.page_size,
        )

    async def holder(self) -> str:
        """Who else holds the lock of the state folder, and since when; empty if it is free, or a run of ours has it."""
        if self.runs.current is not None:
            return ""
        try:
            note = await self._looking(self._lock.holder)
        except DoesNotAnswer:
            return ""
        return "this program itself, which asks about a trial or about batches" if note.startswith(_OURSELVES) else note

    async def cancel_batches(self) -> Cancellation:
        """Ask for the end of all open batches. Raise WaitForOtherRun while a run is on."""
        try:
            async with asyncio.timeout(_CANCELING):
                return await aside("cancel batches", lambda: cancel(self._session))
        except TimeoutError as error:
            raise DoesNotAnswer(
                f"The batches could not be cancelled within {_CANCELING:g} seconds.", "Try it again later."
            ) from error

    def describe_settings(self) -> dict[str, dict[str, object]]:
        """Each variable with its value, as it was read at the start, and where that came from; secrets are masked."""
        return as_dump(Loaded(self.settings, self._sources))

    async def log_end(self, limit: int, level: Level, run_id: str, text: str = "") -> LogEnd:
        """The newest lines of the log file. Raise DoesNotAnswer if LOG_DIR does not."""
        read = partial(newest_lines, level=level, run_id=run_id, text=text)
        return await self._logs(read, self.settings.log_dir, limit)

    async def whole_log(self) -> tuple[BinaryIO, int]:
        """The log file, open, and its size in bytes. Raise OSError or DoesNotAnswer where it cannot be read."""
        return await self._logs(whole_log, self.settings.log_dir)

    async def explain(self, item: ItemKey) -> Explained:
        """Explain one item with its library read now, as `--explain` does. Raise FixUsage where no library holds it."""
        options = Options(batch_size=self.page_size)
        # The whole state is in memory meanwhile: one at a time.
        async with self._explaining:
            return await aside("explain", lambda: explanation(self._session, options, ref_of(item)))

    async def recheck(self) -> None:
        """Read settings and Kometa's folder again and log what is wrong with them. Nothing is taken over."""
        try:
            loaded = await self._looking(load_settings, self._environ)
            if changed := changed_variables(self.settings, loaded.settings):
                _log.warning("settings.changed", settings=changed, remedy="Restart to use them.")
            await self._look_at_folder()
        except KometaAIError as error:
            problems = [str(problem) for problem in getattr(error, "problems", ())]
            _log.warning("recheck.failed", why=error.message, problems=problems, remedy=error.remedy)

    async def _look_at_folder(self) -> str:
        """Read Kometa's folder, log what is wrong with it, and say in words what is there."""
        folder = await self._reading(self._session.read_folder, self.settings.config_dir)
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
            await self.trials.ended()  # a minute at most, and the run would be skipped
            await self.start("schedule", due=due.isoformat())

    async def _start_up(self) -> None:
        """Find the next time, look at all services, and log all that in one line."""
        # Find the time first: the status shows it while a dead service is being tried.
        next_run = await self.timetable.prepare()
        await self.watch.look()
        try:
            found = await self._look_at_folder()
        except KometaAIError as error:
            # Each run looks again, and reports it.
            _log.warning("collections.not_read", why=error.message, remedy=error.remedy)
            found = "cannot be read"
        services = " ".join(
            f"{found.service}: {(found.detail or self.watch.word(found.service)).rstrip('.')}."
            for found in self.watch.found.values()
        )
        left = timedelta(seconds=round((next_run - now()).total_seconds()))
        clock = f"{next_run.astimezone(self.settings.tz):%Y-%m-%d %H:%M}"
        summary = (
            f"Kometa-AI {__version__} is ready. {services} Kometa's folder: {found}. "
            f"Runs {self.timetable.schedule.describe()}; next {clock} (in {left})."
        )
        _log.info("daemon.ready", summary=summary, next_run=next_run.isoformat())

    async def _run_for_hints(self) -> None:
        """Start a run for the movies and shows hinted at as soon as one may start."""
        while True:
            await self.runs.ended()
            if not self._is_blacked_out:
                # Only now, so that hints which came while this waited are included.
                items = await self.hints.take()
                if not items or await self.start("webhook", items):  # without items it would be about everything
                    return
                self.hints.give_back(items)
            await asyncio.sleep(self._paces.retry)

    async def _go_on(self, options: Options) -> bool:
        """Start the run that goes on with one that has waited for a batch, if one may start now."""
        if self._is_blacked_out or self.runs.current is not None:
            return False
        return await self._start(options, "batch")

    @property
    def _is_blacked_out(self) -> bool:
        clock = now().astimezone(self.settings.tz).time()
        return any(window.covers(clock) for window in self.settings.schedule_blackout)

    async def _vital_signs(self) -> dict[str, object]:
        """The details of each heartbeat, for the health check."""
        return {
            "problem": self.runs.trouble or await self.views.unusable(),
            "note": await self.views.note(),
            "next_run": self.timetable.next_run.isoformat() if self.timetable.next_run else None,
            "running": self.runs.current is not None,
            **self.watch.words,
        }

    def _learn(self, ended: Ended) -> None:
        self.watch.learn(ended.report)
        self.metrics.count(ended)
        self.notifier.add(ended.report)
        self.redelivery.wake()
