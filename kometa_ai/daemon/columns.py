"""Hold what the state remembers of each item and collection as columns of numbers: 10,000 x 20 take some 2 MB.

Decisions that differ only in when, from which facts and why they were made share one object. Reasons stay on the disk.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from kometa_ai.core.decision import Decision, Remembered, Unjudged
from kometa_ai.core.fingerprint import Fingerprint
from kometa_ai.core.item import ItemKey, Kind, kind_of
from kometa_ai.core.movie import NO_CREDITS
from kometa_ai.core.naming import Slug
from kometa_ai.errors import RepairState
from kometa_ai.judging.planning import Subject, subjects_of
from kometa_ai.state.by_line import open_state
from kometa_ai.state.schema import Described, Judged, LeftUnjudged
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.state.by_line import OpenState

_SAME_FACTS = Fingerprint("all", "without credits")
"""The fingerprint of every subject: decisions tell which of the item's hashes they were made from, if any."""
_OTHER_FACTS = "others"
_OWN = frozenset({"tag", "metadata_hash", "timestamp", "reasoning", "request"})
"""The fields of a decision that are its own, or its collection's."""
_in_common = attrgetter(*(field for field in Decision.__struct_fields__ if field not in _OWN))
_HEX = 64
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86400
_NONE = array("H")


_Else = TypeVar("_Else")


class Columns:
    """A row for each item, known to the state or held by a library, and a column for each collection ever decided.

    Made from the state once, and then told the items of the libraries, by `describe`; only read after that. `head` is
    everything else that the state says, the journal included.
    """

    def __init__(self, state: OpenState) -> None:
        self._state = state
        self.rows: dict[ItemKey, int] = {}
        self._hashes = _Hashes()
        self._facts = _Facts()
        self._unjudged: dict[int, dict[Slug, Unjudged]] = {}
        self._lines = array("Q")
        self._described: dict[int, int] = {}
        self._columns: dict[Kind, dict[Slug, _Column]] = {"movie": {}, "show": {}}
        # Number 0 is no decision. By the hash that they were made from: all of the item's, without credits, another.
        self._shapes: dict[object, int] = {}
        self._decisions: tuple[list[Decision | None], ...] = ([None], [None], [None])
        for offset, key, item in state.items():
            row = self._new_row(key, offset + 1)
            self._note(row, item)
            if item.unjudged:
                self._unjudged[row] = item.unjudged
            self._add(key, row, item.collections)
        rest = Store.beginning_with(state.head)
        for offset, entry in state.entries():
            if isinstance(entry, Judged | LeftUnjudged | Described):
                self._apply(offset, entry)
            else:
                rest.record(entry)
        self.head = rest.state

    def _new_row(self, key: ItemKey, line: int = 0) -> int:
        row = self.rows[key] = len(self.rows)
        self._lines.append(line)
        self._facts.append()
        return row

    def _row(self, key: ItemKey) -> int:
        row = self.rows.get(key)
        return self._new_row(key) if row is None else row

    def _apply(self, offset: int, entry: Judged | LeftUnjudged | Described) -> None:
        """As the store applies it."""
        match entry:
            case Judged():
                row = self._row(entry.key)
                self._add(entry.key, row, {entry.slug: entry.decision}, offset + 1)
                self._unjudged.get(row, {}).pop(entry.slug, None)
            case LeftUnjudged():
                self._unjudged.setdefault(self._row(entry.key), {})[entry.slug] = entry.unjudged
            case Described():
                row = self._row(entry.key)
                self._note(row, entry.movie)
                self._described[row] = offset

    def _note(self, row: int, item: Remembered) -> None:
        number = self._hashes.number
        self._facts.set(row, number(item.metadata_hash), number(item.facts_hash), is_credited=item.credits is not None)

    def _add(self, key: ItemKey, row: int, decisions: Mapping[Slug, Decision], later: int = 0) -> None:
        """Note decisions about an item; `later` says where the journal tells of them.

        A hundred thousand pass through here. Those of an item mostly have the facts and the time in common.
        """
        columns, shapes = self._columns[kind_of(key)], self._shapes
        facts, facts_number = None, 0
        for slug, decision in decisions.items():
            number = shapes.get(_in_common(decision)) or self._new_shape(decision)
            if decision.metadata_hash != facts:
                facts = decision.metadata_hash
                facts_number = self._hashes.number(facts)
            age = decision.timestamp - _BEGINNING  # far quicker than its timestamp()
            at = age.days * _DAY + age.seconds
            column = columns.get(slug)
            if column is None:
                column = columns[slug] = _Column()
            try:
                # What comes in order of the rows, and fits, is nearly all.
                is_next = not later and len(column.numbers) == row
                if is_next:
                    column.made_from.append(facts_number)
                    column.at.append(at)
                    column.numbers.append(number)
            except OverflowError:
                is_next = False
            if not is_next:
                column.put(row, number, facts_number, at, later)

    def _new_shape(self, decision: Decision) -> int:
        number = self._shapes[_in_common(decision)] = len(self._decisions[0])
        for known, facts in zip(self._decisions, (*_SAME_FACTS, _OTHER_FACTS), strict=True):
            known.append(
                msgspec.structs.replace(
                    decision, tag="", metadata_hash=facts, timestamp=_BEGINNING, reasoning="", request=""
                )
            )
        return number

    # What the libraries tell

    def describe(self, item: AnyItem, unconfirmed: AbstractSet[ItemKey]) -> None:
        """Note the fingerprint of an item as its library tells of it now, by the rules of a run."""
        row = self._row(item.key)
        known = self._remembered(row)
        subject = _subject(item, known, unconfirmed)
        if known.credits is not None and subject.fingerprint.blind != known.facts_hash:
            # Its facts have changed: only now it matters who the people are.
            subject = _subject(item, self.in_full(item.key), unconfirmed)
        prints = subject.fingerprint
        self._facts.describe(row, self._hashes.number(prints.full), self._hashes.number(prints.blind))

    def close(self) -> None:
        """End the making: what only that needs is forgotten."""
        self._hashes.forget()
        self._shapes.clear()
        self._facts.forget()

    def _remembered(self, row: int) -> Remembered:
        """What the state says of an item's facts, with no names in the place of its people."""
        metadata, facts, is_credited = self._facts.known(row)
        return Remembered(
            metadata_hash=self._hashes.text(metadata),
            facts_hash=self._hashes.text(facts),
            credits=NO_CREDITS if is_credited else None,
        )

    # Queries

    def subject(self, item: AnyItem, *, is_confirmed: bool) -> Subject:
        """The item as one that `memory` knows."""
        return Subject(item, _SAME_FACTS, is_confirmed)

    @property
    def memory(self) -> Mapping[ItemKey, Remembered]:
        """What is remembered, for `subject`s and the functions of a run. Made anew with each access; no reasons."""
        return _Recalled(self)

    def recall(self, key: ItemKey, row: int) -> Remembered:
        """What is remembered of the item of a row."""
        unjudged = self._unjudged.get(row)
        full, blind = self._facts.now(row)
        return Remembered(
            unjudged={slug: self._relative(row, each) for slug, each in unjudged.items()} if unjudged else {},
            # As good as a dict for those who only look into it.
            collections=cast(
                "dict[Slug, Decision]", _Decided(self._columns[kind_of(key)], self._decisions, row, full, blind)
            ),
        )

    def _relative(self, row: int, unjudged: Unjudged) -> Unjudged:
        hashes = [self._hashes.text(number) for number in self._facts.now(row)]
        facts = [name for name, known in zip(_SAME_FACTS, hashes, strict=True) if known == unjudged.metadata_hash]
        return msgspec.structs.replace(unjudged, metadata_hash=facts[0] if facts else _OTHER_FACTS)

    def decision(self, key: ItemKey, slug: Slug) -> Decision | None:
        """A decision without its reason and its request, which are on the disk."""
        row, column = self.rows.get(key), self._columns[kind_of(key)].get(slug)
        number = column.number(row) if column and row is not None else 0
        if not number or column is None or row is None:
            return None
        bare = self._decisions[0][number]
        return bare and msgspec.structs.replace(
            bare,
            metadata_hash=self._hashes.text(column.made_from[row]),
            timestamp=datetime.fromtimestamp(column.at[row], UTC),
        )

    def listed(self, kind: Kind, slug: Slug) -> list[tuple[int, Decision]]:
        """The decisions with a confidence of their own, each with its row. They do not tell when they were made."""
        column, decisions = self._columns[kind].get(slug), self._decisions[0]
        own = {number: each for number, each in enumerate(decisions) if each is not None and each.confidence > 0}
        return [(row, own[number]) for row, number in enumerate(column.numbers) if number in own] if column else []

    def refused(self, kind: Kind, slug: Slug) -> frozenset[int]:
        """The rows with a decision that keeps its item out at any threshold, and needs no second look."""
        column = self._columns[kind].get(slug)
        plain = {number for number, each in enumerate(self._decisions[0]) if each is not None and _is_refusal(each)}
        return frozenset(row for row, number in enumerate(column.numbers) if number in plain) if column else frozenset()

    def confidence(self, kind: Kind, slug: Slug, row: int) -> float:
        """The confidence of a decision; 0 where there is none, as where the answer merely named the item as out."""
        column = self._columns[kind].get(slug)
        known = self._decisions[0][column.number(row)] if column else None
        return known.confidence if known is not None else 0.0

    def decided_at(self, kind: Kind, slug: Slug, row: int) -> int:
        """When a decision was made, in seconds since 1970; 0 where there is none."""
        column = self._columns[kind].get(slug)
        return column.at[row] if column and column.number(row) else 0

    def in_full(self, key: ItemKey) -> Remembered:
        """What the state says of an item, read from the disk: with people, reasons and all decisions."""
        row = self.rows.get(key)
        if row is None:
            return Remembered()
        line = self._lines[row]
        known = self._state.remembered(line - 1) if line else Remembered()
        described = self._state.entry(self._described[row]) if row in self._described else None
        if isinstance(described, Described):
            described.movie.collections, described.movie.unjudged = known.collections, known.unjudged
            known = described.movie
        for slug, column in self._columns[kind_of(key)].items():
            if later := column.line_of(row):
                entry = self._state.entry(later - 1)
                if isinstance(entry, Judged):
                    known.collections[slug] = entry.decision
        known.unjudged = self._unjudged.get(row, {})
        return known


def columns_of(folder: Path) -> Columns:
    """Read a folder's state. Raise RepairState where it is damaged, or newer than this program, or OSError."""
    opened = open_state(folder)
    try:
        return Columns(opened)
    except RepairState:
        if not opened.is_by_line:
            raise
        return Columns(open_state(folder, as_a_whole=True))  # a person may have formatted some of it


def _is_refusal(decision: Decision) -> bool:
    is_out = not decision.include and not decision.member
    return is_out and decision.confidence == 0 and decision.second_look != "due"


class _Hashes:
    """Numbers for hashes that repeat. They are kept as the 32 bytes that they are; what is no such hash, as a text."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._bytes = bytearray()
        self._odd: dict[int, str] = {}

    def number(self, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self._numbers)
            content = _from_hex(text)
            self._bytes += content or bytes(_HEX // 2)
            if content is None:
                self._odd[number] = text
        return number

    def text(self, number: int) -> str:
        if number in self._odd:
            return self._odd[number]
        start = number * _HEX // 2
        return self._bytes[start : start + _HEX // 2].hex()

    def forget(self) -> None:
        """Give no more numbers."""
        self._numbers = {}


def _from_hex(text: str) -> bytes | None:
    if len(text) != _HEX:
        return None
    try:
        content = bytes.fromhex(text)
    except ValueError:
        return None
    return content if content.hex() == text else None


class _Facts:
    """By row, the numbers of the hashes of an item's facts: as the state remembers them, and as they are now."""

    def __init__(self) -> None:
        self._metadata, self._blind, self._credited = array("I"), array("I"), bytearray()
        self._full_now, self._blind_now = array("I"), array("I")

    def append(self) -> None:
        for column in (self._metadata, self._blind, self._full_now, self._blind_now):
            column.append(0)
        self._credited.append(0)

    def set(self, row: int, metadata: int, blind: int, *, is_credited: bool) -> None:
        self._metadata[row], self._blind[row], self._credited[row] = metadata, blind, is_credited

    def describe(self, row: int, full: int, blind: int) -> None:
        self._full_now[row], self._blind_now[row] = full, blind

    def known(self, row: int) -> tuple[int, int, bool]:
        return self._metadata[row], self._blind[row], bool(self._credited[row])

    def now(self, row: int) -> tuple[int, int]:
        return self._full_now[row], self._blind_now[row]

    def forget(self) -> None:
        """Drop what the state remembers; what the libraries told stays."""
        self._metadata, self._blind, self._credited = array("I"), array("I"), bytearray()


class _Column:
    """The decisions of one collection, by row: the number of what they have in common, and what each has of its own.

    Numbers take two bytes until one does not fit. `later` is where the journal's line of a decision begins, plus one.
    """

    __slots__ = ("at", "later", "made_from", "numbers")

    def __init__(self) -> None:
        self.numbers, self.made_from, self.at, self.later = array("H"), array("H"), array("I"), _NONE

    def put(self, row: int, number: int, made_from: int, at: int, later: int) -> None:
        """Note the decision of any row."""
        self.numbers = _with(self.numbers, row, number)
        self.made_from = _with(self.made_from, row, made_from)
        self.at = _with(self.at, row, max(0, at))
        if later:
            self.later = _with(self.later if self.later is not _NONE else array("I"), row, later)

    def number(self, row: int) -> int:
        return self.numbers[row] if row < len(self.numbers) else 0

    def line_of(self, row: int) -> int:
        return self.later[row] if row < len(self.later) else 0


def _with(numbers: array[int], row: int, number: int) -> array[int]:
    """The numbers with another one; in a wider array where it does not fit."""
    try:
        if row == len(numbers):
            numbers.append(number)
            return numbers
        if row > len(numbers):
            numbers.frombytes(bytes((row + 1 - len(numbers)) * numbers.itemsize))
        numbers[row] = number
    except OverflowError:
        wider = array("I" if numbers.typecode == "H" else "Q", numbers)
        return _with(wider, row, number)
    return numbers


class _Decided(Mapping[Slug, Decision]):
    """The decisions about one item, each made of the columns when it is asked for."""

    __slots__ = ("_blind", "_columns", "_decisions", "_full", "_row")

    def __init__(
        self,
        columns: Mapping[Slug, _Column],
        decisions: tuple[list[Decision | None], ...],
        row: int,
        full: int,
        blind: int,
    ) -> None:
        self._columns, self._decisions = columns, decisions
        self._row, self._full, self._blind = row, full, blind

    def get(self, slug: Slug, default: _Else | None = None) -> Decision | _Else | None:  # type: ignore[override]
        # Not by way of __getitem__: a run's functions ask twice for each pair.
        column, row = self._columns.get(slug), self._row
        if column is None or row >= len(column.numbers):
            return default
        made_from = column.made_from[row]
        facts = 0 if made_from == self._full else 1 if made_from == self._blind else 2
        return self._decisions[facts][column.numbers[row]] or default

    def __getitem__(self, slug: Slug) -> Decision:
        found = self.get(slug)
        if found is None:
            raise KeyError(slug)
        return found

    def __iter__(self) -> Iterator[Slug]:
        return (slug for slug, column in self._columns.items() if column.number(self._row))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Recalled(Mapping[ItemKey, Remembered]):
    """What is remembered of each item, made of the columns when it is asked for."""

    def __init__(self, columns: Columns) -> None:
        self._of = columns

    def get(self, key: ItemKey, default: _Else | None = None) -> Remembered | _Else | None:  # type: ignore[override]
        row = self._of.rows.get(key)
        return default if row is None else self._of.recall(key, row)

    def __getitem__(self, key: ItemKey) -> Remembered:
        return self._of.recall(key, self._of.rows[key])

    def __iter__(self) -> Iterator[ItemKey]:
        return iter(self._of.rows)

    def __len__(self) -> int:
        return len(self._of.rows)


def _subject(item: AnyItem, known: Remembered, unconfirmed: AbstractSet[ItemKey]) -> Subject:
    return subjects_of((item,), {item.key: known}, unconfirmed)[item.key]
