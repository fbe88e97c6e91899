"""Verdicts (the model's), decisions (ours), pins (a person's), and the reasons for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

import msgspec

from kometa_ai.core.movie import Credits, TmdbId
from kometa_ai.core.naming import Slug

ROUNDING = 1e-9
"""How far confidences and thresholds may differ and still count as equal: binary fractions have no 0.7."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the model said about one movie and one collection.

    `confidence` is that of belonging, 0 to 1. A movie the model only named as excluded is not `listed`: it has
    neither a confidence of its own nor a reason.
    """

    include: bool
    confidence: float
    reason: str = ""
    listed: bool = True


EXCLUDED = Verdict(include=False, confidence=0.0, listed=False)


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is remembered about one movie and one collection: the verdict, what it was made from, what followed.

    `member` is the outcome at `threshold`, hysteresis included. The hashes name the inputs. `second_look` is `due`
    while a verdict near the threshold has not been looked at again, and `done` when it has; while it is due,
    `standing` says which membership stood before, if one did, for the hysteresis of that second look.

    `request` names the request that brought the verdict (see `request_id`).

    In JSON everything but these last three is always there: a default that a factory makes is not omitted.
    """

    tag: str
    include: bool
    confidence: float
    timestamp: datetime
    member: bool = msgspec.field(default_factory=bool)
    threshold: float = msgspec.field(default_factory=lambda: 0.7)
    metadata_hash: str
    prompt_hash: str
    model: str = msgspec.field(default_factory=str)
    reasoning: str = msgspec.field(default_factory=str)
    second_look: Literal["none", "due", "done"] = "none"
    standing: bool | None = None
    request: str = ""


TRIES = 3
"""A question that in so many runs has brought no verdict is not asked again until something changes."""


class Unjudged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """In how many runs in a row a question made from these inputs has brought no verdict of this model.

    The model is not known where it was not written down yet.
    """

    runs: int
    metadata_hash: str
    prompt_hash: str
    model: str = ""


def request_id(movies: Iterable[TmdbId], slug: Slug) -> str:
    """The name of a request: eight characters for the movies that it is about in their order, four for the collection.

    It follows from what is asked, so that a batch need not remember it, and one name serves all collections that were
    asked about the same movies: its first part.
    """
    block = hashlib.sha256(",".join(map(str, movies)).encode()).hexdigest()[:8]
    return f"{block}-{hashlib.sha256(slug.encode()).hexdigest()[:4]}"


class Reason(StrEnum):
    """Why there is a question. One that is given up has no verdict, but is not asked either."""

    NEW = "new"
    MOVIE_CHANGED = "movie changed"
    PROMPT_CHANGED = "prompt changed"
    FORCED = "forced"
    ASKED_AGAIN = "asked again"
    SECOND_LOOK = "second look"
    GIVEN_UP = "given up"

    @property
    def is_asked_first(self) -> bool:
        """Whether the first model is asked. A second look goes to another, and what is given up to none."""
        return self is not Reason.SECOND_LOOK and self is not Reason.GIVEN_UP


class Cause(StrEnum):
    """Why a movie is in or out of a collection."""

    PINNED_IN = "pinned in"
    PINNED_OUT = "pinned out"
    EXCLUDE_TAG = "exclude tag"
    INCLUDE_TAG = "include tag"
    VERDICT = "verdict"
    UNDECIDED = "undecided"


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A person's choice that outlives runs: what an undo put back stays put back until it is released."""

    tmdb_id: int
    slug: Slug
    include: bool
    title: str = ""
    imdb_id: str = ""
    since: datetime


class Remembered(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is remembered of one movie, whatever Radarr calls it today.

    `facts_hash` is the metadata hash without credits: while it stays, known credits stay. `metadata_hash` is the hash
    with them, as last seen. `credits` is None until Radarr was asked; an empty one is an answer too. `gone_since` is
    the day of the first library read without the movie. `unjudged` counts questions that bring no verdict.
    """

    title: str = ""
    year: int = 0
    metadata_hash: str = msgspec.field(default_factory=str)
    facts_hash: str = ""
    credits: Credits | None = None
    last_seen: date | None = None
    gone_since: date | None = None
    unjudged: dict[Slug, Unjudged] = {}
    collections: dict[Slug, Decision] = msgspec.field(default_factory=lambda: {})  # noqa: PIE807 - dict is omitted


Memory = Mapping[TmdbId, Remembered]
