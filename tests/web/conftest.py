"""A world for each test, with one collection that Claude knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.daemon.life import Paces
from tests.daemon.living import daemon_beside
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.daemon.living import Beside


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies, three of which are noir."""
    with World(tmp_path, movies(12)) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(3))
        yield made


@pytest.fixture
async def here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test."""
    async with daemon_beside(world, Paces(hints_quiet=0.2)) as made:
        yield made
