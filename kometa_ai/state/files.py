"""Files that survive a power cut: atomic replacement, appending with fsync, rotated backups."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BACKUPS = 5
PRIVATE = 0o600


def replace(path: Path, content: bytes) -> None:
    """Put content in the place of a file so that a reader finds the old or the new one, whole, whatever happens."""
    scratch = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    _sync_folder(path.parent)


def append(path: Path, content: bytes) -> None:
    """Add content at the end of a file, and return when it is on the disk."""
    is_new = not path.exists()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE), "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def backups(path: Path) -> list[Path]:
    """The places of a file's backups, newest first, whether they exist or not."""
    return [path.with_name(f"{path.name}.bak{number}") for number in range(1, BACKUPS + 1)]


def rotate(path: Path) -> None:
    """Keep the file as the newest backup and drop the oldest. The file itself stays where it is."""
    places = backups(path)
    for older, newer in zip(reversed(places), reversed(places[:-1]), strict=False):
        if newer.exists():
            newer.replace(older)
    with contextlib.suppress(FileNotFoundError):
        try:
            os.link(path, places[0])
        except OSError:
            # No hard links here (some network shares): a copy costs time, not safety.
            replace(places[0], path.read_bytes())


def _sync_folder(folder: Path) -> None:
    """Make a file's name as durable as its content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # Some file systems cannot sync a folder; the content is safe.
    finally:
        os.close(handle)
