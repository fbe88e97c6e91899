"""Show a collection's block as it stands in Kometa's files: its own lines with their numbers, without secrets.

No other line of a file is shown but the one with the collection's name, and of that one only the name. In a
configuration, which holds passwords, a block is shown only where all its keys are those of blocks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.kometa.block_keys import BLOCK_KEYS
from kometa_ai.kometa.checking.excerpts import without_secrets
from kometa_ai.kometa.configuration import is_configuration
from kometa_ai.observe.redact import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.reading import Place, Reading

# A key as people write it, plain or in quotes, up to its colon.
_NAME = re.compile(r"""\A\s*+(?:"(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[^\s#"'?](?:[^:]|:(?=\S))*+)\s*+:(?=\s|\Z)""")
_ELLIPSIS = " …"


class WrittenLine(msgspec.Struct, frozen=True):
    """A line of a file; `number` counts from 1."""

    number: int
    text: str


class BlockLines(msgspec.Struct, frozen=True, kw_only=True):
    """A block in one file, from its first marker to its second.

    `name` is the collection that it stands above, and `head` the line with that name. `keys` are those that it writes,
    with their lines.
    """

    source: str
    lines: tuple[WrittenLine, ...]
    name: str
    head: WrittenLine
    keys: dict[str, int] = {}

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.lines[0].number


def blocks_of(
    readings: Iterable[Reading], name: str, kind: Kind, redact: Callable[[str], str]
) -> tuple[BlockLines, ...]:
    """The blocks of the collection of this name and kind, in the order of the files. `redact` hides known secrets."""
    return tuple(
        BlockLines(
            source=reading.source,
            lines=tuple(_lines(reading, place, redact)),
            name=place.key.name,
            head=WrittenLine(place.key.line, _head(reading.document.lines[place.key.line - 1], place.key.name)),
            keys=dict(place.lines),
        )
        for reading in readings
        for place in reading.places
        if place.key.name == name and kind in place.collection.kinds
    )


def _lines(reading: Reading, place: Place, redact: Callable[[str], str]) -> Iterator[WrittenLine]:
    is_foreign = not place.lines or not place.lines.keys() <= BLOCK_KEYS
    is_hidden = is_foreign and is_configuration(reading.source, "\n".join(reading.document.lines))
    for number in range(place.block.line, place.block.end + 1):
        is_marker = number in (place.block.line, place.block.end)
        text = MASK if is_hidden and not is_marker else reading.document.lines[number - 1]
        yield WrittenLine(number, without_secrets(text, redact))


def _head(line: str, name: str) -> str:
    """The line of a name, without what stands behind it."""
    found = _NAME.match(line)
    if found is None:
        return f"{name}:"
    return found.group() + (_ELLIPSIS if line[found.end() :].strip() else "")
