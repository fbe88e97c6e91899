"""What is measured and computed about one run, as data."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from kometa_ai.settings.schema import Settings

Scenario = Literal["first", "settled", "ten-new", "batches"]
SCENARIOS: tuple[Scenario, ...] = ("first", "settled", "ten-new", "batches")
"""The first three follow each other; `batches` is a first run again, in a world of its own, through batches."""

NEW_MOVIES = 10
"""Movies that are new in the scenario `ten-new`."""
REPEATS = 3
"""Settled runs are short and change nothing, so they are repeated and the least CPU counts: other work only adds."""
MODEL: str = Settings.model_fields["claude_model"].default
"""The layouts are priced with the program's default model, the runs with whatever they asked."""


class Seen(msgspec.Struct, kw_only=True):
    """What the stand-ins saw of one run. `radarr` counts requests by method and path.

    `unlike_truth` counts the pairs of movie and tag in Radarr that are not as the judge decided, in either direction.
    """

    radarr: dict[str, int] = {}
    claude: int = 0
    batches: int = 0
    refused: int = 0
    second_looks: int = 0
    input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    usd: float = 0.0
    second_looks_usd: float = 0.0
    excluded: int = 0
    excluded_tokens: int = 0
    tags: int = 0
    unlike_truth: int = 0


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """What a process used, from its start to its end."""

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to put a usual answer into the state, in milliseconds: with nothing in it, and with all.

    `snapshot_ms` is what writing the whole state takes, as at the end of a run.
    """

    empty_ms: float
    full_ms: float
    full_cpu_ms: float
    snapshot_ms: float
    journal_mb: float


class Layouts(msgspec.Struct, frozen=True, kw_only=True):
    """What other ways to ask would cost, in USD; see `layouts`."""

    baseline: float
    baseline_compact: float
    bound: float
    bound_ids: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the program. `kind` is which one: its size and scenario."""

    scenario: Scenario
    movies: int
    collections: int
    members: float
    measured: date
    used: Used
    seen: Seen
    tags_changed: int
    reported_usd: float
    state_mb: float
    checkpoint: Checkpoint | None = None
    layouts: Layouts | None = None

    @property
    def kind(self) -> tuple[int, int, int]:
        """What tells one result from another, in the order in which they are shown."""
        return self.movies, self.collections, SCENARIOS.index(self.scenario)


class Measured(msgspec.Struct, kw_only=True):
    """Everything that was measured, as it is kept: on what, and each result."""

    machine: str
    results: list[Result]

    def put(self, result: Result) -> None:
        """Keep a result in the place of an older one of the same kind."""
        kept = [old for old in self.results if old.kind != result.kind]
        self.results = sorted([*kept, result], key=lambda each: each.kind)
