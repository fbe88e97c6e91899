"""Load, query, record and save the state.

What happens is appended to a journal as it happens; the snapshot is written at the end of a run. Loading is the newest
good snapshot plus the journal's lines that it does not hold yet, so that a checkpoint costs what it adds.

Why: docs/decisions/0004-journal.md
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, assert_never

import msgspec
import structlog

from kometa_ai.__version__ import __version__
from kometa_ai.core.decision import Memory, Remembered
from kometa_ai.core.item import ItemKey, kind_of
from kometa_ai.errors import RepairState
from kometa_ai.state import files
from kometa_ai.state.loading import JOURNAL, SNAPSHOT, Found, fresh, journals, read
from kometa_ai.state.schema import (
    CHANGES_KEPT,
    CHOICES,
    ERRORS_KEPT,
    FORMAT_VERSION,
    PROMPTS_KEPT,
    RUNS_KEPT,
    BatchDropped,
    BatchEntry,
    BatchNamed,
    BatchPlanned,
    BatchTaken,
    CollectionForgotten,
    Described,
    Entry,
    ErrorMet,
    Judged,
    LeftUnjudged,
    LibraryRead,
    Line,
    MoneySpent,
    Pinned,
    PromptSeen,
    Released,
    RunEnded,
    RunWaits,
    Snapshot,
    StatusChanged,
    Tagged,
)
from kometa_ai.state.upgrades import note_due, tell_due
from kometa_ai.state.waiting import with_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kometa_ai.core.problem import Problem

__all__ = ["GRACE", "JOURNAL", "JOURNAL_LIMIT", "SNAPSHOT", "WAITS", "Store", "reset"]

GRACE = timedelta(days=30)
"""A movie that has left the library is remembered this long."""

JOURNAL_LIMIT = 64 << 20
"""Bytes of journal after which a snapshot is taken in the middle of a run, so that loading stays quick."""

WAITS = (0.1, 0.2, 0.4)
"""Seconds between the tries to write; short, since the run stands still meanwhile."""

_log = structlog.get_logger()
T = TypeVar("T")
_ENCODER = msgspec.json.Encoder()
_LINE = msgspec.json.Decoder(Line)
_DECISIONS = b'"decisions":{'
"""The last field of a snapshot, and empty in the one that is kept apart from the movies."""


class Seen(NamedTuple):
    """The items that the libraries hold, and the kinds of which every library was read."""

    items: frozenset[ItemKey] = frozenset()
    whole: frozenset[str] = frozenset()


class Store:
    """The state of one folder. `alerts` tells what was wrong with it when it was loaded.

    It `is_new` if there was nothing when it was loaded: no state that was reset, and no backup.
    """

    def __init__(
        self,
        folder: Path,
        *,
        read_only: bool = False,
        journal_limit: int = JOURNAL_LIMIT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.folder = folder
        self.path = folder / SNAPSHOT
        self.journal_path = folder / JOURNAL
        self.alerts: list[Problem] = []
        self.is_new = False
        self._read_only = read_only
        self._journal_limit = journal_limit
        self._sleep = sleep
        self._guard = threading.RLock()
        self._is_fenced = False
        # After a failure each write gets one try until one succeeds, so that a full disk does not cost a second a line.
        self._doubtful = False
        self._unwritten: list[bytes] = []
        self._state = fresh()
        self._movies: dict[ItemKey, Remembered] = {}

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        read_only: bool = False,
        journal_limit: int = JOURNAL_LIMIT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Store:
        """Read a folder's state; an empty folder is a fresh one.

        A caller without the folder's lock loads it `read_only`: then nothing is repaired or written, and what is
        recorded lives in memory alone.

        A damaged snapshot is set aside and the newest good backup takes its place. A state of an older format is
        written in the present one, and the snapshot as it was becomes the newest backup. Raise RepairState where the
        state is newer than this program, or cannot be read at all; then nothing was touched.
        """
        store = cls(folder, read_only=read_only, journal_limit=journal_limit, sleep=sleep)
        try:
            found = read(folder)
            if not read_only:
                store._mend(found)
        except OSError as error:
            raise RepairState(
                f"The state {str(store.path)!r} cannot be read: {error.strerror}.", files.remedy_for(error)
            ) from error
        store._take_over(found)
        if read_only:
            return store
        if found.migrated:
            store._note_upgrade()
            # At once, so that no older program reads the new lines of the journal as damaged ones.
            store.save(datetime.now(UTC).replace(microsecond=0))
            _log.info("state.migrated", format=FORMAT_VERSION)
        tell_due(folder)
        return store

    @classmethod
    def beginning_with(cls, snapshot: Snapshot) -> Store:
        """A store in memory alone, for those who have read a snapshot and apply the journal's entries to it."""
        store = cls(Path(), read_only=True)
        store._state = snapshot
        return store

    # Queries

    @property
    def memory(self) -> Memory:
        """What is remembered of each movie."""
        return self._movies

    @property
    def state(self) -> Snapshot:
        """Everything but the decisions."""
        return self._state

    def dump(self) -> bytes:
        """The state as JSON, journal included."""
        return msgspec.json.format(b"".join(self._pieces()), indent=2)

    # Recording

    def fence(self) -> bool:
        """Write nothing any more, since others may write to the folder from now on. For another thread.

        Return False where something is being written at this moment.
        """
        if not self._guard.acquire(blocking=False):
            return False
        self._is_fenced = True
        self._guard.release()
        return True

    def record(self, *entries: Entry) -> None:
        """Remember something now: in memory, and on the disk before this returns.

        Raise RepairState where it cannot be written; what was recorded is kept in memory all the same.
        """
        with self._writing():
            self._record(entries)

    def _record(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._state.journal_entry += 1
            # Written down before it is applied: applying joins a described movie to its decisions.
            line, sane = _written(self._state.journal_entry, entry)
            self._unwritten.append(line)
            self._apply(sane)
        if self._read_only:
            self._unwritten.clear()
        if not self._unwritten:
            return
        try:
            size = self._patiently(lambda: files.append(self.journal_path, b"".join(self._unwritten)))
        except OSError as error:
            # The lines wait for the next try, so that the journal has no gap.
            raise RepairState(
                f"The journal {str(self.journal_path)!r} cannot be written: {error.strerror}.",
                f"{files.remedy_for(error)} What was learned in this run may be asked again.",
            ) from error
        self._unwritten.clear()
        if size > self._journal_limit:
            self._shorten_journal(size)

    def require_room(self) -> None:
        """Raise RepairState where the folder has no room for what will be learned, tried with a small file."""
        if self._read_only:
            return
        error = files.hindrance(self.folder)
        if error is not None:
            raise RepairState(
                f"The state in {str(self.folder)!r} cannot grow: {error.strerror}.",
                f"{files.remedy_for(error)} Nothing was asked, since the answers could not be kept.",
            ) from error

    def note_seen(self, seen: Seen, now: datetime) -> None:
        """Note which items the libraries hold; it lasts with the next snapshot.

        Items of the `whole` kinds that have been away for longer than the grace are forgotten; of other kinds it is not
        known what is away. No items at all are no library.
        """
        today = now.date()
        if not seen.items:
            return
        for key, movie in list(self._movies.items()):
            if key in seen.items:
                movie.last_seen, movie.gone_since = today, None
            elif kind_of(key) not in seen.whole:
                continue
            elif movie.gone_since is None:
                # Counted from the first look without it, not from the last with it: we may have been off for months.
                movie.gone_since = today
            elif today - movie.gone_since > GRACE:
                del self._movies[key]

    def save(self, now: datetime) -> None:
        """Write the snapshot, keep the one before it as a backup, and begin a new journal.

        Raise RepairState where it cannot be written; the one before and the journal are as they were then.
        """
        with self._writing():
            self._save(now)

    def _save(self, now: datetime) -> None:
        self._state.last_update = now.astimezone(UTC)
        self._state.version = __version__
        if self._read_only:
            return
        try:
            self._patiently(lambda: files.replace(self.path, self._pieces(), keep=True))
            # Lines that the snapshot holds are skipped by their number, should this be cut short here.
            self._patiently(self._begin_journal)
        except OSError as error:
            raise RepairState(
                f"The state {str(self.path)!r} cannot be written: {error.strerror}.",
                f"{files.remedy_for(error)} Nothing is lost: the journal holds what is new.",
            ) from error
        self._unwritten.clear()

    # Inside

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._guard:
            if self._is_fenced:
                raise RepairState("This run was left behind: it keeps nothing any more.", "Look at the next run.")
            yield

    def _pieces(self) -> Iterator[bytes]:
        """The snapshot as JSON, an item a line: as a whole it would take the memory of everything once more.

        `state.by_line` depends on that: the first line is everything but the items and ends where they begin, each
        further one is an item with its key, and the last one ends the snapshot, too.
        """
        before, decisions, after = _ENCODER.encode(self._state).rpartition(_DECISIONS)
        yield before + decisions
        comma = b""
        for key, movie in self._movies.items():
            yield b'%s\n"%s":' % (comma, key.encode())
            yield _ENCODER.encode(movie)
            comma = b","
        yield after

    def _begin_journal(self) -> None:
        present, before = journals(self.folder)
        if os.path.lexists(present):
            present.replace(before)

    def _shorten_journal(self, size: int) -> None:
        try:
            self.save(datetime.now(UTC).replace(microsecond=0))
        except RepairState as error:
            self._journal_limit = 2 * size
            _log.warning("state.snapshot_failed", why=error.message)

    def _patiently(self, write: Callable[[], T]) -> T:
        for wait in () if self._doubtful else WAITS:
            try:
                return write()
            except OSError as error:
                _log.warning("state.write_failed", why=str(error), seconds=wait)
                self._sleep(wait)
        self._doubtful = True
        done = write()
        self._doubtful = False
        return done

    def _mend(self, found: Found) -> None:
        """Set aside what is damaged, and leave a journal that can be added to."""
        when = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        if found.damaged is not None:
            files.set_aside(found.damaged, f"damaged-{when}")
        if found.foreign:
            files.set_aside(self.journal_path, f"older-{when}")
        elif found.spoilt or found.older:
            if found.spoilt:
                damaged = files.read(self.journal_path, files.LARGE)
                files.replace(self.journal_path.with_name(f"{JOURNAL}.damaged-{when}"), damaged)
            # All of it in one, since the next snapshot begins a new one and keeps only this.
            files.replace(self.journal_path, b"".join(_ENCODER.encode(line) + b"\n" for line in found.lines))
        elif found.torn:
            files.cut(self.journal_path, found.whole)

    def _note_upgrade(self) -> None:
        try:
            self._patiently(lambda: note_due(self.folder, self._state.version))
        except OSError as error:
            raise RepairState(
                f"The state {str(self.path)!r} cannot be brought to the present format: {error.strerror}.",
                files.remedy_for(error),
            ) from error

    def _take_over(self, found: Found) -> None:
        self._state = found.snapshot
        self._state.state_format_version = FORMAT_VERSION
        self._movies, self._state.decisions = self._state.decisions, {}
        for line in found.lines:
            self._apply(line.data)
            self._state.journal_entry = max(self._state.journal_entry, line.n)
        if os.path.lexists(self.folder / CHOICES):
            self._state.pins.clear()  # they have moved there
        self.alerts = found.alerts
        self.is_new = found.is_nothing
        for alert in found.alerts:
            # Who writes the state reports them, and a report's problems are logged.
            (_log.warning if self._read_only else _log.info)("state.alert", what=alert.what)

    def _apply(self, entry: Entry) -> None:
        state = self._state
        match entry:
            case Judged() | LeftUnjudged():
                self._apply_answer(entry)
            case Described():
                known = self._movies.get(entry.key)
                if known is not None:
                    entry.movie.collections, entry.movie.unjudged = known.collections, known.unjudged
                self._movies[entry.key] = entry.movie
            case StatusChanged() | CollectionForgotten() | PromptSeen():
                self._apply_collection(entry)
            case LibraryRead():
                state.libraries[entry.name] = entry.library
            case Tagged() | ErrorMet() | RunEnded() | MoneySpent():
                self._apply_event(entry)
            case Pinned() | Released():
                self._apply_pin(entry)
            case BatchPlanned() | BatchNamed() | BatchTaken() | BatchDropped() | RunWaits():
                self._apply_batch(entry)
            case _:
                assert_never(entry)

    def _apply_collection(self, entry: StatusChanged | CollectionForgotten | PromptSeen) -> None:
        state, key = self._state, entry.collection
        match entry:
            case StatusChanged():
                state.collections[key] = entry.status
            case CollectionForgotten():
                state.collections.pop(key, None)
                state.prompts.pop(key, None)
            case PromptSeen():
                versions = [each for each in state.prompts.get(key, []) if each != entry.prompt]
                # By time, so that a line which is read twice comes to the same place.
                state.prompts[key] = sorted([*versions, entry.prompt], key=lambda each: each.at)[-PROMPTS_KEPT:]

    def _apply_answer(self, entry: Judged | LeftUnjudged) -> None:
        movie = self._movie(entry.key)
        if isinstance(entry, Judged):
            movie.collections[entry.slug] = entry.decision
            movie.unjudged.pop(entry.slug, None)
        else:
            movie.unjudged[entry.slug] = entry.unjudged

    def _apply_event(self, entry: Tagged | ErrorMet | RunEnded | MoneySpent) -> None:
        """Add to what is counted and listed, unless it is there: a line may be read twice."""
        state = self._state
        match entry:
            case Tagged():
                if entry.change not in state.tag_changes:
                    state.tag_changes = [*state.tag_changes, entry.change][-CHANGES_KEPT:]
            case ErrorMet():
                if entry.error not in state.errors.last:
                    kind = entry.error.source or "other"
                    state.errors.counters[kind] = state.errors.counters.get(kind, 0) + 1
                    state.errors.last = [*state.errors.last, entry.error][-ERRORS_KEPT:]
            case RunEnded():
                others = [run for run in state.runs if run.run_id != entry.run.run_id]
                if len(others) < len(state.runs) and state.last_successful_run == entry.run.finished:
                    # It is told again: what it has done could not be saved.
                    good = [run.finished for run in others if run.is_success_of_everything]
                    state.last_successful_run = max(good, default=None)
                state.runs = [*others, entry.run][-RUNS_KEPT:]
                if entry.run.is_success_of_everything:
                    state.last_successful_run = entry.run.finished
            case MoneySpent():
                state.spending[entry.spending.month] = entry.spending

    def _apply_batch(self, entry: BatchEntry | RunWaits) -> None:
        if isinstance(entry, RunWaits):
            self._state.waiting = entry.options or msgspec.UNSET
        else:
            self._state.batches = with_entry(self._state.batches, entry)

    def _movie(self, key: ItemKey) -> Remembered:
        if key not in self._movies:
            self._movies[key] = Remembered()
        return self._movies[key]

    def _apply_pin(self, entry: Pinned | Released) -> None:
        if isinstance(entry, Released):
            self._release(entry.key, entry.slug)
            return
        self._release(entry.pin.key, entry.pin.slug)
        self._state.pins.append(entry.pin)

    def _release(self, key: ItemKey, slug: str) -> None:
        self._state.pins = [pin for pin in self._state.pins if (pin.key, pin.slug) != (key, slug)]


def reset(folder: Path, now: datetime) -> Path | None:
    """Start fresh, whatever is there: a damaged or newer state too. Return where the old one is kept.

    Its backups and journals are set aside with it: they must neither restore it nor mix with what comes.
    """
    path = folder / SNAPSHOT
    try:
        # The snapshot last: until then the old state is the state, whenever this is cut short.
        kept = [
            files.set_aside(place, f"reset-{now:%Y%m%dT%H%M%S}")
            for place in (*files.backups(path), *journals(folder), path)
            if os.path.lexists(place)
        ]
        files.replace(path, _ENCODER.encode(msgspec.structs.replace(fresh(), last_update=now.astimezone(UTC))))
    except OSError as error:
        raise RepairState(
            f"The state in {str(folder)!r} cannot be written: {error.strerror}.", files.remedy_for(error)
        ) from error
    return kept[-1] if kept else None


def _written(number: int, entry: Entry) -> tuple[bytes, Entry]:
    """A line of the journal, and the entry as it will be read back."""
    line = Line(n=number, format=FORMAT_VERSION, data=entry)
    try:
        return _ENCODER.encode(line) + b"\n", entry
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can carry and UTF-8 cannot: one odd reason must not end a run.
        text = json.dumps(msgspec.to_builtins(line), ensure_ascii=False).encode("utf-8", "replace")
        line = _LINE.decode(text)
        return _ENCODER.encode(line) + b"\n", line.data
