"""One of Kometa's files as it was read, with its blocks."""

from __future__ import annotations

import msgspec

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.kometa.blocks import Block
from kometa_ai.kometa.document import Document, Key


class Place(msgspec.Struct, frozen=True):
    """A block, the key that it stands above, and what it says."""

    key: Key
    block: Block
    collection: Collection | OtherCollection


class Reading(msgspec.Struct, frozen=True):
    """One file as it was read, with its blocks."""

    source: str
    document: Document
    places: tuple[Place, ...] = ()
