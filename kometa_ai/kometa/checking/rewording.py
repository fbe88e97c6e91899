"""Write a block with another threshold, prompt or pins: the lines to copy into the file, proved by reading them.

    lines_to_copy(root, collection, lambda block: with_threshold(block, 0.65), by_hand="...", ...)

Nothing here writes a file. Whatever form a block is written in, its new lines are tried in memory; where the file then
says anything else than what was wanted, no lines are offered.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from kometa_ai.core.collection import Collection, ItemRef
from kometa_ai.core.problem import Correction, Problem
from kometa_ai.kometa.block_keys import LISTS, PINS
from kometa_ai.kometa.checking.changes import changes_between
from kometa_ai.kometa.checking.corrections import applied
from kometa_ai.kometa.checking.examination import Examination, examine
from kometa_ai.kometa.checking.excerpts import Excerpts
from kometa_ai.kometa.document import compose
from kometa_ai.kometa.files import TextFile
from kometa_ai.kometa.parser import items_of, uncomment
from kometa_ai.kometa.reading import Contents, read_file
from kometa_ai.kometa.refusals import BrokenYaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from ruamel.yaml.nodes import Node

    from kometa_ai.core.collection import OtherCollection
    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.reading import Place

_ID = re.compile(r"(?:tmdb|tvdb):[0-9]+|tt[0-9]+", re.IGNORECASE)
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*+\s++(?P<comment>#.*)")
_LINE_NUMBER = re.compile(r"(?<=line )\d+|(?<=ml:)\d+")


class LinesToCopy(msgspec.Struct, frozen=True, omit_defaults=True):
    """The corrected lines for one file that holds the block; where there are none, `by_hand` says what to change."""

    source: str
    line: int
    correction: Correction | None = None
    by_hand: str = ""


class WrittenBlock(msgspec.Struct, frozen=True):
    """A block as it stands in a file, and what the whole file says. `kind` is that of its collection."""

    file: TextFile
    contents: Contents
    place: Place
    says: Collection
    kind: Kind = "movie"

    @classmethod
    def of(
        cls, file: TextFile, name: str, kind: Kind = "movie", contents: Contents | None = None
    ) -> WrittenBlock | None:
        """The usable block of the collection of this name in the file, if there is one.

        `contents` are those of the file, where it was read already: a large one takes long.
        """
        contents = contents or read_file(file)
        for reading in contents.readings:
            for place in reading.places:
                if place.key.name == name and isinstance(place.collection, Collection):
                    return cls(file, contents, place, place.collection, kind)
        return None


class _Edit(NamedTuple):
    """Lines (from 0) of the block's body that are replaced; none of them if `last` is before `first`."""

    first: int
    last: int
    lines: tuple[str, ...]


def lines_to_copy(
    root: Path,
    collection: Collection,
    wanted: Callable[[WrittenBlock], Correction | None],
    *,
    by_hand: str,
    services: AbstractSet[Kind],
    redact: Callable[[str], str],
    examined: Examination | None = None,
) -> tuple[LinesToCopy, ...]:
    """The lines for each file that holds the collection's block: where there are several, all must say the same.

    `by_hand` is told in place of lines that cannot be proved or would show a secret. The folder is read, unless it is
    `examined` already. Raise FixConfiguration if it cannot be read.
    """
    examined = examined or examine(root, services=services)
    excerpts = Excerpts(root, redact)
    found = []
    for file, contents in examined.files_of(collection):
        block = WrittenBlock.of(file, collection.name, collection.kind, contents)
        line = block.place.block.line if block else 0
        correction = wanted(block) if block else None
        if correction:
            told = Problem(what="", remedy="", source=file.source, line=line, correction=correction)
            correction = excerpts.added_to(told).correction
        found.append(LinesToCopy(file.source, line, correction, "" if correction else by_hand))
    return tuple(found)


def with_threshold(block: WrittenBlock, value: float) -> Correction | None:
    """The line with another `confidence_threshold`, or one to insert; None if that is what the block says already."""
    return _proved(block, {"confidence_threshold": value}, lambda body: body.with_value("confidence_threshold", value))


def with_prompt(block: WrittenBlock, text: str) -> Correction | None:
    """The lines with another prompt. Blanks at the ends of its lines are left out: comments do not keep them."""
    lines = [line.rstrip() for line in re.split(r"\r\n|\n|\r", text.strip())]
    return _proved(block, {"prompt": "\n".join(lines)}, lambda body: body.with_text("prompt", lines))


def with_pins(block: WrittenBlock, *, into: Sequence[str] = (), out: Sequence[str] = ()) -> Correction | None:
    """The lines with more items pinned in and out, named as in a block; one that stands on the other side moves.

    None also if the block pins them already. Raise ValueError for a text that names no item of the collection's kind.
    """
    pins = _with_more(block, *([ItemRef.parse(text, block.kind) for text in side] for side in (into, out)))
    return _proved(
        block,
        pins,
        *(partial(_Body.with_list, key=key, items=[ref.text for ref in refs]) for key, refs in pins.items()),
    )


def _with_more(block: WrittenBlock, into: Sequence[ItemRef], out: Sequence[ItemRef]) -> dict[str, tuple[ItemRef, ...]]:
    """The lists of pins that change, by key."""
    lists = {}
    for key, come, gone in zip(PINS[block.kind], (into, out), (out, into), strict=True):
        before: tuple[ItemRef, ...] = getattr(block.says, key)
        taken = {ref.key for ref in gone}
        stay = {ref.key: ref for ref in before if ref.key not in taken}
        after = tuple((stay | {ref.key: ref for ref in come if ref.key not in stay}).values())
        if after != before:
            lists[key] = after
    return lists


class _Body:
    """A block's body as YAML: which of its lines say what, and what to write in their place."""

    def __init__(self, body: Sequence[str]) -> None:
        self._body = body
        self._yaml = uncomment(body)
        node = compose("\n".join(self._yaml) + "\n")
        self._node = node if isinstance(node, MappingNode) else None
        self._entries: dict[str, tuple[Node, Node]] = {}
        for key, value in self._node.value if self._node else ():
            if isinstance(key, ScalarNode):
                self._entries.setdefault(str(key.value), (key, value))

    def with_value(self, key: str, value: float) -> Iterator[_Edit]:
        """Write a number: in place of the one that is there, or in a line of its own."""
        yield from self._with_flow(key, repr(float(value)))

    def with_text(self, key: str, lines: Sequence[str]) -> Iterator[_Edit]:
        """Write a text, below its key where that can be done."""
        if self._is_flow:
            yield from self._with_flow(key, json.dumps("\n".join(lines), ensure_ascii=False))
            return
        if key in self._entries:
            name, value = self._entries[key]
            comment = self._comment_behind(value)
            head = f"{self._yaml[name.start_mark.line][: name.end_mark.column]}: |{comment}"
            yield self._instead(
                name, value, [head, *(f"{self._indent(name)}  {line}" if line else "" for line in lines)]
            )

    def with_list(self, key: str, items: Sequence[str]) -> Iterator[_Edit]:
        """Write a list of items: more of them below the last, or the whole list anew."""
        quoted = [text if _ID.fullmatch(text) else json.dumps(text, ensure_ascii=False) for text in items]
        entry = self._entries.get(key)
        if (
            self._is_flow
            or (entry and isinstance(entry[1], ScalarNode) and not _is_null(entry[1]))
            or (entry and isinstance(entry[1], SequenceNode) and entry[1].flow_style)
        ):
            yield from self._with_flow(key, f"[{', '.join(quoted)}]")
            return
        if entry is None:
            yield from self._below_enabled([f"{key}:", *(f"  - {text}" for text in quoted)])
            return
        name, value = entry
        if isinstance(value, SequenceNode) and value.value:
            before = [text for text, _ in items_of(value, LISTS[key].split)]
            dash = " " * value.start_mark.column
            if list(items[: len(before)]) == before:
                last = _last_line(value)
                yield _Edit(last + 1, last, self._lines(f"{dash}- {text}" for text in quoted[len(before) :]))
                return
            kept = [
                self._yaml[item.start_mark.line]
                for text, item in zip(before, value.value, strict=True)
                if text in items and item.start_mark.line == _last_line(item)
            ]
            new = [f"{dash}- {text}" for text, item in zip(quoted, items, strict=True) if item not in before]
            head = self._yaml[name.start_mark.line : value.start_mark.line]
            yield self._instead(name, value, [*head, *kept, *new] if items else [])
            return
        start = self._yaml[name.start_mark.line][: name.end_mark.column]
        yield self._instead(name, name, [f"{start}:", *(f"{self._indent(name)}  - {text}" for text in quoted)])

    @property
    def _is_flow(self) -> bool:
        return bool(self._node is not None and self._node.flow_style)

    def _with_flow(self, key: str, text: str) -> Iterator[_Edit]:
        """Write a value on one line: in place of the one that is there, or as a new entry."""
        entry = self._entries.get(key)
        if entry is None:
            if self._is_flow:
                first = next(iter(self._entries.values()))[0].start_mark
                yield self._between(first, first, f"{key}: {text}, ")
            else:
                yield from self._below_enabled([f"{key}: {text}"])
            return
        name, value = entry
        if _is_null(value):
            line = self._yaml[name.end_mark.line]
            colon = line.find(":", name.end_mark.column) + 1
            yield _Edit(name.end_mark.line, name.end_mark.line, self._lines([f"{line[:colon]} {text}{line[colon:]}"]))
        elif isinstance(value, ScalarNode) and value.style in ("|", ">"):
            start = self._yaml[name.start_mark.line][: name.end_mark.column]
            yield self._instead(name, value, [f"{start}: {text}"])
        else:
            yield self._between(value.start_mark, value.end_mark, text)

    def _between(self, start: Any, end: Any, text: str) -> _Edit:  # noqa: ANN401 - marks of ruamel, which has no types
        """The text in place of what stands between two marks."""
        line = f"{self._yaml[start.line][: start.column]}{text}{self._yaml[end.line][end.column :]}"
        return _Edit(start.line, end.line, self._lines([line]))

    def _below_enabled(self, lines: Sequence[str]) -> Iterator[_Edit]:
        """New entries below `enabled`, which each block has that takes part."""
        if "enabled" in self._entries:
            name, value = self._entries["enabled"]
            last = _last_line(value)
            yield _Edit(last + 1, last, self._lines(self._indent(name) + line for line in lines))

    def _instead(self, name: Node, value: Node, lines: Sequence[str]) -> _Edit:
        return _Edit(name.start_mark.line, _last_line(value), self._lines(lines))

    def _indent(self, name: Node) -> str:
        return " " * int(name.start_mark.column)

    def _comment_behind(self, value: Node) -> str:
        """A comment in the first line of a value that ends there, or is a block of text below it."""
        line = self._yaml[value.start_mark.line]
        if isinstance(value, ScalarNode) and value.style in ("|", ">"):
            found = _BLOCK_HEADER.match(line, value.start_mark.column)
            return f"  {found['comment']}" if found else ""
        rest = line[value.end_mark.column :].strip() if value.start_mark.line == value.end_mark.line else ""
        return f"  {rest}" if rest.startswith("#") else ""

    def _lines(self, yaml: Iterable[str]) -> tuple[str, ...]:
        """Lines of YAML as comment lines, indented as the block is."""
        written = next(filter(str.strip, self._body), "")
        before = written[: len(written) - len(written.lstrip(" \t"))]
        start = f"{before}# {' ' * self._taken}"
        return tuple((start + line).rstrip() if line else f"{before}#" for line in yaml)

    @property
    def _taken(self) -> int:
        """How many blanks of indentation all lines share, which the reader takes away."""
        texts = (line.strip(" \t").removeprefix("#").removeprefix(" ").rstrip() for line in self._body)
        return min((len(text) - len(text.lstrip(" \t")) for text in texts if text), default=0)


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null" and not node.value


def _last_line(node: Node) -> int:
    """The line (from 0) in which a value ends; the blank lines and comments behind it are none of its own."""
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return int(node.end_mark.line) - 1
    if isinstance(node, (SequenceNode, MappingNode)) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.line)


def _proved(
    block: WrittenBlock, wanted: dict[str, Any], *writes: Callable[[_Body], Iterable[_Edit]]
) -> Correction | None:
    """The correction that the writes make one after the other, if the file then says that and is otherwise the same."""
    expected = msgspec.structs.replace(block.says, **wanted)
    if expected == block.says:
        return None
    before = block.place.block.body
    after, spans = before, []
    try:
        for write in writes:
            for first, last, lines in write(_Body(after)):
                after = (*after[:first], *lines, *after[max(last + 1, first) :])
                spans.append((first, last))
    except BrokenYaml:
        return None
    first, last = spans[0] if len(spans) == 1 else _span(before, after)
    line = block.place.block.line + 1
    lines = after[first : len(after) - len(before) + max(last + 1, first)]
    correction = Correction(line + first, line + last, lines)
    read = read_file(TextFile(block.file.source, applied(block.file.text, correction)))
    return correction if _says(read, block, expected) else None


def _span(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """The first and the last line (from 0) of those that differ; the last is before the first if lines only come in."""
    shorter = min(len(before), len(after))
    first = next((number for number in range(shorter) if before[number] != after[number]), shorter)
    same = next((n for n in range(shorter - first) if before[-1 - n] != after[-1 - n]), shorter - first)
    return first, len(before) - 1 - same


def _says(after: Contents, block: WrittenBlock, expected: Collection) -> bool:
    """Whether a file says of one collection what is expected, and otherwise what it said."""
    before = block.contents
    if len(after.readings) != 1 or _faults(after) != _faults(before):
        return False
    old, new = before.readings[0], after.readings[0]
    if changes_between(old.document.data, new.document.data) != [] or len(old.places) != len(new.places):
        return False
    return all(
        one.key.name == other.key.name
        and one.media == other.media
        and _rules(other.collection) == _rules(expected if one.key.name == block.place.key.name else one.collection)
        for one, other in zip(old.places, new.places, strict=True)
    )


def _rules(says: Collection | OtherCollection) -> Collection | OtherCollection:
    """What a block says, wherever it stands."""
    if isinstance(says, Collection):
        return msgspec.structs.replace(says, line=0, libraries_line=0)
    return msgspec.structs.replace(says, line=0)


def _faults(contents: Contents) -> Counter[tuple[str, str]]:
    found = (*contents.faults, *contents.refused)
    return Counter((fault.problem.collection, _LINE_NUMBER.sub("", fault.problem.what)) for fault in found)
