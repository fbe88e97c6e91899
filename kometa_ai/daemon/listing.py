"""Define as data what lists and pages show of collections and items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args

import msgspec

from kometa_ai.core.choice import Said
from kometa_ai.core.decision import Cause, Decision
from kometa_ai.core.item import ItemKey, Kind, kind_of, number_of
from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.naming import CollectionKey, Label, Slug
from kometa_ai.core.problem import Problem
from kometa_ai.daemon.past import ItemChange
from kometa_ai.judging.review import Held

ListName = Literal["members", "near", "entered", "left", "pinned", "tag", "unjudged", "all"]
LISTS: tuple[ListName, ...] = get_args(ListName)
SortName = Literal["confidence", "title", "year", "changed"]

State = Literal["on", "waiting", "off", "skipped", "without library", "gone"]
"""What a collection is: `on`; `waiting` for a library that could not be read or is not there; switched `off`;
`skipped` because of a problem; on, but of a kind `without library`; or `gone` from Kometa's folder."""

STEPS = 21
"""The steps of a histogram, from 0 to 1."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many items there are of each sort.

    `members` are as decided, `pending` wait for a verdict, `tag` are those that a tag decides, and `held_back` those
    whose change the brake would hold back.
    """

    members: int = 0
    tagged: int = 0
    pending: int = 0
    near: int = 0
    pinned: int = 0
    tag: int = 0
    unjudged: int = 0
    held_back: int = 0


class CollectionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A collection in a list. `why` says why it takes no part, where it does not.

    `source` and `line` say where its block begins. `progress` is how far the last run came with it.
    """

    key: CollectionKey
    slug: Slug
    kind: Kind
    name: str
    tag: Label
    state: State
    why: str = ""
    threshold: float | None = None
    priority: int = 0
    source: str = ""
    line: int = 0
    counts: Counts = Counts()
    progress: str = ""
    last_run: datetime | None = None
    problems: tuple[Problem, ...] = ()


class CollectionPage(CollectionLine, frozen=True, kw_only=True):
    """A collection by itself.

    `members_by_confidence` and `others_by_confidence` count verdicts with a confidence of their own by its 21 steps,
    from 0 to 1. `of_another_prompt` counts decisions that were made by another prompt than the present one.
    """

    prompt: str = ""
    prompt_hash: str = ""
    libraries: tuple[str, ...] = ()
    include_tags: tuple[Label, ...] = ()
    exclude_tags: tuple[Label, ...] = ()
    members_by_confidence: tuple[int, ...] = (0,) * STEPS
    others_by_confidence: tuple[int, ...] = (0,) * STEPS
    of_another_prompt: int = 0


class PinShown(msgspec.Struct, frozen=True, kw_only=True):
    """A pin, and where it comes from: the `block`, or how a person made it, who, when, and against which verdict.

    `because` says that in words.
    """

    include: bool
    origin: str
    by: str = ""
    since: datetime | None = None
    said: Said | None = None
    because: str = "in the block"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An item's place in a collection. `belongs` is None while undecided: then the tags stay as they are.

    `cause` says why: a pin, a tag (`deciding_tags`), or the verdict. `waits_for` says what is still to come: the reason
    of an open question, `batch`, and for the change of its tag `tag` (the next run makes it), `brake` or `review`.
    `changed` is when a run that is kept last changed the tag, and `run_id` which. `include` and `confidence` are the
    model's verdict, and `first_confidence` is that of the first look, where the verdict is the second's.
    """

    belongs: bool | None
    is_tagged: bool
    cause: Cause
    deciding_tags: tuple[Label, ...] = ()
    include: bool | None = None
    confidence: float | None = None
    threshold: float
    reason: str = ""
    model: str = ""
    decided: datetime | None = None
    second_look: str = ""
    first_confidence: float | None = None
    metadata_hash: str = ""
    prompt_hash: str = ""
    waits_for: tuple[str, ...] = ()
    pin: PinShown | None = None
    changed: datetime | None = None
    run_id: str = ""


class ItemInCollection(Place, frozen=True, kw_only=True):
    """An item in the list of a collection."""

    key: ItemKey
    tmdb_id: int
    title: str
    year: int


class CollectionOfItem(Place, frozen=True, kw_only=True):
    """A collection on the page of an item."""

    collection: CollectionKey
    name: str
    slug: Slug
    tag: Label


class ListedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item in a list. `collections` are those that it belongs to, as decided."""

    key: ItemKey
    tmdb_id: int
    title: str
    year: int
    imdb_id: str
    libraries: tuple[str, ...]
    collections: tuple[CollectionKey, ...]


class ItemPage(msgspec.Struct, frozen=True, kw_only=True):
    """An item, what is known of it, its place in each collection of its kind, and its changes, the newest first.

    One that has left the libraries has `gone_since`, or no `libraries`, and only what is remembered of it.
    """

    key: ItemKey
    tmdb_id: int
    title: str
    year: int
    imdb_id: str = ""
    plot: str = ""
    genres: tuple[str, ...] = ()
    directors: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    network: str = ""
    libraries: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    gone_since: str = ""
    collections: tuple[CollectionOfItem, ...] = ()
    history: tuple[ItemChange, ...] = ()


class Pair(NamedTuple):
    """An item and a collection, for those who compute over all of them: what decides, and whether it has the tag.

    The decision has no reason and names no request: both are on the disk. `tags` are the labels that decide, where a
    tag does, and `held` is a change that a run would not make.
    """

    item: AnyItem
    decision: Decision | None
    cause: Cause
    belongs: bool | None
    is_tagged: bool
    is_asked: bool = False
    tags: tuple[Label, ...] = ()
    held: Held | None = None


class Found(NamedTuple):
    """One page of a list, and how many there are in all."""

    items: Sequence[msgspec.Struct]
    total: int


def tmdb_id_of(key: ItemKey) -> int:
    """A movie's number at TMDb; 0 for a show, which has another."""
    return number_of(key) if kind_of(key) == "movie" else 0
