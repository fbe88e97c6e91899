from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kometa_ai.core.item import movie_key
from kometa_ai.core.movie import Credits
from kometa_ai.library.arr import complaints, rows
from kometa_ai.library.arr.contents import contents_of, odd_tags, tags_of
from kometa_ai.library.arr.texts import clean
from kometa_ai.library.arr.wire import WireTag
from kometa_ai.library.port import Contents
from kometa_ai.library.radarr import SPEC, WireCredit, WireMovie, credits_of
from tests.library.talking import movies_in

# A busy machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.none() | st.integers(),
        "tmdbId": st.none() | st.integers(),
        "title": st.none() | st.text(),
        "year": st.none() | st.integers(),
        "imdbId": st.none() | st.text(),
        "overview": st.none() | st.text(),
        "genres": st.none() | st.lists(st.text()),
        "keywords": st.none() | st.lists(st.text()),
        "tags": st.none() | st.lists(st.integers()),
        "ratings": JSON,
    },
)


def _library(*movies: dict[str, Any], tags: dict[int, str] | None = None) -> Contents:
    found = rows.decode(json.dumps(movies).encode(), list[WireMovie])
    return contents_of(SPEC, found, tags_of(WireTag(number, label) for number, label in (tags or {}).items()))


def _credits(*people: dict[str, Any]) -> Credits:
    return credits_of(rows.decode(json.dumps(people).encode(), list[WireCredit]))


def test_a_movie_has_everything_we_read_and_nothing_volatile() -> None:
    """Title, year, ids, plot, genres, keywords and labels come from the row; ratings and files are skipped."""
    library = _library(
        {
            "title": "Heat",
            "overview": "Two men.",
            "year": 1995,
            "imdbId": "tt0113277",
            "tmdbId": 949,
            "genres": ["Crime", "Drama"],
            "keywords": ["heist"],
            "tags": [2, 1],
            "ratings": {"imdb": {"votes": 1, "value": 8.3, "type": "user"}},
            "movieFile": {"path": "/x"},
            "id": 7,
        },
        tags={1: "KAI-Heist", 2: "kids"},
    )
    [movie] = movies_in(library)
    assert (movie.arr_id, movie.key, movie.title, movie.year) == (7, movie_key(949), "Heat", 1995)
    assert (movie.imdb_id, movie.plot) == ("tt0113277", "Two men.")
    assert (movie.genres, movie.keywords) == (("Crime", "Drama"), ("heist",))
    assert movie.labels == {"kai-heist", "kids"}


@pytest.mark.parametrize("absent", [{}, {"overview": None, "imdbId": None, "genres": None, "tags": None, "year": None}])
def test_what_is_absent_or_null_is_empty(absent: dict[str, None]) -> None:
    """Trap 13: nullable fields are absent rather than null, and either is fine."""
    [movie] = movies_in(_library({"title": "Heat", "tmdbId": 949, "id": 7, **absent}))
    assert (movie.plot, movie.imdb_id, movie.genres, movie.keywords, movie.year) == ("", "", (), (), 0)
    assert movie.labels == frozenset()


def test_dangling_tag_ids_name_no_label() -> None:
    """Trap 2: Radarr stores ids of tags that are no more, and they mean nothing."""
    [movie] = _library({"title": "Heat", "tmdbId": 949, "id": 7, "tags": [1, 99]}, tags={1: "kai-heist"}).items
    assert movie.labels == {"kai-heist"}


def test_movies_that_cannot_take_part_are_named_with_the_reason() -> None:
    """No TMDb id, no title, no Radarr id: left out and reported; the others stay."""
    found = _library(
        {"title": "No TMDb", "id": 1},
        {"title": "Zero", "tmdbId": 0, "id": 2},
        {"tmdbId": 5, "id": 3},
        {"title": " \n", "tmdbId": 6, "id": 4},
        {"title": "No id", "tmdbId": 7},
        {"title": "Heat", "tmdbId": 949, "id": 5},
    )
    assert [movie.title for movie in found.items] == ["Heat"]
    assert {(left.arr_id, left.why) for left in found.left_out} == {
        (1, "it has no TMDb id"),
        (2, "it has no TMDb id"),
        (3, "it has no title"),
        (4, "it has no title"),
        (0, "it has no id in Radarr"),
    }


def test_of_two_rows_with_one_tmdb_id_the_older_stays() -> None:
    """A duplicate is reported, and which one stays does not depend on the order of the rows."""
    found = _library({"title": "Heat B", "tmdbId": 949, "id": 9}, {"title": "Heat A", "tmdbId": 949, "id": 7})
    assert [(movie.arr_id, movie.title) for movie in found.items] == [(7, "Heat A")]
    [left] = found.left_out
    assert (left.arr_id, left.title) == (9, "Heat B")
    assert "Heat A" in left.why


def test_movies_come_in_order_of_their_tmdb_ids() -> None:
    """Trap 24: PostgreSQL promises no order of rows."""
    found = _library(*({"title": str(key), "tmdbId": key, "id": 50 - key} for key in (30, 10, 20)))
    assert [movie.key for movie in found.items] == [movie_key(10), movie_key(20), movie_key(30)]


def test_long_texts_are_cut_at_the_border_and_ordinary_ones_are_not() -> None:
    """A title of a million characters or ten thousand genres go no further; the plot stays whole for its hash."""
    library = _library(
        {
            "id": 1,
            "tmdbId": 2,
            "title": "T" * 10**6,
            "genres": [f"{n} {'g' * 100}" for n in range(10_000)],
            "keywords": [f"{n} {'k' * 500}" for n in range(10_000)],
            "imdbId": "tt" + "1" * 5000,
            "overview": "o" * 10**6,
        }
    )
    [movie] = movies_in(library)
    ordinary = _library({"id": 1, "tmdbId": 2, "title": "T" * 300, "genres": ["g" * 60] * 20}).items[0]
    people = _credits(*({"personName": f"{n} {'p' * 500}", "type": "crew", "job": "Director"} for n in range(500)))

    assert (len(movie.title), len(movie.plot), movie.imdb_id) == (300, 10**6, "")
    assert (len(movie.genres), max(map(len, movie.genres))) == (20, 60)
    assert (len(movie.keywords), max(map(len, movie.keywords))) == (100, 120)
    assert (len(people.directors), max(map(len, people.directors))) == (100, 120)
    assert (ordinary.title, ordinary.genres) == ("T" * 300, ("g" * 60,) * 20)


@pytest.mark.parametrize("number", [2**31, 99_999_999_999, 10**25, 10**4000, -1])
def test_ids_that_radarr_cannot_hold_leave_the_movie_out(number: int) -> None:
    """The state and Radarr's editor take 32 bits; such a row is named, whichever of its ids it is."""
    found = _library({"id": 1, "tmdbId": number, "title": "A"}, {"id": number, "tmdbId": 5, "title": "B"})
    assert (found.items, sorted(left.title for left in found.left_out)) == ((), ["A", "B"])


@pytest.mark.parametrize(("year", "read"), [(1995, 1995), (10**9, 0), (-5, 0), (9999, 9999)])
def test_a_year_that_is_none_is_unknown(year: int, read: int) -> None:
    """The movie takes part all the same."""
    assert _library({"id": 1, "tmdbId": 2, "title": "A", "year": year}).items[0].year == read


def test_odd_tags_are_told_and_the_first_of_two_labels_with_one_id_counts() -> None:
    """Otherwise the label of a movie would depend on the order in which Radarr lists its tags."""
    tags = [WireTag(1, "kids"), WireTag(1, "noir"), WireTag(2), WireTag(0, "zero"), WireTag(3, "l" * 10_000)]
    assert tags_of(tags) == {"kids": (1,)}
    assert [told.partition(":")[2] for told in odd_tags(tags, [])] == [
        " it has the same id as kids",
        " it has no label",
        " it has no id",
        " its label has 10,000 characters",
    ]


def test_texts_lose_control_characters() -> None:
    """A plot is one line of harmless text, whatever was pasted into TMDb."""
    [movie] = _library(
        {
            "title": "\x00Am\u00e9lie\t",
            "tmdbId": 194,
            "id": 1,
            "overview": "One.\r\nTwo\u2028three\x1b[31m.",
            "genres": ["Comedy\n", "\x07"],
        }
    ).items
    assert movie.title == "Am\u00e9lie"
    assert movie.plot == "One. Two three [31m."
    assert movie.genres == ("Comedy",)


def test_twins_that_differ_in_case_share_a_label() -> None:
    """Trap 1, hand-edited databases: all ids are known under one label, the one Radarr would find comes first."""
    tags = tags_of([WireTag(3, "KAI-noir"), WireTag(9, "kai-noir"), WireTag(4, "Kai-Noir"), WireTag(5, "")])
    assert tags == {"kai-noir": (9, 3, 4)}


def test_directors_and_actors_come_from_unsorted_rows() -> None:
    """Directors are crew whose job is exactly that; actors are the cast by `order`; no person is named twice."""
    found = _credits(
        {"personName": "Al Pacino", "character": "Hanna", "order": 1, "type": "cast"},
        {"personName": "Michael Mann", "department": "Writing", "job": "Screenplay", "order": 0, "type": "crew"},
        {"personName": "Michael Mann", "department": "Directing", "job": "Director", "order": 0, "type": "crew"},
        {"personName": "Michael Mann", "department": "Directing", "job": "Director", "order": 3, "type": "crew"},
        {"personName": "Someone", "job": "Assistant Director", "order": 0, "type": "crew"},
        {"personName": "No Order", "character": "x", "type": "cast"},
        {"character": "x", "order": 0, "type": "cast"},
        {"personName": "Robert De Niro", "character": "Neil", "order": 0, "type": "cast"},
        {"personName": "Robert De Niro", "character": "Double", "order": 2, "type": "cast"},
    )
    assert found == Credits(("Michael Mann",), ("Robert De Niro", "Al Pacino", "No Order"))


def test_ten_actors_are_enough() -> None:
    """A blockbuster lists hundreds of people."""
    found = _credits(*({"personName": f"Actor {n}", "order": n, "type": "cast"} for n in reversed(range(300))))
    assert found.actors == tuple(f"Actor {n}" for n in range(10))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", ""),
        (b"[]", ""),
        (b"{}", ""),
        (b"7", ""),
        (
            b'[{"errorMessage":"\'Label\' must not be empty."},{"errorMessage":"Allowed characters a-z, 0-9 and -"}]',
            "'Label' must not be empty.; Allowed characters a-z, 0-9 and -",
        ),
        (
            b'{"message":"constraint failed\\nUNIQUE constraint failed: Tags.Label","description":"   at Foo.Bar()"}',
            "constraint failed",
        ),
        (b'{"message":"BadRequest: 0 is not a valid ID","content":"x"}', "BadRequest: 0 is not a valid ID"),
        (b'{"errorMessage":"Radarr is starting up"}', "Radarr is starting up"),
        (
            b'{"type":"x","title":"Validation errors.","status":400,"errors":{"$.tags":["Not converted."]}}',
            "Validation errors. $.tags: Not converted.",
        ),
        (b'{"type":"x","title":"Not Found","status":404,"traceId":"0"}', "Not Found"),
        (b"<html><head><title>502 Bad Gateway</title></head>", "a web page titled '502 Bad Gateway'"),
        (b"\xef\xbb\xbf\n<!doctype html><p>x", "a web page"),
        (b"upstream down\nat line 3", "upstream down"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_an_error_becomes_one_sentence(body: bytes, said: str) -> None:
    """Traps 21 and section 6: every form of error body is read, and no stack trace is passed on."""
    assert complaints.complaint(body) == said


def test_a_long_complaint_is_cut() -> None:
    """One line of a log stays a line."""
    assert len(complaints.complaint(json.dumps({"message": "x" * 5000}).encode())) == 200


@unhurried
@given(st.binary())
def test_any_bytes_make_a_short_complaint(body: bytes) -> None:
    """Whatever an error carries, one short line without control characters comes out."""
    said = complaints.complaint(body)
    assert len(said) <= 250
    assert said == clean(said)


@pytest.mark.no_cover
@unhurried
@given(st.lists(FIELDS), st.lists(st.tuples(st.integers(), st.text())))
def test_any_rows_become_a_sound_library(movies: list[dict[str, Any]], tags: list[tuple[int, str]]) -> None:
    """Every row is a movie or left out with a reason; movies are unique, sorted and titled."""
    read = rows.decode(msgspec.json.encode(movies), list[WireMovie])
    found = contents_of(SPEC, read, tags_of(WireTag(number, label) for number, label in tags))
    assert len(found.items) + len(found.left_out) == len(movies)
    assert all(left.why for left in found.left_out)
    keys = [movie.key for movie in found.items]
    assert keys == sorted(set(keys))
    for movie in movies_in(found):
        assert movie.title
        assert movie.arr_id > 0
        assert all(text == clean(text) for text in (movie.title, movie.plot, *movie.genres, *movie.keywords))
        assert movie.labels <= set(found.tags)


@unhurried
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "personName": st.none() | st.text(),
                "type": st.sampled_from(["cast", "crew", "other", None]),
                "job": st.sampled_from(["Director", "Writer", None]),
                "order": st.none() | st.integers(),
            },
        )
    )
)
def test_any_rows_become_sound_credits(people: list[dict[str, Any]]) -> None:
    """Nobody is nameless or named twice."""
    found = _credits(*people)
    for names in (found.directors, found.actors):
        assert len(set(names)) == len(names)
        assert all(names)
    assert len(found.actors) <= 10
