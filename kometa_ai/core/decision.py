"""Describe verdicts (the model's), decisions (ours), and the reasons for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Literal

import msgspec

from kometa_ai.core.item import ItemKey, short_name
from kometa_ai.core.moment import Moment
from kometa_ai.core.movie import Credits
from kometa_ai.core.naming import Slug

ROUNDING = 1e-9
"""Tolerance in comparisons of confidences with thresholds: binary fractions cannot represent 0.7."""


def reaches(confidence: float, threshold: float) -> bool:
    """Whether a confidence is at or above the threshold, up to rounding."""
    return confidence >= threshold - ROUNDING


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the model said about one movie and one collection.

    `confidence` (0 to 1) is the confidence that the movie belongs. A movie that the answer merely names as excluded is
    not `listed`: it has neither a confidence of its own nor a reason.
    """

    include: bool
    confidence: float
    reason: str = ""
    listed: bool = True


EXCLUDED = Verdict(include=False, confidence=0.0, listed=False)


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the state keeps about one movie and one collection: the verdict, its inputs, and the outcome.

    `member` is the outcome at `threshold`, after hysteresis. The hashes identify the inputs. `second_look` is `due`
    until a verdict near the threshold has been checked, then `done`. While it is due, `standing` is the membership from
    before (None if there was none), which the hysteresis of the second look needs.

    `request` names the request that brought the verdict (see `request_id`).

    `first` is the confidence of the first look, where this is the verdict of the second, and `first_include` what it
    said. Decisions of older versions do not know it.

    JSON always contains the fields up to `reasoning`: msgspec does not omit a default that a factory makes.
    """

    tag: str
    include: bool
    confidence: float
    timestamp: Moment
    member: bool = msgspec.field(default_factory=bool)
    threshold: float = msgspec.field(default_factory=lambda: 0.7)
    metadata_hash: str
    prompt_hash: str
    model: str = msgspec.field(default_factory=str)
    reasoning: str = msgspec.field(default_factory=str)
    second_look: Literal["none", "due", "done"] = "none"
    standing: bool | None = None
    request: str = ""
    first: float | None = None
    first_include: bool = True


TRIES = 3
"""After this many runs without a verdict, a question is not asked again until one of its inputs changes."""


class Unjudged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """In how many consecutive runs a question with these inputs brought no verdict from this model.

    `model` is empty in states that were written before it was recorded.
    """

    runs: int
    metadata_hash: str
    prompt_hash: str
    model: str = ""


def request_id(movies: Iterable[ItemKey], slug: Slug) -> str:
    """The name of a request: eight hex digits for its movies in their order, a hyphen, four for its collection.

    It is derived from what is asked, so a batch need not store it. All requests about the same movies share the first
    part, so one name serves all their collections.
    """
    block = hashlib.sha256(",".join(map(short_name, movies)).encode()).hexdigest()[:8]
    return f"{block}-{hashlib.sha256(slug.encode()).hexdigest()[:4]}"


class Reason(StrEnum):
    """Why a movie and a collection need a verdict. A question that is given up has none and is not asked either."""

    NEW = "new"
    MOVIE_CHANGED = "movie changed"
    PROMPT_CHANGED = "prompt changed"
    FORCED = "forced"
    ASKED_AGAIN = "asked again"
    SECOND_LOOK = "second look"
    GIVEN_UP = "given up"

    @property
    def is_asked_first(self) -> bool:
        """Whether the first model is asked. A second look goes to the review model, a question given up to none."""
        return self is not Reason.SECOND_LOOK and self is not Reason.GIVEN_UP


class Cause(StrEnum):
    """Why a movie is in or out of a collection."""

    PINNED_IN = "pinned in"
    PINNED_OUT = "pinned out"
    EXCLUDE_TAG = "exclude tag"
    INCLUDE_TAG = "include tag"
    VERDICT = "verdict"
    UNDECIDED = "undecided"


class Remembered(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the state keeps about one movie, even when Radarr changes its title.

    `facts_hash` is the metadata hash without credits: while it is unchanged, the stored credits stay valid.
    `metadata_hash` includes the credits, as last seen. `credits` is None until Radarr was asked; an empty value is an
    answer. `gone_since` is the day when the library was first read without the movie. `unjudged` counts runs without a
    verdict.
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


Memory = Mapping[ItemKey, Remembered]


def decision_of(memory: Memory, key: ItemKey, slug: Slug) -> Decision | None:
    """What is remembered of an item and a collection of its kind."""
    known = memory.get(key)
    return known.collections.get(slug) if known else None
