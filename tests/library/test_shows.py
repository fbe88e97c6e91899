"""What a row of Sonarr's list means."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.core.show import Show
from kometa_ai.library.arr import rows
from kometa_ai.library.arr.contents import contents_of, tags_of
from kometa_ai.library.arr.rows import Garbled
from kometa_ai.library.arr.wire import WireTag
from kometa_ai.library.port import Contents
from kometa_ai.library.sonarr import SPEC, WireShow

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WHOLE: dict[str, Any] = {
    "title": "Dark",
    "alternateTitles": [{"title": "Dark DE", "seasonNumber": -1}],
    "sortTitle": "dark",
    "status": "ended",
    "ended": True,
    "overview": "A child is missing.",
    "network": "Netflix",
    "airTime": "03:00",
    "images": [{"coverType": "poster", "remoteUrl": "https://x/y.jpg"}],
    "originalLanguage": {"id": 4, "name": "German"},
    "seasons": [{"seasonNumber": number, "monitored": True} for number in range(4)],
    "year": 2017,
    "path": "/tv/Dark",
    "qualityProfileId": 1,
    "runtime": 60,
    "tvdbId": 334824,
    "tvMazeId": 17861,
    "tmdbId": 70523,
    "firstAired": "2017-12-01T00:00:00Z",
    "lastAired": "2020-06-27T00:00:00Z",
    "seriesType": "standard",
    "imdbId": "tt5753856",
    "genres": ["Crime", "Drama"],
    "certification": "TV-MA",
    "tags": [2, 1],
    "added": "2020-01-01T00:00:00Z",
    "ratings": {"votes": 0, "value": 0.0},
    "statistics": {"seasonCount": 3, "episodeCount": 26, "releaseGroups": [], "percentOfEpisodes": 100.0},
    "id": 7,
}


def read(*shows: dict[str, Any]) -> Contents:
    """The contents of a Sonarr with these rows and two tags."""
    good, odd = rows.read_rows(json.dumps(shows).encode(), WireShow)
    return contents_of(SPEC, good, tags_of([WireTag(1, "KAI-Time"), WireTag(2, "kids")]), odd)


def one(**changes: Any) -> Show:
    """The show of one row with changes; None leaves a field out, as Sonarr does."""
    row = {name: value for name, value in {**WHOLE, **changes}.items() if value is not None}
    [show] = read(row).items
    assert isinstance(show, Show)
    return show


def test_a_show_has_everything_we_read() -> None:
    """Ids, texts, where it is from, how long it is, whether it goes on."""
    show = one()
    assert (show.arr_id, show.key, show.imdb_id, show.tmdb_id) == (7, "show:334824", "tt5753856", 70523)
    assert (show.title, show.year, show.plot) == ("Dark", 2017, "A child is missing.")
    assert (show.network, show.language, show.genres) == ("Netflix", "German", ("Crime", "Drama"))
    assert (show.certification, show.runtime, show.seasons) == ("TV-MA", 60, 3)
    assert (show.status, show.form, show.is_over) == ("ended", "", True)
    assert show.labels == {"kai-time", "kids"}


@pytest.mark.parametrize(
    ("status", "becomes"),
    [
        ("continuing", "running"),
        ("upcoming", "upcoming"),
        ("ended", "ended"),
        ("deleted", "ended"),
        ("somethingNew", "running"),
        (None, "running"),
    ],
)
def test_the_status(status: str | None, becomes: str) -> None:
    """A show that TVDb has dropped is over, though Sonarr's `ended` turns false for it."""
    show = one(status=status, ended=False)
    assert (show.status, show.is_over) == (becomes, becomes == "ended")


@pytest.mark.parametrize(
    ("changes", "seasons"),
    [
        ({}, 3),
        ({"statistics": None}, 3),
        ({"statistics": {"episodeCount": 1}}, 3),
        ({"statistics": None, "seasons": [{"seasonNumber": 0}]}, 0),
        ({"statistics": None, "seasons": []}, 0),
        ({"statistics": None, "seasons": None}, 0),
        ({"statistics": {"seasonCount": 0}}, 0),
        ({"statistics": {"seasonCount": -1}}, 0),
    ],
    ids=str,
)
def test_seasons_leave_specials_out(changes: dict[str, Any], seasons: int) -> None:
    """A show that was just added has no statistics: its seasons are counted."""
    assert one(**changes).seasons == seasons


@pytest.mark.parametrize(("form", "kept"), [("anime", "anime"), ("daily", "daily"), ("standard", ""), (None, "")])
def test_the_type_is_told_where_it_says_something(form: str | None, kept: str) -> None:
    """`standard` is the user's download setting and no fact."""
    assert one(seriesType=form).form == kept


def test_values_that_mean_unknown() -> None:
    """Trap 10: 0 is a value of Sonarr's, not an absence; trap 7: no overview is normal."""
    show = one(year=0, tmdbId=0, runtime=0, overview=None, network=None, imdbId=None, certification=None, genres=[])
    assert (show.year, show.tmdb_id, show.runtime) == (0, 0, 0)
    assert (show.plot, show.network, show.imdb_id, show.certification, show.genres) == ("", "", "", "", ())
    assert str(show) == "Dark"


def test_two_shows_of_one_title_are_two() -> None:
    """Trap 11: the number at TVDb tells them apart."""
    found = read({**WHOLE, "title": "The Office"}, {**WHOLE, "id": 8, "tvdbId": 73244, "title": "The Office"})
    assert [(show.key, show.arr_id) for show in found.items] == [("show:73244", 8), ("show:334824", 7)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tvdbId": 0}, "it has no TVDb id"),
        ({"tvdbId": None}, "it has no TVDb id"),
        ({"title": " "}, "it has no title"),
        ({"id": 0}, "it has no id in Sonarr"),
        ({"tvdbId": 334824}, "it has the same TVDb id as Dark (2017) (Sonarr's show 7)"),
    ],
    ids=str,
)
def test_a_show_that_cannot_take_part_is_named(changes: dict[str, Any], why: str) -> None:
    """The others go on."""
    found = read(WHOLE, {**WHOLE, "id": 8, "tvdbId": 81189, "title": "Other", **changes})
    assert len(found.items) == 1
    assert [left.why for left in found.left_out] == [why]


def test_dead_tags_are_no_labels() -> None:
    """Sonarr stores whatever id it is given."""
    found = read({**WHOLE, "tags": [99]})
    assert (found.items[0].labels, found.nameless) == (frozenset(), 1)


def test_what_moves_every_week_is_not_looked_at() -> None:
    """Trap 5: airing dates, statistics, ratings, images and a new season leave the fingerprint as it was."""
    before = one(status="continuing", ended=False)
    after = one(
        status="continuing",
        ended=False,
        lastAired="2026-01-01T00:00:00Z",
        nextAiring="2026-01-08T00:00:00Z",
        previousAiring="2026-01-01T00:00:00Z",
        statistics={"seasonCount": 4, "episodeCount": 40, "percentOfEpisodes": 12.5},
        seasons=[{"seasonNumber": number, "monitored": False} for number in range(5)],
        ratings={"votes": 99, "value": 9.1},
        images=[],
        alternateTitles=[],
        runtime=61,
    )
    assert fingerprint(before) == fingerprint(after)
    assert fingerprint(before) != fingerprint(one())


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"originalLanguage": "German"}, {"language": ""}),
        ({"originalLanguage": {"name": 5}}, {"language": "5"}),
        ({"originalLanguage": {"name": ["x"]}}, {"language": ""}),
        ({"originalLanguage": {"id": "x", "name": "German"}}, {"language": "German"}),
        ({"statistics": []}, {"seasons": 3}),
        ({"statistics": {"seasonCount": "4"}}, {"seasons": 4}),
        ({"statistics": {"seasonCount": "many"}}, {"seasons": 3}),
        ({"seasons": [None, {"seasonNumber": "1"}, 2], "statistics": None}, {"seasons": 1}),
        ({"seasons": {"1": {}}, "statistics": None}, {"seasons": 0}),
        ({"runtime": "60"}, {"runtime": 60}),
        ({"runtime": "an hour"}, {"runtime": 0}),
        ({"runtime": 10**9}, {"runtime": 0}),
        ({"network": {"name": "ZDF"}}, {"network": ""}),
        ({"status": 5}, {"status": "running"}),
        ({"tmdbId": "70523"}, {"tmdb_id": 70523}),
        ({"certification": "x" * 500}, {"certification": "x" * 19 + "…"}),
        ({"network": "n" * 500}, {"network": "n" * 119 + "…"}),
    ],
    ids=str,
)
def test_odd_values_are_read_or_left_out(changes: dict[str, Any], kept: dict[str, Any]) -> None:
    """No show is left out for a detail, however deep inside of its row."""
    show = one(**changes)
    assert {name: getattr(show, name) for name in kept} == kept


def test_a_list_that_was_cut_off_is_no_list() -> None:
    """An error after the first byte is torn JSON with status 200."""
    body = json.dumps([WHOLE, WHOLE]).encode()
    with pytest.raises(Garbled) as caught:
        rows.read_rows(body[:-20], WireShow)
    assert caught.value.is_torn


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
INSIDE = st.dictionaries(st.sampled_from(["name", "seasonCount", "seasonNumber"]), JSON)


@unhurried
@given(
    st.lists(
        JSON
        | st.fixed_dictionaries(
            {}, optional={name: JSON | INSIDE | st.lists(INSIDE, max_size=3) for name in WHOLE if name != "images"}
        ),
        max_size=4,
    )
)
def test_any_rows_become_a_sound_library(shows: list[Any]) -> None:
    """Every row is a show or left out with a reason, whatever was written into the database."""
    with contextlib.suppress(Garbled):
        found = read(*shows)
        assert len(found.items) + len(found.left_out) == len(shows)
        assert all(left.why for left in found.left_out)
        for show in found.items:
            assert show.title
            assert len(fingerprint(show).full) == 64
