"""Runs that die: the next one asks again at most what was in flight, and ends in the same tags."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.run.dying import Dying
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL = "kometa_state.journal"
MOVIES, BATCH, AT_ONCE = 36, 6, 3
TRUTH = {"Heist": set(range(0, MOVIES, 3)), "Space": {1, 2}, "Noir": set(range(20, 30))}


def make(folder: Path) -> World:
    """Three collections of 36 movies, six requests each."""
    world = World(folder, movies(MOVIES), batch_size=BATCH, max_concurrent_requests=AT_ONCE)
    world.collections(*(block(name) for name in TRUTH))
    for name, numbers in TRUTH.items():
        world.believe(name, numbers)
    return world


def check(world: World) -> None:
    """The tags are the truth, and hardly anything was paid for twice."""
    for name, numbers in TRUTH.items():
        assert world.numbers(f"kai-{name.lower()}") == numbers
    asked = world.asked()
    assert len(set(asked)) == MOVIES * len(TRUTH)


@pytest.mark.parametrize("answers", [1, 2, 7, 12, 18])
def test_a_crash_after_any_answer(tmp_path: Path, answers: int) -> None:
    """What was recorded is never asked again: at most the requests in flight are."""
    with make(tmp_path) as world:
        with pytest.raises(BaseExceptionGroup):
            world.run(observer=Dying(answers))

        report = world.run()

        assert report.exit_code == 0
        requests = [r for r in world.claude.requests if "second look" not in r.collection_text]
        assert sum(len(r.titles) for r in requests) <= MOVIES * len(TRUTH) + AT_ONCE * BATCH
        check(world)


def test_a_journal_cut_anywhere(tmp_path: Path) -> None:
    """Whatever a power cut leaves of the journal, the next run completes it, and asks only what is missing."""
    rng = random.Random(7)
    with make(tmp_path) as world:
        with pytest.raises(BaseExceptionGroup):
            world.run(observer=Dying(15))
        whole = (world.state_dir / JOURNAL).read_bytes()
        world.claude.forget()
        kept = {}
        for cut in sorted(rng.sample(range(len(whole)), 4)):
            shutil.rmtree(world.state_dir)
            world.state_dir.mkdir()
            (world.state_dir / JOURNAL).write_bytes(whole[:cut])
            for name, numbers in TRUTH.items():
                for number in numbers & world.numbers(f"kai-{name.lower()}"):
                    world.radarr.untag_by_hand(1000 + number, f"kai-{name.lower()}")

            assert world.run().exit_code == 0

            for name, numbers in TRUTH.items():
                assert world.numbers(f"kai-{name.lower()}") == numbers
            kept[cut] = len(world.asked())
        assert list(kept.values()) == sorted(kept.values(), reverse=True)


def test_killed_at_random_instants(tmp_path: Path) -> None:
    """A process killed with SIGKILL again and again still comes to the same end."""
    rng = random.Random(11)
    with make(tmp_path) as world:
        world.claude.latency = 0.15
        environ = {**os.environ, **world.environ}
        command = [sys.executable, "-m", "kometa_ai", "--run-now", "--output", "json"]
        for _ in range(4):
            process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - ourselves
            time.sleep(rng.uniform(0.8, 3.0))
            process.kill()
            process.wait()

        ended = subprocess.run(command, env=environ, capture_output=True, timeout=60, check=False)  # noqa: S603 - ourselves

        assert ended.returncode == 0, ended.stderr
        check(world)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_asking_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """143 or 130 within seconds, everything answered is kept, nothing is written to Radarr, the next run goes on."""
    with make(tmp_path) as world:
        world.claude.latency = 0.5
        environ = {**os.environ, **world.environ}
        command = [sys.executable, "-m", "kometa_ai", "--run-now", "--output", "json"]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603 - ourselves
        while len(world.claude.requests) < 4:
            assert process.poll() is None
            time.sleep(0.02)

        process.send_signal(number)
        output, _ = process.communicate(timeout=9)

        assert process.returncode == 128 + number
        assert b'"outcome": "interrupted"' in output
        assert world.radarr.writes == []
        world.claude.latency = 0
        assert world.run().exit_code == 0
        requests = [r for r in world.claude.requests if "second look" not in r.collection_text]
        assert sum(len(r.titles) for r in requests) == MOVIES * len(TRUTH)
        check(world)
