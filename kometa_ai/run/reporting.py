"""The report of a run, made from what it found. Pure, but for what the state remembers."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING, Literal

import msgspec

from kometa_ai.__version__ import __version__
from kometa_ai.asking.outcomes import Spent
from kometa_ai.core.decision import Cause, Reason
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import CollectionReport, MovieLine, Outcome, RunReport
from kometa_ai.core.summary import in_order
from kometa_ai.errors import CheckClaude, CheckRadarr, FixConfiguration, KometaAIError, RepairState
from kometa_ai.run.batches import with_anthropic
from kometa_ai.run.orphans import former_tags, orphans
from kometa_ai.run.problems import problems_of, warnings_of
from kometa_ai.run.spending import of_month, total
from kometa_ai.state.schema import HELD_BACK, CollectionStatus
from kometa_ai.tags.plan import FEW_ADDITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime, tzinfo

    from kometa_ai.core.changes import Change
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.naming import Slug
    from kometa_ai.run.session import Findings
    from kometa_ai.state.store import Store


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is about: which run, when, and how it ended (`error`, `interrupted`)."""

    run_id: str
    started: datetime
    finished: datetime
    dry_run: bool
    only_movies: int | None = None
    models: frozenset[str]
    error: KometaAIError | None = None
    interrupted: str = ""
    next_run: datetime | None = None
    zone: tzinfo = UTC
    redact: Callable[[str], str] = str


def make_report(found: Findings, store: Store, frame: Frame) -> RunReport:
    """Say what a run did, or would have done, and what needs somebody."""
    problems = [
        *problems_of(found),
        *with_anthropic(found, store),
        *_error_problems(frame),
    ]
    names = {str(collection.slug): collection.name for collection in found.collections}
    dated = tuple(
        msgspec.structs.replace(_told(problem, names, frame.redact), at=problem.at or frame.finished)
        for problem in problems
    )
    collections = _collections(found, store, dry_run=frame.dry_run)
    spent = total(found.asker.spent.values() if found.asker else ())
    outcome, exit_code = _ending(found, frame, dated, pending=sum(c.pending for c in collections))
    return RunReport(
        run_id=frame.run_id,
        version=__version__,
        started=frame.started,
        finished=frame.finished,
        dry_run=frame.dry_run,
        outcome=outcome,
        exit_code=exit_code,
        only_movies=frame.only_movies,
        only_collections=_only(found),
        library=found.library,
        collections=collections,
        orphans=orphans(found, store),
        problems=dated,
        warnings=tuple(_told(warning, names, frame.redact) for warning in warnings_of(found)),
        tokens=spent.tokens,
        cost_usd=round(spent.cost_usd, 6),
        unpriced_requests=spent.unpriced_requests,
        unclear_requests=spent.unclear_requests,
        month=of_month(store.state.spending, frame.finished, frame.zone),
        decisions_by_other_models=_by_other_models(found, store, frame.models),
        changes=tuple(found.tag_changes),
        next_run=frame.next_run,
    )


def _only(found: Findings) -> tuple[str, ...]:
    """The collections that were chosen, where that is not all of them."""
    chosen = tuple(collection.name for collection in found.collections)
    return chosen if len(chosen) < len(found.folder.collections) else ()


def _told(problem: Problem, names: Mapping[str, str], redact: Callable[[str], str]) -> Problem:
    """Under the collection's name, and without any secret: services are known to repeat the key they refuse."""
    return msgspec.structs.replace(
        problem,
        what=redact(problem.what),
        remedy=redact(problem.remedy),
        collection=names.get(problem.collection, problem.collection),
    )


def _ending(found: Findings, frame: Frame, problems: tuple[Problem, ...], *, pending: int) -> tuple[Outcome, int]:
    if frame.interrupted:
        return "interrupted", 143 if frame.interrupted == "SIGTERM" else 130
    if frame.error is not None:
        outcomes = (outcome for kind, outcome in _OUTCOMES.items() if isinstance(frame.error, kind))
        return next(outcomes, "problems"), frame.error.exit_code
    if found.asker is not None and isinstance(found.asker.stopped, CheckClaude):
        return "claude unusable", CheckClaude.exit_code
    if found.applied is not None and found.applied.stopped is not None and not found.applied.done:
        return "radarr unusable", CheckRadarr.exit_code
    if problems or pending:
        return "problems", 1
    return "ok", 0


_OUTCOMES: Mapping[type[KometaAIError], Outcome] = {
    CheckRadarr: "radarr unusable",
    CheckClaude: "claude unusable",
    RepairState: "state unusable",
    FixConfiguration: "wrong configuration",
}


def _error_problems(frame: Frame) -> list[Problem]:
    match frame.error:
        case None:
            return []
        case FixConfiguration():
            return list(frame.error.problems)
        case CheckRadarr():
            source = "Radarr"
        case RepairState():
            source = "state"
        case _:
            source = ""
    return [Problem(source=source, what=frame.error.message, remedy=frame.error.remedy)]


# Collections


def _collections(found: Findings, store: Store, *, dry_run: bool) -> tuple[CollectionReport, ...]:
    if not found.memberships:
        return ()
    tagged = Counter(label for movie in found.movies for label in movie.labels)
    if found.applied is not None:
        changed, failed = found.applied.done, found.applied.failed
    else:
        changed, failed = (list(found.plan.changes) if dry_run else []), []
    reports = []
    for collection in found.collections:
        slug = collection.slug
        added = _lines(found, store, changed, slug, "add")
        removed = _lines(found, store, changed, slug, "remove")
        asked = (found.asker.spent.get(slug) if found.asker else None) or Spent()
        spent = total([asked])
        reports.append(
            CollectionReport(
                name=collection.name,
                slug=slug,
                tag=collection.label,
                members=tagged[collection.label] + len(added) - len(removed),
                added=added,
                removed=removed,
                held_back=_lines(found, store, found.plan.held_back, slug, None),
                held_back_additions=_lines(found, store, found.plan.held_back, slug, "add"),
                failed=_lines(found, store, failed, slug, None),
                asked=asked.answers,
                pending=sum(reason is not Reason.GIVEN_UP for reason in found.open_questions.get(slug, {}).values()),
                reasons=found.reasons.get(slug, {}),
                tokens=spent.tokens,
                cost_usd=round(spent.cost_usd, 6),
                seconds=round(asked.seconds, 3),
                untold=collection.untold,
            )
        )
    return tuple(reports)


def _lines(
    found: Findings, store: Store, changes: Iterable[Change], slug: Slug, operation: str | None
) -> tuple[MovieLine, ...]:
    lines = [
        MovieLine(
            title=change.movie.title,
            year=change.movie.year,
            tmdb_id=change.movie.tmdb_id,
            reason=_why(found, store, change),
        )
        for change in changes
        if change.slug == slug and operation in (None, change.operation)
    ]
    return in_order(lines)


def _why(found: Findings, store: Store, change: Change) -> str:
    cause = found.gates[change.slug].causes.get(change.movie.tmdb_id)
    if cause is not None:
        return cause
    known = store.memory.get(change.movie.tmdb_id)
    decision = known.collections.get(change.slug) if known else None
    if decision is None:
        return Cause.UNDECIDED
    return f"{decision.confidence:.2f}" + (f" {decision.reasoning}" if decision.reasoning else "")


def _by_other_models(found: Findings, store: Store, models: frozenset[str]) -> int:
    slugs = {collection.slug for collection in found.collections}
    remembered = (store.memory[tmdb_id] for tmdb_id in found.judged if tmdb_id in store.memory)
    return sum(
        decision.model not in models and slug in slugs
        for known in remembered
        for slug, decision in known.collections.items()
    )


# State


def statuses(report: RunReport, found: Findings, store: Store, *, complete: bool) -> dict[Slug, CollectionStatus]:
    """How far each collection has come. A run that did not get as far as its changes has carried out no block."""
    by_slug = {collection.slug: collection for collection in report.collections}
    here = [(collection, by_slug[collection.slug]) for collection in found.collections if collection.slug in by_slug]
    if report.only_movies is not None:
        return {
            collection.slug: _status_after_some(collection, line, found, store.state.collections.get(collection.slug))
            for collection, line in here
        }
    return {
        collection.slug: _status(collection, line, found, store, complete=complete, now=report.finished)
        for collection, line in here
    }


def _status_after_some(
    collection: Collection, report: CollectionReport, found: Findings, before: CollectionStatus | None
) -> CollectionStatus:
    """The status after a run that was about some movies: it knows nothing of the others, and carried out no block."""
    if before is None:
        # Known from now on, since it has tags: they are orphans when it goes.
        before = CollectionStatus(name=collection.name, tag=collection.tag, source=collection.source, status="pending")
    status = "pending" if report.pending and before.status == "complete" else before.status
    now_held = _holds(report)
    operations: tuple[Literal["add", "remove"], ...] = ("add", "remove")
    return msgspec.structs.replace(
        before,
        tag=collection.tag,
        former_tags=former_tags(collection, before, found),
        status=HELD_BACK if report.held_back else status,
        members=report.members,
        pending=max(before.pending, report.pending),
        first_build_open=before.first_build_open or _was_empty(report),
        holds=tuple(each for each in operations if before.is_held_back(each) or each in now_held),
    )


def _holds(report: CollectionReport) -> tuple[Literal["add", "remove"], ...]:
    add: tuple[Literal["add"], ...] = ("add",) if report.held_back_additions else ()
    remove: tuple[Literal["remove"], ...] = ("remove",) if report.held_back_removals else ()
    return (*add, *remove)


def _was_empty(report: CollectionReport) -> bool:
    """Whether no movie had the tag before the run."""
    return report.members == len(report.added) - len(report.removed)


def _status(
    collection: Collection,
    report: CollectionReport,
    found: Findings,
    store: Store,
    *,
    complete: bool,
    now: datetime,
) -> CollectionStatus:
    before = store.state.collections.get(collection.slug)
    was_edited = before is not None and before.is_edited(collection.block_hash)
    is_complete = not (report.pending or report.failed or report.held_back)
    is_building = _was_empty(report) or (before is not None and before.first_build_open)
    last_asked = found.last_asked.get(collection.slug)
    return CollectionStatus(
        name=collection.name,
        tag=collection.tag,
        former_tags=former_tags(collection, before, found),
        source=collection.source,
        status=HELD_BACK if report.held_back else "complete" if is_complete and complete else "pending",
        members=report.members,
        pending=report.pending,
        last_run=now,
        last_processed_movie=last_asked or (before.last_processed_movie if before else None),
        block_hash=collection.block_hash if complete else before.block_hash if before else "",
        block_change_open=was_edited and not (complete and is_complete),
        first_build_open=is_building and not (complete and report.pending + len(report.failed) <= FEW_ADDITIONS),
        holds=_holds(report),
    )
