"""What the caller of a run asks for, and how it watches the run's steps."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from kometa_ai.core.movie import TmdbId


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """One run's options; `collections` are names or slugs, empty for all of them.

    With `movies` a run is about these only: no other movie is asked about or touched, and nothing is remembered that
    only a run of the whole library can know. Nobody waits for a run that is `unattended`. `ask_again` names requests
    whose verdicts are asked for again, or says `given-up` for the questions that are not asked any more.

    `allow_removals` lifts the brake for removals; `accept_library` believes a library that has shrunk, or lost the
    names of its tags, this once.
    """

    dry_run: bool = False
    collections: tuple[str, ...] = ()
    movies: frozenset[TmdbId] = frozenset()
    force_refresh: bool = False
    ask_again: tuple[str, ...] = ()
    allow_removals: bool = False
    accept_library: bool = False
    batch_size: int = 50
    unattended: bool = False


class Step(StrEnum):
    """The steps of a run, as they are shown."""

    FETCHING = "Fetching the library"
    LOADING = "Loading the collections"
    PLANNING = "Planning the questions"
    ASKING = "Asking Claude"
    LOOKING_AGAIN = "Looking again at the borderline"
    DECIDING = "Deciding"
    PLANNING_TAGS = "Planning the tags"
    WRITING = "Applying the changes"
    REPORTING = "Reporting"


class Observer(Protocol):
    """What watches a run: a terminal, a log, a page."""

    def step(self, name: str) -> None:
        """A step begins."""
        ...

    def total(self, what: str, count: int) -> None:
        """So many things are about to be done: `movies` whose credits are fetched, `questions` to be answered."""
        ...

    def advance(self, what: str, count: int) -> None:
        """So many of them are done."""
        ...


class NullObserver:
    """Watches nothing."""

    def step(self, name: str) -> None:
        """See Observer."""

    def total(self, what: str, count: int) -> None:
        """See Observer."""

    def advance(self, what: str, count: int) -> None:
        """See Observer."""
