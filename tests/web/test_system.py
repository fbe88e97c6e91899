"""Batches, spending, settings and the end of the log, over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.observe.redact import MASK
from tests.daemon.living import KEY, daemon_process, until_idle

if TYPE_CHECKING:
    from tests.daemon.living import Beside
    from tests.run.world import World


async def test_open_batches_are_cancelled(here: Beside, world: World) -> None:
    """Without any there is nothing to cancel; while a run holds the lock it is 409."""
    idle = await here.client.post("/api/v1/batches/cancel")
    world.claude.latency = 0.5
    await here.client.post("/api/v1/runs")
    busy = await here.client.post("/api/v1/batches/cancel")
    await here.daemon.runs.ended()

    assert (idle.status_code, idle.json()) == (200, {"batches": [], "exit_code": 0})
    assert busy.status_code == 409


async def test_a_batch_is_cancelled(world: World) -> None:
    """What is with Anthropic is asked to end, and how many questions that were."""
    world.change(claude_batches="on")
    with daemon_process(world) as living:
        living.wait_for("daemon.ready")
        found = living.call("POST", "/api/v1/runs")
        assert found.status_code == 202
        until_idle(living)
        canceled = living.call("POST", "/api/v1/batches/cancel")

    assert canceled.status_code == 200
    assert [(each["questions"], each["outcome"]) for each in canceled.json()["batches"]] == [(12, "canceling")]


async def test_spending_by_month(here: Beside) -> None:
    """One month after one run, with what it has cost; before it there is none, and a page beyond the end is empty."""
    before = (await here.client.get("/api/v1/spending")).json()
    run_id = await here.run()
    report = (await here.client.get(f"/api/v1/runs/{run_id}")).json()
    after = (await here.client.get("/api/v1/spending")).json()
    beyond = (await here.client.get("/api/v1/spending?page=2&size=1")).json()

    assert before == {"items": [], "total": 0, "page": 1, "as_of": None}
    (month,) = after["items"]
    assert month["cost_usd"] == report["cost_usd"] > 0
    assert month["month"] == f"{report['started'][:7]}"
    assert after["as_of"] is not None
    assert (beyond["items"], beyond["total"], beyond["page"]) == ([], 1, 2)


async def test_settings_are_shown_without_secrets(here: Beside, world: World) -> None:
    """Each variable with its value and source, as --dump-config has them; no key is in the answer."""
    answer = await here.client.get("/api/v1/settings")
    found = answer.json()

    assert found["STATE_DIR"] == {"value": str(world.state_dir), "source": "environment"}
    assert found["BATCH_SIZE"]["source"] == "default"
    assert found["CLAUDE_API_KEY"]["value"] == MASK
    assert KEY not in answer.text
    assert world.environ["RADARR_API_KEY"] not in answer.text


def test_the_end_of_the_log(world: World) -> None:
    """The newest line first; of one run, of a level and what is worse, and as many as were asked for."""
    with daemon_process(world) as living:
        living.wait_for("daemon.ready")
        run_id = living.call("POST", "/api/v1/runs").json()["run_id"]
        until_idle(living)
        everything = living.call("GET", "/api/v1/logs?limit=500").json()
        of_run = living.call("GET", f"/api/v1/logs?run_id={run_id}").json()
        warnings = living.call("GET", "/api/v1/logs?level=warning").json()
        two = living.call("GET", "/api/v1/logs?limit=2").json()
        wrong = [living.call("GET", f"/api/v1/logs?{query}") for query in ("limit=501", "limit=0", "level=loud")]

    events = [line["event"] for line in everything["items"]]
    assert events[-1] == "daemon.starting"
    assert (everything["is_whole"], everything["problem"]) == (True, "")
    assert {line["run_id"] for line in of_run["items"]} == {run_id}
    assert of_run["items"][0]["event"] == "run.ended"
    assert "run.started" in [line["event"] for line in of_run["items"]]
    assert {line["level"] for line in warnings["items"]} == {"warning"}
    assert (len(two["items"]), two["is_whole"]) == (2, False)
    assert [answer.status_code for answer in wrong] == [422] * 3


async def test_there_may_be_no_log_file(here: Beside, world: World) -> None:
    """A folder in its place is told; a log that is not there is empty."""
    nothing = (await here.client.get("/api/v1/logs")).json()
    (world.folder / "logs" / "kometa-ai.log").mkdir(parents=True)
    wrong = (await here.client.get("/api/v1/logs")).json()

    assert nothing == {"items": [], "is_whole": True, "problem": ""}
    assert "kometa-ai.log in LOG_DIR cannot be read" in wrong["problem"]
