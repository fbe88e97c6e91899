"""Reports of homes with shows and with several libraries, in every form; homes with films alone read as ever."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from kometa_ai.cli.report import print_report
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Orphan
from kometa_ai.notification.news import News
from kometa_ai.notification.render import render, written
from tests.notification.support import collection, libraries, movies, report, shows

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.core.report import RunReport
    from kometa_ai.notification.message import Form

BERLIN = ZoneInfo("Europe/Berlin")

FILMS = collection("Christmas", tag="kai-christmas", added=movies("Scrooged"), kind_because="`radarr_taglist`")
SERIES = collection(
    "Christmas",
    tag="kai-christmas",
    kind="show",
    added=shows("Merry", "Happy"),
    members=1,
    kind_because="`media: shows`",
)
HOME = report(
    libraries=libraries(), library=420, items={"movie": 301, "show": 119}, collections=(FILMS, SERIES), exit_code=0
)


def _push(run: RunReport, form: Form) -> str:
    return written([News(report=run)], BERLIN, form, lambda _: True)


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Prints a report into a pipe."""

    def printed(run: RunReport, *, reasons: bool = False) -> str:
        print_report(run, reasons=reasons)
        return capsys.readouterr().out

    return printed


def test_counts_by_kind_everywhere(terminal: Callable[..., str]) -> None:
    """Subject, mail, push and terminal say how many movies and how many shows; so does the size of the library."""
    message = render([News(report=HOME)], BERLIN)
    changes = "1 movie and 2 shows added in 2 collections"

    assert message.subject == f"Kometa-AI: {changes}"
    for text in (message.text, message.html, _push(HOME, "text"), _push(HOME, "markdown"), terminal(HOME)):
        assert changes in text
    assert "Libraries:    301 movies and 119 shows (Radarr 301, Radarr 4K 120, Sonarr 119)\n" in message.text
    assert "301 movies and 119 shows in 143 s" in terminal(HOME)
    assert "43 movies · 1 added" in message.text
    assert "1 show · 2 added" in message.text


def test_two_collections_of_one_name_are_told_apart(terminal: Callable[..., str]) -> None:
    """In the mail, in a push message, on the terminal, and where nothing happened in them."""
    message = render([News(report=HOME)], BERLIN)

    for text in (message.text, message.html, _push(HOME, "text"), _push(HOME, "html"), terminal(HOME)):
        assert "Christmas (shows)" in text
        assert text.count("Christmas") > text.count("Christmas (shows)")
    assert "**Christmas \\(shows\\)**" in _push(HOME, "markdown")
    quiet = tuple(msgspec.structs.replace(each, added=()) for each in (FILMS, SERIES))
    text = render([News(report=msgspec.structs.replace(HOME, collections=quiet))], BERLIN).text
    assert "Unchanged: Christmas (43), Christmas (shows) (1)\n" in text


def test_the_long_form_says_why_a_collection_is_of_its_kind(terminal: Callable[..., str]) -> None:
    """The mail does, the terminal with --reasons; the short forms do not."""
    message = render([News(report=HOME)], BERLIN)

    for text in (message.text, message.html, terminal(HOME, reasons=True)):
        assert "about movies: `radarr_taglist`" in text
        assert "about shows: `media: shows`" in text
    assert "about shows" not in _push(HOME, "text")
    assert "about shows" not in terminal(HOME)


@pytest.mark.parametrize("form", ["text", "html"])
def test_says_in_which_libraries(form: Form, terminal: Callable[..., str]) -> None:
    """A line with libraries names them, behind the title."""
    (line,) = movies("Heat")
    there = (msgspec.structs.replace(line, libraries=("radarr-4k",)),)
    run = msgspec.structs.replace(HOME, collections=(collection(added=there, failed=there),))

    assert "Heat (1995) (radarr-4k)" in _push(run, form)
    assert "Heat (1995) (radarr-4k)" in terminal(run)
    message = render([News(report=run)], BERLIN)
    assert "  + Heat (1995) (radarr-4k)\n" in message.text
    assert "  Radarr 4K did not confirm these changes:\n" in message.text
    assert "1 not confirmed by Radarr 4K" in terminal(run)


@pytest.mark.parametrize(
    ("kind", "titles"), [("movie", "Radarr and Radarr 4K did not confirm"), ("show", "Sonarr did not confirm")]
)
def test_names_what_did_not_confirm(kind: str, titles: str) -> None:
    """Lines that name no library are about those of their kind."""
    failed = movies("Heat") if kind == "movie" else shows("Merry")
    run = msgspec.structs.replace(HOME, collections=(collection(kind=kind, failed=failed),))

    assert titles in render([News(report=run)], BERLIN).text


def test_names_the_libraries_that_were_left_alone(terminal: Callable[..., str]) -> None:
    """In the subject, in the title and beside the counts."""
    problem = Problem(source="Sonarr", what="It does not answer.", remedy="Look at it.")
    run = report(
        libraries=libraries(down="sonarr"),
        library=301,
        items={"movie": 301},
        collections=(FILMS,),
        problems=(problem,),
        outcome="problems",
    )
    message = render([News(report=run)], BERLIN)

    assert message.subject == "Kometa-AI: needs you (Sonarr left alone, 1 problem): 1 movie added in 1 collection"
    assert message.text.startswith("Needs you: Sonarr left alone, 1 problem\n")
    away = "301 movies (Radarr 301, Radarr 4K 120); Sonarr could not be used and was left alone"
    assert away in message.text
    assert away in message.html
    assert "Needs you: Sonarr left alone, 1 problem." in terminal(run)
    assert "301 movies in 143 s · left alone: Sonarr" in terminal(run)


def test_all_libraries_down() -> None:
    """Then they are named, and nothing else is said of them."""
    lines = tuple(msgspec.structs.replace(line, items=0, error="No.") for line in libraries())
    run = report(libraries=lines, outcome="library unusable", exit_code=3)

    assert render([News(report=run)], BERLIN).subject == (
        "Kometa-AI: needs you (Radarr, Radarr 4K and Sonarr unusable): no changes"
    )


def test_titles_of_problems_and_orphans_are_of_their_kind(terminal: Callable[..., str]) -> None:
    """`Movies:` only where there are no shows; an orphan counts shows."""
    problem = Problem(what="Torn.", remedy="Mend it.", movies=("Merry (2008)",))
    orphan = Orphan(name="Noel", kind="show", tag="kai-noel", members=2, why="it has no block any more")
    run = msgspec.structs.replace(HOME, problems=(problem,), orphans=(orphan,), outcome="problems")
    message = render([News(report=run)], BERLIN)

    assert "  Titles: Merry (2008)\n" in message.text
    assert ">Titles:</span>" in message.html
    assert "Why a movie or show is in or out" in message.html
    assert "Noel (shows): kai-noel stays on 2 shows;" in message.text
    assert "Noel (shows): kai-noel stays on 2 shows;" in terminal(run)


def test_a_home_with_shows_alone() -> None:
    """Shows are counted as shows, and need no mark."""
    (sonarr,) = libraries()[2:]
    run = report(libraries=(sonarr,), library=119, items={"show": 119}, collections=(SERIES,))
    message = render([News(report=run)], BERLIN)

    assert message.subject == "Kometa-AI: 2 shows added in 1 collection"
    assert "Library:      119 shows\n" in message.text
    assert "(shows)" not in message.text
    assert "Why a show is in or out" in message.html


def test_a_home_with_one_radarr_reads_as_ever(terminal: Callable[..., str]) -> None:
    """What a report knows of kinds and libraries changes no text of a home with films in one Radarr."""
    changed = collection(
        added=movies("Heat"), removed=movies("Cars"), failed=movies("Thief"), kind_because="no key says otherwise"
    )
    orphan = Orphan(name="Noel", tag="kai-noel", members=2, why="it has no block any more")
    problem = Problem(what="Torn.", remedy="Mend it.", movies=("Heat (1995)",))
    plain = report(collections=(changed,), orphans=(orphan,), problems=(problem,), outcome="problems", library=301)
    knowing = msgspec.structs.replace(plain, libraries=libraries()[:1], items={"movie": 301})

    assert render([News(report=plain)], BERLIN) == render([News(report=knowing)], BERLIN)
    assert _push(plain, "markdown") == _push(knowing, "markdown")
    assert terminal(plain) == terminal(knowing)
    text = render([News(report=plain)], BERLIN).text
    for words in ("1 added, 1 removed in 1 collection", "Radarr did not confirm", "Library:      301 movies\n"):
        assert words in text
    assert "about" not in text
