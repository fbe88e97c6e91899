"""A world, and the program's command line in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from kometa_ai.cli.main import run
from tests.run.world import World, movies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Ended(NamedTuple):
    """How a call of the program ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies, and nothing else yet."""
    with World(tmp_path, movies(12)) as made:
        yield made


@pytest.fixture
def call(world: World, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Call the program with some options, in the world's environment with some variables changed."""

    def called(*arguments: str, **changed: str) -> Ended:
        code = run(arguments, {**world.environ, **changed})
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return called
