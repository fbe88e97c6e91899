"""Load the newest good snapshot and the journal's lines after it. Writes nothing.

After a snapshot the journal goes on in a new file and the old one is kept as `.bak1`. So the newest backup, the old
journal and the present one are together everything that was ever known, should the snapshot be damaged.
"""

from __future__ import annotations

import codecs
import os
import re
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.__version__ import __version__
from kometa_ai.core.decision import Remembered
from kometa_ai.core.item import ItemKey
from kometa_ai.core.problem import Problem
from kometa_ai.errors import RepairState
from kometa_ai.state import files
from kometa_ai.state.migrations import NoWay, migrate, migrate_line
from kometa_ai.state.schema import DAMAGE, FORMAT_VERSION, Line, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SNAPSHOT = "kometa_state.json"
JOURNAL = "kometa_state.journal"

_READINGS = 3
_PIECE = 1 << 20
_LONGEST_LINE = 64 << 20
_BEGINNING = 1 << 10
_STATED_FORMAT = re.compile(rb'"state_format_version"\s*:\s*(\d{1,9})')
"""In the beginning of a snapshot: version and format are its first fields."""
_HEAD_END, _BETWEEN, _END = b',"decisions":{\n', b",\n", b"}}"
"""How the lines of a snapshot with items end: the first, one with an item, the last, which has one, too."""
_SNAPSHOT = msgspec.json.Decoder(Snapshot)
_LINE = msgspec.json.Decoder(Line)
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_DECISIONS = msgspec.json.Decoder(dict[ItemKey, Remembered])


class Found(msgspec.Struct, kw_only=True):
    """What was read, and what has to be repaired before anything is written.

    `alerts` tells what was wrong, `damaged` which file is to be set aside. Of the present journal `whole` says how many
    bytes come before a `torn` last line, `spoilt` whether there are damaged lines, `foreign` whether it belongs to an
    older state than this one, `older` whether some of `lines` are from the journal before it. `migrated` says that the
    snapshot or a line was of an older format. `is_nothing` says that there is no state, no backup and no journal.
    """

    snapshot: Snapshot
    lines: list[Line]
    alerts: list[Problem]
    damaged: Path | None
    whole: int
    torn: bool
    spoilt: bool
    foreign: bool
    older: bool
    migrated: bool
    is_nothing: bool


def journals(folder: Path) -> tuple[Path, Path]:
    """The places of the present journal and of the one before it."""
    journal = folder / JOURNAL
    return journal, files.backups(journal)[0]


def read(folder: Path) -> Found:
    """Read a folder's state. Raise RepairState where it is newer than this program, or OSError."""
    # Who reads without the lock may meet a save: an old snapshot and a new journal would miss what is between them.
    for _ in range(_READINGS):
        before = stamp(folder / SNAPSHOT)
        found = _read(folder)
        if stamp(folder / SNAPSHOT) == before:
            break
    return found


def lines_after(folder: Path, number: int) -> list[Line]:
    """The lines of the present journal that come after an entry."""
    return _Reading(journals(folder)[0]).after(number)


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Which file it is, when it was written and how long it is: it has changed if these have. None if there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def is_older(folder: Path) -> bool:
    """Whether the snapshot is of an older format, as far as its beginning tells; nothing else of it is read.

    Raise RepairState if it is of a newer one.
    """
    place = folder / SNAPSHOT
    try:
        with os.fdopen(files.open_regular(place, os.O_RDONLY), "rb") as file:
            found = _STATED_FORMAT.search(file.read(_BEGINNING))
    except OSError:
        return False
    if found is None:
        return False
    _refuse_newer(int(found[1]), str(place))
    return int(found[1]) < FORMAT_VERSION


def _read(folder: Path) -> Found:
    path = folder / SNAPSHOT
    snapshot, version, source, why = _newest_good(path)
    known = snapshot.journal_entry
    place, place_before = journals(folder)
    present = _Reading(place)
    # The journal before it is as long as the run that wrote it was, and of use only to a backup.
    before = None if source == path else _Reading(place_before)
    lines = [] if before is None else before.after(known)
    is_older_used = bool(lines)
    # What stands behind a newer line was written after it, whatever its number says.
    lines += present.after(0 if lines else known)
    foreign = source == path and not lines and 0 < present.last < known
    alerts = []
    if why and source is not None:
        alerts.append(_alert(f"{why}; restored from {source.name} and the journal."))
    elif (why or is_older_used) and lines and lines[0].n == 1:
        alerts.append(_alert(f"{why or f'{path.name} is missing'}, without a good backup; rebuilt from the journal."))
    elif why:
        alerts.append(_alert(f"{why}, and there is no good backup: starting with an empty state."))
    elif lines and lines[0].n > known + 1:
        alerts.append(_alert(f"{lines[0].n - known - 1} entries between the state and its journal are missing."))
    if foreign:
        alerts.append(_alert("The journal is older than the state: it is set aside."))
    if present.is_none:
        alerts.append(_alert(f"{JOURNAL} is set aside: {present.is_none}."))
    if bad := present.bad + (before.bad if before else 0):
        alerts.append(_alert(f"{bad} lines of the journal are damaged and were passed over."))
    return Found(
        snapshot=snapshot,
        lines=lines,
        alerts=alerts,
        damaged=path if why and os.path.lexists(path) else None,
        whole=present.whole,
        torn=present.torn,
        spoilt=present.bad > 0,
        foreign=foreign or bool(present.is_none),
        older=is_older_used,
        migrated=version < FORMAT_VERSION or (before is not None and is_older_used and before.has_older_format),
        is_nothing=source is None and not lines and not alerts,
    )


def _alert(what: str) -> Problem:
    remedy = "Look at STATE_DIR; what was damaged is kept there. What is missing will be asked again."
    return Problem(what=what, remedy=remedy, source="state")


def _said(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)


def _newest_good(path: Path) -> tuple[Snapshot, int, Path | None, str]:
    """The newest good snapshot, its format, where it is (None: it is a fresh one), and what is wrong with `path`."""
    why = ""
    for place in (path, *files.backups(path)):
        try:
            snapshot, version = _decode(place)
        except FileNotFoundError:
            continue
        except (*DAMAGE, files.NotOurs) as error:
            if place == path and isinstance(error, files.NotOurs) and error.is_link:
                raise
            if place == path:
                why = f"{path.name} is damaged ({_said(error)})"
            continue
        except OSError:
            # A snapshot that may not be read is the newest: the operator has to repair that. Of backups there are more.
            if place == path:
                raise
            continue
        return snapshot, version, place, "" if place == path else why or f"{path.name} is missing"
    return fresh(), FORMAT_VERSION, None, why


def fresh() -> Snapshot:
    """The state where there is none yet."""
    return Snapshot(version=__version__, state_format_version=FORMAT_VERSION)


def _decode(place: Path) -> tuple[Snapshot, int]:
    """A snapshot, and the format that it had."""
    if (ours := _by_line(place)) is not None:
        return ours, FORMAT_VERSION
    content = files.read(place, files.LARGE)
    check_text(content)
    try:
        snapshot = _SNAPSHOT.decode(content)
        version = snapshot.state_format_version
    except msgspec.ValidationError:
        version = msgspec.json.decode(content, type=_Version).state_format_version
        if version == FORMAT_VERSION:
            raise
    _refuse_newer(version, str(place))
    if version == FORMAT_VERSION:
        return snapshot, version
    try:
        return _migrated(content, str(place)), version
    except NoWay as error:
        raise msgspec.ValidationError(str(error)) from error


def _by_line(place: Path) -> Snapshot | None:
    """A snapshot as this version writes it, read an item at a time; None for any other, good or damaged.

    As a whole, the file would take its size in memory while it is decoded.
    """
    with os.fdopen(files.open_regular(place, os.O_RDONLY), "rb", _PIECE) as file:
        try:
            if os.fstat(file.fileno()).st_size > files.LARGE:
                return None
            line = file.readline(_LONGEST_LINE)
            if not line.endswith(_HEAD_END):
                return None
            check_text(line)
            snapshot = _SNAPSHOT.decode(line + _END)
            if snapshot.state_format_version != FORMAT_VERSION:
                return None
            end = _BETWEEN
            while end == _BETWEEN and (line := file.readline(_LONGEST_LINE)):
                check_text(line)
                end = line[-2:]
                snapshot.decisions.update(_DECISIONS.decode(b"{%b}" % line[:-2]))
            return snapshot if end == _END and not file.read(1) else None
        except DAMAGE:
            return None


def _migrated(content: bytes, place: str) -> Snapshot:
    # All decisions as plain objects would take many times the memory of the state.
    snapshot, decisions = in_parts(content, place)
    snapshot.decisions = _DECISIONS.decode(decisions)
    return snapshot


def in_parts(content: bytes, place: str) -> tuple[Snapshot, msgspec.Raw]:
    """A snapshot of any form and format, brought to the present one, without its items; and these as they stand there.

    Raise one of DAMAGE, or NoWay, for one that is damaged, and RepairState for one that is newer than this program.
    """
    check_text(content)
    parts = _PARTS.decode(content)
    decisions = parts.pop("decisions", msgspec.Raw(b"{}"))
    rest = {name: msgspec.json.decode(part) for name, part in parts.items()}
    _refuse_newer(msgspec.convert(rest, _Version).state_format_version, place)
    return msgspec.convert(migrate(rest, wanted=FORMAT_VERSION), Snapshot, str_keys=True), decisions


def _refuse_newer(version: int, place: str) -> None:
    if version > FORMAT_VERSION:
        raise RepairState(
            f"The state {place!r} has format {version}, this program knows {FORMAT_VERSION}.",
            "Start the newer version of Kometa-AI again, or keep the file elsewhere and start fresh.",
        )


def check_text(content: bytes) -> None:
    """Raise UnicodeDecodeError for what is no UTF-8, in pieces, since the whole may be large.

    msgspec does not look into what it skips: a flipped bit in a field's name would only lose the field.
    """
    if content.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), _PIECE):
        decoder.decode(content[start : start + _PIECE])
    decoder.decode(b"", final=True)


class _Version(msgspec.Struct):
    state_format_version: int


class _LineFormat(msgspec.Struct):
    format: int = 1


def line_of(text: str, place: str) -> tuple[Line, bool]:
    """A line of the journal at `place`, and whether it was of an older format.

    Raise one of DAMAGE, or NoWay, for one that is damaged, and RepairState for one that is newer than this program.
    """
    try:
        line = _LINE.decode(text)
        version = line.format
    except msgspec.ValidationError:
        version = msgspec.json.decode(text, type=_LineFormat).format
        if version == FORMAT_VERSION:
            raise
    if version == FORMAT_VERSION:
        return line, False
    _refuse_newer(version, place)
    return msgspec.convert(migrate_line(msgspec.json.decode(text), wanted=FORMAT_VERSION), Line, str_keys=True), True


class _Reading:
    """One reading of a journal: its good lines, how many are damaged, and where a torn last line begins.

    Lines of an older format are brought to the present one; `has_older_format` says that there are some. `is_none` says
    what lies in its place where that is no file.
    """

    def __init__(self, path: Path) -> None:
        self._lines: list[Line] = []
        self.bad = 0
        self.torn = False
        self.whole = 0
        self.is_none = ""
        self.has_older_format = False
        self._place = str(path)
        try:
            with os.fdopen(files.open_regular(path, os.O_RDONLY), "rb") as file:
                self._read(iter(lambda: file.readline(_LONGEST_LINE), b""))
        except FileNotFoundError:
            pass
        except files.NotOurs as error:
            if error.is_link:
                raise
            self.is_none = str(error.strerror)
        self.last = max((line.n for line in self._lines), default=0)

    def _read(self, file: Iterable[bytes]) -> None:
        for text in file:
            if not text.endswith(b"\n"):
                # A power cut tore it: what it said was never confirmed.
                self.torn = True
                return
            self.whole += len(text)
            try:
                self._lines.append(self._line(text.decode()))
            except (*DAMAGE, NoWay):
                self.bad += 1

    def _line(self, text: str) -> Line:
        line, is_older = line_of(text, self._place)
        self.has_older_format |= is_older
        return line

    def after(self, number: int) -> list[Line]:
        """The lines that come after an entry: from the first with a higher number on."""
        for position, line in enumerate(self._lines):
            if line.n > number:
                return self._lines[position:]
        return []
