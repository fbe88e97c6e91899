"""Write and read the heartbeat file of the daemon. Imports next to nothing, since the health check uses it."""

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
"""Seconds without a heartbeat after which the daemon counts as stuck, or unable to write its state."""


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

    A time in the future counts as an age, too: the clock was set back, and the next heartbeat corrects it.
    """
    try:
        return abs(time.time() - (folder / NAME).lstat().st_mtime)
    except OSError:
        return None


def is_alive(folder: Path) -> bool:
    """Whether a daemon has given a sign of life lately."""
    seconds = age(folder)
    return seconds is not None and seconds <= LONGEST


def next_run(folder: Path) -> datetime | None:
    """When the daemon of this state folder runs next; None if there is no daemon."""
    if not is_alive(folder):
        return None
    try:
        return datetime.fromisoformat(read(folder)["next_run"])
    except (KeyError, TypeError, ValueError):
        return None


def read(folder: Path) -> dict[str, Any]:
    """The details of the last heartbeat; empty if it cannot be read."""
    try:
        found = json.loads(files.read(folder / NAME, files.SMALL))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
