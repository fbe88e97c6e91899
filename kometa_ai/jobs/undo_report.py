"""Say what an undo took back, or would take back: its report as a run, and the same in brief. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.__version__ import __version__
from kometa_ai.core.changes import Change, TagChange
from kometa_ai.core.choice import Pin
from kometa_ai.core.collection import collection_key
from kometa_ai.core.item import ItemKey, Kind, by_kind, dated, kind_of, name_item
from kometa_ai.core.naming import CollectionKey, Label
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import CollectionReport, LibraryLine, MovieLine, Outcome, RunReport
from kometa_ai.core.summary import in_order, marked
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.port import Contents
from kometa_ai.run.failure import interrupted_code, outcome_of, problems_of_error
from kometa_ai.run.spending import of_month
from kometa_ai.tags.apply import Applied, made_of
from kometa_ai.tags.reversal import Opposed, Reversal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.report import Spending
    from kometa_ai.run.reporting import Frame


class Reverted(msgspec.Struct, frozen=True, kw_only=True):
    """An item and the tag that it has again, or no longer; in which library, where there are several of its kind."""

    title: str
    year: int
    key: ItemKey
    tmdb_id: int = 0
    tag: str
    library: str = ""

    def __str__(self) -> str:
        where = f" ({self.library})" if self.library else ""
        return f"{dated(self.title, self.year)}{where}: {self.tag}"

    def __post_init__(self) -> None:
        name_item(self, self.key, self.tmdb_id)


class Undone(msgspec.Struct, frozen=True, kw_only=True):
    """What was, or in a dry run would be, taken back; `left` are changes that something else has overtaken.

    `replaced_pins` said the opposite of what is pinned now. `kept_pins` were made since an undo, and say the opposite
    of what taking it back has done: the next run follows them.
    `run_id` is the run that was taken back, `undo_id` the run that did it, empty for a preview. `collections` are the
    names of those whose tags were changed and that others may be told of. `undone_by` is an earlier undo that has left
    nothing to take back.
    """

    run_id: str
    dry_run: bool
    added: tuple[Reverted, ...] = ()
    removed: tuple[Reverted, ...] = ()
    left: tuple[Reverted, ...] = ()
    replaced_pins: tuple[Pin, ...] = ()
    kept_pins: tuple[Pin, ...] = ()
    undone_by: str = ""
    collections: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    undo_id: str
    outcome: Outcome
    exit_code: int


class Undoing(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo has found and done, however far it came.

    `undone` is the report of the run that is taken back, `earlier` the undo that has left nothing to take back.
    `contents` are those of each library by its name, as they were read, and `applied` what became of its changes.
    `kinds` are those of all libraries, one for each.
    """

    undone: RunReport
    dry_run: bool
    plan: Reversal
    earlier: str
    opposed: Opposed
    contents: Mapping[str, Contents]
    lines: tuple[LibraryLine, ...]
    kinds: tuple[Kind, ...]
    applied: Mapping[str, Applied]
    tag_changes: tuple[TagChange, ...]
    problems: tuple[Problem, ...]

    def report(self, frame: Frame, spending: Mapping[str, Spending]) -> RunReport:
        """The report of the undo as a run; `spending` is that of the months."""
        collections, made = tuple(self._collections()), made_of(self.applied.values())
        problems = self._dated(
            [
                *made.problems,
                *self.problems,
                *frame.problems,
                *problems_of_error(frame.error, (line.title for line in self.lines if line.error)),
            ],
            frame,
        )
        outcome, exit_code = self._ending(frame, has_problems=bool(problems))
        items = {item.key for each in self.contents.values() for item in each.items}
        return RunReport(
            run_id=frame.run_id,
            version=__version__,
            started=frame.started,
            finished=frame.finished,
            dry_run=frame.dry_run,
            outcome=outcome,
            exit_code=exit_code,
            kind="undo",
            undoes=self.undone.run_id,
            only_collections=tuple(collection.name for collection in collections),
            libraries=tuple(self.lines),
            library=len(items),
            items=by_kind(items),
            collections=collections,
            problems=problems,
            warnings=self._dated([*made.warnings, *self._overtaken()], frame),
            month=of_month(spending, frame.finished, frame.zone),
            changes=tuple(self.tag_changes),
            next_run=frame.next_run,
        )

    def _ending(self, frame: Frame, *, has_problems: bool) -> tuple[Outcome, int]:
        if frame.interrupted:
            return "interrupted", interrupted_code(frame.interrupted)
        if frame.error is not None:
            return outcome_of(frame.error), frame.error.exit_code
        stopped = [each for each in self.applied.values() if each.stopped is not None and not each.done]
        if stopped and len(stopped) == len(self.contents):
            return "library unusable", CheckLibrary.exit_code
        return ("problems", 1) if has_problems else ("ok", 0)

    def in_brief(self, report: RunReport) -> Undone:
        """What the report says, in brief."""
        changes = self._done()
        told = {collection.name for collection in report.collections if not collection.untold or report.dry_run}
        names = dict.fromkeys(change.collection_name for change in changes if change.collection_name in told)
        overtaken = {warning.what for warning in self._overtaken()}
        replaced, kept = self.opposed.about(changes)
        return Undone(
            run_id=self.undone.run_id,
            dry_run=report.dry_run,
            added=tuple(
                self._reverted(change.movie, change.label, change.library)
                for change in changes
                if change.operation == "add"
            ),
            removed=tuple(
                self._reverted(change.movie, change.label, change.library)
                for change in changes
                if change.operation == "remove"
            ),
            left=tuple(self._reverted(change, change.tag, change.library) for change in self.plan.left),
            replaced_pins=replaced,
            kept_pins=kept,
            undone_by=self.earlier,
            collections=tuple(names),
            problems=(*report.problems, *(each for each in report.warnings if each.what not in overtaken)),
            undo_id=report.run_id,
            outcome=report.outcome,
            exit_code=report.exit_code,
        )

    def _lines_of(
        self, changes: Iterable[Change], collection: CollectionKey, operation: str | None
    ) -> tuple[MovieLine, ...]:
        """A line for each item of these changes, however many libraries hold it."""
        by_item: dict[ItemKey, list[Change]] = {}
        for change in changes:
            if change.collection == collection and operation in (None, change.operation):
                by_item.setdefault(change.movie.key, []).append(change)
        return in_order(
            MovieLine(
                title=first.movie.title,
                year=first.movie.year,
                key=key,
                libraries=tuple(filter(None, (self._named(key, change.library) for change in (first, *others)))),
                reason="undone",
            )
            for key, (first, *others) in by_item.items()
        )

    def _reverted(self, item: AnyItem | TagChange, tag: str, library: str) -> Reverted:
        return Reverted(title=item.title, year=item.year, key=item.key, tag=tag, library=self._named(item.key, library))

    def _named(self, key: ItemKey, library: str) -> str:
        """The library's name, where there are several of its kind."""
        return library if self.kinds.count(kind_of(key)) > 1 else ""

    def _done(self) -> Sequence[Change]:
        return self.plan.changes if self.dry_run else made_of(self.applied.values()).done

    def _collections(self) -> Iterable[CollectionReport]:
        """What became of each collection that the undo is about."""
        before = {collection.key: collection for collection in self.undone.collections}
        tags = dict.fromkeys((kind_of(c.movie.key), c.slug, c.label) for c in self.plan.changes)
        for kind, slug, label in tags:
            collection = collection_key(kind, slug)
            added = self._lines_of(self._done(), collection, "add")
            removed = self._lines_of(self._done(), collection, "remove")
            tagged = self._tagged(kind, label)
            known = before.get(collection)
            yield CollectionReport(
                name=known.name if known else slug,
                slug=slug,
                kind=kind,
                tag=label,
                members=len(tagged),
                added=added,
                removed=removed,
                failed=self._lines_of(made_of(self.applied.values()).failed, collection, None),
                untold=known.untold if known else "",
            )

    def _tagged(self, kind: Kind, label: Label) -> frozenset[ItemKey]:
        """The items that have the tag now, in whichever library."""
        having = {
            (name, item.key)
            for name, contents in self.contents.items()
            for item in contents.items
            if kind_of(item.key) == kind and label in item.labels
        }
        for change in self._done():
            if change.label == label and kind_of(change.movie.key) == kind:
                place = (change.library, change.movie.key)
                (having.add if change.operation == "add" else having.discard)(place)
        return frozenset(key for _, key in having)

    def _overtaken(self) -> Iterable[Problem]:
        """A warning for each collection with changes that are not taken back."""
        library_titles = {library.name: library.title for library in self.lines}
        run = f"run {self.undone.run_id}"
        what, remedy = (
            (f"The {run} has been undone already, by {self.earlier}.", "Nothing to do.")
            if self.earlier
            else (
                f"Something else has changed these since the {run}; they are left.",
                "Nothing to do; to keep one in or out of the collection, pin it in the block.",
            )
        )
        items: dict[tuple[CollectionKey, str], list[str]] = {}
        for change in self.plan.left:
            items.setdefault((change.collection_key, change.library), []).append(dated(change.title, change.year))
        for (collection, library), titles in items.items():
            yield Problem(
                source=library_titles.get(library, library),
                what=what,
                remedy=remedy,
                collection=collection,
                movies=tuple(titles),
                severity="warning",
            )

    def _dated(self, problems: Iterable[Problem], frame: Frame) -> tuple[Problem, ...]:
        """Problems with the collection's name and the time, and without any secret."""
        undone = self.undone
        names = {str(each.key): marked(each.name, each.kind, undone.kinds) for each in undone.collections}
        return tuple(
            msgspec.structs.replace(
                problem,
                what=frame.redact(problem.what),
                remedy=frame.redact(problem.remedy),
                collection=names.get(problem.collection, problem.collection),
                at=problem.at or (frame.finished if problem.severity == "error" else None),
            )
            for problem in problems
        )
