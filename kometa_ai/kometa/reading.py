"""One of Kometa's files as it was read; how Kometa finds an attribute, and reads tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.core.naming import Label, label_of
from kometa_ai.kometa.blocks import Block
from kometa_ai.kometa.document import Document, Key

if TYPE_CHECKING:
    from collections.abc import Mapping


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


def find(mapping: Mapping[Any, Any], name: str) -> object:
    """The key that spells this attribute, in whatever case."""
    return next((key for key in mapping if str(key).lower() == name), None)


def labels_in(value: object) -> list[Label]:
    """Tags as Kometa reads them: a list as it is, anything else as text cut at commas.

    What is nested is no tag. Its text is never made: a few aliases can make that longer than any memory.
    """
    if value is None:
        return []
    parts = value if isinstance(value, list) else [value] if isinstance(value, dict) else str(value).split(",")
    return [Label("") if isinstance(part, (dict, list)) else label_of(str(part)) for part in parts]
