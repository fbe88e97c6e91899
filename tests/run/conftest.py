"""A world for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.run.world import World, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Forty movies, and nothing else yet."""
    with World(tmp_path, movies(40), batch_size=20) as made:
        yield made
