"""A world for each test, with one collection that Claude knows, and the library in front of libc."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.daemon.preloaded import build
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies, three of which are noir."""
    with World(tmp_path, movies(12)) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(3))
        yield made


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library in front of libc."""
    return build(tmp_path_factory.mktemp("preloaded"))
