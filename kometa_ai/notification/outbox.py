"""Keep reports that have not arrived, and which problems were reported, in one file beside the state.

It is no part of the state, so that trouble with the state can be told, and told once, too.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.notification.news import Missing, News, Told
from kometa_ai.state import files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

FILE = "notifications.json"
MOST = 30
"""Reports that wait for one receiver or another; beyond, the oldest are given up and counted."""
_LONGEST_WAIT = 5.0
"""Seconds for a lock: it is held for moments, but a share may never give it."""
TRIES = 2
"""How often a letter is handed over that no answer comes to."""
PARTS = 3
"""Of so many reports in a letter that was refused, each is sent by itself."""

_log = structlog.get_logger()


class Waiting(msgspec.Struct, kw_only=True):
    """A report, and those who have not got it."""

    news: News
    to: set[str]


class Letter(msgspec.Struct, kw_only=True):
    """One message for one receiver: the reports in it, and what stands beside them.

    `name` is its Message-ID. `tries` is how often it was handed over whole without a word on what became of it; none,
    where it is a part of a letter that was refused.
    """

    name: str
    run_ids: tuple[str, ...]
    lost: int = 0
    missing: tuple[Missing, ...] = ()
    tries: int = 0


class Outbox(msgspec.Struct, kw_only=True):
    """The ledger of what was told, reports that wait (the oldest first), how many were given up for whom, and why.

    A receiver is a key that holds no secret. `failing` is why the last try did not reach one. `letters` are those to
    which nothing is joined: a receiver may have got them and they go once more as they were, or they are parts of one
    that was refused. `missing` is to be told.
    """

    format: int = 1
    told: dict[str, Told] = {}
    waiting: list[Waiting] = []
    lost: dict[str, int] = {}
    failing: dict[str, Problem] = {}
    letters: dict[str, list[Letter]] = {}
    missing: dict[str, list[Missing]] = {}

    def put(self, news: News, to: Iterable[str]) -> None:
        """Let a report wait for its receivers."""
        # The changes are in its collections already.
        lean = msgspec.structs.replace(news, report=msgspec.structs.replace(news.report, changes=()))
        self.waiting.append(Waiting(news=lean, to=set(to)))
        while len(self.waiting) > MOST:
            for receiver in self.waiting.pop(0).to:
                self.lost[receiver] = self.lost.get(receiver, 0) + 1

    def letters_for(self, receiver: str, on_their_way: Collection[str] = ()) -> list[Letter]:
        """What a receiver is to get now: letters to which nothing is joined, and in another one all that waits.

        Runs that are `on_their_way` in a letter are in none of these.
        """
        found: list[Letter] = []
        apart = set(on_their_way)
        for letter in [*self.letters.get(receiver, ())]:
            apart.update(letter.run_ids)
            if not set(letter.run_ids).isdisjoint(on_their_way):
                continue
            if letter.tries >= TRIES:
                # The program was ended while it waited for the second answer.
                self.give_up(receiver, letter, may_have_arrived=True)
            else:
                found.append(letter)
        waiting = [one.news.report.run_id for one in self.waiting if receiver in one.to]
        others = tuple(run_id for run_id in waiting if run_id not in apart)
        if others:
            told = {one for letter in found for one in letter.missing}
            missing = tuple(one for one in self.missing.get(receiver, ()) if one not in told)
            lost = self.lost.get(receiver, 0) - sum(letter.lost for letter in found)
            found.append(Letter(name="", run_ids=others, lost=max(lost, 0), missing=missing))
        return found

    def news_in(self, letter: Letter) -> list[News]:
        """The reports of a letter, the oldest first."""
        return [one.news for one in self.waiting if one.news.report.run_id in letter.run_ids]

    def handing(self, receiver: str, letter: Letter) -> None:
        """From now on the receiver may get this letter."""
        letter.tries += 1
        self._keep(receiver, letter)

    def not_taken(self, receiver: str, letter: Letter, why: Problem, *, was_handed: bool) -> None:
        """The receiver has not got this letter now. One that may have arrived before still may have."""
        self.failing[receiver] = why
        if was_handed:
            letter.tries -= 1
            self._keep(receiver, letter if letter.tries > 0 else None, letter.run_ids)

    def part(self, receiver: str, letter: Letter) -> None:
        """Of a letter that was refused, each of the newest reports goes by itself; the others are given up."""
        older, newer = letter.run_ids[:-PARTS], letter.run_ids[-PARTS:]
        self.give_up(receiver, msgspec.structs.replace(letter, run_ids=older))
        self._keep(receiver, None, letter.run_ids)
        parts = [Letter(name="", run_ids=(run_id,)) for run_id in newer]
        parts[-1].lost, parts[-1].missing = letter.lost, tuple(self.missing.get(receiver, ()))
        self.letters.setdefault(receiver, []).extend(parts)

    def delivered(self, receiver: str, letter: Letter) -> None:
        """A receiver has got this letter."""
        self._settle(receiver, letter)
        self.failing.pop(receiver, None)
        left = self.lost.pop(receiver, 0) - letter.lost
        if left > 0:
            self.lost[receiver] = left
        self._keep_missing(receiver, [one for one in self.missing.get(receiver, ()) if one not in letter.missing])

    def give_up(self, receiver: str, letter: Letter, *, may_have_arrived: bool = False) -> None:
        """A receiver will not get this letter: its next one says which reports are missing."""
        gone = [
            Missing(run_id=news.report.run_id, started=news.report.started, may_have_arrived=may_have_arrived)
            for news in self.news_in(letter)
        ]
        self._settle(receiver, letter)
        self._keep_missing(receiver, [*self.missing.get(receiver, ()), *gone][-MOST:])

    def keep_only(self, receivers: Iterable[str]) -> None:
        """Forget receivers that are configured no more."""
        left = set(receivers)
        for one in self.waiting:
            one.to &= left
        self.waiting = [one for one in self.waiting if one.to]
        kept: dict[str, Any]
        for kept in (self.lost, self.failing, self.letters, self.missing):
            for receiver in kept.keys() - left:
                del kept[receiver]

    def _keep(self, receiver: str, letter: Letter | None, run_ids: tuple[str, ...] = ()) -> None:
        """Put a letter in the place of the one with the same reports; None takes that away."""
        run_ids = letter.run_ids if letter else run_ids
        kept = [one for one in self.letters.pop(receiver, ()) if one.run_ids != run_ids]
        if letter:
            kept.append(letter)
        if kept:
            self.letters[receiver] = kept

    def _settle(self, receiver: str, letter: Letter) -> None:
        for one in self.waiting:
            if one.news.report.run_id in letter.run_ids:
                one.to.discard(receiver)
        self.waiting = [one for one in self.waiting if one.to]
        self._keep(receiver, None, letter.run_ids)

    def _keep_missing(self, receiver: str, missing: list[Missing]) -> None:
        self.missing.pop(receiver, None)
        if missing:
            self.missing[receiver] = missing


def undelivered(folder: Path) -> int:
    """How many reports have not reached all receivers: those that wait, and those that are missing for good."""
    box = _counted(folder)
    missing = {one.run_id for found in box.missing.values() for one in found}
    return len(box.waiting) + len(missing) + max(box.lost.values(), default=0)


def is_waiting(folder: Path) -> bool:
    """Whether any report waits to be delivered."""
    return bool(_counted(folder).waiting)


class _Counted(msgspec.Struct):
    """As much of the outbox as is counted."""

    waiting: list[msgspec.Raw] = []
    missing: dict[str, list[Missing]] = {}
    lost: dict[str, int] = {}


def _counted(folder: Path) -> _Counted:
    try:
        return msgspec.json.decode(files.read(folder / FILE, files.LARGE), type=_Counted)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Counted()


class Claims:
    """Which runs are on their way to whom, so that no two threads or processes send the same at once.

    One process sends at a time; within it, the one that takes a letter has it until the claims are released.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._mine: list[tuple[str, str]] = []

    def enter(self) -> bool:
        """Begin to send; False where another process does, which will find what was put into the outbox."""
        with _guard:
            if self._path not in _senders:
                try:
                    handle = files.open_regular(self._path.with_suffix(".sending"), os.O_RDWR | os.O_CREAT)
                except OSError:
                    return True  # without a lock things may be told twice, which is no reason to stop
                if not _wait_for(handle):
                    os.close(handle)
                    return False
                _senders[self._path] = [handle, 0]
            _senders[self._path][1] += 1
        return True

    def of(self, receiver: str) -> set[str]:
        """The runs that are on their way to a receiver."""
        return {run_id for one, run_id in _claimed.get(self._path, ()) if one == receiver}

    def take(self, receiver: str, letters: Iterable[Letter]) -> None:
        """These letters are on their way now."""
        new = [(receiver, run_id) for letter in letters for run_id in letter.run_ids]
        self._mine += new
        _claimed.setdefault(self._path, set()).update(new)

    def give_back(self, receiver: str, letter: Letter) -> None:
        """This letter is not on its way any more; what is in it may go in others."""
        runs = [(receiver, run_id) for run_id in letter.run_ids]
        self._mine = [one for one in self._mine if one not in runs]
        _claimed.get(self._path, set()).difference_update(runs)

    def leave(self) -> None:
        """Nothing that was taken here is on its way any more."""
        with _guard:
            _claimed.get(self._path, set()).difference_update(self._mine)
            self._mine.clear()
            if sender := _senders.get(self._path):
                sender[1] -= 1
                if not sender[1]:
                    os.close(sender[0])
                    del _senders[self._path]


_guard = threading.Lock()
_claimed: dict[Path, set[tuple[str, str]]] = {}
_senders: dict[Path, list[int]] = {}
"""The handle of this process's lock for each outbox, and how many here hold it."""


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
            return msgspec.json.decode(files.read(self._path, files.LARGE), type=Outbox)
        except FileNotFoundError:
            return Outbox()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # The worst of it is that things are told twice.
            _log.warning("notifications.not_read", path=str(self._path), why=str(error))
            with suppress(OSError):
                files.set_aside(self._path, "damaged")
            return Outbox()


_unwritten: dict[Path, Outbox] = {}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among all threads and processes. Without a lock things may be told twice, which is no reason to stop."""
    try:
        handle = files.open_regular(path, os.O_RDWR | os.O_CREAT)
    except OSError:
        yield
        return
    try:
        _wait_for(handle)
        yield
    finally:
        os.close(handle)


def _wait_for(handle: int) -> bool:
    """Wait for a lock, but not for ever; say whether it is ours, or there are none here."""
    until = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < until:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:
            return True
        else:
            return True
    return False


def _not_written(path: Path, error: OSError) -> Problem:
    return Problem(
        source="state",
        what=f"What was told, and what has not arrived, cannot be written to {str(path)!r}: {error.strerror}.",
        remedy="Free some space or correct the rights of STATE_DIR; until then things may be told twice.",
        severity="warning",
    )
