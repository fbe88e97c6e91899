"""Find Kometa's YAML files and read their text."""

from __future__ import annotations

import os
import re
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.kometa.markers import MARKER_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OF_INTEREST = re.compile(rf"{MARKER_TEXT.pattern}|item_radarr_tag|radarr_remove_by_tag", re.IGNORECASE)
_MARKER_BYTES = re.compile(MARKER_TEXT.pattern.encode(), re.IGNORECASE)
_LONGEST_MARKER = 16

LARGEST = 4 << 20
"""Bytes of a file that is read. Files written by hand have a tenth of it, and YAML in Python takes 20 s for as much."""

_SETTINGS = ("config.yml", "config.yaml")


class TextFile(msgspec.Struct, frozen=True):
    """A file's text without a byte order mark; `source` is its path below the folder, with slashes."""

    source: str
    text: str


class Found(msgspec.Struct):
    """The files that hold something to read, the others, and what could not be read at all."""

    files: list[TextFile]
    others: list[TextFile]
    unreadable: list[str]
    problems: list[Problem]

    def refuse(self, source: str, what: str, remedy: str, *, line: int | None = None, unreadable: bool = True) -> None:
        """Note a file that cannot be read; `unreadable` if it may hold a block."""
        self.problems.append(Problem(what=what, remedy=remedy, source=source, line=line))
        if unreadable:
            self.unreadable.append(source)


def read_files(root: Path) -> Found:
    """The text of every YAML file below the folder, in the order of their paths. Symbolic links are followed."""
    found = Found(files=[], others=[], unreadable=[], problems=[])
    for path in _walk(root, root, frozenset(), found):
        source = _source(path, root)
        try:
            with path.open("rb") as file:
                content = file.read(LARGEST + 1)
                if len(content) > LARGEST:
                    _leave(source, content, file, found)
                    continue
        except OSError as error:
            found.refuse(source, f"the file cannot be read: {_reason(error)}.", "Let this program read it.")
            continue
        _decode(source, content, found)
    return found


def _leave(source: str, begin: bytes, file: BinaryIO, found: Found) -> None:
    """Leave a file that is too large, and say so if it holds a block: to look for that takes no time and no memory."""
    end = begin
    while end:
        if _MARKER_BYTES.search(end):
            remedy = "Move the collections with a block into a file of their own."
            found.refuse(source, f"the file is too large: it has more than {LARGEST >> 20} MB.", remedy)
            return
        more = file.read(LARGEST)
        end = end[-_LONGEST_MARKER:] + more if more else b""


def _walk(folder: Path, root: Path, above: frozenset[tuple[int, int]], found: Found) -> Iterator[Path]:
    """The YAML files in and below a folder; `above` are the folders on the way here, so that a loop of links ends."""
    try:
        here = folder.stat()
        children = sorted(folder.iterdir(), key=lambda child: child.name)
    except OSError as error:
        source = _source(folder, root)
        found.refuse(source, f"the folder cannot be read: {_reason(error)}.", "Let this program read it.")
        return
    identity = (here.st_dev, here.st_ino)
    if identity in above:
        return
    for child in children:
        if child.name.startswith("."):
            continue
        is_yaml = child.suffix.lower() in {".yml", ".yaml"} and not child.name.startswith("_")
        try:
            mode = child.stat().st_mode
        except OSError as error:
            if is_yaml:
                source = _source(child, root)
                found.refuse(source, f"the file cannot be read: {_reason(error)}.", "Repair the link, or remove it.")
            continue
        if S_ISDIR(mode):
            yield from _walk(child, root, above | {identity}, found)
        elif is_yaml and S_ISREG(mode):
            yield child


def _source(path: Path, root: Path) -> str:
    """The path as text that can be printed and stored, even where the file system's name is not UTF-8."""
    return path.relative_to(root).as_posix().encode(errors="surrogateescape").decode(errors="replace")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _decode(source: str, content: bytes, found: Found) -> None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        # Without its zero bytes, UTF-16 shows a marker, too.
        may_hold_block = bool(MARKER_TEXT.search(content.replace(b"\0", b"").decode("latin-1")))
        remedy = "Save the file as UTF-8; Kometa cannot load it, either."
        found.refuse(source, "the file is not UTF-8.", remedy, line=line, unreadable=may_hold_block)
        return
    of_interest = _OF_INTEREST.search(text) or source.rpartition("/")[2].lower() in _SETTINGS
    (found.files if of_interest else found.others).append(TextFile(source, text))
