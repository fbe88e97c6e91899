"""What the next report has to know: what was told before, and what has not arrived. One file beside the state.

It is no part of the state, so that trouble with the state can be told, and told once, too.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.notification.news import News, Told
from kometa_ai.state import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FILE = "notifications.json"
MOST = 30
"""Reports that wait for one receiver or another; beyond, the oldest are given up and counted."""

_log = structlog.get_logger()


class Waiting(msgspec.Struct, kw_only=True):
    """A report, and those who have not got it."""

    news: News
    to: set[str]


class Outbox(msgspec.Struct, kw_only=True):
    """The ledger of what was told, reports that wait (the oldest first), how many were given up for whom, and why.

    A receiver is a key that holds no secret. `failing` is why the last try did not reach one.
    """

    format: int = 1
    told: dict[str, Told] = {}
    waiting: list[Waiting] = []
    lost: dict[str, int] = {}
    failing: dict[str, Problem] = {}

    def put(self, news: News, to: Iterable[str]) -> None:
        """Let a report wait for its receivers."""
        # The changes are in its collections already.
        lean = msgspec.structs.replace(news, report=msgspec.structs.replace(news.report, changes=()))
        self.waiting.append(Waiting(news=lean, to=set(to)))
        while len(self.waiting) > MOST:
            for receiver in self.waiting.pop(0).to:
                self.lost[receiver] = self.lost.get(receiver, 0) + 1

    def of(self, receiver: str) -> tuple[Sequence[News], int]:
        """What waits for a receiver, the oldest first, and how many more were given up."""
        return [one.news for one in self.waiting if receiver in one.to], self.lost.get(receiver, 0)

    def delivered(self, receiver: str, run_ids: Iterable[str]) -> None:
        """A receiver has got these reports."""
        arrived = set(run_ids)
        for one in self.waiting:
            if one.news.report.run_id in arrived:
                one.to.discard(receiver)
        self.waiting = [one for one in self.waiting if one.to]
        self.lost.pop(receiver, None)
        self.failing.pop(receiver, None)

    def keep_only(self, receivers: Iterable[str]) -> None:
        """Forget receivers that are configured no more."""
        gone = {receiver for one in self.waiting for receiver in one.to} | set(self.lost) | set(self.failing)
        everything = [one.news.report.run_id for one in self.waiting]
        for receiver in gone - set(receivers):
            self.delivered(receiver, everything)


class Keeper:
    """The outbox of a state folder. `trouble` is why it could not be written, the last time."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.trouble: Problem | None = None

    @contextmanager
    def changing(self) -> Iterator[Outbox]:
        """The outbox, to be changed and written down again: for moments, never while something is sent.

        Nothing is raised where that cannot be: it then lasts as long as the process, so that a full disk neither
        keeps a report back nor tells the same thing every half hour.
        """
        with _locked(self._path.with_suffix(".lock")):
            box = _unwritten.get(self._path) or self._load()
            yield box
            try:
                files.replace(self._path, msgspec.json.encode(box))
            except OSError as error:
                _unwritten[self._path] = box
                self.trouble = _not_written(self._path, error)
            else:
                _unwritten.pop(self._path, None)

    def _load(self) -> Outbox:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Outbox)
        except FileNotFoundError:
            return Outbox()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            # The worst of it is that things are told twice.
            _log.warning("notifications.not_read", path=str(self._path), why=str(error))
            with suppress(OSError):
                files.set_aside(self._path, "damaged")
            return Outbox()


_unwritten: dict[Path, Outbox] = {}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among all processes. Without a lock things may be told twice, which is no reason to stop."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.PRIVATE)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _not_written(path: Path, error: OSError) -> Problem:
    return Problem(
        source="state",
        what=f"What was told, and what has not arrived, cannot be written to {str(path)!r}: {error.strerror}.",
        remedy="Free some space or mend the rights of STATE_DIR; until then things may be told twice.",
        severity="warning",
    )
