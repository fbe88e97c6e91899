from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kometa_ai.core.decision import EXCLUDED, Verdict
from kometa_ai.judging.policy import is_member, pick, settle
from tests.judging.making import collection, settled, verdict

STEPS = [step / 20 for step in range(21)]
_confidences = st.sampled_from(STEPS)
_thresholds = st.sampled_from([step / 100 for step in range(101)])
_verdicts = st.builds(verdict, _confidences, include=st.booleans()) | st.just(EXCLUDED)
_near = st.builds(verdict, st.sampled_from([0.65, 0.7, 0.75]), include=st.booleans())


@pytest.mark.parametrize(
    ("confidence", "include", "member"),
    [(0.7, True, True), (0.65, True, False), (0.95, True, True), (0.95, False, False), (0.0, False, False)],
)
@pytest.mark.parametrize("second_look", [False, True])
def test_first_verdict_counts_as_it_is(confidence: float, include: bool, member: bool, second_look: bool) -> None:  # noqa: FBT001 - cases
    """In if `include` and `confidence >= threshold`, whichever look it was."""
    assert settled(verdict(confidence, include=include), second_look=second_look).member is member


@pytest.mark.parametrize(
    ("confidence", "due"), [(0.55, "none"), (0.6, "due"), (0.7, "due"), (0.8, "due"), (0.85, "none")]
)
@pytest.mark.parametrize("include", [True, False])
def test_second_look_is_due_within_a_tenth(confidence: float, due: str, include: bool) -> None:  # noqa: FBT001 - cases
    """A verdict within 0.1 of the threshold is due for a second look, both ends included; others are not."""
    assert settled(verdict(confidence, include=include)).second_look == due


@given(_verdicts, _verdicts)
def test_second_look_is_final(first: Verdict, second: Verdict) -> None:
    """After a second look none is due, whatever it said."""
    assert settled(second, settled(first), second_look=True).second_look == "done"


@given(_near, _verdicts, _verdicts)
def test_first_look_is_kept_with_the_second(first: Verdict, second: Verdict, third: Verdict) -> None:
    """A decision of a second look tells what the first had said; one of a first look has nothing to tell."""
    looked = settled(first)
    final = settled(second, looked, second_look=True)
    assert (looked.first, looked.first_include) == (None, True)
    assert (final.first, final.first_include) == (first.confidence, first.include)
    # Two verdicts of one second look, and new data after it.
    again = settled(third, final, second_look=True)
    assert (again.first, again.first_include) == (first.confidence, first.include)
    assert settled(third, final, metadata_hash="new data").first is None


def test_a_changed_prompt_forgets_the_first_look() -> None:
    """What was said of another prompt is no first look of this one."""
    edited = collection(prompt="Darker.")
    assert settled(verdict(0.7), settled(verdict(0.65)), edited, second_look=True).first is None


def test_a_decision_without_a_second_look_is_written_as_before() -> None:
    """The fields of the first look are written only where there was a second one."""
    looked = settled(verdict(0.7))
    assert "first" not in msgspec.to_builtins(looked)
    assert msgspec.to_builtins(settled(verdict(0.7), looked, second_look=True))["first"] == 0.7


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.1])
def test_excluded_movie_needs_no_second_look(threshold: float) -> None:
    """What Claude only named as excluded has no confidence of its own, so it is near no threshold, and out."""
    decision = settled(EXCLUDED, by=collection(confidence_threshold=threshold))
    assert (decision.second_look, decision.member) == ("none", False)


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        (0.9, 0.65, True),
        (0.9, 0.6, False),
        (0.9, 0.2, False),
        (0.9, 0.7, True),
        (0.2, 0.75, False),
        (0.2, 0.8, True),
        (0.2, 0.95, True),
        (0.2, 0.65, False),
    ],
)
def test_standing_membership_flips_only_beyond_a_tenth(before: float, said: float, *, after: bool) -> None:
    """With changed data, or a forced question, a membership flips when both looks are 0.1 or more beyond."""
    standing = settled(verdict(before))
    first = settled(verdict(said), standing, metadata_hash="new data")
    final = settled(verdict(said), first, second_look=True) if first.second_look == "due" else first
    assert final.member is after


def test_standing_member_named_as_excluded_is_out() -> None:
    """Exclusion is as decisive as can be, and needs no second look."""
    decision = settled(EXCLUDED, settled(verdict(0.95)))
    assert (decision.member, decision.second_look) == (False, "none")


@given(_verdicts, _verdicts)
def test_after_a_changed_prompt_the_verdict_counts_as_it_is(old: Verdict, new: Verdict) -> None:
    """A changed prompt knows no standing membership, not even in the second look that follows."""
    edited = collection(prompt="Darker.")
    decision = settled(new, settled(old), edited)
    assert decision.member is (new.include and new.confidence >= 0.7)
    if decision.second_look == "due":
        for said in (0.65, 0.7, 0.75):
            assert settled(verdict(said), decision, edited, second_look=True).member is (said >= 0.7)


def test_membership_does_not_move_before_its_second_look() -> None:
    """A first look exactly 0.1 beyond is due for a second: until that has come, what stood stays, so nothing flaps."""
    standing = settled(verdict(0.95))
    first = settled(verdict(0.6), standing, metadata_hash="new data")
    assert (first.second_look, first.member) == ("due", True)
    assert settled(verdict(0.65), first, second_look=True).member is True
    assert settled(verdict(0.6), first, second_look=True).member is False


@given(st.lists(st.tuples(_near, st.booleans()), min_size=1, max_size=8), _verdicts)
def test_wobbling_near_the_threshold_never_flips(said: list[tuple[Verdict, bool]], start: Verdict) -> None:
    """However often the question is forced or the data change, verdicts within 0.1 move no standing membership."""
    decision = settled(start)
    assume(decision.second_look == "none")
    for number, (new, is_forced) in enumerate(said):
        decision = settled(new, decision, metadata_hash=decision.metadata_hash if is_forced else f"data {number}")
        assert decision.member is (start.include and start.confidence >= 0.7)
        if decision.second_look == "due":
            decision = settled(new, decision, second_look=True)


@given(_verdicts, st.lists(_near, min_size=1, max_size=4))
def test_first_look_carried_out_is_a_standing_membership(first: Verdict, later: list[Verdict]) -> None:
    """A first look whose second one had to wait put its movie in or out; new data do not flip that by a wobble."""
    decision = settled(first)
    member = decision.member
    for number, said in enumerate(later):
        decision = settled(said, decision, metadata_hash=f"data {number}")
        assert decision.member is member


@given(_verdicts, _verdicts, _verdicts)
def test_membership_moves_at_most_once_for_the_same_inputs(old: Verdict, first: Verdict, second: Verdict) -> None:
    """From what stood, over the first look, to the second: a membership never goes and comes back."""
    standing = settled(old)
    assume(standing.second_look == "none")
    looked = settled(first, standing, metadata_hash="new data")
    path = [standing.member, looked.member]
    if looked.second_look == "due":
        path.append(settled(second, looked, metadata_hash="new data", second_look=True).member)
    assert sum(one is not other for one, other in pairwise(path)) <= 1


@given(_verdicts, _thresholds, _thresholds)
def test_threshold_change_is_judged_from_the_stored_confidence(said: Verdict, old: float, new: float) -> None:
    """Another threshold asks nothing: the stored verdict is judged again; back at the old one all is as it was."""
    assume(old != new)
    decision = settled(said, by=collection(confidence_threshold=old))
    assert is_member(decision, collection(confidence_threshold=new)) is (said.include and said.confidence >= new - 1e-9)
    assert is_member(decision, collection(confidence_threshold=old)) is decision.member


def test_second_look_after_a_threshold_change_protects_what_stands_now() -> None:
    """A member at 0.7 that an edited threshold of 0.8 has put out stays out in its second look."""
    stood = settled(verdict(0.95))
    first = settled(verdict(0.75), stood, metadata_hash="new data")
    assert (first.second_look, first.member) == ("due", True)
    edited = collection(confidence_threshold=0.8)
    assert not is_member(first, edited)
    assert settled(verdict(0.75), first, edited, second_look=True).member is False


@pytest.mark.parametrize(("threshold", "before", "said", "after"), [(0.95, 0.2, 1.0, True), (0.05, 0.9, 0.0, False)])
def test_certainty_is_always_enough(threshold: float, before: float, said: float, *, after: bool) -> None:
    """Where no confidence can be 0.1 beyond the threshold, 0 and 1 flip a membership: no movie is locked in or out."""
    strict = collection(confidence_threshold=threshold)
    first = settled(verdict(said), settled(verdict(before), by=strict), strict, metadata_hash="new data")
    assert settled(verdict(said), first, strict, second_look=True).member is after


@given(_verdicts, _verdicts, _verdicts, _thresholds)
@example(verdict(0.9), verdict(0.6), verdict(0.8), 0.7)
def test_outcome_agrees_with_the_verdict_unless_something_stood(
    old: Verdict, first: Verdict, second: Verdict, threshold: float
) -> None:
    """Whatever the sequence, the outcome is either what the last verdict says or what stood before."""
    rule = collection(confidence_threshold=threshold)
    standing = settled(old, by=rule)
    looked = settled(first, standing, rule, metadata_hash="new data")
    last, said = looked, first
    if looked.second_look == "due":
        last, said = settled(second, looked, rule, second_look=True), second
    assert last.member in (said.include and said.confidence >= threshold - 1e-9, standing.member)


def test_decision_says_what_it_was_made_from() -> None:
    """Tag, verdict, reason, model, time, threshold and both hashes are remembered."""
    decision = settled(verdict(0.95))
    assert (decision.tag, decision.include, decision.confidence, decision.reasoning) == (
        "KAI-noir",
        True,
        0.95,
        "So it is.",
    )
    assert (decision.metadata_hash, decision.prompt_hash) == ("data", collection().prompt_hash)
    assert (decision.model, decision.threshold) == ("claude-sonnet-5-5", 0.7)


def test_timestamp_is_utc() -> None:
    """Whatever clock the caller has, the decision's time is in UTC."""
    berlin = datetime(2026, 3, 1, 4, tzinfo=timezone(timedelta(hours=1)))
    decision = settle(verdict(0.9), None, collection(), second_look=False, metadata_hash="data", model="", now=berlin)
    assert decision.timestamp == berlin
    assert decision.timestamp.tzinfo is UTC


@pytest.mark.parametrize("standing", [True, False])
def test_pick(standing: bool) -> None:  # noqa: FBT001 - cases
    """Of two verdicts in one answer the higher confidence wins; equal ones keep what is."""
    yes, no = verdict(0.8), verdict(0.6, include=False)
    assert pick(yes, no, standing=standing) == pick(no, yes, standing=standing) == yes
    even_no = verdict(0.8, include=False)
    wanted = yes if standing else even_no
    assert pick(yes, even_no, standing=standing) == pick(even_no, yes, standing=standing) == wanted
