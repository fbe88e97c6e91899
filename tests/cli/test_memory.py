"""What the command line knows from the state without Radarr: pins by any name, and decisions about a movie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins.faults import answer
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "name", ["tmdb:1001", "tt0001001", "TT0001001", "Movie 1 (1951)", "MOVIE 1  (1951)", "movie 1"]
)
def test_a_pin_is_released_by_any_name_of_its_movie(world: World, call: Call, name: str) -> None:
    """TMDb id, IMDb id, title and year, or the title alone; nothing else is released with it."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    call("--undo", call("--run-now", "--output", "json").data["run_id"])

    ended = call("--release-pin", name, RADARR_URL=NOWHERE)

    assert ended.code == 0
    assert [pin["title"] for pin in call("--pins", "--output", "json").data] == ["Movie 2 (1952)"]


@pytest.mark.parametrize("name", ["tmdb:1003", "tt9999999", "Movie 1 (1952)", "Movie", ""])
def test_a_pin_that_there_is_not(world: World, call: Call, name: str) -> None:
    """Wrong usage, and all pins stay."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    call("--undo", call("--run-now", "--output", "json").data["run_id"])

    assert call("--release-pin", name).code == 2
    assert len(call("--pins", "--output", "json").data) == 2


@pytest.mark.parametrize("name", ["Movie 1 (1951)", "tmdb:1001", "movie 1"])
def test_explained_without_radarr(world: World, call: Call, name: str) -> None:
    """While Radarr is down, what is remembered is told, that it is no more than that, and nothing about tags."""
    world.collections(
        block("Heist", exclude_tags="[kids]"), block("Space"), block("Pins", exclude_movies="[tmdb:1001]")
    )
    world.believe("Heist", [1])
    call("--run-now")
    world.collections(
        block("Heist", exclude_tags="[kids]"),
        block("Space"),
        block("Pins", exclude_movies="[tmdb:1001]"),
        block("New"),
    )

    ended = call("--explain", name, RADARR_URL=NOWHERE)
    data = call("--explain", name, "--output", "json", RADARR_URL=NOWHERE).data

    assert ended.code == 1
    assert "From memory, without the movie's tags: Radarr at http://127.0.0.1:9 cannot be reached" in " ".join(
        ended.out.split()
    )
    assert "but Radarr" not in ended.out
    told = {found["slug"]: (found["belongs"], found["cause"], found["is_tagged"]) for found in data["collections"]}
    assert told == {
        "heist": (True, "verdict", None),
        "space": (False, "verdict", None),
        "pins": (False, "pinned out", None),
        "new": (None, "undecided", None),
    }


def test_what_is_not_remembered_needs_radarr(world: World, call: Call) -> None:
    """A movie that was never seen: exit 3; and a key that is refused is nothing to explain around."""
    world.collections(block("Heist"))
    call("--run-now")

    assert call("--explain", "Heat (1995)", RADARR_URL=NOWHERE).code == 3
    world.radarr.faults.inject(answer(401), path="*", times=None)
    assert call("--explain", "tmdb:1001").code == 3
