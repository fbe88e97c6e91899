"""Choose second looks: how near the threshold a verdict must be, how many movies a request has, which model. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.decision import ROUNDING, Reason
from kometa_ai.core.item import order_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.core.decision import Decision, Verdict
    from kometa_ai.core.item import ItemKey

SECOND_LOOK_SIZE = 15
"""Movies in one request of a second look, at most."""

NEAR = 0.1
"""A verdict whose confidence is this close to the threshold is due for a second look.

A wider band reaches new verdicts only: whether a verdict is due is remembered with it. How far beyond the threshold one
must be to flip a membership is another matter, and in `judging.policy`.
"""


class Models(NamedTuple):
    """Which model is asked first, and which for the second look."""

    first: str
    review: str

    def asked_for(self, *, second_look: bool) -> str:
        """The model that a question goes to."""
        return self.review if second_look else self.first


def is_near(confidence: float, threshold: float) -> bool:
    """Whether a confidence is within 0.1 of the threshold, both ends included."""
    return abs(confidence - threshold) <= NEAR + ROUNDING


def is_close_call(decision: Decision, threshold: float) -> bool:
    """Whether a remembered verdict is within 0.1 of the threshold. One of 0 says nothing of how near it is."""
    return decision.confidence > 0 and is_near(decision.confidence, threshold)


def needs_second_look(verdict: Verdict, threshold: float) -> bool:
    """Whether a first look's verdict is due for a second one: it was written out, and is near the threshold."""
    return verdict.listed and is_near(verdict.confidence, threshold)


def is_due(decision: Decision, threshold: float) -> bool:
    """Whether a remembered decision still waits for its second look at the threshold that the collection has now."""
    return decision.second_look == "due" and is_near(decision.confidence, threshold)


def due_now(questions: Mapping[ItemKey, Reason]) -> list[ItemKey]:
    """The movies of one collection that a second look is due for, in order of their ids."""
    return sorted((key for key, reason in questions.items() if reason is Reason.SECOND_LOOK), key=order_of)
