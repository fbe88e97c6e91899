"""Write files that survive a power cut: atomic replacement, appending with fsync, rotated backups.

Only regular files are read or written, whatever lies in their place: a link is not followed, and a FIFO or a device is
not waited for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

BACKUPS = 5
PRIVATE = 0o600
LARGE = 1 << 30
"""Bytes that no state has; what is larger is none."""
SMALL = 1 << 16
_PROBE = bytes(SMALL)
"""The same for the small files beside it."""

_BUFFER = 1 << 20
_SECOND = len("20260301-030000")
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KNOWS_NO_FSYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_GIVE = "Give STATE_DIR and what is in it to the user that runs this program (in Docker: PUID and PGID)."
_REMEDIES = {
    errno.ENOSPC: "The disk is full, or has no room for more files: free some space where STATE_DIR is.",
    errno.EDQUOT: "The quota of this user is used up: free some space where STATE_DIR is, or raise the quota.",
    errno.EROFS: "The file system of STATE_DIR is read-only, as after an error of the disk, or mounted so: look into "
    "the system's log, then mount it writable.",
    errno.EIO: "The disk or share of STATE_DIR reports errors: look into the system's log, and save what is there.",
    errno.ESTALE: "The network share of STATE_DIR has gone and come back: mount it again, then restart the program.",
    errno.ENOENT: "STATE_DIR is gone: mount it again, then restart the program.",
    errno.ENOTDIR: "STATE_DIR is no folder: mount a folder there.",
    errno.EACCES: _GIVE,
    errno.EPERM: _GIVE,
    errno.EMFILE: "The process may open no more files: raise its limit (ulimit -n), then restart it.",
}
_unsynced: dict[int, bool] = {}


class NotOurs(OSError):
    """What lies in the place of one of our files is none: a link, a FIFO, a folder, a device, or far too large."""

    @property
    def is_link(self) -> bool:
        """Whether it is a link: then the file may be elsewhere, and is not lost."""
        return self.errno == errno.ELOOP


def remedy_for(error: OSError, setting: str = "STATE_DIR") -> str:
    """What to do about a file of STATE_DIR, or of another setting's folder, that cannot be read or written."""
    return _remedy(error).replace("STATE_DIR", setting)


def _remedy(error: OSError) -> str:
    if isinstance(error, NotOurs):
        if error.is_link:
            return f"Links are not followed in STATE_DIR: put the file itself in the place of {str(error.filename)!r}."
        return f"Move {str(error.filename)!r} out of STATE_DIR; the program makes its own."
    return _REMEDIES.get(error.errno or 0, "Look at STATE_DIR: its disk, its rights and what is in it.")


def hindrance(folder: Path) -> OSError | None:
    """What keeps a folder from being written, tried with a small file; one that is not there yet is not made."""
    there = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)
    if not there.is_dir():
        return OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    if there != folder:
        is_writable = os.access(there, os.W_OK | os.X_OK)
        return None if is_writable else OSError(errno.EACCES, os.strerror(errno.EACCES), str(there))
    probe = folder / ".probe.new"
    try:
        replace(probe, _PROBE)
        probe.unlink()
    except OSError as error:
        return error
    return None


def make_folder(folder: Path) -> None:
    """Make a folder of ours, if it is not there. Raise OSError; NotOurs for what is none, or is a link to one."""
    mode = _mode(folder)
    if stat.S_ISLNK(mode):
        raise NotOurs(errno.ENOTDIR, "it is a link, not a folder", str(folder))
    if mode and not stat.S_ISDIR(mode):
        raise NotOurs(errno.ENOTDIR, "it is no folder", str(folder))
    folder.mkdir(mode=0o700, exist_ok=True)


def look_into(folder: Path) -> None:
    """Raise OSError where a folder of ours is there and cannot be read; NotOurs for what is no folder."""
    try:
        with contextlib.suppress(FileNotFoundError):
            os.scandir(folder).close()
    except NotADirectoryError as error:
        raise NotOurs(errno.ENOTDIR, "it is no folder", str(folder)) from error


def open_regular(path: Path, flags: int) -> int:
    """Open a regular file and return its handle. Raise NotOurs for anything else, without waiting for it."""
    try:
        handle = os.open(path, flags | _SAFE, PRIVATE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _not_ours(path, os.lstat(path).st_mode) from error
        raise
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise _not_ours(path, mode)
    return handle


def read(path: Path, most: int) -> bytes:
    """The content of a regular file. Raise NotOurs for what is none, or is larger than any of ours."""
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise NotOurs(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
        # By its size: Python sets as much memory aside as may be read, and a system that counts it would refuse.
        return file.read(size)


def in_order(folder: Path) -> list[Path]:
    """The JSON files of a folder, the earliest first. Their names begin with their second: within it, as written."""
    return sorted(folder.glob("*.json"), key=lambda path: (path.name[:_SECOND], _written(path), path.name))


def superfluous(found: Sequence[Path], now: datetime, most: int) -> Sequence[Path]:
    """Which of the files (as `in_order` has them) have to go so that `most` stay: the earliest.

    Those that are dated after `now` go before them: a clock that was ahead has made them, and they would push out every
    new one until then.
    """
    second = f"{now.astimezone(UTC):%Y%m%d-%H%M%S}"
    ahead = [path for path in found if path.name[:_SECOND] > second]
    return [*ahead, *found[: len(found) - len(ahead)]][: max(len(found) - most, 0)]


def replace(path: Path, content: bytes | Iterable[bytes], *, keep: bool = False, durable: bool = True) -> None:
    """Put content in the place of a file so that a reader finds the old or the new one, whole, whatever happens.

    Content in pieces is written as the pieces come, so that it need not be in memory as a whole. With `keep` the old
    one becomes the newest backup. Where this fails with an OSError the old one is as it was, and where the new one
    could not be written (a full disk) its backups are too. What is not `durable` may be lost in a power cut.
    """
    scratch = path.with_name(f".{path.name}.new")
    try:
        if stat.S_ISDIR(_mode(scratch)):
            raise _not_ours(scratch, stat.S_IFDIR)
        scratch.unlink(missing_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, PRIVATE), "wb", _BUFFER) as file:
            file.writelines((content,) if isinstance(content, bytes) else content)
            file.flush()
            if durable:
                _sync(file.fileno())
        if keep:
            # Only now, when the new file is on the disk: failing again and again must not push good backups out.
            _rotate(path)
        _clear(path)
        scratch.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def append(path: Path, content: bytes) -> int:
    """Add whole lines at the end of a file, and return its size when they are on the disk.

    Where this fails with an OSError nothing is added, if the disk still allows to take it back. What a power cut has
    left of a line is ended first, so that it cannot spoil the next. A second name of the file keeps what it has.
    """
    handle = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        if os.fstat(handle).st_nlink > 1:
            replace(path, read(path, LARGE))
            os.close(handle)
            handle = open_regular(path, os.O_RDWR | os.O_APPEND)
        size = os.fstat(handle).st_size
        if size and os.pread(handle, 1, size - 1) != b"\n":
            content = b"\n" + content
        try:
            _write_all(handle, content)
            _sync(handle)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if not size:
        _sync_folder(path.parent)
    return size + len(content)


def cut(path: Path, size: int) -> None:
    """Keep only the first bytes of a regular file. A second name of the file keeps what it has."""
    handle = open_regular(path, os.O_RDWR)
    try:
        if os.fstat(handle).st_nlink > 1:
            replace(path, os.pread(handle, size, 0))
        else:
            os.ftruncate(handle, size)
    finally:
        os.close(handle)


def is_unsynced(folder: Path) -> bool:
    """Whether a file system has turned out to know no fsync; true once for each of them, so that it is told once."""
    try:
        device = folder.stat().st_dev
    except OSError:
        return False
    is_news = _unsynced.get(device, False)
    if is_news:
        _unsynced[device] = False
    return is_news


def backups(path: Path) -> list[Path]:
    """The places of a file's backups, newest first, whether they exist or not."""
    return [path.with_name(f"{path.name}.bak{number}") for number in range(1, BACKUPS + 1)]


def set_aside(path: Path, why: str) -> Path:
    """Rename a file (or folder) so that it is out of the way and not lost; return its new place."""
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
    if not _is_regular(path) or (_is_regular(places[0]) and places[0].samefile(path)):
        # The second: a kill between rotating and replacing. The same state need not be kept twice.
        return
    for older, newer in zip(reversed(places), reversed(places[:-1]), strict=False):
        if os.path.lexists(newer):
            _clear(older)
            newer.replace(older)
    try:
        # Both names share one file until the new one takes the first name; nothing ever writes into it.
        os.link(path, places[0])
    except OSError:
        # No hard links here (some network shares): a copy costs time, not safety.
        replace(places[0], read(path, LARGE))


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(_mode(path))


def _written(path: Path) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return 0


def _mode(path: Path) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


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


def _not_ours(path: Path, mode: int) -> NotOurs:
    kinds = {stat.S_IFLNK: "a link", stat.S_IFIFO: "a FIFO", stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket"}
    what = kinds.get(stat.S_IFMT(mode), "a device")
    number = errno.ELOOP if stat.S_ISLNK(mode) else errno.EINVAL
    return NotOurs(number, f"it is {what}, not a regular file", str(path))


def _clear(path: Path) -> None:
    """Set a folder aside that lies where a file is to be; all else is replaced by the file."""
    if stat.S_ISDIR(_mode(path)):
        set_aside(path, "folder")


def _sync(handle: int) -> None:
    """Make what was written durable, where the file system can; one that cannot is noted, not an error."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _KNOWS_NO_FSYNC:
            raise
        _unsynced.setdefault(os.fstat(handle).st_dev, True)
