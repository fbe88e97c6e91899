"""Hold the tag changes of the runs that are kept, by collection and by item: 10,000 changes take some 150 KB."""

from __future__ import annotations

from array import array
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from kometa_ai.core.changes import TagChange
from kometa_ai.core.item import ItemKey, kind_of, movie_key, number_of, show_key
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.judging.review import Moved
from kometa_ai.state import files
from kometa_ai.state.history import RUNS, kept
from kometa_ai.state.loading import stamp
from kometa_ai.state.schema import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kometa_ai.state.by_line import Stamp

_LARGEST = 256 << 20


class ItemChange(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that a run has put on an item or taken off it. `undoes` names the run that it took back."""

    at: datetime
    run_id: str
    collection: CollectionKey
    library: str
    operation: Literal["add", "remove"]
    undoes: str = ""


class LastChange(NamedTuple):
    """What the last run that changed a collection did to it: how many items it put in and took out, and when."""

    at: datetime
    run_id: str
    added: int
    removed: int


class Moves(NamedTuple):
    """How many items a run has put into a collection and taken out of it."""

    added: int = 0
    removed: int = 0


class _Report(msgspec.Struct, frozen=True, gc=False):
    """What is read of a kept report."""

    run_id: str
    dry_run: bool = False
    undoes: str = ""
    changes: tuple[TagChange, ...] = ()


class _Where(NamedTuple):
    """The collection and the library of a change, and what was done."""

    collection: CollectionKey
    library: str
    operation: Literal["add", "remove"]


class _Run:
    """The changes of one run, in columns. An item is its number, below zero for a show."""

    def __init__(self, report: _Report) -> None:
        self.run_id, self.undoes = report.run_id, report.undoes
        self.where: list[_Where] = []
        self.items, self.at, self.places = array("q"), array("I"), array("H")
        numbers: dict[_Where, int] = {}
        for change in () if report.dry_run else report.changes:
            where = _Where(change.collection_key, change.library, change.operation)
            if where not in numbers:
                numbers[where] = len(self.where)
                self.where.append(where)
            self.items.append(_numbered(change.key))
            self.at.append(max(0, int(change.at.timestamp())))
            self.places.append(numbers[where])

    def change(self, index: int) -> ItemChange:
        where = self.where[self.places[index]]
        return ItemChange(
            at=datetime.fromtimestamp(self.at[index], UTC), run_id=self.run_id, undoes=self.undoes, **where._asdict()
        )

    def items_at(self, place: int) -> set[int]:
        """The numbers of the items that were changed there."""
        return {self.items[index] for index, each in enumerate(self.places) if each == place}


class Past:
    """The changes of the runs that are kept. `before` spares reading again what has not changed since."""

    def __init__(self, folder: Path, before: Past | None = None) -> None:
        known = before.runs if before else {}
        self.runs: dict[tuple[str, Stamp], _Run] = {}
        for name, found in _stamps(folder):
            if (name, found) in known:
                self.runs[name, found] = known[name, found]
                continue
            with suppress(OSError, *DAMAGE):
                report = msgspec.json.decode(files.read(folder / RUNS / name, _LARGEST), type=_Report)
                self.runs[name, found] = _Run(report)

    def of_item(self, key: ItemKey) -> list[ItemChange]:
        """The changes of one item, the newest first."""
        number = _numbered(key)
        return [
            run.change(index)
            for run in reversed(self.runs.values())
            if number in run.items
            for index in range(len(run.items) - 1, -1, -1)
            if run.items[index] == number
        ]

    def moves(self) -> Iterator[Moved]:
        """Every change, of every item and collection."""
        for run in self.runs.values():
            for index, number in enumerate(run.items):
                where, key = run.where[run.places[index]], _key(number)
                slug = Slug(where.collection.removeprefix("show:"))
                at = datetime.fromtimestamp(run.at[index], UTC)
                yield Moved((key, slug), where.library, at, where.operation)

    @cached_property
    def last_changes(self) -> Mapping[CollectionKey, LastChange]:
        """By collection, what the last run did that changed it; found once."""
        found: dict[CollectionKey, LastChange] = {}
        for run in reversed(self.runs.values()):
            touched: dict[CollectionKey, dict[str, set[int]]] = {}
            for place, where in enumerate(run.where):
                if where.collection not in found:
                    sides = touched.setdefault(where.collection, {"add": set(), "remove": set()})
                    sides[where.operation] |= run.items_at(place)
            for collection, sides in touched.items():
                at = datetime.fromtimestamp(max(run.at), UTC)
                found[collection] = LastChange(at, run.run_id, len(sides["add"]), len(sides["remove"]))
        return found

    def latest(self, count: int) -> list[tuple[ItemKey, ItemChange]]:
        """The latest changes, each item and collection once, the newest first."""
        found: dict[tuple[int, CollectionKey], tuple[ItemKey, ItemChange]] = {}
        for run in reversed(self.runs.values()):
            for index in range(len(run.items) - 1, -1, -1):
                if len(found) == count:
                    return list(found.values())
                pair = run.items[index], run.where[run.places[index]].collection
                if pair not in found:
                    found[pair] = _key(run.items[index]), run.change(index)
        return list(found.values())

    def by_run(self, collection: CollectionKey) -> Mapping[str, Moves]:
        """How many items each run has put into a collection and taken out of it, by the run's id."""
        found = {}
        for run in self.runs.values():
            sides: dict[str, set[int]] = {"add": set(), "remove": set()}
            for place, number in zip(run.places, run.items, strict=True):
                if run.where[place].collection == collection:
                    sides[run.where[place].operation].add(number)
            if any(sides.values()):
                found[run.run_id] = Moves(len(sides["add"]), len(sides["remove"]))
        return found

    def of_collection(self, collection: CollectionKey) -> Mapping[ItemKey, ItemChange]:
        """The latest change of each item that was put into a collection or taken out of it."""
        latest: dict[int, tuple[_Run, int]] = {}
        for run in self.runs.values():
            places = {place for place, where in enumerate(run.where) if where.collection == collection}
            if places:
                latest |= {run.items[index]: (run, index) for index, p in enumerate(run.places) if p in places}
        return {_key(number): run.change(index) for number, (run, index) in latest.items()}


def stamps_of(folder: Path) -> tuple[tuple[str, Stamp], ...]:
    """The names and stamps of the files that `Past` reads."""
    return tuple(_stamps(folder))


def _stamps(folder: Path) -> Iterator[tuple[str, Stamp]]:
    for path in kept(folder):
        yield path.name, stamp(path)


def _numbered(key: ItemKey) -> int:
    return number_of(key) if kind_of(key) == "movie" else -number_of(key)


def _key(number: int) -> ItemKey:
    return show_key(-number) if number < 0 else movie_key(number)
