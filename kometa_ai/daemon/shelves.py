"""Hold the items of the libraries as the last run left them, without their texts: these stay on the disk."""

from __future__ import annotations

import weakref
from array import array
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.item import LARGEST_ID, ArrId
from kometa_ai.core.movie import NO_CREDITS, Movie
from kometa_ai.library.port import Contents
from kometa_ai.run.libraries import merged, told_by_another
from kometa_ai.run.results import LibraryFound
from kometa_ai.state.by_line import Stamp
from kometa_ai.state.libraries import item_of, open_file, place_of
from kometa_ai.state.loading import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import Label
    from kometa_ai.daemon.columns import Columns
    from kometa_ai.settings.libraries import LibrarySettings


class Shelves:
    """The items of all libraries, each once; what each library holds; and which could not be read.

    `items` are in order of their ids, as a run has them. `as_of` is when the library that was read first was read.
    """

    def __init__(self, folder: Path, libraries: Sequence[LibrarySettings], columns: Columns) -> None:
        self._rows = columns.rows
        self._held, self._offsets, self._lengths = bytearray(), array("Q"), array("I")
        self._arr_ids = {library.name: array("I") for library in libraries}
        opened = {library.name: open_file(folder, library.name) for library in libraries}
        self._files = [file for file in opened.values() if file is not None]
        for kept in self._files:
            weakref.finalize(self, kept.close)
        self.as_of: datetime | None = min((file.header.at for file in self._files), default=None)
        empty = tuple(
            LibraryFound(
                name=each.name, title=each.title, kind=each.kind, contents=Contents() if opened[each.name] else None
            )
            for each in libraries
        )
        known = {key: key for key in columns.rows}
        labels: dict[frozenset[Label], frozenset[Label]] = {}
        found, unconfirmed = [], []
        for library in empty:
            file = opened[library.name]
            items: list[AnyItem] = []
            is_late: bool | None = None
            for offset, length, line in file.rows() if file else ():
                item = item_of(line, library.name)
                if is_late is None:
                    is_late = any(told_by_another((item,), empty))
                key = known.setdefault(item.key, item.key)
                if not self._is_placed(key):
                    columns.describe(item, frozenset((key,)) if is_late else frozenset())
                    self._place(key, self._files.index(file) if file else 0, offset, length)
                    unconfirmed += [key] if is_late else []
                if 0 < item.arr_id <= LARGEST_ID:
                    _put(self._arr_ids[library.name], self._rows[key], item.arr_id)
                shared = labels.setdefault(item.labels, item.labels)
                items.append(_without_texts(item, key, shared, (library.name,) if not items else items[0].libraries))
            contents = Contents(items=tuple(items)) if file else None
            found.append(msgspec.structs.replace(library, contents=contents))
        self.libraries = tuple(found)
        self.items = merged({each.name: each.contents.items for each in found if each.contents is not None})
        self.unconfirmed = frozenset(unconfirmed)
        self._by_row: list[AnyItem | None] = [None] * len(self._rows)
        for each in self.items:
            self._by_row[self._rows[each.key]] = each

    def get(self, key: ItemKey) -> AnyItem | None:
        """An item without its texts; None where no library holds it."""
        row = self._rows.get(key)
        return None if row is None else self._by_row[row]

    def at(self, row: int) -> AnyItem:
        """The item of a row, which some library holds."""
        item = self._by_row[row]
        if item is None:
            raise LookupError(f"No library holds the item of row {row}.")
        return item

    def in_full(self, key: ItemKey) -> AnyItem | None:
        """An item with its texts, read from the disk, as the first library that holds it tells of it."""
        if self.get(key) is None:
            return None
        row = self._rows[key]
        file = self._files[self._held[row] - 1]
        return item_of(file.at(self._offsets[row], self._lengths[row]), file.header.library)

    def held_as(self, key: ItemKey) -> tuple[tuple[str, ArrId], ...]:
        """The libraries that hold an item, in the order of the settings, each with its own id for it."""
        row = self._rows.get(key)
        if row is None:
            return ()
        return tuple((name, ArrId(ids[row])) for name, ids in self._arr_ids.items() if row < len(ids) and ids[row])

    def _is_placed(self, key: ItemKey) -> bool:
        row = self._rows.get(key)
        return row is not None and row < len(self._held) and self._held[row] > 0

    def _place(self, key: ItemKey, file: int, offset: int, length: int) -> None:
        row = self._rows[key]
        self._held += bytes(max(0, row + 1 - len(self._held)))
        self._held[row] = file + 1
        _put(self._offsets, row, offset)
        _put(self._lengths, row, length)


def _put(column: array[int], row: int, value: int) -> None:
    if (missing := row + 1 - len(column)) > 0:
        column.frombytes(bytes(missing * column.itemsize))
    column[row] = value


def stamps_of(folder: Path, libraries: Sequence[LibrarySettings]) -> tuple[Stamp, ...]:
    """The stamps of the files that `Shelves` reads."""
    return tuple(stamp(place_of(folder, library.name)) for library in libraries)


def _without_texts(item: AnyItem, key: ItemKey, labels: frozenset[Label], libraries: tuple[str, ...]) -> AnyItem:
    if isinstance(item, Movie):
        return msgspec.structs.replace(
            item, key=key, plot="", genres=(), keywords=(), credits=NO_CREDITS, labels=labels, libraries=libraries
        )
    return msgspec.structs.replace(item, key=key, plot="", genres=(), labels=labels, libraries=libraries)
