"""Decide which corrections are offered: apply each to a copy in memory, read it again, compare what everything means.

A correction is offered only where what it is for is gone afterwards, nothing new is wrong, every block stands above the
same key, and nothing has changed but the one entry that was meant. The result is judged, never how it was made.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, Folder, OtherCollection
from kometa_ai.kometa.attributes import REFUSES
from kometa_ai.kometa.changes import changes_between, is_meant
from kometa_ai.kometa.lines import corrected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.problem import Correction, Problem
    from kometa_ai.kometa.changes import Change
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.reading import Reading

_LARGEST_EFFORT = 2_000_000
"""Characters that are read again for one folder, at most. What would be beyond is left out: the next check has it."""

_EFFORT_PER_BLOCK = 100
"""What it takes to look at one collection again, in characters that are read in the same time."""

_CHANGES_PER_CORRECTION = 10
_SHARED = re.compile(r"(?:^|[\s,:\[{])[&*][^\s&*]", re.MULTILINE)
"""What looks like an anchor or an alias: then a definition may be a part of others."""

_NUMBER = re.compile(r"(?<=line )\d+|(?<=ml:)\d+")


class View(msgspec.Struct, frozen=True):
    """A folder as it would be with another text for one file; `reading` is that file, None where it is refused."""

    folder: Folder
    reading: Reading | None


class Proof:
    """Tries corrections on one folder: its texts and what was read of them, by the source of each file.

    `read_again` says what the folder would be with another text for the file of this source.
    """

    def __init__(
        self,
        folder: Folder,
        texts: Mapping[str, str],
        readings: Mapping[str, Reading],
        read_again: Callable[[str, str], View],
    ) -> None:
        self._folder = folder
        self._texts = texts
        self._readings = readings
        self._read_again = read_again
        self._found = Counter(map(_what, _findings(folder)))
        self._rules = _rules_of(folder)
        blocks = sum(len(reading.places) for reading in readings.values())
        self._effort_per_check = blocks * _EFFORT_PER_BLOCK
        self._left = _LARGEST_EFFORT

    def proven(self) -> Folder:
        """The folder with the corrections that are right: each alone, and all of a file together."""
        by_source: dict[str, list[Problem]] = {}
        for problem in _findings(self._folder):
            if problem.correction and problem.source in self._texts:
                by_source.setdefault(problem.source, []).append(problem)
        right = {id(problem.correction) for source, lot in by_source.items() for problem in self._of_file(source, lot)}

        def kept(problem: Problem) -> Problem:
            return problem if id(problem.correction) in right else msgspec.structs.replace(problem, correction=None)

        return msgspec.structs.replace(
            self._folder,
            problems=tuple(map(kept, self._folder.problems)),
            warnings=tuple(map(kept, self._folder.warnings)),
        )

    def _of_file(self, source: str, lot: Sequence[Problem]) -> Sequence[Problem]:
        """Those of a file's problems whose corrections are right, none of which touches another's lines."""
        simple = [] if _SHARED.search(self._texts[source]) else _apart(filter(_is_about_lines, lot))
        proven = self._right_of(simple)
        tried = set(map(id, simple))
        for problem in lot:
            if id(problem) in tried or not _is_apart(problem, proven) or not self._are_right([problem]):
                continue
            proven.append(problem)
        together = [*proven] if len(proven) > 1 and proven != simple else []
        return proven if not together or self._go_together(source, together) else proven[:1]

    def _right_of(self, lot: list[Problem]) -> list[Problem]:
        """The right ones of corrections in definitions that share nothing: all at once, or else by halves."""
        if not lot or self._are_right(lot):
            return lot
        half = len(lot) // 2
        return [*self._right_of(lot[:half]), *self._right_of(lot[half:])] if half else []

    def _go_together(self, source: str, lot: Sequence[Problem]) -> bool:
        after = self._read_again(source, _all_applied(self._texts[source], lot))
        return after.reading is not None and not any(self._new(after.folder))

    def _are_right(self, lot: Sequence[Problem]) -> bool:
        """Whether the corrections of these problems of one file, applied together, do what they are for and no more."""
        source = lot[0].source
        text = self._texts[source]
        effort = len(text) + self._effort_per_check
        if effort > self._left:
            return False
        self._left -= effort
        after = self._read_again(source, _all_applied(text, lot))
        gone = self._found - Counter(map(_what, _findings(after.folder)))
        if Counter(map(_what, lot)) - gone:
            return False
        before = self._readings.get(source)
        if before is None:
            return self._opens_the_file(lot[0], after)
        names = {problem.collection for problem in lot}
        return (
            after.reading is not None
            and not any(self._new(after.folder))
            and _changes_as_meant(lot, before, after)
            and _blocks_stay(names, before, after.reading)
            and self._rules_stay(names, after.folder)
        )

    def _new(self, folder: Folder) -> Iterator[Problem]:
        """What is found now and was not before."""
        seen = self._found.copy()
        for problem in _findings(folder):
            if seen[_what(problem)] > 0:
                seen[_what(problem)] -= 1
            else:
                yield problem

    def _opens_the_file(self, problem: Problem, after: View) -> bool:
        """Whether a file that Kometa refuses is read afterwards.

        It may have warnings of its own, which could not be seen before, but none about what was corrected.
        """
        first, new_lines = _place(problem)
        last = first + max(new_lines, 1) - 1
        key = _key_at(after.reading, first)
        inside = key.name if key and key.line < first else ""
        for new in self._new(after.folder):
            is_at_it = new.line is not None and first <= new.line <= last
            if new.severity == "error" or new.source != problem.source or is_at_it:
                return False
            if inside and new.collection == inside:
                return False
        return True

    def _rules_stay(self, names: AbstractSet[str], folder: Folder) -> bool:
        """Whether no other collection has come, gone, or got other rules; one whose block was nowhere may come."""
        rules = _rules_of(folder)
        others = (self._rules.keys() | rules.keys()) - names
        changed = [name for name in others if self._rules.get(name) != rules.get(name)]
        return len(changed) <= 1 and not any(
            isinstance(self._rules.get(name), Collection) or name not in rules for name in changed
        )


def _place(problem: Problem) -> tuple[int, int]:
    """The first line of a problem's correction, and how many lines it has."""
    return (problem.correction.first, len(problem.correction.lines)) if problem.correction else (0, 0)


def _all_applied(text: str, lot: Sequence[Problem]) -> str:
    for correction in sorted((each.correction for each in lot if each.correction), key=lambda one: -one.first):
        text = corrected(text, correction)
    return text


def _is_about_lines(problem: Problem) -> bool:
    """Whether a problem is about the definition of one collection."""
    return problem.severity == "warning" and bool(problem.collection)


def _apart(problems: Iterable[Problem]) -> list[Problem]:
    found: list[Problem] = []
    for problem in problems:
        if not found or _is_apart(problem, found[-1:]):
            found.append(problem)
    return found


def _is_apart(problem: Problem, others: Iterable[Problem]) -> bool:
    """Whether a correction touches no line of the others'."""
    one = problem.correction
    corrections = (other.correction for other in others)
    return one is not None and not any(_touch(one, other) for other in corrections if other)


def _touch(one: Correction, other: Correction) -> bool:
    """Whether two corrections are about the same lines, or one puts lines in right where the other changes some."""
    return one.first <= max(other.last, other.first) and other.first <= max(one.last, one.first)


def _findings(folder: Folder) -> Iterator[Problem]:
    yield from folder.problems
    yield from folder.warnings


def _what(problem: Problem) -> tuple[str, ...]:
    """A problem, whatever line it has moved to."""
    return problem.severity, problem.source, problem.collection, _NUMBER.sub("", problem.what)


def _rules_of(folder: Folder) -> dict[str, Collection | OtherCollection]:
    """What each collection's block says, wherever it stands."""
    rules: dict[str, Collection | OtherCollection] = {}
    for each in folder.collections:
        rules[each.name] = msgspec.structs.replace(each, source="", line=0)
    for other in (*folder.disabled, *folder.skipped):
        rules[other.name] = msgspec.structs.replace(other, source="", line=0)
    return rules


def _changes_as_meant(lot: Sequence[Problem], before: Reading, after: View) -> bool:
    """Whether nothing has another meaning but what was meant, and the collections are such as Kometa builds."""
    if after.reading is None:
        return False
    changes = changes_between(
        before.document.data, after.reading.document.data, most=_CHANGES_PER_CORRECTION * len(lot)
    )
    if changes is None:
        return False
    names = {problem.collection for problem in lot}
    if len(lot) == 1:
        if not is_meant(changes, lot[0].collection):
            return False
    else:
        of_each: dict[str, list[Change]] = {}
        for change in changes:
            of_each.setdefault(str(change.path[1]) if len(change.path) > 1 else "", []).append(change)
        if not all(name in names and is_meant(found, name) for name, found in of_each.items()):
            return False
    refused = {warning.collection for warning in after.folder.warnings if warning.what.startswith(REFUSES)}
    return not changes or not (refused & names - {""})


def _blocks_stay(names: AbstractSet[str], before: Reading, after: Reading) -> bool:
    """Whether each block stands above the key that it stood above; at most one that stood above none now does."""
    old, new = _bound(before), _bound(after)
    others = (old.keys() | new.keys()) - names
    changed = [name for name in others if old.get(name) != new.get(name)]
    return len(changed) <= 1 and not any(name in old for name in changed)


def _bound(reading: Reading) -> dict[str, tuple[str, ...]]:
    return {
        place.key.name: tuple(line.strip().removeprefix("#").strip() for line in place.block.body)
        for place in reading.places
    }


def _key_at(reading: Reading | None, line: int) -> Key | None:
    """The collection that a line belongs to."""
    keys = reading.document.keys if reading else ()
    above = [key for key in keys if key.line <= line]
    return above[-1] if above else None
