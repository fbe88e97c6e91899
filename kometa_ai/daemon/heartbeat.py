"""Write and read the heartbeat file of the daemon. Imports next to nothing, since the health check uses it."""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kometa_ai.state import files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "heartbeat"
EVERY = 15.0
LONGEST = 90.0
"""Seconds without a heartbeat after which the daemon counts as stuck, or unable to write its state."""
_LARGEST_PID = (1 << 31) - 1


class NotWritten(ValueError):
    """What lies in the place of the heartbeat is nothing that the daemon writes."""


def beat(folder: Path, details: Mapping[str, object]) -> None:
    """Write the heartbeat. Raise OSError if the folder cannot be written."""
    # Written anew each time instead of touched, so that a full disk is noticed.
    files.replace(folder / NAME, json.dumps({**details, "pid": os.getpid()}).encode(), durable=False)


def end(folder: Path) -> None:
    """Remove the heartbeat: the daemon ends in order."""
    with suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)


def age(folder: Path) -> float | None:
    """Seconds since the last heartbeat; None if no daemon runs, or if it has ended in order.

    It is below zero for a time in the future: the clock was set back, and the next heartbeat corrects it.
    """
    try:
        return time.time() - (folder / NAME).lstat().st_mtime
    except OSError:
        return None


def is_alive(folder: Path) -> bool:
    """Whether a daemon has given a sign of life lately."""
    seconds = age(folder)
    return seconds is not None and abs(seconds) <= LONGEST


def next_run(folder: Path) -> datetime | None:
    """When the daemon of this state folder runs next; None if there is no daemon."""
    if not is_alive(folder):
        return None
    found = read(folder).get("next_run")
    return datetime.fromisoformat(found) if found else None


def read(folder: Path) -> dict[str, Any]:
    """The details of the last heartbeat; empty if it cannot be read."""
    try:
        return details(folder)
    except (OSError, NotWritten):
        return {}


def details(folder: Path) -> dict[str, Any]:
    """The details of the last heartbeat. Raise NotWritten where no daemon has written it, or OSError."""
    try:
        found = json.loads(files.read(folder / NAME, files.SMALL))
    except (ValueError, RecursionError):
        raise NotWritten("it is no JSON") from None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO, errno.ESTALE):
            raise
        raise NotWritten(error.strerror) from None
    if not isinstance(found, dict):
        raise NotWritten("it is no JSON object")
    for name, value in found.items():
        if not _is_ours(name, value):
            raise NotWritten(f"its {name!r} is {json.dumps(value)[:40]}")
    if "pid" not in found:
        raise NotWritten("it names no process")
    return found


def _is_ours(name: str, value: object) -> bool:
    match name:
        case "pid":
            return type(value) is int and 0 < value <= _LARGEST_PID
        case "running":
            return isinstance(value, bool)
        case "next_run":
            return value is None or (isinstance(value, str) and _is_time(value))
        case _:
            return isinstance(value, str)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
