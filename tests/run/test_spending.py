"""The cost of a month, over all of its runs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from kometa_ai.run.watching import NullObserver
from kometa_ai.state.schema import RUNS_KEPT
from kometa_ai.state.store import Store
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from pathlib import Path

AUCKLAND = ZoneInfo("Pacific/Auckland")


@pytest.fixture(name="auckland")
def _auckland(tmp_path: Path) -> World:
    return World(tmp_path, movies(12), tz="Pacific/Auckland")


def test_a_month_is_the_sum_of_its_runs(world: World) -> None:
    """Real and dry runs alike are counted, and a run that asks nothing adds nothing."""
    world.collections(block("Noir"))
    first = world.run(dry_run=True)
    second = world.run(force_refresh=True)
    third = world.run()
    assert first.month is not None
    assert first.month.month == "2026-03"
    assert first.month.cost_usd == pytest.approx(first.cost_usd)
    assert first.month.tokens == first.tokens
    assert second.month is not None
    assert second.month.cost_usd == pytest.approx(first.cost_usd + second.cost_usd)
    assert second.month.tokens.requests == first.tokens.requests + second.tokens.requests
    assert (third.cost_usd, third.month) == (0, second.month)


def test_a_limit_tells_how_many_decisions_were_not_made_anew(world: World) -> None:
    """With --force-refresh no question is left for the next run, and yet not all was asked again: it is said."""
    world.collections(*(block(f"Collection {number}") for number in range(3)))
    world.change(batch_size="1", collections_per_request="1", max_concurrent_requests="1")
    whole = world.run()

    report = world.run(force_refresh=True, max_cost=0.5 * whole.cost_usd)

    left = whole.tokens.requests - report.tokens.requests
    (problem,) = [problem for problem in report.problems if problem.source == "MAX_COST_PER_RUN"]
    assert 0 < left < whole.tokens.requests
    assert problem.what == (
        f"The run has come to its limit. {left} decisions were not made anew and stand; "
        "no later run does that by itself."
    )
    assert problem.remedy == "Raise the limit, or name fewer collections with --collection."
    assert report.pending == 0
    assert world.run().tokens.requests == 0


def test_more_runs_than_are_kept(world: World) -> None:
    """The sum does not depend on the runs that are remembered one by one."""
    world.collections(block("Noir"))
    paid = world.run().cost_usd
    store = Store.load(world.state_dir)
    store.state.runs = [store.state.runs[0]] * RUNS_KEPT
    store.save(world.now)
    assert paid > 0
    report = world.run()
    assert report.month is not None
    assert report.month.cost_usd == pytest.approx(paid)


def test_months_are_those_of_the_time_zone(auckland: World) -> None:
    """A run in the evening of the 31st in UTC belongs to April in Auckland; March keeps its sum."""
    with auckland as world:
        world.collections(block("Noir"))
        world.now = datetime(2026, 3, 20, 3, tzinfo=AUCKLAND)
        march = world.run()
        world.now = datetime(2026, 3, 31, 3, tzinfo=AUCKLAND)
        april = world.run(force_refresh=True)
        months = Store.load(world.state_dir).state.spending
    assert {name: month.cost_usd for name, month in months.items()} == {
        "2026-03": pytest.approx(march.cost_usd),
        "2026-04": pytest.approx(april.cost_usd),
    }
    assert april.month == months["2026-04"]


class _Crash(NullObserver):
    """Ends the program as soon as a question was answered."""

    def advance(self, what: str, count: int) -> None:
        if what == "questions" and count:
            raise SystemExit(9)


def test_a_run_that_is_killed_has_paid(world: World) -> None:
    """What its answers have cost is counted with them."""
    world.collections(block("Noir"))
    with pytest.raises((SystemExit, BaseExceptionGroup)):
        world.run(observer=_Crash())
    (month,) = Store.load(world.state_dir).state.spending.values()
    assert month.tokens.requests == 1
    assert month.cost_usd > 0
