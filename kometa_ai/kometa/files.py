"""Find Kometa's YAML files and read their text, within limits on time, number and size."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from contextlib import contextmanager, suppress
from stat import S_ISREG
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.kometa.markers import MARKER_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO
    from pathlib import Path

_OF_INTEREST = re.compile(rf"{MARKER_TEXT.pattern}|(?:radarr|sonarr)_(?:tag(?!list)|remove_by_tag)", re.IGNORECASE)
_MARKER_BYTES = re.compile(MARKER_TEXT.pattern.encode(), re.IGNORECASE)
_LONGEST_MARKER = 16
_PIECE = 1 << 20
_LONGEST_SHOWN = 200

_SETTINGS = ("config.yml", "config.yaml")
_ENDINGS = (".yml", ".yaml")

_EMPTY = (
    "Is that Kometa's folder, the one with its config.yml? In Docker, a mistyped path on the left of the mount gives "
    "an empty folder."
)

# The system generates the files there while they are read; some have no end.
_PSEUDO = ("/proc", "/sys", "/dev")


class Limits(msgspec.Struct, frozen=True):
    """How much of Kometa's folder is read. What exceeds a limit is reported and left out.

    `file` is the size of one file in bytes; `looked_into` is how much of a larger file is searched for a block. `text`
    is how many characters of files with a block are kept, `beside` of all others. `seconds` applies separately to the
    search for files, to reading them, and to parsing them.
    """

    file: int = 1 << 20
    looked_into: int = 8 << 20
    text: int = 32 << 20
    beside: int = 8 << 20
    files: int = 10_000
    folders: int = 50_000
    entries: int = 1_000_000
    depth: int = 50
    seconds: float = 120.0


LIMITS = Limits()


class TextFile(msgspec.Struct, frozen=True):
    """A file's text without byte order mark; `source` is its path below the folder, with slashes."""

    source: str
    text: str


class FoundFiles(msgspec.Struct):
    """The files to read, the others, and what could not be read.

    Files in `unreadable` may hold a block (`.` is Kometa's own folder); `problems` say why they are not read. `refused`
    are problems of files without a block. `passed_over` are YAML files whose names begin with `_` or `.`.
    """

    files: list[TextFile]
    others: list[TextFile]
    unreadable: list[str]
    problems: list[Problem]
    refused: list[Problem]
    warnings: list[Problem]
    passed_over: list[str]

    def refuse(
        self, source: str, what: str, remedy: str, *, line: int | None = None, may_hold_block: bool = True
    ) -> None:
        """Note that a file or folder cannot be read."""
        problem = Problem(what=what, remedy=remedy, source=source, line=line)
        (self.problems if may_hold_block else self.refused).append(problem)
        if may_hold_block:
            self.unreadable.append(source)

    def cut(self, what: str, remedy: str, *, unseen: Iterable[str] = (".",)) -> None:
        """Note that a limit was reached, and which files or folders are not read because of it."""
        self.unreadable += unseen
        self.warnings.append(Problem(what=what, remedy=remedy, source="CONFIG_DIR", severity="warning"))


def read_files(root: Path, limits: Limits = LIMITS) -> FoundFiles:
    """Read every YAML file below the folder, in the order of their paths. Symbolic links are followed."""
    found = FoundFiles(files=[], others=[], unreadable=[], problems=[], refused=[], warnings=[], passed_over=[])
    paths = sorted(_Walk(root, limits, found).files(), key=lambda path: path.parts)
    _Reader(root, limits, found).read(paths)
    if not (paths or found.passed_over or found.problems or found.refused):
        # This may be a share that is not mounted, so its collections do not count as removed.
        if found.warnings:
            found.unreadable.append(".")
        else:
            found.cut("Kometa's folder holds no YAML file at all.", _EMPTY)
    return found


def holds_block(path: Path) -> bool:
    """Whether the file holds a marker, as far as it is searched; False if it cannot be read."""
    with suppress(OSError), opened(path) as file:
        return bool(_MARKER_BYTES.search(_read(file, LIMITS.file)))
    return False


def find_files(root: Path, limits: Limits = LIMITS) -> list[Path]:
    """The YAML files below the folder that `read_files` would read, in the order of their paths."""
    found = FoundFiles(files=[], others=[], unreadable=[], problems=[], refused=[], warnings=[], passed_over=[])
    return sorted(_Walk(root, limits, found).files(), key=lambda path: path.parts)


def stamps_of(root: Path) -> object:
    """What differs once a file that would be read has changed, without reading any."""
    return [(path, _stamp(path)) for path in find_files(root)]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """The stamp of the file that is read there, behind links; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


@contextmanager
def opened(path: Path) -> Iterator[FileIO]:
    """Open a regular file without blocking on a pipe; raise OSError for anything else."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(handle, "rb", buffering=0) as file:  # noqa: PTH123 - of a handle
        if not S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is no regular file")
        yield file


def _read(file: FileIO, size: int) -> bytes:
    """Up to this many bytes of the file."""
    pieces, left = [], size
    while left > 0 and (piece := file.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


class _Walk:
    """Walks through a folder level by level, so that a limit cuts off the deepest folders."""

    def __init__(self, root: Path, limits: Limits, found: FoundFiles) -> None:
        self._root = root
        self._limits = limits
        self._found = found
        self._ends = time.monotonic() + limits.seconds
        self._seen: set[tuple[int, int]] = set()
        self._pseudo = _pseudo_devices(root)
        self._folders = deque([(root, 0)])
        self._counts = {"entries": 0, "folders": 1, "files": 0}
        self._is_over = False

    def files(self) -> Iterator[Path]:
        """Every YAML file. Each folder is visited once, however many links lead to it."""
        deepest: Path | None = None
        while self._folders and not self._is_over:
            folder, depth = self._folders.popleft()
            for child, is_folder in self._children(folder):
                if not is_folder:
                    yield child
                elif depth < self._limits.depth:
                    self._folders.append((child, depth + 1))
                else:
                    deepest = deepest or child
        if deepest:
            source = _source(deepest, self._root)
            what = f"folders below {source[:_LONGEST_SHOWN]} are not looked into: they lie deeper than "
            what += f"{self._limits.depth} folders."
            self._found.cut(what, "Move collections further up, or take away the folders or links that nest so deep.")

    def _children(self, folder: Path) -> Iterator[tuple[Path, bool]]:
        """The YAML files (False) and then the folders (True) in a folder, by name."""
        try:
            if not self._is_new(folder):
                return
            with os.scandir(folder) as entries:
                children = [(_is_folder(entry), entry.name) for entry in self._counted(entries)]
        except OSError as error:
            source = _source(folder, self._root)
            self._found.refuse(source, f"the folder cannot be read: {_reason(error)}.", "Let this program read it.")
            return
        for is_folder, name in sorted(children):  # the files come first
            path = folder / name
            if is_folder and not name.startswith("."):
                if self._may("folders", "folders"):
                    yield path, True
            elif not is_folder and name.lower().endswith(_ENDINGS) and self._may("files", "YAML files"):
                yield from self._file(path)

    def _is_new(self, folder: Path) -> bool:
        """Whether the folder was not visited yet, and is no part of a system folder such as /proc."""
        here = folder.stat()
        identity = (here.st_dev, here.st_ino)
        # Some network shares have no inode numbers: there, only the limits stop a loop of links.
        is_new = here.st_ino == 0 or identity not in self._seen
        self._seen.add(identity)
        return is_new and here.st_dev not in self._pseudo

    def _counted(self, entries: Iterator[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
        for entry in entries:
            if not self._may("entries", "files and folders"):
                return
            yield entry

    def _may(self, kind: str, name: str) -> bool:
        """Whether one more item of a kind is within the limits; report the first one that is not."""
        if self._is_over:
            return False
        self._counts[kind] += 1
        limit = getattr(self._limits, kind)
        remedy = "Keep in it what is Kometa's only, and take away links that lead elsewhere."
        if time.monotonic() > self._ends:
            self._is_over = True
            what = f"to look through Kometa's folder takes longer than {self._limits.seconds:.0f} s; what was not "
            self._found.cut(f"{what}found by then is not read.", remedy)
        elif self._counts[kind] == limit + 1:
            # Folders that are already queued are still visited.
            self._is_over = kind != "folders"
            self._found.cut(f"Kometa's folder holds more than {limit:,} {name}; the others are not read.", remedy)
        return not self._is_over and self._counts[kind] <= limit

    def _file(self, path: Path) -> Iterator[tuple[Path, bool]]:
        if path.name.startswith(("_", ".")):
            self._found.passed_over.append(_source(path, self._root))
            return
        try:
            here = path.stat()
        except OSError as error:
            source = _source(path, self._root)
            what = f"the file cannot be read: {_reason(error)}."
            if isinstance(error, PermissionError):
                # Its name is known, so the folder can be listed; what lies in it can be reached with the right `x`.
                remedy = "Let this program enter the folders that lead there: each needs the right `x` beside `r`."
            else:
                remedy = "Repair the link, or remove it."
            self._found.refuse(source, what, remedy)
            return
        if S_ISREG(here.st_mode) and here.st_dev not in self._pseudo:
            yield path, False
        else:
            what = "it is no file of a disk, but something that the system makes up, such as a pipe or a device."
            remedy = "Remove it; Kometa cannot load it, either."
            self._found.refuse(_source(path, self._root), what, remedy, may_hold_block=False)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether the entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _pseudo_devices(root: Path) -> frozenset[int]:
    """The devices of system folders such as /proc, except one that holds Kometa's folder itself."""
    devices = set()
    for place in _PSEUDO:
        with suppress(OSError):
            devices.add(os.stat(place).st_dev)  # noqa: PTH116 - the devices alone
    for place in ("/", os.fspath(root)):
        with suppress(OSError):
            devices.discard(os.stat(place).st_dev)  # noqa: PTH116 - as above
    return frozenset(devices)


class _Reader:
    """Reads files one after the other, until a limit is reached."""

    def __init__(self, root: Path, limits: Limits, found: FoundFiles) -> None:
        self._root = root
        self._limits = limits
        self._found = found
        self._ends = time.monotonic() + limits.seconds
        self._text = limits.text
        self._beside = limits.beside

    def read(self, paths: Iterable[Path]) -> None:
        """Read each file, and sort it into `found`."""
        left: list[str] = []
        for path in paths:
            source = _source(path, self._root)
            if self._text < 0 or time.monotonic() > self._ends:
                left.append(source)
                continue
            try:
                with opened(path) as file:
                    self._take(source, file)
            except OSError as error:
                what = f"the file cannot be read: {_reason(error)}."
                self._found.refuse(source, what, "Let this program read it.")
        if left:
            why = "it takes too long" if self._text >= 0 else f"it holds more than {_size(self._limits.text)} of YAML"
            what = f"Kometa's folder is not read to its end, since {why}: {_named(left)}."
            self._found.cut(what, "Keep in it what is Kometa's only.", unseen=left)

    def _take(self, source: str, file: FileIO) -> None:
        content = _read(file, self._limits.file + 1)
        if len(content) > self._limits.file:
            self._leave(source, content, file)
        else:
            self._decode(source, content)

    def _leave(self, source: str, begin: bytes, file: FileIO) -> None:
        """Skip a file that is too large; report it unless the search shows that it holds no block."""
        end, looked_into = begin, len(begin)
        while end and not _MARKER_BYTES.search(end):
            if looked_into > self._limits.looked_into:
                what = (
                    f"the file is too large to be looked through: it has more than {_size(self._limits.looked_into)}."
                )
                self._found.refuse(source, what, "If it is none of Kometa's, move it away, or begin its name with `_`.")
                return
            more = file.read(_PIECE)
            looked_into += len(more)
            end = end[-_LONGEST_MARKER:] + more if more else b""
        if end:
            what = f"the file is too large: it has more than {_size(self._limits.file)}."
            self._found.refuse(source, what, "Move the collections with a block into a file of their own.")

    def _decode(self, source: str, content: bytes) -> None:
        # YAML has no zero bytes; UTF-16 without a byte order mark has one in nearly every character.
        wrong = content.find(b"\0")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            wrong = error.start
        if wrong >= 0:
            # Without its zero bytes, UTF-16 shows a marker, too.
            may_hold_block = bool(MARKER_TEXT.search(content.replace(b"\0", b"").decode("latin-1")))
            remedy = "Save the file as UTF-8; Kometa cannot load it, either."
            line = content[:wrong].count(b"\n") + 1
            self._found.refuse(source, "the file is not UTF-8.", remedy, line=line, may_hold_block=may_hold_block)
            return
        if _OF_INTEREST.search(text) or source.rpartition("/")[2].lower() in _SETTINGS:
            self._text -= len(text)
            self._found.files.append(TextFile(source, text))
        elif len(text) <= self._beside:
            self._beside -= len(text)
            self._found.others.append(TextFile(source, text))


def _size(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size:,} bytes"


def _named(sources: list[str]) -> str:
    shown = ", ".join(source[:_LONGEST_SHOWN] for source in sources[:3])
    return shown if len(sources) <= 3 else f"{shown} and {len(sources) - 3:,} more files"  # noqa: PLR2004 - a few


def _source(path: Path, root: Path) -> str:
    """The path as text that can be printed and stored, even if the file name is not valid UTF-8."""
    return path.relative_to(root).as_posix().encode(errors="surrogateescape").decode(errors="replace")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
