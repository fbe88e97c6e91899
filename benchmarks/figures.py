"""Define the figures of a run, measured and computed, as data."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from kometa_ai.settings.schema import Settings

Kind = Literal["movies", "shows"]
"""What a library holds."""
Scenario = Literal["first", "settled", "ten-new", "batches"]
SCENARIOS: tuple[Scenario, ...] = ("first", "settled", "ten-new", "batches")
"""The first three follow each other; `batches` is another first run, in its own world, through batches."""

NEW_ITEMS = 10
"""The number of movies or shows that are new in the scenario `ten-new`."""
REPEATS = 3
"""Settled runs are short and change nothing, so they are repeated and the least CPU counts: other load only adds."""
MODEL: str = Settings.model_fields["claude_model"].default
"""The layouts are priced with the program's default model, the runs with the models they asked."""


class Seen(msgspec.Struct, kw_only=True):
    """What the stand-ins saw of one run. `radarr` counts requests to the library by method and path.

    `plain` counts the pairs that answers write out without a reason, `unlike_truth` the pairs of item and tag in the
    library that differ from the judge's decision, either way.
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
    plain: int = 0
    plain_tokens: int = 0
    tags: int = 0
    unlike_truth: int = 0


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """The resources that a process used, from its start to its end."""

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The time to put an ordinary answer into the state, in milliseconds: into an empty one, and into a full one.

    `snapshot_ms` is the time to write the whole state, as at the end of a run.
    """

    empty_ms: float
    full_ms: float
    full_cpu_ms: float
    snapshot_ms: float
    journal_mb: float


class Indexed(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon's index: the CPU seconds that one takes, the MB that it keeps, and the most that it needed meanwhile.

    `late_ms` is how late the event loop was at worst while it was made, `rows_ms` is for sixty members of a collection
    with their reasons, `search_ms` for a text in all titles.
    """

    cpu_seconds: float
    kept_mb: float
    peak_mb: float
    rows_ms: float
    search_ms: float
    late_ms: float


class PageFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A page: the milliseconds of the program's own time until it is answered, and its KB."""

    name: str
    ms: float
    kb: float


class Paged(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon's pages. `first_load_kb` is all that a browser loads at its first visit, without posters.

    `resting_mb` is a daemon at which nobody looks, `resting_without_mb` the same one that serves no page.
    """

    pages: list[PageFigure]
    first_load_kb: float
    resting_mb: float
    resting_without_mb: float


class Layouts(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of other ways to ask, in USD; see `layouts`."""

    baseline: float
    baseline_compact: float
    bound: float
    bound_ids: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the program. `movies` is the number of items in the library, which are shows where `kind` says so."""

    kind: Kind = "movies"

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
    index: Indexed | None = None
    pages: Paged | None = None
    layouts: Layouts | None = None

    @property
    def place(self) -> tuple[str, int, int, int]:
        """The identity of a result, by which results are sorted."""
        return self.kind, self.movies, self.collections, SCENARIOS.index(self.scenario)


class Measured(msgspec.Struct, kw_only=True):
    """Everything that was measured, as it is saved: the machine, and each result."""

    machine: str
    results: list[Result]

    def put(self, result: Result) -> None:
        """Add a result, replacing an older one of the same size and scenario."""
        kept = [old for old in self.results if old.place != result.place]
        self.results = sorted([*kept, result], key=lambda each: each.place)
