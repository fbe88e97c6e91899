"""Describe what one run did, as data that e-mail, terminal and API show."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from kometa_ai.core.audit import Audit
from kometa_ai.core.changes import TagChange
from kometa_ai.core.collection import collection_key
from kometa_ai.core.item import KINDS, ItemKey, dated, name_item
from kometa_ai.core.item import Kind as ItemKind
from kometa_ai.core.moment import Moment
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.problem import Problem

Outcome = Literal[
    "ok",
    "problems",
    "library unusable",
    "waiting",
    "radarr unusable",
    "model unusable",
    "claude unusable",
    "state unusable",
    "wrong configuration",
    "interrupted",
]
"""How a run ended. `radarr unusable` is in kept reports of versions that knew no other library.

`claude unusable` is what versions that knew no other model wrote; see `name_outcome`.
"""


Kind = Literal["run", "undo"]


def name_outcome(record: msgspec.Struct, outcome: str) -> None:
    """Give a frozen record of an earlier version's run the outcome that it has now; for `__post_init__`."""
    if outcome == "claude unusable":
        msgspec.structs.force_setattr(record, "outcome", "model unusable")


class MovieLine(msgspec.Struct, frozen=True, kw_only=True):
    """A movie or show in a report, with the reason if there is one.

    `libraries` are the names of those in which it was changed, where there are several of its kind. A change that waits
    for a person does so `until` then, told in the operator's zone.
    """

    title: str
    year: int
    key: ItemKey = ItemKey("")
    tmdb_id: int = 0
    libraries: tuple[str, ...] = ()
    reason: str = ""
    until: Moment | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        name_item(self, self.key, self.tmdb_id)

    def __str__(self) -> str:
        return dated(self.title, self.year)

    @property
    def waits(self) -> str:
        """`until 2026-03-09`: the day from which a change no longer waits for a person; empty where none does."""
        return f"until {self.until:%Y-%m-%d}" if isinstance(self.until, datetime) else ""

    @property
    def where(self) -> str:
        """`(radarr-4k)`, to be put behind the title; empty where there is one library of its kind."""
        return f"({', '.join(self.libraries)})" if self.libraries else ""


class LibraryLine(msgspec.Struct, frozen=True, kw_only=True):
    """A library of a run: how many items it lists, or `error`: why it could not be used and was left alone."""

    name: str
    title: str
    kind: ItemKind
    items: int = 0
    error: str = ""


COST_DIGITS = 9
"""Of a sum in USD: what is beyond comes of adding, not of a price."""


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Requests to models and their tokens."""

    requests: int = 0
    input: int = 0
    cache_write: int = 0
    cache_read: int = 0
    output: int = 0


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens used and their cost, in a calendar month (`2026-03`) if one is named.

    `cost_usd` leaves out requests to models without a known price. With `unclear_requests` it is a lower bound: their
    answers did not arrive completely, yet they may be billed.
    """

    month: str = ""
    tokens: Tokens = Tokens()
    cost_usd: float = 0.0
    unpriced_requests: int = 0
    unclear_requests: int = 0

    def __add__(self, other: Spending) -> Spending:
        return self._with(other, 1)

    def __sub__(self, other: Spending) -> Spending:
        return self._with(other, -1)

    def _with(self, other: Spending, sign: Literal[1, -1]) -> Spending:
        tokens = {
            name: getattr(self.tokens, name) + sign * getattr(other.tokens, name) for name in Tokens.__struct_fields__
        }
        return Spending(
            month=self.month,
            tokens=Tokens(**tokens),
            cost_usd=round(self.cost_usd + sign * other.cost_usd, COST_DIGITS),
            unpriced_requests=self.unpriced_requests + sign * other.unpriced_requests,
            unclear_requests=self.unclear_requests + sign * other.unclear_requests,
        )


class CollectionReport(msgspec.Struct, frozen=True, kw_only=True):
    """One collection. `members` counts after the changes; `pending` questions wait for the next run.

    `held_back` are all changes that the safety brake holds back, `held_back_additions` the additions among them.
    `in_review` are those that wait for a person (`REVIEW`), `began_to_wait` counts those that wait since this run.
    `pinned_in` and `pinned_out` are hand edits that have become pins: a person put the tag on or took it off.

    `seconds` is the sum over its requests, although they run concurrently. `untold` says why Kometa is not told when
    it changes; see `Collection`.
    """

    name: str
    slug: str
    kind: ItemKind = "movie"
    kind_because: str = ""
    tag: str
    members: int
    added: tuple[MovieLine, ...] = ()
    removed: tuple[MovieLine, ...] = ()
    held_back: tuple[MovieLine, ...] = ()
    held_back_additions: tuple[MovieLine, ...] = ()
    in_review: tuple[MovieLine, ...] = ()
    in_review_additions: tuple[MovieLine, ...] = ()
    began_to_wait: int = 0
    failed: tuple[MovieLine, ...] = ()
    pinned_in: tuple[MovieLine, ...] = ()
    pinned_out: tuple[MovieLine, ...] = ()
    asked: int = 0
    pending: int = 0
    reasons: dict[str, int] = {}
    tokens: Tokens = Tokens()
    cost_usd: float = 0.0
    seconds: float = 0.0
    untold: str = ""

    @property
    def key(self) -> CollectionKey:
        """What tells the collection from all others."""
        return collection_key(self.kind, self.slug)

    @property
    def held_back_removals(self) -> tuple[MovieLine, ...]:
        """The items that the brake keeps in the collection."""
        return _without(self.held_back, self.held_back_additions)

    @property
    def in_review_removals(self) -> tuple[MovieLine, ...]:
        """The items that stay in the collection until a person has looked, or the time is over."""
        return _without(self.in_review, self.in_review_additions)


def _without(lines: tuple[MovieLine, ...], others: tuple[MovieLine, ...]) -> tuple[MovieLine, ...]:
    keys = {line.key for line in others}
    return tuple(line for line in lines if line.key not in keys)


class Orphan(msgspec.Struct, frozen=True, kw_only=True):
    """A tag on items that no collection manages: its collection is gone, disabled, or has another tag now."""

    name: str
    kind: ItemKind = "movie"
    tag: str
    members: int
    why: str
    remedy: str = ""


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run. In a dry run `added` and `removed` say what would change. `month` is the month's spending so far.

    `only_movies` is the number of items of a run that was not about all of them, and `only_items` counts them by kind;
    `only_collections` are the collections of one that was not about all. `library` counts the items of all libraries,
    each once, and `items` counts them by kind; older reports know movies alone, and no such counts. A run of the kind
    `undo` takes back the run `undoes`.
    `audit` is the audit that followed it, if one did; its cost is in that of the run.
    """

    run_id: str
    version: str
    started: Moment
    finished: Moment
    dry_run: bool
    outcome: Outcome
    exit_code: int
    kind: Kind = "run"
    undoes: str = ""
    only_movies: int | None = None
    only_items: dict[ItemKind, int] = {}
    only_collections: tuple[str, ...] = ()
    library: int = 0
    items: dict[ItemKind, int] = {}
    libraries: tuple[LibraryLine, ...] = ()
    collections: tuple[CollectionReport, ...] = ()
    orphans: tuple[Orphan, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    tokens: Tokens = Tokens()
    cost_usd: float = 0.0
    unpriced_requests: int = 0
    unclear_requests: int = 0
    month: Spending | None = None
    decisions_by_other_models: int = 0
    changes: tuple[TagChange, ...] = ()
    next_run: Moment | None = None
    audit: Audit | None = None

    def __post_init__(self) -> None:
        name_outcome(self, self.outcome)

    @property
    def kinds(self) -> tuple[ItemKind, ...]:
        """The kinds of items that the run knew of: those of its libraries and of its collections."""
        named: tuple[LibraryLine | CollectionReport | Orphan, ...] = (
            *self.libraries,
            *self.collections,
            *self.orphans,
        )
        known = {each.kind for each in named}
        return tuple(kind for kind in KINDS if kind in known) or KINDS[:1]

    @property
    def left_alone(self) -> tuple[str, ...]:
        """The titles of the libraries that could not be used."""
        return tuple(each.title for each in self.libraries if each.error)

    @property
    def added(self) -> int:
        """How many items were added to collections; one that several libraries hold counts once."""
        return sum(len(collection.added) for collection in self.collections)

    @property
    def removed(self) -> int:
        """How many items were removed from collections."""
        return sum(len(collection.removed) for collection in self.collections)

    @property
    def held_back(self) -> int:
        """The number of changes that the safety brake holds back."""
        return sum(len(collection.held_back) for collection in self.collections)

    @property
    def held_back_additions(self) -> int:
        """The number of additions that the safety brake holds back."""
        return sum(len(collection.held_back_additions) for collection in self.collections)

    @property
    def in_review(self) -> int:
        """The number of changes that wait for a person."""
        return sum(len(collection.in_review) for collection in self.collections)

    @property
    def in_review_additions(self) -> int:
        """The number of additions that wait for a person."""
        return sum(len(collection.in_review_additions) for collection in self.collections)

    @property
    def began_to_wait(self) -> int:
        """The number of changes that wait for a person since this run."""
        return sum(collection.began_to_wait for collection in self.collections)

    @property
    def failed(self) -> int:
        """The number of changes that a library did not confirm."""
        return sum(len(collection.failed) for collection in self.collections)

    @property
    def asked(self) -> int:
        """The number of verdicts received; a second look is one more."""
        return sum(collection.asked for collection in self.collections)

    @property
    def pending(self) -> int:
        """The number of questions left for the next run."""
        return sum(collection.pending for collection in self.collections)
