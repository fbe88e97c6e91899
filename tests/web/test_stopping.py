"""A run is stopped over the API."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.daemon.living import daemon_beside, until

if TYPE_CHECKING:
    from tests.daemon.living import Beside
    from tests.run.world import World


async def begun(here: Beside, world: World, **wanted: object) -> str:
    """Start a run, wait until it has asked something, and return its id."""
    run_id: str = (await here.client.post("/api/v1/runs", json=wanted)).json()["run_id"]
    await until(lambda: world.claude.requests)
    return run_id


async def test_a_run_that_is_stopped_keeps_what_it_has(here: Beside, world: World) -> None:
    """The answer on its way is kept, no tag is written, and the report says who it was; the daemon lives on."""
    with world.unanswered():
        run_id = await begun(here, world)
        first = await here.client.post(f"/api/v1/runs/{run_id}/stop")
        during = (await here.client.get(f"/api/v1/runs/{run_id}")).json()
        second = await here.client.post(f"/api/v1/runs/{run_id}/stop")
    await here.daemon.runs.ended()
    report = (await here.client.get(f"/api/v1/runs/{run_id}")).json()
    late = await here.client.post(f"/api/v1/runs/{run_id}/stop")
    untouched = world.numbers("kai-noir")
    world.asked()
    next_id = await here.run()
    then = (await here.client.get(f"/api/v1/runs/{next_id}")).json()

    assert (first.status_code, first.json()) == (202, {"run_id": run_id})
    assert second.status_code == 202
    assert during["status"] == "stopping"
    assert (report["outcome"], report["exit_code"]) == ("interrupted", 130)
    stopped = [each["what"] for each in report["warnings"] if "stopped" in each["what"]]
    assert stopped == ["The run was stopped by the API."]
    assert "SIG" not in str(report)
    assert untouched == set()
    assert late.status_code == 409
    assert (then["outcome"], world.asked()) == ("ok", [])
    assert world.numbers("kai-noir") == {0, 1, 2}


async def test_an_answer_that_does_not_come_is_not_waited_for(here: Beside, world: World) -> None:
    """It would come after a minute; the run has ended after the seconds that answers on their way are given."""
    world.claude.latency = 60.0
    run_id = await begun(here, world)
    started = time.monotonic()
    await here.client.post(f"/api/v1/runs/{run_id}/stop")
    async with asyncio.timeout(15):
        await here.daemon.runs.ended()
    last = here.daemon.runs.last

    assert time.monotonic() - started > 5
    assert last is not None
    assert (last.run_id, last.outcome) == (run_id, "interrupted")


async def test_only_the_run_that_is_meant_is_stopped(here: Beside, world: World) -> None:
    """Another id is 409, and the run goes on to its end."""
    world.claude.latency = 0.5
    run_id = await begun(here, world)
    other = await here.client.post("/api/v1/runs/20260101-000000-abcd/stop")
    await here.daemon.runs.ended()
    last = here.daemon.runs.last

    assert other.status_code == 409
    assert other.json()["error"] == "The run '20260101-000000-abcd' is not in progress."
    assert last is not None
    assert (last.run_id, last.outcome) == (run_id, "ok")


async def test_a_signal_after_that_ends_the_program_in_time(world: World) -> None:
    """A stop gives the run's report all the time that it takes; a signal does not."""
    world.claude.latency = 60.0
    async with daemon_beside(world) as here:
        run_id = await begun(here, world)
        await here.client.post(f"/api/v1/runs/{run_id}/stop")
        started = time.monotonic()
    # The end of the context is a SIGTERM.
    assert time.monotonic() - started < 9
    assert here.code == 130
