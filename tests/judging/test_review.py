"""The review queue: what wants a person, in which order, each pair once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.choice import REVIEW_KINDS, Dismissal, ReviewKind
from kometa_ai.core.decision import Cause
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Label, Slug
from kometa_ai.judging.review import Case, Held, Moved, kind_of_case, long_standing_that_left, queue
from tests.judging.making import NOW, collection, named, settled, verdict

NOIR, HEIST = collection(), named("Heist", confidence_threshold=0.5)
STEPS = [step / 20 for step in range(21)]
DAY = timedelta(days=1)

_said = st.builds(verdict, st.sampled_from(STEPS), include=st.booleans())


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    of = draw(st.sampled_from([NOIR, HEIST]))
    decision = None
    if draw(st.booleans()):
        decision = settled(draw(_said), by=of)
        if decision.second_look == "due" and draw(st.booleans()):
            decision = settled(draw(_said), decision, of, second_look=True)
        if draw(st.integers(0, 5)) == 0:
            decision = msgspec.structs.replace(decision, prompt_hash="another")
    held = st.builds(Held, st.sampled_from(["add", "remove"]), st.none() | st.just(NOW + DAY))
    return Case(
        key=movie_key(draw(st.integers(1, 30))),
        collection=of,
        decision=decision,
        cause=draw(st.sampled_from(Cause)),
        belongs=draw(st.sampled_from([True, False, None])),
        is_asked=draw(st.integers(0, 5)) == 0,
        tags=draw(st.sampled_from([(), (Label("kai-crime"),)])),
        held=draw(st.none() | held),
        left=draw(st.sampled_from([None, None, NOW])),
    )


_lists = st.lists(_cases(), max_size=30, unique_by=lambda case: case.pair)


def dismissed(case: Case, kind: ReviewKind, **changes: str) -> Dismissal:
    """That a person has left a case to the model."""
    metadata_hash, prompt_hash = case.inputs
    fields: dict[str, Any] = {"metadata_hash": metadata_hash, "prompt_hash": prompt_hash, **changes}
    return Dismissal(key=case.key, slug=case.collection.slug, kind=kind, at=NOW, **fields)


def case(confidence: float, **fields: Any) -> Case:
    """A movie that a verdict decides, with the threshold at 0.7."""
    decision = settled(verdict(confidence))
    return Case(movie_key(1), NOIR, decision, Cause.VERDICT, decision.member)._replace(**fields)


@pytest.mark.no_cover
@given(_lists)
def test_each_pair_is_there_once_and_the_most_urgent_come_first(cases: list[Case]) -> None:
    """Kinds stand in their order, close calls nearest first, and no pair stands under two of them."""
    found = queue(cases)

    kinds = [REVIEW_KINDS.index(each.kind) for each in found]
    assert kinds == sorted(kinds)
    pairs = [each.case.pair for each in found]
    assert len(pairs) == len(set(pairs))
    away = [
        abs(each.case.decision.confidence - each.case.collection.confidence_threshold)
        for each in found
        if each.kind == "close call" and each.case.decision
    ]
    assert away == pytest.approx(sorted(away))
    assert all(distance <= 0.1 + 1e-9 for distance in away)


@pytest.mark.no_cover
@given(_lists, st.randoms())
def test_the_order_of_the_cases_does_not_matter(cases: list[Case], random: Any) -> None:
    """The same queue comes of the same cases, whichever way they are gone through."""
    mixed = list(cases)
    random.shuffle(mixed)
    assert queue(mixed) == queue(cases)


@pytest.mark.no_cover
@given(_lists)
def test_pinned_and_open_ones_never_want_anybody(cases: list[Case]) -> None:
    """A person has spoken, or the model has yet to."""
    for each in queue(cases):
        assert each.case.cause not in {Cause.PINNED_IN, Cause.PINNED_OUT}
        assert not each.case.is_asked
    pins = [each._replace(cause=Cause.PINNED_OUT) for each in cases]
    assert queue(pins) == []


@pytest.mark.no_cover
@given(_lists, st.sampled_from(REVIEW_KINDS))
def test_a_dismissal_hides_its_kind_and_the_less_urgent_ones(cases: list[Case], kind: ReviewKind) -> None:
    """What is more urgent still shows, and everything does again once its inputs are others."""
    found = queue(cases)
    hidden = queue(cases, [dismissed(each, kind) for each in cases])
    shown = [each for each in found if REVIEW_KINDS.index(each.kind) < REVIEW_KINDS.index(kind)]

    assert hidden == shown
    assert queue(cases, [dismissed(each, kind, metadata_hash="new data") for each in cases]) == found
    assert queue(cases, [dismissed(each, kind, prompt_hash="another") for each in cases]) == found


@pytest.mark.parametrize(("operation", "text"), [("remove", "it stays in, until"), ("add", "it stays out, until")])
def test_held_back(operation: Any, text: str) -> None:
    """What the brake holds comes first, whatever decides it, and stays as it is."""
    [found] = queue([case(0.95, cause=Cause.EXCLUDE_TAG, held=Held(operation), left=NOW)])
    assert (found.kind, found.if_nothing_is_done[: len(text)]) == ("held back", text)


def test_wants_to_leave() -> None:
    """A removal that waits tells the day; one that was made stays made; one that was taken back wants no person."""
    [waits] = queue([case(0.65, held=Held("remove", NOW + 7 * DAY))])
    [gone] = queue([case(0.2, left=NOW)])

    assert (waits.kind, waits.if_nothing_is_done) == (
        "wants to leave",
        "it leaves with the first run from 2026-03-08 on",
    )
    assert (gone.kind, gone.if_nothing_is_done) == ("wants to leave", "it stays out")
    assert queue([case(0.95, left=NOW)]) == []


def test_what_the_next_run_changes_is_not_said_to_stay() -> None:
    """A close call whose waiting is over leaves, or comes in, with the next run; what is tagged as decided stays."""
    [leaves] = queue([case(0.65, is_tagged=True)])
    [comes] = queue([case(0.75, is_tagged=False)])
    [stays] = queue([case(0.75, is_tagged=True)])

    assert leaves.if_nothing_is_done == "it leaves with the next run"
    assert comes.if_nothing_is_done == "it comes in with the next run"
    assert stays.if_nothing_is_done == "it stays in"


def test_an_addition_that_waits_is_the_close_call_that_it_is() -> None:
    """It stands among these, and says when it comes in."""
    [found] = queue([case(0.75, held=Held("add", NOW + 7 * DAY))])
    assert (found.kind, found.if_nothing_is_done) == ("close call", "it comes in with the first run from 2026-03-08 on")


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        (verdict(0.65), verdict(0.75), "looks disagree"),
        (verdict(0.7), verdict(0.65), "looks disagree"),
        (verdict(0.75, include=False), verdict(0.75), "looks disagree"),
        (verdict(0.75), verdict(0.95), None),
        (verdict(0.65), verdict(0.95), "looks disagree"),
        (verdict(0.75), verdict(0.7), "close call"),
    ],
)
def test_looks_disagree(first: Any, second: Any, kind: str | None) -> None:
    """Which side of the threshold each look is on counts, and whether it says that the movie belongs."""
    decision = settled(second, settled(first), second_look=True)
    assert kind_of_case(case(0.7, decision=decision, belongs=decision.member)) == kind


def test_looks_are_compared_at_the_present_threshold() -> None:
    """An edited threshold may make them agree."""
    decision = settled(verdict(0.75), settled(verdict(0.65)), second_look=True)
    assert kind_of_case(case(0.7, decision=decision, collection=collection(confidence_threshold=0.5))) is None


@pytest.mark.parametrize(
    ("confidence", "belongs", "tags", "wants"),
    [
        (0.8, False, ("kai-crime",), True),
        (0.75, False, ("kai-crime",), False),
        (0.8, False, (), False),
        (0.8, True, ("kai-crime",), False),
        (0.6, True, ("kai-crime",), True),
        (0.65, True, ("kai-crime",), False),
    ],
)
def test_tag_against_verdict(confidence: float, belongs: bool, tags: tuple[str, ...], wants: bool) -> None:  # noqa: FBT001 - cases
    """Only a tag of another collection, and only where the verdict is 0.1 beyond the threshold on the other side."""
    cause = Cause.INCLUDE_TAG if belongs else Cause.EXCLUDE_TAG
    found = queue([case(confidence, cause=cause, belongs=belongs, tags=tags)])
    assert [each.kind for each in found] == (["tag against verdict"] if wants else [])
    if wants:
        assert found[0].if_nothing_is_done == f"it stays {'in' if belongs else 'out'}, as long as it has kai-crime"


@pytest.mark.parametrize(("confidence", "is_close"), [(0.6, True), (0.55, False), (0.8, True), (0.85, False)])
def test_close_call(confidence: float, *, is_close: bool) -> None:
    """Within 0.1 of the threshold, both ends included."""
    assert kind_of_case(case(confidence)) == ("close call" if is_close else None)


def test_a_refusal_without_a_confidence_is_no_close_call() -> None:
    """Where the threshold is next to 0, what was merely named as excluded is not near it."""
    low = collection(confidence_threshold=0.05)
    decision = settled(verdict(0.0, include=False), by=low)
    assert kind_of_case(case(0.0, decision=decision, collection=low)) is None


def test_a_verdict_of_another_prompt_says_nothing() -> None:
    """A tag has decided since the prompt was edited: what was said before that is no contradiction."""
    old = msgspec.structs.replace(settled(verdict(0.95)), prompt_hash="another")
    assert kind_of_case(case(0.95, decision=old, belongs=False, cause=Cause.EXCLUDE_TAG, tags=("kai-crime",))) is None


PAIR = (movie_key(1), Slug("noir"))


@pytest.mark.parametrize(
    ("moves", "is_told"),
    [
        ([("remove", -1)], True),  # on since before the record began
        ([("add", -40), ("remove", -1)], True),
        ([("add", -31), ("remove", -1)], True),
        ([("add", -30), ("remove", -1)], False),
        ([("add", -60), ("remove", -8)], False),
        ([("add", -60), ("remove", -2), ("add", -1)], False),
        ([("add", -60), ("remove", -3), ("add", -2), ("remove", -1)], False),
        ([("add", -60)], False),
    ],
)
def test_what_was_in_for_long_and_left(moves: list[tuple[Any, int]], *, is_told: bool) -> None:
    """A removal of the last seven days of what was in for thirty or more, unless it is back; in any order."""
    record = [Moved(PAIR, "radarr", NOW + days * DAY, operation) for operation, days in moves]
    expected = {PAIR: record[-1].at} if is_told else {}
    assert long_standing_that_left(record, NOW) == long_standing_that_left(reversed(record), NOW) == expected


def test_libraries_are_told_apart() -> None:
    """What left one library after long is told, although another got it a day ago."""
    record = [Moved(PAIR, "radarr", NOW - DAY, "remove"), Moved(PAIR, "radarr-4k", NOW - 2 * DAY, "add")]
    assert long_standing_that_left(record, NOW) == {PAIR: NOW - DAY}
