"""`REVIEW`: close calls wait for a person for some days, are reported, and then go through by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.summary import as_data
from kometa_ai.state.store import Store
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kometa_ai.core.report import MovieLine, RunReport


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Sixteen movies, and one collection of ten that is built, all of them clear."""
    with World(tmp_path, movies(16), radarr_credits=False) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(10))
        made.run()
        assert made.numbers("kai-noir") == set(range(10))
        yield made


def waiting(report: RunReport) -> tuple[list[str], list[str]]:
    """The titles of the additions and of the removals that wait."""
    [collection] = report.collections
    return _titles(collection.in_review_additions), _titles(collection.in_review_removals)


def _titles(lines: tuple[MovieLine, ...]) -> list[str]:
    return [line.title for line in lines]


def edit(world: World, prompt: str = "Darker.", **keys: object) -> None:
    """Another prompt: each movie is judged anew, and the verdict counts as it is."""
    world.collections(block("Noir", prompt, **keys))


def test_a_near_removal_waits_for_seven_days_and_then_goes_through(world: World) -> None:
    """It is reported each night until when it waits, asks nothing meanwhile, and needs nobody to be made."""
    world.change(review="removals")
    world.believe("Noir", [3], 0.65)
    edit(world)

    first = world.run()
    later = [world.run() for _ in range(6)]
    last = world.run()

    assert first.asked == 17
    assert [waiting(report) for report in (first, *later)] == [([], ["Movie 3"])] * 7
    assert [report.asked for report in (*later, last)] == [0] * 7
    assert {(report.exit_code, report.held_back) for report in (first, *later, last)} == {(0, 0)}
    assert [report.collections[0].began_to_wait for report in (first, *later)] == [1, *[0] * 6]
    [line] = first.collections[0].in_review
    assert (line.until, line.waits) == (datetime(2026, 3, 10, 3, 0, tzinfo=UTC), "until 2026-03-10")
    assert line.reason == "0.65 so it is"
    assert as_data(first)["totals"]["in_review"] == 1
    assert (last.removed, waiting(last)) == (1, ([], []))
    assert world.numbers("kai-noir") == set(range(10)) - {3}


def test_clear_removals_and_additions_do_not_wait(world: World) -> None:
    """`removals` holds removals alone, and of these only the close calls."""
    world.change(review="removals")
    world.believe("Noir", [3], 0.65)
    world.believe("Noir", [4], 0.2)
    world.believe("Noir", [12], 0.75)
    edit(world)

    report = world.run()

    assert waiting(report) == ([], ["Movie 3"])
    assert world.numbers("kai-noir") == set(range(10)) - {4} | {12}


def test_all_holds_near_additions_too(world: World) -> None:
    """With `all` an addition waits as a removal does, and is made when its days are over."""
    world.change(review="all", review_days=2)
    world.believe("Noir", [12], 0.75)
    edit(world)

    nights = [world.run() for _ in range(3)]

    assert [waiting(report)[0] for report in nights] == [["Movie 12"], ["Movie 12"], []]
    assert [report.added for report in nights] == [0, 0, 1]


def test_a_first_build_does_not_wait(tmp_path: Path) -> None:
    """A collection without members gets all that belong at once, however close: there is nothing yet to be spoilt."""
    with World(tmp_path, movies(16), radarr_credits=False, review="all") as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(10))
        world.believe("Noir", range(10, 14), 0.75)

        report = world.run()
        world.believe("Noir", [15], 0.75)
        edit(world)
        then = world.run()

        assert (report.added, waiting(report)) == (14, ([], []))
        assert waiting(then) == (["Movie 15"], [])


def test_a_question_that_is_asked_again_waits_anew(world: World) -> None:
    """The days count from the verdict: asking again starts them anew, a run that asks nothing does not."""
    world.change(review="removals", review_days=3)
    world.believe("Noir", [3], 0.65)
    edit(world)
    until = [line.until for report in (world.run(), world.run()) for line in report.collections[0].in_review]

    edit(world, "Darker still.")
    [anew] = world.run().collections[0].in_review

    assert until == [datetime(2026, 3, 6, 3, tzinfo=UTC)] * 2
    assert anew.until == datetime(2026, 3, 8, 3, tzinfo=UTC)


def test_an_edit_that_waits_is_no_surprise_for_the_brake(world: World) -> None:
    """Six of ten leave after an edit, all close: they wait, and the brake lets them go when the days are over."""
    world.change(review="removals", review_days=2)
    world.believe("Noir", range(6), 0.65)
    edit(world)

    nights = [world.run() for _ in range(3)]
    state = Store.load(world.state_dir, read_only=True).state

    assert [(report.in_review, report.held_back, report.removed) for report in nights] == [
        (6, 0, 0),
        (6, 0, 0),
        (0, 0, 6),
    ]
    [status] = state.collections.values()
    assert not status.block_change_open


def test_allow_removals_lifts_the_brake_and_no_wait(world: World) -> None:
    """It lifts the brake and nothing else: a close call still waits."""
    world.change(review="removals")
    world.believe("Noir", [3], 0.65)
    edit(world)

    assert waiting(world.run(allow_removals=True)) == ([], ["Movie 3"])


@pytest.mark.parametrize(("pins", "members"), [("include_movies", 10), ("exclude_movies", 9)])
def test_a_pin_ends_the_waiting(world: World, pins: str, members: int) -> None:
    """Who pins it in keeps it, who pins it out lets it go, both with the next run."""
    world.change(review="removals")
    world.believe("Noir", [3], 0.65)
    edit(world)
    world.run()

    edit(world, **{pins: "[tmdb:1003]"})
    report = world.run()

    assert (waiting(report), len(world.numbers("kai-noir"))) == (([], []), members)


def test_a_dry_run_shows_what_would_wait(world: World) -> None:
    """A dry run tells the same as the run that follows."""
    world.change(review="removals")
    world.believe("Noir", [3], 0.65)
    edit(world)

    shown, first, second = world.run(dry_run=True), world.run(), world.run()

    assert waiting(shown) == waiting(first) == waiting(second) == ([], ["Movie 3"])
    assert shown.removed == 0
    # A dry run notifies nobody, so it is the first real run that tells of the beginning.
    assert [report.collections[0].began_to_wait for report in (first, second)] == [1, 0]


def test_switched_off_nothing_waits_any_more(world: World) -> None:
    """What waited is made by the next run once `REVIEW` is off."""
    world.change(review="removals")
    world.believe("Noir", [3], 0.65)
    edit(world)
    world.run()
    world.change(review="off")

    assert world.run().removed == 1
