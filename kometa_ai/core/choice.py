"""Describe what people decide about an item and a collection: pins and dismissals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from kometa_ai.core.item import ItemKey, name_item
from kometa_ai.core.moment import Moment
from kometa_ai.core.naming import Slug
from kometa_ai.core.saying import verdict

if TYPE_CHECKING:
    from kometa_ai.core.decision import Memory

Origin = Literal["undo", "review", "page", "command line", "api", "hand edit"]
"""Where a person made a pin. A hand edit is made in Radarr or Sonarr themselves."""

ReviewKind = Literal["held back", "wants to leave", "looks disagree", "tag against verdict", "close call"]
"""Why a pair wants a person, the most urgent first."""

REVIEW_KINDS: tuple[ReviewKind, ...] = get_args(ReviewKind)

Pair = tuple[ItemKey, Slug]
"""An item and a collection of its kind, to which a choice belongs."""

_MADE: dict[Origin, str] = {
    "undo": "by an undo",
    "review": "in review",
    "page": "on the page",
    "command line": "on the command line",
    "api": "by the API",
    "hand edit": "by hand in the library",
}


class Said(msgspec.Struct, frozen=True):
    """What the model's verdict was when a person chose."""

    include: bool
    confidence: float


def said_of(memory: Memory, key: ItemKey, slug: Slug) -> Said | None:
    """What the model's verdict about a pair is now, if there is one."""
    known = memory.get(key)
    decision = known.collections.get(slug) if known else None
    return Said(decision.include, decision.confidence) if decision else None


class Pin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person's choice that an item is in a collection or out of it; it holds until it is released.

    `by` names who chose, where that is known. `run_id` is the run that made the pin: an undo, or the run that found a
    hand edit. `title` has the year with it. Pins of before there were origins are those of undos.
    """

    key: ItemKey
    tmdb_id: int = 0
    slug: Slug
    include: bool
    title: str = ""
    imdb_id: str = ""
    since: Moment
    origin: Origin = "undo"
    by: str = ""
    said: Said | None = None
    run_id: str = ""

    def __post_init__(self) -> None:
        name_item(self, self.key, self.tmdb_id)

    @property
    def pair(self) -> Pair:
        """What the pin is about."""
        return self.key, self.slug

    @property
    def because(self) -> str:
        """`by anna in review, 2026-03-03; the model had been for it with 0.72`.

        The threshold of then is not known: it may have been for it, and not surely enough.
        """
        made = f"by {self.by} {_MADE[self.origin]}" if self.by and self.origin != "undo" else _MADE[self.origin]
        because = f"{made}, {self.since:%Y-%m-%d}"
        if self.said is None:
            return because
        said = verdict(include=self.said.include, confidence=self.said.confidence)
        return f"{because}; the model had been {said}"


class Dismissal(msgspec.Struct, frozen=True, kw_only=True):
    """A person's choice to leave a pair to the model: review does not show it again while its inputs are the same.

    It hides the pair as long as it is shown for this `kind` or a less urgent one.
    """

    key: ItemKey
    slug: Slug
    kind: ReviewKind
    metadata_hash: str
    prompt_hash: str
    at: Moment
    by: str = ""

    @property
    def pair(self) -> Pair:
        """What the dismissal is about."""
        return self.key, self.slug


Reply = Literal["in", "out", "leave"]
"""A person's answer in review: the item belongs, it does not, or the model may decide."""

ANSWERS_KEPT = 1000
"""So many answers can be sent again without harm, and be taken back."""


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer that became a choice, by the id that its sender gave it, and what had been chosen before it."""

    id: str
    key: ItemKey
    slug: Slug
    reply: Reply = msgspec.field(name="answer")
    at: Moment
    pin: Pin | None = None
    dismissal: Dismissal | None = None

    @property
    def pair(self) -> Pair:
        """What the answer is about."""
        return self.key, self.slug


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """All choices that are kept beside the state; there is at most one pin and one dismissal for a pair.

    `answers` are the last ones of the review, in the order in which they came.

    Pins in Kometa's files are not among them: they belong to the blocks, and win over these.
    """

    pins: tuple[Pin, ...] = ()
    dismissals: tuple[Dismissal, ...] = ()
    answers: tuple[Answered, ...] = ()

    def with_pins(self, *pins: Pin) -> Choices:
        """The same with these pins, each in the place of an older pin or dismissal of its pair."""
        new = {pin.pair: pin for pin in pins}
        kept = tuple(pin for pin in self.pins if pin.pair not in new)
        left = tuple(each for each in self.dismissals if each.pair not in new)
        return msgspec.structs.replace(self, pins=(*kept, *new.values()), dismissals=left)

    def without_pins(self, *pins: Pin) -> Choices:
        """The same without the pins of these pairs."""
        gone = {pin.pair for pin in pins}
        return msgspec.structs.replace(self, pins=tuple(pin for pin in self.pins if pin.pair not in gone))
