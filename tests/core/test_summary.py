"""Summaries of a report, and its JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from kometa_ai.core.problem import Problem
from kometa_ai.core.report import MovieLine, RunReport
from kometa_ai.core.summary import as_data, changes_of, headline, in_order, places, same_cause
from tests.notification.support import STARTED, TROUBLE, collection, movies, report, shows

CHANGED = collection(added=movies("Heat", "Ronin"), removed=movies("Cars"), held_back=movies("Up"), asked=9, pending=2)


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (report(), "All is well. No changes."),
        (report(collections=(CHANGED,)), "All is well. 2 added, 1 removed in 1 collection."),
        (report(outcome="problems", problems=(TROUBLE,)), "Needs you: 1 problem. No changes."),
        (report(outcome="library unusable"), "Needs you: no library usable. No changes."),
        (report(outcome="interrupted", collections=(CHANGED,)), "Interrupted. 2 added, 1 removed in 1 collection."),
        (report(warnings=(TROUBLE,)), "No collection takes part. No changes."),
        (report(warnings=(TROUBLE,), collections=(CHANGED,)), "All is well. 2 added, 1 removed in 1 collection."),
        (report(warnings=(TROUBLE,), only_movies=1), "A run for 1 movie only. All is well. No changes."),
        (report(dry_run=True), "Dry run, nothing was written. All is well. No changes."),
    ],
)
def test_the_headline_says_it(run: RunReport, sentence: str) -> None:
    """All well or not, and what changed, before anything else is read."""
    assert headline(run) == sentence


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"only_movies": 3}, "A run for 3 movies only."),
        ({"only_movies": 3, "only_items": {"movie": 3}}, "A run for 3 movies only."),
        ({"only_movies": 3, "only_items": {"movie": 1, "show": 2}}, "A run for 1 movie and 2 shows only."),
    ],
)
def test_says_what_a_run_was_about(fields: dict[str, Any], sentence: str) -> None:
    """By kind where that is known, and as movies in older reports."""
    assert headline(report(**fields)) == f"{sentence} All is well. No changes."


def test_changes_by_kind() -> None:
    """Movies and shows are counted apart where there are shows, also in a dry run."""
    both = (CHANGED, collection("Cosy", kind="show", removed=shows("Merry")))
    assert changes_of(report(collections=both)) == "2 movies added, 1 movie and 1 show removed in 2 collections"
    assert changes_of(report(collections=both, dry_run=True)).startswith("2 movies would be added, 1 movie and 1 show")


def test_the_json_has_what_follows() -> None:
    """A script need not count lists or subtract times."""
    data = as_data(report(collections=(CHANGED, collection("Noir", failed=movies("M"))), finished=STARTED))
    assert data["totals"] == {
        "added": 2,
        "removed": 1,
        "held_back": 1,
        "held_back_additions": 0,
        "in_review": 0,
        "in_review_additions": 0,
        "failed": 1,
        "asked": 9,
        "pending": 2,
    }
    assert data["duration_seconds"] == 0
    assert as_data(report(finished=STARTED + timedelta(seconds=90)))["duration_seconds"] == 90
    assert as_data(report(finished=STARTED - timedelta(seconds=90)))["duration_seconds"] == 0


def test_titles_are_in_the_order_people_expect() -> None:
    """Numbers count as numbers, letters regardless of their case, and a title twice by its year."""
    titles = ["Film 10", "film 9", "Film 2", "Film", "Alien³", "2001", "13 Assassins", "Film 002: Again", "9" * 5000]
    assert [line.title[:20] for line in in_order(movies(*titles))] == [
        "13 Assassins", "2001", "9" * 20, "Alien³", "Film", "Film 2", "Film 002: Again", "film 9", "Film 10",
    ]  # fmt: skip
    remakes = (MovieLine(title="Heat", year=1995, tmdb_id=949), MovieLine(title="Heat", year=1986, tmdb_id=1))
    assert [line.year for line in in_order(remakes)] == [1986, 1995]


def test_one_cause_is_one_problem() -> None:
    """What is said of several collections, or at several lines of a file, is said once with all its places."""
    again = [Problem(what="x", remedy="y", source="a.yml", line=line, collection=f"{line}") for line in range(9, 0, -1)]
    other = Problem(what="x", remedy="y", source="b.yml")
    assert [len(same) for same in same_cause([*again, other])] == [9, 1]
    assert places(again) == "a.yml:1, 2, 3, 4, 5 and 4 more"
    assert places(again[:1]) == "a.yml:9"
    assert places([other]) == "b.yml"


def test_a_report_survives_its_json() -> None:
    """What is kept is read back as it was."""
    kept = report(collections=(CHANGED,), problems=(TROUBLE,))
    assert msgspec.json.decode(msgspec.json.encode(as_data(kept)), type=RunReport) == kept


def test_reads_reports_of_earlier_versions() -> None:
    """A report that was kept before there were totals is still readable."""
    old = (
        '{"run_id":"20260301-030000-1f3a","version":"0.1.0","started":"2026-03-01T03:00:00Z",'
        '"finished":"2026-03-01T03:01:00Z","dry_run":false,"outcome":"ok","exit_code":0,"library":12,'
        '"collections":[{"name":"Noir","slug":"noir","tag":"kai-noir","members":3,'
        '"added":[{"title":"Laura","year":1944,"tmdb_id":1939,"reason":"0.95 so it is"}]}],"changes":[]}'
    )
    read = msgspec.json.decode(old, type=RunReport)
    assert as_data(read)["headline"] == "All is well. 1 added in 1 collection."
