"""Parse one comment block into a collection, and report everything that is wrong with it, each at its own line.

In a block that is switched off, wrong values do not matter. Only unknown or repeated keys and broken YAML are reported
there, because each may be an `enabled` that was written wrong.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import ValidationError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.core.naming import label_of, slug_of, tag_of
from kometa_ai.core.problem import Problem
from kometa_ai.kometa.block_keys import LISTS, PINS, WANTED, BlockModel, values_of
from kometa_ai.kometa.document import compose
from kometa_ai.kometa.faults import Fault
from kometa_ai.kometa.lines import position, visible
from kometa_ai.kometa.refusals import BrokenYaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails
    from ruamel.yaml.nodes import Node

    from kometa_ai.core.item import Kind
    from kometa_ai.core.naming import Label
    from kometa_ai.kometa.blocks import Block

_LONGEST = 80
_GUESSED = 20


class Parsed(msgspec.Struct, frozen=True):
    """What a block says. It is an OtherCollection if the block is switched off or cannot be used.

    `media` is the kind that the block names, if it does. `lines` are the lines of its keys in the file.
    """

    collection: Collection | OtherCollection
    faults: tuple[Fault, ...] = ()
    media: Kind | None = None
    lines: Mapping[str, int] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of the faults."""
        return tuple(fault.problem for fault in self.faults)


class BrokenBlock(msgspec.Struct, frozen=True):
    """The YAML of a block is refused. `yaml` are its lines, `text` is the line of the file with the error."""

    error: BrokenYaml
    yaml: tuple[str, ...]
    text: str


class UnknownKey(msgspec.Struct, frozen=True):
    """A line with a key that blocks do not have. `near` is a similar key, empty if the block already has that one."""

    text: str
    key: str
    near: str


class WrongValue(msgspec.Struct, frozen=True):
    """A line with a value that its key, or its list, cannot hold."""

    text: str
    key: str
    value: str
    is_item: bool


class OwnTag(msgspec.Struct, frozen=True):
    """A list of tags, from line `first` on, that names the collection's own tag besides the tags in `others`."""

    text: str
    key: str
    first: int
    item_lines: tuple[int, ...]
    others: tuple[str, ...]


class _Entry(msgspec.Struct, frozen=True):
    """One key as it was written: its line in the file, and its value with the lines of its items."""

    line: int
    value: Any
    item_lines: tuple[int, ...] = ()


def parse_block(name: str, block: Block, source: str) -> Parsed:
    """Parse the block of the collection of this name in this file. Faults are returned, never raised."""
    return _BlockReader(name, block, source).read()


class _BlockReader:
    def __init__(self, name: str, block: Block, source: str) -> None:
        self._name = name
        self._block = block
        self._source = source
        self._faults: list[Fault] = []
        self._empty: dict[str, int] = {}

    def read(self) -> Parsed:
        entries = self._entries()
        model, errors = _validate({key: entry.value for key, entry in entries.items()})
        unknown = [error for error in errors if error["type"] == "extra_forbidden"]
        wrong = [error for error in errors if error["type"] != "extra_forbidden"]
        refused = {str(error["loc"][0]) for error in wrong}
        faults = self._faults
        for number, error in enumerate(unknown):
            faults.append(self._unknown(str(error["loc"][0]), entries, guess=number < _GUESSED))
        # Do not also report a missing prompt if `prompt` was misspelt.
        refused |= {"prompt"} & {_near(str(error["loc"][0])) for error in unknown[:_GUESSED]}
        if model.enabled or "enabled" in refused:
            faults += [self._refused(error, entries) for error in wrong]
            faults += self._contradictions(model, entries, refused)
        faults.sort(key=lambda fault: fault.problem.line or 0)
        lines = {key: entry.line for key, entry in entries.items()}
        result = self._result(model, entries.get("libraries"), usable=model.enabled and not faults)
        return Parsed(result, tuple(faults), model.media, lines)

    def _result(self, model: BlockModel, libraries: _Entry | None, *, usable: bool) -> Collection | OtherCollection:
        slug = slug_of(self._name)
        tag = model.tag or tag_of(slug)
        if not usable:
            return OtherCollection(
                name=self._name, slug=slug, label=label_of(tag), source=self._source, line=self._block.line
            )
        return Collection(
            name=self._name,
            slug=slug,
            tag=tag,
            source=self._source,
            line=self._block.line,
            libraries_line=libraries.line if libraries else 0,
            libraries_written=tuple(text.strip() for text in libraries.value) if libraries else (),
            **values_of(model),
        )

    def _entries(self) -> dict[str, _Entry]:
        yaml = uncomment(self._block.body)
        try:
            node = compose("\n".join(yaml))
        except BrokenYaml as error:
            line = self._line(error.line - 1) if error.line else self._block.line
            what = f"the block cannot be read: {error.reason}."
            cause = BrokenBlock(error, tuple(yaml), self._text(line))
            self._faults.append(self._fault(what, error.remedy, line, cause=cause))
            return {}
        if node is None or _is_null(node):
            return {}
        if not isinstance(node, MappingNode):
            remedy = "Write its settings as `key: value`, e.g. `enabled: true`, and text below `prompt: |` indented."
            line = self._line(node.start_mark.line)
            self._faults.append(self._fault("the block holds something else than settings.", remedy, line))
            return {}
        return self._read_mapping(node)

    def _read_mapping(self, node: MappingNode) -> dict[str, _Entry]:
        entries: dict[str, _Entry] = {}
        for key_node, value_node in node.value:
            key = _text(key_node)
            line = self._line(key_node.start_mark.line)
            if key in entries:
                what = f"`{_shown(key)}` stands twice; the first is in line {entries[key].line}."
                self._faults.append(self._fault(what, "Keep one of them.", line, at=key))
            elif key not in BlockModel.model_fields or not _is_null(value_node):
                entries[key] = self._entry(key, line, value_node)
            else:
                self._empty[key] = line
        return entries

    def _entry(self, key: str, line: int, node: Node) -> _Entry:
        if key not in LISTS:
            return _Entry(line, node.value if isinstance(node, ScalarNode) else "")
        items = list(items_of(node, LISTS[key].split))
        return _Entry(line, [text for text, _ in items], tuple(self._line(number) for _, number in items))

    def _line(self, number: int) -> int:
        """The line in the file for a line (from 0) of the block's YAML."""
        return self._block.line + 1 + min(number, max(len(self._block.body) - 1, 0))

    def _text(self, line: int) -> str:
        """A line of the block as it stands in the file; empty for a marker's line."""
        number = line - self._block.line - 1
        return self._block.body[number] if 0 <= number < len(self._block.body) else ""

    def _fault(self, what: str, remedy: str, line: int, *, at: str = "", cause: object = None) -> Fault:
        """A fault at a piece of text in a line, or at the line's first word."""
        text = self._text(line)
        column = position(text, at) if at else len(text) - len(text.lstrip(" \t#"))
        problem = Problem(
            what=what,
            remedy=remedy,
            source=self._source,
            line=line,
            column=column + 1 if text and column >= 0 else None,
            collection=self._name,
        )
        return Fault(problem, cause)

    def _unknown(self, key: str, entries: dict[str, _Entry], *, guess: bool) -> Fault:
        near = _near(key) if guess else ""
        remedy = f"Did you mean `{near}`?" if near else f"The keys there are: {', '.join(BlockModel.model_fields)}."
        line = entries[key].line
        cause = UnknownKey(self._text(line), key, near if near not in entries else "")
        return self._fault(f"`{_shown(key)}` is not a key of a block.", remedy, line, at=key, cause=cause)

    def _refused(self, error: ErrorDetails, entries: dict[str, _Entry]) -> Fault:
        key, *item = error["loc"]
        entry = entries[str(key)]
        line = entry.item_lines[item[0]] if item and isinstance(item[0], int) else entry.line
        what, remedy = WANTED[str(key)]
        value = str(error["input"])
        what = f"`{key}` holds {_shown(value) or 'something empty or nested'!r}, which is {what}."
        cause = WrongValue(self._text(line), str(key), value, is_item=bool(item))
        return self._fault(what, remedy.format(key=key), line, at=value, cause=cause)

    def _contradictions(self, model: BlockModel, entries: dict[str, _Entry], refused: set[str]) -> Iterator[Fault]:
        if not model.prompt and "prompt" not in refused:
            yield self._no_prompt(entries)
        own = label_of(model.tag or tag_of(slug_of(self._name)))
        for key in (key for key, each in LISTS.items() if each.items == "tags"):
            if own in getattr(model, key):
                yield self._own_tag(key, entries[key], own)
        for into, out in PINS.values():
            included = {ref.key for ref in getattr(model, into)}
            for ref in getattr(model, out):
                if ref.key in included:
                    what = f"{_shown(ref.text)} stands in both `{into}` and `{out}`."
                    yield self._fault(what, "Remove it from one of them.", entries[out].line, at=out)

    def _no_prompt(self, entries: dict[str, _Entry]) -> Fault:
        there = entries["prompt"].line if "prompt" in entries else self._empty.get("prompt")
        what = "`enabled` is true, but there is no `prompt`."
        remedy = "Write `prompt: |` and below it, two blanks further in, which movies belong; or switch it off."
        return self._fault(what, remedy, there or self._block.line)

    def _own_tag(self, key: str, entry: _Entry, own: Label) -> Fault:
        where = [line for item, line in zip(entry.value, entry.item_lines, strict=True) if label_of(item) == own]
        others = tuple(item for item in entry.value if label_of(item) != own)
        what = f"`{key}` names the collection's own tag {own}."
        remedy = "Remove it; use `include_movies` or `exclude_movies` to pin single movies."
        cause = OwnTag(self._text(entry.line), key, entry.line, entry.item_lines, others)
        return self._fault(what, remedy, where[0], cause=cause)


@lru_cache(maxsize=1000)
def _near(key: str) -> str:
    """The most similar key of a block; empty if there is none."""
    if len(key) > _LONGEST:
        return ""
    known = tuple(BlockModel.model_fields)
    near = get_close_matches(re.sub(r"[\s-]+", "_", key.lower()), known, n=1, cutoff=0.55)
    return near[0] if near else ""


def _shown(text: str) -> str:
    """Text from a file, shortened for a message."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\u2026"


def uncomment(body: Sequence[str]) -> list[str]:
    """The YAML in comment lines: without `#` and at most one blank after it, and without common indentation."""
    lines = []
    for line in body:
        text = line.strip(" \t").removeprefix("#").removeprefix(" ")
        # YAML would end the line at such a character, and all later line numbers would be wrong.
        lines.append(visible(text).rstrip())
    indent = min((len(line) - len(line.lstrip(" \t")) for line in lines if line), default=0)
    return [line[indent:] for line in lines]


def _validate(values: dict[str, Any]) -> tuple[BlockModel, list[ErrorDetails]]:
    """The model of all valid values, so that the other checks can still run, and the errors."""
    try:
        return BlockModel.model_validate(values), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    wrong = {tuple(error["loc"][:2]) for error in errors}
    right = {
        key: [item for number, item in enumerate(value) if (key, number) not in wrong]
        if isinstance(value, list)
        else value
        for key, value in values.items()
        if (key,) not in wrong
    }
    return BlockModel.model_validate(right), errors


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _text(node: Node) -> str:
    """A scalar as it was written, so that the label `007` stays text; `a: b` as text if a title holds a colon."""
    if isinstance(node, ScalarNode):
        return "" if _is_null(node) else str(node.value)
    if isinstance(node, MappingNode) and len(node.value) == 1:
        key, value = node.value[0]
        if isinstance(key, ScalarNode) and isinstance(value, ScalarNode):
            return f"{key.value}: {value.value}"
    return ""


def items_of(node: Node, split: Callable[[str], Iterable[str]]) -> Iterator[tuple[str, int]]:
    """The items of a list, or of a single text, each with its line (from 0)."""
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield _text(item), item.start_mark.line
    elif isinstance(node, MappingNode):
        yield "", node.start_mark.line
    else:
        for text in split(_text(node)):
            yield text, node.start_mark.line
