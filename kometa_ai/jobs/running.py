"""The one entry to a run, for the command line and whoever else wants one: run, report, remember, notify.

Nothing that goes wrong leaves without a report; only a wrong command line does.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixUsage, KometaAIError, RepairState
from kometa_ai.observe import process
from kometa_ai.observe.logs import REPORTED, log_problem
from kometa_ai.run.options import Step
from kometa_ai.run.orphans import departed
from kometa_ai.run.pipeline import Run
from kometa_ai.run.reporting import Frame, make_report, statuses
from kometa_ai.run.stopping import Steps
from kometa_ai.state import files, history
from kometa_ai.state.schema import CollectionForgotten, ErrorMet, ErrorSeen, RunEnded, RunSummary, StatusChanged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from kometa_ai.core.report import RunReport
    from kometa_ai.run.options import Options
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import RunResults
    from kometa_ai.state.store import Store

_log = structlog.get_logger()


def new_run_id(now: datetime) -> str:
    """A run's name: when it began, and something that no other run has."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


async def run_and_report(
    parts: Parts,
    rules: Rules,
    options: Options,
    *,
    notify: Callable[[RunReport], Awaitable[list[Problem]]] | None = None,
    next_run: datetime | None = None,
    run_id: str | None = None,
) -> RunReport:
    """Do one run and return its report. Raise FixUsage where the options cannot be followed.

    The caller holds the lock of the state folder. Without a `run_id` the run names itself. `notify` is not called for a
    dry run; the problems it returns are added to the report as warnings, since a failing mail server never fails a run.
    """
    started = parts.now()
    run_id = run_id or new_run_id(started)
    with structlog.contextvars.bound_contextvars(run_id=run_id):
        _log.info(
            "run.started",
            dry_run=options.dry_run,
            collections=list(options.collections),
            only_movies=len(options.movies) or None,
        )
        interruption = parts.interruption
        parts = msgspec.structs.replace(parts, observer=Steps(parts.observer, interruption))
        run = Run(parts, rules, options, run_id)
        error, cut = await _go(run, parts)
        if interruption.is_left_behind:
            # Others have taken over: nothing of this run is told or written any more.
            raise asyncio.CancelledError
        parts.observer.step(Step.REPORTING)
        around = (*cut, *parts.store.alerts, *run.close_books())
        is_cut_short = bool(interruption.why) or interruption.is_cut
        frame = Frame(
            run_id=run_id,
            started=started,
            finished=parts.now(),
            dry_run=options.dry_run,
            only_movies=len(options.movies) or None,
            models=frozenset({rules.model, rules.review_model}),
            error=error,
            problems=around,
            interrupted=interruption.why,
            next_run=next_run,
            zone=parts.zone,
            redact=parts.redact,
        )
        report = make_report(run.results, parts.store.memory, parts.store.state, frame)
        report = _remember(report, run.results, parts, complete=error is None and not is_cut_short)
        if notify is not None and not options.dry_run:
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


async def _go(run: Run, parts: Parts) -> tuple[KometaAIError | None, tuple[Problem, ...]]:
    """Do the run; return the error that ended it, and the problem if it was cut short because its time was over."""
    interruption = parts.interruption
    try:
        await run.go()
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


async def _tell(
    report: RunReport, notify: Callable[[RunReport], Awaitable[list[Problem]]], parts: Parts
) -> list[Problem]:
    """Notify; where the program has to end before that is done, say so and nothing else: the run itself is over."""
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
    """A line for each problem and each warning of a report."""
    for problem in (*report.problems, *report.warnings):
        log_problem(REPORTED, problem)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _remember(report: RunReport, results: RunResults, parts: Parts, *, complete: bool) -> RunReport:
    """Keep a run's report, and put the run into the state. What cannot be written is a problem of the report."""
    store = parts.store
    report = _kept(report, store)
    entries: list[StatusChanged | CollectionForgotten | ErrorMet | RunEnded] = [
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
    if not report.dry_run:
        progress = statuses(report, results, store.state.collections, complete=complete)
        entries += [StatusChanged(slug=slug, status=status) for slug, status in progress.items()]
    if complete and not report.dry_run:
        gone = departed(report, results.reading.folder, store.state.collections)
        entries += [CollectionForgotten(slug=slug) for slug in gone]
    entries.append(RunEnded(run=summary_of(report)))
    try:
        store.record(*entries)
        store.seen((movie.tmdb_id for movie in results.movies), report.finished)
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
    """Keep a report; where that fails, it has one problem more."""
    try:
        history.keep(store.folder, report)
    except RepairState as error:
        return _with_problem(report, error)
    return report


def _with_problem(report: RunReport, error: RepairState) -> RunReport:
    """The report of a run that could not be written down: whatever it did, it is not in order."""
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
        collection_cost_usd={c.slug: c.cost_usd for c in report.collections if c.cost_usd},
    )


def _with_warnings(report: RunReport, warnings: list[Problem]) -> RunReport:
    return msgspec.structs.replace(report, warnings=(*report.warnings, *warnings)) if warnings else report
