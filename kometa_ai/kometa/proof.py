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
    from collections.abc import Callable, Iterator, Mapping

    from kometa_ai.core.problem import Correction, Problem
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.reading import Reading

_LARGEST_EFFORT = 1_000_000
"""Characters that are read again for one folder, at most. What would be beyond is left out: the next check has it."""

_EFFORT_PER_BLOCK = 400
"""What it takes to look at one collection again, in characters that are read in the same time."""

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
        self._taken: dict[str, list[Correction]] = {}

    def proven(self) -> Folder:
        """The folder with the corrections that are right, of which no two touch the same lines."""
        return msgspec.structs.replace(
            self._folder,
            problems=tuple(map(self._judged, self._folder.problems)),
            warnings=tuple(map(self._judged, self._folder.warnings)),
        )

    def _judged(self, problem: Problem) -> Problem:
        correction = problem.correction
        if correction is None:
            return problem
        taken = self._taken.setdefault(problem.source, [])
        if any(_touch(correction, other) for other in taken) or not self._is_right(problem, correction):
            return msgspec.structs.replace(problem, correction=None)
        taken.append(correction)
        return problem

    def _is_right(self, problem: Problem, correction: Correction) -> bool:
        text = self._texts.get(problem.source)
        effort = len(text or "") + self._effort_per_check
        if text is None or effort > self._left:
            return False
        self._left -= effort
        after = self._read_again(problem.source, corrected(text, correction))
        count = Counter(map(_what, _findings(after.folder)))
        if count[_what(problem)] >= self._found[_what(problem)]:
            return False
        before = self._readings.get(problem.source)
        if before is None:
            return self._opens_the_file(problem, correction, after)
        return (
            after.reading is not None
            and not any(self._new(after.folder))
            and _changes_as_meant(problem, before, after)
            and _blocks_stay(problem, before, after.reading)
            and self._rules_stay(problem, after.folder)
        )

    def _new(self, folder: Folder) -> Iterator[Problem]:
        """What is found now and was not before."""
        seen = self._found.copy()
        for problem in _findings(folder):
            if seen[_what(problem)] > 0:
                seen[_what(problem)] -= 1
            else:
                yield problem

    def _opens_the_file(self, problem: Problem, correction: Correction, after: View) -> bool:
        """Whether a file that Kometa refuses is read afterwards.

        It may have warnings of its own, which could not be seen before, but none about what was corrected.
        """
        first, last = correction.first, correction.first + max(len(correction.lines), 1) - 1
        key = _key_at(after.reading, first)
        inside = key.name if key and key.line < first else ""
        for new in self._new(after.folder):
            is_at_it = new.line is not None and first <= new.line <= last
            if new.severity == "error" or new.source != problem.source or is_at_it:
                return False
            if inside and new.collection == inside:
                return False
        return True

    def _rules_stay(self, problem: Problem, folder: Folder) -> bool:
        """Whether no other collection has come, gone, or got other rules; one whose block was nowhere may come."""
        rules = _rules_of(folder)
        names = self._rules.keys() | rules.keys()
        changed = [name for name in names if self._rules.get(name) != rules.get(name) and name != problem.collection]
        return len(changed) <= 1 and not any(
            isinstance(self._rules.get(name), Collection) or name not in rules for name in changed
        )


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


def _changes_as_meant(problem: Problem, before: Reading, after: View) -> bool:
    """Whether nothing has another meaning but what was meant, and the collection is one that Kometa builds."""
    if after.reading is None:
        return False
    changes = changes_between(before.document.data, after.reading.document.data)
    if changes is None or not is_meant(changes, problem.collection):
        return False
    mine = (warning for warning in after.folder.warnings if warning.collection == problem.collection)
    return not (changes and problem.collection and any(warning.what.startswith(REFUSES) for warning in mine))


def _blocks_stay(problem: Problem, before: Reading, after: Reading) -> bool:
    """Whether each block stands above the key that it stood above; at most one that stood above none now does."""
    old, new = _bound(before), _bound(after)
    changed = [
        name for name in old.keys() | new.keys() if old.get(name) != new.get(name) and name != problem.collection
    ]
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
