"""Name a run's steps for users, and tell an `Observer` of steps and counts as they happen."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Step(StrEnum):
    """The steps of a run, as they are shown."""

    FETCHING = "Fetching the library"
    LOADING = "Loading the collections"
    PLANNING = "Planning the questions"
    ASKING = "Asking the model"
    LOOKING_AGAIN = "Looking again at the borderline"
    DECIDING = "Deciding"
    PLANNING_TAGS = "Planning the tags"
    WRITING = "Applying the changes"
    REPORTING = "Reporting"
    WAITING = "Waiting for a batch"


class Observer(Protocol):
    """What watches a run: a terminal, a log, a page."""

    def step(self, name: str) -> None:
        """A step begins."""
        ...

    def total(self, what: str, count: int) -> None:
        """`count` things are about to be done: `movies` whose credits are fetched, or `questions` to be answered."""
        ...

    def advance(self, what: str, count: int) -> None:
        """`count` more of them are done."""
        ...

    def cost(self, usd: float) -> None:
        """So much has the run cost so far."""
        ...


class NullObserver:
    """Watches nothing."""

    def step(self, name: str) -> None:
        """See Observer."""

    def total(self, what: str, count: int) -> None:
        """See Observer."""

    def advance(self, what: str, count: int) -> None:
        """See Observer."""

    def cost(self, usd: float) -> None:
        """See Observer."""
