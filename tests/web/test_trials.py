"""Prompts that are tried over the API, and the list of audits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.daemon.life import Paces
from kometa_ai.jobs.audit import AUDITS
from kometa_ai.jobs.trial import TRIALS
from kometa_ai.standins import claude_faults
from kometa_ai.standins.faults import answer
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store
from tests.daemon.living import daemon_beside
from tests.run.world import FOREVER, World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.daemon.living import Beside

PATIENCE = 60.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Thirty judged movies, five of which are noir."""
    with World(tmp_path, movies(30)) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(5))
        made.change(audit_interval="1mo")
        made.run(unattended=True)
        made.claude.forget()
        yield made


@pytest.fixture
async def here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test."""
    async with daemon_beside(world, Paces(hints_quiet=0.2)) as made:
        yield made


async def _start(here: Beside, key: str = "noir", **wanted: object) -> Any:
    return await here.client.post(f"/api/v1/collections/{key}/trials", json={"prompt": "Crime at night.", **wanted})


async def _ended(here: Beside, trial_id: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            found: dict[str, Any] = (await here.client.get(f"/api/v1/trials/{trial_id}")).json()
            if found["outcome"] != "under way":
                return found
            await asyncio.sleep(0.05)


async def test_a_trial(world: World, here: Beside) -> None:
    """It begins at once, is under way, and has a result that is kept; nothing is decided by it."""
    before = dict(Store.load(world.state_dir, read_only=True).memory)
    world.believe("Noir", [0, 1], 0.2)

    started = await _start(here)
    trial = await _ended(here, started.json()["trial_id"])

    assert started.status_code == 202
    assert (trial["outcome"], trial["collection"], trial["sampled"]) == ("ok", "Noir", 30)
    assert {item["title"] for item in trial["items"] if item["is_in"] != item["would_be_in"]} == {"Movie 0", "Movie 1"}
    assert trial["cost"]["cost_usd"] > 0
    assert trial["lines"][0]["correction"]["lines"]
    assert dict(Store.load(world.state_dir, read_only=True).memory) == before
    kept = TRIALS.recall(world.state_dir, trial["trial_id"])
    assert kept is not None
    assert kept.answered == 30


async def test_a_free_one(world: World, here: Beside) -> None:
    """With 0 USD it is a forecast, also while a run is on."""
    with StateLock(world.state_dir):
        started = await _start(here, max_cost_usd=0)
        trial = await _ended(here, started.json()["trial_id"])

    assert trial["outcome"] == "forecast"
    assert trial["forecast_usd"] > 0
    assert trial["items"] == []
    assert not world.claude.requests


async def test_while_something_is_on(world: World, here: Beside) -> None:
    """409 while a run is on, or another trial; and a run is not started while a trial is on."""
    with StateLock(world.state_dir):
        held = await _start(here)
    with world.unanswered():
        first = await _start(here)
        under_way = (await here.client.get(f"/api/v1/trials/{first.json()['trial_id']}")).json()
        second = await _start(here)
        run = await here.client.post("/api/v1/runs")

    assert (held.status_code, first.status_code, second.status_code, run.status_code) == (409, 202, 409, 409)
    assert "run is in progress" in held.json()["error"]
    assert "Another prompt is being tried" in second.json()["error"]
    assert under_way["outcome"] == "under way"
    assert (await _ended(here, first.json()["trial_id"]))["outcome"] == "ok"


@pytest.mark.parametrize(
    ("key", "wanted", "status"),
    [
        ("noirs", {}, 404),
        ("noir", {"prompt": ""}, 422),
        ("noir", {"prompt": "  "}, 422),
        ("noir", {"prompt": "x" * 30_000}, 422),
        ("noir", {"prompt": "# === KOMETA-AI ==="}, 422),
        ("noir", {"max_cost_usd": -1}, 422),
        ("noir", {"max_cost_usd": "1"}, 422),
        ("noir", {"threshold": 0.5}, 422),
    ],
)
async def test_what_cannot_be_tried(here: Beside, key: str, wanted: dict[str, object], status: int) -> None:
    """Each is refused before anything begins, with what is wrong."""
    refused = await _start(here, key, **wanted)

    assert refused.status_code == status
    assert refused.json()["error"]


async def test_a_trial_that_fails(world: World, here: Beside) -> None:
    """A key that is refused is its result, and a library that refuses ours, too. The next one may begin."""
    world.claude.faults.add(claude_faults.BAD_KEY, times=FOREVER)
    unasked = await _ended(here, (await _start(here)).json()["trial_id"])
    world.claude.faults.clear()
    fault = world.radarr.faults.inject(answer(401), times=None)
    failed = await _ended(here, (await _start(here)).json()["trial_id"])
    fault.times = 0

    assert (unasked["outcome"], unasked["exit_code"]) == ("problems", 4)
    assert (failed["outcome"], failed["exit_code"]) == ("failed", 3)
    assert "RADARR_API_KEY" in failed["error"] + failed["remedy"]
    assert (await _ended(here, (await _start(here)).json()["trial_id"]))["outcome"] == "ok"


@pytest.mark.parametrize("trial_id", ["20260301-030000-0000", "x", "..%2Fapi_key", "a" * 300])
async def test_no_such_trial(here: Beside, trial_id: str) -> None:
    """404 for what is not kept, and for what is no id."""
    assert (await here.client.get(f"/api/v1/trials/{trial_id}")).status_code == 404


async def test_the_audits(world: World, here: Beside) -> None:
    """Those that are kept, the newest first, in pages; a damaged one is left out."""
    (first,) = AUDITS.ids(world.state_dir, world.now)
    damaged = world.state_dir / "audits" / "20270101-000000-0000.json"
    damaged.write_text("{")

    listed = (await here.client.get("/api/v1/audits")).json()

    assert [each["audit_id"] for each in listed["items"]] == [first]
    assert (listed["total"], listed["page"]) == (1, 1)
    assert listed["as_of"] == listed["items"][0]["finished"]
    damaged.unlink()
    (world.state_dir / "audits" / f"{first}.json").unlink()
    assert (await here.client.get("/api/v1/audits")).json() == {"items": [], "total": 0, "page": 1, "as_of": None}


async def test_the_end_of_the_program_ends_a_trial(world: World) -> None:
    """What was answered is kept and paid for; no other trial begins."""
    world.change(max_concurrent_requests=1)
    world.claude.latency = 0.5
    async with daemon_beside(world) as here:
        trial_id = (await _start(here)).json()["trial_id"]
        async with asyncio.timeout(PATIENCE):
            while not any(request.usage for request in world.claude.requests):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        here.daemon.trials.close("SIGTERM")
        refused = await _start(here)
        await here.daemon.trials.ended()
        trial = await _ended(here, trial_id)

    assert refused.status_code == 409
    assert (trial["outcome"], trial["exit_code"]) == ("interrupted", 143)
    # The request that is in flight is waited for, since it will be paid for.
    assert sum(group["answered"] for group in trial["groups"]) > 0


async def test_where_nothing_can_be_kept(world: World, here: Beside) -> None:
    """Nothing is paid for; the trial is told from memory as failed, with what is wrong with the folder."""
    (world.state_dir / "trials").write_text("")

    trial = await _ended(here, (await _start(here)).json()["trial_id"])

    assert trial["outcome"] == "failed"
    assert not world.claude.requests
    assert "Nothing can be kept" in trial["error"]
