"""What a run says of an item or a library calls it by its kind and its title, whichever it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from structlog.testing import capture_logs

from kometa_ai.core.item import movie_key, show_key
from kometa_ai.core.summary import as_data, headline
from kometa_ai.notification.message import Message
from kometa_ai.notification.news import News
from kometa_ai.notification.render import render
from kometa_ai.standins.claude_answers import REFUSED
from kometa_ai.standins.faults import answer
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kometa_ai.core.report import RunReport


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Twenty films, half of them in 4K, too, and ten shows; a collection Crime of each."""
    films = movies(20)
    with Home(tmp_path, films, films[::2], shows(10), batch_size=20) as made:
        made.collections(block("Crime"))
        made.collections(block("Crime", media="shows"), file="shows.yml")
        made.believe("Crime", range(3))
        made.believe_shows("Crime", range(2))
        yield made


def mail(home: Home, report: RunReport) -> Message:
    """The report as it is mailed."""
    return render([News(report=report)], home.settings.tz)


def test_the_log_calls_shows_shows(home: Home) -> None:
    """A line of the log that names what was tagged does so under the name of its kind."""
    with capture_logs() as logged:
        home.run()

    added = {event["library"]: event for event in logged if event["event"] == "tags.added"}
    assert len(added["sonarr"]["shows"]) == 2
    assert "movies" not in added["sonarr"]
    assert len(added["radarr"]["movies"]) == 3


def test_a_run_counts_by_kind(home: Home) -> None:
    """Its headline, its mail and its JSON; the film that is in one Radarr alone is told by that."""
    report = home.run()
    data = json.loads(msgspec.json.encode(as_data(report)))

    assert headline(report) == "All is well. 3 movies and 2 shows added in 2 collections."
    assert [(each["name"], each["kind"]) for each in data["collections"]] == [("Crime", "movie"), ("Crime", "show")]
    assert (data["library"], data["items"]) == (30, {"movie": 20, "show": 10})
    assert [each.collection for each in report.warnings] == ["Crime", "Crime (shows)"]
    text = mail(home, report).text
    assert "Why a movie or show is in or out" in text
    assert "30 movies" not in text
    assert "20 movies and 10 shows (Radarr 20, Radarr 4K 10, Sonarr 10)" in text
    assert "+ Movie 1 (1951) (radarr)\n" in text
    assert "+ Movie 2 (1952) (radarr, radarr-4k)\n" in text
    assert "about shows: `media: shows`" in text


def test_a_run_for_shows_says_so(home: Home) -> None:
    """What a webhook has hinted at is counted by kind."""
    report = home.run(movies=frozenset({show_key(1001), show_key(1002), movie_key(1001)}))

    assert report.only_items == {"movie": 1, "show": 2}
    assert headline(report).startswith("A run for 1 movie and 2 shows only.")


def test_what_sonarr_does_not_save_is_told_as_sonarrs(home: Home) -> None:
    """The problem names the library and the collection of its kind, and so does the list of what failed."""
    home.sonarr.faults.inject(answer(400, "[]"), path="*/series/editor", times=None)

    report = home.run()

    [problem] = report.problems
    assert (problem.source, problem.collection) == ("Sonarr", "Crime (shows)")
    assert "Radarr" not in f"{problem.what} {problem.remedy}"
    assert "Sonarr did not confirm these changes:" in mail(home, report).text


def test_what_a_second_radarr_does_not_save_is_told_as_its_own(home: Home) -> None:
    """Each library by its title."""
    home.radarr_4k.faults.inject(answer(400, "[]"), path="*/movie/editor", times=None)

    report = home.run()

    [problem] = report.problems
    assert (problem.source, problem.collection) == ("Radarr 4K", "Crime")
    assert "Radarr 4K did not confirm these changes:" in mail(home, report).text


def test_shows_that_cannot_be_judged_are_shows(home: Home) -> None:
    """Counted by their kind, in the collection of their kind, and once they are given up, too."""
    home.claude.queue_style(REFUSED, times=None, when=lambda request: "Show 3" in request.titles)

    reports = [home.run() for _ in range(4)]

    (first,), (last,) = reports[0].problems, reports[-1].problems
    assert first.what.startswith("1 show could not be judged: ")
    assert first.collection == "Crime (shows)"
    assert last.what == "1 show could not be judged in 3 runs and is not asked about any more."


def test_credits_are_missed_in_the_library_that_has_them(home: Home) -> None:
    """A Radarr that tells of no credits is named; a Sonarr has none to tell."""
    home.radarr.faults.inject(answer(404, ""), path="*/credit", times=None)

    report = home.run()

    [warning] = [each for each in report.warnings if "cast" in each.what]
    assert warning.source == "Radarr"
    assert warning.what == "The directors and cast of 20 movies could not be read; they are judged without."
