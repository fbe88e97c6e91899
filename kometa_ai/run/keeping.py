"""Record in the state what a run learns, the moment it learns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kometa_ai.asking.ending import StateUnwritable
from kometa_ai.core.problem import Problem
from kometa_ai.errors import RepairState

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.asking.ending import Course
    from kometa_ai.state.schema import Entry
    from kometa_ai.state.store import Store


class Keep(Protocol):
    """Records what a step has learned."""

    def __call__(self, *entries: Entry) -> bool:
        """Record entries, and return whether the state can be written."""
        ...


class Keeper:
    """Records entries. A state that cannot be written is reported once and ends the asking, not the run.

    Answers that cannot be kept would be paid for twice; what is known already can still be acted upon.
    """

    def __init__(self, store: Store, course: Course) -> None:
        self._store = store
        self._course = course
        self.is_unwritable = False

    def record(self, *entries: Entry) -> tuple[Problem, ...]:
        """Record entries, and return the problem where that fails for the first time."""
        return self._try(lambda: self._store.record(*entries))

    def require_room(self) -> tuple[Problem, ...]:
        """Before anything is asked, look whether answers could be kept; return the problem as `record` does."""
        return self._try(self._store.require_room)

    def _try(self, step: Callable[[], None]) -> tuple[Problem, ...]:
        try:
            step()
        except RepairState as error:
            told = () if self.is_unwritable else (Problem(source="state", what=error.message, remedy=error.remedy),)
            self.is_unwritable = True
            self._course.end(StateUnwritable())
            return told
        return ()
