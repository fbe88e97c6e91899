"""Read how each library was left, note what is about to be changed there, and write how a run leaves it."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.errors import RepairState
from kometa_ai.judging.hand_edits import Left
from kometa_ai.state.libraries import Header, Intended, Intent, intend, line_of, open_file, write
from kometa_ai.state.schema import LibraryRead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kometa_ai.core.changes import Change
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey, Label
    from kometa_ai.run.keeping import Keeper
    from kometa_ai.run.parts import Parts
    from kometa_ai.state.libraries import ItemLine, LibraryFile

    Managed = Mapping[Label, CollectionKey]

_OPEN = timedelta(hours=1)
"""A service may still carry out what a run sent that was killed so long ago."""
_COPIED = 600.0
"""Seconds after which a file cannot have been changed by the one who wrote it: then it is a copy."""
_RUNS = 10
_LATE = 1.05


class LibraryFiles:
    """The files of the libraries for one run; what is read of them is kept."""

    def __init__(self, parts: Parts, keeper: Keeper, run_id: str) -> None:
        self._parts = parts
        self._keeper = keeper
        self._run_id = run_id
        self._left: dict[str, Left | None] = {}
        self._open: dict[str, list[Intent]] = {}

    def left(self, library: str) -> Left | None:
        """How the last run left a library; None where nothing is known of it."""
        if library not in self._left:
            found = open_file(self._parts.store.folder, library)
            if found is None:
                self._left[library] = None
            else:
                with found:
                    self._left[library] = self._read(library, found)
        return self._left[library]

    def intend(self, library: str, changes: Iterable[Change]) -> None:
        """Note changes before they are sent. Raise RepairState where the file can neither take that nor be removed."""
        intended = tuple(Intended(change.movie.key, change.label, change.operation) for change in changes)
        if not intended:
            return
        intent = Intent(changes=intended, run_id=self._run_id, at=self._parts.now())
        self._open.setdefault(library, []).append(intent)
        intend(self._parts.store.folder, library, intent)

    def write(
        self,
        contents: Mapping[str, Sequence[AnyItem]],
        done: Iterable[Change],
        settled: Mapping[str, Managed],
        keeps: Callable[[Label, CollectionKey], bool],
    ) -> tuple[Problem, ...]:
        """Write how each library is left, by its name, and return the problem where one cannot be written.

        `contents` are its items as they were read last, `done` what it has confirmed since. `settled` are the labels
        that this run has cared for, each with its collection. Of the others `keeps` says whether the record of how the
        run before left them still counts.
        """
        changes = tuple(done)
        problems: list[Problem] = []
        for name, items in contents.items():
            made = [change for change in changes if change.library == name]
            try:
                self._write(name, items, made, settled.get(name, {}), keeps)
            except RepairState as error:
                problems.append(Problem(source="state", what=error.message, remedy=error.remedy))
        return tuple(problems)

    def _write(
        self,
        library: str,
        items: Sequence[AnyItem],
        made: Sequence[Change],
        settled: Managed,
        keeps: Callable[[Label, CollectionKey], bool],
    ) -> None:
        parts = self._parts
        seen = parts.store.state.libraries.get(library)
        if seen is None:  # it was not believed, but for this once
            return
        before = self.left(library)
        kept = {}
        if before is not None and not before.doubt:
            kept = {label: key for label, key in before.managed.items() if label not in settled and keeps(label, key)}
        header = Header(library=library, at=parts.now(), run_id=self._run_id, managed={**kept, **settled})
        done = {(change.movie.key, change.label) for change in made}
        write(parts.store.folder, header, _lines(items, made, before, kept, settled), self._still_open(library, done))
        self._keeper.record(LibraryRead(name=library, library=msgspec.structs.replace(seen, left_by=self._run_id)))

    def _read(self, library: str, found: LibraryFile) -> Left:
        items, intents = found.labels()
        header, parts = found.header, self._parts
        self._open[library] = [each for each in intents if parts.now() - each.at <= _OPEN]
        managed = frozenset(header.managed)
        seen = parts.store.state.libraries.get(library)
        doubt = ""
        if seen is None or seen.left_by != header.run_id:
            doubt = "the state and the record of how the last run left the library are not of the same run"
        elif not found.is_whole:
            doubt = "the record of how the last run left the library is damaged"
        elif _is_copy(found, intents) and self._is_late(header):
            doubt = f"STATE_DIR is a copy of {header.at:%Y-%m-%d}, and runs since then may be missing from it"
        return Left(
            at=header.at,
            managed=header.managed,
            labels={
                item.key: managed.intersection(item.labels if item.left is None else item.left)
                for item in items
                if not item.new
            },
            rows={item.key: item.id for item in items},
            ours=frozenset((key, label) for each in intents for key, label, _ in each.changes)
            | frozenset(
                (change.key, change.tag)
                for change in parts.store.state.tag_changes
                if change.library == library and change.at > header.at
            ),
            doubt=doubt,
        )

    def _is_late(self, header: Header) -> bool:
        """Whether more time has gone by than between any two of the last runs, so that one may be missing."""
        starts = [run.started for run in self._parts.store.state.runs[-_RUNS:]]
        usual = max((later - earlier for earlier, later in pairwise(starts)), default=timedelta())
        return self._parts.now() - header.at > usual * _LATE

    def _still_open(self, library: str, done: set[tuple[ItemKey, Label]]) -> Iterator[Intent]:
        """The intents without what was confirmed: of the others it is not known whether they were carried out."""
        for intent in self._open.get(library, ()):
            changes = tuple(each for each in intent.changes if each[:2] not in done)
            if changes:
                yield msgspec.structs.replace(intent, changes=changes)


def _is_copy(found: LibraryFile, intents: Sequence[Intent]) -> bool:
    """Whether the file came to its place later than it was written. Who restores a backup cannot set that time."""
    return found.changed > max(found.header.stamp, *(each.stamp for each in intents), 0.0) + _COPIED


def _lines(
    items: Iterable[AnyItem], made: Iterable[Change], before: Left | None, kept: Managed, settled: Managed
) -> Iterator[ItemLine]:
    """The line of each item, with what was done, and with its labels as they were left where that is `kept`."""
    by_item: dict[ItemKey, list[Change]] = {}
    for change in made:
        by_item.setdefault(change.movie.key, []).append(change)
    managed = kept.keys() | settled.keys()
    for read in items:
        changes = by_item.get(read.key, ())
        labels = _after(read.labels, changes)
        item = msgspec.structs.replace(read, labels=labels) if changes else read
        known = before.labels.get(item.key) if kept and before else labels
        if known is None:
            yield line_of(item, new=not settled)
            continue
        left = (labels & settled.keys()) | (_after(known, changes) & kept.keys())
        yield line_of(item, left=None if left == labels & managed else tuple(sorted(left)))


def _after(labels: frozenset[Label], changes: Iterable[Change]) -> frozenset[Label]:
    for change in changes:
        labels = labels | {change.label} if change.operation == "add" else labels - {change.label}
    return labels
