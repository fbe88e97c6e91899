"""Runs about some of the collections, where collections name each other."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("Noir", "Heist", "Crime", "Space")
COUNT = 16

Tags = set[tuple[int, str]]


def tags(world: World) -> Tags:
    """Every pair of a movie and a managed tag in Radarr."""
    return {(number, name) for name in NAMES for number in world.numbers(f"kai-{name.lower()}")}


def _rules(dice: random.Random) -> str:
    def labels(name: str, *counts: int) -> str:
        others = [other for other in NAMES if other != name]
        return "[" + ", ".join(f"KAI-{other}" for other in dice.sample(others, dice.choice(counts))) + "]"

    return "".join(
        block(
            name,
            priority=dice.randrange(3),
            include_tags=labels(name, 0, 1, 1, 2),
            exclude_tags=labels(name, 0, 0, 1),
        )
        for name in NAMES
    )


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(20))
def test_the_next_whole_run_turns_nothing_round(tmp_path: Path, seed: int) -> None:
    """What a run for some collections has changed, a run of everything does not change back.

    Whatever the rules are, and whatever people did to tags, blocks and movies before.
    """
    dice = random.Random(seed)
    with World(tmp_path, movies(COUNT), removal_limit=100) as world:
        world.collections(_rules(dice))
        for name in NAMES:
            world.believe(name, dice.sample(range(COUNT), 4))
        if dice.random() < 0.7:
            world.run()
        for number in range(COUNT):
            for name in dice.sample(NAMES, dice.choice([0, 0, 1, 2])):
                world.radarr.tag_by_hand(1000 + number, f"kai-{name.lower()}")
        if dice.random() < 0.5:
            world.collections(_rules(dice))
        for number in dice.sample(range(COUNT), 3):
            world.radarr.update_movie(1000 + number, overview="Another plot.")

        before = tags(world)
        some = world.run(collections=tuple(dice.sample(NAMES, dice.choice([1, 2]))))
        between = tags(world)
        world.run()
        after = tags(world)

    assert not some.problems
    assert before ^ between <= before ^ after


def test_a_circle_gains_nothing_that_the_next_whole_run_takes_away(tmp_path: Path) -> None:
    """The first of two that name each other sees the second as empty, also when it is alone in the run."""
    with World(tmp_path, movies(6)) as world:
        world.collections(
            block("Noir", priority=2, include_tags="[KAI-Heist]"), block("Heist", priority=1, include_tags="[KAI-Noir]")
        )
        world.believe("Noir", [0])
        world.believe("Heist", [1])
        world.run()
        whole = tags(world)

        alone = world.run(collections=("Noir",))

    assert whole == {(0, "Noir"), (0, "Heist"), (1, "Heist")}
    assert (alone.added, alone.removed) == (0, 0)


def test_a_collection_that_is_not_in_the_run_is_neither_asked_about_nor_told(tmp_path: Path) -> None:
    """What another collection would decide is taken from memory; its questions and pins wait for its own run."""
    with World(tmp_path, movies(6)) as world:
        world.collections(block("Noir", include_tags="[KAI-Heist]"), block("Heist", include_movies="[tmdb:9]"))
        world.believe("Heist", [1])

        report = world.run(collections=("Noir",))

    assert [collection.name for collection in report.collections] == ["Noir"]
    assert {name for name, _ in world.asked()} == {"Noir"}
    assert not [warning for warning in report.warnings if "pin" in warning.what]


def test_a_tag_without_a_decision_lets_no_movie_in(tmp_path: Path) -> None:
    """Put on by hand, for a collection that was never judged: the movie stays out until that is decided."""
    with World(tmp_path, movies(6)) as world:
        world.collections(block("Noir", include_tags="[KAI-Heist]"), block("Heist"))
        world.radarr.tag_by_hand(1003, "kai-heist")

        alone = world.run(collections=("Noir",))
        both = world.run()

    assert (alone.added, both.added, both.removed) == (0, 0, 1)
    assert [warning.collection for warning in alone.warnings if warning.source == "--collection"] == ["Noir"]
