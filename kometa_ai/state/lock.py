"""Lock a state folder for one run at a time, or a file for moments, across processes; a lock ends with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import structlog

from kometa_ai.errors import RepairState, WaitForOtherRun
from kometa_ai.state import files

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE = 0.02
_warned: set[Path] = set()
_log = structlog.get_logger()


class StateLock:
    """Holds `STATE_DIR/lock` while in use, against other processes and against others in this process.

    Raises WaitForOtherRun, naming the holder and since when, where it is held; RepairState where it cannot be had.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._handle = -1
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._handle = files.open_regular(self._path, os.O_RDWR | os.O_CREAT)
        except files.NotOurs as error:
            raise RepairState(
                f"{str(self._path)!r} cannot be the lock of the state folder: {error.strerror}.",
                files.remedy_for(error),
            ) from error
        except OSError as error:
            raise RepairState(
                f"The state folder {str(self._path.parent)!r} cannot be written: {error.strerror}.",
                f"{files.remedy_for(error)} Or set STATE_DIR to another folder.",
            ) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = self._holder()
            self._close()
            raise WaitForOtherRun(
                f"Another run is in progress: {holder}.", "Wait until it has ended, or stop it."
            ) from error
        except OSError as error:
            self._close()
            raise RepairState(
                f"The state folder {str(self._path.parent)!r} cannot be locked: {error.strerror}.",
                "Set STATE_DIR to a folder on a disk of this machine; some network shares know no locks.",
            ) from error
        self._look_at_owner()
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._note(f"process {os.getpid()} on {socket.gethostname()}, since {since}")
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let others have it; also from another thread, where the holder hangs and has nothing to write any more."""
        with self._guard:
            if self._handle >= 0:
                self._note("")
                self._close()

    def _look_at_owner(self) -> None:
        """Warn, once, where another user owns the folder, and so can change what is remembered."""
        folder = self._path.parent
        with contextlib.suppress(OSError):
            owner = folder.stat().st_uid
            if owner != os.geteuid() and folder not in _warned:
                _warned.add(folder)
                _log.warning(
                    "state.of_another_user",
                    path=str(folder),
                    owner=owner,
                    user=os.geteuid(),
                    remedy="Its owner can change what is remembered: give STATE_DIR to the user of this program.",
                )

    def _holder(self) -> str:
        with contextlib.suppress(OSError):
            return os.pread(self._handle, 200, 0).decode(errors="replace").strip() or "another process"
        return "another process"

    def _note(self, text: str) -> None:
        # The note is for people; the lock holds without it, on a full disk say. A second name may be another's file.
        with contextlib.suppress(OSError):
            if os.fstat(self._handle).st_nlink > 1:
                return
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, text.encode(), 0)

    def _close(self) -> None:
        # The file stays: removing it would let a third process lock a new one beside a waiting second.
        os.close(self._handle)
        self._handle = -1


class LockReader:
    """Tells who holds the lock of a state folder, for those who do not want it themselves."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._over = ""

    def holder(self) -> str:
        """Who holds it and since when, as the holder has noted; empty where no process does."""
        try:
            handle = files.open_regular(self._path, os.O_RDONLY)
        except OSError:
            return ""
        try:
            note = os.pread(handle, 200, 0).decode(errors="replace").strip()
            if not note or note == self._over:
                return ""
            # A process that was killed leaves its note. To try the lock could be in the way of a run that begins at
            # this very moment, so it is done once for each such note.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            self._over = note
        except BlockingIOError:
            return note
        except OSError:
            return ""
        finally:
            os.close(handle)
        return ""


def wait_for_lock(handle: int, seconds: float) -> bool:
    """Wait for the lock of an open file, which others hold for moments. Return whether it is ours.

    So it is where the file system knows no locks: a caller that keeps something small there can go on without.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:
            return True
        else:
            return True
    return False
