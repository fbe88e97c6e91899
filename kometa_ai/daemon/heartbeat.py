"""The sign of life: a file that the daemon's loop writes again and again. Light, since the health check reads it."""

from __future__ import annotations

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
"""Seconds after which a daemon that has written nothing is taken for stuck, or for unable to write its state."""


def beat(folder: Path, details: Mapping[str, object]) -> None:
    """Say that the loop is alive and the folder can be written. Raise OSError where it cannot."""
    # Written anew each time, not touched: a full disk has to show.
    files.replace(folder / NAME, json.dumps({**details, "pid": os.getpid()}).encode(), durable=False)


def end(folder: Path) -> None:
    """The daemon ends in order: nobody is to wait for its next sign."""
    with suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)


def age(folder: Path) -> float | None:
    """Seconds since the last sign; None where no daemon lives, or has ended in order.

    A time in the future counts as age too: the clock was set back, and the next sign will tell.
    """
    try:
        return abs(time.time() - (folder / NAME).lstat().st_mtime)
    except OSError:
        return None


def next_run(folder: Path) -> datetime | None:
    """When the daemon that lives there runs next; None where none lives."""
    seconds = age(folder)
    if seconds is None or seconds > LONGEST:
        return None
    try:
        return datetime.fromisoformat(read(folder)["next_run"])
    except (KeyError, TypeError, ValueError):
        return None


def read(folder: Path) -> dict[str, Any]:
    """What the daemon last said of itself; empty where nothing can be read."""
    try:
        found = json.loads(files.read(folder / NAME, files.SMALL))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
