"""What asking is limited by, and what it brings: pages of movies, verdicts, gaps, and what was spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from kometa_ai.core.collection import Collection
from kometa_ai.core.decision import Verdict
from kometa_ai.core.movie import Movie, TmdbId
from kometa_ai.core.naming import Slug
from kometa_ai.judging.records import movies_text
from kometa_ai.providers.port import Failure, Usage

SAME_FAILURES = 5
"""This many failures of one kind in a row end the asking."""
UNREADABLE = "Claude's answer holds no verdict that could be read."


class Answered(NamedTuple):
    """Verdicts that have just arrived, of one collection.

    `away` are those of movies that are no longer in the library: the metadata hashes that they were asked about with.
    `request` names the request that brought them.
    """

    collection: Collection
    verdicts: Mapping[TmdbId, Verdict]
    second_look: bool
    model: str
    away: Mapping[TmdbId, str] = {}
    request: str = ""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Movies that could not be judged for a collection, by which model, and why."""

    collection: Slug
    movies: tuple[Movie, ...]
    failure: Failure
    message: str
    model: str = ""


class Spent(msgspec.Struct, kw_only=True):
    """What was used. `cost` is in USD and leaves out requests whose price is not known (`unpriced`).

    Of `unclear` requests it is not known what they cost, if anything: their answers did not arrive, or not as a whole.
    They are in `cost` with what has arrived, or with what they may have cost where that is nothing. `seconds` are those
    that answered requests took, added up; those of batches are not in it.
    """

    usage: Usage = Usage()
    cost: float = 0.0
    unpriced: int = 0
    unclear: int = 0
    answers: int = 0
    seconds: float = 0.0

    def add(self, usage: Usage, cost: float | None, seconds: float = 0.0) -> None:
        """Count one request."""
        self.usage += usage
        self.seconds += seconds
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost

    def add_unclear(self, usage: Usage, cost: float | None) -> None:
        """Count one request that may be billed, with what is known of it."""
        self.unclear += 1
        self.add(usage, cost)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be asked: requests side by side, USD in this run (0 = no limit)."""

    concurrency: int = 4
    max_cost: float = 0.0


class Page(NamedTuple):
    """Movies as they are sent together: numbered from 1 in this order."""

    movies: tuple[Movie, ...]
    text: str

    @classmethod
    def of(cls, movies: Iterable[Movie]) -> Page:
        """Write the movies down."""
        movies = tuple(movies)
        return cls(movies, movies_text(movies))

    def halves(self) -> tuple[Page, Page]:
        """The same movies on two pages."""
        middle = (len(self.movies) + 1) // 2
        return Page.of(self.movies[:middle]), Page.of(self.movies[middle:])
