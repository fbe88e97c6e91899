from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.fingerprint import fingerprint, metadata_hash
from kometa_ai.core.item import ArrId, movie_key
from kometa_ai.core.movie import NO_CREDITS, Credits, Movie
from kometa_ai.core.naming import Label

PEOPLE = Credits(
    ("Michael Mann",), ("Al Pacino", "Robert De Niro", "Val Kilmer", "Jon Voight", "Tom Sizemore", "Sixth")
)


def _movie(**changes: Any) -> Movie:
    fields: dict[str, Any] = {
        "arr_id": ArrId(7),
        "key": movie_key(949),
        "title": "Heat",
        "year": 1995,
        "plot": "Two men.",
        "genres": ("Crime", "Action"),
        "credits": PEOPLE,
    }
    return Movie(**{**fields, **changes})


def _by_specification(movie: dict[str, Any]) -> str:
    """The specification's own example, word for word."""
    metadata = {
        "title": movie["title"],
        "year": movie["year"],
        "plot": movie["plot"],
        "genres": sorted(movie["genres"]),
        "directors": sorted(movie["directors"]),
        "actors": sorted(movie["actors"][:5] if len(movie["actors"]) > 5 else movie["actors"]),
    }
    metadata_json = json.dumps(metadata, sort_keys=True)
    return hashlib.sha256(metadata_json.encode("utf-8")).hexdigest()


_names = st.lists(st.text(max_size=20), max_size=8).map(tuple)


@given(title=st.text(), year=st.integers(0, 3000), plot=st.text(), genres=_names, directors=_names, actors=_names)
def test_hash_is_the_specifications(
    *, title: str, year: int, plot: str, genres: tuple[str, ...], directors: tuple[str, ...], actors: tuple[str, ...]
) -> None:
    """The hash is exactly that of the specification's example."""
    seen = _movie(title=title, year=year, plot=plot, genres=genres)
    fields = {"title": title, "year": year, "plot": plot, "genres": genres, "directors": directors, "actors": actors}
    assert metadata_hash(seen, Credits(directors, actors)) == _by_specification(fields)


@pytest.mark.parametrize(
    "changes",
    [
        {"arr_id": ArrId(8)},
        {"imdb_id": "tt1"},
        {"keywords": ("heist",)},
        {"labels": frozenset({Label("crime")})},
        {"genres": ("Action", "Crime")},
        {"credits": Credits(PEOPLE.directors, (*PEOPLE.actors[:5], "Another sixth"))},
        {"credits": Credits(PEOPLE.directors, (*reversed(PEOPLE.actors[:5]), "Sixth"))},
    ],
)
def test_volatile_things_are_not_hashed(changes: dict[str, Any]) -> None:
    """Ids, keywords, tags, the order of genres and what is beyond the first five actors ask nothing again."""
    assert fingerprint(_movie(**changes)) == fingerprint(_movie())


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Heat 2"},
        {"year": 1996},
        {"plot": "Three men."},
        {"genres": ("Crime",)},
        {"credits": Credits(("Another",), PEOPLE.actors)},
        {"credits": Credits(PEOPLE.directors, ("Another", *PEOPLE.actors[1:]))},
    ],
)
def test_each_field_counts(changes: dict[str, Any]) -> None:
    """A change of any field that Claude is shown and the specification names is a change."""
    assert fingerprint(_movie(**changes)).full != fingerprint(_movie()).full


def test_decision_made_without_credits_still_covers() -> None:
    """A decision made before the credits were known was made from this movie; one from other credits was not."""
    prints = fingerprint(_movie())
    assert prints.covers(fingerprint(_movie(credits=NO_CREDITS)).full)
    assert prints.covers(prints.full)
    assert not prints.covers(fingerprint(_movie(credits=Credits(("Another",)))).full)


def test_movie_without_year() -> None:
    """A movie is named with its year, where it has one."""
    assert (str(_movie()), str(_movie(year=0))) == ("Heat (1995)", "Heat")
