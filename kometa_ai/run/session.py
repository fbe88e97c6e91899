"""What a run works with, what it may do, and what it has found out so far."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Literal

import msgspec

from kometa_ai.asking.batching import Batcher
from kometa_ai.asking.engine import Asker
from kometa_ai.asking.outcomes import Limits
from kometa_ai.asking.pacing import Sleep
from kometa_ai.core.changes import TagChange, TagPlan
from kometa_ai.core.collection import Collection, Folder
from kometa_ai.core.movie import Movie, TmdbId
from kometa_ai.core.naming import Slug
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Spending
from kometa_ai.errors import RepairState
from kometa_ai.judging.planning import Described, Questions
from kometa_ai.judging.policy import Gates, Membership
from kometa_ai.library.port import Library
from kometa_ai.providers.port import BatchProvider, Provider
from kometa_ai.run.options import NullObserver, Observer
from kometa_ai.state.schema import Entry
from kometa_ai.state.store import Store
from kometa_ai.tags.apply import Applied

WRITING = "Applying the changes"
REPORTING = "Reporting"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that a run depends on."""

    config_dir: Path
    model: str
    review_model: str
    limits: Limits
    radarr_credits: bool = True
    removal_limit: int = 25
    addition_limit: int = 100
    batches: Literal["off", "auto", "on"] = "off"


class Interruption:
    """Somebody wants the run to end: what is on its way is taken, nothing new is begun, nothing is written."""

    def __init__(self) -> None:
        self.why = ""
        self.has_timed_out = False
        self.is_cut = False
        self.is_left_behind = False
        self.step = ""
        self.asker: Asker | None = None
        self.batcher: Batcher | None = None

    @property
    def has_begun(self) -> bool:
        """Whether the run has come as far as asking: before that there is nothing to be carried out."""
        return self.asker is not None

    @property
    def is_writing(self) -> bool:
        """Whether the run writes tags."""
        return self.step == WRITING

    @property
    def is_reporting(self) -> bool:
        """Whether the run itself is over, and is told to others."""
        return self.step == REPORTING

    @property
    def is_busy(self) -> bool:
        """Whether something is on its way that was paid for, or changes Radarr."""
        return self.is_writing or bool(self.asker and self.asker.on_their_way)

    def time_out(self) -> None:
        """The time for asking is over: what is decided is carried out, the rest is left for the next run."""
        self.has_timed_out = True
        if self.asker is not None:
            self.asker.end("RUN_TIMEOUT")

    def request(self, why: str) -> None:
        """Ask for the run to end."""
        self.why = self.why or why
        if self.asker is not None:
            self.asker.end(why)
        if self.batcher is not None:
            self.batcher.end(why)


class Steps:
    """Notes the step that a run is in before its observer is told."""

    def __init__(self, observer: Observer, interruption: Interruption) -> None:
        self._observer = observer
        self._interruption = interruption
        self.total = observer.total
        self.advance = observer.advance

    def step(self, name: str) -> None:
        """See Observer."""
        self._interruption.step = name
        self._observer.step(name)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run works with: its clients, its memory, the time and the zone of its calendar."""

    library: Library
    provider: Provider
    store: Store
    read_folder: Callable[[Path], Folder]
    now: Callable[[], datetime]
    zone: tzinfo = UTC
    observer: Observer = NullObserver()
    redact: Callable[[str], str] = str
    interruption: Interruption = msgspec.field(default_factory=Interruption)
    batches: BatchProvider | None = None
    sleep: Sleep = asyncio.sleep


class Findings(msgspec.Struct, kw_only=True):
    """What a run has found out so far; the report is made from it, however far the run came.

    Of a folder that is not read, nothing is known: what it may hold is not taken for gone. `booked` is what of its
    spending the state holds already.
    """

    library: int = 0
    folder: Folder = Folder(unreadable_files=(".",))
    collections: tuple[Collection, ...] = ()
    asker: Asker | None = None
    gates: dict[Slug, Gates] = {}
    memberships: dict[Slug, Membership] = {}
    open_questions: Questions = {}
    reasons: dict[Slug, dict[str, int]] = {}
    last_asked: dict[Slug, TmdbId] = {}
    judged: dict[TmdbId, Described] = {}
    plan: TagPlan = TagPlan()
    applied: Applied | None = None
    movies: Sequence[Movie] = ()
    tag_changes: list[TagChange] = []
    problems: list[Problem] = []
    warnings: list[Problem] = []
    booked: Spending = Spending()
    is_forgetful: bool = False


def keep(parts: Parts, found: Findings, *entries: Entry) -> None:
    """Remember something. A state that cannot be written is reported once and ends the asking, not the run.

    Paying for answers that cannot be kept would be paying twice; what is known already can still be acted upon.
    """
    try:
        parts.store.record(*entries)
    except RepairState as error:
        if not found.is_forgetful:
            found.problems.append(Problem(source="state", what=error.message, remedy=error.remedy))
        found.is_forgetful = True
        if found.asker is not None:
            found.asker.end("the state cannot be written")
