from __future__ import annotations

import math
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.changes import Change, TagPlan
from kometa_ai.core.decision import Cause, Remembered, decision_of
from kometa_ai.core.item import ItemKey, movie_key
from kometa_ai.core.naming import CollectionKey, Label, Slug
from kometa_ai.judging.policy import Gates, Membership
from kometa_ai.tags.plan import NO_ADDITION_LIMIT, NO_BRAKE, Brake, Review, group, plan_tags
from tests.judging.making import NOW, movie, named, settled, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kometa_ai.core.movie import Movie
    from kometa_ai.library.port import Operation

NAMES = ("Noir", "Heist", "Crime")
COLLECTIONS = [named(name) for name in NAMES]
MANAGED = {collection.label for collection in COLLECTIONS}
# Ours, other people's, hand-made ones with our prefix, and one that only begins like ours.
LABELS = ["kai-noir", "kai-heist", "kai-crime", "kai-by-hand", "kai-noir-2", "favourites", "4k"]
OFF = Brake(100, frozenset())

_ids = st.integers(1, 12)
_sets = st.frozensets(_ids.map(movie_key))
_memberships = st.fixed_dictionaries(
    {CollectionKey(name.lower()): st.builds(Membership, members=_sets, undecided=_sets) for name in NAMES}
)
_movies = st.dictionaries(_ids, st.frozensets(st.sampled_from(LABELS))).map(
    lambda found: [movie(number, *labels) for number, labels in found.items()]
)
_brakes = st.builds(Brake, st.integers(0, 100), st.frozensets(st.sampled_from(["noir", "heist"]).map(CollectionKey)))


def _carried_out(movies: Iterable[Movie], changes: Iterable[Change]) -> list[Movie]:
    labels = {found.key: set(found.labels) for found in movies}
    for change in changes:
        of_movie = labels[change.movie.key]
        assert (change.label in of_movie) is (change.operation == "remove")
        (of_movie.add if change.operation == "add" else of_movie.remove)(change.label)
    return [msgspec.structs.replace(found, labels=frozenset(labels[found.key])) for found in movies]


@given(_memberships, _movies, _sets, _brakes)
def test_plan_carried_out_leaves_nothing_to_do(
    memberships: dict[CollectionKey, Membership], movies: list[Movie], judged: frozenset[ItemKey], brake: Brake
) -> None:
    """Carrying a plan out and planning again changes nothing, whatever the brake; held-back removals stay held back."""
    plan = plan_tags(COLLECTIONS, memberships, movies, judged, brake)
    after = _carried_out(movies, plan.changes)
    assert plan_tags(COLLECTIONS, memberships, after, judged, OFF).changes == tuple(
        msgspec.structs.replace(change, movie=next(m for m in after if m.key == change.movie.key))
        for change in plan.held_back
    )


@given(_memberships, _movies, _sets, _brakes)
def test_only_labels_of_the_collections_are_touched(
    memberships: dict[CollectionKey, Membership], movies: list[Movie], judged: frozenset[ItemKey], brake: Brake
) -> None:
    """Other labels stay, hand-made ones with the prefix included."""
    plan = plan_tags(COLLECTIONS[:2], memberships, movies, judged, brake)
    assert {change.label for change in (*plan.changes, *plan.held_back)} <= {"kai-noir", "kai-heist"}
    after = _carried_out(movies, plan.changes)
    for before, now in zip(movies, after, strict=True):
        assert before.labels - {"kai-noir", "kai-heist"} == now.labels - {"kai-noir", "kai-heist"}


@given(_memberships, _movies, _sets)
def test_decided_movies_are_as_decided_and_others_as_they_were(
    memberships: dict[CollectionKey, Membership], movies: list[Movie], judged: frozenset[ItemKey]
) -> None:
    """Who is decided has the tag just if it belongs; who is undecided, or was not there when judged, never changes."""
    plan = plan_tags(COLLECTIONS, memberships, movies, judged, OFF)
    for before, now in zip(movies, _carried_out(movies, plan.changes), strict=True):
        for collection in COLLECTIONS:
            membership = memberships[collection.key]
            key = before.key
            is_decided = key in judged and key not in membership.undecided
            wanted = key in membership.members if is_decided else collection.label in before.labels
            assert (collection.label in now.labels) is wanted


@pytest.mark.parametrize(
    ("members", "leaving", "percent", "held"),
    [
        (100, 26, 25, True),
        (100, 25, 25, False),
        (24, 6, 25, False),
        (23, 6, 25, True),
        (5, 5, 25, False),
        (6, 6, 25, True),
        (6, 6, 100, False),
        (1000, 5, 0, False),
        (1000, 6, 0, True),
    ],
)
def test_brake(members: int, leaving: int, percent: int, *, held: bool) -> None:
    """More than the limit, and more than five: none of the removals is made, all additions are."""
    movies = [movie(number, "kai-noir") for number in range(members)] + [movie(5000)]
    stay = frozenset(map(movie_key, [*range(leaving, members), 5000]))
    memberships = {CollectionKey("noir"): Membership(members=stay, undecided=frozenset())}
    judged = {found.key for found in movies}
    plan = plan_tags(COLLECTIONS[:1], memberships, movies, judged, Brake(percent, frozenset()))
    assert len(plan.held_back) == (leaving if held else 0)
    assert [change.operation for change in plan.changes] == ["add"] + ["remove"] * (0 if held else leaving)
    released = plan_tags(COLLECTIONS[:1], memberships, movies, judged, Brake(percent, {CollectionKey("noir")}))
    assert released.held_back == ()


@pytest.mark.parametrize(
    ("members", "joining", "percent", "held"),
    [
        (10, 21, 100, True),
        (10, 20, 100, False),
        (30, 30, 100, False),
        (30, 31, 100, True),
        (100, 60, 50, True),
        (1, 500, NO_ADDITION_LIMIT, False),
        (0, 500, 100, False),
        (0, 500, 0, False),
    ],
)
def test_addition_brake(members: int, joining: int, percent: int, *, held: bool) -> None:
    """More than the limit, and more than twenty: no addition is made, all removals are; an empty one has none."""
    tagged = [movie(number, "kai-noir") for number in range(members)]
    movies = [*tagged, *(movie(number) for number in range(1000, 1000 + joining))]
    belonging = frozenset(found.key for found in movies[1 if members else 0 :])
    memberships = {CollectionKey("noir"): Membership(members=belonging, undecided=frozenset())}
    judged = {found.key for found in movies}
    brake = NO_BRAKE._replace(percent=percent)

    def planned(brake: Brake, chosen: frozenset[ItemKey] = frozenset()) -> tuple[int, int, int]:
        plan = plan_tags(
            COLLECTIONS[:1], memberships, movies, judged, OFF, additions=brake, chosen={CollectionKey("noir"): chosen}
        )
        operations = [change.operation for change in plan.changes]
        return operations.count("add"), operations.count("remove"), len(plan.held_back)

    leaving = min(members, 1)
    all_made = (joining, leaving, 0)
    none_added = (0, leaving, joining)
    assert planned(brake) == (none_added if held else all_made)
    assert planned(brake._replace(released={CollectionKey("noir")})) == all_made
    assert planned(brake, chosen=belonging) == all_made
    is_on = members and percent != NO_ADDITION_LIMIT
    assert planned(brake._replace(tight={CollectionKey("noir")})) == (none_added if is_on else all_made)


def test_brake_holds_one_collection_and_not_another() -> None:
    """Each collection is weighed for itself, against its own members."""
    movies = [movie(number, "kai-noir") for number in range(10)] + [movie(n, "kai-heist") for n in range(10, 15)]
    nobody = Membership(members=frozenset(), undecided=frozenset())
    judged = {found.key for found in movies}
    memberships = {collection.key: nobody for collection in COLLECTIONS[:2]}
    plan = plan_tags(COLLECTIONS[:2], memberships, movies, judged, Brake(25, set()))
    assert {change.slug for change in plan.held_back} == {"noir"}
    assert {change.slug for change in plan.changes} == {"heist"}


# Review


def _review(memory: dict[ItemKey, Remembered], *operations: Operation, **fields: Any) -> Review:
    usual: dict[str, Any] = {
        "length": timedelta(days=7),
        "now": NOW,
        "decision_of": partial(decision_of, memory),
        "gates": {},
    }
    return Review(frozenset(operations), **usual | fields)


def _remembered(confidence: float, *numbers: int) -> dict[ItemKey, Remembered]:
    decision = settled(verdict(confidence, include=confidence >= 0.7))
    return {movie_key(number): Remembered(collections={Slug("noir"): decision}) for number in numbers}


def _planned(numbers: int, review: Review, *, brake: Brake = OFF) -> tuple[int, int, int]:
    """What becomes of that many removals from ten: made, held back, waiting."""
    movies = [movie(number, "kai-noir") for number in range(10)]
    stay = frozenset(map(movie_key, range(numbers, 10)))
    memberships = {CollectionKey("noir"): Membership(members=stay, undecided=frozenset())}
    plan = plan_tags(COLLECTIONS[:1], memberships, movies, {each.key for each in movies}, brake, review=review)
    return len(plan.changes), len(plan.held_back), len(plan.in_review)


def test_brake_counts_what_waits() -> None:
    """Three clear and three close removals of ten are six, and all held; five are let go but for those that wait."""
    brake = Brake(25, frozenset())
    review = _review(_remembered(0.65, 3, 4, 5), "remove")

    assert _planned(6, review, brake=brake) == (0, 6, 0)
    assert _planned(5, review, brake=brake) == (3, 0, 2)
    assert _planned(5, _review(_remembered(0.65, 3, 4, 5), "add"), brake=brake) == (5, 0, 0)


@given(st.sampled_from([step / 20 for step in range(21)]), st.integers(0, 10))
def test_close_and_young_changes_wait(confidence: float, days: int) -> None:
    """A change waits while its verdict is within 0.1 of the threshold and younger than seven days, and not longer."""
    review = _review(_remembered(confidence, 0), "remove", now=NOW + timedelta(days=days))

    waits = 0.6 <= confidence <= 0.8 and days < 7
    assert _planned(1, review) == ((0, 0, 1) if waits else (1, 0, 0))


def test_what_a_pin_or_a_tag_decides_does_not_wait() -> None:
    """Gated movies, movies out of the collection's scope, and those without a verdict change at once."""
    close = _remembered(0.65, 0)
    for gates in (Gates(causes={movie_key(0): Cause.EXCLUDE_TAG}), Gates(scope=frozenset())):
        assert _planned(1, _review(close, "remove", gates={CollectionKey("noir"): gates})) == (1, 0, 0)
    assert _planned(1, _review({movie_key(0): Remembered()}, "remove")) == (1, 0, 0)
    assert _planned(1, _review({}, "remove")) == (1, 0, 0)


def test_removals_from_a_library_that_a_collection_is_not_for_do_not_wait() -> None:
    """There it has no members, whatever the verdicts say: the user has written so."""
    elsewhere = named("Noir", libraries=frozenset({"radarr-4k"}))
    movies = [movie(0, "kai-noir")]
    nobody = Membership(members=frozenset(), undecided=frozenset())
    review = _review(_remembered(0.65, 0), "remove")

    plan = plan_tags([elsewhere], {elsewhere.key: nobody}, movies, {movie_key(0)}, OFF, review=review)

    assert (len(plan.changes), plan.in_review) == (1, ())


def test_movie_in_many_collections() -> None:
    """Joining one collection never takes a movie out of another."""
    everywhere = Membership(members=frozenset({movie_key(1)}), undecided=frozenset())
    memberships = {collection.key: everywhere for collection in COLLECTIONS}
    plan = plan_tags(COLLECTIONS, memberships, [movie(1, "kai-noir")], {movie_key(1)}, OFF)
    assert {(change.label, change.operation) for change in plan.changes} == {("kai-heist", "add"), ("kai-crime", "add")}


# Grouping


_pairs = st.frozensets(st.tuples(st.integers(1, 40), st.sampled_from(sorted(MANAGED))), max_size=120)


def _changes(pairs: Iterable[tuple[int, str]], operation: str = "add") -> list[Change]:
    return [
        Change(
            movie=movie(number),
            slug=Slug(label.removeprefix("kai-")),
            label=Label(label),
            operation=operation,  # type: ignore[arg-type]  # one of the two
        )
        for number, label in pairs
    ]


@given(_pairs, _pairs, st.integers(1, 20))
def test_groups_cover_each_change_once_and_nothing_else(
    added: frozenset[tuple[int, str]], removed: frozenset[tuple[int, str]], size: int
) -> None:
    """What the calls do to movies and labels, all of them taken together, is exactly the plan; additions come first."""
    changes = [*_changes(added), *_changes(removed - added, "remove")]
    edits = group(changes, size)
    done = [(edit.operation, found.key, label) for edit in edits for found in edit.movies for label in edit.labels]
    assert sorted(done) == sorted((change.operation, change.movie.key, change.label) for change in changes)
    assert sorted(map(repr, (change for edit in edits for change in edit.changes))) == sorted(map(repr, changes))
    assert all(0 < len(edit.movies) <= size for edit in edits)
    assert [edit.operation for edit in edits] == sorted(edit.operation for edit in edits)


@given(_pairs, st.sampled_from(["add", "remove"]), st.integers(1, 20))
def test_group_needs_few_calls(pairs: frozenset[tuple[int, str]], operation: str, size: int) -> None:
    """For T additions (or removals) in C collections at most ceil(T / size) + C calls."""
    used = len({label for _, label in pairs})
    assert len(group(_changes(pairs, operation), size)) <= math.ceil(len(pairs) / size) + used


def test_group_few_movies_in_many_collections() -> None:
    """A new movie that belongs to every collection is one call, not one for each."""
    changes = _changes((number, label) for number in range(3) for label in sorted(MANAGED))
    assert [(len(edit.movies), len(edit.labels)) for edit in group(changes, 100)] == [(3, 3)]


def test_group_nothing() -> None:
    """No changes, no calls."""
    assert group(TagPlan().changes, 100) == []
