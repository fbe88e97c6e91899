"""Define the targets for the figures, and check runs against them."""

from __future__ import annotations

from typing import Final, NamedTuple

from benchmarks.figures import NEW_ITEMS, Kind, Result


class Promise(NamedTuple):
    """What is promised up to a size, and at this size of the cost: it is a share of other layouts' cost."""

    items: int
    collections: int
    first_cpu_seconds: float
    first_peak_mb: float
    settled_cpu_seconds: float
    of_the_baseline: float
    of_compact: float
    by_batches: float
    by_batches_of_compact: float
    index_cpu_seconds: float
    index_mb: float


PROMISES: Final[dict[Kind, Promise]] = {
    "movies": Promise(10_000, 20, 60, 400, 2, 1 / 15, 1 / 11, 1 / 20, 1 / 15, 1.5, 10),
    "shows": Promise(5_000, 10, 20, 250, 1.5, 1 / 8, 1 / 7, 1 / 10, 1 / 9, 0.75, 5),
}
TOKENS_AN_EXCLUDED_PAIR: Final = 4
TOKENS_A_PLAIN_PAIR: Final = 16
"""Of a pair that is written out without a reason."""
OF_THE_BOUND: Final = 2
SMALL: Final = (1_000, 5)
OF_THE_BASELINE_WHERE_SMALL: Final = 1 / 7
"""What a first run of so many movies and collections costs, as a share of the specification's own layout."""
LIST_READS: Final = 4
MOVIES_AN_EDIT: Final = 100
CHECKPOINT_GROWTH: Final = 2
"""A checkpoint in a full state may take this many times one in an empty state: constant, except for the disk."""

ROWS_MS: Final = 10
LATE_MS: Final = 100
PAGE_MS: Final = 50
PAGE_KB: Final = 40
FIRST_LOAD_KB: Final = 100
"""The daemon's index: sixty rows with reasons, and how late its event loop may ever be, in milliseconds. A page: the
milliseconds until it is answered, its KB, and the KB of a first visit, all without posters."""

_READS = ("GET /movie", "GET /series", "GET /tag")
_READING = ("GET ", "HEAD ")


class Target(NamedTuple):
    """One target: the figure may be at most `limit`."""

    what: str
    measured: float
    limit: float

    @property
    def is_met(self) -> bool:
        """Whether the target is met."""
        return self.measured <= self.limit

    @property
    def closeness(self) -> float:
        """The used share of the limit."""
        return self.measured / self.limit if self.limit else self.measured


def targets(result: Result) -> list[Target]:
    """The targets that apply to a run."""
    of_the_scenario = {"first": _first, "settled": _settled, "ten-new": _ten_new, "batches": _batches}
    return [*_always(result), *of_the_scenario[result.scenario](result)]


def writes(result: Result) -> int:
    """Requests to the library that change something."""
    return sum(count for kind, count in result.seen.radarr.items() if not kind.startswith(_READING))


def runs(result: Result) -> int:
    """How many runs the program has done, one after each batch: each asks for Radarr's status once."""
    return max(1, result.seen.radarr.get("GET /system/status", 0))


def list_reads(result: Result) -> int:
    """Requests for all movies, all shows or all tags."""
    return sum(result.seen.radarr.get(kind, 0) for kind in _READS)


def tokens_an_excluded_pair(result: Result) -> float:
    """Output tokens for each pair that an answer names as excluded."""
    return result.seen.excluded_tokens / result.seen.excluded if result.seen.excluded else 0.0


def tokens_a_plain_pair(result: Result) -> float:
    """Output tokens for each pair that an answer writes out without a reason."""
    return result.seen.plain_tokens / result.seen.plain if result.seen.plain else 0.0


def _always(result: Result) -> list[Target]:
    edits = sum(result.seen.radarr.get(f"PUT /{path}/editor", 0) for path in ("movie", "series"))
    return [
        Target("pairs whose tag is not as decided", result.seen.unlike_truth, 0),
        Target("reads of all items or tags", list_reads(result), LIST_READS * runs(result)),
        Target("bulk edits", edits, -(-result.tags_changed // MOVIES_AN_EDIT) + result.collections),
    ]


def _first(result: Result) -> list[Target]:
    found = [
        Target("reads of credits", result.seen.radarr.get("GET /credit", 0), _credits(result, result.movies)),
        Target("output tokens an excluded pair", tokens_an_excluded_pair(result), TOKENS_AN_EXCLUDED_PAIR),
        Target("output tokens a listed pair without a reason", tokens_a_plain_pair(result), TOKENS_A_PLAIN_PAIR),
    ]
    if result.checkpoint is not None:
        grown = result.checkpoint.full_ms / result.checkpoint.empty_ms
        found.append(Target("checkpoint, full state / empty state", grown, CHECKPOINT_GROWTH))
    found += [*_index(result), *_pages(result), *_resources(result)]
    if result.layouts is not None and (result.kind, result.movies, result.collections) == ("movies", *SMALL):
        share = result.seen.usd / result.layouts.baseline
        found.append(Target("cost / specification's layout", share, OF_THE_BASELINE_WHERE_SMALL))
    if result.layouts is not None and _is_the_promised_size(result):
        usd, others, promise = result.seen.usd, result.layouts, PROMISES[result.kind]
        found += [
            Target("cost / specification's layout", usd / others.baseline, promise.of_the_baseline),
            Target("cost / the same in compact JSON", usd / others.baseline_compact, promise.of_compact),
            Target("cost / bound", usd / others.bound, OF_THE_BOUND),
        ]
    return found


def _index(result: Result) -> list[Target]:
    index, promise = result.index, PROMISES[result.kind]
    if index is None or not _is_within_the_promised_size(result):
        return []
    return [
        Target("index, CPU s", index.cpu_seconds, promise.index_cpu_seconds),
        Target("index, MB kept", index.kept_mb, promise.index_mb),
        Target("index, 60 rows with reasons, ms", index.rows_ms, ROWS_MS),
        Target("index, event loop late, ms", index.late_ms, LATE_MS),
    ]


def _pages(result: Result) -> list[Target]:
    if result.pages is None or not _is_within_the_promised_size(result):
        return []
    slowest = max(result.pages.pages, key=lambda page: page.ms)
    largest = max(result.pages.pages, key=lambda page: page.kb)
    return [
        Target("slowest page, ms", slowest.ms, PAGE_MS),
        Target("largest page, KB", largest.kb, PAGE_KB),
        Target("first visit without posters, KB", result.pages.first_load_kb, FIRST_LOAD_KB),
    ]


def _batches(result: Result) -> list[Target]:
    found = _resources(result)
    if result.layouts is not None and _is_the_promised_size(result):
        usd, others, promise = result.seen.usd, result.layouts, PROMISES[result.kind]
        found += [
            Target("cost / specification's layout", usd / others.baseline, promise.by_batches),
            Target("cost / the same in compact JSON", usd / others.baseline_compact, promise.by_batches_of_compact),
        ]
    return found


def _resources(result: Result) -> list[Target]:
    if not _is_within_the_promised_size(result):
        return []
    promise = PROMISES[result.kind]
    return [
        Target("own CPU, s", result.used.cpu_seconds, promise.first_cpu_seconds),
        Target("peak memory, MB", result.used.peak_mb, promise.first_peak_mb),
    ]


def _settled(result: Result) -> list[Target]:
    found = [Target("requests to Claude", result.seen.claude, 0), Target("writes to the library", writes(result), 0)]
    if _is_within_the_promised_size(result):
        found.append(Target("own CPU, s", result.used.cpu_seconds, PROMISES[result.kind].settled_cpu_seconds))
    return found


def _ten_new(result: Result) -> list[Target]:
    return [Target("reads of credits", result.seen.radarr.get("GET /credit", 0), _credits(result, NEW_ITEMS))]


def _credits(result: Result, items: int) -> int:
    """How often credits may be read for so many new items: Sonarr has none."""
    return items if result.kind == "movies" else 0


def _is_within_the_promised_size(result: Result) -> bool:
    promise = PROMISES[result.kind]
    return result.movies <= promise.items and result.collections <= promise.collections


def _is_the_promised_size(result: Result) -> bool:
    promise = PROMISES[result.kind]
    return (result.movies, result.collections) == (promise.items, promise.collections)
