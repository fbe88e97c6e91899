from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kometa_ai.library.arr import rows
from kometa_ai.library.arr.contents import contents_of, tags_of
from kometa_ai.library.arr.rows import Garbled
from kometa_ai.library.arr.wire import EditedRow, WireRule, WireStatus, WireTag
from kometa_ai.library.port import Contents
from kometa_ai.library.radarr import SPEC, WireCredit, WireMovie, credits_of

# A busy machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

HEAT = b'{"id": 1, "tmdbId": 949, "title": "Heat"}'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
NAMES = ("id", "tmdbId", "title", "year", "imdbId", "overview", "genres", "keywords", "tags", "ratings")
ROWS = JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON))


def _ronin(**fields: Any) -> bytes:
    return json.dumps({"id": 2, "tmdbId": 8195, "title": "Ronin", **fields}).encode()


def _read(*pieces: bytes) -> Contents:
    good, odd = rows.read_rows(bytearray(b"[" + b",".join(pieces) + b"]"), WireMovie)
    return contents_of(SPEC, good, tags_of([WireTag(7, "kids")]), odd)


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({"genres": [None, "Crime", {}, 5]}, {"genres": ("Crime", "5")}),
        ({"genres": "Crime"}, {"genres": ()}),
        ({"keywords": [None, "heist"]}, {"keywords": ("heist",)}),
        ({"tags": [None, 7]}, {"labels": {"kids"}}),
        ({"tags": ["7"]}, {"labels": {"kids"}}),
        ({"tags": [7.0]}, {"labels": {"kids"}}),
        ({"year": "1998"}, {"year": 1998}),
        ({"year": 1998.0}, {"year": 1998}),
        ({"year": "1998.0"}, {"year": 1998}),
        ({"year": "MCMXCVIII"}, {"year": 0}),
        ({"year": 1998.5}, {"year": 0}),
        ({"year": True}, {"year": 0}),
        ({"title": 1917}, {"title": "1917"}),
        ({"tmdbId": "8195", "id": "2"}, {"key": "movie:8195", "arr_id": 2}),
        ({"tmdbId": 8195.0}, {"key": "movie:8195"}),
        ({"overview": ["x"]}, {"plot": ""}),
        ({"ratings": {"imdb": {"value": float("nan"), "votes": float("-inf")}}}, {"title": "Ronin"}),
        ({"title": "NaN, Infinity"}, {"title": "NaN, Infinity"}),
        ({"year": 10**400}, {"title": "Ronin", "year": 0}),
        ({"title": "9" * 400, "popularity": 10**400}, {"title": "9" * 299 + "…"}),
    ],
)
def test_odd_values_are_read_or_left_out(fields: dict[str, Any], read: dict[str, Any]) -> None:
    """A value whose meaning is certain is read, another one counts as absent; the other movie is as it was."""
    heat, ronin = _read(HEAT, _ronin(**fields)).items

    assert heat.title == "Heat"
    assert {name: getattr(ronin, name) for name in read} == read


@pytest.mark.parametrize(
    ("row", "title", "why"),
    [
        (b"null", "", "row 2 of the list is null"),
        (b"[]", "", "row 2 of the list is []"),
        (b'"Ronin"', "", 'row 2 of the list is "Ronin"'),
        (_ronin(id=None), "Ronin", "it has no id in Radarr"),
        (_ronin(id="x"), "Ronin", "it has no id in Radarr"),
        (_ronin(tmdbId=None), "Ronin", "it has no TMDb id"),
        (_ronin(tmdbId=12.5), "Ronin", "it has no TMDb id"),
        (_ronin(title=["Ronin"]), "", "it has no title"),
        (_ronin(tags=["kids"]), "Ronin", 'its tags cannot be read: "kids" is no number'),
        (_ronin(tags={}), "Ronin", "its tags cannot be read: {} is no list of numbers"),
    ],
)
def test_a_row_that_makes_no_sense_is_named_and_the_others_stay(row: bytes, title: str, why: str) -> None:
    """Tags that cannot be read leave the movie out: taken for none, what its owner tagged would be acted against."""
    library = _read(HEAT, row)

    assert [movie.title for movie in library.items] == ["Heat"]
    assert [(left.title, left.why) for left in library.left_out] == [(title, why)]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (rb"a\ud800b", "a\ufffdb"),
        (rb"\udc00", "\ufffd"),
        (rb"\ud83d\ude00 \ud83d", "\U0001f600 \ufffd"),
        (rb"\\ud800", r"\ud800"),
        (rb"\ud7ff \u00e9", "\ud7ff \u00e9"),
        (b"a\xffb", "a\ufffdb"),
        (b"a\nb\tc", "a b c"),
    ],
)
def test_half_a_character_becomes_the_replacement_character(text: bytes, read: str) -> None:
    """Half a surrogate pair, a byte that is no UTF-8, a raw line break: the title is read, and so are the others."""
    heat, ronin = _read(HEAT, _ronin(title="?").replace(b"?", text)).items
    assert (heat.title, ronin.title) == ("Heat", read)


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf[]", b"\xef\xbb\xbf [null]", b'\xef\xbb\xbf[{"id": 1}]'])
def test_a_byte_order_mark_is_passed_over(body: bytes) -> None:
    """Some proxies put one in front."""
    good, odd = rows.read_rows(body, WireMovie)
    assert len(good) + len(odd) == body.count(b"{") + body.count(b"null")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b'[{"title":"Heat","tmdbId":949',
        b'[{"title":"Heat","tmdbId":"949"},',
        b"[null, null",
        b'[{"ratings":NaN},',
        b'[{"title":"\\ud800"',
        b"[]]",
        b"[] []",
        b"<html>",
        b"\xff",
        b'{"movies":',
        b'[{"ratings":' + b"[" * 200_000,
    ],
)
def test_a_list_that_is_cut_off_is_no_list(body: bytes) -> None:
    """Half a list is never fewer movies, and another try may bring the whole of it."""
    with pytest.raises(Garbled) as caught:
        rows.read_rows(body, WireMovie)
    assert caught.value.is_torn


@pytest.mark.parametrize("body", [b"{}", b"null", b"7", b'{"movies": []}', b'"[]"'])
def test_a_whole_answer_that_is_no_list_is_not_torn(body: bytes) -> None:
    """Asking again would bring the same."""
    with pytest.raises(Garbled) as caught:
        rows.read_rows(body, WireMovie)
    assert not caught.value.is_torn


def test_one_object_is_read_in_the_same_way() -> None:
    """A status with a version that is a number is a status; a list is none."""
    status = rows.read_object(b'\xef\xbb\xbf{"appName": "Radarr", "version": 6, "urlBase": ["x"]}', WireStatus)
    assert (status.app_name, status.version, status.url_base) == ("Radarr", "6", None)
    with pytest.raises(Garbled):
        rows.read_object(b"[]", WireStatus)
    with pytest.raises(Garbled):
        rows.read_object(b"", WireStatus)


def test_credits_rules_and_edited_movies_lose_their_odd_rows_only() -> None:
    """One odd row of a cast leaves the cast; one odd movie of an edit's answer leaves the others proven."""
    cast = b'[null, {"personName": "A", "type": "cast", "order": "1"}, {"personName": null, "type": "cast"}, 5]'
    found = credits_of(rows.read_rows(cast, WireCredit)[0])
    rules, odd_rules = rows.read_rows(b'[{"name": null, "tags": [1, null]}, {"name": "x", "tags": "y"}]', WireRule)
    edited, odd = rows.read_rows(b'[{"id": "1", "tags": ["2"]}, null, {"id": 3, "tags": [{}]}]', EditedRow)

    assert found.actors == ("A",)
    assert ([rule.tags for rule in rules], [rule.name for rule in odd_rules]) == ([[1]], ["x"])
    assert ([(movie.id, movie.tags) for movie in edited], len(odd)) == ([(1, [2])], 2)


@pytest.mark.parametrize("value", [b"1" + b"0" * 6000, b"1e400", b"-1E+9999", b"1." + b"7" * 6000])
def test_a_number_that_nothing_can_hold_is_left_out(value: bytes) -> None:
    """The movie stays, whether the number is one that is read or not."""
    library = _read(HEAT, b'{"year": ' + value + b', "votes": ' + value + b', "id": 2, "tmdbId": 3, "title": "1e400"}')
    assert [(movie.title, movie.year) for movie in library.items] == [("1e400", 0), ("Heat", 0)]


@pytest.mark.parametrize("depth", [200, 3000, 100_000])
def test_what_is_nested_too_deeply_is_left_out(depth: int) -> None:
    """A value that nothing reads costs no movie; a row without sense costs itself."""
    deep = b'{"x":[' * depth + b'"]}\\\\"' + b"]}" * depth
    library = _read(HEAT, deep, b'{"id": 2, "tmdbId": 3, "title": "Ronin", "zz": ' + deep + b', "year": 1998}')
    assert [(movie.title, movie.year) for movie in library.items] == [("Ronin", 1998), ("Heat", 0)]
    assert len(library.left_out) == 1


def test_of_two_rows_with_one_id_the_first_takes_part() -> None:
    """An edit of that id would be one of both; they would take turns for ever."""
    library = _read(HEAT, HEAT.replace(b"949", b"8195").replace(b"Heat", b"Ronin"))
    assert [movie.title for movie in library.items] == ["Heat"]
    assert [(row.title, row.why) for row in library.left_out] == [("Ronin", "it has the same id as Heat")]


def test_a_number_of_thousands_of_digits_is_an_odd_row() -> None:
    """Python refuses to read it, and that must not cost the other movies."""
    library = _read(HEAT, b'{"id": 2, "tmdbId": ' + b"9" * 6000 + b', "title": "Ronin"}')
    assert ([movie.title for movie in library.items], len(library.left_out)) == (["Heat"], 1)


@pytest.mark.no_cover
@unhurried
@given(st.lists(ROWS))
def test_every_row_of_any_list_is_a_movie_or_left_out(values: list[object]) -> None:
    """Whatever a list holds, nothing but our own error is raised, and no row is lost without a word."""
    body = json.dumps(values).encode()  # writes NaN and lone surrogates as they are

    good, odd = rows.read_rows(body, WireMovie)
    library = contents_of(SPEC, good, {}, odd)

    assert len(library.items) + len(library.left_out) == len(values)
    for movie in library.items:
        assert msgspec.json.decode(msgspec.json.encode(movie.title)) == movie.title


@unhurried
@given(st.lists(st.fixed_dictionaries({"id": st.integers(1, 9), "title": st.text()})), st.data())
def test_no_beginning_of_a_list_is_a_list(values: list[dict[str, Any]], data: st.DataObject) -> None:
    """Wherever it is cut, also behind an odd row."""
    body = json.dumps([None, *values]).encode()
    with pytest.raises(Garbled):
        rows.read_rows(body[: data.draw(st.integers(0, len(body) - 1))], WireMovie)


@unhurried
@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_garbled(body: bytes) -> None:
    """No answer, however odd, raises anything but our own error."""
    for kind in (WireMovie, WireTag, WireCredit, WireRule, EditedRow):
        with contextlib.suppress(Garbled):
            rows.read_rows(body, kind)
    for one in (WireStatus, WireTag):
        with contextlib.suppress(Garbled):
            rows.read_object(body, one)
