"""Pin or release many items of a collection with one write, and take that back as long as this process lives."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from kometa_ai.core.choice import Pin, Said
from kometa_ai.core.item import kind_of
from kometa_ai.errors import FixUsage, KometaAIError
from kometa_ai.jobs.aside import Patience
from kometa_ai.jobs.pins import lines_for_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.choice import Choices, Dismissal, Pair
    from kometa_ai.core.collection import Collection, ItemRef
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.daemon.index import Index
    from kometa_ai.daemon.indexing import Indexer
    from kometa_ai.daemon.listing import ListName
    from kometa_ai.jobs.session import Session
    from kometa_ai.kometa.checking.rewording import LinesToCopy

Choice = Literal["in", "out", "release"]

MOST = 500
"""The most items that one request may name. A whole list may be longer."""
_REMEMBERED = 20


class ListChanged(KometaAIError):
    """A list is no longer as the user saw it who has chosen for all of it."""


class Whole(NamedTuple):
    """All of a list, as the user saw it: which one, the text that it was narrowed to, and how many items it had."""

    which: ListName
    text: str
    total: int


class Chosen(NamedTuple):
    """What a choice about many items has changed.

    `changed` items have another pin than before, or none. Those `in_block` are pinned by the block to the other side,
    which wins. `id` takes the choice back; it is empty if nothing has changed.
    """

    choice: Choice
    changed: int
    in_block: int = 0
    id: str = ""


class _Before(NamedTuple):
    """What was chosen before, and what instead."""

    pins: Mapping[Pair, Pin]
    dismissals: Mapping[Pair, Dismissal]
    after: Mapping[Pair, Pin | None]


class Pinning:
    """The pins of a session, made in bulk: none waits for a run, or for the lock of the state."""

    def __init__(self, session: Session, indexer: Indexer, clock: Callable[[], datetime]) -> None:
        self._session = session
        self._choices = session.choices
        self._indexer = indexer
        self._clock = clock
        self._keeps = Patience("STATE_DIR", most=4)
        self._reads = Patience("CONFIG_DIR", seconds=60.0)
        self._made: OrderedDict[str, _Before] = OrderedDict()

    async def choose(
        self, collection: CollectionKey, wanted: Sequence[ItemKey] | Whole, choice: Choice, *, by: str
    ) -> Chosen:
        """Pin items in or out of a collection, or release their pins, with one write.

        Raise FixUsage for a collection that takes no part, for no item, or for more than `MOST` that are named, and
        ListChanged for a whole list that has another length by now. Items that no library holds are left out.
        """

        def make(index: Index) -> Chosen:
            found = _collection_of(index, collection)
            keys = _keys(index, found, wanted)
            if choice == "release":
                return self._keep(choice, dict.fromkeys((key, found.slug) for key in keys))
            now, include = self._clock(), choice == "in"
            pins = [pin for key in keys if (pin := _pin(index, found, key, include=include, by=by, now=now))]
            return self._keep(choice, {pin.pair: pin for pin in pins})._replace(
                in_block=sum(_is_in_list(index, pin.key, found.pins_out if include else found.pins_in) for pin in pins)
            )

        # The verdict that is noted with a pin has to be that of now.
        chosen = await self._indexer.ask(make, judged=True)
        await self._indexer.newest()  # so that the next page shows it
        return chosen

    async def release(self, pairs: Iterable[Pair]) -> Chosen:
        """Release the pins of pairs, of whichever collections."""
        return await self._keeps(self._keep, "release", dict.fromkeys(pairs))

    async def take_back(self, choice_id: str) -> int:
        """Restore what was before a choice, where no user has chosen otherwise since; return for how many items.

        Raise FixUsage for a choice that is not known any more.
        """
        before = self._made.pop(choice_id, None)
        if before is None:
            raise FixUsage("That choice cannot be taken back by a click any more.", "Release its pins, under Pins.")
        try:
            restored = await self._keeps(self._restore, before)
        except KometaAIError:
            self._made[choice_id] = before  # what could not be kept can be tried again
            raise
        await self._indexer.newest()
        return restored

    def can_take_back(self, choice_id: str) -> bool:
        """Whether a choice can be taken back."""
        return choice_id in self._made

    async def lines(self, collection: CollectionKey, wanted: Sequence[ItemKey] | Whole) -> tuple[LinesToCopy, ...]:
        """The lines of the collection's block with these items pinned in; none where it pins them all already.

        Raise as `choose` does.
        """

        def look(index: Index) -> list[str]:
            found = _collection_of(index, collection)
            lacking = [key for key in _keys(index, found, wanted) if not _is_in_list(index, key, found.pins_in)]
            return sorted(index.name_in_block(lacking).values())

        names = await self._indexer.ask(look)
        return await self._reads(lines_for_pins, self._session, collection, names) if names else ()

    # In threads

    def _keep(self, choice: Choice, after: Mapping[Pair, Pin | None]) -> Chosen:
        changed: dict[Pair, Pin | None] = {}
        before = _Before({}, {}, changed)

        def change(choices: Choices) -> Choices:
            nonlocal before
            pins = {pin.pair: pin for pin in choices.pins if pin.pair in after}
            changed.clear()
            changed.update({pair: pin for pair, pin in after.items() if not _is_same(pins.get(pair), pin)})
            dismissals = {each.pair: each for each in choices.dismissals if each.pair in changed}
            before = _Before({pair: pins[pair] for pair in pins if pair in changed}, dismissals, changed)
            gone = [pins[pair] for pair, pin in changed.items() if pin is None]
            return choices.without_pins(*gone).with_pins(*filter(None, changed.values()))

        self._choices.change(change)
        if not changed:
            return Chosen(choice, 0)
        choice_id = secrets.token_hex(8)
        self._made[choice_id] = before
        while len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)
        return Chosen(choice, len(changed), id=choice_id)

    def _restore(self, before: _Before) -> int:
        restored = 0

        def change(choices: Choices) -> Choices:
            nonlocal restored
            now = {pin.pair: pin for pin in choices.pins if pin.pair in before.after}
            pairs = {pair for pair, pin in before.after.items() if now.get(pair) == pin}
            restored = len(pairs)
            made = [pin for pair, pin in now.items() if pair in pairs]
            back = [pin for pair, pin in before.pins.items() if pair in pairs]
            left = [each for pair, each in before.dismissals.items() if pair in pairs]
            found = choices.without_pins(*made).with_pins(*back)
            return msgspec.structs.replace(found, dismissals=(*found.dismissals, *left))

        self._choices.change(change)
        return restored


def _collection_of(index: Index, key: CollectionKey) -> Collection:
    found = next((each for each in index.collections if each.key == key), None)
    if found is None:
        raise FixUsage("Only a collection that takes part can have pins.", "Its page says why it takes no part.")
    return found


def _keys(index: Index, collection: Collection, wanted: Sequence[ItemKey] | Whole) -> Sequence[ItemKey]:
    if isinstance(wanted, Whole):
        found = index.keys_of(collection.key, wanted.which, wanted.text)
        if len(found) != wanted.total:
            raise ListChanged(
                f"The list had {wanted.total:,} {collection.kind}s when you chose for all of them, and has "
                f"{len(found):,} now. Nothing was pinned or released.",
                "Look at it again, and choose then.",
            )
        return found
    if not wanted:
        raise FixUsage(f"No {collection.kind} was selected.", "Select at least one.")
    if len(wanted) > MOST:
        raise FixUsage(f"{len(wanted):,} {collection.kind}s are too many at once.", f"Select at most {MOST}.")
    return wanted


def _pin(index: Index, collection: Collection, key: ItemKey, *, include: bool, by: str, now: datetime) -> Pin | None:
    item = index.item_of(key)
    if item is None or kind_of(key) != collection.kind or not collection.concerns(item):
        return None
    decision = index.decision(key, collection.slug)
    return Pin(
        key=key,
        slug=collection.slug,
        include=include,
        title=str(item),
        imdb_id=item.imdb_id,
        since=now,
        origin="page",
        by=by,
        said=Said(decision.include, decision.confidence) if decision else None,
    )


def _is_in_list(index: Index, key: ItemKey, pins: Sequence[ItemRef]) -> bool:
    """Whether one of a block's pins names the item."""
    item = index.item_of(key)
    return item is not None and any(ref.names(item) for ref in pins)


def _is_same(before: Pin | None, after: Pin | None) -> bool:
    """Whether a choice changes nothing: the pin stays, or there is none to release."""
    return before is after is None or (before is not None and after is not None and before.include == after.include)
