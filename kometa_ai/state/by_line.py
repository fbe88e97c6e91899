"""Read the state line by line, so that it is never in memory as a whole, and read single lines again at their place.

In a snapshot each item is a line of its own, and so is each entry in the journal. The files stay open as long as they
are in use: a place remains good even when a new snapshot has taken the name of the old one.
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
from kometa_ai.state.loading import JOURNAL, SNAPSHOT, fresh, line_of, stamp
from kometa_ai.state.migrations import NoWay
from kometa_ai.state.schema import DAMAGE, FORMAT_VERSION, Entry, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Stamp = tuple[int, int, int] | None
"""Which file it is, when it was written and how long it is; None where there is none."""

DECISIONS = b'"decisions":{'
"""How the first line of a snapshot with items ends."""

_READINGS = 3
_PIECE = 1 << 14
_LONGEST = 64 << 20
_SNAPSHOT = msgspec.json.Decoder(Snapshot)
_ITEM = msgspec.json.Decoder(dict[ItemKey, Remembered])


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


class OpenState:
    """The state of a folder, open for reading. `head` is everything but the decisions, without the journal's lines.

    Raise RepairState where the snapshot is damaged, missing, or of another format: a run repairs what can be repaired.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self.journal_path = folder / SNAPSHOT, folder / JOURNAL
        self._snapshot = _open(self.path)
        self._journal = _open(self.journal_path)
        self.stamps = tuple(each.stamp if each else None for each in (self._snapshot, self._journal))
        self.head = self._head()

    def items(self) -> Iterator[tuple[int, ItemKey, Remembered]]:
        """Each item of the snapshot, and the place of its line."""
        if self._snapshot is None:
            return
        lines = self._snapshot.lines()
        is_whole = next(lines)[1].endswith(b"}}")  # it holds no item
        for offset, line in lines:
            is_whole = not line.endswith(b",\n")
            yield offset, *self._item(line)
        if not is_whole:
            raise _damaged(self.path, "its end is missing")

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

    def remembered(self, offset: int) -> Remembered:
        """What the snapshot says of the item whose line begins there."""
        return self._item(self._snapshot.at(offset))[1] if self._snapshot else Remembered()

    def entry(self, offset: int) -> Entry | None:
        """The entry of the journal whose line begins there."""
        return line_of(self._journal.at(offset).decode(), str(self.journal_path))[0].data if self._journal else None

    def _head(self) -> Snapshot:
        if self._snapshot is None:
            if any(os.path.lexists(place) for place in files.backups(self.path)):
                raise _damaged(self.path, "it is missing")
            return fresh()
        line = next((line for _, line in self._snapshot.lines()), b"").rstrip(b"\n")
        text = line + b"}}" if line.endswith(DECISIONS) else line
        try:
            head = _SNAPSHOT.decode(text)
        except DAMAGE as error:
            raise _damaged(self.path, str(error)) from error
        if head.state_format_version != FORMAT_VERSION or head.decisions:
            raise _damaged(self.path, "it is not written as this version writes it")
        return head

    def _item(self, line: bytes) -> tuple[ItemKey, Remembered]:
        # The last line ends the snapshot, too.
        text = line[:-2] if line.endswith(b",\n") else line.rstrip(b"\n").removesuffix(b"}}")
        try:
            ((key, item),) = _ITEM.decode(b"{" + text + b"}").items()
        except (*DAMAGE, ValueError) as error:
            raise _damaged(self.path, str(error)) from error
        return key, item


def open_state(folder: Path) -> OpenState:
    """Open a folder's state. Raise RepairState where it cannot be read line by line, or OSError."""
    # Who reads without the lock may meet a save: an old snapshot and a new journal would miss what is between them.
    for _ in range(_READINGS):
        before = stamp(folder / SNAPSHOT)
        opened = OpenState(folder)
        if stamp(folder / SNAPSHOT) == before:
            break
    return opened


def head_of(path: Path) -> bytes:
    """A snapshot as JSON without its items; with them where it is not written line by line. Raise OSError."""
    line = next((line for _, line in LinesFile(path).lines()), b"").rstrip(b"\n")
    return line + b"}}" if line.endswith(DECISIONS) else files.read(path, files.LARGE)


def keys_in(path: Path) -> frozenset[str]:
    """The keys of a snapshot's items; none where it is damaged. Raise OSError."""
    lines = LinesFile(path).lines()
    if next(lines, (0, b""))[1].endswith(DECISIONS + b"\n"):
        return frozenset(line[1 : line.find(b'"', 1)].decode(errors="replace") for _, line in lines)
    try:
        return frozenset(msgspec.json.decode(files.read(path, files.LARGE), type=_Keys).decisions)
    except DAMAGE:
        return frozenset()


class _Keys(msgspec.Struct):
    """A snapshot whose items are passed over, not loaded."""

    decisions: dict[str, msgspec.Raw] = {}


def stamps_of(folder: Path) -> tuple[Stamp, ...]:
    """The stamps of the files that `open_state` opens."""
    return tuple(stamp(folder / name) for name in (SNAPSHOT, JOURNAL))


def _open(path: Path) -> LinesFile | None:
    try:
        return LinesFile(path)
    except FileNotFoundError:
        return None


def _damaged(path: Path, why: str) -> RepairState:
    return RepairState(
        f"The state {str(path)!r} cannot be read line by line: {why}.",
        "Start a run: it repairs the state, or brings it into the present form, and says what it did.",
    )
