"""Choose which of people's pins are shown to the model as examples, beside those of a block. Pure.

All pins of a block are shown. Others are added up to 20 a side, the most telling first: those against what the model
had said, then the newest. Those of an undo are no judgement, and there may be a thousand of them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.choice import said_of
from kometa_ai.core.collection import ItemRef, keys_of
from kometa_ai.core.item import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kometa_ai.core.choice import Pin
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Memory
    from kometa_ai.core.item import Item, ItemKey

MOST = 20
"""Examples of each side in a question, unless the block itself pins more."""


def with_examples(
    collections: Sequence[Collection], pins: Iterable[Pin], items: Iterable[Item], memory: Memory
) -> tuple[Collection, ...]:
    """Fill in `chosen_in` and `chosen_out` from the pins that were made elsewhere than in blocks.

    Call it once a run: all of its questions about a collection must have the same text, or none finds it in the cache.
    `items` are those of the libraries, by which the block's own pins are recognised.
    """
    telling = [pin for pin in pins if pin.origin != "undo" and pin.title]
    if not telling:
        return tuple(collections)
    wanted = {pin.key for pin in telling}
    known = {item.key: item for item in items if item.key in wanted}
    ranked = sorted(telling, key=lambda pin: (_is_against(pin, memory), pin.since, pin.key), reverse=True)
    return tuple(_with(collection, ranked, known) for collection in collections)


def _with(collection: Collection, ranked: Sequence[Pin], items: Mapping[ItemKey, Item]) -> Collection:
    named = {ref.key for ref in (*collection.pins_in, *collection.pins_out)}
    mine = [
        pin
        for pin in ranked
        if pin.slug == collection.slug and kind_of(pin.key) == collection.kind
        # What the block says of an item counts, on whichever side.
        if named.isdisjoint(_keys_of(pin, items.get(pin.key)))
    ]
    if not mine:
        return collection
    sides = (tuple(pin.title for pin in mine if pin.include is side)[:MOST] for side in (True, False))
    return msgspec.structs.replace(collection, **dict(zip(("chosen_in", "chosen_out"), sides, strict=True)))


def _keys_of(pin: Pin, item: Item | None) -> Iterator[object]:
    """Every key by which a block may name the pin's item, also where no library holds it now."""
    yield pin.key
    if pin.imdb_id:
        yield pin.imdb_id.lower()
    with suppress(ValueError):
        yield ItemRef.parse(pin.title, kind_of(pin.key)).key
    if item is not None:
        yield from keys_of(item)


def _is_against(pin: Pin, memory: Memory) -> bool:
    """Whether the model says, or had said, the opposite."""
    said = pin.said or said_of(memory, pin.key, pin.slug)
    return said is not None and said.include is not pin.include
