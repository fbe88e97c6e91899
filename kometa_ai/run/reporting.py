"""Make the report of a run, and the statuses of its collections, from its results and the state as data. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.__version__ import __version__
from kometa_ai.asking.tally import Spent
from kometa_ai.core.collection import collection_key
from kometa_ai.core.decision import Cause
from kometa_ai.core.item import ItemKey, by_kind, kind_of, number_of
from kometa_ai.core.item import Kind as ItemKind
from kometa_ai.core.model import ProviderName
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import CollectionReport, LibraryLine, MovieLine, Outcome, RunReport
from kometa_ai.core.summary import in_order, marked
from kometa_ai.errors import CheckLibrary, CheckModel, KometaAIError
from kometa_ai.judging.mutual import Managed, managed_tag
from kometa_ai.judging.planning import may_turn
from kometa_ai.run.batches import with_anthropic
from kometa_ai.run.failure import interrupted_code, outcome_of, problems_of_error
from kometa_ai.run.orphans import former_tags, orphans
from kometa_ai.run.problems import pinned_elsewhere, problems_of, warnings_of
from kometa_ai.run.spending import of_month, total
from kometa_ai.state.schema import HELD_BACK, CollectionStatus
from kometa_ai.tags.plan import FEW_ADDITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime, tzinfo

    from kometa_ai.core.changes import Change
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Memory
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.judging.policy import Gates
    from kometa_ai.library.port import Operation
    from kometa_ai.run.orphans import Statuses
    from kometa_ai.run.results import Judging, LibraryFound, Reading, RunResults
    from kometa_ai.state.schema import RunSummary, Snapshot


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is about: which run, when, and how it ended (`error`, `interrupted`).

    `problems` are those that were met outside of the run's steps. `can_collect` says that answers of batches can be
    taken from Anthropic. `titles` are what texts call the providers of the models.
    """

    run_id: str
    started: datetime
    finished: datetime
    dry_run: bool
    only_movies: int | None = None
    only_items: Mapping[ItemKind, int] = {}
    models: frozenset[str]
    titles: Mapping[ProviderName, str] = {}
    error: KometaAIError | None = None
    problems: tuple[Problem, ...] = ()
    can_collect: bool = True
    interrupted: str = ""
    next_run: datetime | None = None
    zone: tzinfo = UTC
    redact: Callable[[str], str] = str


def make_report(results: RunResults, memory: Memory, snapshot: Snapshot, frame: Frame) -> RunReport:
    """Say what a run did, or would have done, and what needs the operator. `memory` and `snapshot` are the state."""
    asked = with_anthropic(
        snapshot.batches, results.reading.collections, results.subjects, can_collect=frame.can_collect
    )
    is_waiting = results.waiting is not None
    problems = [
        *problems_of(results, frame.models, frame.problems, frame.titles),
        *(() if is_waiting else asked),
        *problems_of_error(frame.error, (library.title for library in results.reading.libraries if library.error)),
    ]
    collections = _collections(results, memory, frame, snapshot.runs)
    warnings = [
        *warnings_of(results, frame.models, frame.titles),
        *pinned_elsewhere(results.hand_edits, {each.key for each in collections}),
        *(msgspec.structs.replace(each, severity="warning") for each in asked if is_waiting),
    ]
    names = _names(results.reading)
    dated = tuple(
        msgspec.structs.replace(_told(problem, names, frame.redact), at=problem.at or frame.finished)
        for problem in problems
    )
    spent = total(results.spent.values())
    outcome, exit_code = _ending(results, frame, dated, pending=sum(c.pending for c in collections))
    return RunReport(
        run_id=frame.run_id,
        version=__version__,
        started=frame.started,
        finished=frame.finished,
        dry_run=frame.dry_run,
        outcome=outcome,
        exit_code=exit_code,
        only_movies=frame.only_movies,
        only_items=dict(frame.only_items),
        only_collections=_only(results.reading),
        library=len(results.reading.items),
        items=by_kind(item.key for item in results.reading.items),
        libraries=tuple(map(_library_line, results.reading.libraries)),
        collections=collections,
        orphans=orphans(results, snapshot.collections),
        problems=dated,
        warnings=tuple(_told(warning, names, frame.redact) for warning in warnings),
        tokens=spent.tokens,
        cost_usd=round(spent.cost_usd, 6),
        unpriced_requests=spent.unpriced_requests,
        unclear_requests=spent.unclear_requests,
        month=of_month(snapshot.spending, frame.finished, frame.zone),
        decisions_by_other_models=by_other_models(results.reading.collections, results.subjects, memory, frame.models),
        changes=results.writing.recorded if results.writing else (),
        next_run=frame.next_run,
    )


def _library_line(library: LibraryFound) -> LibraryLine:
    return LibraryLine(
        name=library.name,
        title=library.title,
        kind=library.kind,
        items=len(library.contents.items) if library.contents else 0,
        error=library.error.message if library.error else "",
    )


def _names(reading: Reading) -> dict[str, str]:
    """What problems call the collections: by their keys, and by file and name, as the problems of files name them."""
    every = (*reading.folder.collections, *reading.collections)
    kinds = {library.kind for library in reading.libraries} | {each.kind for each in every}
    names = {str(each.key): marked(each.name, each.kind, kinds) for each in every}
    return names | {_in_file(each.source, each.name): names[each.key] for each in every}


def _in_file(source: str, name: str) -> str:
    return f"{source}\0{name}"


def _only(reading: Reading) -> tuple[str, ...]:
    """The collections that were chosen, where that is not all of them."""
    chosen = tuple(collection.name for collection in reading.collections)
    return chosen if len(chosen) < len(reading.folder.collections) else ()


def _told(problem: Problem, names: Mapping[str, str], redact: Callable[[str], str]) -> Problem:
    """Name the collection, and redact secrets: services are known to repeat the key that they refuse."""
    by_key = names.get(problem.collection, problem.collection)
    return msgspec.structs.replace(
        problem,
        what=redact(problem.what),
        remedy=redact(problem.remedy),
        collection=names.get(_in_file(problem.source, problem.collection), by_key),
    )


def _ending(results: RunResults, frame: Frame, problems: tuple[Problem, ...], *, pending: int) -> tuple[Outcome, int]:
    if frame.interrupted:
        return "interrupted", interrupted_code(frame.interrupted)
    if error := frame.error or _error_that_left_nothing_done(results):
        return outcome_of(error), error.exit_code
    if results.waiting is not None:
        return "waiting", 1
    if problems or pending:
        return "problems", 1
    return "ok", 0


def _error_that_left_nothing_done(results: RunResults) -> CheckModel | CheckLibrary | None:
    """The error that ended the asking, or that ended the writing before any change was made."""
    asking, writing = results.asking, results.writing
    if asking is not None and isinstance(asking.stopped, CheckModel):
        return asking.stopped
    if writing is None or writing.done or len(writing.stopped) < len(results.reading.libraries):
        return None
    return next(iter(writing.stopped.values()), None)


# Collections


def _collections(
    results: RunResults, memory: Memory, frame: Frame, runs: Iterable[RunSummary]
) -> tuple[CollectionReport, ...]:
    judging = results.judging
    if judging is None or not judging.memberships:
        return ()
    writing = results.writing
    would_change = results.plan.changes if frame.dry_run else ()
    changed, failed = (writing.done, writing.failed) if writing else (would_change, ())
    made, not_made, held_back = (_by_collection(each) for each in (changed, failed, results.plan.held_back))
    tagged = _tagged(results, changed)
    naming = _naming(results.reading)

    def lines(changes: Iterable[Change], only: Operation | None = None) -> tuple[MovieLine, ...]:
        return _lines([c for c in changes if only in (None, c.operation)], naming, judging, memory)

    def waiting(of: CollectionKey, only: Operation | None = None) -> tuple[MovieLine, ...]:
        found = [each for each in results.plan.in_review if each.change.collection == of]
        until = {each.change.movie.key: each.until for each in found}
        return tuple(
            msgspec.structs.replace(line, until=until[line.key].astimezone(frame.zone))
            for line in lines((each.change for each in found), only)
        )

    reports = []
    for collection in results.reading.collections:
        key = collection.key
        asked = results.spent.get(key) or Spent()
        spent = total([asked])
        reports.append(
            CollectionReport(
                name=collection.name,
                slug=collection.slug,
                kind=collection.kind,
                kind_because=collection.kind_because,
                tag=collection.label,
                members=len(tagged.get(managed_tag(collection), ())),
                added=lines(made.get(key, ()), "add"),
                removed=lines(made.get(key, ()), "remove"),
                held_back=lines(held_back.get(key, ())),
                held_back_additions=lines(held_back.get(key, ()), "add"),
                in_review=waiting(key),
                in_review_additions=waiting(key, "add"),
                began_to_wait=len(_began_to_wait(results, key, frame, runs)),
                failed=lines(not_made.get(key, ())),
                pinned_in=results.hand_edits.pinned_in.get(key, ()),
                pinned_out=results.hand_edits.pinned_out.get(key, ()),
                asked=asked.answers,
                pending=len(may_turn(judging.asking.open_questions.get(key, {}))),
                reasons=judging.asking.reasons.get(key, {}),
                tokens=spent.tokens,
                cost_usd=round(spent.cost_usd, 6),
                seconds=round(asked.seconds, 3),
                untold=collection.untold,
            )
        )
    return tuple(reports)


def _by_collection(changes: Iterable[Change]) -> Mapping[CollectionKey, Sequence[Change]]:
    found: dict[CollectionKey, list[Change]] = {}
    for change in changes:
        found.setdefault(change.collection, []).append(change)
    return found


def _began_to_wait(
    results: RunResults, of: CollectionKey, frame: Frame, runs: Iterable[RunSummary]
) -> AbstractSet[ItemKey]:
    """The items of which a change waits for a person, and no report was sent that tells it.

    They wait since this run, or since one that was not about everything, or that was a dry run.
    """
    told = [run.finished for run in runs if run.tells_everything and run.run_id != frame.run_id]
    return {
        each.change.movie.key
        for each in results.plan.in_review
        if each.change.collection == of
        if each.since >= frame.started or (told and each.since > max(told))
    }


def _tagged(results: RunResults, changed: Iterable[Change]) -> Mapping[Managed, AbstractSet[ItemKey]]:
    """The items that have each collection's tag after these changes, in whichever library."""
    managed = {managed_tag(collection) for collection in results.reading.collections}
    having: dict[Managed, set[tuple[str, ItemKey]]] = {tag: set() for tag in managed}
    for library, items in results.contents.items():
        for item in items:
            for label in item.labels:
                if (tag := (kind_of(item.key), label)) in having:
                    having[tag].add((library, item.key))
    for change in changed:
        held = having[kind_of(change.movie.key), change.label]
        (held.add if change.operation == "add" else held.discard)((change.library, change.movie.key))
    return {tag: {key for _, key in held} for tag, held in having.items()}


def _naming(reading: Reading) -> frozenset[ItemKind]:
    """The kinds that several libraries hold: there a line says which ones it is about."""
    kinds = Counter(library.kind for library in reading.libraries)
    return frozenset(kind for kind, count in kinds.items() if count > 1)


def _lines(
    changes: Iterable[Change], naming: AbstractSet[ItemKind], judging: Judging, memory: Memory
) -> tuple[MovieLine, ...]:
    """A line for each item, however many libraries hold it."""
    by_item: dict[ItemKey, list[Change]] = {}
    for change in changes:
        by_item.setdefault(change.movie.key, []).append(change)
    return in_order(
        MovieLine(
            title=first.movie.title,
            year=first.movie.year,
            key=key,
            libraries=tuple(dict.fromkeys(change.library for change in of_item)) if kind_of(key) in naming else (),
            reason=_why(first, judging.gates, memory),
        )
        for key, (first, *_), of_item in ((key, of_item, of_item) for key, of_item in by_item.items())
    )


def _why(change: Change, gates: Mapping[CollectionKey, Gates], memory: Memory) -> str:
    of_collection = gates[change.collection]
    if (pin := of_collection.chosen.get(change.movie.key)) is not None:
        return f"{of_collection.causes[change.movie.key]} {pin.because}"
    cause = of_collection.causes.get(change.movie.key)
    if cause is not None:
        return cause
    known = memory.get(change.movie.key)
    decision = known.collections.get(change.slug) if known else None
    if decision is None:
        return Cause.UNDECIDED
    return f"{decision.confidence:.2f}" + (f" {decision.reasoning}" if decision.reasoning else "")


def by_other_models(
    collections: Iterable[Collection], subjects: Iterable[ItemKey], memory: Memory, models: frozenset[str]
) -> int:
    """How many decisions about these were made by none of the models in use. None is asked for again by itself."""
    here = {collection.key for collection in collections}
    others = [
        collection_key(kind_of(key), slug)
        for key in subjects
        if key in memory
        for slug, decision in memory[key].collections.items()
        if decision.model not in models
    ]
    return sum(key in here for key in others)


# State


def statuses(
    report: RunReport, results: RunResults, known: Statuses, *, complete: bool
) -> dict[CollectionKey, CollectionStatus]:
    """The status of each collection after a run. Only a `complete` run has carried out the collections' blocks.

    `known` are the statuses before it.
    """
    by_key = {collection.key: collection for collection in report.collections}
    here = [
        (collection, by_key[collection.key], known.get(collection.key))
        for collection in results.reading.collections
        if collection.key in by_key
    ]
    unshown = {change.collection for change in results.plan.unshown}
    if report.only_movies is not None:
        return {each.key: _status_after_some(each, line, results, before) for each, line, before in here}
    return {
        each.key: _status(
            each,
            line,
            results,
            before,
            complete=complete and each.key not in unshown and _was_everywhere(each, results),
            now=report.finished,
        )
        for each, line, before in here
    }


def _status_after_some(
    collection: Collection, report: CollectionReport, results: RunResults, before: CollectionStatus | None
) -> CollectionStatus:
    """The status after a run for some movies, which knows nothing of the others and carries out no block."""
    if before is None:
        # Remember it, since movies have its tag: without the collection that is an orphan.
        before = CollectionStatus(name=collection.name, tag=collection.tag, source=collection.source, status="pending")
    status = "pending" if report.pending and before.status == "complete" else before.status
    now_held = _holds(report)
    operations: tuple[Operation, ...] = ("add", "remove")
    return msgspec.structs.replace(
        before,
        tag=collection.tag,
        former_tags=former_tags(collection, before, results),
        status=HELD_BACK if report.held_back else status,
        members=report.members,
        pending=max(before.pending, report.pending),
        first_build_open=before.first_build_open or _was_empty(report),
        holds=tuple(each for each in operations if before.is_held_back(each) or each in now_held),
    )


def _was_everywhere(collection: Collection, results: RunResults) -> bool:
    """Whether every library that the collection is for could be read and written."""
    stopped = results.writing.stopped if results.writing else {}
    return all(
        library.contents is not None and library.name not in stopped
        for library in results.reading.libraries
        if collection.is_for(library.kind, library.name)
    )


def _holds(report: CollectionReport) -> tuple[Operation, ...]:
    held: list[Operation] = []
    if report.held_back_additions:
        held.append("add")
    if report.held_back_removals:
        held.append("remove")
    return tuple(held)


def _was_empty(report: CollectionReport) -> bool:
    """Whether no movie had the tag before the run."""
    return report.members == len(report.added) - len(report.removed)


def _status(
    collection: Collection,
    report: CollectionReport,
    results: RunResults,
    before: CollectionStatus | None,
    *,
    complete: bool,
    now: datetime,
) -> CollectionStatus:
    was_edited = before is not None and before.is_edited(collection.block_hash)
    is_complete = not (report.pending or report.failed or report.held_back)
    # What waits for a person goes through by itself one day: the brake must not take it for something new then.
    is_carried_out = complete and is_complete and not report.in_review
    is_building = _was_empty(report) or (before is not None and before.first_build_open)
    last_asked = results.asking.last_asked.get(collection.key) if results.asking else None
    return CollectionStatus(
        name=collection.name,
        tag=collection.tag,
        former_tags=former_tags(collection, before, results),
        source=collection.source,
        status=HELD_BACK if report.held_back else "complete" if is_complete and complete else "pending",
        members=report.members,
        pending=report.pending,
        last_run=now,
        last_processed_movie=number_of(last_asked) if last_asked else before.last_processed_movie if before else None,
        block_hash=collection.block_hash if complete else before.block_hash if before else "",
        block_change_open=was_edited and not is_carried_out,
        first_build_open=is_building and not (complete and report.pending + len(report.failed) <= FEW_ADDITIONS),
        holds=_holds(report),
    )
