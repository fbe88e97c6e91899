"""The brake for additions: too many for a collection's size, while its block has not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.core.item import ItemKey, movie_key
from kometa_ai.core.summary import as_data
from kometa_ai.state.store import Store
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kometa_ai.core.report import RunReport


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Sixty movies, and one collection of ten that is built."""
    with World(tmp_path, movies(60), batch_size=60) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(10))
        made.run()
        assert made.numbers("kai-noir") == set(range(10))
        yield made


def only(*numbers: int) -> frozenset[ItemKey]:
    """The ids of those movies."""
    return frozenset(movie_key(1000 + number) for number in numbers)


def held(report: RunReport) -> tuple[int, int, int]:
    """Added, held-back additions, held-back removals."""
    [collection] = report.collections
    return report.added, len(collection.held_back_additions), len(collection.held_back_removals)


def test_too_many_additions_are_all_held_back_and_reported(world: World) -> None:
    """Forty for a collection of ten: none is made, and each report names them and what lets them through."""
    world.believe("Noir", range(50))

    first = world.run(force_refresh=True)
    second = world.run()

    assert (held(first), held(second), first.exit_code) == ((0, 40, 0), (0, 40, 0), 1)
    assert world.numbers("kai-noir") == set(range(10))
    [problem] = [problem for problem in second.problems if problem.source == "ADDITION_LIMIT"]
    assert problem.what == "40 additions are held back: too many for a collection of 10 movies."
    assert "ADDITION_LIMIT=400" in problem.remedy
    assert (problem.collection, len(problem.movies)) == ("Noir", 20)
    data = as_data(second)
    assert (data["totals"]["held_back"], data["totals"]["held_back_additions"]) == (40, 40)


def test_removals_and_additions_are_weighed_each_for_itself(world: World) -> None:
    """Forty come and six go: both are held; two that go are let go while the forty wait."""
    world.believe("Noir", range(10, 50))
    world.believe("Noir", range(2), 0.0)
    two = world.run(force_refresh=True)
    world.believe("Noir", range(8), 0.0)
    six = world.run(force_refresh=True)

    assert (held(two), two.removed) == ((0, 40, 0), 2)
    assert (held(six), six.removed) == ((0, 40, 6), 0)


@pytest.mark.parametrize(
    ("limit", "more", "made"), [(100, 20, 20), (100, 21, 0), (210, 21, 21), (209, 21, 0), (0, 20, 20)]
)
def test_the_limit_is_percent_of_the_size_and_twenty_are_always_let(
    world: World, limit: int, more: int, made: int
) -> None:
    """ADDITION_LIMIT counts against the members there are."""
    world.change(addition_limit=limit)
    world.believe("Noir", range(10 + more))

    assert world.run(force_refresh=True).added == made


def test_removals_that_are_allowed_let_no_additions_through(world: World) -> None:
    """--allow-removals lifts the brake for removals and nothing else."""
    world.believe("Noir", range(50))

    assert held(world.run(force_refresh=True, allow_removals=True)) == (0, 40, 0)


def test_a_raised_limit_for_one_run_lets_them_through(world: World) -> None:
    """As the remedy says; afterwards the limit is what it was."""
    world.believe("Noir", range(50))
    world.run(force_refresh=True)
    world.change(addition_limit=400)

    assert held(world.run()) == (40, 0, 0)


@pytest.mark.parametrize("change", [{"confidence_threshold": 0.5}, {"priority": 0, "include_tags": "[anything]"}])
def test_an_edited_block_is_not_held(world: World, change: dict[str, Any]) -> None:
    """Many changes are what its owner has asked for: a threshold, a rule, a prompt."""
    world.believe("Noir", range(10, 50), 0.65)
    world.run(force_refresh=True)
    world.believe("Noir", range(10, 50), 0.95)
    world.collections(block("Noir", **change))

    assert world.run(force_refresh=True).held_back == 0
    assert world.numbers("kai-noir") == set(range(50))


def test_a_changed_prompt_is_not_held(world: World) -> None:
    """What it was asked for is another thing now."""
    world.believe("Noir", range(50))
    world.collections(block("Noir", "Something wider."))

    assert held(world.run()) == (40, 0, 0)


def test_a_first_build_has_no_brake_however_many_runs_it_takes(tmp_path: Path) -> None:
    """The budget ends the first run after a few members; the next runs build on, and only then the brake is there."""
    with World(tmp_path, movies(60), batch_size=10) as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(50))
        world.change(max_cost_per_run="0.012")
        first = world.run()
        world.change(max_cost_per_run="0")
        second = world.run()
        built = Store.load(world.state_dir, read_only=True).state.collections["noir"]  # type: ignore[index]  # a slug

    assert 0 < first.added < 25
    assert first.pending > 20
    assert (held(second), first.added + second.added) == ((second.added, 0, 0), 50)
    assert not built.first_build_open


def test_what_is_held_back_is_not_let_through_movie_by_movie(world: World) -> None:
    """Runs for single movies hold what the last run of everything held, until one finds fewer."""
    world.believe("Noir", range(50))
    world.run(force_refresh=True)

    single = [held(world.run(movies=only(number))) for number in (10, 11)]
    gone = world.run(movies=only(0))
    world.believe("Noir", range(12, 50), 0.0)
    fewer = world.run(force_refresh=True)

    assert single == [(0, 1, 0), (0, 1, 0)]
    assert gone.held_back == 0
    assert held(fewer) == (2, 0, 0)
    assert world.numbers("kai-noir") == set(range(12))


def test_a_run_for_many_movies_is_weighed_too_and_remembered(world: World) -> None:
    """Thirty new movies by webhook, all of them members at once: held, and so is each of them afterwards."""
    world.believe("Noir", range(40))

    many = world.run(movies=only(*range(10, 40)), force_refresh=True)
    one = world.run(movies=only(10))
    removal = world.run(movies=only(11), allow_removals=True)

    assert (held(many), held(one), held(removal)) == ((0, 30, 0), (0, 1, 0), (0, 1, 0))
    assert "a higher ADDITION_LIMIT" in many.problems[0].remedy


def test_pins_are_not_weighed(world: World) -> None:
    """What a person has put in is put in, and does not count against the others."""
    world.believe("Noir", range(50))
    world.run(force_refresh=True)
    pins = ", ".join(f"tmdb:{1000 + number}" for number in range(10, 15))
    world.collections(block("Noir", include_movies=f"[{pins}]"))
    world.believe("Noir", range(15, 50), 0.0)
    world.run(force_refresh=True)
    assert world.numbers("kai-noir") == set(range(15))

    for number in range(10, 15):
        world.radarr.untag_by_hand(1000 + number, "kai-noir")
    world.believe("Noir", range(15, 50))

    assert held(world.run(force_refresh=True)) == (5, 35, 0)


def test_a_collection_that_lost_all_members_is_built_again(world: World) -> None:
    """Its tags are gone from Radarr: there is nothing left to be protected."""
    world.believe("Noir", range(50))
    for number in range(10):
        world.radarr.untag_by_hand(1000 + number, "kai-noir")

    assert held(world.run(force_refresh=True)) == (50, 0, 0)


def test_a_dry_run_shows_what_would_be_held_back(world: World) -> None:
    """And remembers nothing of it."""
    world.believe("Noir", range(50))

    shown = world.run(dry_run=True, force_refresh=True)
    after = world.run(movies=only(10))

    assert held(shown) == (0, 40, 0)
    assert held(after) == (1, 0, 0)


def test_a_state_without_the_new_fields_knows_held_removals(world: World) -> None:
    """What an older version wrote means removals."""
    world.collections(block("Noir", exclude_tags="[never]"))
    world.run()
    for number in range(9):
        world.radarr.tag_by_hand(1000 + number, "never")
    world.run()
    path = world.state_dir / "kometa_state.json"
    path.write_text(path.read_text().replace('"holds":["remove"]', '"holds":[]'))

    assert world.run(movies=only(0)).held_back == 1
