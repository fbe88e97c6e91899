"""Read the state line by line, so that it is never in memory as a whole, and read single lines again at their place.

In a snapshot as this program writes it each item is a line of its own, and so is each entry in the journal. A snapshot
that a person has formatted, or put in another order, is read as a whole, which takes longer. The files stay open as
long as they are in use: a place remains good even when a new snapshot has taken the name of the old one.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.decision import Remembered
from kometa_ai.core.item import ItemKey
from kometa_ai.errors import RepairState
from kometa_ai.state import files
from kometa_ai.state.loading import JOURNAL, SNAPSHOT, check_text, fresh, in_parts, line_of, stamp
from kometa_ai.state.migrations import NoWay
from kometa_ai.state.schema import DAMAGE, FORMAT_VERSION, Entry, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Stamp = tuple[int, int, int] | None
"""Which file it is, when it was written and how long it is; None where there is none."""

DECISIONS = b',"decisions":{'
"""How the first line of a snapshot with items ends."""

_READINGS = 3
_PIECE = 1 << 14
_LONGEST = 64 << 20
_SNAPSHOT = msgspec.json.Decoder(Snapshot)
_ITEM = msgspec.json.Decoder(dict[ItemKey, Remembered])
_ITEMS = msgspec.json.Decoder(dict[ItemKey, msgspec.Raw])
_REMEMBERED = msgspec.json.Decoder(Remembered)
_ENDS_ITEM, _ENDS_ALL = b",\n", b"}}"
_KEY_BEGINS = (b'"movie:', b'"show:')


class Damaged(RepairState):
    """The snapshot is damaged, or has gone while its backups are there; the next run repairs that."""


class LinesFile:
    """A regular file of lines that stays open as long as this lives, under whatever name."""

    def __init__(self, path: Path) -> None:
        self._handle = files.open_regular(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)

    @property
    def stamp(self) -> Stamp:
        """Its stamp, whatever has its name now."""
        status = os.fstat(self._handle)
        return status.st_ino, status.st_mtime_ns, status.st_size

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line with its end, and where it begins. For one reader at a time."""
        with os.fdopen(os.dup(self._handle), "rb") as file:
            file.seek(0)
            offset = 0
            while line := file.readline(_LONGEST):
                yield offset, line
                offset += len(line)

    def last(self) -> bytes:
        """What stands behind the last end of a line; all of it where there is none."""
        start, found = os.fstat(self._handle).st_size, b""
        while start and b"\n" not in found and len(found) < _LONGEST:
            length = min(start, _PIECE)
            start -= length
            found = self.part(start, length) + found
        return found.rpartition(b"\n")[2]

    def at(self, offset: int) -> bytes:
        """The line that begins there. For any number of readers at a time."""
        found = bytearray()
        while piece := os.pread(self._handle, _PIECE, offset + len(found)):
            end = piece.find(b"\n")
            if end >= 0:
                found += piece[: end + 1]
                break
            found += piece
        return bytes(found)

    def part(self, offset: int, length: int) -> bytes:
        """So many bytes from there on. For any number of readers at a time."""
        return os.pread(self._handle, length, offset)

    def all(self) -> bytes:
        """The whole content; of a file larger than any of ours only the beginning."""
        return self.part(0, min(os.fstat(self._handle).st_size, files.LARGE))


class _Lines:
    """A snapshot as this program writes it."""

    def __init__(self, file: LinesFile, head: Snapshot) -> None:
        self._file, self.head = file, head

    def items(self) -> Iterator[tuple[int, ItemKey, Remembered]]:
        """Each item, and the place of its line. Raise ValueError where the lines are not as we write them."""
        lines = self._file.lines()
        next(lines)
        end = _ENDS_ITEM
        for offset, line in lines:
            if end != _ENDS_ITEM:
                raise ValueError("something stands behind its end")
            end = line[-2:]
            yield offset, *_item(line)
        if end != _ENDS_ALL:
            raise ValueError("its end is missing")

    def remembered(self, offset: int) -> Remembered:
        """The item whose line begins there."""
        return _item(self._file.at(offset))[1]


class _Text:
    """A snapshot in any other form. An item is found again by where its text stands."""

    def __init__(self, file: LinesFile, place: str) -> None:
        self._file = file
        content = file.all()
        self.head, items = in_parts(content, place)
        self._places: dict[ItemKey, int] = {}
        self._lengths: dict[int, int] = {}
        end = 0
        for key, raw in _ITEMS.decode(items).items():
            text = bytes(raw)
            # Wherever the same text stands, it says the same.
            offset = content.find(text, end)
            if offset < 0:
                offset = content.find(text)
            end = offset + len(text)
            self._places[key], self._lengths[offset] = offset, len(text)

    def items(self) -> Iterator[tuple[int, ItemKey, Remembered]]:
        """Each item, and the place of its text."""
        for key, offset in self._places.items():
            yield offset, key, self.remembered(offset)

    def remembered(self, offset: int) -> Remembered:
        """The item whose text begins there."""
        return _REMEMBERED.decode(self._file.part(offset, self._lengths[offset]))


class OpenState:
    """The state of a folder, open for reading. `head` is everything but the decisions, without the journal's lines.

    A snapshot `as_a_whole` may have any form. Raise RepairState where it is damaged or missing (Damaged), or newer
    than this program; or OSError.
    """

    def __init__(self, folder: Path, *, as_a_whole: bool = False) -> None:
        self.path, self.journal_path = folder / SNAPSHOT, folder / JOURNAL
        file = _open(self.path)
        self._journal = _open(self.journal_path)
        self._snapshot: _Lines | _Text | None = None
        if file is None:
            self.head = self._without_snapshot()
            return
        by_line = None if as_a_whole else _head_in(file)
        try:
            self._snapshot = _Text(file, str(self.path)) if by_line is None else _Lines(file, by_line)
        except (*DAMAGE, NoWay) as error:
            raise damaged(self.path, str(error)) from error
        self.head = self._snapshot.head

    @property
    def is_by_line(self) -> bool:
        """Whether the snapshot looks as this program writes it, so that a wrong line may be a sign of another form."""
        return isinstance(self._snapshot, _Lines)

    def items(self) -> Iterator[tuple[int, ItemKey, Remembered]]:
        """Each item of the snapshot, and its place."""
        if self._snapshot is None:
            return
        try:
            yield from self._snapshot.items()
        except (*DAMAGE, ValueError) as error:
            raise damaged(self.path, str(error)) from error

    def entries(self) -> Iterator[tuple[int, Entry]]:
        """Each entry of the journal that the snapshot does not hold yet, and the place of its line."""
        if self._journal is None:
            return
        is_later = False
        for offset, text in self._journal.lines():
            if not text.endswith(b"\n"):
                return  # a power cut tore it
            try:
                line, _ = line_of(text.decode(), str(self.journal_path))
            except (*DAMAGE, NoWay):
                continue
            # What stands behind a newer line was written after it, whatever its number says.
            is_later = is_later or line.n > self.head.journal_entry
            if is_later:
                yield offset, line.data

    def remembered(self, place: int) -> Remembered:
        """What the snapshot says of the item at a place."""
        if self._snapshot is None:
            return Remembered()
        try:
            return self._snapshot.remembered(place)
        except (*DAMAGE, ValueError) as error:  # another program has written into the open file
            raise damaged(self.path, str(error)) from error

    def entry(self, offset: int) -> Entry | None:
        """The entry of the journal whose line begins there."""
        return line_of(self._journal.at(offset).decode(), str(self.journal_path))[0].data if self._journal else None

    def _without_snapshot(self) -> Snapshot:
        if any(os.path.lexists(place) for place in files.backups(self.path)):
            raise damaged(self.path, "it is missing")
        return fresh()


def open_state(folder: Path, *, as_a_whole: bool = False) -> OpenState:
    """Open a folder's state. Raise RepairState where it cannot be read, or OSError."""
    # Who reads without the lock may meet a save: an old snapshot and a new journal would miss what is between them.
    for _ in range(_READINGS):
        before = stamp(folder / SNAPSHOT)
        opened = OpenState(folder, as_a_whole=as_a_whole)
        if stamp(folder / SNAPSHOT) == before:
            break
    return opened


def head_of(path: Path) -> Snapshot:
    """A snapshot of any form without its items. Raise DAMAGE or NoWay, RepairState for a newer one, or OSError."""
    file = LinesFile(path)
    return _head_in(file) or in_parts(file.all(), str(path))[0]


def keys_in(path: Path) -> frozenset[str]:
    """The keys of a snapshot's items; none where it is damaged. Raise OSError."""
    file = LinesFile(path)
    if _head_in(file) is not None:
        lines = (line for offset, line in file.lines() if offset)
        keys = [line[1 : line.find(b'"', 1)].decode() if line.startswith(_KEY_BEGINS) else "" for line in lines]
        if all(keys):
            return frozenset(keys)
    try:
        return frozenset(_ITEMS.decode(in_parts(file.all(), str(path))[1]))
    except (*DAMAGE, NoWay, RepairState):
        return frozenset()


def stamps_of(folder: Path) -> tuple[Stamp, ...]:
    """The stamps of the files that `open_state` opens."""
    return tuple(stamp(folder / name) for name in (SNAPSHOT, JOURNAL))


def _head_in(file: LinesFile) -> Snapshot | None:
    """The head of a snapshot whose first and last line are as this program writes them; None for any other."""
    line = next((line for _, line in file.lines()), b"")
    if not line.endswith(DECISIONS + b"\n"):
        return None
    text = line[:-1] + b"}}"
    try:
        check_text(text)
        head = _SNAPSHOT.decode(text)
    except DAMAGE:
        return None
    # What stands behind the items, in another order of the fields, would stand in the last line.
    is_ours = head.state_format_version == FORMAT_VERSION and not head.decisions and _is_last(file.last())
    return head if is_ours else None


def _is_last(line: bytes) -> bool:
    try:
        return line.endswith(_ENDS_ALL) and bool(_item(line))
    except (*DAMAGE, ValueError):
        return False


def _item(line: bytes) -> tuple[ItemKey, Remembered]:
    """The item of a line, which may end the snapshot, too. Raise ValueError where it has not exactly one."""
    check_text(line)
    if line[-2:] not in (_ENDS_ITEM, _ENDS_ALL):
        raise ValueError("a line does not end as the program ends it")
    ((key, item),) = _ITEM.decode(b"{%b}" % line[:-2]).items()
    return key, item


def _open(path: Path) -> LinesFile | None:
    try:
        return LinesFile(path)
    except FileNotFoundError:
        return None


def damaged(path: Path, why: str) -> Damaged:
    """The error for a snapshot that a run repairs."""
    return Damaged(
        f"The state {str(path)!r} is damaged: {why}.",
        "Start a run: it restores the state from its newest good backup and the journal, and says what it did.",
    )
