"""Keep what people choose on the page and over the API: answers to the review queue of the index, and pins."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.core.choice import Pin, Said
from kometa_ai.core.collection import collection_key
from kometa_ai.core.decision import Cause, reaches
from kometa_ai.core.item import ItemKey, kind_of
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.core.summary import counted
from kometa_ai.daemon.desk import Desk, Sorting, counts_of, first_of, names_in, sitting_of, spread
from kometa_ai.daemon.pinned import Pinned, pinned
from kometa_ai.errors import FixUsage, RepairState
from kometa_ai.jobs.answers import Answer, Now, group_of, id_in, take_answers, take_back, take_back_group
from kometa_ai.jobs.aside import Patience
from kometa_ai.jobs.review import Card, card_of, seen_of
from kometa_ai.judging.mutual import managed_tag
from kometa_ai.judging.review import Case, Wanting, kind_of_case, long_standing_that_left, queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime, tzinfo

    from kometa_ai.core.choice import Answered, Choices, Origin, Pair, ReviewKind
    from kometa_ai.daemon.index import Index
    from kometa_ai.daemon.indexing import Indexer
    from kometa_ai.jobs.answers import Taken
    from kometa_ai.jobs.session import Session
    from kometa_ai.judging.review import Held


_PINNED = frozenset({Cause.PINNED_IN, Cause.PINNED_OUT})
MOST_LEFT = 500
"""So many cases are left to the model at once: all of them can be taken back."""


class Miscounted(FixUsage):
    """A list has more or fewer cases than the visitor saw who answers for all of it."""


class Part(NamedTuple):
    """A part of the review queue, how many there are in all, and when the libraries were read."""

    cards: Sequence[Card]
    total: int
    as_of: datetime | None


class PinLine(msgspec.Struct, frozen=True, kw_only=True):
    """A pin that is kept beside the state: who made it, where, when, and against which verdict.

    `collection` is the key of its collection, and `because` says all that in words.
    """

    collection: CollectionKey
    because: str
    pin: Pin


class _Wanted(NamedTuple):
    """The cases of an index to review, without the choices that people have made since.

    `unpinned` are those to review if their pins, of which the index knows, are released.
    """

    of: Index
    cases: dict[Pair, Case]
    unpinned: dict[Pair, Case]


class Choosing:
    """The choices of a session: none of them waits for a run, or for the lock of the state."""

    def __init__(self, session: Session, indexer: Indexer, clock: Callable[[], datetime]) -> None:
        self._choices = session.choices
        self._indexer = indexer
        self._clock = clock
        self._zone = session.settings.tz
        self._known: _Wanted | None = None
        self._finding = threading.Lock()
        self._keeps = Patience("STATE_DIR", most=4)

    async def review(self, kind: ReviewKind | None, collection: CollectionKey | None, start: int, size: int) -> Part:
        """A part of the queue: of one kind, of one collection, or of all."""

        def look(index: Index) -> Part:
            found = Sorting(kind, collection).of(self._queue(self._wanted(index)))
            return Part([_card(index, each) for each in found[start : start + size]], len(found), index.as_of)

        return await self._indexer.ask(look)

    async def desk(
        self, sorting: Sorting, start: int, size: int, *, sitting: str = "", first: Pair | None = None
    ) -> Desk:
        """A part of the queue as the page shows it, with the answers of a sitting; `first` comes before all others."""

        def look(index: Index) -> Desk:
            whole = self._queue(self._wanted(index))
            found = sorting.of(whole)
            return Desk(
                spreads=[spread(index, each) for each in first_of(found, first, start, size)],
                total=len(found),
                counts=counts_of(whole),
                names=names_in(whole),
                sitting=sitting_of(self._choices.read().answers, sitting),
                as_of=index.as_of,
            )

        return await self._indexer.ask(look)

    async def waiting(self) -> int | None:
        """How many cases want a person; None while no index is there. Raise RepairState for damaged choices."""
        index = await self._indexer.at_hand()
        return None if index is None else await self._keeps(lambda: len(self._queue(self._wanted(index))))

    async def waiting_in(self) -> Mapping[CollectionKey, int]:
        """How many cases want a person, by collection; nothing while that cannot be known."""
        index = await self._indexer.at_hand()
        if index is None:
            return {}
        try:
            return await self._keeps(
                lambda: Counter(each.case.collection.key for each in self._queue(self._wanted(index)))
            )
        except RepairState:
            return {}

    async def answer(self, answers: Sequence[Answer]) -> list[Taken]:
        """Keep answers, each once; see `take_answers`."""

        def take(index: Index) -> list[Taken]:
            wanted = self._wanted(index)
            now = {pair: found for pair in {each.pair for each in answers} if (found := _now(wanted, *pair))}
            taken = take_answers(self._choices, answers, now, self._clock())
            if all(each.result == "kept" for each in taken):
                return taken
            waiting = {each.case.pair: each for each in self._queue(wanted)}
            return [
                msgspec.structs.replace(each, card=_card(index, waiting[answer.pair]))
                if each.result == "changed" and answer.pair in waiting
                else each
                for each, answer in zip(taken, answers, strict=True)
            ]

        # What was judged anew a moment ago must not be answered as it was before.
        return await self._indexer.ask(take, judged=True)

    async def leave(self, sorting: Sorting, count: int, group: str, by: str) -> int:
        """Leave a part of the queue to the model, at most `MOST_LEFT` of it, and return how many were left.

        Raise Miscounted where there are not `count` of them. The same group again changes nothing.
        """

        def take(index: Index) -> int:
            if any(group_of(each.id) == group for each in self._choices.read().answers):
                return count
            wanted = self._wanted(index)
            found = sorting.of(self._queue(wanted))
            if len(found) != count:
                raise Miscounted(
                    f"Nothing was left to the model: {counted(len(found), 'case')} would be by now, not {count}.",
                    "Look at them again.",
                )
            answers = [
                Answer(
                    id=id_in(group, number),
                    key=each.case.key,
                    slug=each.case.collection.slug,
                    reply="leave",
                    seen=seen_of(each.case),
                    by=by,
                )
                for number, each in enumerate(found[:MOST_LEFT])
            ]
            now = {pair: known for pair in {each.pair for each in answers} if (known := _now(wanted, *pair))}
            return len(take_answers(self._choices, answers, now, self._clock()))

        return await self._indexer.ask(take, judged=True)

    async def take_back_group(self, group: str) -> Sequence[Answered]:
        """Restore what was before the answers of a group; none where none is known."""
        return await self._keeps(take_back_group, self._choices, group)

    async def take_back(self, answer_id: str) -> Answered | None:
        """Restore what was before an answer; None where none is known by that id."""
        return await self._keeps(take_back, self._choices, answer_id)

    def now(self) -> datetime:
        """The present time."""
        return self._clock()

    async def pins(self) -> list[PinLine]:
        """All pins that are kept beside the state, the latest first."""
        choices = await self._keeps(self._choices.read)
        return [_line(each) for each in sorted(choices.pins, key=lambda pin: pin.since, reverse=True)]

    async def pinned(self) -> Pinned:
        """All pins with their items and collections, those of the blocks among them."""
        return await self._indexer.ask(lambda index: pinned(index, self._choices.read().pins))

    async def pin(
        self, collection: CollectionKey, item: ItemKey, *, include: bool, by: str, origin: Origin = "api"
    ) -> PinLine | None:
        """Pin an item in or out of a collection; None where there is no such collection, or no item of its kind."""

        def make(index: Index) -> Pin | None:
            found = _now(self._wanted(index), item, _slug(collection))
            if found is None or collection_key(kind_of(item), _slug(collection)) != collection:
                return None
            pin = Pin(
                key=item,
                slug=_slug(collection),
                include=include,
                title=found.title,
                imdb_id=found.imdb_id,
                since=self._clock(),
                origin=origin,
                by=by,
                said=found.said,
            )
            self._choices.change(lambda choices: choices.with_pins(pin))
            return pin

        made = await self._indexer.ask(make, judged=True)
        return _line(made) if made else None

    async def release(self, collection: CollectionKey, item: ItemKey) -> PinLine | None:
        """Release the pin of a pair, and return it; None where there is none."""

        def drop() -> Pin | None:
            before: list[Pin] = []

            def change(choices: Choices) -> Choices:
                before[:] = [
                    each
                    for each in choices.pins
                    if each.key == item and collection_key(kind_of(each.key), each.slug) == collection
                ]
                return choices.without_pins(*before)

            self._choices.change(change)
            return before[0] if before else None

        dropped = await self._keeps(drop)
        return _line(dropped) if dropped else None

    # In threads

    def _wanted(self, index: Index) -> _Wanted:
        """The cases to review by the index, found once for each index."""
        with self._finding:  # with a new index every page asks at once
            if self._known is None or self._known.of is not index:
                self._known = _find_wanted(index, self._clock(), self._zone)
            return self._known

    def _queue(self, wanted: _Wanted) -> list[Wanting]:
        """The queue with what people have chosen by now, which the index may not know yet."""
        choices = self._choices.read()
        pinned = {pin.pair for pin in choices.pins}
        cases = (each for pair, each in (wanted.cases | wanted.unpinned).items() if pair not in pinned)
        return queue(cases, choices.dismissals)


def _cases(index: Index, now: datetime, zone: tzinfo) -> Iterator[Case]:
    """Every pair that may be a case to review. An item without a confidence, tag or change of its own is none."""
    left = long_standing_that_left(index.moves(), now)
    managed = {managed_tag(each) for each in index.everything}
    for collection in index.collections:
        there = set()
        for pair in index.pairs(collection.key):
            there.add(pair.item.key)
            yield Case(
                key=pair.item.key,
                collection=collection,
                decision=pair.decision,
                cause=pair.cause,
                belongs=pair.belongs,
                is_asked=pair.is_asked,
                tags=tuple(label for label in pair.tags if (collection.kind, label) in managed),
                held=_told_in(zone, pair.held),
                left=left.get((pair.item.key, collection.slug)),
                is_tagged=pair.is_tagged,
            )
        for (key, slug), at in left.items():
            if slug == collection.slug and kind_of(key) == collection.kind and key not in there and index.item_of(key):
                decision = index.decision(key, slug)
                cause = Cause.UNDECIDED if decision is None else Cause.VERDICT
                yield Case(key, collection, decision, cause, belongs=False, left=at)


def _find_wanted(index: Index, now: datetime, zone: tzinfo) -> _Wanted:
    found = _Wanted(index, {}, {})
    for case in _cases(index, now, zone):
        if kind_of_case(case) is not None:
            found.cases[case.pair] = case
        elif case.cause in _PINNED and index.is_pinned(*case.pair):
            unpinned = _without_pin(case)
            if kind_of_case(unpinned) is not None:
                found.unpinned[case.pair] = unpinned
    return found


def _without_pin(case: Case) -> Case:
    """A case as its verdict has it, with no change held back, until an index without the pin says it better."""
    decision, threshold = case.decision, case.collection.confidence_threshold
    if decision is None:
        return case
    belongs = decision.include and reaches(decision.confidence, threshold)
    return case._replace(cause=Cause.VERDICT, belongs=belongs, held=None)


def _told_in(zone: tzinfo, held: Held | None) -> Held | None:
    return held._replace(until=held.until.astimezone(zone)) if held and held.until else held


def _now(wanted: _Wanted, key: ItemKey, slug: Slug) -> Now | None:
    """A pair as it stands; None where there is no such collection, or no library holds the item."""
    index = wanted.of
    collection = next((each for each in index.collections if each.key == collection_key(kind_of(key), slug)), None)
    item = index.item_of(key)
    if collection is None or item is None or not collection.concerns(item):
        return None
    decision = index.decision(key, slug)
    case = wanted.cases.get((key, slug)) or Case(key, collection, decision, Cause.VERDICT, belongs=None)
    return Now(
        seen=seen_of(case),
        kind=kind_of_case(case) or "close call",
        title=str(item),
        imdb_id=item.imdb_id,
        said=Said(decision.include, decision.confidence) if decision else None,
    )


def _card(index: Index, wanting: Wanting) -> Card:
    case = wanting.case
    item = index.item_of(case.key)
    if item is None:  # the index knows the case from the item
        raise LookupError(case.key)
    return card_of(wanting, item, index.decision_in_full(case.key, case.collection.slug))


def _line(pin: Pin) -> PinLine:
    return PinLine(collection=collection_key(kind_of(pin.key), pin.slug), because=pin.because, pin=pin)


def _slug(collection: CollectionKey) -> Slug:
    return Slug(collection.removeprefix("show:"))
