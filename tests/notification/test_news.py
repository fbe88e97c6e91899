"""How often a problem is reported, and when its end is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.problem import Problem
from kometa_ai.notification.news import DAILY, Ledger, News, is_wanted, key_of, ledger_after, news_of
from tests.notification.support import STARTED, collection, libraries, movies, report, waiting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kometa_ai.core.report import RunReport

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def problem(what: str = "No credit is left.", **fields: object) -> Problem:
    """An error of Claude's, unless said otherwise."""
    return msgspec.structs.replace(Problem(what=what, remedy="Do something.", source="Claude"), **fields)


def run(at: datetime, *problems: Problem, changes: bool = False, is_whole: bool = True) -> RunReport:
    """A run at some time that met these problems and warnings."""
    return report(
        started=at,
        finished=at,
        outcome="problems" if problems else "ok",
        only_collections=() if is_whole else ("Noir",),
        problems=tuple(one for one in problems if one.severity == "error"),
        warnings=tuple(one for one in problems if one.severity == "warning"),
        collections=(collection(added=movies("Heat")),) if changes else (),
    )


class Reader:
    """Somebody who is told of runs, and remembers."""

    def __init__(self, notify_on: str = "problems") -> None:
        self.notify_on = notify_on
        self.started_it = False
        self.ledger: Ledger = {}

    def hear(self, run: RunReport) -> News | None:
        """What is sent of a run."""
        news = news_of(run, self.ledger, BERLIN, in_full=self.started_it)
        sent = is_wanted(news, self.notify_on)  # type: ignore[arg-type]
        self.ledger = ledger_after(news, self.ledger, BERLIN, is_sent=sent)
        return news if sent else None


@pytest.mark.parametrize("notify_on", ["changes", "problems"])
def test_a_standing_problem_is_reported_daily(notify_on: str) -> None:
    """Every half hour for three days: at once, then each day at the same time."""
    reader = Reader(notify_on)
    told = [n for n in range(3 * 48) if reader.hear(run(STARTED + n * HOUR / 2, problem()))]
    assert told == [0, 48, 96]


def test_changes_are_always_reported() -> None:
    """A problem that was told before keeps no change back, and is told in short."""
    reader = Reader("changes")
    reader.hear(run(STARTED, problem()))
    news = reader.hear(run(STARTED + HOUR, problem(), changes=True))
    assert news is not None
    assert news.told_before == {key_of(problem())}
    assert reader.hear(run(STARTED + 2 * HOUR, problem())) is None


def test_a_change_that_begins_to_wait_is_reported_once() -> None:
    """Whoever wants to hear of changes hears of one that waits, in the first night and not in each."""
    reader = Reader("changes")
    first, later = (
        msgspec.structs.replace(run(STARTED), collections=(collection(in_review=waiting("Heat"), began_to_wait=began),))
        for began in (1, 0)
    )

    assert reader.hear(first) is not None
    assert reader.hear(later) is None


def test_the_end_is_reported_once() -> None:
    """When a problem is gone that is told once, with what it was and since when."""
    reader = Reader()
    reader.hear(run(STARTED, problem()))
    news = reader.hear(run(STARTED + HOUR))
    assert news is not None
    assert [(ended.what, ended.since) for ended in news.over] == [("No credit is left.", STARTED)]
    assert reader.hear(run(STARTED + 2 * HOUR)) is None


def test_one_that_comes_and_goes_makes_no_storm() -> None:
    """Up and down every half hour for two days: told, over, and the same again on the next day."""
    reader = Reader()
    told = [n for n in range(96) if reader.hear(run(STARTED + n * HOUR / 2, *([] if n % 2 else [problem()])))]
    assert told == [0, 1, 48, 49]


def test_always_is_every_run() -> None:
    """With `always` each run is told, and a problem of an hour ago in short."""
    reader = Reader("always")
    first, second = reader.hear(run(STARTED, problem())), reader.hear(run(STARTED + HOUR, problem()))
    assert first is not None
    assert second is not None
    assert (first.told_before, second.told_before) == (frozenset(), frozenset({key_of(problem())}))


@pytest.mark.parametrize(("notify_on", "count"), [("always", 3), ("changes", 1), ("problems", 3)])
def test_a_user_who_starts_a_run_gets_a_full_report(notify_on: str, count: int) -> None:
    """Three runs by hand with one problem: told in full each time, but where only changes are wanted."""
    reader = Reader(notify_on)
    reader.started_it = True
    told = [news for n in range(3) if (news := reader.hear(run(STARTED + n * HOUR, problem())))]
    assert [news.told_before for news in told] == [frozenset()] * count


def test_a_nightly_run_that_begins_a_little_earlier_tells() -> None:
    """A day is a day on the wall: some minutes less, and the short one in spring, count as well."""
    reader = Reader()
    spring = datetime(2026, 3, 28, 3, 30, tzinfo=BERLIN)
    for day, minute in enumerate((30, 28, 29, 20)):
        at = spring.replace(minute=minute) + timedelta(days=day)
        assert reader.hear(run(at, problem())), day


def test_a_warning_is_reported_once() -> None:
    """It sends nothing by itself, is told with what is sent next, and not again while it is there."""
    warning = problem("sync_mode is missing.", severity="warning")
    reader = Reader("changes")
    assert reader.hear(run(STARTED, warning)) is None
    first = reader.hear(run(STARTED + HOUR, warning, changes=True))
    second = reader.hear(run(STARTED + timedelta(days=2), warning, changes=True))
    reader.hear(run(STARTED + timedelta(days=3), changes=True))
    again = reader.hear(run(STARTED + timedelta(days=4), warning, changes=True))
    assert [news and bool(news.told_before) for news in (first, second, again)] == [False, True, False]


def test_a_diagnosis_is_reported_with_what_it_explains() -> None:
    """When it is told again that Radarr does not answer, so is what was found out about it."""
    reader = Reader()
    diagnosis = problem("The name radarr is not known.", source="Radarr", severity="warning")
    for hours, told in ((0, True), (1, False), (24, True)):
        at = STARTED + hours * HOUR
        down = report(started=at, outcome="library unusable", problems=(problem(),), warnings=(diagnosis,))
        news = reader.hear(down)
        assert (news is not None) is told
        assert not news or not news.told_before


def test_a_run_that_did_not_look_ends_nothing() -> None:
    """A run of one collection, or one that Radarr stopped, does not say that a problem is over."""
    reader = Reader()
    reader.hear(run(STARTED, problem()))
    assert reader.hear(run(STARTED + HOUR, is_whole=False)) is None
    assert reader.hear(report(outcome="interrupted", started=STARTED + HOUR)) is None
    assert reader.hear(report(only_movies=3, started=STARTED + HOUR)) is None
    assert reader.hear(run(STARTED + 2 * HOUR, problem())) is None
    assert reader.hear(run(STARTED + 3 * HOUR)) is not None


def test_a_failure_without_a_problem_is_one() -> None:
    """A run that could not be done is told even if it does not say why."""
    reader = Reader()
    failed = report(outcome="library unusable")
    assert reader.hear(failed) is not None
    assert reader.hear(failed) is None


def test_the_diagnosis_of_a_library_comes_with_its_problem() -> None:
    """That of one that was left alone is told again when it fails anew; warnings of others are not."""
    error = Problem(source="Sonarr", what="It does not answer.", remedy="Look at it.")
    about, other = (
        Problem(source=source, what="DNS: well.", remedy="Look.", severity="warning") for source in ("Sonarr", "Radarr")
    )
    run = report(libraries=libraries(down="sonarr"), outcome="problems", problems=(error,), warnings=(about, other))
    told = ledger_after(News(report=run), {}, BERLIN, is_sent=True)
    del told[key_of(error)]

    assert news_of(run, told, BERLIN).told_before == {key_of(other)}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("17 questions are left for the next one.", "3 questions are left for the next one.", True),
        ("1,200 movies could not be judged: busy", "7 movies could not be judged: busy", True),
        ("1 show could not be judged: busy", "7 shows could not be judged: busy", True),
        ("7 movies could not be judged: busy", "7 shows could not be judged: busy", False),
        ("refused: request_id req_011CSHoEeqs5C35K2UUqR7Fy", "refused: request_id req_022DSHoEeqs5C35K2UUqR7Fy", True),
        ("the pin 'tmdb:603' names no movie", "the pin 'tmdb:604' names no movie", False),
        ("Claude answers 529: busy", "Claude answers 500: busy", False),
        ("the pin 'Heat (1995)' names no movie", "the pin 'Heat (1986)' names no movie", False),
    ],
)
def test_a_problem_is_known_again(one: str, other: str, *, same: bool) -> None:
    """By its cause: its counts change from run to run, its names do not."""
    assert (key_of(problem(one)) == key_of(problem(other))) is same


def test_moving_a_block_makes_no_new_problem() -> None:
    """The line is not what a problem is known by; its file and collection are."""
    assert key_of(problem(line=3)) == key_of(problem(line=9))
    assert len({key_of(problem()), key_of(problem(source="a.yml")), key_of(problem(collection="Noir"))}) == 3


_STEPS = st.lists(
    st.tuples(
        st.integers(1, 30 * 60).map(lambda minutes: timedelta(minutes=minutes)),
        st.sets(st.sampled_from("abc")),
        st.booleans(),
    ),
    max_size=40,
)


@given(_STEPS, st.sampled_from(["always", "changes", "problems"]))
def test_nothing_is_reported_too_often_and_nothing_is_kept_back(
    steps: Iterable[tuple[timedelta, set[str], bool]], notify_on: str
) -> None:
    """Whatever happens: in full at most daily, and what lasts was told within a day; the end follows a telling."""
    reader = Reader(notify_on)
    at = STARTED.astimezone(ZoneInfo("UTC"))
    told: dict[str, datetime] = {}
    ended: dict[str, datetime] = {}
    for passed, present, is_whole in steps:
        at += passed
        problems = [problem(name) for name in sorted(present)]
        news = reader.hear(run(at, *problems, is_whole=is_whole))
        for one in problems:
            if news and key_of(one) not in news.told_before:
                # The clock on the wall moves by an hour at most.
                assert one.what not in told or at - told[one.what] >= DAILY - HOUR
                told[one.what] = at
            assert at - told[one.what] < DAILY + HOUR
        for over in news.over if news else ():
            assert is_whole
            assert over.what not in present
            assert told[over.what] > ended.get(over.what, STARTED - HOUR)
            ended[over.what] = at
