"""Radarr answers oddly: single rows, sizes, and answers to edits that never come."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from kometa_ai.core.decision import Decision, Remembered
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.library.arr.contents import contents_of
from kometa_ai.library.arr.rows import read_rows
from kometa_ai.library.radarr import SPEC, WireMovie
from kometa_ai.standins.faults import answer, answer_instead, rewrite
from kometa_ai.state.schema import Described, Judged
from kometa_ai.state.store import Store
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kometa_ai.standins.faults import Effect

EDITOR, LIST = "*/movie/editor", "*/movie"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies, of which Claude believes the even ones to be in the one collection."""
    with World(tmp_path, movies(12)) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(0, 12, 2))
        yield made


def _changed(change: Callable[[dict[str, Any]], object], number: int = 0) -> Effect:
    def rewritten(body: bytes) -> bytes:
        rows = json.loads(body)
        rows[number] = change(rows[number])
        return json.dumps(rows).encode()

    return rewrite(rewritten)


def test_a_null_among_the_tags_is_no_tag(world: World) -> None:
    """The other tags of that movie count, so nothing changes for it."""
    world.run()
    world.radarr.faults.inject(_changed(lambda row: {**row, "tags": [None, *row["tags"]]}), path=LIST, times=None)

    report = world.run()

    assert (report.added, report.removed, report.library, report.exit_code) == (0, 0, 12, 0)


@pytest.mark.parametrize(
    "odd",
    [
        {"genres": [None]},
        {"keywords": [None]},
        {"year": "1950"},
        {"year": 1950.0},
        {"title": 0},
        {"tmdbId": "1000"},
        {"ratings": {"imdb": {"value": float("nan")}}},
        {"title": "Movie \ud800"},
        {"year": 10**9},
    ],
)
def test_a_movie_with_an_odd_value_takes_part(world: World, odd: dict[str, Any]) -> None:
    """Nothing is lost for it and the others, nothing is asked for twice, and the next run is as quiet as ever."""
    world.radarr.faults.inject(_changed(lambda row: {**row, **odd}), path=LIST, times=None)

    first, second = world.run(), world.run()

    assert (first.library, first.exit_code, second.asked, second.problems) == (12, 0, 0, ())
    assert world.numbers("kai-noir") >= {2, 4, 6, 8, 10}
    assert len(world.radarr.list_reads) == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda _: None, "row 1 of the list is null"),
        (lambda row: {**row, "id": None}, "Movie 0"),
        (lambda row: {**row, "tags": ["x"]}, "Movie 0"),
        (lambda row: {**row, "tmdbId": 99_999_999_999}, "Movie 0"),
        (lambda row: {**row, "tmdbId": 10**25}, "Movie 0"),
        (lambda row: {**row, "tmdbId": 9_999_999_999}, "Movie 0"),
        (lambda row: {**row, "id": 10**12}, "Movie 0"),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_and_named(
    world: World, change: Callable[[dict[str, Any]], object], named: str
) -> None:
    """The others are judged and tagged, the state can be read again, and each run says which one is missing."""
    world.radarr.faults.inject(_changed(change), path=LIST, times=None)

    first, second = world.run(), world.run()

    assert world.numbers("kai-noir") == {2, 4, 6, 8, 10}
    for report in (first, second):
        assert (report.library, report.problems, report.exit_code) == (11, (), 0)
        assert [warning.what for warning in report.warnings if named in warning.what]
    assert second.asked == 0
    assert not list(world.state_dir.glob("*.damaged-*"))


NUMBERS = st.integers() | st.integers(-5, 10**11) | st.sampled_from([10**9, 10**25, 2**31 - 1, 2**31, 9_999_999_999])
ROWS = st.fixed_dictionaries(
    {"id": NUMBERS, "tmdbId": NUMBERS, "title": st.text(st.characters(), min_size=1)}, optional={"year": NUMBERS}
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.lists(ROWS, max_size=8))
def test_whatever_a_library_lists_the_state_takes_back(rows: list[dict[str, Any]]) -> None:
    """What a run writes of any movie, the next one reads without a complaint and without a loss."""
    good, odd = read_rows(json.dumps(rows).encode(), WireMovie)
    library = contents_of(SPEC, good, {}, odd)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    noir = Slug("noir")
    with TemporaryDirectory() as name:
        store = Store.load(Path(name))
        for movie in library.items:
            decision = Decision(
                tag="KAI-noir", include=True, confidence=1, timestamp=now, metadata_hash="x", prompt_hash="y"
            )
            known = Remembered(title=movie.title, year=movie.year, last_seen=now.date())
            store.record(Described(key=movie.key, movie=known))
            store.record(Judged(key=movie.key, slug=noir, decision=decision))
        journal = Store.load(Path(name), read_only=True)
        store.save(now)
        snapshot = Store.load(Path(name))

    for again in (journal, snapshot):
        assert again.alerts == []
        assert {key: known.title for key, known in again.memory.items()} == {
            movie.key: movie.title for movie in library.items
        }


@pytest.mark.parametrize("pin", ["tmdb:9999999999", "tmdb:2147483648"])
def test_a_pin_beyond_all_ids_is_named_and_the_others_hold(world: World, pin: str) -> None:
    """It names no movie that there could be; the state takes the run back all the same."""
    world.collections(block("Noir", include_movies=f"[{pin}, tmdb:1001]"))

    first, second = world.run(), world.run()

    assert 1 in world.numbers("kai-noir")
    for report in (first, second):
        assert (report.problems, report.exit_code) == ((), 0)
        assert any(pin in warning.what for warning in report.warnings)


@pytest.mark.parametrize("name", ["N" * 1000, "N" * 251])
def test_a_name_that_makes_a_tag_without_end_is_a_problem(world: World, name: str) -> None:
    """That collection is skipped and named; the others go on."""
    world.collections(block("Noir"), block(name))

    report = world.run()

    assert world.numbers("kai-noir") == {0, 2, 4, 6, 8, 10}
    assert report.exit_code == 1
    assert "its name makes a tag of" in report.problems[0].what


def test_a_library_of_odd_rows_only_is_no_library(world: World) -> None:
    """It is as little believed as an empty one, and the report names the rows."""
    world.run()
    world.radarr.faults.inject(rewrite(lambda _: json.dumps([None] * 12).encode()), path=LIST, times=None)

    report = world.run()

    assert report.exit_code == 3
    assert "none of them can take part" in report.problems[0].what
    assert world.numbers("kai-noir") == {0, 2, 4, 6, 8, 10}


def test_thousands_of_odd_rows_are_a_few_warnings(world: World) -> None:
    """A report that names each of them could not be sent."""
    rows = [{"id": number, "title": f"Odd {number}"} for number in range(1000, 9000)]
    world.radarr.faults.inject(
        rewrite(lambda body: json.dumps([*json.loads(body), *rows]).encode()), path=LIST, times=None
    )

    report = world.run()

    told = [warning for warning in report.warnings if warning.source == "Radarr"]
    assert (report.library, len(told)) == (12, 21)
    assert "7,980 further movies" in told[-1].what


def test_edits_whose_answers_are_lost_are_booked(world: World) -> None:
    """Radarr makes them, a proxy hides it: the report tells them as changed, after one more read of the list."""
    world.radarr.faults.inject(answer_instead(504), path=EDITOR, times=None)

    report = world.run()

    assert (report.added, report.failed, report.problems) == (6, 0, ())
    assert len(report.changes) == 6
    assert any("shows it made" in warning.what for warning in report.warnings)
    assert len(world.radarr.list_reads) == 3
    assert report.collections[0].members == 6


def test_a_proxy_that_gives_up_on_the_list_is_named_at_once(world: World) -> None:
    """One call, exit 3, and what to do about the proxy."""
    fault = world.radarr.faults.inject(answer(504), path=LIST, times=None)

    report = world.run()

    assert (fault.hits, report.exit_code) == (1, 3)
    assert "raise its time-out" in report.problems[0].remedy


def test_thousands_of_unknown_movies_are_one_short_warning(world: World) -> None:
    """A run for seven thousand hints that Radarr does not list tells how many there were, and names a few."""
    unknown = frozenset(movie_key(number) for number in range(100_000, 107_000))

    with capture_logs() as logged:
        report = world.run(movies=unknown)

    [told] = [warning for warning in report.warnings if warning.source == "Radarr"]
    assert told.what == "7,000 of the 7,000 movies of this run are not in the list of Radarr."
    assert len(told.movies) == 20
    assert max(len(str(event)) for event in logged) < 2000
