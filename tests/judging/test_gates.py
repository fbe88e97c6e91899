from __future__ import annotations

from itertools import product

import pytest

from kometa_ai.core.choice import Pin
from kometa_ai.core.collection import ItemRef
from kometa_ai.core.decision import Cause, Remembered
from kometa_ai.core.item import movie_key, show_key
from kometa_ai.core.naming import Label, Slug
from kometa_ai.judging.policy import Gates, decide, gates
from tests.judging.making import HEAT, NOW, collection, movie, settled, show, verdict

CRIME, COMEDY = Label("crime"), Label("comedy")
REF = (ItemRef.parse("tmdb:949"),)


def _pin(*, include: bool, slug: str = "noir") -> Pin:
    return Pin(key=HEAT, slug=Slug(slug), include=include, since=NOW)


@pytest.mark.parametrize(
    ("pinned_in", "pinned_out", "undone", "excluded", "included"), list(product([False, True], repeat=5))
)
def test_precedence(*, pinned_in: bool, pinned_out: bool, undone: bool, excluded: bool, included: bool) -> None:
    """Block pins (out before in), undo pins, exclude tags, include tags: the first that applies decides."""
    rules = collection(
        include_movies=REF if pinned_in else (),
        exclude_movies=REF if pinned_out else (),
        include_tags=frozenset({CRIME} if included else ()),
        exclude_tags=frozenset({COMEDY} if excluded else ()),
    )
    found = gates(rules, [movie(949, CRIME, COMEDY)], {}, [_pin(include=True)] if undone else [])
    expected = (
        (pinned_out and Cause.PINNED_OUT)
        or ((pinned_in or undone) and Cause.PINNED_IN)
        or (excluded and Cause.EXCLUDE_TAG)
        or (included and Cause.INCLUDE_TAG)
        or None
    )
    assert found.causes.get(HEAT) == expected
    assert found.members == ({HEAT} if expected in (Cause.PINNED_IN, Cause.INCLUDE_TAG) else set())


def test_undo_pin_keeps_out() -> None:
    """What an undo took off stays off, include tag or not; another collection's pin is none of ours."""
    rules = collection(include_tags=frozenset({CRIME}))
    assert gates(rules, [movie(949, CRIME)], {}, [_pin(include=False)]).causes == {HEAT: Cause.PINNED_OUT}
    assert gates(rules, [movie(949, CRIME)], {}, [_pin(include=False, slug="other")]).causes == {
        HEAT: Cause.INCLUDE_TAG
    }


def test_pins_of_shows() -> None:
    """A block for shows pins shows by TVDb id, IMDb id or title; a film with the same number is none of its own."""
    rules = collection(
        kind="show",
        include_shows=(
            ItemRef.parse("tvdb:1", "show"),
            ItemRef.parse("Show 2 (1995)"),
            ItemRef.parse("tvdb:9", "show"),
        ),
        exclude_shows=(ItemRef.parse("tt0000003"),),
    )
    held = [show(1), show(2), show(3, imdb_id="tt0000003"), show(4), movie(1)]

    found = gates(rules, held, {})

    assert found.causes == {
        show_key(1): Cause.PINNED_IN,
        show_key(2): Cause.PINNED_IN,
        show_key(3): Cause.PINNED_OUT,
    }
    assert [ref.text for ref in found.unknown_pins] == ["tvdb:9"]


def test_label_of_a_decided_collection_means_its_members() -> None:
    """A `kai-` label of a collection of this run is its membership as decided, not the tag in Radarr."""
    heist = Label("kai-heist")
    rules = collection(exclude_tags=frozenset({heist}))
    movies = [movie(1, heist), movie(2)]
    assert gates(rules, movies, {heist: frozenset({movie_key(2)})}).causes == {movie_key(2): Cause.EXCLUDE_TAG}
    assert gates(rules, movies, {}).causes == {movie_key(1): Cause.EXCLUDE_TAG}


@pytest.mark.parametrize("text", ["tmdb:949", "tt0113277", "Movie 949 (1995)", "MOVIE 949 (1995)"])
def test_pins_name_items_in_each_form(text: str) -> None:
    """A pin finds its movie by TMDb id, IMDb id, or title and year."""
    rules = collection(include_movies=(ItemRef.parse(text),))
    movies = [movie(949, imdb_id="tt0113277"), movie(8195)]
    assert gates(rules, movies, {}).causes == {HEAT: Cause.PINNED_IN}


def test_unknown_pins_are_reported() -> None:
    """A pin that names no movie of the library is told, whichever side it is on; the others work."""
    refs = tuple(map(ItemRef.parse, ["tmdb:1", "Nothing (1900)", "tt9"]))
    found = gates(collection(include_movies=refs[:2], exclude_movies=refs[2:]), [movie(1)], {})
    assert found.unknown_pins == refs[1:]
    assert found.causes == {movie_key(1): Cause.PINNED_IN}


def test_no_rules_no_gates() -> None:
    """Without tags and pins every movie needs a verdict."""
    assert gates(collection(), [movie(1, CRIME)], {}, [_pin(include=True, slug="other")]) == Gates()


def test_decide() -> None:
    """Gates first, then what is remembered; without a verdict, or while a question is open, a movie is undecided."""
    rules = collection(include_tags=frozenset({CRIME}))
    yes, no = settled(verdict(0.9)), settled(verdict(0.2))
    memory = {
        movie_key(number): Remembered(collections={Slug(slug): decision})
        for number, slug, decision in [
            (1, "noir", yes),
            (2, "noir", no),
            (3, "noir", yes),
            (4, "other", yes),
            (5, "noir", no),
        ]
    }
    movies = [movie(1), movie(2), movie(3), movie(4), movie(5, CRIME), movie(6)]
    gated = gates(rules, movies, {})
    ids = [each.key for each in movies]
    membership = decide([rules], ids, memory, {rules.key: gated}, {rules.key: {movie_key(3), movie_key(5)}})[rules.key]
    assert membership.members == {movie_key(1), movie_key(5)}
    assert membership.undecided == {movie_key(3), movie_key(4), movie_key(6)}


def test_departed_movies_are_no_members() -> None:
    """Only movies of the library are decided about, whatever else is remembered."""
    memory = {movie_key(1): Remembered(collections={Slug("noir"): settled(verdict(0.9))})}
    noir = collection()
    membership = decide([noir], [movie_key(2)], memory, {noir.key: Gates()}, {})[noir.key]
    assert not membership.members
    assert membership.undecided == {movie_key(2)}
