"""Which differences between how a run left a library and what it is now are a person's doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.collection import ItemRef
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import CollectionKey, Label
from kometa_ai.judging.hand_edits import Found, HandEdit, Left, Now, Unclear, Why, cares, differences, judge
from tests.judging.making import NOW, collection, movie, named, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.kinds import AnyItem

NOIR, HEIST = CollectionKey("noir"), CollectionKey("heist")
NOIR_TAG, HEIST_TAG = Label("kai-noir"), Label("kai-heist")
MANAGED = {NOIR_TAG: NOIR, HEIST_TAG: HEIST}
BOTH = (collection(), named("Heist"))


def left(items: Iterable[AnyItem], managed: dict[Label, CollectionKey] | None = None, **changes: Any) -> Left:
    """How a run left a library that held these items."""
    managed = MANAGED if managed is None else managed
    labels = {item.key: item.labels & managed.keys() for item in items}
    return Left(at=NOW, managed=managed, labels=labels, **changes)


def now(items: Iterable[AnyItem], rules: dict[Label, tuple[str, ...]] | None = None, *extra: str) -> Now:
    """What the library is now; its rules name nothing."""
    items = tuple(items)
    tags = {label for item in items for label in item.labels} | set(map(Label, extra))
    return Now(items=items, tags=tags, rules={} if rules is None else rules)


def found(
    before: dict[str, Left], after: dict[str, Now], collections: Iterable[Collection] = BOTH, limit: int = 25
) -> Found:
    """The hand edits between the two, by the name of the library."""
    changed = {
        name: differences(before[name], each.items, cares(collections, name, "movie")) for name, each in after.items()
    }
    return judge(changed, before, after, collections, limit)


def test_a_tag_taken_off_and_one_put_on() -> None:
    """Both directions are hand edits, each of its own collection; all other tags are nobody's business."""
    before = left([movie(1, "kai-noir", "kids"), movie(2), movie(3, "kai-heist")])
    after = now([movie(1), movie(2, "kai-heist", "kids"), movie(3, "kai-heist")], None, "kai-noir")

    assert found({"radarr": before}, {"radarr": after}) == Found(
        edits=(
            HandEdit(key=movie_key(1), collection=NOIR, include=False, libraries=("radarr",)),
            HandEdit(key=movie_key(2), collection=HEIST, include=True, libraries=("radarr",)),
        )
    )


@pytest.mark.parametrize(
    ("before", "after", "collections"),
    [
        (left([]), now([movie(1, "kai-noir")]), BOTH),
        (left([movie(1, "kai-noir")]), now([movie(2)], None, "kai-noir"), BOTH),
        (left([movie(1)], {HEIST_TAG: HEIST}), now([movie(1, "kai-noir")]), BOTH),
        (left([movie(1)], {NOIR_TAG: HEIST}), now([movie(1, "kai-noir")]), BOTH),
        (left([movie(1)]), now([movie(1, "kai-noir")]), (collection(tag="KAI-film-noir"),)),
        (left([movie(1)]), now([movie(1, "kai-noir")]), (named("Heist"),)),
        (left([movie(1)]), now([movie(1, "kai-noir")]), (collection(libraries=frozenset({"radarr-4k"})),)),
        (left([movie(1)], ours=frozenset({(movie_key(1), NOIR_TAG)})), now([movie(1, "kai-noir")]), BOTH),
    ],
    ids=[
        "a new movie",
        "a movie that is gone",
        "a tag that was not managed then",
        "a tag that another collection had then",
        "a collection that has another tag now",
        "a collection that is switched off now",
        "a collection that is for another library now",
        "a change of ours",
    ],
)
def test_what_is_no_hand_edit(before: Left, after: Now, collections: tuple[Collection, ...]) -> None:
    """Only pairs that were there both times, and that no run has touched in between, can be a person's."""
    assert found({"radarr": before}, {"radarr": after}, collections) == Found()


def test_rules_of_the_service_are_not_a_person() -> None:
    """Where an auto-tagging rule names the label, nothing is pinned, and the rule is named."""
    before = left([movie(1, "kai-noir"), movie(2, "kai-noir"), movie(3)])
    after = now([movie(1), movie(2, "kai-noir"), movie(3, "kai-heist")], {NOIR_TAG: ("Dark ones", "Old ones")})

    result = found({"radarr": before}, {"radarr": after})

    assert [edit.collection for edit in result.edits] == [HEIST]
    assert result.unclear == (
        Unclear(
            collection=NOIR,
            items={movie_key(1): False},
            why=Why.RULE,
            library="radarr",
            detail="Dark ones, Old ones",
            before=2,
        ),
    )


def test_rules_that_could_not_be_read_pin_nothing() -> None:
    """Where the rules are not known, it may have been one of them."""
    after = Now(items=(movie(1, "kai-noir"),), tags={NOIR_TAG})

    result = found({"radarr": left([movie(1)])}, {"radarr": after})

    assert [each.why for each in result.unclear] == [Why.RULES_UNREAD]
    assert result.edits == ()


def test_a_tag_that_is_gone_is_housekeeping() -> None:
    """Where the service no longer has the tag at all, nobody took it off one by one."""
    before = left([movie(1, "kai-noir"), movie(2, "kai-noir")])

    result = found({"radarr": before}, {"radarr": now([movie(1), movie(2)])})

    assert [(each.why, set(each.items), each.before) for each in result.unclear] == [
        (Why.NO_TAG, {movie_key(1), movie_key(2)}, 2)
    ]
    assert result.edits == ()


@pytest.mark.parametrize(
    ("members", "changed", "limit", "pinned"),
    [
        (100, 60, 25, 0),
        (100, 26, 25, 0),
        (100, 25, 25, 25),
        (8, 5, 25, 5),
        (8, 6, 25, 0),
        (8, 6, 100, 6),
        (0, 6, 100, 0),
    ],
)
def test_too_many_at_once_are_no_person(members: int, changed: int, limit: int, pinned: int) -> None:
    """More than the brake lets through, and more than five, look like a restored database."""
    everything = range(1, 121)
    was_in = set(range(1, members + 1))
    is_in = was_in ^ set(range(1, changed + 1))
    before = left([movie(number, *(["kai-noir"] if number in was_in else [])) for number in everything])
    after = now((movie(number, *(["kai-noir"] if number in is_in else [])) for number in everything), None, "kai-noir")

    result = found({"radarr": before}, {"radarr": after}, limit=limit)

    assert len(result.edits) == pinned
    assert [(each.why, len(each.items)) for each in result.unclear] == ([] if pinned else [(Why.MANY, changed)])


def test_a_record_in_doubt_pins_nothing() -> None:
    """Where it is not certain how a run left the library, a difference is told and nothing more."""
    before = left([movie(1, "kai-noir")], doubt="a copy")

    result = found({"radarr": before}, {"radarr": now([movie(1)], None, "kai-noir")})

    assert [(each.why, each.detail) for each in result.unclear] == [(Why.DOUBT, "a copy")]
    assert result.edits == ()


def test_one_of_two_libraries_is_enough() -> None:
    """A movie that two libraries hold is one movie: what was done in one of them is meant for both."""
    before = {name: left([movie(1, "kai-noir"), movie(2, "kai-noir")]) for name in ("radarr", "radarr-4k")}
    after = {
        "radarr": now([movie(1), movie(2, "kai-noir")]),
        "radarr-4k": now([movie(1, "kai-noir"), movie(2, "kai-noir")]),
    }

    assert found(before, after).edits == (
        HandEdit(key=movie_key(1), collection=NOIR, include=False, libraries=("radarr",)),
    )


def test_both_libraries_are_named() -> None:
    """What was done in both is one hand edit."""
    before = {name: left([movie(1)]) for name in ("radarr", "radarr-4k")}
    after = {name: now([movie(1, "kai-noir")]) for name in ("radarr", "radarr-4k")}

    assert [edit.libraries for edit in found(before, after).edits] == [("radarr", "radarr-4k")]


def test_libraries_that_contradict_each_other_pin_nothing() -> None:
    """Taken off in one library and put on in the other: nobody can tell what is meant."""
    before = {"radarr": left([movie(1, "kai-noir")]), "radarr-4k": left([movie(1)])}
    after = {"radarr": now([movie(1)], None, "kai-noir"), "radarr-4k": now([movie(1, "kai-noir")])}

    result = found(before, after)

    assert [each.why for each in result.unclear] == [Why.CONTRADICTION]
    assert result.edits == ()


def test_the_library_that_lost_everything_does_not_hide_the_other() -> None:
    """Where one library was restored, a hand edit in the other one counts."""
    lost = [movie(number, "kai-noir") for number in range(1, 41)]
    before = {"radarr": left(lost), "radarr-4k": left([movie(50, "kai-noir")])}
    after = {"radarr": now(map(movie, range(1, 41)), None, "kai-noir"), "radarr-4k": now([movie(50)], None, "kai-noir")}

    result = found(before, after)

    assert [(edit.key, edit.libraries) for edit in result.edits] == [(movie_key(50), ("radarr-4k",))]
    assert [each.library for each in result.unclear] == ["radarr"]


def test_the_block_has_the_last_word() -> None:
    """A pin of the block is never replaced: what agrees with it is nothing new, and what does not is told."""
    pins = {
        "include_movies": (ItemRef.parse("tmdb:1"), ItemRef.parse("tmdb:2")),
        "exclude_movies": (ItemRef.parse("tmdb:3"),),
    }
    before = left([movie(1, "kai-noir"), movie(2), movie(3, "kai-noir")])
    after = now([movie(1), movie(2, "kai-noir"), movie(3)])

    result = found({"radarr": before}, {"radarr": after}, [collection(**pins)])

    assert result.edits == ()
    assert [(each.why, dict(each.items)) for each in result.unclear] == [(Why.BLOCK, {movie_key(1): False})]


def test_shows_and_films_of_one_name_are_apart() -> None:
    """A collection of shows cares for its tag in a Sonarr and nowhere else."""
    both = (collection(), collection(kind="show"))

    assert cares(both, "radarr", "movie") == {NOIR_TAG: NOIR}
    assert cares(both, "sonarr", "show") == {NOIR_TAG: CollectionKey("show:noir")}
    was = Left(at=NOW, managed=cares(both, "sonarr", "show"), labels={show(1).key: frozenset()})
    assert differences(was, [show(1, "kai-noir")], cares(both, "sonarr", "show")) == {"show:noir": {show(1).key: True}}


_tags = st.frozensets(st.sampled_from(["kai-noir", "kai-heist", "kids"]))
_library = st.dictionaries(st.integers(1, 12), _tags, max_size=12)


@given(was=_library, is_now=_library, ours=st.frozensets(st.tuples(st.integers(1, 12), st.sampled_from([NOIR_TAG]))))
def test_every_difference_is_told_once(
    was: dict[int, frozenset[str]], is_now: dict[int, frozenset[str]], ours: frozenset[tuple[int, Label]]
) -> None:
    """Each pair that differs and is not ours is either a hand edit or unclear, never both, and no other pair is."""
    touched = frozenset((movie_key(number), label) for number, label in ours)
    before = left([movie(number, *labels) for number, labels in was.items()], ours=touched)
    after = now(movie(number, *labels) for number, labels in is_now.items())

    result = found({"radarr": before}, {"radarr": after})

    told = [(edit.key, edit.collection, edit.include) for edit in result.edits]
    told += [(key, each.collection, is_on) for each in result.unclear for key, is_on in each.items.items()]
    expected = {
        (movie_key(number), key, label in is_now[number])
        for number in was.keys() & is_now.keys()
        for label, key in MANAGED.items()
        if (label in was[number]) is not (label in is_now[number]) and (movie_key(number), label) not in touched
    }
    assert len(told) == len(set(told))
    assert set(told) == expected


@given(library=_library)
def test_nothing_changed_is_no_hand_edit(library: dict[int, frozenset[str]]) -> None:
    """A library as it was left has none."""
    items = [movie(number, *labels) for number, labels in library.items()]

    assert found({"radarr": left(items)}, {"radarr": now(items)}) == Found()
