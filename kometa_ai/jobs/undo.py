"""Take one run's tag changes back: a run of its own kind, whose plan is the reverse of what a report says.

What was taken back stays so, as a pin, until the pin is released. To take an undo back releases the pins that it made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, NoReturn

import msgspec

from kometa_ai.__version__ import __version__
from kometa_ai.core.changes import Change, TagChange
from kometa_ai.core.choice import Choices, Pin, said_of
from kometa_ai.core.collection import collection_key
from kometa_ai.core.item import SERVICES, ItemKey, Kind, by_kind, dated, kind_of, name_item
from kometa_ai.core.naming import CollectionKey, Label
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import CollectionReport, LibraryLine, MovieLine, Outcome, RunReport
from kometa_ai.core.summary import counted, in_order, in_words, marked
from kometa_ai.errors import CheckLibrary, FixUsage, KometaAIError, RepairState
from kometa_ai.jobs.running import carry_out
from kometa_ai.run.failure import interrupted_code, outcome_of
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.libraries import none_usable
from kometa_ai.run.library_files import LibraryFiles
from kometa_ai.run.reporting import Frame
from kometa_ai.run.spending import of_month
from kometa_ai.run.watching import Step
from kometa_ai.state import history
from kometa_ai.state.schema import Tagged
from kometa_ai.state.store import Seen
from kometa_ai.tags.apply import Applied, Made, apply_changes, made_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.jobs.running import Notify
    from kometa_ai.library.port import Contents
    from kometa_ai.run.parts import Parts
    from kometa_ai.state.schema import Entry


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller asked for: to take this run back, or (`dry_run`) only to show what that would change."""

    run_id: str
    dry_run: bool = False
    unattended: bool = False


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


class UndoPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The reverse of a run's changes, and those of its changes that something else has overtaken."""

    changes: tuple[Change, ...] = ()
    left: tuple[TagChange, ...] = ()


class UndoResult(msgspec.Struct, frozen=True):
    """The report of an undo, the same in brief, and the error that kept it from beginning."""

    report: RunReport
    undone: Undone
    error: KometaAIError | None = None


async def undo(
    parts: Parts,
    wanted: Undo,
    *,
    run_id: str,
    notify: Notify | None = None,
    next_run: datetime | None = None,
) -> UndoResult:
    """Take back what a run changed and nothing else has changed since. Raise FixUsage if there is nothing to take back.

    The caller holds the lock of the state folder.
    """
    undone = history.recall(parts.store.folder, wanted.run_id, suggest=True)
    check_undoable(undone)
    frame = Frame(
        run_id=run_id,
        started=parts.now(),
        finished=parts.now(),
        dry_run=wanted.dry_run,
        models=frozenset(),
        next_run=next_run,
        zone=parts.zone,
        redact=parts.redact,
    )
    works: list[_UndoRun] = []

    def work_of(watched: Parts) -> _UndoRun:
        works.append(_UndoRun(watched, undone, run_id, dry_run=wanted.dry_run))
        return works[0]

    about = {"kind": "undo", "undoes": wanted.run_id}
    report = await carry_out(parts, work_of, frame, about, notify=notify)
    return works[0].result(report)


async def preview(parts: Parts, run_id: str) -> Undone:
    """What taking a run back would change now. It is no run: nothing is written, and it has no id.

    Raise FixUsage if there is nothing to take back, CheckLibrary if no library can be used.
    """
    undone = history.recall(parts.store.folder, run_id, suggest=True)
    check_undoable(undone)
    work = _UndoRun(parts, undone, "", dry_run=True)
    await work.go()
    frame = Frame(
        run_id="",
        started=parts.now(),
        finished=parts.now(),
        dry_run=True,
        models=frozenset(),
        zone=parts.zone,
        redact=parts.redact,
    )
    return work.result(work.report(frame)).undone


def check_undoable(report: RunReport) -> None:
    """Raise FixUsage for the report of a run that changed nothing."""
    if not report.changes:
        raise _nothing_to_undo(report)


def plan_undo(undone: RunReport, contents: Mapping[str, Iterable[AnyItem]]) -> UndoPlan:
    """The reverse of each change of a run whose item still is as the run has left it. Pure.

    `contents` are the items of each library that can be used, by its name.
    """
    by_place = {(name, item.key): item for name, items in contents.items() for item in items}
    names = {collection.key: collection.name for collection in undone.collections}
    changes: list[Change] = []
    left: list[TagChange] = []
    for change in undone.changes:
        if change.library not in contents:
            continue
        movie = by_place.get((change.library, change.key))
        if movie is None or (change.tag in movie.labels) is not (change.operation == "add"):
            left.append(change)
            continue
        opposite: Literal["add", "remove"] = "remove" if change.operation == "add" else "add"
        changes.append(
            Change(
                movie=movie,
                slug=change.collection,
                collection_name=names.get(change.collection_key, change.collection),
                label=change.tag,
                library=change.library,
                operation=opposite,
            )
        )
    return UndoPlan(changes=tuple(changes), left=tuple(left))


def undone_by(undone: RunReport, plan: UndoPlan, made: Iterable[TagChange]) -> str:
    """The earlier undo that took back all changes of a run; empty if there is more to it. Pure."""
    latest = {(change.library, change.key, change.tag): change for change in made}
    found = [latest.get((change.library, change.key, change.tag)) for change in plan.left]
    by = {change.run_id if change and change.undoes == undone.run_id else "" for change in found}
    return by.pop() if len(by) == 1 and len(plan.left) == len(undone.changes) else ""


class Opposed(NamedTuple):
    """The pins that say the opposite of what taking a run back does: it replaces some, and others stay."""

    replaced: tuple[Pin, ...] = ()
    kept: tuple[Pin, ...] = ()

    def about(self, changes: Iterable[Change]) -> Opposed:
        """Those of them that are about some of the changes."""
        pairs = {(change.movie.key, change.slug) for change in changes}
        return Opposed(*(tuple(pin for pin in pins if pin.pair in pairs) for pins in self))


def opposed(undone: RunReport, changes: Iterable[Change], choices: Choices) -> Opposed:
    """The pins that say the opposite of changes which take a run back. Pure."""
    wanted = {(change.movie.key, change.slug): change.operation == "add" for change in changes}
    against = tuple(pin for pin in choices.pins if wanted.get(pin.pair, pin.include) is not pin.include)
    if undone.kind != "undo":
        return Opposed(replaced=against)
    return Opposed(kept=tuple(pin for pin in against if not _is_made_by(undone, pin)))


def _is_made_by(undone: RunReport, pin: Pin) -> bool:
    """Whether an undo has made a pin. Older ones do not say which undo it was."""
    return pin.origin == "undo" and pin.run_id in ("", undone.run_id)


def _nothing_to_undo(report: RunReport) -> FixUsage:
    if not report.failed or report.dry_run:
        return FixUsage(f"The run {report.run_id} changed nothing.", "There is nothing to take back.")
    asked = in_words([library.title for library in report.libraries]) or in_words([SERVICES[k] for k in report.kinds])
    items = " and ".join(f"{kind}s" for kind in report.kinds)
    return FixUsage(
        f"{asked} confirmed no change of the run {report.run_id}; {counted(report.failed, 'change')} failed or had no "
        "answer.",
        f"Look in {asked} which {items} have the tag; to keep one in or out, pin it in the block.",
    )


class _UndoRun:
    """An undo as work: read the libraries that the run changed, plan, apply; a dry run ends before apply."""

    def __init__(self, parts: Parts, undone: RunReport, run_id: str, *, dry_run: bool) -> None:
        self._parts = parts
        self._undone = undone
        self._run_id = run_id
        self._dry_run = dry_run
        self._keeper = Keeper(parts.store, parts.interruption.course)
        self._files = LibraryFiles(parts, self._keeper, run_id)
        self._contents: dict[str, Contents] = {}
        self._lines: list[LibraryLine] = []
        self._plan = UndoPlan()
        self._undone_by = ""
        self._opposed = Opposed()
        self._applied: dict[str, Applied] = {}
        self._tag_changes: list[TagChange] = []
        self._problems: list[Problem] = []
        self._error: KometaAIError | None = None

    async def go(self) -> None:
        parts = self._parts
        parts.observer.step(Step.FETCHING)
        await self._read()
        self._plan = plan_undo(self._undone, {name: each.items for name, each in self._contents.items()})
        self._undone_by = undone_by(self._undone, self._plan, parts.store.state.tag_changes)
        try:
            self._opposed = opposed(self._undone, self._plan.changes, parts.choices.read())
        except RepairState as error:
            self._problems.append(Problem(source="state", what=error.message, remedy=error.remedy))
        if self._dry_run or parts.interruption.why or not self._plan.changes:
            return
        parts.observer.step(Step.WRITING)
        for name, contents in self._contents.items():
            changes = [change for change in self._plan.changes if change.library == name]
            if changes and not parts.interruption.why:
                library = parts.library(name)
                applied = self._applied[name] = Applied(library.title)
                self._files.intend(name, changes)
                await apply_changes(library, changes, contents, self._remember, applied)

    async def _read(self) -> None:
        """Read each library that the run changed. Raise CheckLibrary where none of them can be used."""
        names = list(dict.fromkeys(change.library for change in self._undone.changes))
        there = {library.name: library for library in self._parts.libraries}
        errors: dict[str, CheckLibrary] = {}
        for name in names:
            try:
                library = there.get(name) or self._missing(name)
                await library.check()
                self._contents[name] = await library.contents()
                items = len(self._contents[name].items)
                self._lines.append(LibraryLine(name=name, title=library.title, kind=library.kind, items=items))
            except CheckLibrary as error:
                title = there[name].title if name in there else name
                if name in there:
                    kind = there[name].kind
                    self._lines.append(LibraryLine(name=name, title=title, kind=kind, error=error.message))
                self._problems.append(Problem(source=title, what=error.message, remedy=error.remedy))
                errors[title] = error
        if errors and not self._contents:
            self._problems.clear()
            raise next(iter(errors.values())) if len(errors) == 1 else none_usable(errors)

    def _missing(self, name: str) -> NoReturn:
        raise CheckLibrary(
            f"The run {self._undone.run_id} changed the library {name!r}, which there is not any more.",
            "Its changes are left; to take them back, give its address and key again.",
        )

    def report(self, frame: Frame) -> RunReport:
        self._error = frame.error
        self._leave()
        collections, made = tuple(self._collections()), self._made()
        problems = self._dated(
            [*made.problems, *self._problems, *frame.problems, *_error_problem(frame.error, self._lines)], frame
        )
        outcome, exit_code = self._ending(frame, has_problems=bool(problems))
        items = {item.key for each in self._contents.values() for item in each.items}
        return RunReport(
            run_id=frame.run_id,
            version=__version__,
            started=frame.started,
            finished=frame.finished,
            dry_run=frame.dry_run,
            outcome=outcome,
            exit_code=exit_code,
            kind="undo",
            undoes=self._undone.run_id,
            only_collections=tuple(collection.name for collection in collections),
            libraries=tuple(self._lines),
            library=len(items),
            items=by_kind(items),
            collections=collections,
            problems=problems,
            warnings=self._dated([*made.warnings, *self._overtaken()], frame),
            month=of_month(self._parts.store.state.spending, frame.finished, frame.zone),
            changes=tuple(self._tag_changes),
            next_run=frame.next_run,
        )

    def _leave(self) -> None:
        """Write how the libraries are left, so that nobody takes for a hand edit what was taken back."""
        if not self._dry_run:
            items = {name: each.items for name, each in self._contents.items()}
            self._problems += self._files.write(items, self._made().done, {}, lambda label, key: True)  # noqa: ARG005

    def _ending(self, frame: Frame, *, has_problems: bool) -> tuple[Outcome, int]:
        if frame.interrupted:
            return "interrupted", interrupted_code(frame.interrupted)
        if frame.error is not None:
            return outcome_of(frame.error), frame.error.exit_code
        stopped = [each for each in self._applied.values() if each.stopped is not None and not each.done]
        if stopped and len(stopped) == len(self._contents):
            return "library unusable", CheckLibrary.exit_code
        return ("problems", 1) if has_problems else ("ok", 0)

    def entries(self, report: RunReport, *, is_complete: bool) -> list[Entry]:
        """Nothing: changes and pins are remembered as they are confirmed."""
        del report, is_complete
        return []

    def seen(self) -> Seen:
        """Nothing: only a run of the libraries says what they hold."""
        return Seen()

    def result(self, report: RunReport) -> UndoResult:
        """The report, and the same in brief."""
        changes = self._done()
        told = {collection.name for collection in report.collections if not collection.untold or report.dry_run}
        names = dict.fromkeys(change.collection_name for change in changes if change.collection_name in told)
        overtaken = {warning.what for warning in self._overtaken()}
        replaced, kept = self._opposed.about(changes)
        undone = Undone(
            run_id=self._undone.run_id,
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
            left=tuple(self._reverted(change, change.tag, change.library) for change in self._plan.left),
            replaced_pins=replaced,
            kept_pins=kept,
            undone_by=self._undone_by,
            collections=tuple(names),
            problems=(*report.problems, *(each for each in report.warnings if each.what not in overtaken)),
            undo_id=report.run_id,
            outcome=report.outcome,
            exit_code=report.exit_code,
        )
        return UndoResult(report, undone, self._error)

    def _remember(self, done: Sequence[Change]) -> None:
        """Put changes that a library has confirmed into the state, and what follows from them into the choices."""
        changes = [self._tag_change(change) for change in done]
        self._tag_changes += changes
        self._problems += self._keeper.record(*(Tagged(change=change) for change in changes))
        try:
            self._parts.choices.change(lambda choices: self._with_pins(choices, done))
        except RepairState as error:
            self._problems.append(Problem(source="state", what=error.message, remedy=error.remedy))

    def _with_pins(self, choices: Choices, done: Sequence[Change]) -> Choices:
        """Pin what was taken back. If that was an undo, release its own pins instead: all is as it was before it."""
        if self._undone.kind != "undo":
            return choices.with_pins(*map(self._pin, done))
        taken_back = {(change.movie.key, change.slug) for change in done}
        made = (pin for pin in choices.pins if _is_made_by(self._undone, pin) and pin.pair in taken_back)
        return choices.without_pins(*made)

    def _tag_change(self, change: Change) -> TagChange:
        movie, now = change.movie, self._parts.now()
        return TagChange(
            at=now,
            run_id=self._run_id,
            library=change.library,
            key=movie.key,
            title=movie.title,
            year=movie.year,
            collection=change.slug,
            tag=change.label,
            operation=change.operation,
            undoes=self._undone.run_id,
        )

    def _pin(self, change: Change) -> Pin:
        movie = change.movie
        return Pin(
            key=movie.key,
            slug=change.slug,
            include=change.operation == "add",
            title=str(movie),
            imdb_id=movie.imdb_id,
            since=self._parts.now(),
            said=said_of(self._parts.store.memory, movie.key, change.slug),
            run_id=self._run_id,
        )

    # For the report

    def _made(self) -> Made:
        """What has become of the changes in all libraries."""
        return made_of(self._applied.values())

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
        return library if sum(each.kind == kind_of(key) for each in self._parts.libraries) > 1 else ""

    def _done(self) -> Sequence[Change]:
        return self._plan.changes if self._dry_run else self._made().done

    def _collections(self) -> Iterable[CollectionReport]:
        """What became of each collection that the undo is about."""
        before = {collection.key: collection for collection in self._undone.collections}
        tags = dict.fromkeys((kind_of(c.movie.key), c.slug, c.label) for c in self._plan.changes)
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
                failed=self._lines_of(self._made().failed, collection, None),
                untold=known.untold if known else "",
            )

    def _tagged(self, kind: Kind, label: Label) -> frozenset[ItemKey]:
        """The items that have the tag now, in whichever library."""
        having = {
            (name, item.key)
            for name, contents in self._contents.items()
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
        library_titles = {library.name: library.title for library in self._lines}
        run = f"run {self._undone.run_id}"
        what, remedy = (
            (f"The {run} has been undone already, by {self._undone_by}.", "Nothing to do.")
            if self._undone_by
            else (
                f"Something else has changed these since the {run}; they are left.",
                "Nothing to do; to keep one in or out of the collection, pin it in the block.",
            )
        )
        items: dict[tuple[CollectionKey, str], list[str]] = {}
        for change in self._plan.left:
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
        undone = self._undone
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


def _error_problem(error: KometaAIError | None, lines: Iterable[LibraryLine]) -> list[Problem]:
    if error is None:
        return []
    if isinstance(error, CheckLibrary):
        source = " and ".join(line.title for line in lines if line.error)
    else:
        source = "state" if isinstance(error, RepairState) else ""
    return [Problem(source=source, what=error.message, remedy=error.remedy)]
