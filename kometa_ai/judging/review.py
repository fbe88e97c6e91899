"""Find the decisions that want a person, and in which order: the review queue. It is computed, never stored. Pure.

Why: docs/decisions/0022-review.md
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from kometa_ai.core.choice import REVIEW_KINDS, Pair, ReviewKind
from kometa_ai.core.decision import Cause, Decision, reaches
from kometa_ai.core.item import order_of
from kometa_ai.judging.looks import is_close_call
from kometa_ai.judging.policy import is_beyond

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from kometa_ai.core.choice import Dismissal
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import Label

RECENTLY = timedelta(days=7)
"""So long a removal that was made wants a person."""
FOR_LONG = timedelta(days=30)
"""So long an item must have been in for that."""

_PINNED = frozenset({Cause.PINNED_IN, Cause.PINNED_OUT})


class Moved(NamedTuple):
    """A tag that was put on or taken off in a library."""

    pair: Pair
    library: str
    at: datetime
    operation: Literal["add", "remove"]


class Held(NamedTuple):
    """A change that is wanted and not made: the brake holds it back, or it waits for a person `until` then."""

    operation: Literal["add", "remove"]
    until: datetime | None = None


class Case(NamedTuple):
    """An item and a collection as they stand now, and what is about to happen or has happened to them.

    `belongs` is what was decided (None while undecided), and `cause` is what decides it. `decision` is remembered, and
    need not decide. `tags` are the labels of other collections that decide, where one does. `is_asked` says that a
    question about the pair is open. `held` is a change that is not made yet, and `left` when an item was taken out that
    had been in for long. `is_tagged` says whether it has the tag now, where that is known.
    """

    key: ItemKey
    collection: Collection
    decision: Decision | None
    cause: Cause
    belongs: bool | None
    is_asked: bool = False
    tags: tuple[Label, ...] = ()
    held: Held | None = None
    left: datetime | None = None
    is_tagged: bool | None = None

    @property
    def pair(self) -> Pair:
        """What a choice about it names."""
        return self.key, self.collection.slug

    @property
    def inputs(self) -> tuple[str, str]:
        """What a choice is made from: the hashes of the metadata that were judged last, if any, and of the prompt."""
        return self.decision.metadata_hash if self.decision else "", self.collection.prompt_hash


class Wanting(NamedTuple):
    """A case that wants a person, and why."""

    kind: ReviewKind
    case: Case

    @property
    def if_nothing_is_done(self) -> str:
        """What becomes of it without a choice. Days are those of `held.until` in its own zone."""
        held, case = self.case.held, self.case
        if held is not None and held.until is None:
            stays = "in" if held.operation == "remove" else "out"
            return f"it stays {stays}, until the brake lets the collection's {_SIDES[held.operation]} through"
        if held is not None and held.until is not None:
            goes = "leaves" if held.operation == "remove" else "comes in"
            return f"it {goes} with the first run from {held.until:%Y-%m-%d} on"
        if self.kind == "tag against verdict":
            return f"it stays {_side(case.belongs)}, as long as it has {' or '.join(case.tags)}"
        if case.belongs is not None and case.is_tagged is not None and case.belongs is not case.is_tagged:
            return f"it {'comes in' if case.belongs else 'leaves'} with the next run"
        return f"it stays {_side(case.belongs)}"


_SIDES = {"add": "additions", "remove": "removals"}


def _side(belongs: bool | None) -> str:  # noqa: FBT001 - the outcome
    return "in" if belongs else "out"


def queue(cases: Iterable[Case], dismissals: Iterable[Dismissal] = ()) -> list[Wanting]:
    """The cases that want a person, the most urgent kind first, each once under that kind.

    Close calls come nearest to the threshold first, all others by collection and item. The cases may leave out pairs
    that have neither a confidence, nor a tag that decides, nor a change that is held or was made: none of these wants
    anybody.
    """
    dismissed = {each.pair: each for each in dismissals}
    found = [
        Wanting(kind, case)
        for case in cases
        if (kind := kind_of_case(case)) is not None and not is_dismissed(case, kind, dismissed)
    ]
    return sorted(found, key=_urgency)


def kind_of_case(case: Case) -> ReviewKind | None:
    """The most urgent kind of a case; None where it wants no person.

    A pinned one does not, since a person has spoken, and one with an open question does not, since the model has not.
    """
    if case.cause in _PINNED or case.is_asked:
        return None
    if case.held is not None and case.held.until is None:
        return "held back"
    if (case.held is not None and case.held.operation == "remove") or (case.left is not None and not case.belongs):
        return "wants to leave"
    return _kind_of_verdict(case, case.decision) if case.decision is not None else None


def _kind_of_verdict(case: Case, decision: Decision) -> ReviewKind | None:
    threshold = case.collection.confidence_threshold
    if decision.prompt_hash != case.collection.prompt_hash:
        return None  # a tag or the libraries decide, and the model was not asked by this prompt
    says = _is_in(decision.include, decision.confidence, threshold)
    if case.cause is not Cause.VERDICT:
        is_clear = is_beyond(decision.confidence, threshold)
        return "tag against verdict" if case.tags and is_clear and says is not case.belongs else None
    if decision.first is not None and _is_in(decision.first_include, decision.first, threshold) is not says:
        return "looks disagree"
    return "close call" if is_close_call(decision, threshold) else None


def _is_in(include: bool, confidence: float, threshold: float) -> bool:  # noqa: FBT001 - a verdict
    return include and reaches(confidence, threshold)


def is_dismissed(case: Case, kind: ReviewKind, dismissals: Mapping[Pair, Dismissal]) -> bool:
    """Whether a person has left the case to the model, for this kind or a more urgent one, and its inputs are the same.

    What was dismissed as a close call still shows when it is held back or wants to leave one day.
    """
    dismissal = dismissals.get(case.pair)
    if dismissal is None or (dismissal.metadata_hash, dismissal.prompt_hash) != case.inputs:
        return False
    return REVIEW_KINDS.index(kind) >= REVIEW_KINDS.index(dismissal.kind)


def _urgency(wanting: Wanting) -> tuple[object, ...]:
    kind, case = wanting
    away = 0.0
    if kind == "close call" and case.decision is not None:
        away = round(abs(case.decision.confidence - case.collection.confidence_threshold), 9)
    return REVIEW_KINDS.index(kind), away, case.collection.key, order_of(case.key)


def long_standing_that_left(moves: Iterable[Moved], now: datetime) -> dict[Pair, datetime]:
    """When the pairs left that had been in for 30 days or more, of those that left in the last 7 days.

    What was put on before the record begins was there for longer than is known, which counts as long.
    """
    came: dict[tuple[Pair, str], datetime] = {}
    left: dict[tuple[Pair, str], datetime] = {}
    for pair, library, at, operation in sorted(moves, key=lambda move: move.at):
        place = (pair, library)
        left.pop(place, None)
        if operation == "add":
            came[place] = at
        elif (since := came.pop(place, None)) is None or at - since >= FOR_LONG:
            left[place] = at
    return {pair: at for (pair, _), at in left.items() if now - at <= RECENTLY}
