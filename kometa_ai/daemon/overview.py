"""Read the state folder without its decisions, which take seconds to load: collections, past runs, spending."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.report import RunReport, Spending
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.aside import DoesNotAnswer, Patience
from kometa_ai.notification.outbox import undelivered
from kometa_ai.state import files, history
from kometa_ai.state.schema import DAMAGE, CollectionStatus, LibrarySeen, RunSummary
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from pathlib import Path

_log = structlog.get_logger()


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of the state without its decisions; an empty one where there is none yet."""

    last_successful_run: datetime | None = None
    libraries: dict[str, LibrarySeen] = {}
    collections: dict[str, CollectionStatus] = {}
    runs: list[RunSummary] = []
    spending: dict[str, Spending] = {}

    @property
    def movies(self) -> int | None:
        """How many movies Radarr listed last; None before the first run."""
        counts = [library.count for library in self.libraries.values()]
        return sum(counts) if counts else None


class OverviewReader:
    """Reads the state folder, in threads, and again only when its snapshot has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        store = Store(folder, read_only=True)  # for its paths; nothing is loaded
        self._snapshot, self._journal = store.path, store.journal_path
        self._known: tuple[int, int, int] | None = None
        self._overview = Overview()
        self._reading = asyncio.Lock()
        self._reads = Patience("STATE_DIR")
        self._counts = Patience("STATE_DIR", most=2)
        self._recalls = Patience("STATE_DIR", most=4)

    async def read(self) -> Overview:
        """The newest snapshot. If it cannot be read, the last one that could: the next run reports the damage."""
        async with self._reading:
            try:
                await self._reads(self._refresh)
            except DoesNotAnswer as error:
                _log.warning("state.not_read", path=str(self._snapshot), why=error.message)
            return self._overview

    async def size(self) -> int:
        """Bytes on the disk: the snapshot and its journal."""
        try:
            return await self._counts(lambda: sum(_size(path) for path in (self._snapshot, self._journal)))
        except DoesNotAnswer:
            return 0

    async def undelivered(self) -> int:
        """How many reports are not yet delivered to every receiver."""
        try:
            return await self._counts(undelivered, self._folder)
        except DoesNotAnswer:
            return 0

    async def report(self, run_id: str) -> RunReport | None:
        """A kept report; None for a run that is not kept. Raise RepairState for one that cannot be read."""
        try:
            return await self._recalls(history.recall, self._folder, run_id)
        except FixUsage:
            return None

    def _refresh(self) -> None:
        path = self._snapshot
        try:
            stat = path.lstat()
            found = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if found != self._known:
                self._known = found  # a damaged snapshot is read once
                self._overview = msgspec.json.decode(files.read(path, files.LARGE), type=Overview)
        except FileNotFoundError:
            self._overview, self._known = Overview(), None
        except (OSError, *DAMAGE) as error:
            _log.warning("state.not_read", path=str(path), why=str(error))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
