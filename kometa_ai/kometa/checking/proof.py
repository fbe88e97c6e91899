"""Decide which corrections are offered: apply each in memory, read the result, and compare the meaning.

A correction is offered only if its problem is gone, nothing new is wrong, every block still stands above the same key,
and only the intended entry changed. How a correction was made does not matter here.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, Folder, OtherCollection
from kometa_ai.core.item import KINDS
from kometa_ai.kometa.checking import corrections
from kometa_ai.kometa.checking.changes import changes_between, is_meant, is_new_name, names_begun
from kometa_ai.kometa.checking.refused_attributes import REFUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.item import Kind
    from kometa_ai.core.problem import Correction, Problem
    from kometa_ai.kometa.checking.changes import Change
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.folder import Named
    from kometa_ai.kometa.reading import Reading

_LARGEST_EFFORT = 2_000_000
"""Limit of characters that are read again for one folder. Corrections beyond it are left to the next check."""

_EFFORT_PER_BLOCK = 100
"""The cost of checking one collection again, in characters that take as long to read."""

_CHANGES_PER_CORRECTION = 10
_SHARED = re.compile(r"(?:^|[\s,:\[{])[&*][^\s&*]", re.MULTILINE)
"""An anchor or an alias: a definition with one may be part of other definitions."""

_NUMBER = re.compile(r"(?<=line )\d+|(?<=ml:)\d+")


class ReadAgain(msgspec.Struct, frozen=True):
    """The folder with other texts for some files; `readings` are the files among them that can be read."""

    folder: Folder
    readings: Mapping[str, Reading]


class Proof:
    """Tries corrections on one folder, given its texts and readings by source.

    `read_again` returns the folder with other texts for the files of these sources.
    """

    def __init__(
        self,
        folder: Folder,
        texts: Mapping[str, str],
        readings: Mapping[str, Reading],
        read_again: Callable[[Mapping[str, str]], ReadAgain],
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
        """The folder with the corrections that are right, each alone and all those of a file together."""
        wanted = [each for each in _findings(self._folder) if each.correction and each.source in self._texts]
        simple = _one_of_each(filter(self._is_simple, wanted))
        proven = self._right_of(simple)
        tried = set(map(id, simple))
        by_source: dict[str, list[Problem]] = {problem.source: [] for problem in wanted}
        for problem in proven:
            by_source[problem.source].append(problem)
        for problem in wanted:
            others = by_source[problem.source]
            if id(problem) not in tried and _is_apart(problem, others) and self._are_right([problem]):
                others.append(problem)
        right = {id(each.correction) for lot in by_source.values() for each in self._together(lot, tried)}

        def kept(problem: Problem) -> Problem:
            return problem if id(problem.correction) in right else msgspec.structs.replace(problem, correction=None)

        return msgspec.structs.replace(
            self._folder,
            problems=tuple(map(kept, self._folder.problems)),
            warnings=tuple(map(kept, self._folder.warnings)),
        )

    def _is_simple(self, problem: Problem) -> bool:
        """Whether a warning is about the definition of one collection, and no definition in the file is shared."""
        is_about_lines = problem.severity == "warning" and bool(problem.collection)
        return is_about_lines and not _SHARED.search(self._texts[problem.source])

    def _right_of(self, lot: list[Problem]) -> list[Problem]:
        """The right corrections among simple ones: try all of them together, and halve the list if that fails."""
        if not lot or self._are_right(lot):
            return lot
        half = len(lot) // 2
        return [*self._right_of(lot[:half]), *self._right_of(lot[half:])] if half else []

    def _together(self, lot: list[Problem], proven: AbstractSet[int]) -> list[Problem]:
        """The corrections of a file if all can be applied together; otherwise those that were proven together."""
        mine = [problem for problem in lot if id(problem) in proven]
        if len(lot) <= 1 or len(mine) == len(lot):
            return lot
        after = self._read_again(self._applied(lot))
        if lot[0].source in after.readings and not any(self._new(after.folder)):
            return lot
        return mine or lot[:1]

    def _applied(self, lot: Sequence[Problem]) -> dict[str, str]:
        """The texts with all corrections applied, from the last line to the first."""
        texts: dict[str, str] = {}
        for problem in sorted(lot, key=_first_line, reverse=True):
            if problem.correction:
                source = problem.source
                texts[source] = corrections.applied(texts.get(source, self._texts[source]), problem.correction)
        return texts

    def _are_right(self, lot: Sequence[Problem]) -> bool:
        """Whether the corrections of these problems, applied together, fix the problems and change nothing else."""
        sources = {problem.source for problem in lot}
        effort = sum(len(self._texts[source]) for source in sources) + self._effort_per_check
        if effort > self._left:
            return False
        self._left -= effort
        after = self._read_again(self._applied(lot))
        gone = self._found - Counter(map(_what, _findings(after.folder)))
        if Counter(map(_what, lot)) - gone:
            return False
        if not sources <= self._readings.keys():
            return len(lot) == 1 and self._opens_the_file(lot[0], after)
        return (
            sources <= after.readings.keys()
            and not any(self._unwanted(lot, after))
            and all(
                self._file_stays(source, [each for each in lot if each.source == source], after) for source in sources
            )
            and self._rules_stay(self._touched(lot, after), after.folder)
        )

    def _file_stays(self, source: str, lot: Sequence[Problem], after: ReadAgain) -> bool:
        """Whether the meaning of a file changes only where these corrections intend it."""
        before, now = self._readings[source], after.readings[source]
        most = _CHANGES_PER_CORRECTION * len(lot)
        changes = changes_between(before.document.data, now.document.data, most)
        if changes is None or not _are_meant(changes, lot, after.folder):
            return False
        # Kometa takes the first definition of a name: a new one could hide a definition in another file.
        begun = names_begun(changes)
        elsewhere = (text for other, text in self._texts.items() if other != source)
        is_taken = bool(begun) and any(name in text for text in elsewhere for name in begun)
        return not is_taken and _blocks_stay({problem.collection for problem in lot}, before, now)

    def _new(self, folder: Folder) -> Iterator[Problem]:
        """The problems that appear only now."""
        seen = self._found.copy()
        for problem in _findings(folder):
            if seen[_what(problem)] > 0:
                seen[_what(problem)] -= 1
            else:
                yield problem

    def _unwanted(self, lot: Sequence[Problem], after: ReadAgain) -> Iterator[Problem]:
        """The new problems, except warnings about a collection that gets its name from the correction."""
        source = lot[0].source
        changes = changes_between(self._readings[source].document.data, after.readings[source].document.data)
        named = names_begun(changes) if changes and len(lot) == 1 and is_new_name(changes) else ()
        return (new for new in self._new(after.folder) if new.severity == "error" or new.collection not in named)

    def _opens_the_file(self, problem: Problem, after: ReadAgain) -> bool:
        """Whether the correction makes a refused file readable.

        New warnings are fine, because the file could not be checked before, but none at the corrected lines.
        """
        first = _first_line(problem)
        last = first + max(len(problem.correction.lines) if problem.correction else 0, 1) - 1
        key = _key_at(after.readings.get(problem.source), first)
        inside = key.name if key and key.line < first else ""
        for new in self._new(after.folder):
            is_at_it = new.line is not None and first <= new.line <= last
            if new.severity == "error" or new.source != problem.source or is_at_it:
                return False
            if inside and new.collection == inside:
                return False
        return True

    def _touched(self, lot: Sequence[Problem], after: ReadAgain) -> frozenset[Named]:
        """The collections that these corrections are for, each with the kinds that it has before and afterwards."""
        wanted = {(problem.source, problem.collection) for problem in lot}
        found: set[Named] = set()
        for source, name in wanted:
            kinds: set[Kind] = set()
            for reading in (self._readings.get(source), after.readings.get(source)):
                for place in reading.places if reading else ():
                    if place.key.name == name:
                        kinds.update(place.collection.kinds)
            found.update((kind, name) for kind in kinds or KINDS)
        return frozenset(found)

    def _rules_stay(self, touched: AbstractSet[Named], folder: Folder) -> bool:
        """Whether no other collection appeared, disappeared or changed; one whose block was lost may appear."""
        rules = _rules_of(folder)
        others = (self._rules.keys() | rules.keys()) - touched
        changed = [each for each in others if self._rules.get(each) != rules.get(each)]
        return len(changed) <= 1 and not any(
            isinstance(self._rules.get(each), Collection) or each not in rules for each in changed
        )


def _first_line(problem: Problem) -> int:
    """The first line of a problem's correction."""
    return problem.correction.first if problem.correction else 0


def _one_of_each(problems: Iterable[Problem]) -> list[Problem]:
    """The first problem of each collection, as long as no two corrections touch the same lines."""
    found: list[Problem] = []
    names = set()
    for problem in sorted(problems, key=lambda each: (each.source, _first_line(each))):
        is_next = not found or found[-1].source != problem.source or _is_apart(problem, found[-1:])
        if is_next and problem.collection not in names:
            names.add(problem.collection)
            found.append(problem)
    return found


def _is_apart(problem: Problem, others: Iterable[Problem]) -> bool:
    """Whether a correction touches no line of the others."""
    one = problem.correction
    corrections = (other.correction for other in others)
    return one is not None and not any(_touch(one, other) for other in corrections if other)


def _touch(one: Correction, other: Correction) -> bool:
    """Whether two corrections touch the same lines, or one inserts lines where the other changes some."""
    return one.first <= max(other.last, other.first) and other.first <= max(one.last, one.first)


def _findings(folder: Folder) -> Iterator[Problem]:
    yield from folder.problems
    yield from folder.warnings


def _what(problem: Problem) -> tuple[str, ...]:
    """What identifies a problem after its line has moved."""
    return problem.severity, problem.source, problem.collection, _NUMBER.sub("", problem.what)


def _rules_of(folder: Folder) -> dict[Named, Collection | OtherCollection]:
    """What the block of each collection says, wherever the block stands."""
    rules: dict[Named, Collection | OtherCollection] = {}
    for each in folder.collections:
        rules[each.kind, each.name] = msgspec.structs.replace(
            each, source="", line=0, libraries_line=0, libraries_written=()
        )
    for other in (*folder.disabled, *folder.unserved, *folder.skipped):
        for kind in other.kinds:
            rules[kind, other.name] = msgspec.structs.replace(other, source="", line=0)
    return rules


def _are_meant(changes: Sequence[Change], lot: Sequence[Problem], folder: Folder) -> bool:
    """Whether all changes are intended, and Kometa still builds the collections."""
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
    refused = {warning.collection for warning in folder.warnings if warning.what.startswith(REFUSES)}
    return not changes or not (refused & names - {""})


def _blocks_stay(names: AbstractSet[str], before: Reading, after: Reading) -> bool:
    """Whether each block stays above its key; at most one block that had no key may get one."""
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
