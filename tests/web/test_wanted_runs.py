"""Runs that are asked for over the API: for some movies, with the brake lifted, within an amount."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.daemon.living import daemon_beside
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.daemon.living import Beside


@pytest.fixture
def large(tmp_path: Path) -> Iterator[World]:
    """A hundred movies, sixty of them tagged; of these Claude takes 41 out again when it is asked anew."""
    with World(tmp_path, movies(100), radarr_credits="false") as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(60))
        world.run()
        world.believe("Noir", range(41), 0.1)
        yield world


async def report_of(here: Beside, **wanted: object) -> dict[str, Any]:
    """The report of a run."""
    run_id = await here.run(**wanted)
    found: dict[str, Any] = (await here.client.get(f"/api/v1/runs/{run_id}")).json()
    return found


async def test_held_back_removals_are_let_through_one_by_one(large: World) -> None:
    """Of 41 held-back removals two are let through; the others stay held back, in this run and in the next one."""
    async with daemon_beside(large) as here:
        held = await report_of(here, force_refresh=True)
        some = await report_of(here, collections=["Noir"], movies=["tmdb:1000", "movie:1001"], allow_removals=True)
        after = await report_of(here)

    assert len(held["collections"][0]["held_back"]) == 41
    assert {line["title"] for line in some["collections"][0]["removed"]} == {"Movie 0", "Movie 1"}
    assert some["only_movies"] == 2
    assert len(after["collections"][0]["held_back"]) == 39
    assert large.numbers("kai-noir") == set(range(2, 60))


async def test_an_amount_is_not_exceeded(large: World) -> None:
    """With 0 nothing is asked, and what is open is left to the next run."""
    async with daemon_beside(large) as here:
        large.asked()
        report = await report_of(here, force_refresh=True, max_cost_usd=0)

    assert large.asked() == []
    assert (report["outcome"], report["cost_usd"]) == ("problems", 0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"movies": []}, "movies"),
        ({"movies": ["Heat (1995)"]}, "tmdb:603"),
        ({"movies": ["tmdb:0"]}, "tmdb:603"),
        ({"movies": ["tmdb:99999999999"]}, "tmdb:603"),
        ({"movies": ["tvdb:81189"]}, "No Sonarr is set up"),
        ({"movies": [f"tmdb:{number}" for number in range(1, 502)]}, "movies"),
        ({"max_cost_usd": -1}, "max_cost_usd"),
        ({"max_cost_usd": "1"}, "max_cost_usd"),
        ({"allow_removals": 1}, "allow_removals"),
    ],
)
async def test_what_cannot_be_meant_is_refused(here: Beside, body: object, reason: str) -> None:
    """No list at all is not every movie: such a request is 422, says why, and starts nothing."""
    refused = await here.client.post("/api/v1/runs", json=body)

    assert refused.status_code == 422
    assert reason in refused.json()["error"]
    assert here.daemon.runs.current is None
    assert here.daemon.runs.last is None
