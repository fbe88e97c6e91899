from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.core.choice import Pin
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.state.choices import ChoicesFile
from tests.daemon.kept import keep_libraries
from tests.daemon.living import daemon_beside
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.daemon.living import Beside


@pytest.fixture
def lived(world: World) -> World:
    """A world after two runs: noir holds movies 0 and 1 surely, 2 barely; 3 was in and left; heist is switched off."""
    world.believe("Noir", [0, 1, 3])
    world.believe("Noir", [2], 0.72)
    world.believe("Noir", [4], 0.62)
    world.run()
    world.radarr.update_movie(1003, overview="Another plot.")
    world.believe("Noir", [3], 0.3)
    world.run()
    world.collections(
        block("Noir"), block("Heist").replace("enabled: true", "enabled: false"), block("Odd", confidence_threshold=7)
    )
    keep_libraries(world)
    return world


@pytest.fixture
async def lived_here(lived: World) -> AsyncIterator[Beside]:
    """A daemon beside the test, in that world."""
    async with daemon_beside(lived) as made:
        yield made


async def _get(here: Beside, path: str, **query: object) -> Any:
    answer = await here.client.get(f"/api/v1/{path}", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _titles(here: Beside, path: str, **query: object) -> list[str]:
    return [each["title"] for each in (await _get(here, path, **query))["items"]]


async def test_every_collection_is_listed_with_its_counts_and_why_it_takes_no_part(lived_here: Beside) -> None:
    """Those that take part have counts; one that is off and one with a fault say so, with its remedy."""
    found = await _get(lived_here, "collections")
    noir, *others = found["items"]

    assert (found["total"], found["page"]) == (3, 1)
    assert found["as_of"].startswith("2026-03-03")
    assert (noir["key"], noir["state"], noir["tag"]) == ("noir", "on", "kai-noir")
    assert noir["counts"] == {
        "members": 3,
        "tagged": 3,
        "pending": 0,
        "near": 2,
        "pinned": 0,
        "tag": 0,
        "unjudged": 0,
        "held_back": 0,
    }
    assert [(each["key"], each["state"]) for each in others] == [("heist", "off"), ("odd", "skipped")]
    assert "enabled: true" in others[0]["why"]
    assert others[1]["problems"][0]["remedy"]


async def test_one_collection_shows_how_its_verdicts_are_spread(lived_here: Beside) -> None:
    """The bars count the verdicts with a confidence of their own, members and others apart."""
    noir = await _get(lived_here, "collections/noir")

    assert noir["prompt"].strip() == "All about Noir."
    assert {step: count for step, count in enumerate(noir["members_by_confidence"]) if count} == {14: 1, 19: 2}
    assert {step: count for step, count in enumerate(noir["others_by_confidence"]) if count} == {6: 1, 12: 1}
    assert (await lived_here.client.get("/api/v1/collections/unknown")).status_code == 404
    assert (await lived_here.client.get("/api/v1/collections/No%20Slug")).status_code == 422


async def test_the_lists_of_a_collection(lived_here: Beside) -> None:
    """Members by confidence, with their reasons; near ones of both sides; what entered and left; pages and search."""
    path = "collections/noir/movies"
    page = await _get(lived_here, path)
    first = page["items"][0]

    assert [each["title"] for each in page["items"]] == ["Movie 0", "Movie 1", "Movie 2"]
    assert (first["confidence"], first["reason"], first["cause"], first["belongs"]) == (
        0.95,
        "so it is",
        "verdict",
        True,
    )
    assert await _titles(lived_here, path, list="near") == ["Movie 2", "Movie 4"]
    assert await _titles(lived_here, path, list="left") == ["Movie 3"]
    assert await _titles(lived_here, path, list="entered") == ["Movie 0", "Movie 1", "Movie 2"]
    assert await _titles(lived_here, path, list="all", sort="title", page=2, size=5) == [
        "Movie 3",
        "Movie 4",
        "Movie 5",
        "Movie 6",
        "Movie 7",
    ]
    assert await _titles(lived_here, path, list="all", sort="year", size=1) == ["Movie 11"]
    assert await _titles(lived_here, path, list="all", q="movie 1") == ["Movie 1", "Movie 10", "Movie 11"]
    assert (await _get(lived_here, path, list="all", size=2))["total"] == 12
    for query in ("list=others", "sort=size", "size=501", "page=0", f"q={'x' * 201}"):
        assert (await lived_here.client.get(f"/api/v1/{path}?{query}")).status_code == 422


async def test_a_pin_shows_with_its_origin_and_what_the_next_run_does(lived_here: Beside, lived: World) -> None:
    """A movie pinned out still has its tag, which the next run takes off; the verdict stays to be seen."""
    pin = Pin(key=movie_key(1000), slug=Slug("noir"), include=False, since=lived.now, origin="review")
    await _get(lived_here, "collections")
    ChoicesFile(lived.state_dir).change(lambda choices: choices.with_pins(pin))
    await lived_here.daemon.indexer.newest()
    (found,) = (await _get(lived_here, "collections/noir/movies", list="pinned"))["items"]

    assert (found["belongs"], found["is_tagged"], found["cause"]) == (False, True, "pinned out")
    assert (found["pin"]["origin"], found["confidence"], found["waits_for"]) == ("review", 0.95, ["tag"])
    assert await _titles(lived_here, "collections/noir/movies") == ["Movie 1", "Movie 2"]


async def test_search_and_one_movie(lived_here: Beside) -> None:
    """A movie is found by title or id, and shows its facts, its place in each collection and its changes."""
    assert await _titles(lived_here, "movies", q="tmdb:1003") == ["Movie 3"]
    assert await _titles(lived_here, "movies", q="MOVIE 3") == ["Movie 3"]
    assert await _titles(lived_here, "movies", q="tt0001003") == ["Movie 3"]
    assert (await _get(lived_here, "movies", size=5))["total"] == 12

    movie = await _get(lived_here, "movies/1003")
    (noir,) = movie["collections"]

    assert (movie["title"], movie["plot"], movie["directors"]) == ("Movie 3", "Another plot.", ["Director 3"])
    assert (noir["belongs"], noir["is_tagged"], noir["confidence"]) == (False, False, 0.3)
    assert [change["operation"] for change in movie["history"]] == ["remove", "add"]
    assert movie == await _get(lived_here, "movies/movie:1003")
    assert (await lived_here.client.get("/api/v1/movies/99")).status_code == 404
    assert (await lived_here.client.get("/api/v1/movies/heat")).status_code == 422


async def test_a_fresh_look_reads_the_library_now(lived_here: Beside, lived: World) -> None:
    """A tag that a user took off since the last run is seen off by a fresh look only."""
    lived.radarr.untag_by_hand(1000, "kai-noir")
    kept = await _get(lived_here, "movies/1000")
    fresh = await _get(lived_here, "movies/1000", fresh="true")

    assert (kept["collections"][0]["is_tagged"], fresh["collections"][0]["is_tagged"]) == (True, False)
    assert (await lived_here.client.get("/api/v1/movies/99?fresh=true")).status_code == 404


async def test_a_damaged_state_is_told_and_not_read_as_an_empty_one(lived_here: Beside, lived: World) -> None:
    """Without an index the answer is 503, with what to do."""
    (lived.state_dir / "kometa_state.json").write_bytes(b'{"version":')
    answer = await lived_here.client.get("/api/v1/collections")

    assert answer.status_code == 503
    assert "Start a run" in answer.json()["remedy"]
