"""Take one run's tag changes back: a run of its own kind, whose plan is the reverse of what a report says.

What was taken back stays so, as a pin, until the pin is released. To take an undo back releases the pins that it made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import msgspec

from kometa_ai.core.changes import Change, TagChange
from kometa_ai.core.choice import Choices, Pin, said_of
from kometa_ai.core.item import SERVICES
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import LibraryLine, RunReport
from kometa_ai.core.summary import counted, in_words
from kometa_ai.errors import CheckLibrary, FixUsage, KometaAIError, RepairState
from kometa_ai.jobs.running import carry_out
from kometa_ai.jobs.undo_report import Undoing, Undone
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.libraries import none_usable
from kometa_ai.run.library_files import LibraryFiles
from kometa_ai.run.reporting import Frame
from kometa_ai.run.watching import Step
from kometa_ai.state import history
from kometa_ai.state.schema import Tagged
from kometa_ai.state.store import Seen
from kometa_ai.tags.apply import Applied, apply_changes, made_of
from kometa_ai.tags.reversal import Opposed, Reversal, is_made_by, opposed, plan_reversal, undone_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kometa_ai.jobs.running import Notify
    from kometa_ai.library.port import Contents
    from kometa_ai.run.parts import Parts
    from kometa_ai.state.schema import Entry


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller asked for: to take this run back, or (`dry_run`) only to show what that would change."""

    run_id: str
    dry_run: bool = False
    unattended: bool = False


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
    undone = history.recall(parts.store.folder, wanted.run_id, suggest_in=parts.zone)
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
    undone = history.recall(parts.store.folder, run_id, suggest_in=parts.zone)
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
        self._plan = Reversal()
        self._earlier = ""
        self._opposed = Opposed()
        self._applied: dict[str, Applied] = {}
        self._tag_changes: list[TagChange] = []
        self._problems: list[Problem] = []
        self._error: KometaAIError | None = None

    async def go(self) -> None:
        parts = self._parts
        parts.observer.step(Step.FETCHING)
        await self._read()
        self._plan = plan_reversal(self._undone, {name: each.items for name, each in self._contents.items()})
        self._earlier = undone_by(self._undone, self._plan, parts.store.state.tag_changes)
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
        return self._undoing().report(frame, self._parts.store.state.spending)

    def _undoing(self) -> Undoing:
        return Undoing(
            undone=self._undone,
            dry_run=self._dry_run,
            plan=self._plan,
            earlier=self._earlier,
            opposed=self._opposed,
            contents=self._contents,
            lines=tuple(self._lines),
            kinds=tuple(library.kind for library in self._parts.libraries),
            applied=self._applied,
            tag_changes=tuple(self._tag_changes),
            problems=tuple(self._problems),
        )

    def result(self, report: RunReport) -> UndoResult:
        """The report, and the same in brief."""
        return UndoResult(report, self._undoing().in_brief(report), self._error)

    def _leave(self) -> None:
        """Write how the libraries are left, so that the next run takes nothing that was taken back for a hand edit."""
        if not self._dry_run:
            items = {name: each.items for name, each in self._contents.items()}
            done = made_of(self._applied.values()).done
            self._problems += self._files.write(items, done, {}, lambda label, key: True)  # noqa: ARG005

    def entries(self, report: RunReport, *, is_complete: bool) -> list[Entry]:
        """Nothing: changes and pins are remembered as they are confirmed."""
        del report, is_complete
        return []

    def seen(self) -> Seen:
        """Nothing: only a run of the libraries says what they hold."""
        return Seen()

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
        made = (pin for pin in choices.pins if is_made_by(self._undone, pin) and pin.pair in taken_back)
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
