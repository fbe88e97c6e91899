"""A show's fingerprint: what asks about it again, and what does not."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.core.item import ArrId, show_key
from kometa_ai.core.naming import Label
from kometa_ai.core.show import Show


def show(**changes: Any) -> Show:
    """A running show."""
    fields: dict[str, Any] = {
        "arr_id": ArrId(7),
        "key": show_key(334824),
        "title": "Dark",
        "year": 2017,
        "plot": "A child is missing.",
        "genres": ("Drama", "Crime"),
        "network": "Netflix",
        "language": "German",
        "seasons": 2,
        "status": "running",
    }
    return Show(**{**fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"arr_id": ArrId(8)},
        {"imdb_id": "tt5753856"},
        {"tmdb_id": 70523},
        {"labels": frozenset({Label("kids")})},
        {"genres": ("Crime", "Drama")},
        {"seasons": 3},
        {"runtime": 60},
        {"certification": "TV-MA"},
        {"form": "anime"},
        {"status": "upcoming"},
    ],
    ids=str,
)
def test_a_running_show_is_not_asked_about_every_week(changes: dict[str, Any]) -> None:
    """Seasons, ids, the user's own download settings and the order of genres ask nothing again."""
    assert fingerprint(show(**changes)) == fingerprint(show())


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Dark (2017)"},
        {"year": 2018},
        {"year": 0},
        {"plot": ""},
        {"genres": ("Drama",)},
        {"network": "ZDF"},
        {"language": "English"},
        {"status": "ended"},
    ],
    ids=str,
)
def test_what_a_verdict_depends_on_asks_again(changes: dict[str, Any]) -> None:
    """Another text, another maker, or the end of the show."""
    assert fingerprint(show(**changes)).full != fingerprint(show()).full


def test_a_show_has_one_hash() -> None:
    """There are no credits that could come later."""
    prints = fingerprint(show())
    assert prints.full == prints.blind
    assert prints.covers(prints.full)


def test_the_hash_stays_what_it_is() -> None:
    """Another one would ask about every show of every user again."""
    written = (
        '{"genres": ["Crime", "Drama"], "language": "German", "network": "Netflix", "over": false, '
        '"plot": "A child is missing.", "title": "Dark", "year": 2017}'
    )
    assert fingerprint(show()).full == hashlib.sha256(written.encode()).hexdigest()


@given(st.text(), st.text(), st.lists(st.text()).map(tuple))
def test_any_texts_are_hashed_as_json(title: str, plot: str, genres: tuple[str, ...]) -> None:
    """The hash is that of the texts as `json.dumps` writes them, in whatever order the genres come."""
    made = show(title=title, plot=plot, genres=genres)
    seen = {
        "title": title,
        "year": made.year,
        "plot": plot,
        "genres": sorted(genres),
        "network": made.network,
        "language": made.language,
        "over": made.is_over,
    }
    assert fingerprint(made).full == hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
    assert fingerprint(made) == fingerprint(show(title=title, plot=plot, genres=genres[::-1]))
