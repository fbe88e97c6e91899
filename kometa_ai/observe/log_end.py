"""Read the newest lines of the log from the end of its file, however large that is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_args

import msgspec

from kometa_ai.observe.logs import FILE_NAME, open_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Level = Literal["debug", "info", "warning", "error", "critical"]

_LEVELS: tuple[Level, ...] = get_args(Level)
_BLOCK = 64 << 10
_MOST = 4 << 20
"""Bytes that one search looks through."""
_LEFT_OUT = ("exception",)
"""Stack traces stay in the file."""


class LogEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of the log, the newest first. `is_whole` says that there is no older one that would fit.

    `problem` says why there are none, if the file cannot be read.
    """

    items: list[dict[str, Any]] = []
    is_whole: bool = True
    problem: str = ""


def newest_lines(log_dir: Path, limit: int, *, level: Level = "debug", run_id: str = "", text: str = "") -> LogEnd:
    """The newest lines of at least this level, of one run if it is named; at most `limit`. Not a whole file is read.

    With `text` only lines that contain it in one of their values, in capitals or not.
    """
    wanted = _LEVELS[_LEVELS.index(level) :]
    found: list[dict[str, Any]] = []
    left = _MOST
    # The second file holds what was there before the first one was begun.
    for name in (FILE_NAME, f"{FILE_NAME}.1"):
        try:
            with open(log_dir / name, "rb", opener=open_private) as file:
                for line in _lines_from_the_end(file, left):
                    if line is None or len(found) == limit:
                        return LogEnd(items=found, is_whole=False)
                    left -= len(line) + 1
                    entry = _entry(line)
                    if entry.get("level") not in wanted or (run_id and entry.get("run_id") != run_id):
                        continue
                    if _contains(entry, text.casefold()):
                        found.append(entry)
        except FileNotFoundError:
            break
        except OSError as error:
            return LogEnd(items=found, problem=f"{name} in LOG_DIR cannot be read: {error.strerror}.")
    return LogEnd(items=found)


def whole_log(log_dir: Path) -> tuple[BinaryIO, int]:
    """The log file, open, and its size in bytes. Raise OSError if it cannot be read."""
    file = open(log_dir / FILE_NAME, "rb", opener=open_private)  # noqa: SIM115 - the caller closes it
    return file, os.fstat(file.fileno()).st_size


def _contains(entry: dict[str, Any], text: str) -> bool:
    return not text or any(text in str(value).casefold() for value in entry.values())


def _lines_from_the_end(file: BinaryIO, most: int) -> Iterator[bytes | None]:
    """The lines of a file, the last one first; None where `most` bytes were looked through."""
    end = file.seek(0, os.SEEK_END)
    first = max(0, end - most)
    rest = b""
    while end > first:
        start = max(first, end - _BLOCK)
        file.seek(start)
        rest, *lines = (file.read(end - start) + rest).split(b"\n")
        yield from reversed(lines)
        end = start
    if first:
        yield None
    else:
        yield rest


def _entry(line: bytes) -> dict[str, Any]:
    """A line as data; empty for one that is torn."""
    try:
        entry: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
    return {name: value for name, value in entry.items() if name not in _LEFT_OUT}
