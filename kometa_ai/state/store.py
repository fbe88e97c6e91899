"""Load, query, record and save the state.

What happens is appended to a journal as it happens; the snapshot is written at the end of a run. Loading is the newest
good snapshot plus the journal's lines that it does not hold yet, so that a checkpoint costs what it adds.
"""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

import msgspec
import structlog

from kometa_ai.__version__ import __version__
from kometa_ai.core.decision import Memory, Remembered
from kometa_ai.core.movie import TmdbId
from kometa_ai.core.problem import Problem
from kometa_ai.errors import RepairState
from kometa_ai.state import files
from kometa_ai.state.schema import (
    CHANGES_KEPT,
    ERRORS_KEPT,
    FORMAT_VERSION,
    RUNS_KEPT,
    CollectionForgotten,
    Described,
    Entry,
    ErrorMet,
    Judged,
    LibraryRead,
    Line,
    Pinned,
    Released,
    RunEnded,
    Snapshot,
    StatusChanged,
    Tagged,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SNAPSHOT = "kometa_state.json"
JOURNAL = "kometa_state.journal"
GRACE = timedelta(days=30)
"""A movie that has left the library is remembered this long."""

_log = structlog.get_logger()
_ENCODER = msgspec.json.Encoder(order=None)
_KEY = re.compile(r"movie:\d+")
_SNAPSHOT = msgspec.json.Decoder(Snapshot)
_LINE = msgspec.json.Decoder(Line)


class _Version(msgspec.Struct):
    state_format_version: int


class Store:
    """The state of one folder. `alerts` tells what was wrong with it when it was loaded."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._read_only = read_only
        self.folder = folder
        self.path = folder / SNAPSHOT
        self.journal_path = folder / JOURNAL
        self.alerts: list[Problem] = []
        self._state = Snapshot(version=__version__)
        self._movies: dict[TmdbId, Remembered] = {}

    @classmethod
    def load(cls, folder: Path, *, read_only: bool = False) -> Store:
        """Read a folder's state; an empty folder is a fresh one.

        Whoever does not hold the folder's lock loads it `read_only`: then nothing is mended or written, and what is
        recorded lives in memory alone.

        A damaged snapshot is set aside and the newest good backup takes its place. Raise RepairState where the state
        is newer than this program, or cannot be read at all.
        """
        store = cls(folder, read_only=read_only)
        try:
            store._state = store._newest_good()
            store._movies = {_number(key): movie for key, movie in store._state.decisions.items()}
            store._state.decisions = {}
            store._state.state_format_version = FORMAT_VERSION
            for line in store._journal_lines():
                store._apply(line.data)
                store._state.journal_entry = line.n
        except OSError as error:
            raise RepairState(
                f"The state {str(store.path)!r} cannot be read: {error.strerror}.", "Check STATE_DIR and its rights."
            ) from error
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
        return msgspec.json.format(_ENCODER.encode(self._snapshot()), indent=2)

    # Recording

    def record(self, *entries: Entry) -> None:
        """Remember something now: in memory, and on the disk before this returns.

        Raise RepairState where it cannot be written; what was recorded is kept in memory all the same.
        """
        lines = []
        for entry in entries:
            self._state.journal_entry += 1
            # Written down before it is applied: applying joins a described movie to its decisions.
            lines.append(_ENCODER.encode(Line(n=self._state.journal_entry, data=entry)))
            self._apply(entry)
        if not lines or self._read_only:
            return
        try:
            files.append(self.journal_path, b"\n".join(lines) + b"\n")
        except OSError as error:
            raise RepairState(
                f"The journal {str(self.journal_path)!r} cannot be written: {error.strerror}.",
                "Free some space or mend the rights of STATE_DIR; what was learned in this run may be asked again.",
            ) from error

    def seen(self, movies: Iterable[TmdbId], now: datetime) -> None:
        """Note that these movies are in the library; it lasts with the next snapshot."""
        today = now.date()
        for tmdb_id in movies:
            if (movie := self._movies.get(tmdb_id)) is not None:
                movie.last_seen = today

    def save(self, now: datetime) -> None:
        """Write the snapshot, keep the one before it as a backup, and begin a new journal."""
        self._state.last_update = now
        self._state.version = __version__
        self._forget_departed(now)
        try:
            content = _ENCODER.encode(self._snapshot())
            files.replace(self.path, content, keep=True)
            # Lines that the snapshot holds are skipped by their number, should this be cut short here.
            self.journal_path.unlink(missing_ok=True)
        except OSError as error:
            raise RepairState(
                f"The state {str(self.path)!r} cannot be written: {error.strerror}.",
                "Free some space or mend the rights of STATE_DIR. Nothing is lost: the journal holds what is new.",
            ) from error

    # Inside

    def _snapshot(self) -> Snapshot:
        decisions = {f"movie:{tmdb_id}": movie for tmdb_id, movie in self._movies.items()}
        return msgspec.structs.replace(self._state, decisions=decisions)

    def _forget_departed(self, now: datetime) -> None:
        oldest = (now - GRACE).date()
        departed = [
            tmdb_id
            for tmdb_id, movie in self._movies.items()
            if movie.last_seen is not None and movie.last_seen < oldest
        ]
        for tmdb_id in departed:
            del self._movies[tmdb_id]

    def _apply(self, entry: Entry) -> None:  # noqa: C901 - one flat case for each kind of line
        state = self._state
        match entry:
            case Judged():
                self._movie(entry.tmdb_id).collections[entry.slug] = entry.decision
            case Described():
                known = self._movies.get(entry.tmdb_id)
                entry.movie.collections = known.collections if known else {}
                self._movies[entry.tmdb_id] = entry.movie
            case StatusChanged():
                state.collections[entry.slug] = entry.status
            case CollectionForgotten():
                state.collections.pop(entry.slug, None)
            case Tagged():
                state.tag_changes = [*state.tag_changes, entry.change][-CHANGES_KEPT:]
            case LibraryRead():
                state.library = entry.library
            case ErrorMet():
                kind = entry.error.source or "other"
                state.errors.counters[kind] = state.errors.counters.get(kind, 0) + 1
                state.errors.last = [*state.errors.last, entry.error][-ERRORS_KEPT:]
            case RunEnded():
                state.runs = [*state.runs, entry.run][-RUNS_KEPT:]
                if entry.run.exit_code == 0 and not entry.run.dry_run:
                    state.last_successful_run = entry.run.finished
            case Pinned():
                self._release(entry.pin.tmdb_id, entry.pin.slug)
                state.pins.append(entry.pin)
            case Released():
                self._release(entry.tmdb_id, entry.slug)
            case _:
                assert_never(entry)

    def _movie(self, tmdb_id: TmdbId) -> Remembered:
        if tmdb_id not in self._movies:
            self._movies[tmdb_id] = Remembered()
        return self._movies[tmdb_id]

    def _release(self, tmdb_id: int, slug: str) -> None:
        self._state.pins = [pin for pin in self._state.pins if (pin.tmdb_id, pin.slug) != (tmdb_id, slug)]

    def _newest_good(self) -> Snapshot:
        damaged = ""
        for place in (self.path, *files.backups(self.path)):
            if not place.exists():
                continue
            try:
                snapshot = _read(place)
            except msgspec.MsgspecError as error:
                damaged = damaged or f"{place.name} is damaged ({error})"
                if place == self.path:
                    self._set_aside(place)
                continue
            if place != self.path:
                self._alert(f"{damaged or f'{self.path.name} is missing'}; restored from {place.name}.")
            return snapshot
        if damaged:
            self._alert(f"{damaged} and there is no good backup: starting with an empty state.")
        return Snapshot(version=__version__)

    def _set_aside(self, place: Path) -> None:
        if self._read_only:
            return
        with contextlib.suppress(OSError):
            place.replace(place.with_name(f"{place.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"))

    def _alert(self, what: str) -> None:
        _log.warning("state.alert", what=what)
        self.alerts.append(
            Problem(what=what, remedy="Look at STATE_DIR; the damaged file is kept there.", source="state")
        )

    def _journal_lines(self) -> Iterator[Line]:
        if not self.journal_path.exists():
            return
        last = self._state.journal_entry
        raw = self.journal_path.read_bytes()
        if raw and not raw.endswith(b"\n"):
            # A power cut tore the last line: what it said was never confirmed. Cut it off, or the next would join it.
            raw = raw[: raw.rfind(b"\n") + 1]
            if not self._read_only:
                self._truncate_journal(len(raw))
        yield from _lines_after(last, raw.splitlines(), self._alert)

    def _truncate_journal(self, length: int) -> None:
        with contextlib.suppress(OSError), self.journal_path.open("r+b") as file:
            file.truncate(length)


def reset(folder: Path, now: datetime) -> Path | None:
    """Start fresh, whatever is there: a damaged or newer state too. Return where the old one is kept."""
    kept = folder / f"{SNAPSHOT}.reset-{now:%Y%m%dT%H%M%S}"
    try:
        had_state = (folder / SNAPSHOT).exists()
        if had_state:
            (folder / SNAPSHOT).replace(kept)
        if (folder / JOURNAL).exists():
            (folder / JOURNAL).replace(folder / f"{JOURNAL}.reset-{now:%Y%m%dT%H%M%S}")
        # An empty snapshot, not none: where it is missing, loading restores a backup.
        files.replace(folder / SNAPSHOT, _ENCODER.encode(Snapshot(version=__version__, last_update=now)))
    except OSError as error:
        raise RepairState(
            f"The state in {str(folder)!r} cannot be written: {error.strerror}.", "Check STATE_DIR and its rights."
        ) from error
    return kept if had_state else None


def _lines_after(last: int, raw: Iterable[bytes], alert: Callable[[str], None]) -> Iterator[Line]:
    bad = 0
    for text in raw:
        try:
            line = _LINE.decode(text)
        except msgspec.MsgspecError:
            bad += 1
            continue
        if line.n > last:
            yield line
    if bad:
        alert(f"{bad} lines of the journal are damaged and were passed over.")


def _read(place: Path) -> Snapshot:
    content = place.read_bytes()
    found = msgspec.json.decode(content, type=_Version).state_format_version
    if found > FORMAT_VERSION:
        raise RepairState(
            f"The state {str(place)!r} has format {found}, this program knows {FORMAT_VERSION}.",
            "Start the newer version of Kometa-AI again, or keep the file elsewhere and start fresh.",
        )
    snapshot = _SNAPSHOT.decode(content)
    if not all(_KEY.fullmatch(key) for key in snapshot.decisions):
        raise msgspec.ValidationError("decisions must be keyed movie:<TMDb id>")
    return snapshot


def _number(key: str) -> TmdbId:
    return TmdbId(int(key.removeprefix("movie:")))
