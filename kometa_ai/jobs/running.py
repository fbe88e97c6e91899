"""Do a run of any kind: its work, its report, the state and the history, the notification.

Whatever goes wrong ends in a report, except a wrong command line, which raises FixUsage.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from kometa_ai.core.item import by_kind
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import RunReport
from kometa_ai.errors import FixUsage, KometaAIError, RepairState
from kometa_ai.jobs.nightly import Audited, audit_after
from kometa_ai.observe import process
from kometa_ai.observe.logs import REPORTED, log_problem
from kometa_ai.providers.port import titles_of
from kometa_ai.run.failure import about_stop
from kometa_ai.run.joining import joined
from kometa_ai.run.orphans import departed
from kometa_ai.run.pipeline import Run
from kometa_ai.run.reporting import Frame, make_report, statuses
from kometa_ai.run.stopping import Steps
from kometa_ai.run.watching import Step
from kometa_ai.state import files, history
from kometa_ai.state.schema import (
    CollectionForgotten,
    ErrorMet,
    ErrorSeen,
    RunEnded,
    RunSummary,
    RunWaits,
    StatusChanged,
)
from kometa_ai.state.store import Seen, Store
from kometa_ai.tags.shown import shown_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from kometa_ai.core.options import Earlier, Options
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.state.schema import Entry
    from kometa_ai.tags.shown import Shown

Notify = Callable[[RunReport], Awaitable[list[Problem]]]
"""Tells others of a run, and returns what could not be delivered."""

_log = structlog.get_logger()


def new_run_id(now: datetime) -> str:
    """A run's id: the time of its start, and random digits."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Work(Protocol):
    """A run of some kind: what it does, and what there is to say of it afterwards, however far it came."""

    async def go(self) -> None:
        """Do everything. Raise a KometaAIError that ends the run, or FixUsage before anything is done."""
        ...

    def report(self, frame: Frame) -> RunReport:
        """Make the report."""
        ...

    def entries(self, report: RunReport, *, is_complete: bool) -> list[Entry]:
        """What the state is to remember of the run, but for its errors and the run itself."""
        ...

    def seen(self) -> Seen:
        """What the libraries hold now; nothing if the run does not know."""
        ...


async def run_and_report(
    parts: Parts,
    rules: Rules,
    options: Options,
    *,
    notify: Notify | None = None,
    next_run: datetime | None = None,
    run_id: str | None = None,
) -> RunReport:
    """Do one run of the library and return its report. Raise FixUsage for options that cannot be followed.

    Such are, among others, a run that it is to keep `within` and that is not kept, or was no dry run.

    The caller holds the lock of the state folder. Without a `run_id` the run names itself.
    """
    frame = Frame(
        run_id=run_id or new_run_id(parts.now()),
        started=parts.now(),
        finished=parts.now(),
        dry_run=options.dry_run,
        only_movies=len(options.movies) or None,
        only_items=by_kind(options.movies),
        models=frozenset({rules.model, rules.review_model}),
        titles=titles_of(parts.provider, (rules.model, rules.review_model)),
        next_run=next_run,
        zone=parts.zone,
        redact=parts.redact,
        can_collect=parts.batches is not None,
    )
    if notify is not None and options.goes_on_with is not None:
        notify = _with_earlier(notify, options.goes_on_with, parts.store.folder)
    shown = shown_by(history.recall(parts.store.folder, options.within)) if options.within else None
    about: dict[str, object] = {"collections": list(options.collections), "only_movies": frame.only_movies}
    if shown is not None:
        about["within"] = shown.run_id
    return await carry_out(
        parts,
        lambda watched: _LibraryRun(watched, rules, options, frame.run_id, shown),
        frame,
        about,
        notify=notify,
    )


def _with_earlier(notify: Notify, earlier: Earlier, folder: Path) -> Notify:
    """Report a run together with those that it goes on with: these were not reported when they ended."""
    reports = []
    for run_id in earlier.run_ids:
        with suppress(KometaAIError):
            reports.append(history.recall(folder, run_id))

    async def tell(report: RunReport) -> list[Problem]:
        return await notify(joined([*reports, report]))

    return tell


class _LibraryRun:
    """The run that `run.pipeline` describes, as work."""

    def __init__(self, parts: Parts, rules: Rules, options: Options, run_id: str, shown: Shown | None) -> None:
        self._parts = parts
        self._rules = rules
        self._options = options
        self._store = parts.store
        self._audited = Audited()
        self._run_id = run_id
        self._run = Run(parts, rules, options, run_id, shown=shown)

    async def go(self) -> None:
        await self._run.go()
        self._audited = await audit_after(
            self._parts, self._rules, self._options, self._run.results, run_id=self._run_id
        )

    def report(self, frame: Frame) -> RunReport:
        frame = msgspec.structs.replace(frame, problems=(*frame.problems, *self._run.close_books()))
        report = make_report(self._run.results, self._store.memory, self._store.state, frame)
        return self._audited.added_to(report, self._parts)

    def entries(self, report: RunReport, *, is_complete: bool) -> list[Entry]:
        results, known = self._run.results, self._store.state.collections
        waits = self._waits(is_partial=report.only_movies is not None)
        if report.dry_run:
            return waits
        progress = statuses(report, results, known, complete=is_complete)
        gone = departed(report, results.reading, known) if is_complete else []
        return [
            *(StatusChanged(collection=key, status=status) for key, status in progress.items()),
            *(CollectionForgotten(collection=key) for key in gone),
            *waits,
        ]

    def _waits(self, *, is_partial: bool) -> list[Entry]:
        """Whether a run waits from now on: this one, or an earlier one as long as there are batches."""
        state, waiting = self._store.state, self._run.results.waiting
        if waiting is not None:
            return [RunWaits(options=waiting)]
        is_settled = state.waiting is not msgspec.UNSET and not state.batches
        return [RunWaits(options=None)] if is_settled and not is_partial else []

    def seen(self) -> Seen:
        results = self._run.results
        return Seen(frozenset(item.key for item in results.items), results.reading.whole)


async def carry_out(
    parts: Parts,
    work_of: Callable[[Parts], Work],
    frame: Frame,
    about: Mapping[str, object],
    *,
    notify: Notify | None = None,
) -> RunReport:
    """Do a run of any kind: its work, its report, what is remembered of it, its notification.

    `about` is for the log. `notify` is not called for a dry run, nor for one that another run goes on with; the
    problems it returns are added to the report as warnings, since a failing mail server never fails a run.
    """
    with structlog.contextvars.bound_contextvars(run_id=frame.run_id):
        _log.info("run.started", dry_run=frame.dry_run, **about)
        interruption = parts.interruption
        parts = msgspec.structs.replace(parts, observer=Steps(parts.observer, interruption))
        work = work_of(parts)
        error, cut = await _go(work, parts)
        if interruption.is_left_behind:
            # Another run has taken over: this one reports and writes nothing any more.
            raise asyncio.CancelledError
        parts.observer.step(Step.REPORTING)
        is_cut_short = bool(interruption.why) or interruption.is_cut
        frame = msgspec.structs.replace(
            frame,
            finished=parts.now(),
            error=error,
            problems=(*cut, *parts.store.alerts),
            interrupted=interruption.why,
        )
        report = _with_warnings(work.report(frame), about_stop(interruption.why))
        is_waiting = report.outcome == "waiting"
        is_complete = error is None and not (is_cut_short or is_waiting)
        report = _remember(report, work, parts.store, is_complete=is_complete)
        if notify is not None and not (frame.dry_run or is_waiting):
            undelivered = await _tell(report, notify, parts)
            report = _with_warnings(report, undelivered)
        _log_end(report)
    return report


def _log_end(report: RunReport) -> None:
    log_problems(report)
    _log.info(
        "run.ended",
        outcome=report.outcome,
        added=report.added,
        removed=report.removed,
        held_back=report.held_back,
        asked=report.asked,
        pending=report.pending,
        problems=len(report.problems),
        cost_usd=report.cost_usd,
        memory_mb=process.used() >> 20,
        peak_memory_mb=process.peak() >> 20,
        seconds=round((report.finished - report.started).total_seconds(), 1),
    )


async def _go(work: Work, parts: Parts) -> tuple[KometaAIError | None, tuple[Problem, ...]]:
    """Do the run; return the error that ended it, and the problem if it was cut short because its time was over."""
    interruption = parts.interruption
    try:
        await work.go()
    except FixUsage:
        raise
    except KometaAIError as error:
        return error, ()
    except asyncio.CancelledError:
        if interruption.is_cut and not interruption.why:
            cut = Problem(
                source="RUN_TIMEOUT",
                what=f"The time for this run was over and it had not come to its end: {interruption.step!r}.",
                remedy="Look what takes so long there, or give runs more time. The next run goes on from here.",
            )
            return None, (cut,)
        if not interruption.why:
            raise
    except ExceptionGroup as group:
        known, others = group.split(KometaAIError)
        if known is None:
            raise
        if others is not None:
            _log.error("run.stopped", exc_info=others)
        return next(error for error in _leaves(known) if isinstance(error, KometaAIError)), ()
    return None, ()


async def _tell(report: RunReport, notify: Notify, parts: Parts) -> list[Problem]:
    """Notify. If the program has to end meanwhile, return a warning: the run itself is over."""
    try:
        return await notify(report)
    except asyncio.CancelledError:
        if not (parts.interruption.why or parts.interruption.is_cut):
            raise
    return [
        Problem(
            source="notifications",
            what="The program had to end before everybody was told of this run.",
            remedy="The report is kept, and joined to the next one.",
            severity="warning",
        )
    ]


def log_problems(report: RunReport) -> None:
    """Log each problem and each warning of a report."""
    for problem in (*report.problems, *report.warnings):
        log_problem(REPORTED, problem)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _remember(report: RunReport, work: Work, store: Store, *, is_complete: bool) -> RunReport:
    """Write the report to the history and the run to the state. A failure to write is a problem of the report."""
    report = _kept(report, store)
    errors = [
        ErrorMet(
            error=ErrorSeen(
                at=problem.at or report.finished,
                run_id=report.run_id,
                what=problem.what,
                source=problem.source,
                collection=problem.collection,
            )
        )
        for problem in report.problems
    ]
    entries = [*errors, *work.entries(report, is_complete=is_complete), RunEnded(run=summary_of(report))]
    try:
        store.record(*entries)
        store.note_seen(work.seen(), report.finished)
        store.save(report.finished)
    except RepairState as error:
        report = _kept(_with_problem(report, error), store)
        with suppress(RepairState):
            store.record(RunEnded(run=summary_of(report)))
        return report
    if files.is_unsynced(store.folder):
        report = _with_warnings(report, [_unsynced(store)])
    return report


def _kept(report: RunReport, store: Store) -> RunReport:
    """Write the report to the history; if that fails, the returned report has one problem more."""
    try:
        history.keep(store.folder, report)
    except RepairState as error:
        return _with_problem(report, error)
    return report


def _with_problem(report: RunReport, error: RepairState) -> RunReport:
    """The report with the problem that the run could not be written; its outcome is no longer `ok`."""
    if any(problem.what == error.message for problem in report.problems):
        return report
    problem = Problem(source="state", what=error.message, remedy=error.remedy, at=report.finished)
    return msgspec.structs.replace(
        report,
        problems=(*report.problems, problem),
        outcome="problems" if report.outcome == "ok" else report.outcome,
        exit_code=report.exit_code or 1,
    )


def _unsynced(store: Store) -> Problem:
    return Problem(
        source="state",
        what=f"The file system of {str(store.folder)!r} knows no fsync: a power cut may cost what was written last.",
        remedy="To be safe, put STATE_DIR on a disk of this machine; what is lost is asked again.",
        severity="warning",
    )


def summary_of(report: RunReport) -> RunSummary:
    """A finished run in brief, as lists of runs have it."""
    return RunSummary(
        run_id=report.run_id,
        kind=report.kind,
        undoes=report.undoes,
        started=report.started,
        finished=report.finished,
        outcome=report.outcome,
        exit_code=report.exit_code,
        dry_run=report.dry_run,
        only_movies=report.only_movies,
        only_collections=report.only_collections,
        added=report.added,
        removed=report.removed,
        held_back=report.held_back,
        asked=report.asked,
        pending=report.pending,
        problems=len(report.problems),
        cost_usd=report.cost_usd,
        collection_cost_usd={c.key: c.cost_usd for c in report.collections if c.cost_usd},
    )


def _with_warnings(report: RunReport, warnings: Sequence[Problem]) -> RunReport:
    return msgspec.structs.replace(report, warnings=(*report.warnings, *warnings)) if warnings else report
