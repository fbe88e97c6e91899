"""Hold what a run works with: its rules from the settings, its clients, the state, the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Literal

import msgspec

from kometa_ai.asking.pacing import Limits, Sleep
from kometa_ai.core.collection import Folder
from kometa_ai.judging.looks import Models
from kometa_ai.library.port import Library
from kometa_ai.providers.port import BatchProvider, Provider
from kometa_ai.run.stopping import Interruption
from kometa_ai.run.watching import NullObserver, Observer
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.store import Store


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that a run depends on.

    `page_size` is how many items a request has, unless a run's options say otherwise. `collections_per_request` is 0
    where the model decides. `concurrency` is how many requests the first model gets side by side, as it is shown.
    """

    config_dir: Path
    model: str
    review_model: str
    limits: Limits
    radarr_credits: bool = True
    removal_limit: int = 25
    addition_limit: int = 100
    review: Literal["off", "removals", "all"] = "off"
    review_days: int = 7
    hand_edits: Literal["pin", "correct"] = "pin"
    batches: Literal["off", "auto", "on"] = "off"
    page_size: int = 50
    concurrency: int = 4
    collections_per_request: int = 0
    audit_interval: str = ""

    @property
    def models(self) -> Models:
        """The models of both looks."""
        return Models(self.model, self.review_model)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run works with: its clients, the state, people's choices, the time and the zone of its calendar.

    `libraries` are in the order of the settings: the first that holds an item tells what it is.

    `interruption` is how the caller asks the run to end.
    """

    libraries: tuple[Library, ...]
    provider: Provider
    store: Store
    choices: ChoicesFile
    read_folder: Callable[[Path], Folder]
    now: Callable[[], datetime]
    zone: tzinfo = UTC
    observer: Observer = NullObserver()
    redact: Callable[[str], str] = str
    interruption: Interruption = msgspec.field(default_factory=Interruption)
    batches: BatchProvider | None = None
    sleep: Sleep = asyncio.sleep

    def library(self, name: str) -> Library:
        """The library of that name."""
        return next(library for library in self.libraries if library.name == name)
