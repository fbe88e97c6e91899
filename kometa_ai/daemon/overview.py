"""Read the beginning of the state, which is everything but the decisions: past runs, spending, what was seen."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.collection import kind_in
from kometa_ai.core.item import Kind, kind_of, kind_of_library
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.report import RunReport, Spending
from kometa_ai.errors import FixUsage, RepairState
from kometa_ai.jobs.aside import DoesNotAnswer, Patience
from kometa_ai.notification.outbox import undelivered
from kometa_ai.state import by_line, files, history
from kometa_ai.state.loading import stamp
from kometa_ai.state.migrations import NoWay
from kometa_ai.state.schema import DAMAGE, CollectionStatus, LibrarySeen, PromptVersion, RunSummary
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from kometa_ai.core.item import ItemKey
    from kometa_ai.state.schema import Snapshot

_SEARCHING = 60.0

_log = structlog.get_logger()


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of the state without its decisions; an empty one where there is none yet."""

    last_update: datetime | None = None
    last_successful_run: datetime | None = None
    libraries: dict[str, LibrarySeen] = {}
    collections: dict[CollectionKey, CollectionStatus] = {}
    runs: list[RunSummary] = []
    spending: dict[str, Spending] = {}
    prompts: dict[CollectionKey, list[PromptVersion]] = {}

    @property
    def has_carried_out(self) -> bool:
        """Whether the block of any collection has been carried out by a real run."""
        return any(status.block_hash or status.members for status in self.collections.values())

    def is_wanted(self, item: ItemKey) -> bool:
        """Whether there are collections of the kind of an item, as far as that is known."""
        return not self.collections or kind_of(item) in {kind_in(key) for key in self.collections}

    def count(self, kind: Kind) -> int:
        """How many movies or shows the libraries held when last read; what two of them hold counts twice."""
        return sum(seen.count for name, seen in self.libraries.items() if kind_of_library(name) == kind)


class OverviewReader:
    """Reads the state folder, in threads, and again only when its snapshot has changed.

    `libraries` are the names of those that there are: the state remembers others, too.
    """

    def __init__(self, folder: Path, libraries: AbstractSet[str]) -> None:
        self._folder = folder
        self._libraries = libraries
        store = Store(folder, read_only=True)  # for its paths; nothing is loaded
        self._snapshot, self._journal = store.path, store.journal_path
        self._known: by_line.Stamp = None
        self._overview = Overview()
        self.failure: RepairState | None = None
        self._reading = asyncio.Lock()
        self._reads = Patience("STATE_DIR")
        self._counts = Patience("STATE_DIR", most=2)
        self._recalls = Patience("STATE_DIR", most=4)
        self._searches = Patience("STATE_DIR", seconds=_SEARCHING)

    @property
    def snapshot(self) -> by_line.Stamp:
        """The stamp of the snapshot that was read last, or could not be read."""
        return self._known

    async def read(self) -> Overview:
        """The newest snapshot. If it cannot be read, the last one that could; `failure` says why."""
        async with self._reading:
            try:
                await self._reads(self._refresh)
            except DoesNotAnswer as error:
                _log.warning("state.not_read", path=str(self._snapshot), why=error.message)
            return self._overview

    async def unknown(self, items: AbstractSet[ItemKey]) -> frozenset[ItemKey]:
        """Those of these items that a run would learn something about, as far as the newest snapshot tells."""
        wanted = frozenset(filter((await self.read()).is_wanted, items))
        try:
            return wanted - await self._searches(self._known_of, wanted)
        except DoesNotAnswer as error:
            _log.warning("state.not_read", path=str(self._snapshot), why=error.message)
            return wanted

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
        failure: RepairState | None = None
        try:
            found = stamp(path)
            if found == self._known and found is not None:
                return
            self._known = found  # a damaged snapshot is read once
            self._overview = self._made_of(by_line.head_of(path))
        except FileNotFoundError:
            self._overview, self._known = Overview(), None
            if any(os.path.lexists(place) for place in files.backups(path)):
                failure = by_line.damaged(path, "it is missing")
        except OSError as error:
            self._known = None  # its rights, say, may be mended without a change to the file
            what = f"The state {str(path)!r} cannot be read: {error.strerror}."
            failure = RepairState(what, files.remedy_for(error))
            if isinstance(error, files.NotOurs) and not error.is_link:  # a run sets it aside
                failure = by_line.damaged(path, str(error.strerror))
        except RepairState as error:
            failure = error
        except (NoWay, *DAMAGE) as error:
            failure = by_line.damaged(path, str(error))
        if failure is not None and str(failure) != str(self.failure):
            _log.warning("state.not_read", path=str(path), why=failure.message, remedy=failure.remedy)
        self.failure = failure

    def _made_of(self, head: Snapshot) -> Overview:
        there = {name: seen for name, seen in head.libraries.items() if name in self._libraries}
        shown = {name: getattr(head, name) for name in Overview.__struct_fields__}
        return Overview(**{**shown, "libraries": there})

    def _known_of(self, items: AbstractSet[ItemKey]) -> frozenset[ItemKey]:
        """Those of these items that the snapshot tells of; none where it cannot be read."""
        try:
            return frozenset(items & by_line.keys_in(self._snapshot)) if items else frozenset()
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            _log.warning("state.not_read", path=str(self._snapshot), why=str(error))
            return frozenset()


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
