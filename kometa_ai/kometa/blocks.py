"""Find the comment blocks of a file and the collection that each block belongs to.

A block belongs to the key under `collections:` that follows it. Only comments and blank lines may stand between the
two. The indentation of comments does not matter. The YAML scanner decides whether a line is a comment.

Why: docs/decisions/0012-reading-yaml.md
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.kometa.attributes import is_known
from kometa_ai.kometa.block_keys import BLOCK_KEYS
from kometa_ai.kometa.faults import Fault
from kometa_ai.kometa.markers import BARE_MARKER, BEGIN, END, MARKER
from kometa_ai.kometa.slips import lost_hashes, unquoted_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kometa_ai.kometa.document import Document, Key
    from kometa_ai.kometa.slips import Slip

# A comment line that sets a key of a block, judged by this line alone.
_SETTING = re.compile(r"\A\s*+#\s*+[a-z_]++\s*+:")
_BOTH = 2


class Block(msgspec.Struct, frozen=True):
    """A complete block: the lines (from 1) of its two markers, and the lines between them as they stand in the file."""

    line: int
    end: int
    body: tuple[str, ...]


class FileBlocks(msgspec.Struct, frozen=True):
    """The complete blocks of a file that are the only one above their key.

    `spoiled` are keys whose block cannot be used, `misplaced` are keys with a block inside their definition. `faults`
    say what is wrong with those blocks.
    """

    bound: tuple[tuple[Key, Block], ...] = ()
    spoiled: tuple[Key, ...] = ()
    misplaced: tuple[Key, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of the faults."""
        return tuple(fault.problem for fault in self.faults)


class HalfBlock(msgspec.Struct, frozen=True):
    """A marker without its counterpart. `turned` means that a begin marker was written where the end marker belongs.

    `place` is the line above which the counterpart belongs; None if no comment nearby sets a key of a block.
    """

    line: int
    missing: Literal["begin", "end", "turned"]
    place: int | None = None
    indent: int = 0


class HomelessBlock(msgspec.Struct, frozen=True):
    """A complete block that stands above no key. `last` is the last line (from 0) of the run of comments around it.

    `offset` is where the text after the run begins. `host` is the key inside whose definition the block stands, if any.
    """

    block: Block
    document: Document
    last: int
    offset: int
    host: Key | None


def find_blocks(document: Document, source: str) -> FileBlocks:
    """Find every block of the document, and bind each to its key or report what is wrong with it."""
    keys = {key.start: key for key in document.keys if not BARE_MARKER.fullmatch(key.name)}
    bound: list[tuple[Key, Block]] = []
    spoiled: list[Key] = []
    misplaced: list[Key] = []
    faults: list[Fault] = []
    lost: set[int] = set()
    for run, offset in _comment_runs(document):
        found = _read_run(document, run)
        if not found:
            continue
        if slip := next(filter(None, (_lost_hashes(document, item) for item in found)), None):
            if slip.line not in lost:
                faults.append(_about_slip(slip, source))
                spoiled += _below(document, slip)
            lost.add(slip.line)
            continue
        key = keys.get(offset)
        if key and _is_attribute(document, key):
            faults += [_about_attribute(item, key, source) for item in found]
            continue
        hosts = _hosts(document, run[0], offset) if key is None else []
        complaints = list(_Complaints(document, run, offset, key, hosts[-1] if hosts else None).about(found, source))
        faults += complaints
        if key is None:
            misplaced += hosts
        elif complaints:
            spoiled.append(key)
        else:
            bound += [(key, block) for block in found if isinstance(block, Block)]
    return FileBlocks(bound=tuple(bound), spoiled=tuple(spoiled), misplaced=tuple(misplaced), faults=tuple(faults))


def _lost_hashes(document: Document, item: Block | HalfBlock) -> Slip | None:
    """The block lines that lost their `#`, if this is a marker without its counterpart."""
    return lost_hashes(document.lines, item.line) if isinstance(item, HalfBlock) else None


def _is_attribute(document: Document, key: Key) -> bool:
    """Whether the key is an attribute of a collection that stands where the name of a collection belongs."""
    data: Any = document.data  # a mapping with `collections`: otherwise the document would have no keys
    return is_known(key.name) and not isinstance(data["collections"].get(key.value), (dict, type(None)))


def _about_attribute(item: Block | HalfBlock, key: Key, source: str) -> Fault:
    what = f"the block stands above `{key.name}`, which is an attribute and no collection."
    remedy = "Write the collection's name in between; one that begins with `#` needs quotes."
    return Fault(Problem(what=what, remedy=remedy, source=source, line=item.line))


def _about_slip(slip: Slip, source: str) -> Fault:
    what = f"{slip.reason}."
    problem = Problem(what=what, remedy=slip.remedy, source=source, line=slip.line, column=slip.column)
    return Fault(problem, slip)


def _below(document: Document, slip: Slip) -> list[Key]:
    """The key below the block lines that lost their `#`, as a list; empty if there is none."""
    names = (key for key in document.keys if key.line > slip.last and key.name not in BLOCK_KEYS)
    return list(islice((key for key in names if not BARE_MARKER.fullmatch(key.name)), 1))


def _comment_runs(document: Document) -> Iterator[tuple[list[int], int]]:
    """Runs of comment and blank lines (from 0), each with the offset of the text after it (-1 at the file's end)."""
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


def _read_run(document: Document, run: Sequence[int]) -> list[Block | HalfBlock]:
    found: list[Block | HalfBlock] = []
    begun: int | None = None
    for number in run:
        marker = MARKER.fullmatch(document.lines[number])
        if marker is None:
            continue
        if not marker["end"]:
            if begun is not None:
                found.append(_without_end(document, run, begun + 1))
            begun = number
        elif begun is None:
            found.append(_without_begin(document, run, number + 1))
        else:
            found.append(Block(begun + 1, number + 1, document.lines[begun + 1 : number]))
            begun = None
    if begun is not None:
        found.append(_without_end(document, run, begun + 1))
    return _with_turned(document, run, found)


def _without_end(document: Document, run: Sequence[int], line: int) -> HalfBlock:
    """A begin marker in this line without an end; the end belongs after the last comment of the presumed block."""
    end, sets = line, False
    for number in range(line, run[-1] + 1):
        text = document.lines[number]
        if MARKER.fullmatch(text):
            break
        end = number + 1 if text.strip() else end
        sets = sets or bool(_SETTING.match(text))
    return HalfBlock(line, "end", end + 1 if sets else None, _column(document, line) - 1)


def _without_begin(document: Document, run: Sequence[int], line: int) -> HalfBlock:
    """An end marker in this line without a begin; the begin belongs above the first comment that sets a key."""
    begin: int | None = None
    for number in range(line - 2, run[0] - 1, -1):
        text = document.lines[number]
        if MARKER.fullmatch(text) or not text.strip():
            break
        begin = number + 1 if _SETTING.match(text) else begin
    return HalfBlock(line, "begin", begin, _column(document, line) - 1)


def _with_turned(document: Document, run: Sequence[int], found: list[Block | HalfBlock]) -> list[Block | HalfBlock]:
    """Join two begin markers into one `turned` half, if a key is set between them and none is set below."""
    if not (len(found) == _BOTH and all(isinstance(item, HalfBlock) and item.missing == "end" for item in found)):
        return found
    first, second = (item.line for item in found)
    set_between, set_below = (
        any(_SETTING.match(document.lines[number]) for number in run if start <= number < end)
        for start, end in ((first, second - 1), (second, len(document.lines)))
    )
    if not set_between or set_below:
        return found
    return [HalfBlock(second, "turned", second, _column(document, second) - 1)]


def _column(document: Document, line: int) -> int:
    """The column (from 1) at which the text of a line begins."""
    text = document.lines[line - 1]
    return len(text) - len(text.lstrip(" \t")) + 1


def _hosts(document: Document, first: int, offset: int) -> list[Key]:
    """The key whose definition contains the run of comments that starts at line `first` (from 0), as a list."""
    start = document.starts[first]
    return [key for key in document.keys if key.start < start and key.start < offset < key.end]


class _Complaints:
    """Report what is wrong with the blocks in one run of comments, which stands above `key` or above no key."""

    def __init__(self, document: Document, run: Sequence[int], offset: int, key: Key | None, host: Key | None) -> None:
        self._document = document
        self._last = run[-1]
        self._offset = offset
        self._key = key
        self._host = host

    def about(self, found: Sequence[Block | HalfBlock], source: str) -> Iterator[Fault]:
        """A fault for each item except the one block that belongs to the key."""
        halves = sum(isinstance(item, HalfBlock) for item in found)
        blocks = [item for item in found if isinstance(item, Block)]
        slip = self._misread_name() if blocks and self._key is None else None
        for item in found:
            cause: object = None
            if isinstance(item, HalfBlock):
                what, remedy = _ABOUT_HALVES[item.missing]
                if halves == 1 and item.place is None:
                    what, remedy = "this marker begins or ends no block.", "Take the line away."
                # Without a key below, a missing marker is not worth adding, but a stray marker can still be removed.
                if halves == 1 and (self._key or item.place is None):
                    cause = item
            elif slip:
                yield _about_slip(slip, source)
                continue
            elif self._key is None:
                what = "the block belongs to no collection."
                remedy = "Move it right above the name of its collection, below `collections:`; "
                remedy += "nothing may stand between."
                if len(found) == 1:
                    cause = HomelessBlock(item, self._document, self._last, self._offset, self._host)
            elif item is blocks[0]:
                continue
            else:
                what = f"a second block above one collection; the first begins in line {blocks[0].line}."
                remedy = "Keep one of them, or move the other right above its own collection."
            yield Fault(self._problem(what, remedy, item.line, source), cause)

    def _problem(self, what: str, remedy: str, line: int, source: str) -> Problem:
        return Problem(
            what=what,
            remedy=remedy,
            source=source,
            line=line,
            column=_column(self._document, line),
            collection=self._key.name if self._key else "",
        )

    def _misread_name(self) -> Slip | None:
        """The name below the comments, if YAML reads it as something other than text."""
        below = self._last + 2
        return unquoted_name(self._document.lines, below) if below <= len(self._document.lines) else None


_ABOUT_HALVES = {
    "end": (
        "the block has no end.",
        f"Write `{END}` in a line of its own after its last line; only comments may stand in a block.",
    ),
    "turned": ("the block begins a second time where it should end.", f"Write `{END}` in this line."),
    "begin": ("the end of a block without its beginning.", f"Write `{BEGIN}` in a line of its own above the block."),
}
