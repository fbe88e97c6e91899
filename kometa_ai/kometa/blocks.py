"""Find the comment blocks of a file and the collection that each belongs to.

A block belongs to the key under `collections:` that is the first thing after it; between them only comments and
blank lines may stand. Indentation of a comment means nothing. Whether a line is a comment is the YAML's decision.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kometa_ai.core.problem import Correction, Problem
from kometa_ai.kometa.attributes import is_known
from kometa_ai.kometa.checking import corrections
from kometa_ai.kometa.markers import BARE_MARKER, BEGIN, BLOCK_KEYS, END, MARKER
from kometa_ai.kometa.slips import has_content, lost_hashes, unquoted_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kometa_ai.kometa.document import Document, Key
    from kometa_ai.kometa.slips import Slip

# A line of a block that sets something, as far as a line alone can tell.
_SETTING = re.compile(r"\A\s*+#\s*+[a-z_]++\s*+:")
_LONGEST_MOVE = 60
_BOTH = 2


class Block(msgspec.Struct, frozen=True):
    """A whole block: the lines (from 1) of its two markers, and the lines between them as they stand in the file."""

    line: int
    end: int
    body: tuple[str, ...]


class FileBlocks(msgspec.Struct, frozen=True):
    """The blocks of a file that are whole and alone above their key.

    `spoiled` are keys with a block that cannot be used, `misplaced` those with a block inside their definition; what
    is wrong with them is in `problems`.
    """

    bound: tuple[tuple[Key, Block], ...] = ()
    spoiled: tuple[Key, ...] = ()
    misplaced: tuple[Key, ...] = ()
    problems: tuple[Problem, ...] = ()


class _Flaw(msgspec.Struct, frozen=True):
    """A marker without its other half; it is `turned` where the marker of a beginning stands for an end."""

    line: int
    missing: Literal["begin", "end", "turned"]


def find_blocks(document: Document, source: str) -> FileBlocks:
    """Every block of the document, bound to its key or complained about."""
    keys = {key.start: key for key in document.keys if not BARE_MARKER.fullmatch(key.name)}
    bound: list[tuple[Key, Block]] = []
    spoiled: list[Key] = []
    misplaced: list[Key] = []
    problems: list[Problem] = []
    lost: set[int] = set()
    for run, offset in _comment_runs(document):
        found = _read_run(document, run)
        if not found:
            continue
        if slip := next(filter(None, (_lost_hashes(document, item) for item in found)), None):
            if slip.line not in lost:
                problems.append(_about_slip(slip, source))
                spoiled += _below(document, slip)
            lost.add(slip.line)
            continue
        key = keys.get(offset)
        if key and _is_attribute(document, key):
            problems += [_about_attribute(item, key, source) for item in found]
            continue
        hosts = _hosts(document, run[0], offset) if key is None else []
        mender = _Mender(document, run, offset, key, hosts[-1] if hosts else None)
        complaints = _complaints(found, key, source, mender)
        problems += complaints
        if key is None:
            misplaced += hosts
        elif complaints:
            spoiled.append(key)
        else:
            bound += [(key, block) for block in found if isinstance(block, Block)]
    return FileBlocks(bound=tuple(bound), spoiled=tuple(spoiled), misplaced=tuple(misplaced), problems=tuple(problems))


def _lost_hashes(document: Document, item: Block | _Flaw) -> Slip | None:
    """The lines that a marker without its other half has lost to the YAML around the block."""
    return lost_hashes(document.lines, item.line) if isinstance(item, _Flaw) else None


def _is_attribute(document: Document, key: Key) -> bool:
    """Whether what stands where a collection's name should be is one of the attributes of a collection."""
    data: Any = document.data  # a mapping with `collections`, or there would be no key
    return is_known(key.name) and not isinstance(data["collections"].get(key.value), (dict, type(None)))


def _about_attribute(item: Block | _Flaw, key: Key, source: str) -> Problem:
    return Problem(
        what=f"the block stands above `{key.name}`, which is an attribute and no collection.",
        remedy="Write the collection's name in between; one that begins with `#` needs quotes.",
        source=source,
        line=item.line,
    )


def _about_slip(slip: Slip, source: str, name: str = "") -> Problem:
    return Problem(
        what=f"{slip.reason}.",
        remedy=slip.remedy,
        source=source,
        line=slip.line,
        column=slip.column,
        collection=name,
        correction=slip.correction,
    )


def _below(document: Document, slip: Slip) -> list[Key]:
    """The key that a block belongs to that has lost some `#`, as far as it can be told."""
    end = slip.correction.last if slip.correction else slip.line
    names = (key for key in document.keys if key.line > end and key.name not in BLOCK_KEYS)
    return list(islice((key for key in names if not BARE_MARKER.fullmatch(key.name)), 1))


def _comment_runs(document: Document) -> Iterator[tuple[list[int], int]]:
    """Runs of comment and blank lines (from 0), each with the offset of what follows it: -1 at the end of the file."""
    run: list[int] = []
    for number, line in enumerate(document.lines):
        content = line.lstrip(" \t")
        if not content or number in document.comments:
            run.append(number)
            continue
        if run:
            yield run, document.starts[number] + len(line) - len(content)
        run = []
    if run:
        yield run, -1


def _read_run(document: Document, run: Sequence[int]) -> list[Block | _Flaw]:
    found: list[Block | _Flaw] = []
    begun: int | None = None
    for number in run:
        marker = MARKER.fullmatch(document.lines[number])
        if marker is None:
            continue
        if not marker["end"]:
            if begun is not None:
                found.append(_Flaw(begun + 1, "end"))
            begun = number
        elif begun is None:
            found.append(_Flaw(number + 1, "begin"))
        else:
            found.append(Block(begun + 1, number + 1, document.lines[begun + 1 : number]))
            begun = None
    if begun is not None:
        found.append(_Flaw(begun + 1, "end"))
    return _with_turned(document, run, found)


def _with_turned(document: Document, run: Sequence[int], found: list[Block | _Flaw]) -> list[Block | _Flaw]:
    """Two beginnings without an end, as one block whose end is written as a beginning, if nothing is set below."""
    if not (len(found) == _BOTH and all(isinstance(item, _Flaw) and item.missing == "end" for item in found)):
        return found
    first, second = (item.line for item in found)
    set_between, set_below = (
        any(_SETTING.match(document.lines[number]) for number in run if start <= number < end)
        for start, end in ((first, second - 1), (second, len(document.lines)))
    )
    return [_Flaw(second, "turned")] if set_between and not set_below else found


def _hosts(document: Document, first: int, offset: int) -> list[Key]:
    """The key inside whose definition the run of comments stands that begins at this line (from 0), if any."""
    start = document.starts[first]
    return [key for key in document.keys if key.start < start and key.start < offset < key.end]


def _complaints(found: Sequence[Block | _Flaw], key: Key | None, source: str, mender: _Mender) -> list[Problem]:
    """What is wrong with the blocks of one run, which stands above this key or (None) above nothing."""
    name = key.name if key else ""
    first: Block | None = None
    problems = []
    flaws = sum(isinstance(item, _Flaw) for item in found)
    for item in found:
        correction = None
        if isinstance(item, _Flaw):
            what, remedy = _ABOUT_HALVES[item.missing]
            correction = mender.completed(item) if flaws == 1 else None
            if correction and not correction.lines:
                what, remedy = "this marker begins or ends no block.", "Take the line away."
        elif key is None and (slip := mender.misread_name()):
            problems.append(_about_slip(slip, source))
            continue
        elif key is None:
            what = "the block belongs to no collection."
            remedy = "Move it right above the name of its collection, below `collections:`; nothing may stand between."
            correction = mender.moved(item) if len(found) == 1 else None
        elif first is None:
            first = item
            continue
        else:
            what = f"a second block above one collection; the first begins in line {first.line}."
            remedy = "Keep one of them, or move the other right above its own collection."
        problems.append(
            Problem(
                what=what,
                remedy=remedy,
                source=source,
                line=item.line,
                column=mender.column(item.line),
                collection=name,
                correction=correction,
            )
        )
    return problems


class _Mender:
    """Puts markers where they lack, and blocks where they belong, in one run of comments."""

    def __init__(self, document: Document, run: Sequence[int], offset: int, key: Key | None, host: Key | None) -> None:
        self._document = document
        self._run = run
        self._offset = offset
        self._key = key
        self._host = host

    def column(self, line: int) -> int:
        """Where the text of a line begins."""
        text = self._document.lines[line - 1]
        return len(text) - len(text.lstrip(" \t")) + 1

    def completed(self, flaw: _Flaw) -> Correction | None:
        """The missing marker, right after or right before the comments that seem to be the block."""
        correction = self._completed(flaw)
        # Above no collection nothing is begun or ended; a marker alone is one too many all the same.
        return correction if self._key or (correction and not correction.lines) else None

    def _completed(self, flaw: _Flaw) -> Correction | None:
        lines = self._document.lines
        indent = " " * (self.column(flaw.line) - 1)
        if flaw.missing == "turned":
            return Correction(flaw.line, flaw.line, (indent + END,))
        if flaw.missing == "end":
            end, sets = flaw.line, False
            for number in range(flaw.line, self._run[-1] + 1):
                if MARKER.fullmatch(lines[number]):
                    break
                end = number + 1 if lines[number].strip() else end
                sets = sets or bool(_SETTING.match(lines[number]))
            return corrections.above(end + 1, indent + END) if sets else corrections.removed(flaw.line)
        body = []
        for number in range(flaw.line - 2, self._run[0] - 1, -1):
            if MARKER.fullmatch(lines[number]) or not lines[number].strip():
                break
            body.append(number + 1)
        begin = min((line for line in body if _SETTING.match(lines[line - 1])), default=None)
        return corrections.above(begin, indent + BEGIN) if begin else corrections.removed(flaw.line)

    def misread_name(self) -> Slip | None:
        """The name below the comments, where YAML reads it as something else than text."""
        below = self._run[-1] + 2
        return unquoted_name(self._document.lines, below) if below <= len(self._document.lines) else None

    def moved(self, block: Block) -> Correction | None:
        """The block above the name it stands below, or above the first name of the `collections:` it stands above."""
        lines = self._document.lines
        if self._host is not None:
            if any(MARKER.fullmatch(line) for line in self._above(self._host)):
                return None
            before = lines[self._host.line - 1 : block.line - 1]
            if any(map(has_content, before[1:])):
                return None  # it may as well be meant for what stands below it
            text = (*self._indented(block, self._host), *before)
            return Correction(self._host.line, block.end, text) if len(text) <= _LONGEST_MOVE else None
        after = [key for key in self._document.keys if key.start > self._offset >= 0]
        if not after or not lines[self._run[-1] + 1].startswith("collections:"):
            return None
        first = after[0]
        between = lines[block.end : first.line - 1]
        if any(MARKER.fullmatch(line) for line in between):
            return None
        return Correction(block.line, first.line - 1, (*between, *self._indented(block, first)))

    def _above(self, key: Key) -> Iterator[str]:
        """The comments and blank lines right above a key."""
        for number in range(key.line - 2, -1, -1):
            if self._document.lines[number].strip() and number not in self._document.comments:
                return
            yield self._document.lines[number]

    def _indented(self, block: Block, key: Key) -> Iterator[str]:
        indent = " " * (self.column(key.line) - 1)
        for line in self._document.lines[block.line - 1 : block.end]:
            yield indent + line.strip()


_ABOUT_HALVES = {
    "end": (
        "the block has no end.",
        f"Write `{END}` in a line of its own after its last line; only comments may stand in a block.",
    ),
    "turned": ("the block begins a second time where it should end.", f"Write `{END}` in this line."),
    "begin": ("the end of a block without its beginning.", f"Write `{BEGIN}` in a line of its own above the block."),
}
