"""Tag changes: planned, made, and held back by the safety brake."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from kometa_ai.core.movie import Movie, TmdbId
from kometa_ai.core.naming import Label, Slug


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A planned change: add a collection's tag to one movie, or remove it."""

    movie: Movie
    slug: Slug
    collection_name: str = ""
    label: Label
    operation: Literal["add", "remove"]


class TagChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change that was made, as it is remembered."""

    at: datetime
    run_id: str
    tmdb_id: TmdbId
    title: str
    year: int
    collection: Slug
    tag: Label
    operation: Literal["add", "remove"]
    undoes: str = ""


class TagPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The changes to make, and those that the safety brake holds back: additions as well as removals."""

    changes: tuple[Change, ...] = ()
    held_back: tuple[Change, ...] = ()
