from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

COMMANDS = [("--run-now",), ("--dry-run",), ("--estimate",), ("--explain", "tmdb:1001"), ()]


def of_three_kinds(world: World) -> None:
    """A collection that is on, one that is off and one with a problem."""
    off = block("Space").replace("enabled: true", "enabled: false")
    world.collections(block("Heist"), off, block("Noir", promt="x"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nope", "There is no collection named 'nope'. There are: Heist."),
        ("hiest", "Did you mean 'Heist'?"),
        ("SPACE", "The collection 'Space' is switched off: its block at movies.yml:9 lacks `enabled: true`."),
        ("noir", "The collection 'Noir' is skipped because of a problem. movies.yml:20: `promt` is not a key"),
    ],
)
def test_a_name_that_cannot_be_run(world: World, call: Call, command: tuple[str, ...], name: str, told: str) -> None:
    """Exit 2 with the names there are and what is wrong with this one; nothing begun, nobody called, even if down."""
    of_three_kinds(world)

    ended = call(*command, "--collection", name)
    down = call(*command, "--collection", name, RADARR_URL="http://127.0.0.1:9")

    assert (ended.code, down.code) == (2, 2)
    assert told in " ".join(ended.err.split())
    assert "run.started" not in ended.err
    assert world.radarr.requests == []
    assert list(world.state_dir.iterdir()) == []


def test_a_name_in_a_file_that_cannot_be_read(world: World, call: Call) -> None:
    """Then nobody can know whether there is such a collection, and the message names the file."""
    world.collections(block("Heist"))
    world.collections(block("Space") + "  broken: [\n", file="more.yml")

    ended = call("--run-now", "--collection", "Space")

    assert ended.code == 2
    assert "may stand in a file that cannot be read: more.yml" in " ".join(ended.err.split())
