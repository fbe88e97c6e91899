"""Reports that are kept: in the order in which runs were made, also where several began within one second."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from kometa_ai.core.changes import TagChange
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import CollectionKey, Label, Slug
from kometa_ai.core.report import RunReport
from kometa_ai.daemon.past import Past
from kometa_ai.errors import FixUsage
from kometa_ai.state import history
from kometa_ai.state.history import KEPT, RUNS

if TYPE_CHECKING:
    from pathlib import Path

WHEN = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
SUFFIXES = ("ff00", "0a0a", "77aa", "0000")
"""Random digits of four runs, in an order that is not theirs."""


def keep(folder: Path, run_id: str, second: int = 0) -> str:
    """Keep a report of a run that has put one movie in; so many seconds later than the others."""
    change = TagChange(
        at=WHEN,
        run_id=run_id,
        library="radarr",
        key=movie_key(7),
        title="Heat",
        year=1995,
        collection=Slug("noir"),
        tag=Label("kai-noir"),
        operation="add",
    )
    report = RunReport(
        run_id=run_id,
        version="1",
        started=WHEN + timedelta(seconds=second),
        finished=WHEN + timedelta(seconds=second),
        dry_run=False,
        outcome="ok",
        exit_code=0,
        changes=(change,),
    )
    history.keep(folder, report)
    return run_id


def within_one_second(folder: Path) -> list[str]:
    """The ids of four runs that began within one second, in their order."""
    made = []
    for number, suffix in enumerate(SUFFIXES):
        made.append(keep(folder, f"20260301-030000-{suffix}"))
        # Clocks of file systems are coarse: what is written within some milliseconds has one time.
        os.utime(folder / RUNS / f"{made[-1]}.json", ns=(0, 1_000_000 * number))
    return made


def test_the_latest_runs_are_named_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    """Who names no run is told of the latest, the newest first, however their random digits sort."""
    made = within_one_second(tmp_path)

    with pytest.raises(FixUsage) as refused:
        history.recall(tmp_path, "no-run", suggest_in=ZoneInfo("Europe/Berlin"))

    places = [refused.value.remedy.index(run_id) for run_id in reversed(made)]
    assert places == sorted(places)
    assert f"{made[-1]} (2026-03-01 04:00 CET, +" in refused.value.remedy


def test_the_oldest_of_one_second_goes_first(tmp_path: Path) -> None:
    """Where a hundred are kept, the earliest goes, not the one whose digits are the lowest."""
    made = within_one_second(tmp_path)
    for number in range(KEPT - 3):
        keep(tmp_path, f"20260302-030000-{number:04x}", 86_400)

    kept = {path.stem for path in (tmp_path / RUNS).iterdir()}

    assert [run_id in kept for run_id in made] == [False, True, True, True]


def test_runs_of_a_clock_that_was_ahead_go_first(tmp_path: Path) -> None:
    """Else the report of each new run would go as soon as it is kept, and no such run could be taken back."""
    year = 366 * 86_400
    for number in range(KEPT):
        keep(tmp_path, f"20270302-030000-{number:04x}", year)

    made = [keep(tmp_path, f"20260301-0300{second:02}-00ff", second) for second in (1, 2)]

    assert [path.stem for path in history.kept(tmp_path)][:2] == made
    assert len(history.kept(tmp_path)) == KEPT


def test_an_earlier_second_comes_first_whenever_it_was_written(tmp_path: Path) -> None:
    """A restored backup gives all files one time, or that of its copying: the ids say which run came first."""
    made = [keep(tmp_path, f"20260301-0300{second:02}-00ff") for second in (9, 3, 5)]

    found = [path.stem for path in history.kept(tmp_path)]

    assert found == [made[1], made[2], made[0]]


def test_the_changes_of_an_item_are_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    """The page of a movie, and what came lately, name the last run first."""
    made = within_one_second(tmp_path)
    past = Past(tmp_path)

    assert [change.run_id for change in past.of_item(movie_key(7))] == list(reversed(made))
    assert past.last_changes[CollectionKey("noir")].run_id == made[-1]
    assert [change.run_id for _, change in past.latest(1)] == made[-1:]
