"""What the daemon knows of the state without its decisions: from the beginning of the snapshot, in any form."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import msgspec
import pytest
from structlog.testing import capture_logs

from kometa_ai.core.item import movie_key, show_key
from kometa_ai.daemon.overview import OverviewReader
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.run.world import World

THERE, NEW, SHOW = movie_key(1000), movie_key(99), show_key(5)


@pytest.fixture(params=["line by line", "as one text"])
def snapshot(world: World, request: pytest.FixtureRequest) -> Path:
    """The state after a run, written as the program writes it or as a person has formatted it."""
    world.run()
    path = world.state_dir / "kometa_state.json"
    if request.param == "as one text":
        path.write_bytes(msgspec.json.format(path.read_bytes(), indent=1))
    return path


async def test_everything_but_the_decisions(snapshot: Path) -> None:
    """Runs, spending, collections and libraries are those of the state, and items are known by their keys."""
    reader = OverviewReader(snapshot.parent, {"radarr"})
    state = Store.load(snapshot.parent, read_only=True).state

    found = await reader.read()

    assert (found.runs, found.spending, found.collections) == (state.runs, state.spending, state.collections)
    assert (found.libraries, found.prompts, found.count("movie")) == (state.libraries, state.prompts, 12)
    assert await reader.unknown({THERE, NEW, SHOW}) == {NEW}, "there is no collection of shows"
    assert await reader.unknown(set()) == frozenset()


async def test_the_size_of_the_decisions_does_not_matter(world: World) -> None:
    """Neither for what is known, nor for which items are: they are read a line at a time."""
    await asyncio.to_thread(world.run)
    path = world.state_dir / "kometa_state.json"
    first, *lines = path.read_bytes().splitlines(keepends=True)
    many = [lines[0].replace(b'"movie:1000"', b'"movie:%d"' % number) for number in range(5000, 25000)]
    path.write_bytes(first + b"".join([*many, *lines]))
    reader = OverviewReader(world.state_dir, {"radarr"})
    tracemalloc.start()

    await reader.read()
    _, peak = tracemalloc.get_traced_memory()
    unknown = await reader.unknown({movie_key(24_999), NEW})
    tracemalloc.stop()

    assert sum(map(len, many)) > 2_000_000
    assert peak < 1_000_000
    assert unknown == {NEW}


def cut(path: Path) -> None:
    """Leave the beginning of a file."""
    path.write_bytes(path.read_bytes()[:50])


def lose(path: Path) -> None:
    """Delete a file."""
    path.unlink()


async def test_what_is_damaged_leaves_what_was_known(snapshot: Path) -> None:
    """A snapshot whose beginning cannot be read is told once, and the one before goes on; without one there is none."""
    reader = OverviewReader(snapshot.parent, {"radarr"})
    before = await reader.read()
    cut(snapshot)

    with capture_logs() as log:
        found = [await reader.read(), await reader.read()]

    assert found == [before, before]
    assert [line["event"] for line in log] == ["state.not_read"]
    assert await reader.unknown({THERE}) == {THERE}
    lose(snapshot)
    assert (await reader.read()).runs == []
    assert await reader.unknown({THERE}) == {THERE}
