"""Put together what the review page shows: cards with all that is known of them, their number, a sitting's answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.choice import REVIEW_KINDS
from kometa_ai.core.decision import reaches
from kometa_ai.jobs.answers import group_of
from kometa_ai.jobs.review import card_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.choice import Answered, Pair, Reply, ReviewKind
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.daemon.index import Index
    from kometa_ai.daemon.listing import ItemPage
    from kometa_ai.jobs.review import Card
    from kometa_ai.judging.review import Wanting


class Sorting(NamedTuple):
    """Which part of the queue is wanted: of one kind, of one collection, or of all."""

    kind: ReviewKind | None = None
    collection: CollectionKey | None = None

    def of(self, queue: Iterable[Wanting]) -> list[Wanting]:
        """The cases of the queue that are meant, in their order."""
        return [
            each
            for each in queue
            if self.kind in (None, each.kind) and self.collection in (None, each.case.collection.key)
        ]


class Spread(NamedTuple):
    """A card with what is known of its item, and the names of the other collections that the item belongs to."""

    card: Card
    item: ItemPage
    also_in: tuple[str, ...]

    @property
    def says_in(self) -> bool:
        """On which side the model has it; where it has not said anything, on which it is."""
        card = self.card
        if card.include is None or card.confidence is None:
            return bool(card.belongs)
        return card.include and reaches(card.confidence, card.threshold)


class Sitting(NamedTuple):
    """The answers that were given in one sitting and have not been taken back, in their order."""

    answers: Sequence[Answered] = ()

    @property
    def replies(self) -> Mapping[Reply, int]:
        """How many there are of each."""
        return Counter(each.reply for each in self.answers)

    @property
    def groups(self) -> Mapping[str, int]:
        """How many answers were given together, by their group."""
        return Counter(group_of(each.id) for each in self.answers)

    @property
    def latest(self) -> Sequence[Answered]:
        """The answers that would be taken back first."""
        groups = list(self.groups)
        return [each for each in self.answers if group_of(each.id) == groups[-1]] if groups else []

    @property
    def pinned(self) -> Sequence[ItemKey]:
        """The items whose tags may have to follow, each once."""
        return list(dict.fromkeys(each.key for each in self.answers if each.reply != "leave"))


class Desk(NamedTuple):
    """A part of the queue. `total` is how many there are of the part, `counts` are those of the whole queue.

    `names` are those of the collections that want a person. `as_of` is when the libraries were read.
    """

    spreads: Sequence[Spread]
    total: int
    counts: Mapping[tuple[ReviewKind, CollectionKey], int]
    names: Mapping[CollectionKey, str]
    sitting: Sitting
    as_of: datetime | None

    def by_kind(self, collection: CollectionKey | None) -> Mapping[ReviewKind, int]:
        """How many there are of each kind of which there are any, of one collection or of all."""
        counts = dict.fromkeys(REVIEW_KINDS, 0)
        for (kind, key), count in self.counts.items():
            counts[kind] += count if collection in (None, key) else 0
        return {kind: count for kind, count in counts.items() if count}

    def by_collection(self, kind: ReviewKind | None) -> Mapping[CollectionKey, int]:
        """How many there are of each collection, of one kind or of all."""
        counts = dict.fromkeys(self.names, 0)
        for (each, key), count in self.counts.items():
            counts[key] += count if kind in (None, each) else 0
        return counts


def sitting_of(answers: Iterable[Answered], sitting: str) -> Sitting:
    """The answers of one sitting: their ids begin with its own."""
    return Sitting([each for each in answers if sitting and each.id.startswith(f"{sitting}.")])


def first_of(queue: Sequence[Wanting], pair: Pair | None, start: int, size: int) -> list[Wanting]:
    """So many cases from `start` on, with that of a pair before them, if it is there."""
    first = [each for each in queue if each.case.pair == pair]
    rest = [each for each in queue[start : start + size] if each.case.pair != pair]
    return (first + rest)[:size]


def counts_of(queue: Iterable[Wanting]) -> Mapping[tuple[ReviewKind, CollectionKey], int]:
    """How many there are of each kind in each collection."""
    return Counter((each.kind, each.case.collection.key) for each in queue)


def names_in(queue: Iterable[Wanting]) -> Mapping[CollectionKey, str]:
    """The names of the collections of a queue, in their order."""
    found = {each.case.collection.key: each.case.collection.name for each in queue}
    return dict(sorted(found.items(), key=lambda each: (each[1].casefold(), each[0])))


def spread(index: Index, wanting: Wanting) -> Spread:
    """A case with what is known of its item, read from the disk."""
    key, own = wanting.case.key, wanting.case.collection
    item, page = index.item_of(key), index.item(key)
    if item is None or page is None:  # the index knows the case from the item
        raise LookupError(key)
    also = tuple(each.name for each in page.collections if each.belongs and each.collection != own.key)
    return Spread(card_of(wanting, item, index.decision_in_full(key, own.slug)), page, also)
