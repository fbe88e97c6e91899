"""A run is taken back over the API, or shown what that would change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.standins.faults import answer

if TYPE_CHECKING:
    from tests.daemon.living import Beside
    from tests.run.world import World


async def test_a_run_is_taken_back(here: Beside, world: World) -> None:
    """The preview changes nothing and makes no run; the undo is a run, and what it takes back stays so."""
    run_id = await here.run()
    preview = await here.client.post(f"/api/v1/runs/{run_id}/undo", json={"dry_run": True})
    between = (world.numbers("kai-noir"), len((await here.client.get("/api/v1/runs")).json()))
    started = await here.client.post(f"/api/v1/runs/{run_id}/undo", json={"dry_run": False})
    await here.daemon.runs.ended()
    undo = (await here.client.get(f"/api/v1/runs/{started.json()['run_id']}")).json()
    await here.run()
    again = (await here.client.post(f"/api/v1/runs/{run_id}/undo", json={"dry_run": True})).json()

    assert preview.status_code == 200
    shown = preview.json()
    assert [line["tag"] for line in shown["removed"]] == ["kai-noir"] * 3
    assert (shown["dry_run"], shown["run_id"], shown["undo_id"], shown["outcome"]) == (True, run_id, "", "ok")
    assert between == ({0, 1, 2}, 1)
    assert started.status_code == 202
    assert (undo["kind"], undo["undoes"], undo["totals"]["removed"]) == ("undo", run_id, 3)
    assert world.numbers("kai-noir") == set()
    assert (again["removed"], again["undone_by"]) == ([], undo["run_id"])


async def test_what_cannot_be_taken_back(here: Beside, world: World) -> None:
    """No such run, one that changed nothing, no word on whether it is a preview, Radarr down: each is told."""
    run_id = await here.run()
    quiet = await here.run()

    async def undo(of: str, body: object) -> tuple[int, str]:
        found = await here.client.post(f"/api/v1/runs/{of}/undo", json=body)
        return found.status_code, found.json().get("error", "")

    answers = [await undo(of, {"dry_run": dry}) for of in ("20260101-000000-abcd", quiet) for dry in (True, False)]
    unclear = await undo(run_id, {})
    world.radarr.faults.inject(answer(401), path="*", times=None)
    down = await undo(run_id, {"dry_run": True})

    assert [status for status, _ in answers] == [404, 404, 422, 422]
    assert answers[2][1] == f"The run {quiet} changed nothing."
    assert (unclear[0], "dry_run" in unclear[1]) == (422, True)
    assert (down[0], "Radarr" in down[1]) == (503, True)
    assert here.daemon.runs.current is None
    assert world.numbers("kai-noir") == {0, 1, 2}
