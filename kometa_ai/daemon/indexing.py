"""Keep the index up to date: make it in a thread when a request finds that a source has changed, one at a time."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import structlog

from kometa_ai.core.collection import Folder
from kometa_ai.daemon import past, shelves
from kometa_ai.daemon.columns import columns_of
from kometa_ai.daemon.index import Index
from kometa_ai.daemon.past import Past
from kometa_ai.daemon.shelves import Shelves
from kometa_ai.daemon.standing import Sources
from kometa_ai.errors import FixConfiguration, KometaAIError, RepairState
from kometa_ai.jobs.aside import DoesNotAnswer, Patience
from kometa_ai.kometa.files import stamps_of
from kometa_ai.observe import process
from kometa_ai.state import by_line, files
from kometa_ai.state.loading import SNAPSHOT, stamp
from kometa_ai.state.schema import CHOICES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.daemon.columns import Columns
    from kometa_ai.jobs.session import Session
    from kometa_ai.state.by_line import Stamp

FIRST = 5.0
"""Seconds that a request waits for the first index."""
REST = 5.0
"""After an index was made, no other is for so many times the seconds that it took: during a run the state changes all
the time."""
_REST_OF_FOLDER = 50.0
"""The same for looking whether a file of Kometa's folder has changed, which may hold tens of thousands of others."""
_MAKING = 600.0
_LOOKING = 10.0

_log = structlog.get_logger()
_T = TypeVar("_T")


class BeingPrepared(DoesNotAnswer):
    """The first index is not there yet."""


class Soon(NamedTuple):
    """The index that is there by a time, None where there is none; and whether a newer one is being made."""

    found: Index | None
    is_outdated: bool


class _Stamps(NamedTuple):
    """What differs once a source has changed."""

    state: object
    choices: object
    runs: object
    folder: object


class _Parts(NamedTuple):
    """What an index was made of, so that the next one reads only what has changed."""

    stamps: _Stamps
    columns: Columns
    shelves: Shelves
    folder: Folder
    past: Past


class Indexer:
    """Makes the index of a session's state, and makes it anew when a request finds it outdated.

    Nothing is made before the first request. While a new one is made, requests get the old one. `failure` is why the
    last one could not be made; None if it could.
    """

    def __init__(self, session: Session, *, first: float = FIRST, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._folder = session.settings.state_dir
        self._first = first
        self._clock = clock
        self._index: Index | None = None
        self._parts: _Parts | None = None
        self._task: asyncio.Task[None] | None = None
        self.failure: KometaAIError | None = None
        self._bad_snapshot: tuple[Stamp, RepairState] | None = None
        self._rested_at = 0.0
        self._folder_stamps: object = None
        self._folder_rests_until = 0.0
        self._makes = Patience("STATE_DIR", seconds=_MAKING)
        self._looks = Patience("STATE_DIR", seconds=_LOOKING, most=4)

    async def index(self) -> Index:
        """The present index; it may lag behind by seconds.

        Raise BeingPrepared while the first one takes long, and RepairState or another KometaAIError where there is none
        and none can be made.
        """
        if self._index is None:
            return await self._get_first()
        if self._task is None and self._clock() >= self._rested_at and await self._looks(self._is_outdated):
            self._begin()
        return self._index

    def failure_of(self, snapshot: Stamp) -> RepairState | None:
        """Why a snapshot cannot be read, if it was tried: its items may be damaged while its beginning is good."""
        return self._bad_snapshot[1] if self._bad_snapshot and self._bad_snapshot[0] == snapshot else None

    async def at_hand(self) -> Index | None:
        """The present index, without waiting; None while the first one is being made, or where none can be made."""
        if self._index is None:
            if self._task is None and self._clock() >= self._rested_at:
                self._begin()
            return None
        return await self.index()

    async def soon(self, seconds: float) -> Soon:
        """The index for a page that waits so long for one that holds everything, and then takes what there is."""
        if self._index is None and self._task is None and self._clock() < self._rested_at:
            return Soon(None, is_outdated=False)
        try:
            async with asyncio.timeout(seconds):
                return Soon(await self._waited_for(self._is_outdated), is_outdated=False)
        except TimeoutError:
            return Soon(self._index, is_outdated=True)
        except KometaAIError:
            return Soon(self._index, is_outdated=False)

    async def newest(self) -> Index:
        """An index that holds everything that was there when this was called. It may take seconds."""
        self._folder_rests_until = 0.0
        return await self._waited_for(self._is_outdated)

    async def judged(self) -> Index:
        """An index that holds every verdict and prompt that was there when this was called; choices may be newer.

        While a run is on it may take seconds, and else no time.
        """
        self._folder_rests_until = 0.0
        return await self._waited_for(self._lacks_verdicts)

    async def _waited_for(self, is_outdated: Callable[[], bool]) -> Index:
        while self._task is not None:
            await asyncio.wait([self._task])
        if self._index is None or await self._looks(is_outdated):
            if self._task is None:
                self._begin()
            await self._get_first(patience=_MAKING)
        return self._index or await self._get_first()

    async def ask(self, question: Callable[[Index], _T], *, judged: bool = False) -> _T:
        """Ask the present index in a thread, since it may read the disk; or the one that `judged` gives."""
        index = await (self.judged() if judged else self.index())
        return await self._looks(question, index)

    def close(self) -> None:
        """Make no index any more."""
        if self._task is not None:
            self._task.cancel()

    async def _get_first(self, patience: float | None = None) -> Index:
        task = self._task or self._begin()
        done, _ = await asyncio.wait([task], timeout=self._first if patience is None else patience)
        if not done:
            raise BeingPrepared(
                "The overview of collections and items is being prepared.", "Ask again in a few seconds."
            )
        task.result()
        if self._index is None:
            raise BeingPrepared("The overview of collections and items was not prepared.", "Ask again.")
        return self._index

    def _begin(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._make_anew())
        self._task.add_done_callback(self._end)
        return self._task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        self.failure = error if isinstance(error, KometaAIError) else None
        if error is not None:
            why = error.message if isinstance(error, KometaAIError) else f"{type(error).__name__}: {error}"
            _log.warning("index.not_made", why=why)

    async def _make_anew(self) -> None:
        started = self._clock()
        try:
            self._parts, self._index = await self._makes(self._make)
        finally:
            # Also after a failure: what is damaged is not read again with each request.
            self._rested_at = self._clock() + REST * (self._clock() - started)

    # In threads

    def _make(self) -> tuple[_Parts, Index]:
        try:
            return self._made()
        except OSError as error:
            raise RepairState(
                f"The state in {str(self._folder)!r} cannot be read: {error.strerror}.", files.remedy_for(error)
            ) from error

    def _made(self) -> tuple[_Parts, Index]:
        before, stamps, settings = self._parts, self._stamps(), self._session.settings
        if before is not None and before.stamps.state == stamps.state:
            columns, held = before.columns, before.shelves
        else:
            columns = self._columns()
            held = Shelves(self._folder, settings.libraries, columns)
            columns.close()
        is_same_folder = before is not None and before.stamps.folder == stamps.folder
        folder = before.folder if before is not None and is_same_folder else self._read_folder()
        changes = Past(self._folder, before.past if before else None)
        is_moved = os.path.lexists(self._folder / CHOICES)
        pins = self._session.choices.read().pins if is_moved else tuple(columns.head.pins)
        sources = Sources(columns, held, folder, pins, self._session.rules, settings.libraries, self._session.now())
        made = _Parts(stamps, columns, held, folder, changes), Index(sources, changes)
        process.trim()  # without a collection, for which the event loop would wait
        return made

    def _columns(self) -> Columns:
        snapshot = stamp(self._folder / SNAPSHOT)
        try:
            return columns_of(self._folder)
        except RepairState as error:
            self._bad_snapshot = (snapshot, error)
            raise

    def _read_folder(self) -> Folder:
        try:
            return self._session.read_folder(self._session.settings.config_dir)
        except FixConfiguration as error:
            return Folder(unreadable_files=(".",), problems=error.problems)

    def _is_outdated(self) -> bool:
        return self._differs(lambda now, known: now != known)

    def _lacks_verdicts(self) -> bool:
        return self._differs(lambda now, known: (now.state, now.folder) != (known.state, known.folder))

    def _differs(self, is_new: Callable[[_Stamps, _Stamps], bool]) -> bool:
        if self._parts is None:
            return True
        if not os.path.isdir(self._folder):  # noqa: PTH112 - which raises no OSError
            return False  # a disk that is away says nothing of what was on it
        try:
            return is_new(self._stamps(), self._parts.stamps)
        except OSError as error:  # what cannot be looked at cannot be read either
            _log.debug("index.not_looked", why=str(error))
            return False

    def _stamps(self) -> _Stamps:
        settings = self._session.settings
        return _Stamps(
            state=(by_line.stamps_of(self._folder), shelves.stamps_of(self._folder, settings.libraries)),
            choices=stamp(self._folder / CHOICES),
            runs=past.stamps_of(self._folder),
            folder=self._stamps_of_folder(settings.config_dir),
        )

    def _stamps_of_folder(self, folder: Path) -> object:
        if self._clock() >= self._folder_rests_until:
            started = self._clock()
            self._folder_stamps = stamps_of(folder)
            self._folder_rests_until = self._clock() + _REST_OF_FOLDER * (self._clock() - started)
        return self._folder_stamps
