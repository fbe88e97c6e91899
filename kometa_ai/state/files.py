"""Files that survive a power cut: atomic replacement, appending with fsync, rotated backups."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BACKUPS = 5
PRIVATE = 0o600

_BUFFER = 1 << 20


def replace(path: Path, content: bytes | Iterable[bytes], *, keep: bool = False) -> None:
    """Put content in the place of a file so that a reader finds the old or the new one, whole, whatever happens.

    Content in pieces is written as the pieces come, so that it need not be in memory as a whole. With `keep` the old
    one becomes the newest backup. Where this fails with an OSError the old one is as it was, and where the new one
    could not be written (a full disk) its backups are too.
    """
    scratch = path.with_name(f".{path.name}.new")
    try:
        scratch.unlink(missing_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb", _BUFFER) as file:
            file.writelines((content,) if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        if keep:
            # Only now, when the new file is on the disk: failing again and again must not push good backups out.
            _rotate(path)
        scratch.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def append(path: Path, content: bytes) -> int:
    """Add whole lines at the end of a file, and return its size when they are on the disk.

    Where this fails with an OSError nothing is added, if the disk still allows to take it back. What a power cut has
    left of a line is ended first, so that it cannot spoil the next.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE)
    try:
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            content = b"\n" + content
        try:
            _write_all(handle, content)
            os.fsync(handle)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if not size:
        _sync_folder(path.parent)
    return size + len(content)


def backups(path: Path) -> list[Path]:
    """The places of a file's backups, newest first, whether they exist or not."""
    return [path.with_name(f"{path.name}.bak{number}") for number in range(1, BACKUPS + 1)]


def set_aside(path: Path, why: str) -> Path:
    """Rename a file (or folder) so that it is out of the way and lost to nobody; return its new place."""
    place = path.with_name(f"{path.name}.{why}")
    number = 1
    while os.path.lexists(place):
        number += 1
        place = path.with_name(f"{path.name}.{why}-{number}")
    path.replace(place)
    _sync_folder(path.parent)
    return place


def _rotate(path: Path) -> None:
    """Keep the file as the newest backup and drop the oldest. The file itself stays where it is."""
    places = backups(path)
    if not path.is_file() or (places[0].exists() and places[0].samefile(path)):
        # The second: a kill between rotating and replacing. The same state need not be kept twice.
        return
    for older, newer in zip(reversed(places), reversed(places[:-1]), strict=False):
        if newer.exists():
            newer.replace(older)
    try:
        # Both names share one file until the new one takes the first name; nothing ever writes into it.
        os.link(path, places[0])
    except OSError:
        # No hard links here (some network shares): a copy costs time, not safety.
        replace(places[0], path.read_bytes())


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _sync_folder(folder: Path) -> None:
    """Make a file's name as durable as its content, where the file system can; the content is safe either way."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
