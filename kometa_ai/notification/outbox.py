"""Keep undelivered reports, and the ledger of reported problems, in one file beside the state.

The file is separate from the state, so that problems with the state can be reported, and reported only once.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.notification.news import Missing, News, Reported
from kometa_ai.state import files
from kometa_ai.state.lock import wait_for_lock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

FILE = "notifications.json"
MOST = 30
"""Maximum number of waiting reports; the oldest ones above it are given up and counted."""
_LONGEST_WAIT = 5.0
"""Seconds to wait for a lock: it is held for moments, but a network share may never grant it."""
TRIES = 2
"""How often a letter is handed over if no answer comes."""
PARTS = 3
"""The number of reports of a refused letter that are sent by themselves; older ones are given up."""

_log = structlog.get_logger()


class Waiting(msgspec.Struct, kw_only=True):
    """A report, and the receivers that have not got it."""

    news: News
    to: set[str]


class Letter(msgspec.Struct, kw_only=True):
    """One message for one receiver: the reports in it, and what is said about others.

    `name` is its Message-ID. `tries` counts how often it was handed over completely without an answer; it is 0 for a
    part of a refused letter.
    """

    name: str
    run_ids: tuple[str, ...]
    lost: int = 0
    missing: tuple[Missing, ...] = ()
    tries: int = 0


class Outbox(msgspec.Struct, kw_only=True):
    """The ledger of reported problems, the waiting reports (oldest first), and what could not be delivered to whom.

    A receiver is a key that holds no secret. `failing` is why the last try did not reach it. `lost` counts reports that
    were given up for want of room. `letters` are those that no further report may join: the receiver may have got them
    and they are sent once more unchanged, or they are parts of a refused letter. `missing` are reports that were given
    up and that the next letter has to mention.
    """

    format: int = 1
    told: dict[str, Reported] = {}
    waiting: list[Waiting] = []
    lost: dict[str, int] = {}
    failing: dict[str, Problem] = {}
    letters: dict[str, list[Letter]] = {}
    missing: dict[str, list[Missing]] = {}

    def put(self, news: News, to: Iterable[str]) -> None:
        """Add a report for its receivers."""
        # Leave out `changes`: the collections of the report contain them.
        lean = msgspec.structs.replace(news, report=msgspec.structs.replace(news.report, changes=()))
        self.waiting.append(Waiting(news=lean, to=set(to)))
        while len(self.waiting) > MOST:
            for receiver in self.waiting.pop(0).to:
                self.lost[receiver] = self.lost.get(receiver, 0) + 1

    def letters_for(self, receiver: str, on_their_way: Collection[str] = ()) -> list[Letter]:
        """What a receiver is to get now: its fixed letters, and another letter with all other waiting reports.

        Runs that are `on_their_way` (in flight in another letter) are left out.
        """
        found: list[Letter] = []
        apart = set(on_their_way)
        for letter in [*self.letters.get(receiver, ())]:
            apart.update(letter.run_ids)
            if not set(letter.run_ids).isdisjoint(on_their_way):
                continue
            if letter.tries >= TRIES:
                # The program ended while it waited for the answer to the last try.
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
        """Record that the receiver may get this letter from now on."""
        letter.tries += 1
        self._keep(receiver, letter)

    def not_taken(self, receiver: str, letter: Letter, why: Problem, *, was_handed: bool) -> None:
        """Record that the receiver did not get this letter this time. An earlier try may still have arrived."""
        self.failing[receiver] = why
        if was_handed:
            letter.tries -= 1
            self._keep(receiver, letter if letter.tries > 0 else None, letter.run_ids)

    def part(self, receiver: str, letter: Letter) -> None:
        """Split a refused letter: each of the newest reports is sent by itself; the others are given up."""
        older, newer = letter.run_ids[:-PARTS], letter.run_ids[-PARTS:]
        self.give_up(receiver, msgspec.structs.replace(letter, run_ids=older))
        self._keep(receiver, None, letter.run_ids)
        parts = [Letter(name="", run_ids=(run_id,)) for run_id in newer]
        parts[-1].lost, parts[-1].missing = letter.lost, tuple(self.missing.get(receiver, ()))
        self.letters.setdefault(receiver, []).extend(parts)

    def delivered(self, receiver: str, letter: Letter) -> None:
        """Record that a receiver has got this letter."""
        self._settle(receiver, letter)
        self.failing.pop(receiver, None)
        left = self.lost.pop(receiver, 0) - letter.lost
        if left > 0:
            self.lost[receiver] = left
        self._keep_missing(receiver, [one for one in self.missing.get(receiver, ()) if one not in letter.missing])

    def give_up(self, receiver: str, letter: Letter, *, may_have_arrived: bool = False) -> None:
        """Give up a letter: the receiver's next one says which reports are missing."""
        gone = [
            Missing(run_id=news.report.run_id, started=news.report.started, may_have_arrived=may_have_arrived)
            for news in self.news_in(letter)
        ]
        self._settle(receiver, letter)
        self._keep_missing(receiver, [*self.missing.get(receiver, ()), *gone][-MOST:])

    def keep_only(self, receivers: Iterable[str]) -> None:
        """Drop receivers that are no longer configured."""
        left = set(receivers)
        for one in self.waiting:
            one.to &= left
        self.waiting = [one for one in self.waiting if one.to]
        kept: dict[str, Any]
        for kept in (self.lost, self.failing, self.letters, self.missing):
            for receiver in kept.keys() - left:
                del kept[receiver]

    def _keep(self, receiver: str, letter: Letter | None, run_ids: tuple[str, ...] = ()) -> None:
        """Replace the kept letter with the same reports; None removes it."""
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
    """The number of reports that have not reached all receivers: those that wait, and those given up."""
    box = _counted(folder)
    missing = {one.run_id for found in box.missing.values() for one in found}
    return len(box.waiting) + len(missing) + max(box.lost.values(), default=0)


def is_waiting(folder: Path) -> bool:
    """Whether any report waits to be delivered."""
    return bool(_counted(folder).waiting)


class _Counted(msgspec.Struct):
    """The part of the outbox that is needed to count reports."""

    waiting: list[msgspec.Raw] = []
    missing: dict[str, list[Missing]] = {}
    lost: dict[str, int] = {}


def _counted(folder: Path) -> _Counted:
    try:
        return msgspec.json.decode(files.read(folder / FILE, files.LARGE), type=_Counted)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Counted()


class Claims:
    """Which runs are in flight to which receiver, so that no two threads or processes send the same at once.

    One process sends at a time; within it, the thread that takes a letter has it until it releases its claims.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._mine: list[tuple[str, str]] = []

    def enter(self) -> bool:
        """Begin to send. Returns False if another process is sending: it will find what was put into the outbox."""
        with _guard:
            if self._path not in _senders:
                try:
                    handle = files.open_regular(self._path.with_suffix(".sending"), os.O_RDWR | os.O_CREAT)
                except OSError:
                    return True  # without a lock a message may be sent twice, which is better than none
                if not wait_for_lock(handle, _LONGEST_WAIT):
                    os.close(handle)
                    return False
                _senders[self._path] = [handle, 0]
            _senders[self._path][1] += 1
        return True

    def of(self, receiver: str) -> set[str]:
        """The runs that are in flight to a receiver."""
        return {run_id for one, run_id in _claimed.get(self._path, ()) if one == receiver}

    def take(self, receiver: str, letters: Iterable[Letter]) -> None:
        """Claim letters: they are in flight from now on."""
        new = [(receiver, run_id) for letter in letters for run_id in letter.run_ids]
        self._mine += new
        _claimed.setdefault(self._path, set()).update(new)

    def give_back(self, receiver: str, letter: Letter) -> None:
        """Release one letter; its reports may be sent in others."""
        runs = [(receiver, run_id) for run_id in letter.run_ids]
        self._mine = [one for one in self._mine if one not in runs]
        _claimed.get(self._path, set()).difference_update(runs)

    def leave(self) -> None:
        """Release everything that was taken here."""
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
"""For each outbox the descriptor of this process's lock, and how many threads hold it."""


class Keeper:
    """The outbox of a state folder. `trouble` is why the last write failed, if it did."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.trouble: Problem | None = None

    @contextmanager
    def changing(self) -> Iterator[Outbox]:
        """Yield the outbox to be changed, and save it afterwards. Hold it for moments, never while sending.

        Nothing is raised if it cannot be saved: it is then kept in memory, so that a full disk neither holds a report
        back nor makes the same problem be reported every half hour.
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
            # The worst consequence is that problems are reported twice.
            _log.warning("notifications.not_read", path=str(self._path), why=str(error))
            with suppress(OSError):
                files.set_aside(self._path, "damaged")
            return Outbox()


_unwritten: dict[Path, Outbox] = {}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock out other threads and processes. Without a lock a message may be sent twice, which is better than none."""
    try:
        handle = files.open_regular(path, os.O_RDWR | os.O_CREAT)
    except OSError:
        yield
        return
    try:
        wait_for_lock(handle, _LONGEST_WAIT)
        yield
    finally:
        os.close(handle)


def _not_written(path: Path, error: OSError) -> Problem:
    return Problem(
        source="state",
        what=f"What was told, and what has not arrived, cannot be written to {str(path)!r}: {error.strerror}.",
        remedy="Free some space or correct the rights of STATE_DIR; until then things may be told twice.",
        severity="warning",
    )
