"""The daemon while questions are with Anthropic: it works on, and goes on with the run when they are answered."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kometa_ai.daemon.life import Paces
from kometa_ai.standins.claude_batches import LIFETIME_SECONDS
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.state.lock import StateLock
from kometa_ai.state.waiting import WaitingReader
from tests.daemon.living import daemon_beside, daemon_process, until
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.daemon.living import Beside

NEVER = 10**6
MEMBERS = {"Noir": {0, 1, 2}, "Heist": {5}}
PACES = Paces(hints_quiet=0.1, hints_longest=0.2, retry=0.1, batches=0.05)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies in two collections, all of which are asked about in batches that do not end."""
    with World(tmp_path, movies(12), claude_batches="on") as made:
        made.collections(*(block(name) for name in MEMBERS))
        for name, numbers in MEMBERS.items():
            made.believe(name, numbers)
        made.claude.batches.polls = NEVER
        yield made


def _end_batches(world: World) -> None:
    world.claude.batches.polls = 0
    for batch in world.claude.batches.known.values():
        batch.polls_left = 0


def _tags(world: World) -> dict[str, set[int]]:
    return {name: world.numbers(f"kai-{name.lower()}") for name in MEMBERS}


def _everything() -> list[tuple[str, str]]:
    return sorted((name, f"Movie {number}") for name in MEMBERS for number in range(12))


def _is_awaited(world: World) -> bool:
    return WaitingReader(world.state_dir).read().options is not None


async def _until_done(here: Beside, world: World) -> None:
    await until(lambda: _tags(world) == MEMBERS and not _is_awaited(world))
    await here.daemon.runs.ended()


async def _runs(here: Beside) -> list[Any]:
    runs: list[Any] = (await here.client.get("/api/v1/runs")).json()
    return runs


async def test_it_goes_on_by_itself_when_a_batch_has_ended(world: World) -> None:
    """A run that hands over has ended as `waiting`; once the answers are there a run takes them, unasked."""
    async with daemon_beside(world, PACES) as here:
        waiting = await here.run()
        status = (await here.client.get("/api/v1/status")).json()
        _end_batches(world)
        await _until_done(here, world)
        runs = await _runs(here)

    assert (status["status"], status["last_outcome"], status["problem"]) == ("idle", "waiting", None)
    assert [(run["outcome"], run["exit_code"]) for run in runs] == [("ok", 0), ("waiting", 1)]
    assert runs[-1]["run_id"] == waiting
    assert sorted(world.claude.asked_pairs()) == _everything()


async def test_a_chain_of_runs_is_one_report(world: World) -> None:
    """One message is sent, at the end, and it tells what all of these runs have asked and cost."""
    with Mailbox() as box:
        mail = {"SMTP_SERVER": box.host, "SMTP_PORT": str(box.port), "NOTIFICATION_RECIPIENTS": "ann@b.org"}
        async with daemon_beside(world, PACES, mail) as here:
            await here.run()
            before = len(box.received)
            _end_batches(world)
            await _until_done(here, world)
            runs = await _runs(here)

    assert (before, len(box.received)) == (0, 1)
    assert sum(run["asked"] for run in runs) == len(_everything())


async def test_a_webhooks_run_works_while_a_batch_is_out(world: World) -> None:
    """No run holds the lock meanwhile: a new movie is judged and tagged at once, and the batch is left alone."""
    async with daemon_beside(world, PACES) as here:
        await here.run()
        with StateLock(world.state_dir):
            pass
        world.radarr.add_movie(MovieSeed(title="Movie 99", year=2026, tmdb_id=1099))
        world.believe("Noir", [99])
        movie = {"id": 13, "title": "Movie 99", "year": 2026, "tmdbId": 1099}
        await here.client.post("/api/v1/webhooks/radarr", json={"eventType": "MovieAdded", "movie": movie})
        await until(lambda: world.numbers("kai-noir") == {99})
        still_awaited, batches = _is_awaited(world), len(world.claude.batches.known)
        _end_batches(world)
        await until(lambda: world.numbers("kai-noir") == {0, 1, 2, 99})

    assert (still_awaited, batches) == (True, 1)


async def test_a_daemon_that_was_killed_goes_on_when_it_is_back(world: World) -> None:
    """Killed between handing over and the answers: the next daemon takes them, and nothing is paid for twice."""
    with daemon_process(world) as living:
        living.call("POST", "/api/v1/runs")
        living.wait_for("run.ended")
        living.process.kill()
        living.process.wait()
    _end_batches(world)

    async with daemon_beside(world, PACES) as here:
        await _until_done(here, world)

    assert sorted(world.claude.asked_pairs()) == _everything()


@pytest.mark.parametrize("end", ["expires", "is canceled"])
async def test_a_batch_that_ends_without_answers_is_asked_again(world: World, end: str) -> None:
    """It expires at Anthropic, or is canceled there: the daemon finds that out and hands its questions over again."""
    async with daemon_beside(world, PACES) as here:
        await here.run()
        (batch,) = world.claude.batches.known.values()
        if end == "expires":
            batch.created_at -= LIFETIME_SECONDS
        else:
            world.claude.batches.cancel(batch.id)
        world.claude.batches.polls = 0
        await _until_done(here, world)
        report = here.daemon.runs.last

    assert report is not None
    assert (report.outcome, report.pending) == ("ok", 0)
    assert {line["result"]["type"] for line in batch.results} == {"expired" if end == "expires" else "canceled"}
    assert sorted(world.claude.asked_pairs()) == _everything()


async def test_after_cancel_batches_it_does_not_go_on(world: World) -> None:
    """Who cancels wants no more of it now: what is open is left to the next run, which hands it over anew."""
    async with daemon_beside(world, PACES) as here:
        await here.run()
        command = [sys.executable, "-m", "kometa_ai", "--cancel-batches"]
        canceled = subprocess.run(command, env=world.environ, capture_output=True, check=False)  # noqa: ASYNC221, S603
        _end_batches(world)
        is_awaited = _is_awaited(world)
        looked = len(world.claude.calls)
        for _ in range(3):
            await here.daemon.batches.look()
        calls = len(world.claude.calls) - looked
        last = here.daemon.runs.last
        await here.run()
        await _until_done(here, world)

    assert (canceled.returncode, is_awaited, calls) == (0, False, 0)
    assert last is not None
    assert last.outcome == "waiting"
    assert sorted(world.claude.asked_pairs()) == _everything()


async def test_a_batch_of_the_command_line_is_left_to_it(world: World) -> None:
    """While `--run-now` waits for its own batch, the daemon does not take the answers away from it."""
    _end_batches(world)
    world.claude.batches.seconds = 4.0
    async with daemon_beside(world, PACES) as here:
        command = [sys.executable, "-m", "kometa_ai", "--run-now"]
        process = subprocess.Popen(command, env=world.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: ASYNC220, S603
        try:
            await until(lambda: any(one.ended_at for one in world.claude.batches.known.values()))
            for _ in range(3):
                await here.daemon.batches.look()
            started = here.daemon.runs.last or here.daemon.runs.current
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(20)

    assert (started, code) == (None, 143)
