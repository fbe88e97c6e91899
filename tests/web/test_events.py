"""All runs are watched by one stream of events."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from kometa_ai.web.api.events import WATCHERS, events_of_all
from tests.daemon.living import KEY, PATIENCE, until

if TYPE_CHECKING:
    from tests.daemon.living import Beside
    from tests.run.world import World

EVENTS = "/api/v1/events"


async def watched(here: Beside, runs: int) -> list[tuple[str, Any]]:
    """What a watcher is told until so many runs have ended."""
    found: list[tuple[str, Any]] = []
    async with aclosing(here.events(EVENTS)) as events:
        async for name, data in events:
            found.append((name, data))
            runs -= name == "ended"
            if not runs:
                break
    return found


async def test_one_stream_tells_of_every_run(here: Beside) -> None:
    """Each run begins, goes through its steps, says what it has cost so far, and ends; the stream goes on."""
    watching = asyncio.create_task(watched(here, 2))
    await until(lambda: _watchers(here))
    first = await here.run(max_cost_usd=0.5)
    second = await here.run(dry_run=True)
    async with asyncio.timeout(PATIENCE):
        found = await watching

    assert [(name, data["run_id"]) for name, data in found if name in ("begun", "ended")] == [
        ("begun", first),
        ("ended", first),
        ("begun", second),
        ("ended", second),
    ]
    begins = [data for name, data in found if name == "begun"]
    assert [(data["dry_run"], data["max_cost_usd"], data["unattended"]) for data in begins] == [
        (False, 0.5, False),
        (True, None, False),
    ]
    steps = [data["step"] for name, data in found if name == "step" and data["run_id"] == first]
    assert steps[:2] == ["Fetching the library", "Loading the collections"]
    costs = [data["cost_usd"] for name, data in found if name == "progress" and data["run_id"] == first]
    assert costs == sorted(costs)
    assert costs[-1] > 0
    ends = [data for name, data in found if name == "ended"]
    assert [(data["outcome"], data["added"]) for data in ends] == [("ok", 3), ("ok", 0)]


async def test_runs_between_two_looks_are_told(here: Beside, world: World) -> None:
    """One that was on at the last look has ended, and two more have begun and ended since: none is left out."""
    events = events_of_all(here.daemon)
    assert await anext(events) == b""
    with world.unanswered():
        first = (await here.client.post("/api/v1/runs")).json()["run_id"]
        begun = await anext(events)
    await here.daemon.runs.ended()
    others = [await here.run(dry_run=True), await here.run(dry_run=True)]
    news = (await anext(events)).decode().split("\n\n")

    assert begun.startswith(b"event: begun\n")
    found = [line.split("\n") for line in news if line.startswith(("event: begun", "event: ended"))]
    assert [(name, json.loads(data.removeprefix("data: "))["run_id"]) for name, data in found] == [
        ("event: ended", first),
        *((event, run_id) for run_id in others for event in ("event: begun", "event: ended")),
    ]


async def test_who_comes_later_is_told_what_has_been(here: Beside, world: World) -> None:
    """A page that is opened in the middle of a run gets its beginning and its steps so far."""
    with world.unanswered():
        run_id = (await here.client.post("/api/v1/runs")).json()["run_id"]
        await until(lambda: world.claude.requests)
        watching = asyncio.create_task(watched(here, 1))
        await until(lambda: _watchers(here))
    found = await watching

    assert found[0][0] == "begun"
    assert next(data["step"] for name, data in found if name == "step") == "Fetching the library"
    assert found[-1] == ("ended", found[-1][1])
    assert {data["run_id"] for _, data in found} == {run_id}


async def test_streams_are_not_held_back_by_proxies(here: Beside) -> None:
    """Both tell nginx to pass each event on, and caches and compressors to leave them alone; both begin at once."""
    run_id = await here.run()
    for path in (EVENTS, f"/api/v1/runs/{run_id}/events"):
        async with here.client.stream("GET", path) as stream:
            assert stream.headers["x-accel-buffering"] == "no"
            assert stream.headers["cache-control"] == "no-store, no-transform"
            assert await anext(stream.aiter_lines()) == ": still there"


async def test_watchers_are_limited(here: Beside) -> None:
    """One watcher too many is told so, and what else there is; one that leaves makes room."""

    async def stay() -> None:
        async for _ in here.events(EVENTS):
            pass

    here_for_all = [asyncio.create_task(stay()) for _ in range(WATCHERS)]
    await until(lambda: _watchers(here) == WATCHERS)
    # The client of the others has no connection left.
    refused = await here.bare.get(EVENTS, headers={"X-Api-Key": KEY})
    here_for_all[0].cancel()
    await until(lambda: _watchers(here) < WATCHERS)
    async with here.bare.stream("GET", EVENTS, headers={"X-Api-Key": KEY}) as stream:
        admitted = stream.status_code
    for each in here_for_all:
        each.cancel()
    await asyncio.gather(*here_for_all, return_exceptions=True)

    assert refused.status_code == 429
    assert refused.json()["error"]
    assert admitted == 200


def _watchers(here: Beside) -> int:
    """How many watch."""
    return here.watchers.count
