"""The files that keep what each library looked like after a run."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.core.item import ArrId, ItemKey, movie_key, show_key
from kometa_ai.core.movie import Credits, Movie
from kometa_ai.core.naming import CollectionKey, Label
from kometa_ai.core.show import Show
from kometa_ai.errors import RepairState
from kometa_ai.state import libraries
from kometa_ai.state.libraries import Header, Intended, Intent, ItemLine, item_of, line_of

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.kinds import AnyItem

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
NOIR = Label("kai-noir")
HEADER = Header(library="radarr", at=NOW, run_id="20260301-030000-aaaa", managed={NOIR: CollectionKey("noir")})
INTENT = Intent(changes=(Intended(movie_key(1), NOIR, "add"),), run_id="20260302-030000-bbbb", at=NOW)

_texts = st.text(max_size=40)
_words = st.lists(_texts, max_size=4).map(tuple)
_labels = st.frozensets(_texts.map(Label), max_size=4)
_numbers = st.integers(1, 2**31 - 1)
_common = {
    "arr_id": _numbers.map(ArrId),
    "title": _texts,
    "year": st.integers(0, 3000),
    "imdb_id": _texts,
    "plot": _texts,
    "genres": _words,
    "labels": _labels,
    "libraries": st.just(("radarr-4k",)),
}
_movies = st.builds(
    Movie, key=_numbers.map(movie_key), keywords=_words, credits=st.builds(Credits, _words, _words), **_common
)
_shows = st.builds(
    Show,
    key=_numbers.map(show_key),
    tmdb_id=_numbers,
    network=_texts,
    language=_texts,
    certification=_texts,
    runtime=st.integers(0, 999),
    seasons=st.integers(0, 99),
    status=st.sampled_from(["upcoming", "running", "ended"]),
    form=_texts,
    **_common,
)


def movie(number: int = 1, *labels: str, title: str = "Heat") -> Movie:
    """A movie of the library `radarr`."""
    held = frozenset(map(Label, labels))
    return Movie(arr_id=ArrId(number), key=movie_key(number), title=title, labels=held, libraries=("radarr",))


def _written(folder: Path, *items: AnyItem) -> bytes:
    libraries.write(folder, HEADER, map(line_of, items))
    return libraries.place_of(folder, "radarr").read_bytes()


@settings(max_examples=60)
@given(item=_movies | _shows)
def test_an_item_comes_back_as_it_was(item: AnyItem) -> None:
    """An item that went through its line is the same item, and is judged from the same facts."""
    line = libraries._ITEM.decode(libraries._encoded(line_of(item)))

    back = item_of(line, "radarr-4k")

    assert back == item
    assert fingerprint(back) == fingerprint(item)


def test_rows_are_found_again_by_their_place(tmp_path: Path) -> None:
    """A row tells where its line stands, and the line is read from there, also when a newer file has its name."""
    _written(tmp_path, movie(1, "kai-noir"), movie(2, title="Am\u00e9lie"), movie(3))
    found = libraries.open_file(tmp_path, "radarr")
    assert found is not None
    with found:
        rows = list(found.rows())
        _written(tmp_path, movie(9))

        lines = [found.at(row.offset, row.length) for row in rows]

    assert msgspec.structs.replace(found.header, stamp=0.0) == HEADER
    assert abs(found.header.stamp - found.changed) < 60
    assert [item_of(line, "radarr") for line in lines] == [
        movie(1, "kai-noir"),
        movie(2, title="Am\u00e9lie"),
        movie(3),
    ]
    assert found.is_whole


def test_a_file_is_private_and_small(tmp_path: Path) -> None:
    """Only the program's user may read a file, its folder too; and what an item does not have takes no room."""
    content = _written(tmp_path, movie(1))

    place = libraries.place_of(tmp_path, "radarr")
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert content.splitlines()[1] == b'{"key":"movie:1","id":1,"title":"Heat"}'


def test_intents_follow_the_items(tmp_path: Path) -> None:
    """What a run is about to send is added at the end, and is there for the next one together with the labels."""
    libraries.write(tmp_path, HEADER, [line_of(movie(1, "kai-noir", "kids"), left=(), new=True), line_of(movie(2))])

    libraries.intend(tmp_path, "radarr", INTENT)

    with libraries.LibraryFile(libraries.place_of(tmp_path, "radarr")) as found:
        items, intents = found.labels()
    assert [(item.key, item.labels, item.left, item.new) for item in items] == [
        ("movie:1", ("kai-noir", "kids"), (), True),
        ("movie:2", (), None, False),
    ]
    assert [msgspec.structs.replace(each, stamp=0.0) for each in intents] == [INTENT]
    assert found.is_whole


def test_an_intent_needs_no_file(tmp_path: Path) -> None:
    """Where a library has no file yet, nothing is known of it that an intent could explain."""
    libraries.intend(tmp_path, "radarr", INTENT)

    assert libraries.open_file(tmp_path, "radarr") is None


def test_open_intents_are_kept_in_a_new_file(tmp_path: Path) -> None:
    """A file that is written anew keeps the intents that are still open."""
    libraries.write(tmp_path, HEADER, [line_of(movie(1))], [INTENT])

    with libraries.LibraryFile(libraries.place_of(tmp_path, "radarr")) as found:
        assert found.labels()[1] == [INTENT]
        assert [row.line.key for row in found.rows()] == ["movie:1"]


@pytest.mark.parametrize(
    "damage",
    [b"", b"\n", b"[]\n", b'{"format":9,"library":"radarr","at":"2026-03-01T03:00:00Z","run_id":"","managed":{}}\n'],
    ids=["empty", "no header", "a list", "a newer format"],
)
def test_a_file_that_is_none_is_not_known(tmp_path: Path, damage: bytes) -> None:
    """A file whose header cannot be used counts as none; it is no error."""
    _written(tmp_path, movie(1))
    libraries.place_of(tmp_path, "radarr").write_bytes(damage)

    assert libraries.open_file(tmp_path, "radarr") is None


def test_a_file_of_another_library_is_not_known(tmp_path: Path) -> None:
    """A file that was renamed is not taken for the library's own."""
    _written(tmp_path, movie(1))
    libraries.place_of(tmp_path, "radarr").rename(libraries.place_of(tmp_path, "radarr-4k"))

    assert libraries.open_file(tmp_path, "radarr-4k") is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Neither a link in a file's place is read, nor one in the folder's place written through."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / libraries.FOLDER).symlink_to(elsewhere)
    _written(tmp_path, movie(1))
    place = libraries.place_of(tmp_path, "radarr")
    place.rename(elsewhere / "radarr.jsonl")
    place.symlink_to(elsewhere / "radarr.jsonl")

    assert libraries.open_file(tmp_path, "radarr") is None
    with pytest.raises(RepairState, match="is a link"):
        libraries.write(tmp_path / "linked", HEADER, [])


def test_damaged_lines_are_left_out(tmp_path: Path) -> None:
    """Of a damaged file the good lines are read, a torn last one is not, and it is known not to be whole."""
    first, *lines = _written(tmp_path, movie(1), movie(2), movie(3)).splitlines(keepends=True)
    libraries.place_of(tmp_path, "radarr").write_bytes(
        first + lines[0] + b'{"key":"movie:0"}\n' + lines[1] + lines[2][:9]
    )

    with libraries.LibraryFile(libraries.place_of(tmp_path, "radarr")) as found:
        assert [row.line.key for row in found.rows()] == ["movie:1", "movie:2"]
        assert not found.is_whole


def test_a_file_that_takes_no_intent_is_removed(tmp_path: Path) -> None:
    """Where an intent cannot be added, the file goes: it would make our own changes look like a person's."""
    _written(tmp_path, movie(1))
    place = libraries.place_of(tmp_path, "radarr")
    place.unlink()
    os.mkfifo(place)

    libraries.intend(tmp_path, "radarr", INTENT)

    assert not os.path.lexists(place)


def test_a_file_that_can_neither_take_an_intent_nor_go_is_a_problem(tmp_path: Path) -> None:
    """Where even that fails, whoever is about to write to the library learns of it."""
    libraries.place_of(tmp_path, "radarr").mkdir(parents=True)

    with pytest.raises(RepairState, match="could not be noted"):
        libraries.intend(tmp_path, "radarr", INTENT)


def test_odd_text_ends_nothing(tmp_path: Path) -> None:
    """Half a surrogate pair, which UTF-8 cannot carry, costs its character and nothing else."""
    line = ItemLine(key=ItemKey("movie:1"), id=ArrId(1), title="Heat \ud800")
    libraries.write(tmp_path, HEADER, [line])

    with libraries.LibraryFile(libraries.place_of(tmp_path, "radarr")) as found:
        assert [row.line.title for row in found.rows()] == ["Heat ?"]
