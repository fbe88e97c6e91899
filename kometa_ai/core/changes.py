"""Describe tag changes: planned, made, and held back by the safety brake."""

from __future__ import annotations

from typing import Literal

import msgspec

from kometa_ai.core.collection import collection_key
from kometa_ai.core.item import ItemKey, kind_of, name_item
from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.moment import Moment
from kometa_ai.core.naming import CollectionKey, Label, Slug


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A planned change in a library: add a collection's tag to one movie, or remove it."""

    movie: AnyItem
    slug: Slug
    collection_name: str = ""
    label: Label
    library: str = "radarr"
    operation: Literal["add", "remove"]

    @property
    def collection(self) -> CollectionKey:
        """The collection whose tag it is."""
        return collection_key(kind_of(self.movie.key), self.slug)


class TagChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change that was made in a library, as it is remembered. Reports of before there were names are Radarr's."""

    at: Moment
    run_id: str
    library: str = "radarr"
    key: ItemKey = ItemKey("")
    tmdb_id: int = 0
    title: str
    year: int
    collection: Slug
    tag: Label
    operation: Literal["add", "remove"]
    undoes: str = ""

    @property
    def collection_key(self) -> CollectionKey:
        """The collection whose tag it was."""
        return collection_key(kind_of(self.key), self.collection)

    def __post_init__(self) -> None:
        name_item(self, self.key, self.tmdb_id)


class Waiting(msgspec.Struct, frozen=True):
    """A change that waits for a person: since when it is wanted, and until when it waits. Then it is made unasked."""

    change: Change
    since: Moment
    until: Moment


class TagPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The changes to make, those that the safety brake holds back, and those that `REVIEW` lets wait for a person.

    All three hold additions as well as removals. `unshown` are not made because the run keeps to what a dry run has
    shown, and that did not show these.
    """

    changes: tuple[Change, ...] = ()
    held_back: tuple[Change, ...] = ()
    unshown: tuple[Change, ...] = ()
    in_review: tuple[Waiting, ...] = ()
