"""Warn where Kometa would not do what the blocks are written for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.collection import Collection, OtherCollection
    from kometa_ai.core.problem import Problem
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


def advise(
    readings: Sequence[Reading], collections: Sequence[Collection], others: Sequence[OtherCollection]
) -> tuple[Problem, ...]:
    """Every warning about these files, in order of file and line."""
    del readings, collections, others
    return ()
