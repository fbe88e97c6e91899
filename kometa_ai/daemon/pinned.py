"""List what the page of pins shows: every pin with its item and collection, and those that stand in the blocks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.collection import collection_key
from kometa_ai.core.decision import Cause
from kometa_ai.core.item import kind_of
from kometa_ai.core.naming import Slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.choice import Pin
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.daemon.index import Index

BLOCK = "block"
"""The origin of pins that stand in a block of Kometa's files: they are changed there."""


class PinRow(NamedTuple):
    """A pin. `key` is its item, where that is known, and `is_here` whether a library holds it.

    `name` is that of its collection, empty where there is none any more. `is_overruled` says that the collection's
    block pins the item to the other side, and so wins. `place` is where that block begins.
    """

    collection: CollectionKey
    name: str
    key: ItemKey | None
    title: str
    include: bool
    origin: str
    because: str
    since: datetime | None = None
    is_here: bool = True
    is_overruled: bool = False
    place: str = ""

    @property
    def slug(self) -> Slug:
        """The slug of the collection."""
        return Slug(self.collection.removeprefix("show:"))


class Pinned(NamedTuple):
    """All pins: those that can be released come first, the latest first, then those of the blocks."""

    rows: Sequence[PinRow]

    def of(self, origin: str = "", collection: str = "") -> Sequence[PinRow]:
        """The pins of one origin, of one collection, or of all."""
        return [row for row in self.rows if origin in ("", row.origin) and collection in ("", row.collection)]

    @property
    def by_origin(self) -> Mapping[str, int]:
        """How many there are of each origin."""
        return Counter(row.origin for row in self.rows)

    @property
    def names(self) -> Mapping[CollectionKey, str]:
        """The names of the collections that have pins, by their keys."""
        found = {row.collection: row.name or row.collection for row in self.rows}
        return dict(sorted(found.items(), key=lambda each: (each[1].casefold(), each[0])))


def pinned(index: Index, pins: Iterable[Pin]) -> Pinned:
    """All pins that there are."""
    collections = {each.key: each for each in index.collections}
    own = sorted(pins, key=lambda pin: pin.since, reverse=True)
    rows = [_row(index, pin, collections) for pin in own]
    return Pinned([*rows, *(row for each in index.collections for row in _in_block(index, each))])


def _row(index: Index, pin: Pin, collections: Mapping[CollectionKey, Collection]) -> PinRow:
    key = collection_key(kind_of(pin.key), pin.slug)
    collection, item = collections.get(key), index.item_of(pin.key)
    others = (collection.pins_out if pin.include else collection.pins_in) if collection else ()
    return PinRow(
        collection=key,
        name=collection.name if collection else "",
        key=pin.key,
        title=str(item) if item else pin.title or pin.key,
        include=pin.include,
        origin=pin.origin,
        because=pin.because,
        since=pin.since,
        is_here=item is not None,
        is_overruled=item is not None and any(ref.names(item) for ref in others),
    )


def _in_block(index: Index, collection: Collection) -> Iterator[PinRow]:
    sides = ((True, collection.pins_in, Cause.PINNED_IN), (False, collection.pins_out, Cause.PINNED_OUT))
    if not any(refs for _, refs, _ in sides):
        return
    gated = [(pair.cause, pair.item) for pair in index.pairs(collection.key)]
    for include, refs, cause in sides:
        for ref in refs:
            item = next((each for found, each in gated if found is cause and ref.names(each)), None)
            yield PinRow(
                collection=collection.key,
                name=collection.name,
                key=item.key if item else None,
                title=str(item) if item else ref.shown or ref.text,
                include=include,
                origin=BLOCK,
                because="in the block",
                is_here=item is not None,
                place=f"{collection.source}:{collection.line}",
            )
