"""Collect what the asking of one run brings: verdicts, movies left without one and why, money spent by collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from kometa_ai.core.collection import Collection
from kometa_ai.core.decision import Verdict
from kometa_ai.core.item import ItemKey
from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.naming import CollectionKey
from kometa_ai.providers.port import Failure, Usage


class Answered(NamedTuple):
    """Verdicts that have just arrived, of one collection.

    `away` are those of movies that are no longer in the library: the metadata hashes that they were asked about with.
    `request` names the request that brought them.
    """

    collection: Collection
    verdicts: Mapping[ItemKey, Verdict]
    second_look: bool
    model: str
    away: Mapping[ItemKey, str] = {}
    request: str = ""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Movies that could not be judged for a collection, by which model, and why."""

    collection: CollectionKey
    movies: tuple[AnyItem, ...]
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


class Tally:
    """What the asking of one run has brought, directly and through batches.

    `spent` is by collection. `gaps` are movies that were given up. `unknown_ids` counts ids in answers that were never
    sent. `cache_reads` counts the requests that should read the movies from the cache, by whether
    they did, where that can be asked for.
    `read_models` are the models of which a verdict could be read. `wasted` counts requests that were paid for, or may
    have been, without bringing a verdict, by what became of them.
    """

    def __init__(self) -> None:
        self.spent: dict[CollectionKey, Spent] = {}
        self.gaps: list[Gap] = []
        self.unknown_ids: Counter[CollectionKey] = Counter()
        self.cache_reads: Counter[bool] = Counter()
        self.read_models: set[str] = set()
        self.wasted: Counter[str] = Counter()

    def spent_on(self, collection: CollectionKey) -> Spent:
        """What was spent on one collection, to be added to."""
        return self.spent.setdefault(collection, Spent())

    def spend(
        self,
        collections: Sequence[CollectionKey],
        usage: Usage,
        cost: float | None,
        *,
        seconds: float = 0.0,
        is_unclear: bool = False,
    ) -> None:
        """Count one request, in equal shares for the collections that it was about; the first has it in its numbers."""
        for number, (collection, share) in enumerate(zip(collections, usage.shares(len(collections)), strict=True)):
            spent = self.spent_on(collection)
            if number:
                spent.usage += share
                spent.cost += (cost or 0.0) / len(collections)
            elif is_unclear:
                spent.add_unclear(share, None if cost is None else cost / len(collections))
            else:
                spent.add(share, None if cost is None else cost / len(collections), seconds)
