from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kometa_ai.schedule import Schedule
from kometa_ai.settings.values import Window
from tests.schedule import oracle
from tests.schedule.oracle import DAY, MINUTE, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

# Each with a day in the middle of which the clock changes, if it ever does.
CHANGES = [
    ("UTC", date(2028, 2, 29)),
    ("Asia/Kathmandu", date(2025, 1, 1)),
    ("Europe/Berlin", date(2025, 3, 30)),
    ("Europe/Berlin", date(2025, 10, 26)),
    ("America/New_York", date(2025, 3, 9)),
    ("America/New_York", date(2025, 11, 2)),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
    ("Australia/Lord_Howe", date(2025, 10, 5)),
    ("America/Havana", date(2025, 3, 9)),
    ("America/Havana", date(2025, 11, 2)),
    ("Antarctica/Troll", date(2025, 3, 30)),
    ("Antarctica/Troll", date(2025, 10, 26)),
    ("Africa/Casablanca", date(2025, 3, 1)),
    ("Pacific/Apia", date(2011, 12, 30)),
]
CRON: dict[str, tuple[Callable[[datetime], bool], bool]] = {
    "*/20 * * * *": (lambda at: at.minute % 20 == 0, True),
    "45 * * * *": (lambda at: at.minute == 45, True),
    "30 2 * * *": (lambda at: (at.hour, at.minute) == (2, 30), False),
    "*/15 0-3 * * *": (lambda at: at.hour <= 3 and at.minute % 15 == 0, False),
    "0 */2 * * *": (lambda at: at.hour % 2 == 0 and at.minute == 0, False),
    "0 0 * * SUN": (lambda at: at.isoweekday() == 7 and (at.hour, at.minute) == (0, 0), False),
    "15 1 1,30 * 1": (lambda at: (at.day in {1, 30} or at.weekday() == 0) and (at.hour, at.minute) == (1, 15), False),
}
UNITS = {"m": 1, "h": 60, "d": DAY, "w": 7 * DAY}
INTERVALS = [
    *("10m", "30m", "45m", "50m", "1h", "90m", "2h", "3h", "6h", "7h", "12h", "23h", "24h", "25h", "36h"),
    *("1d", "2d", "3d", "7d", "1w", "2w", "1mo", "2mo", "5mo"),
]
# Where the clock changes are, most of the time.
TIMES = st.one_of(
    st.sampled_from([time(0), time(1, 30), time(2), time(2, 30), time(3)]),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
)


def _is_usable(windows: list[Window]) -> bool:
    minutes = [time(*divmod(minute, 60)) for minute in range(DAY)]
    return not all(any(window.covers(minute) for window in windows) for minute in minutes)


WINDOWS = st.lists(
    st.builds(Window, TIMES, TIMES).filter(lambda window: window.start != window.end), max_size=3
).filter(_is_usable)


class Case(NamedTuple):
    """A schedule, its anchor, the same as a rule of the oracle, and some days around a clock change."""

    schedule: Schedule
    anchor: date
    rule: Rule
    first: datetime
    days: int

    def expected(self) -> list[datetime]:
        """What the oracle says. A window that holds a run back when the walk begins is over after two days."""
        schedule = self.schedule
        before = self.first - timedelta(days=2)
        found = oracle.starts(self.rule, schedule.zone, before, self.days + 2, schedule.blackout)
        return [start for start in found if start > self.first]


def _rule(interval: str, start: time, anchor: date) -> Rule:
    if interval in CRON:
        matches, every_hour = CRON[interval]
        return oracle.when(matches, every_hour=every_hour)
    if interval.endswith("mo"):
        return oracle.monthly(int(interval[:-2]), start, anchor)
    return oracle.every(int(interval[:-1]) * UNITS[interval[-1]], start, anchor)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any schedule on days around one of the changes."""
    zone, middle = draw(st.sampled_from(CHANGES))
    interval = draw(st.sampled_from([*INTERVALS, *CRON]))
    start, windows = draw(TIMES), draw(WINDOWS)
    anchor = middle + timedelta(days=draw(st.one_of(st.integers(-3, 3), st.integers(-800, 800))))
    days = 40 if interval[-1] in "wo" else 9
    first = datetime.combine(middle - timedelta(days=days // 3), time(12), UTC)
    schedule = Schedule(interval, start, ZoneInfo(zone), tuple(windows))
    return Case(schedule, anchor, _rule(interval, start, anchor), first, days)


def _all_starts(schedule: Schedule, anchor: date | None, first: datetime, end: datetime) -> list[datetime]:
    """What a daemon does that asks for the next start whenever one has come."""
    found: list[datetime] = []
    moment = first
    while (moment := schedule.next_after(moment, anchor)) < end:
        found.append(moment)
    return found


@pytest.mark.no_cover
@settings(deadline=None, max_examples=80)
@given(cases())
def test_agrees_with_a_walk_through_every_minute(case: Case) -> None:
    """From start to start, a schedule has exactly the starts that a walk through every single minute finds."""
    end = case.first + timedelta(days=case.days)
    assert _all_starts(case.schedule, case.anchor, case.first, end) == case.expected()


@pytest.mark.no_cover
@settings(deadline=None, max_examples=50)
@given(cases(), st.lists(st.integers(0, 6 * DAY * 60_000), min_size=5, max_size=20))
def test_any_moment_gives_the_next_start(case: Case, offsets: list[int]) -> None:
    """Asked at any millisecond, by a daemon that has just started, the answer is the first start after it."""
    expected = case.expected()
    for offset in offsets:
        now = case.first + timedelta(milliseconds=offset)
        if (number := bisect_right(expected, now)) < len(expected):
            assert case.schedule.next_after(now, case.anchor) == expected[number]
        else:
            assert case.schedule.next_after(now, case.anchor) >= case.first + timedelta(days=case.days)


@settings(deadline=None, max_examples=80)
@given(cases(), st.integers(0, 6 * DAY * 60))
def test_first_anchor_starts_within_about_a_day(case: Case, seconds: int) -> None:
    """A new installation first runs when a daily one would, whatever the interval; then it keeps that anchor."""
    now = case.first + timedelta(seconds=seconds)
    anchor = case.schedule.first_anchor(now)
    first = case.schedule.next_after(now, anchor)
    assert first == case.schedule.next_after(now, None)
    daily = Schedule("1d", case.schedule.start, case.schedule.zone, case.schedule.blackout)
    if case.schedule.interval not in CRON:
        assert first <= daily.next_after(now, None)
    if case.rule.step > DAY and case.schedule.interval not in {*CRON, "25h", "36h"}:
        assert first == daily.next_after(now, None)


@settings(deadline=None, max_examples=80)
@given(cases(), st.integers(-(10**8), 10**8))
def test_never_in_a_blackout_and_never_in_the_past(case: Case, minutes: int) -> None:
    """At any time of several centuries the answer is later than the question, and in no window."""
    now = case.first + minutes * MINUTE
    start = case.schedule.next_after(now, case.anchor)
    assert start > now
    clock = start.astimezone(case.schedule.zone).time()
    assert not any(window.covers(clock) for window in case.schedule.blackout)


ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Antarctica/Troll"),
    *("Africa/Casablanca", "Pacific/Apia", "Asia/Beirut", "America/St_Johns", "Pacific/Chatham", "Africa/Cairo"),
]


@pytest.mark.no_cover
@pytest.mark.parametrize("start", [time(0), time(0, 30), time(1, 30), time(2, 30), time(3), time(23, 59)])
@pytest.mark.parametrize("zone", ZONES)
def test_one_run_on_each_of_24_months_of_days(zone: str, start: time) -> None:
    """Every day of two years has exactly one run, at the start time unless the clock left that out."""
    schedule = Schedule("1d", start, ZoneInfo(zone))
    first, end = (datetime(year, 1, 1, 12, tzinfo=UTC) for year in (2024, 2026))
    runs = [run.astimezone(schedule.zone) for run in _all_starts(schedule, None, first, end)]
    days = [run.date() for run in runs]
    assert days == [days[0] + timedelta(days=number) for number in range(731)]
    for run in runs:
        due, reading = datetime.combine(run.date(), start), run.replace(tzinfo=None)
        before = (run.astimezone(UTC) - MINUTE).astimezone(schedule.zone).replace(tzinfo=None)
        assert reading == due or before < due < reading


@pytest.mark.no_cover
@pytest.mark.parametrize("interval", ["6h", "1d", "1mo"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_24_months_agree_with_a_walk_through_every_minute(zone: str, interval: str) -> None:
    """Two years of starts around evening and night windows are those that a walk through each minute finds."""
    start, anchor, first = time(2, 30), date(2024, 1, 31), datetime(2024, 1, 1, tzinfo=UTC)
    blackout = (Window(time(18), time(23, 30)), Window(time(23), time(1)), Window(time(2, 45), time(3)))
    rule = _rule(interval, start, anchor)
    expected = [run for run in oracle.starts(rule, ZoneInfo(zone), first, 731, blackout) if run > first + timedelta(2)]
    schedule = Schedule(interval, start, ZoneInfo(zone), blackout)
    assert _all_starts(schedule, anchor, first + timedelta(2), first + timedelta(731)) == expected
