"""The command line while its questions are with Anthropic: real processes, which wait outside of the lock."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from kometa_ai.app import session_of
from kometa_ai.core.options import Options
from kometa_ai.jobs.foreground import Foreground
from kometa_ai.run.watching import NullObserver
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store
from kometa_ai.state.waiting import WaitingReader
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE = 60.0
NEVER = 10**6
MEMBERS = {"Noir": {0, 1, 2}, "Heist": {5}}


class Ended(NamedTuple):
    """How a process ended, what it wrote, and in how many seconds since it was told to."""

    code: int
    report: Any
    seconds: float


class Called:
    """The command line as a process that does one run."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def end(self, number: signal.Signals | None = None) -> Ended:
        """Send a signal, if one is given, and wait for the end."""
        started = time.monotonic()
        if number is not None:
            self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=PATIENCE)
        return Ended(self.process.returncode, json.loads(out) if out else None, time.monotonic() - started)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies in two collections, all of which are asked about in batches that do not end."""
    with World(tmp_path, movies(12), claude_batches="on") as made:
        made.collections(*(block(name) for name in MEMBERS))
        for name, numbers in MEMBERS.items():
            made.believe(name, numbers)
        made.claude.batches.polls = NEVER
        yield made


def _command(*options: str) -> list[str]:
    return [sys.executable, "-m", "kometa_ai", *options, "--output", "json"]


@contextmanager
def _running(world: World, *options: str, **changed: str) -> Iterator[Called]:
    environ = {**os.environ, **world.environ, **changed}
    command = _command("--run-now", *options)
    with subprocess.Popen(  # noqa: S603 - ourselves
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield Called(process)
        finally:
            process.kill()


def _call(world: World, *options: str) -> Ended:
    environ = {**os.environ, **world.environ}
    ended = subprocess.run(  # noqa: S603 - ourselves
        _command(*options), env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return Ended(ended.returncode, json.loads(ended.stdout) if ended.stdout else None, 0.0)


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _until_it_waits(world: World) -> None:
    """Wait until a run has handed its batch over, has ended, and the process has looked for the answers once."""
    _until(lambda: any(one.polls_left < NEVER for one in world.claude.batches.known.values()))
    with StateLock(world.state_dir):
        pass


def _end_batches(world: World) -> None:
    world.claude.batches.polls = 0
    for batch in world.claude.batches.known.values():
        batch.polls_left = 0


def _everything() -> list[tuple[str, str]]:
    return sorted((name, f"Movie {number}") for name in MEMBERS for number in range(12))


def _tags(world: World) -> dict[str, set[int]]:
    return {name: world.numbers(f"kai-{name.lower()}") for name in MEMBERS}


def _waits(world: World) -> bool:
    return WaitingReader(world.state_dir).read().options is not None


def test_one_call_goes_on_until_everything_is_answered(world: World) -> None:
    """The call does as many runs as it takes, and its report is that of all of them: what they asked, cost and did."""
    _end_batches(world)
    with _running(world) as called:
        code, report, _ = called.end()

    runs = Store.load(world.state_dir, read_only=True).state.runs
    assert (code, report["outcome"], report["totals"]["pending"]) == (0, "ok", 0)
    assert report["totals"]["asked"] == len(_everything())
    assert report["cost_usd"] == pytest.approx(sum(run.cost_usd for run in runs), abs=1e-5)
    assert [run.outcome for run in runs] == ["waiting", "ok"]
    assert _tags(world) == MEMBERS
    assert sorted(world.claude.asked_pairs()) == _everything()


def test_what_is_in_a_batch_is_not_said_to_be_asked_again(world: World) -> None:
    """--explain tells that the answer is awaited, as --estimate does; what another prompt asks is to be asked."""
    with _running(world):
        _until_it_waits(world)
    awaited = _call(world, "--explain", "tmdb:1003").report["collections"]
    world.collections(block("Noir", "Another prompt."), block("Heist"))
    changed = _call(world, "--explain", "tmdb:1003").report["collections"]

    assert [(one["slug"], one["to_be_asked"], one["in_batch"]) for one in awaited] == [
        ("heist", "", True),
        ("noir", "", True),
    ]
    assert [(one["slug"], bool(one["to_be_asked"]), one["in_batch"]) for one in changed] == [
        ("heist", False, True),
        ("noir", True, False),
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_waiting(world: World, number: signal.Signals, code: int) -> None:
    """It ends within two seconds with the exit code of an interruption; the next run takes the answers, paid once."""
    with _running(world) as called:
        _until_it_waits(world)
        ended = called.end(number)
    _end_batches(world)

    again = _call(world, "--run-now")

    assert (ended.code, ended.report["outcome"], ended.report["exit_code"]) == (code, "interrupted", code)
    assert ended.seconds < 2
    assert (again.code, _tags(world)) == (0, MEMBERS)
    assert sorted(world.claude.asked_pairs()) == _everything()


def test_the_waiting_ends_after_run_timeout(world: World) -> None:
    """RUN_TIMEOUT counts for the whole call: exit code 1, and the report says that the time is over."""
    with _running(world, RUN_TIMEOUT="8s") as called:
        code, report, seconds = called.end()
    _end_batches(world)

    again = _call(world, "--run-now")

    assert (code, report["outcome"]) == (1, "problems")
    assert [problem["source"] for problem in report["problems"]] == ["RUN_TIMEOUT"]
    assert seconds < 15
    assert (again.code, _tags(world)) == (0, MEMBERS)
    assert sorted(world.claude.asked_pairs()) == _everything()


def test_a_process_killed_while_it_waits_loses_nothing(world: World) -> None:
    """Killed between handing over and the answers: nothing is asked or paid for twice, and the next run takes them."""
    with _running(world) as called:
        _until_it_waits(world)
        called.end(signal.SIGKILL)
    _end_batches(world)

    again = _call(world, "--run-now")

    assert (again.code, _tags(world)) == (0, MEMBERS)
    assert sorted(world.claude.asked_pairs()) == _everything()


def test_pins_are_dropped_while_a_batch_is_out(world: World) -> None:
    """`--release-pin` needs the lock for a moment, and the waiting call does not hold it."""
    world.change(claude_batches="off")
    first = world.run(collections=("Noir",))
    undone = _call(world, "--undo", first.run_id)
    world.change(claude_batches="on")
    with _running(world) as called:
        _until_it_waits(world)
        released = _call(world, "--release-pin", "tmdb:1000")
        is_running = called.process.poll() is None

    assert (undone.code, released.code, is_running) == (0, 0, True)
    assert _pinned(world) == {1001, 1002}


async def test_it_looks_until_a_batch_has_ended(world: World) -> None:
    """While a batch is not answered it looks again and again, and does no run; then it goes on with one."""
    world.claude.batches.polls = 5

    report = await _foreground(world).run(Options())

    runs = Store.load(world.state_dir, read_only=True).state.runs
    assert (report.outcome, [run.outcome for run in runs]) == ("ok", ["waiting", "ok"])
    assert _tags(world) == MEMBERS


async def test_another_run_that_waits_takes_over(world: World) -> None:
    """A second run meanwhile finds the batch unanswered and waits too: the first call ends, with exit code 1."""
    waiting = asyncio.create_task(_foreground(world).run(Options()))
    await asyncio.to_thread(_until_it_waits, world)
    second = await asyncio.to_thread(world.run)

    first = await waiting
    _end_batches(world)
    third = await asyncio.to_thread(world.run)

    assert [(report.outcome, report.exit_code) for report in (first, second, third)] == [
        ("waiting", 1),
        ("waiting", 1),
        ("ok", 0),
    ]
    assert _tags(world) == MEMBERS
    assert sorted(world.claude.asked_pairs()) == _everything()


def _foreground(world: World) -> Foreground:
    return Foreground(session_of(world.settings), NullObserver(), lambda: None, looks_every=0.05)


def _pinned(world: World) -> set[int]:
    """The movies that are pinned."""
    return {pin.tmdb_id for pin in ChoicesFile(world.state_dir).read().pins}


def test_canceled_batches_are_waited_for_no_longer(world: World) -> None:
    """`--cancel-batches` ends the waiting call's wait; no run goes on, and the next one asks what is still open."""
    with _running(world) as called:
        _until_it_waits(world)
        canceled = _call(world, "--cancel-batches")
        is_awaited = _waits(world)
        called.end(signal.SIGTERM)
    _end_batches(world)

    again = _call(world, "--run-now")

    assert (canceled.code, is_awaited) == (0, False)
    assert [batch["outcome"] for batch in canceled.report["batches"]] == ["canceling"]
    assert (again.code, _tags(world)) == (0, MEMBERS)
    assert sorted(world.claude.asked_pairs()) == _everything()
