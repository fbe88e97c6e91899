"""Who would be in at another threshold: the same functions as in a run, for as few collections as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.decision import Remembered
from kometa_ai.core.naming import Label
from kometa_ai.judging.looks import Models
from kometa_ai.judging.planning import subjects_of
from kometa_ai.judging.policy import members_as_seen
from kometa_ai.judging.stages import Known, walk
from kometa_ai.judging.whatif import Step, compare, histogram, opened, verdicts_that_count, with_followers

from .making import movie, named, settled, verdict

if TYPE_CHECKING:
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey

NAMES = ("A", "B", "C", "D")
STEPS = st.sampled_from([step / 20 for step in range(21)])
LABELS = st.frozensets(st.sampled_from([Label(f"kai-{name.lower()}") for name in NAMES] + [Label("kids")]), max_size=2)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Collection], Known]:
    """Four collections whose rules may name each other, and what is remembered of eight movies."""
    collections = [
        named(name, confidence_threshold=draw(STEPS), include_tags=draw(LABELS), exclude_tags=draw(LABELS))
        for name in NAMES
    ]
    items = [movie(number, *draw(LABELS)) for number in range(1, 9)]
    memory = {}
    for item in items:
        prints = subjects_of([item], {})[item.key].fingerprint
        decisions = {
            each.slug: settled(
                verdict(draw(STEPS), include=draw(st.booleans())),
                by=each,
                metadata_hash=prints.full,
                second_look=draw(st.booleans()),
            )
            for each in collections
            if draw(st.booleans())
        }
        memory[item.key] = Remembered(title=item.title, metadata_hash=prints.full, collections=decisions)
    return collections, Known(items, subjects_of(items, memory), memory, (), Models("one", "two"))


def members(collections: list[Collection], known: Known) -> dict[str, frozenset[ItemKey]]:
    """The members of every collection, as a run of all finds them before it asks."""
    found = {}
    items = {item.key: item for item in known.movies}
    for stage in walk(collections, collections, known):
        settled_now = stage.decide(stage.questions())
        for each in stage.chosen:
            found[each.name] = members_as_seen(each, settled_now.memberships[each.key], items)
    return found


@pytest.mark.no_cover
@given(worlds(), st.sampled_from(range(4)), STEPS)
def test_what_if_is_what_a_run_does(world: tuple[list[Collection], Known], number: int, threshold: float) -> None:
    """Whatever is named by whom: what is foretold is the difference between a run before the edit and one after it."""
    collections, known = world
    other = msgspec.structs.replace(collections[number], confidence_threshold=threshold)
    edited = [*collections[:number], other, *collections[number + 1 :]]
    before, after = members(collections, known), members(edited, known)

    moved = compare(collections[number], threshold, collections, collections, known).moved

    foretold = {key: (each.enter, each.leave) for key, each in moved.items()}
    assert foretold == {
        each.key: (after[each.name] - before[each.name], before[each.name] - after[each.name])
        for each in collections
        if after[each.name] != before[each.name]
    }


@pytest.mark.no_cover
@given(worlds(), st.sampled_from(range(4)))
def test_the_present_threshold_changes_nothing(world: tuple[list[Collection], Known], number: int) -> None:
    """At the threshold that a collection has nothing moves, and no question is opened."""
    collections, known = world

    compared = compare(collections[number], collections[number].confidence_threshold, collections, collections, known)

    assert compared.moved == {}
    assert not any(opened(each, compared) for each in compared.then.collections)


@pytest.mark.no_cover
@given(worlds(), st.sampled_from(range(4)))
def test_verdicts_that_count(world: tuple[list[Collection], Known], number: int) -> None:
    """The histogram holds each movie that is decided by its verdict, once, and no other."""
    collections, known = world
    one = collections[number]
    now = compare(one, 0.5, collections, collections, known).now

    steps = histogram(verdicts_that_count(one, now, known))

    gated = now.gates[one.key].causes.keys() | now.memberships[one.key].undecided
    assert sum(step.included + step.others for step in steps) == len(known.subjects.keys() - gated)


def test_steps_of_the_histogram() -> None:
    """Each verdict counts at the nearest step, on its side."""
    steps = histogram([(True, 0.7), (True, 0.701), (False, 0.7), (False, 0.0), (True, 1.0), (True, 1.2)])

    assert len(steps) == 21
    assert steps[14] == Step(0.7, 2, 1)
    assert (steps[0], steps[20]) == (Step(0.0, 0, 1), Step(1.0, 2, 0))


def test_followers() -> None:
    """Who names the tag follows, and who names the tag of a follower."""
    one, two, three = named("A"), named("B", include_tags=frozenset({Label("kai-a")})), named("C")
    four = named("D", exclude_tags=frozenset({Label("kai-b")}))

    assert [each.name for each in with_followers(one, [four, three, two, one])] == ["A", "B", "D"]
