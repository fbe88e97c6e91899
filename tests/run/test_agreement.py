"""A run, an estimate and an explanation follow the same rules and agree, in random worlds."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest

from kometa_ai.app import open_parts, rules_of
from kometa_ai.core.choice import Pin
from kometa_ai.core.decision import TRIES, Reason
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.core.options import Options
from kometa_ai.jobs.estimate import Estimate, estimate
from kometa_ai.jobs.explain import Explained, explain
from kometa_ai.standins.claude_answers import REFUSED
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.store import Store
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kometa_ai.core.report import RunReport

NAMES = ("Noir", "Heist", "Crime", "Space", "War")
COUNT = 12
CONFIDENCES = (0.95, 0.95, 0.78, 0.72, 0.66, 0.3)
NOTHING = 0.000001
"""A cost limit below the price of any request."""


class Named(NamedTuple):
    """The rules of a random block that depend on other collections."""

    text: str
    names: frozenset[str]


def _block(dice: random.Random, name: str) -> Named:
    others = [other for other in NAMES if other != name]
    include = dice.sample(others, dice.choice([0, 0, 1, 2]))
    exclude = dice.sample(others, dice.choice([0, 0, 0, 1]))
    ids = dice.sample(range(1000, 1000 + COUNT), 4)
    keys = {
        "priority": dice.randrange(3),
        "confidence_threshold": dice.choice([0.7, 0.7, 0.6, 0.8]),
        "include_tags": _listed(f"KAI-{other}" for other in include),
        "exclude_tags": _listed([*(f"KAI-{other}" for other in exclude), "KAI-by-hand"]),
        "include_movies": _listed(f"tmdb:{tmdb_id}" for tmdb_id in ids[: dice.randrange(2)]),
        "exclude_movies": _listed(f"tmdb:{tmdb_id}" for tmdb_id in ids[2 : 2 + dice.randrange(2)]),
    }
    prompt = dice.choice(["", "", f"Only the best of {name}."])
    return Named(block(name, prompt, **keys), frozenset((*include, *exclude)))


def _listed(words: Iterable[str]) -> str:
    return f"[{', '.join(words)}]"


def _write_blocks(dice: random.Random, world: World) -> set[str]:
    """Write new blocks, and return the names of the collections that depend on no other."""
    blocks = {name: _block(dice, name) for name in NAMES}
    world.collections(*(made.text for made in blocks.values()))
    return {name for name, made in blocks.items() if not made.names}


def _meddle(dice: random.Random, world: World) -> None:
    """What people do between runs."""
    for number in range(COUNT):
        if dice.random() < 0.3:
            world.radarr.tag_by_hand(1000 + number, dice.choice([f"kai-{dice.choice(NAMES).lower()}", "kai-by-hand"]))
    for number in dice.sample(range(COUNT), dice.randrange(3)):
        world.radarr.update_movie(1000 + number, overview=f"Another plot, number {dice.randrange(1000)}.")
    kept = ChoicesFile(world.state_dir)
    for tmdb_id in dice.sample(range(1000, 1000 + COUNT), dice.randrange(3)):
        slug, include = Slug(dice.choice(NAMES).lower()), dice.random() < 0.5
        pin = Pin(key=movie_key(tmdb_id), slug=slug, include=include, since=world.now)
        kept.change(lambda choices: choices.with_pins(pin))  # noqa: B023 - called at once


async def _foretold(world: World) -> tuple[Estimate, list[Explained]]:
    """What is said of the next run, and of each movie."""
    options = Options(batch_size=rules_of(world.settings).page_size)
    async with open_parts(world.settings, Store.load(world.state_dir, read_only=True)) as parts:
        rules = rules_of(world.settings)
        told = [await explain(parts, rules, options, f"tmdb:{1000 + number}") for number in range(COUNT)]
        return await estimate(parts, rules, options), told


def _planned(report: RunReport) -> set[tuple[str, int, bool]]:
    """Each change of a dry run: the collection, the movie, and whether it comes or goes."""
    return {
        (collection.slug, line.tmdb_id, comes)
        for collection in report.collections
        for lines, comes in ((collection.added, True), (collection.removed, False))
        for line in lines
    }


def _explained(told: Sequence[Explained]) -> set[tuple[str, int, bool]]:
    """The same as it follows from where each movie is said to belong."""
    return {
        (each.slug, movie.tmdb_id, each.belongs)
        for movie in told
        for each in movie.collections
        if each.belongs is not None and each.belongs is not each.is_tagged
    }


def _agree(world: World) -> set[tuple[str, str]]:
    """Compare a run that may ask nothing with the estimate and the explanations; return the pairs to be asked about."""
    world.change(max_cost_per_run=NOTHING)
    expected, told = asyncio.run(_foretold(world))
    report = world.run(dry_run=True)
    world.change(max_cost_per_run=0)

    for collection, line in zip(report.collections, expected.collections, strict=True):
        explained = [each for movie in told for each in movie.collections if each.slug == collection.slug]
        asked_for = Counter(each.to_be_asked for each in explained if each.to_be_asked)
        assert dict(asked_for) == line.reasons == collection.reasons
        assert line.pending == collection.pending
    assert expected.pending == report.pending
    assert _planned(report) == _explained(told)
    first_looks = {str(reason) for reason in Reason if reason.is_asked_first}
    return {
        (each.collection, movie.title)
        for movie in told
        for each in movie.collections
        if each.to_be_asked in first_looks
    }


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(16))
def test_what_is_foretold_is_what_a_run_does(tmp_path: Path, seed: int) -> None:
    """The questions of an estimate are those that a run plans, and those that it asks where no answer changes them.

    What explanations say of each movie is what the run plans, for random rules that name each other, pins, thresholds,
    earlier verdicts, second looks that are due, and questions that were left open or given up.
    """
    dice = random.Random(seed)
    with World(tmp_path, movies(COUNT), removal_limit=100, addition_limit=10**6, hand_edits="correct") as world:
        _write_blocks(dice, world)
        for name in NAMES:
            for number in dice.sample(range(COUNT), 5):
                world.believe(name, [number], dice.choice(CONFIDENCES))
        if dice.random() < 0.5:
            refused = f"Movie {dice.randrange(COUNT)}"
            world.claude.queue_style(REFUSED, times=None, when=lambda request: refused in request.titles)
            for _ in range(TRIES):
                world.run()
        if dice.random() < 0.5:
            world.claude.queue_style(REFUSED, times=None, when=lambda request: "second look" in request.collection_text)
        for _ in range(dice.randrange(4)):
            world.change(max_cost_per_run=dice.choice([0, 0, 0.002]))
            world.run()
            _meddle(dice, world)
            if dice.random() < 0.3:
                _write_blocks(dice, world)
        alone = _write_blocks(dice, world) if dice.random() < 0.5 else set()
        world.claude.forget()

        foretold = _agree(world)
        world.run()
        asked = set(world.asked())
        _agree(world)

    assert {pair for pair in asked if pair[0] in alone} == {pair for pair in foretold if pair[0] in alone}
