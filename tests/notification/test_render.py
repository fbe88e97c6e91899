"""What a report says; no text in it can break its layout."""

from __future__ import annotations

import re
from datetime import timedelta
from email.policy import SMTP
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kometa_ai.core.problem import Problem
from kometa_ai.core.report import MovieLine, Orphan, Spending, Tokens
from kometa_ai.notification.mime import compose
from kometa_ai.notification.news import Ended, News, key_of
from kometa_ai.notification.render import MAX_BYTES, render
from kometa_ai.settings.schema import Settings
from tests.notification.support import STARTED, TROUBLE, collection, movies, report, waiting

if TYPE_CHECKING:
    from kometa_ai.core.report import RunReport
    from kometa_ai.notification.message import Message

BERLIN = ZoneInfo("Europe/Berlin")
ANYTHING = st.text(st.characters(), max_size=400)


def rendered(given: RunReport) -> Message:
    """A report with times for Berlin."""
    return render([News(report=given)], BERLIN)


class _Tags(HTMLParser):
    """What an HTML text holds: the names of its tags, the attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


TWO_CHANGES = (collection("Heist Movies", added=movies("Heat", "Ronin")), collection("Noir", removed=movies("Cars")))


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        (report(), "Kometa-AI: no changes"),
        (report(collections=TWO_CHANGES), "Kometa-AI: 2 added, 1 removed in 2 collections"),
        (report(collections=TWO_CHANGES[1:]), "Kometa-AI: 1 removed in 1 collection"),
        (
            report(collections=TWO_CHANGES, outcome="problems", problems=(TROUBLE,)),
            "Kometa-AI: needs you (1 problem): 2 added, 1 removed in 2 collections",
        ),
        (
            report(outcome="library unusable", problems=(TROUBLE,)),
            "Kometa-AI: needs you (no library usable): no changes",
        ),
        (report(outcome="interrupted"), "Kometa-AI: interrupted: no changes"),
        (
            report(outcome="problems", collections=(collection(pending=7),)),
            "Kometa-AI: not finished: no changes",
        ),
        (report(dry_run=True, collections=TWO_CHANGES[:1]), "Kometa-AI: dry run: 2 would be added in 1 collection"),
    ],
)
def test_the_subject_says_it(given: RunReport, subject: str) -> None:
    """Who reads only the subject knows what changed, and whether anything needs them."""
    assert rendered(given).subject == subject


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (report(), "All is well"),
        (report(outcome="interrupted"), "Interrupted"),
        (report(outcome="problems", collections=(collection(pending=7),)), "Not finished"),
        (report(outcome="problems", problems=(TROUBLE, TROUBLE)), "Needs you: 2 problems"),
        (report(outcome="model unusable", problems=(TROUBLE,)), "Needs you: model unusable"),
    ],
)
def test_the_first_line_says_whether_all_is_well(given: RunReport, line: str) -> None:
    """Text and HTML begin with the run in a word."""
    message = rendered(given)
    assert message.text.splitlines()[0] == line
    assert f"{line}</h1>" in message.html


def test_lists_what_changed_in_each_collection() -> None:
    """Each collection shows its movies with title and year, its members, and what is still open."""
    changed = collection(
        "Heist Movies",
        added=movies("Heat"),
        removed=movies("Cars"),
        held_back=movies("Ronin", "Payback"),
        held_back_additions=movies("Ronin", "Payback")[1:],
        in_review=waiting("Laura", "Gilda"),
        in_review_additions=waiting("Laura", "Gilda")[1:],
        failed=movies("Thief"),
        pending=1200,
    )
    message = rendered(report(collections=(changed, collection("Noir", members=7))))
    assert "43 movies · 1 added · 1 removed · 2 held back · 2 in review · 1 failed · 1,200 to be asked" in message.text
    assert "  + Heat (1995)\n  - Cars (1995)\n  Held back, not added:\n  ! Payback (1995)\n" in message.text
    assert "  Held back, still in:\n  ! Ronin (1995)\n" in message.text
    assert "1 addition and 1 removal held back." in message.text
    assert "  In review, not added yet:\n  ? Gilda (1995), until 2026-03-09\n" in message.text
    assert "  In review, still in:\n  ? Laura (1995), until 2026-03-09\n" in message.text
    assert "1 addition and 1 removal wait for you, then go through: --review lists them." in message.text
    assert "  Radarr did not confirm these changes:\n  ! Thief (1995)" in message.text
    assert "Unchanged: Noir (7)" in message.text
    shown = _Tags(message.html).text
    for words in ("Heat (1995)", "Cars (1995)", "Ronin (1995)", "Thief (1995)", "Noir (7)", "1,200 to be asked"):
        assert words in shown


def test_what_was_done_by_hand_is_told_apart() -> None:
    """Hand edits that have become pins are listed as such, in a collection in which nothing else has happened."""
    pinned = collection("Heist Movies", pinned_in=movies("Heat"), pinned_out=movies("Cars", "Ronin"))

    text = rendered(report(collections=(pinned,))).text

    assert "43 movies · 3 pinned by hand" in text
    assert "  Put on by hand, pinned in:\n  = Heat (1995)\n" in text
    assert "  Taken off by hand, pinned out:\n  = Cars (1995)\n  = Ronin (1995)\n" in text


def test_a_movie_without_year_or_title_is_still_named() -> None:
    """No `(0)` after a title, and the TMDb id where there is no title."""
    odd = (MovieLine(title="Heat", year=0, tmdb_id=1), MovieLine(title="\u202e", year=1999, tmdb_id=603))
    text = rendered(report(collections=(collection(added=odd),))).text
    assert "  + Heat\n  + tmdb:603 (1999)\n" in text


def test_says_a_problem_of_many_collections_once() -> None:
    """Problems with one cause are one entry: what, where, when, which collections and movies, and what to do."""
    same = [
        Problem(source="a.yml", line=3, what="Torn.", remedy="Mend it.", collection=name, movies=(film,), at=STARTED)
        for name, film in (("Heist Movies", "Heat (1995)"), ("Noir", "Laura (1944)"))
    ]
    message = rendered(report(outcome="problems", problems=tuple(same)))
    assert message.text.count("Torn.") == 1
    expected = (
        "* Torn.\n  Collections: Heist Movies, Noir\n  Movies: Heat (1995), Laura (1944)\n  What to do: Mend it.\n"
        "  (a.yml:3, Mon 2026-03-02 03:00 CET)\n"
    )
    assert expected in message.text
    for words in ("Torn.", "Mend it.", "Heist Movies", "Laura (1944)", "a.yml:3", "2026-03-02 03:00 CET"):
        assert words in _Tags(message.html).text


def test_says_what_it_cost_and_when_the_next_run_is() -> None:
    """Cost, tokens, duration and the next run, in the settings' time zone."""
    text = rendered(
        report(
            library=4213,
            tokens=Tokens(requests=2, input=1000, cache_write=500, cache_read=8000, output=300),
            cost_usd=0.8312,
            unpriced_requests=1,
            month=Spending(
                month="2026-03", tokens=Tokens(requests=1200, input=5_000_000, output=70_000), cost_usd=12.4
            ),
            decisions_by_other_models=1200,
            next_run=STARTED + timedelta(days=120),
        )
    ).text
    for line in (
        "Library:      4,213 movies",
        "Cost:         0.83 USD, and 1 request at a price that is not known",
        "Tokens:       9,500 in (8,000 from the cache), 300 out, 2 requests",
        "This month:   12.40 USD; 5,000,000 in, 70,000 out, 1,200 requests",
        "Other models: 1,200 decisions made by another model",
        "Duration:     2 min 23 s",
        "Next run:     Tue 2026-06-30 04:00 CEST",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3600, "1 h 0 min"), (90061, "25 h 1 min"), (-5, "0 s")]
)
def test_says_how_long_it_took(seconds: float, said: str) -> None:
    """A duration reads as one would say it."""
    text = rendered(report(finished=STARTED + timedelta(seconds=seconds))).text
    assert f"Duration:     {said}\n" in text


def test_a_cost_below_a_cent_is_not_nothing() -> None:
    """What was spent is never shown as zero."""
    assert "less than 0.01 USD" in rendered(report(cost_usd=0.0004)).text
    assert "Cost:         0.00 USD" in rendered(report()).text


def test_names_warnings_and_orphans() -> None:
    """Warnings are shown apart from problems that need the operator."""
    orphan = Orphan(name="Old", tag="kai-old", members=1, why="it is switched off")
    warning = Problem(source="a.yml", what="sync_mode is missing.", remedy="Add it.", severity="warning")
    message = rendered(report(warnings=(warning,), orphans=(orphan,)))
    assert "* Old: kai-old stays on 1 movie; it is switched off" in message.text
    assert "WORTH A LOOK\n\n* sync_mode is missing.\n" in message.text
    assert "WHAT NEEDS YOU" not in message.text
    assert "kai-old stays on 1 movie" in _Tags(message.html).text


def test_a_dry_run_says_that_nothing_was_written() -> None:
    """What would change is not told as if it had."""
    assert "nothing was written" in rendered(report(dry_run=True, collections=TWO_CHANGES)).text


def test_cuts_long_lists_with_a_count() -> None:
    """Fifty movies of a list are shown; the rest is counted, and it is said where it can be read."""
    many = collection(added=movies(*(f"Film {number}" for number in range(1, 1301))))
    message = rendered(report(collections=(many,)))
    assert "  + Film 50 (1995)\n  + and 1,250 more\n" in message.text
    assert "and 1,250 more" in _Tags(message.html).text
    assert "Film 51 " not in message.text + message.html
    assert "STATE_DIR" in message.text


@pytest.mark.parametrize("collections", [1, 20, 100, 1000])
def test_five_thousand_changes_stay_below_100_kb(collections: int) -> None:
    """However 5,000 changes are spread, the mail is below 100 kB and still says how many there were."""
    each = movies(*(f"Das Leben der Anderen, Teil {number}" for number in range(5000 // collections)))
    message = rendered(report(collections=tuple(collection(f"Nr. {n}", added=each) for n in range(collections))))
    assert _on_the_way(message) < 100_000
    assert message.subject.startswith("Kometa-AI: 5,000 added in ")
    assert "Das Leben der Anderen, Teil 0" in message.text


def test_the_largest_report_stays_below_100_kb() -> None:
    """Even where every name is long, and of characters that take four bytes each."""
    long = "😀" * 700
    films = movies(*[long] * 60)
    full = collection(long, tag=long, added=films, removed=films, held_back=films, failed=films)
    problems = tuple(
        Problem(what=f"{n}{long}", remedy=long, source=long, collection=f"{n}{long}", movies=(long,) * 20)
        for n in range(60)
    )
    orphan = Orphan(name=long, tag=long, members=3, why=long)
    everything = report(
        version=long,
        collections=(full, collection(long)) * 60,
        problems=problems,
        warnings=problems,
        orphans=(orphan,) * 60,
    )
    assert _on_the_way(rendered(everything)) < 100_000


def _on_the_way(message: Message) -> int:
    settings = Settings(smtp_from="kometa-ai@example.org")
    letter = compose(settings, message, ["ann@example.org"])
    assert len(message.text.encode()) + len(message.html.encode()) <= MAX_BYTES
    return len(letter.as_bytes(policy=SMTP))


@pytest.mark.no_cover
@given(ANYTHING)
@settings(deadline=None)
def test_no_text_breaks_out(text: str) -> None:
    """Whatever titles, names and sentences hold: no tag, no attribute, no line and no control character is theirs."""
    plain, hostile = _plain(), _hostile(text)
    tags = _Tags(hostile.html)
    assert tags.tags == plain.tags
    assert tags.attributes == plain.attributes
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", hostile.text)
    assert len(hostile.subject.splitlines()) == 1
    assert len(hostile.text.encode()) + len(hostile.html.encode()) <= MAX_BYTES


@cache
def _plain() -> _Tags:
    return _Tags(_hostile("x").html)


def _hostile(text: str) -> Message:
    """A report with this text in every field that comes from outside."""
    word = f"a{text}"
    problem = Problem(what=word, remedy=word, source=word, line=1, collection=word, movies=(word,), at=STARTED)
    run = report(
        version=word,
        outcome="problems",
        collections=(collection(word, tag=word, added=movies(word), removed=movies(word)), collection(word)),
        orphans=(Orphan(name=word, tag=word, members=1, why=word),),
        problems=(problem, msgspec.structs.replace(problem, source="known")),
        warnings=(problem,),
    )
    news = News(
        report=run, told_before=frozenset({key_of(run.problems[1])}), over=(Ended(what=word, since=STARTED),) * 2
    )
    return render([news] * 12, BERLIN, lost=3)


def test_reports_that_did_not_arrive_stay_below_100_kb() -> None:
    """However many they are and however large: the newest in full, the others in a line, and how many there were."""
    each = collection(added=movies(*(f"Das Leben der Anderen, Teil {number}" for number in range(5000))))
    message = render([News(report=report(collections=(each,) * 5))] * 31, BERLIN, lost=7)
    assert _on_the_way(message) < 100_000
    assert message.subject.endswith("(and 37 earlier reports)")
    assert "NOT DELIVERED BEFORE" in message.text
    assert "7 more could not be delivered" in message.text


def test_what_was_reported_before_is_short() -> None:
    """A problem of an hour ago is a line, known warnings are a number, and what is over is named with its time."""
    warning = Problem(source="a.yml", what="sync_mode is missing.", remedy="Add it.", severity="warning")
    news = News(
        report=report(outcome="problems", problems=(TROUBLE,), warnings=(warning,)),
        told_before=frozenset({key_of(TROUBLE), key_of(warning)}),
        over=(Ended(what="Radarr does not answer.", since=STARTED),),
    )
    message = render([news], BERLIN)
    assert "STILL THERE, TOLD BEFORE\n* The answer was torn.\n" in message.text
    assert "WHAT NEEDS YOU" not in message.text
    assert "1 told before, still there" in message.text
    assert "sync_mode" not in message.text + message.html
    assert "NO LONGER A PROBLEM\n* Radarr does not answer. (since Mon 2026-03-02 03:00 CET)\n" in message.text
    assert message.subject == "Kometa-AI: needs you (1 problem): no changes"


@pytest.mark.parametrize(
    "title",
    ["<script>alert(1)</script>", "\" onload='alert(1)'", "</td></table>", "&lt;b&gt;", "مدينة الأحلام", "👩‍🚀"],
)
def test_titles_are_shown_as_they_are(title: str) -> None:
    """What looks like markup is text, and other scripts and emoji arrive whole."""
    message = rendered(report(collections=(collection(added=movies(title)),)))
    assert f"+ {title} (1995)" in message.text
    assert f"{title} (1995)" in _Tags(message.html).text
    assert "script" not in _Tags(message.html).tags


def test_a_title_cannot_pretend() -> None:
    """A title stays on its line, in its direction, and its year is seen however long it is."""
    liar = "Heat\r\n\r\nNEEDS YOU\u2028now \u202eelttab"
    text = rendered(report(collections=(collection(added=movies(liar, "A" * 300)),))).text
    assert "  + Heat NEEDS YOU now elttab (1995)\n" in text
    assert f"  + {'A' * 119}… (1995)\n" in text


def test_the_html_loads_nothing() -> None:
    """No address to fetch, no script, no picture: a reader of a report contacts no server."""
    html = rendered(report(collections=TWO_CHANGES, problems=(TROUBLE,))).html
    assert not re.search(r"https?:|url\(|@import", html)
    assert not _Tags(html).tags & {"script", "img", "link", "iframe", "a"}
