"""Looks over the API: they find what the commands find, one at a time, and leave everything as it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.standins.faults import answer
from tests.daemon.living import PATIENCE, until
from tests.run.world import block

if TYPE_CHECKING:
    from tests.daemon.living import Beside
    from tests.run.world import World


async def looked(here: Beside, kind: str, **wanted: object) -> dict[str, Any]:
    """What a look has found."""
    begun = await here.client.post("/api/v1/looks", json={"kind": kind, **wanted})
    assert begun.status_code == 202, begun.text
    assert begun.json()["status"] == "running"
    async with asyncio.timeout(PATIENCE):
        while True:
            found: dict[str, Any] = (await here.client.get(f"/api/v1/looks/{kind}")).json()
            if found["status"] != "running":
                return found
            await asyncio.sleep(0.05)


def files(world: World) -> dict[str, bytes]:
    """Everything in the state folder but for what the daemon writes by itself."""
    kept = [path for path in world.state_dir.rglob("*") if path.is_file() and path.name not in ("heartbeat", "lock")]
    return {str(path): path.read_bytes() for path in kept}


async def test_the_doctor_finds_what_check_config_finds(here: Beside, world: World) -> None:
    """Problems with their lines, collections and services; what was read from Radarr is no part of it."""
    before = (await here.client.get("/api/v1/looks/doctor")).json()
    world.collections(block("Noir"), block("Heist", confidence_threshold=75))
    found = await looked(here, "doctor")

    assert (before["status"], before["at"], before["doctor"]) == ("never", None, None)
    assert (found["status"], found["error"]) == ("done", "")
    assert found["at"] is not None
    doctor = found["doctor"]
    assert doctor["exit_code"] == 2
    assert [each["name"] for each in doctor["collections"]] == ["Noir"]
    (problem,) = doctor["problems"]
    assert (problem["source"], problem["collection"]) == ("movies.yml", "Heist")
    assert problem["excerpt"] == "  # confidence_threshold: 75"
    assert {each["service"]: each["status"] for each in doctor["services"]} == {"Radarr": "ok", "Claude": "ok"}
    assert all(each["labels"] is None for each in doctor["services"])


async def test_a_forecast_costs_nothing(here: Beside, world: World) -> None:
    """What a run would ask, by collection; nothing is asked and nothing kept."""
    await until(lambda: here.daemon.timetable.next_run)
    before = files(world)
    found = await looked(here, "estimate", collections=["noir"])

    assert found["status"] == "done"
    assert (found["estimate"]["pending"], found["estimate"]["collections"][0]["name"]) == (12, "Noir")
    assert found["estimate"]["cost_usd"] > 0
    assert world.asked() == []
    assert files(world) == before


async def test_an_undo_is_previewed(here: Beside, world: World) -> None:
    """What it would take back is there afterwards, too; a run that is not kept has failed to be looked at."""
    run_id = await here.run()
    before = files(world)
    found = await looked(here, "undo", run_id=run_id)
    unknown = await looked(here, "undo", run_id="20260101-000000-abcd")

    assert len(found["undo"]["removed"]) == 3
    assert files(world) == before
    assert world.numbers("kai-noir") == {0, 1, 2}
    assert (unknown["status"], unknown["undo"]) == ("failed", None)
    assert unknown["error"] == "There is no run '20260101-000000-abcd'."


async def test_one_look_at_a_time(here: Beside, world: World) -> None:
    """While a slow Claude is looked at, every other look is 409, and the daemon answers."""
    with world.unanswered():
        first = await here.client.post("/api/v1/looks", json={"kind": "doctor"})
        others = [await here.client.post("/api/v1/looks", json={"kind": kind}) for kind in ("doctor", "estimate")]
        during = (await here.client.get("/api/v1/looks/doctor")).json()
    await until(lambda: here.daemon.looks.last("doctor").status == "done")
    after = await here.client.post("/api/v1/looks", json={"kind": "estimate"})
    await until(lambda: here.daemon.looks.last("estimate").status == "done")

    assert first.status_code == 202
    assert [each.status_code for each in others] == [409, 409]
    assert "doctor" in others[0].json()["error"]
    assert (during["status"], during["at"]) == ("running", None)
    assert after.status_code == 202


async def test_a_service_that_is_down_is_an_answer(here: Beside, world: World) -> None:
    """The doctor says that Radarr cannot be used; the forecast, which needs it, has failed and says why."""
    world.radarr.faults.inject(answer(401), path="*", times=None)
    doctor = await looked(here, "doctor")
    estimate = await looked(here, "estimate")

    assert doctor["status"] == "done"
    assert doctor["doctor"]["services"][0]["status"] == "unusable"
    assert estimate["status"] == "failed"
    assert "Radarr" in estimate["error"]
    assert estimate["remedy"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"kind": "run"}, "kind"),
        ({}, "kind"),
        ({"kind": "undo"}, "run_id"),
        ({"kind": "doctor", "run_id": "x"}, "run_id"),
        ({"kind": "estimate", "dry_run": True}, "dry_run"),
    ],
)
async def test_what_is_no_look_is_refused(here: Beside, body: object, reason: str) -> None:
    """Each is 422, and names the field."""
    refused = await here.client.post("/api/v1/looks", json=body)

    assert refused.status_code == 422
    assert reason in refused.json()["error"]
