"""The daemon in the test's own loop: what it starts, skips, keeps and reports."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog

from kometa_ai.core.item import movie_key
from kometa_ai.daemon.life import Paces
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.state import store
from kometa_ai.state.lock import StateLock
from tests.daemon.living import daemon_beside, until
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(name="log")
def _log() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def _events(log: list[structlog.typing.EventDict], name: str) -> list[structlog.typing.EventDict]:
    return [line for line in log if line["event"] == name]


async def test_what_another_process_learned_is_kept(world: World) -> None:
    """Between two runs of the daemon another process pays for a collection: it is not asked about again."""
    async with daemon_beside(world) as here:
        await here.run()
        world.collections(block("Noir"), block("Heist"))
        world.believe("Heist", [7])
        other = await asyncio.to_thread(world.run)
        world.asked()
        await here.run()
        status = (await here.client.get("/api/v1/status")).json()

    assert other.asked == 12
    assert world.asked() == []
    assert status["members"] == 4
    assert len(store.Store.load(world.state_dir, read_only=True).memory[movie_key(1007)].collections) == 2


async def test_a_held_state_is_another_run(world: World) -> None:
    """While another process runs, the daemon starts no run and names who holds the state; afterwards it does."""
    async with daemon_beside(world) as here:
        with StateLock(world.state_dir):
            refused = await here.client.post("/api/v1/runs")
        await here.run()

    assert refused.status_code == 409
    assert f"process {os.getpid()}" in refused.json()["error"]
    assert world.numbers("kai-noir") == {0, 1, 2}


async def test_a_state_that_cannot_be_used_does_not_end_the_daemon(world: World) -> None:
    """A state of a newer program: the run has a report that says so, health does too, and the daemon lives on."""
    (world.state_dir / "kometa_state.json").write_text('{"version": "9", "state_format_version": 99}')
    async with daemon_beside(world) as here:
        run_id = await here.run()
        report = (await here.client.get(f"/api/v1/runs/{run_id}")).json()
        health = await here.client.get("/health")

    assert report["outcome"] == "state unusable"
    assert "format 99" in report["problems"][0]["what"]
    assert (health.status_code, health.json()["status"]) == (503, "Error")


async def test_looking_at_the_configuration_again(world: World, log: list[structlog.typing.EventDict]) -> None:
    """What SIGHUP does: Kometa's folder and the settings are read again, and the log says what is wrong with them."""
    environ: dict[str, str] = {}
    async with daemon_beside(world, environ=environ) as here:
        world.collections(block("Noir"), block("Heist", confidence_threshold=7))
        environ["BATCH_SIZE"] = "7"
        await here.daemon.recheck()
        environ["RADARR_URL"] = ""
        await here.daemon.recheck()

    assert _events(log, "collections.found")[-1]["names"] == ["Noir"]
    assert any(
        (line["source"].startswith("movies.yml:"), line["collection_name"]) == (True, "Heist")
        for line in _events(log, "collections.problem")
    )
    assert [line["settings"] for line in _events(log, "settings.changed")] == [["BATCH_SIZE"]]
    assert any("RADARR_URL" in problem for problem in _events(log, "recheck.failed")[0]["problems"])


async def test_a_run_that_overlaps_is_skipped(world: World, log: list[structlog.typing.EventDict]) -> None:
    """A time that comes while a run is on starts no second one, and the log says so."""
    async with daemon_beside(world) as here:
        with world.unanswered():
            await here.client.post("/api/v1/runs")
            assert not await here.daemon.start("schedule", due="now")
        await here.daemon.runs.ended()

    assert [(line["trigger"], line["due"]) for line in _events(log, "run.skipped")] == [("schedule", "now")]


async def test_only_runs_that_start_by_themselves_tell_news(world: World) -> None:
    """A standing problem is told of the first scheduled run, not of the next one; of a run that is asked for, it is."""
    world.collections(block("Noir"), block("Broken", promt="x"))
    with Mailbox() as box:
        mail = {
            "SMTP_SERVER": box.host,
            "SMTP_PORT": str(box.port),
            "NOTIFICATION_RECIPIENTS": "ann@b.org",
            "NOTIFY_ON": "problems",
        }
        told = []
        async with daemon_beside(world, environ=mail) as here:
            for trigger in ("schedule", "schedule", "webhook"):
                assert await here.daemon.start(trigger)
                await here.daemon.runs.ended()
                told.append(len(box.received))
            await here.run()
            told.append(len(box.received))

    assert told == [1, 1, 1, 2]


async def test_hints_come_together_and_make_one_run(world: World) -> None:
    """Hints that follow each other make one run, after the last; one that comes during a run makes another."""
    async with daemon_beside(world, Paces(hints_quiet=0.3)) as here:
        for number in range(5):
            here.daemon.hints.add(movie_key(1000 + number), f"Movie {number}")
            await asyncio.sleep(0.05)
        assert here.daemon.runs.current is None
        with world.unanswered():
            await until(lambda: here.daemon.runs.current is not None)
            here.daemon.hints.add(movie_key(1006), "Movie 6")
        await until(lambda: here.daemon.runs.last is not None)
        first = here.daemon.runs.last
        await until(lambda: here.daemon.runs.last is not first)
        await asyncio.sleep(0.5)
        runs = (await here.client.get("/api/v1/runs")).json()

    assert [(run["outcome"], run["only_movies"], run["asked"]) for run in runs] == [("ok", 1, 1), ("ok", 5, 5)]


async def test_hints_that_never_stop_are_acted_on_all_the_same(world: World) -> None:
    """However often movies are added, the run is not put off for ever."""
    async with daemon_beside(world, Paces(hints_quiet=0.3, hints_longest=1.0)) as here:
        for _ in range(100):
            here.daemon.hints.add(movie_key(1000), "another one")
            await asyncio.sleep(0.02)
            if here.daemon.runs.last or here.daemon.runs.current:
                break
        began = here.daemon.runs.last or here.daemon.runs.current
        await here.daemon.runs.ended()

    assert began is not None


async def test_no_run_starts_while_the_daemon_ends(world: World) -> None:
    """Once its end was asked for, the daemon refuses runs."""
    async with daemon_beside(world) as here:
        here.daemon.runs.close("SIGTERM")
        refused = await here.client.post("/api/v1/runs")

    assert refused.status_code == 409


async def test_a_command_and_a_url_are_told_of_changes(world: World, tmp_path: Path) -> None:
    """After a run with changes the command gets the names as one argument, whatever they hold; then nothing changes."""
    name = f"Noir; $(touch {tmp_path}/broken) & more"
    world.collections(block(name), block("Heist"))
    world.believe(name, [1])
    world.believe("Heist", [2])
    told = tmp_path / "told"
    script = tmp_path / "tell.py"
    script.write_text(
        "import os, sys\n"
        f"open({str(told)!r}, 'a').write('\\n'.join([*sys.argv[1:], os.environ['KAI_CHANGED_COLLECTIONS']]))\n"
    )
    environ = {"AFTER_CHANGES_COMMAND": f"{sys.executable} {script}"}
    async with daemon_beside(world, Paces(changes_apart=0.0), environ) as here:
        await here.run(dry_run=True)
        await asyncio.sleep(0.2)
        assert not told.exists()
        await here.run()
        await until(lambda: told.exists() and told.read_text().count("\n") == 1)
        await here.run()  # changes nothing
        await asyncio.sleep(0.2)

    argument, variable = told.read_text().split("\n")
    assert argument == variable
    assert sorted(argument.split("|")) == ["Heist", name]
    assert not (tmp_path / "broken").exists()


async def test_starting_and_ending_leaves_nothing_behind(world: World) -> None:
    """A daemon that starts, runs and ends again and again leaves no file, socket, thread or lock open."""
    async with daemon_beside(world) as here:
        await here.run()
    open_before = _open_files()
    for _ in range(5):
        async with daemon_beside(world) as here:
            await here.run()
    with StateLock(world.state_dir):
        pass

    assert _open_files() <= open_before
    assert [thread.name for thread in threading.enumerate() if thread.name == "run"] == []


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_the_schedule_starts_runs(world: World) -> None:
    """When the time has come a run starts by itself, and its report tells the time after that."""
    started = time.monotonic()

    def clock() -> datetime:
        return datetime(2026, 3, 1, 2, 59, 59, tzinfo=UTC) + timedelta(seconds=time.monotonic() - started)

    async with daemon_beside(world, clock=clock) as here:
        await until(lambda: here.daemon.runs.last)
        report = here.daemon.runs.last

    assert report is not None
    assert report.next_run == datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert world.numbers("kai-noir") == {0, 1, 2}


async def test_the_end_of_a_run_that_is_on(world: World) -> None:
    """Ended in a run, the daemon takes the answers on their way, keeps them, and ends with the run's exit code."""
    world.claude.latency = 0.7
    async with daemon_beside(world, environ={"BATCH_SIZE": "3", "MAX_CONCURRENT_REQUESTS": "1"}) as here:
        await here.client.post("/api/v1/runs")
        await until(lambda: world.claude.in_flight)
    world.claude.latency = 0.0
    first = len(world.asked())

    assert here.code == 143
    assert first == 3
    assert (await asyncio.to_thread(world.run)).asked == 9


async def test_a_run_that_takes_too_long(world: World) -> None:
    """RUN_TIMEOUT ends the asking and not the daemon; the next run goes on from there."""
    world.claude.latency = 0.7
    environ = {"BATCH_SIZE": "3", "MAX_CONCURRENT_REQUESTS": "1", "RUN_TIMEOUT": "1s"}
    async with daemon_beside(world, environ=environ) as here:
        await here.run()
        cut = here.daemon.runs.last
        world.claude.latency = 0.0
        await here.run()
        whole = here.daemon.runs.last

    assert here.code == 0
    assert cut is not None
    assert whole is not None
    assert (cut.outcome, whole.outcome) == ("problems", "ok")
    assert cut.asked + whole.asked == 12


async def test_hints_wait_for_the_end_of_a_blackout(world: World) -> None:
    """No scheduled run starts inside SCHEDULE_BLACKOUT."""
    hour = datetime.now(UTC).hour
    window = f"{(hour - 1) % 24:02}:00-{(hour + 2) % 24:02}:00"
    paces = Paces(hints_quiet=0.1, retry=0.1)
    async with daemon_beside(world, paces, {"SCHEDULE_BLACKOUT": window}) as here:
        here.daemon.hints.add(movie_key(1001), "Movie 1")
        await asyncio.sleep(0.6)
        waited = here.daemon.runs.last is None and here.daemon.runs.current is None
        await here.run()

    assert waited
    assert world.numbers("kai-noir") == {0, 1, 2}


async def test_hints_that_cannot_be_followed_are_kept(world: World, log: list[structlog.typing.EventDict]) -> None:
    """While another process holds the state they wait, and those that come meanwhile are taken along.

    No run is skipped, so there is no warning.
    """
    paces = Paces(hints_quiet=0.1, retry=0.2)
    async with daemon_beside(world, paces) as here:
        with StateLock(world.state_dir):
            here.daemon.hints.add(movie_key(1001), "Movie 1")
            await asyncio.sleep(0.3)
            here.daemon.hints.add(movie_key(1002), "Movie 2")
        await until(lambda: here.daemon.runs.last)
        report = here.daemon.runs.last

    assert report is not None
    assert _events(log, "run.postponed")
    assert not _events(log, "run.skipped")
    assert (report.only_movies, report.outcome) == (2, "ok")
    assert world.numbers("kai-noir") == {1, 2}
