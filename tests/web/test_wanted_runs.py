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


def unshown(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The warnings about changes that a dry run has not shown."""
    return [warning for warning in report["warnings"] if warning["source"] == "within"]


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


async def test_a_run_keeps_within_a_dry_run(world: World) -> None:
    """What the dry run showed is done. What is new since is named and left; the next run does it."""
    async with daemon_beside(world) as here:
        shown = await report_of(here, dry_run=True)
        world.believe("Noir", [7, 8])
        world.asked()
        within = await report_of(here, within=shown["run_id"], force_refresh=True)
        tagged = world.numbers("kai-noir")
        after = await report_of(here)

    (warning,) = unshown(within)
    assert within["outcome"] == "ok"
    assert within["totals"]["added"] == 3
    assert tagged == {0, 1, 2}
    assert shown["run_id"] in warning["what"]
    assert (warning["collection"], warning["movies"]) == ("Noir", ["Movie 7 (1957)", "Movie 8 (1958)"])
    assert after["totals"]["added"] == 2
    assert unshown(after) == []
    assert world.numbers("kai-noir") == {0, 1, 2, 7, 8}


async def test_a_dry_run_that_a_real_run_has_overtaken_is_not_made(here: Beside) -> None:
    """Once all that it showed is done, to make it is 409, and the sentence names the run that did it; no run begins."""
    shown = await here.run(dry_run=True)
    first = await here.run(within=shown)
    refused = await here.client.post("/api/v1/runs", json={"within": shown})
    documented = (await here.client.get("/api/v1/openapi.json")).json()["paths"]["/api/v1/runs"]["post"]["responses"]

    assert refused.status_code == 409
    assert refused.json() == {
        "error": f"What the dry run {shown} showed is done: the run {first} came after it and left nothing of it.",
        "remedy": "Do another dry run to see what there is to do now.",
    }
    assert here.daemon.runs.last is not None
    assert here.daemon.runs.last.run_id == first
    assert "dry run" in documented["409"]["description"]


async def test_only_a_dry_run_that_is_kept_can_be_kept_within(here: Beside) -> None:
    """The id of a real run, and one that no run has: both are 422 with the reason."""
    real = await here.run()
    answers = [
        await here.client.post("/api/v1/runs", json={"within": run_id}) for run_id in (real, "20260101-000000-abcd")
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert [answer.json()["error"] for answer in answers] == [
        f"The run {real} was no dry run.",
        "There is no run '20260101-000000-abcd'.",
    ]


async def test_a_block_that_was_edited_is_open_until_all_of_it_is_carried_out(large: World) -> None:
    """A run within a dry run that left changes out has not carried a block out: the brake does not hold them later."""
    large.collections(block("Noir", "Something else."))
    async with daemon_beside(large) as here:
        large.believe("Noir", range(60))
        shown = await report_of(here, dry_run=True)
        large.believe("Noir", range(41), 0.1)
        within = await report_of(here, within=shown["run_id"], force_refresh=True)
        after = await report_of(here)

    assert (within["totals"]["removed"], len(unshown(within))) == (0, 1)
    assert (after["totals"]["removed"], after["totals"]["held_back"]) == (41, 0)


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
