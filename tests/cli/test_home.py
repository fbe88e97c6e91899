"""The command line in a home with two Radarrs and a Sonarr: items of both kinds by every name, and where they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins.faults import answer
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.standins.sonarr_seed import ShowSeed
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

NOWHERE = "http://127.0.0.1:9"

SERIES = [
    *shows(6),
    ShowSeed(title="Archer (2009)", year=2009, tvdb_id=110381, imdb_id="tt1486217", tmdb_id=10283),
    ShowSeed(title="Cosmos", year=1980, tvdb_id=74995, tmdb_id=1001),
    ShowSeed(title="Fargo", year=2014, tvdb_id=269613),
]
FILMS = [
    *movies(6),
    MovieSeed(title="Cosmos", year=1980, tmdb_id=424242),
    MovieSeed(title="Fargo", year=1996, tmdb_id=275),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Home]:
    """A few films and shows, some of one name, and a collection Crime of each kind."""
    with Home(tmp_path, FILMS, FILMS[:3], SERIES) as made:
        made.collections(block("Crime"))
        made.collections(block("Crime", media="shows"), file="shows.yml")
        made.believe("Crime", [1, 4])
        made.believe_shows("Crime", [2])
        made.truth["Crime"]["Archer (2009)"] = 0.95
        yield made


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("tvdb:1002", "show:1002"),
        ("TVDB:110381", "show:110381"),
        ("tt1486217", "show:110381"),
        ("Archer (2009)", "show:110381"),
        ("archer (2009) (2009)", "show:110381"),
        ("archer", "show:110381"),
        ("tmdb:10283", "show:110381"),
        ("tmdb:1001", "movie:1001"),
        ("tt0001001", "movie:1001"),
        ("Fargo (1996)", "movie:275"),
        ("Fargo (2014)", "show:269613"),
        ("show 2", "show:1002"),
    ],
)
def test_explains_by_any_name(call: Call, name: str, key: str) -> None:
    """A number of TMDb is a film's first, and a show's where no film has it; a title may carry its year itself."""
    data = call("--explain", name, "--output", "json").data

    assert data["key"] == key
    assert [each["slug"] for each in data["collections"]] == ["crime"]


@pytest.mark.parametrize("name", ["Cosmos (1980)", "cosmos"])
def test_a_film_and_a_show_of_one_name(call: Call, name: str) -> None:
    """Both are named with their ids, by which each can be named."""
    ended = call("--explain", name)

    assert ended.code == 2
    assert "names 1 movie and 1 show: Cosmos (1980) (tmdb:424242), Cosmos (1980) (tvdb:74995)." in ended.err
    assert "by its TMDb or TVDb id" in ended.err


def test_what_there_is_not(call: Call) -> None:
    """Forms of both kinds are offered, and items of the same title."""
    assert (
        '"Heat (1995)", "tmdb:949" or "tt0113277" or "Breaking Bad (2008)", "tvdb:81189" or "tt0903747"'
        in call("--explain", "No Such Thing (1900)").err
    )
    assert 'Did you mean "Fargo (1996)" or "Fargo (2014)"?' in call("--explain", "fargo (2000)").err
    assert call("--explain", "tvdb:7").code == 2


def test_says_which_libraries_hold_it(world: Home, call: Call) -> None:
    """By title, and in which of them the tag is not as decided."""
    call("--run-now")
    world.radarr_4k.untag_by_hand(1001, "kai-crime")

    first = call("--explain", "tmdb:1001")
    data = call("--explain", "tmdb:1001", "--output", "json").data

    assert first.out.startswith("Movie 1 (1951) tmdb:1001, in Radarr and Radarr 4K\n")
    assert "but Radarr 4K lacks the tag kai-crime" in first.out
    assert data["libraries"] == ["radarr", "radarr-4k"]
    assert data["collections"][0]["differing"] == ["Radarr 4K"]
    show = call("--explain", "Archer (2009)")
    assert show.out.startswith("Archer (2009) tvdb:110381, in Sonarr\n")
    assert "Crime: in (verdict)" in show.out
    assert "but" not in show.out
    assert "network or language change, or it ends" in show.out


def test_explains_while_one_library_is_away(world: Home, call: Call) -> None:
    """What others hold is explained in full, beside the reason; what it holds alone is explained from memory."""
    call("--run-now")

    film = call("--explain", "tmdb:1001", SONARR_URL=NOWHERE)
    show = call("--explain", "Archer (2009)", SONARR_URL=NOWHERE)

    assert (film.code, show.code) == (1, 1)
    assert "Crime: in (verdict)" in film.out
    assert "Problem Sonarr: Sonarr at http://127.0.0.1:9 cannot be reached" in film.out
    assert "From memory, without the show's tags: Sonarr at" in " ".join(show.out.split())
    assert "Crime: in (verdict)" in show.out
    assert call("--explain", "tmdb:77777777", SONARR_URL=NOWHERE).code == 3
    assert call("--explain", "tvdb:77777777", RADARR_URL=NOWHERE, RADARR_4K_URL=NOWHERE).code == 2
    world.sonarr.faults.inject(answer(401), path="*", times=None)
    assert call("--explain", "tmdb:1001").code == 1
    assert "From memory" in call("--explain", "tvdb:110381").out


def test_the_estimate_tells_the_kinds_apart(call: Call) -> None:
    """Two of one name, in the table and in the data."""
    data = call("--estimate", "--output", "json").data
    out = call("--estimate").out

    assert [(each["name"], each["kind"], each["pending"]) for each in data["collections"]] == [
        ("Crime", "movie", len(FILMS)),
        ("Crime", "show", len(SERIES)),
    ]
    assert "Crime (shows)" in out
    assert "7% of the movies and shows written out in answers, usual people where Radarr" in out


@pytest.mark.parametrize("name", ["tvdb:110381", "tt1486217", "Archer (2009)", "archer (2009) (2009)", "archer"])
def test_a_pin_of_a_show_is_released_by_any_name(call: Call, name: str) -> None:
    """Nothing else is released with it."""
    call("--undo", call("--run-now", "--output", "json").data["run_id"])
    before = call("--pins")

    released = call("--release-pin", name)

    assert "Archer (2009) tvdb:110381 is pinned out of Crime" in before.out
    assert released.code == 0
    left = {pin["key"] for pin in call("--pins", "--output", "json").data}
    assert left == {"movie:1001", "movie:1004", "show:1002"}


def test_pins_of_one_title(world: Home, call: Call) -> None:
    """A film's and a show's: both are named with their ids, and each is released by its own."""
    world.truth["Crime"]["Cosmos"] = 0.95
    call("--undo", call("--run-now", "--output", "json").data["run_id"])

    both = call("--release-pin", "Cosmos (1980)")

    assert both.code == 2
    assert "several movies and shows: Cosmos (1980) (tmdb:424242), Cosmos (1980) (tvdb:74995)." in both.err
    by_tmdb = call("--release-pin", "tmdb:10283")
    assert (by_tmdb.code, "by its number at TheTVDB" in by_tmdb.err) == (2, True)
    assert call("--release-pin", "tvdb:74995").code == 0
    assert "movie:424242" in {pin["key"] for pin in call("--pins", "--output", "json").data}


def test_a_run_on_the_terminal(world: Home, call: Call) -> None:
    """Headline, table, lists and footer of a home with both kinds."""
    out = call("--run-now", "--reasons").out

    assert "All is well. 2 movies and 2 shows added in 2 collections.\n" in out
    assert "Crime (shows)" in out
    assert "Crime (shows): about shows: `media: shows`\n" in out
    assert "Movie 1 (1951) (radarr, radarr-4k)" in out
    assert "Movie 4 (1954) (radarr)" in out
    assert "  Archer (2009)  0.95" in out
    assert "8 movies and 9 shows in " in out
    world.sonarr.faults.inject(answer(401), path="*", times=None)
    assert "Needs you: Sonarr left alone, 1 problem." in call("--run-now").out


def test_an_undo_says_where(call: Call) -> None:
    """Each change is taken back in its library, which is named where there are several of its kind."""
    run_id = call("--run-now", "--output", "json").data["run_id"]

    preview = call("--undo", run_id, "--dry-run").out
    undone = call("--undo", run_id, "--output", "json").data

    assert "Movie 1 (1951) (radarr): kai-crime would be taken off again\n" in preview
    assert "Movie 1 (1951) (radarr-4k): kai-crime would be taken off again\n" in preview
    assert "Archer (2009): kai-crime would be taken off again\n" in preview
    assert sorted(each["library"] for each in undone["removed"]) == ["", "", "radarr", "radarr", "radarr-4k"]


def test_an_undo_tells_where_something_else_was_changed(world: Home, call: Call) -> None:
    """By the title of the library, and with the collection of its kind."""
    run_id = call("--run-now", "--output", "json").data["run_id"]
    world.radarr_4k.untag_by_hand(1001, "kai-crime")
    world.sonarr.untag_by_hand(110381, "kai-crime")

    call("--undo", run_id)
    history = call("--undo", run_id, "--dry-run", "--output", "json").data

    assert {each["library"] for each in history["left"]} == {"radarr", "radarr-4k", ""}
    kept = [json.loads(path.read_text()) for path in (world.state_dir / "runs").glob("*.json")]
    [undo] = [report for report in kept if report["kind"] == "undo" and not report["dry_run"]]
    assert {(each["source"], each["collection"]) for each in undo["warnings"]} == {
        ("Radarr 4K", "Crime"),
        ("Sonarr", "Crime (shows)"),
    }


def test_an_undo_of_what_nothing_confirmed(world: Home, call: Call) -> None:
    """It names the libraries in which to look, and what to look for."""
    for service in (world.radarr, world.radarr_4k, world.sonarr):
        service.faults.inject(answer(400, "[]"), method="PUT", path="*/editor", times=None)
    run_id = call("--run-now", "--output", "json").data["run_id"]

    ended = call("--undo", run_id)

    assert ended.code == 2
    assert f"Radarr, Radarr 4K and Sonarr confirmed no change of the run {run_id}; 4 changes failed" in ended.err
    assert "Look in Radarr, Radarr 4K and Sonarr which movies and shows have the tag" in ended.err
