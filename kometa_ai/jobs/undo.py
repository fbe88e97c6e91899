"""Take one run's tag changes back; what was taken back stays so, as a pin, until it is released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from kometa_ai.core.changes import Change, TagChange
from kometa_ai.core.decision import Pin
from kometa_ai.core.naming import Slug
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.errors import FixUsage, RepairState
from kometa_ai.jobs.running import new_run_id
from kometa_ai.state import history
from kometa_ai.state.schema import Pinned, Tagged
from kometa_ai.tags.apply import Applied, apply_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kometa_ai.core.movie import Movie
    from kometa_ai.core.report import RunReport
    from kometa_ai.run.parts import Parts


class Reverted(msgspec.Struct, frozen=True, kw_only=True):
    """A movie and the tag that it has again, or no longer."""

    title: str
    year: int
    tmdb_id: int
    tag: str

    def __str__(self) -> str:
        return f"{self.title} ({self.year}): {self.tag}" if self.year else f"{self.title}: {self.tag}"


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What was, or in a dry run would be, taken back; `left` are changes that something else has overtaken.

    `collections` are the names of those whose tags were changed and that others may be told of.
    """

    run_id: str
    dry_run: bool
    added: tuple[Reverted, ...]
    removed: tuple[Reverted, ...]
    left: tuple[Reverted, ...]
    collections: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


async def undo(parts: Parts, run_id: str, *, dry_run: bool) -> Undone:
    """Take back what a run changed and nobody has changed since. Raise FixUsage for an unknown run, or CheckRadarr."""
    report = history.recall(parts.store.folder, run_id)
    if not report.changes:
        raise _nothing_to_undo(run_id, report)
    await parts.library.check()
    library = await parts.library.contents()
    movies = {movie.tmdb_id: movie for movie in library.movies}
    names = {Slug(collection.slug): collection.name for collection in report.collections}
    wanted: list[Change] = []
    problems: list[Problem] = [*parts.store.alerts]
    left: list[Reverted] = []
    for change in report.changes:
        movie = movies.get(change.tmdb_id)
        if movie is None or (change.tag in movie.labels) is not (change.operation == "add"):
            left.append(_reverted(change, change.tag))
            continue
        opposite: Literal["add", "remove"] = "remove" if change.operation == "add" else "add"
        wanted.append(
            Change(
                movie=movie,
                slug=change.collection,
                collection_name=names.get(change.collection, change.collection),
                label=change.tag,
                operation=opposite,
            )
        )
    if dry_run:
        return _undone(run_id, wanted, left, dry_run=True)
    untold = {collection.slug for collection in report.collections if collection.untold}
    undo_id = new_run_id(parts.now())

    def remember(done: Sequence[Change]) -> None:
        entries = [entry for change in done for entry in _entries(parts, change, undo_id, run_id)]
        _keep(problems, lambda: parts.store.record(*entries))

    applied = Applied()
    await apply_changes(parts.library, wanted, library, remember, applied)
    _keep(problems, lambda: parts.store.save(parts.now()))
    told = tuple(
        msgspec.structs.replace(problem, what=parts.redact(problem.what))
        for problem in (*applied.problems, *applied.warnings, *problems)
    )
    names_told = dict.fromkeys(change.collection_name for change in applied.done if change.slug not in untold)
    return msgspec.structs.replace(
        _undone(run_id, applied.done, left, dry_run=False, problems=told), collections=tuple(names_told)
    )


def _nothing_to_undo(run_id: str, report: RunReport) -> FixUsage:
    if not report.failed or report.dry_run:
        return FixUsage(f"The run {run_id} changed nothing.", "There is nothing to take back.")
    return FixUsage(
        f"Radarr confirmed no change of the run {run_id}; {counted(report.failed, 'change')} failed or had no answer.",
        "Look in Radarr which movies have the tag; to keep one in or out, pin it in the block.",
    )


def _keep(problems: list[Problem], write: Callable[[], None]) -> None:
    """Write to the state; where that fails the tags are right all the same, but the pins may be lost: say so."""
    try:
        write()
    except RepairState as error:
        problems.append(Problem(source="state", what=error.message, remedy=error.remedy))


def _entries(parts: Parts, change: Change, undo_id: str, undoes: str) -> tuple[Tagged, Pinned]:
    movie, now = change.movie, parts.now()
    return (
        Tagged(
            change=TagChange(
                at=now,
                run_id=undo_id,
                tmdb_id=movie.tmdb_id,
                title=movie.title,
                year=movie.year,
                collection=change.slug,
                tag=change.label,
                operation=change.operation,
                undoes=undoes,
            )
        ),
        Pinned(
            pin=Pin(
                tmdb_id=movie.tmdb_id,
                slug=change.slug,
                include=change.operation == "add",
                title=str(movie),
                imdb_id=movie.imdb_id,
                since=now,
            )
        ),
    )


def _reverted(movie: Movie | TagChange, tag: str) -> Reverted:
    return Reverted(title=movie.title, year=movie.year, tmdb_id=movie.tmdb_id, tag=tag)


def _undone(
    run_id: str,
    changes: Sequence[Change],
    left: Sequence[Reverted],
    *,
    dry_run: bool,
    problems: tuple[Problem, ...] = (),
) -> Undone:
    def reverted(operation: str) -> tuple[Reverted, ...]:
        return tuple(_reverted(change.movie, change.label) for change in changes if change.operation == operation)

    return Undone(
        run_id=run_id,
        dry_run=dry_run,
        added=reverted("add"),
        removed=reverted("remove"),
        left=tuple(left),
        collections=tuple(dict.fromkeys(change.collection_name for change in changes)),
        problems=problems,
    )
