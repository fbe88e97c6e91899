from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSimError

from kometa_ai.schedule import Schedule
from kometa_ai.settings import values

BERLIN = ZoneInfo("Europe/Berlin")


def _schedule(interval: str, start: str = "03:00", zone: str = "Europe/Berlin", blackout: str = "") -> Schedule:
    return Schedule(values.interval(interval), time.fromisoformat(start), ZoneInfo(zone), values.windows(blackout))


def _runs(schedule: Schedule, now: str, count: int, anchor: str = "2025-01-31") -> list[str]:
    """The next starts as the clock on the wall shows them; `now` is read in the schedule's zone."""
    moment = datetime.fromisoformat(now).replace(tzinfo=schedule.zone)
    found: list[str] = []
    for _ in range(count):
        moment = schedule.next_after(moment, date.fromisoformat(anchor))
        found.append(f"{moment.astimezone(schedule.zone):%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("interval", "start", "expected"),
    [
        ("30m", "03:00", ["06-10 10:30", "06-10 11:00", "06-10 11:30"]),
        ("1h", "23:15", ["06-10 10:15", "06-10 11:15", "06-10 12:15"]),
        ("6h", "03:00", ["06-10 15:00", "06-10 21:00", "06-11 03:00", "06-11 09:00"]),
        ("24h", "03:00", ["06-11 03:00", "06-12 03:00"]),
        ("1d", "03:00", ["06-11 03:00", "06-12 03:00", "06-13 03:00"]),
        ("1d", "10:01", ["06-10 10:01", "06-11 10:01"]),
        ("2d", "03:00", ["06-12 03:00", "06-14 03:00", "06-16 03:00"]),
        ("48h", "03:00", ["06-12 03:00", "06-14 03:00"]),
        ("1w", "03:00", ["06-17 03:00", "06-24 03:00", "07-01 03:00"]),
        ("2w", "03:00", ["06-24 03:00", "07-08 03:00"]),
        ("1mo", "03:00", ["07-10 03:00", "08-10 03:00", "09-10 03:00"]),
        ("3mo", "03:00", ["09-10 03:00", "12-10 03:00", "03-10 03:00"]),
        ("0 3 * * 1", "22:22", ["06-16 03:00", "06-23 03:00"]),
        ("*/20 * * * *", "22:22", ["06-10 10:20", "06-10 10:40", "06-10 11:00"]),
        ("0 4 L * *", "22:22", ["06-30 04:00", "07-31 04:00"]),
        ("0 4 1,15 * *", "22:22", ["06-15 04:00", "07-01 04:00"]),
    ],
)
def test_each_interval(interval: str, start: str, expected: list[str]) -> None:
    """Each interval counts from the start time on its anchor's date; a cron expression needs neither."""
    assert _runs(_schedule(interval, start), "2025-06-10T10:00", len(expected), "2025-06-10") == expected


def test_interval_that_does_not_divide_the_day() -> None:
    """`7h` is seven hours, across midnight too, and so moves through the day; `36h` alternates."""
    assert _runs(_schedule("7h"), "2025-06-10T02:00", 5, "2025-06-10") == [
        *("06-10 03:00", "06-10 10:00", "06-10 17:00", "06-11 00:00", "06-11 07:00")
    ]
    assert _runs(_schedule("36h"), "2025-06-10T02:00", 3, "2025-06-10") == ["06-10 03:00", "06-11 15:00", "06-13 03:00"]


@pytest.mark.parametrize("interval", ["30m", "1h", "6h", "24h", "1d", "0 3 * * 1"])
def test_anchor_without_effect(interval: str) -> None:
    """What is the same on every day says that it needs no anchor, and any anchor gives the same."""
    schedule = _schedule(interval)
    assert not schedule.uses_anchor
    now = datetime(2025, 6, 10, 10, tzinfo=UTC)
    anchors = [None, date(2025, 6, 10), date(2025, 6, 11), date(1999, 12, 31)]
    assert len({schedule.next_after(now, anchor) for anchor in anchors}) == 1


@pytest.mark.parametrize("interval", ["7h", "36h", "2d", "1w", "1mo"])
def test_anchor_with_effect(interval: str) -> None:
    """What is not the same on every day says that its anchor has to be remembered."""
    assert _schedule(interval).uses_anchor


@pytest.mark.parametrize(
    ("interval", "now", "expected"),
    [
        ("1mo", "2025-01-31T03:00", ["02-28 03:00", "03-31 03:00", "04-30 03:00", "05-31 03:00"]),
        ("1mo", "2028-01-31T03:00", ["02-29 03:00", "03-31 03:00"]),
        ("3mo", "2025-01-31T03:00", ["04-30 03:00", "07-31 03:00", "10-31 03:00", "01-31 03:00"]),
        ("12mo", "2025-01-31T03:00", ["01-31 03:00", "01-31 03:00"]),
        ("1d", "2028-02-28T03:00", ["02-29 03:00", "03-01 03:00"]),
        ("1d", "2100-02-28T03:00", ["03-01 03:00"]),
    ],
)
def test_month_ends_and_leap_years(interval: str, now: str, expected: list[str]) -> None:
    """The 31st is the last day of a shorter month, and is the 31st again afterwards."""
    assert _runs(_schedule(interval, zone="UTC"), now, len(expected), "2025-01-31") == expected


def test_yearly_from_a_leap_day() -> None:
    """Once a year from 29 February runs on the 28th of other years, and on the 29th again in four years."""
    runs = _runs(_schedule("12mo", zone="UTC"), "2024-02-29T04:00", 4, "2024-02-29")
    assert runs == ["02-28 03:00", "02-28 03:00", "02-28 03:00", "02-29 03:00"]


@pytest.mark.parametrize(
    ("zone", "start", "now", "expected"),
    [
        # 02:00 becomes 03:00 on 30 March, 03:00 becomes 02:00 on 26 October
        ("Europe/Berlin", "03:00", "2025-03-29T12:00", ["03-30 03:00", "03-31 03:00"]),
        ("Europe/Berlin", "02:30", "2025-03-29T12:00", ["03-30 03:00", "03-31 02:30"]),
        ("Europe/Berlin", "02:00", "2025-03-29T12:00", ["03-30 03:00", "03-31 02:00"]),
        ("Europe/Berlin", "02:30", "2025-10-25T12:00", ["10-26 02:30", "10-27 02:30"]),
        ("Europe/Berlin", "03:00", "2025-10-25T12:00", ["10-26 03:00", "10-27 03:00"]),
        # 02:00 becomes 03:00 on 9 March, 02:00 becomes 01:00 on 2 November
        ("America/New_York", "03:00", "2025-03-08T12:00", ["03-09 03:00", "03-10 03:00"]),
        ("America/New_York", "02:59", "2025-03-08T12:00", ["03-09 03:00", "03-10 02:59"]),
        ("America/New_York", "01:00", "2025-11-01T12:00", ["11-02 01:00", "11-03 01:00"]),
        # 02:00 becomes 02:30 on 5 October, 02:00 becomes 01:30 on 6 April
        ("Australia/Lord_Howe", "02:10", "2025-10-04T12:00", ["10-05 02:30", "10-06 02:10"]),
        ("Australia/Lord_Howe", "01:45", "2025-04-05T12:00", ["04-06 01:45", "04-07 01:45"]),
        # midnight becomes 01:00 on 9 March
        ("America/Havana", "00:00", "2025-03-08T12:00", ["03-09 01:00", "03-10 00:00"]),
        # 30 December was left out
        ("Pacific/Apia", "03:00", "2011-12-28T12:00", ["12-29 03:00", "12-31 03:00", "01-01 03:00"]),
    ],
)
def test_daily_where_the_clock_changes(zone: str, start: str, now: str, expected: list[str]) -> None:
    """A daily run is at its wall time, at the first moment after a gap, once where the clock repeats itself."""
    assert _runs(_schedule("1d", start, zone), now, len(expected)) == expected


def test_repeated_hour_runs_the_first_time() -> None:
    """Of two moments that read 02:30 the first is taken, and asking between them does not give either again."""
    schedule = _schedule("1d", "02:30")
    first = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert schedule.next_after(first - timedelta(seconds=1), None) == first
    tomorrow = datetime(2025, 10, 27, 1, 30, tzinfo=UTC)
    for minutes in (0, 10, 40, 59, 60, 61):
        assert schedule.next_after(first + timedelta(minutes=minutes), None) == tomorrow


@pytest.mark.parametrize(
    ("interval", "start", "zone", "now", "expected"),
    [
        ("30m", "03:00", "Europe/Berlin", "2025-03-30T01:10", ["01:30", "03:00", "03:30"]),
        ("30m", "03:00", "Europe/Berlin", "2025-10-26T01:40", ["02:00", "02:30", "02:00", "02:30", "03:00"]),
        ("1h", "03:15", "Europe/Berlin", "2025-03-30T01:00", ["01:15", "03:15", "04:15"]),
        ("1h", "03:15", "Europe/Berlin", "2025-10-26T01:30", ["02:15", "02:15", "03:15"]),
        ("2h", "02:30", "Europe/Berlin", "2025-03-29T23:00", ["00:30", "03:00", "04:30"]),
        ("6h", "03:00", "Europe/Berlin", "2025-10-25T21:00", ["03:00", "09:00", "15:00", "21:00"]),
        ("6h", "02:00", "Europe/Berlin", "2025-10-25T21:00", ["02:00", "08:00"]),
        ("30m", "03:00", "Australia/Lord_Howe", "2025-04-06T01:10", ["01:30", "01:30", "02:00"]),
        ("6h", "03:00", "Pacific/Apia", "2011-12-29T20:00", ["21:00", "03:00", "09:00"]),
    ],
)
def test_intervals_under_a_day_where_the_clock_changes(
    interval: str, start: str, zone: str, now: str, expected: list[str]
) -> None:
    """An interval longer than the change keeps to the wall clock; a shorter one goes on in real time."""
    runs = _runs(_schedule(interval, start, zone), now, len(expected))
    assert [run.split()[1] for run in runs] == expected


def test_longer_interval_on_a_date_left_out() -> None:
    """Every second day, due on the date that Samoa left out, runs when the next date begins."""
    runs = _runs(_schedule("2d", zone="Pacific/Apia"), "2011-12-27T12:00", 3, "2011-12-28")
    assert runs == ["12-28 03:00", "12-31 00:00", "01-01 03:00"]


@pytest.mark.parametrize(
    ("expression", "zone", "now", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2025-03-29T12:00", ["03-30 03:00", "03-31 02:30"]),
        ("*/15 2 * * *", "Europe/Berlin", "2025-03-29T12:00", ["03-30 03:00", "03-31 02:00", "03-31 02:15"]),
        ("30 2 * * *", "Europe/Berlin", "2025-10-26T02:31", ["10-27 02:30"]),
        ("*/30 * * * *", "Europe/Berlin", "2025-10-26T01:40", ["10-26 02:00", "10-26 02:30", "10-26 02:00"]),
        ("*/30 * * * *", "Europe/Berlin", "2025-03-30T01:10", ["03-30 01:30", "03-30 03:00", "03-30 03:30"]),
        ("0 */2 * * *", "Australia/Lord_Howe", "2025-04-06T00:00", ["04-06 02:00", "04-06 04:00"]),
        ("0 3 * * *", "Pacific/Apia", "2011-12-28T12:00", ["12-29 03:00", "12-31 03:00", "01-01 03:00"]),
    ],
)
def test_cron_where_the_clock_changes(expression: str, zone: str, now: str, expected: list[str]) -> None:
    """A cron expression for certain hours keeps to them as `1d` does; one for every hour follows the clock."""
    assert _runs(_schedule(expression, zone=zone), now, len(expected)) == expected


def test_cron_asked_in_a_repeated_hour() -> None:
    """Asked in the second 02:10 of a night, the run at 02:30 is over: it was in the first."""
    now = datetime(2025, 10, 26, 2, 10, tzinfo=BERLIN, fold=1)
    assert _schedule("30 2 * * *").next_after(now, None) == datetime(2025, 10, 27, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("interval", "blackout", "now", "expected"),
    [
        ("1d", "18:00-23:30", "2025-06-10T04:00", ["06-11 03:00"]),
        ("1d", "02:00-03:00", "2025-06-10T04:00", ["06-11 03:00"]),
        ("1d", "03:00-03:01", "2025-06-10T04:00", ["06-11 03:01", "06-12 03:01"]),
        ("1d", "01:00-05:00", "2025-06-10T04:00", ["06-10 05:00", "06-11 05:00"]),
        ("1d", "22:00-06:00", "2025-06-10T23:00", ["06-11 06:00", "06-12 06:00"]),
        ("1d", "02:00-04:00,03:30-05:00", "2025-06-10T12:00", ["06-11 05:00"]),
        ("1d", "04:00-05:00,02:00-04:00", "2025-06-10T12:00", ["06-11 05:00"]),
        ("1h", "18:00-23:30", "2025-06-10T16:30", ["06-10 17:00", "06-10 23:30", "06-11 00:00"]),
        ("1h", "18:00-00:00", "2025-06-10T16:30", ["06-10 17:00", "06-11 00:00", "06-11 01:00"]),
        ("2d", "02:00-04:00", "2025-06-10T12:00", ["06-12 04:00", "06-14 04:00"]),
        ("0 19 * * *", "18:00-24:00", "2025-06-10T12:00", ["06-11 00:00", "06-12 00:00"]),
        ("1d", "02:30-03:30", "2025-10-25T12:00", ["10-26 03:30"]),
        ("1d", "01:00-02:30", "2025-03-29T12:00", ["03-30 03:00"]),
    ],
)
def test_blackout(interval: str, blackout: str, now: str, expected: list[str]) -> None:
    """A run that is due in a window starts once where the window ends; windows that touch are one."""
    assert _runs(_schedule(interval, blackout=blackout), now, len(expected), "2025-06-10") == expected


def test_restart_inside_of_a_blackout() -> None:
    """A run that a window holds back is not lost when the program starts anew inside of the window."""
    schedule = _schedule("2d", "19:00", blackout="18:00-23:30")
    now = datetime(2025, 6, 10, 21, 7, 12, 345678, tzinfo=BERLIN)
    assert schedule.first_anchor(now) == date(2025, 6, 10)
    assert schedule.next_after(now, None) == datetime(2025, 6, 10, 23, 30, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2025-06-10T02:59", date(2025, 6, 10)),
        ("2025-06-10T03:00", date(2025, 6, 11)),
        ("2025-06-10T22:00", date(2025, 6, 11)),
        ("2025-12-31T12:00", date(2026, 1, 1)),
    ],
)
@pytest.mark.parametrize("interval", ["2d", "1w", "1mo", "7h"])
def test_first_anchor(interval: str, now: str, expected: date) -> None:
    """The first anchor is the date of the next start time in the schedule's zone, whatever the interval."""
    moment = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    assert _schedule(interval).first_anchor(moment) == expected
    assert _schedule(interval).first_anchor(moment.astimezone(timezone(timedelta(hours=-11)))) == expected


def test_missed_start_waits() -> None:
    """A start that was missed while nothing was running is not made up for: the next one of the grid follows."""
    schedule = _schedule("2d")
    anchor = schedule.first_anchor(datetime(2025, 6, 9, 12, tzinfo=BERLIN))
    late = datetime(2025, 6, 14, 3, 0, 1, tzinfo=BERLIN)
    assert schedule.next_after(late, anchor) == datetime(2025, 6, 16, 3, tzinfo=BERLIN)


def test_moment_itself_is_over() -> None:
    """At the very moment of a start the next one is meant, just before it that one."""
    schedule = _schedule("6h")
    start = datetime(2025, 6, 10, 9, tzinfo=BERLIN)
    assert schedule.next_after(start - timedelta(microseconds=1), None) == start
    assert schedule.next_after(start, None) == start + timedelta(hours=6)


@pytest.mark.parametrize("interval", ["1h", "7h", "1d", "2d", "1w", "1mo"])
def test_clock_that_was_wrong(interval: str) -> None:
    """An anchor from a clock that ran years ahead stops nothing: the grid reaches back as well."""
    schedule = _schedule(interval)
    now = datetime(2025, 6, 10, 10, tzinfo=UTC)
    runs = [now, *(schedule.next_after(now, anchor) for anchor in (date(2038, 1, 19), date(9999, 12, 31)))]
    assert all(now < run <= now + timedelta(days=32) for run in runs[1:])


@pytest.mark.parametrize("interval", ["9999m", "9999h", "9999d", "9999w", "9999mo"])
def test_longest_intervals(interval: str) -> None:
    """The longest intervals that the settings let through have a next run, and one after it."""
    schedule = _schedule(interval)
    moments = [datetime(2025, 6, 10, 10, tzinfo=UTC)]
    for _ in range(3):
        moments.append(schedule.next_after(moments[-1], date(2025, 6, 11)))
    assert all(earlier < later for earlier, later in pairwise(moments))


def test_answers_in_utc() -> None:
    """Whatever zone the question is asked in, the answer is in UTC."""
    schedule = _schedule("1d")
    for zone in (UTC, BERLIN, timezone(timedelta(hours=14))):
        answer = schedule.next_after(datetime(2025, 6, 10, 10, tzinfo=UTC).astimezone(zone), None)
        assert (answer, answer.tzinfo) == (datetime(2025, 6, 11, 1, tzinfo=UTC), UTC)


def test_time_without_zone_is_refused() -> None:
    """A time without a zone is an error, and never read in the machine's own."""
    naive = datetime(2025, 6, 10, 10, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(ValueError, match="zone"):
        _schedule("1d").next_after(naive, None)
    with pytest.raises(ValueError, match="zone"):
        _schedule("1d").first_anchor(naive)


@pytest.mark.parametrize("text", ["", "0d", "1y", "1D", "-1d", "1.5h", "mo", "99999d"])
def test_unknown_interval_is_refused(text: str) -> None:
    """Text that the settings would not have let through is an error when the schedule is made, not when it is asked."""
    with pytest.raises(ValueError, match="not an interval"):
        Schedule(text, time(3), BERLIN)


def test_unknown_cron_expression_is_refused() -> None:
    """So is a cron expression that cannot be read."""
    with pytest.raises(CronSimError):
        Schedule("61 3 * * *", time(3), BERLIN)


@pytest.mark.parametrize(
    ("interval", "blackout", "expected"),
    [
        ("30m", "", "every 30 minutes counted from 03:00 Europe/Berlin"),
        ("1h", "", "every hour counted from 03:00 Europe/Berlin"),
        ("6h", "", "every 6 hours counted from 03:00 Europe/Berlin"),
        ("24h", "", "every 24 hours at 03:00 Europe/Berlin"),
        ("1d", "", "every day at 03:00 Europe/Berlin"),
        ("2d", "", "every 2 days at 03:00 Europe/Berlin"),
        ("1w", "", "every week at 03:00 Europe/Berlin"),
        ("1mo", "", "every month at 03:00 Europe/Berlin"),
        ("0 3 * * 1", "", "at 03:00 on Monday (cron 0 3 * * 1) Europe/Berlin"),
        ("1d", "18:00-23:30,2:00-2:30", "every day at 03:00 Europe/Berlin, but not in 18:00-23:30, 02:00-02:30"),
    ],
)
def test_describe(interval: str, blackout: str, expected: str) -> None:
    """A schedule says in words when it runs."""
    assert _schedule(interval, blackout=blackout).describe() == expected
