"""A second opinion on schedules that shares nothing with the first: it walks through time minute by minute.

It only ever asks what the clock on the wall reads at a moment, never which moment a reading stands for.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from zoneinfo import ZoneInfo

    from kometa_ai.settings.values import Window

MINUTE = timedelta(minutes=1)
DAY = 24 * 60
_EPOCH = datetime.combine(date(1970, 1, 1), time())


@dataclass(frozen=True)
class Rule:
    """Which readings are due, in minutes since 1970, and how many minutes apart they are."""

    is_due: Callable[[int], bool]
    step: int


def every(minutes: int, start: time, anchor: date) -> Rule:
    """Readings at equal distances."""
    origin = minutes_of(datetime.combine(anchor, start))
    return Rule(lambda reading: (reading - origin) % minutes == 0, minutes)


def monthly(months: int, start: time, anchor: date) -> Rule:
    """The anchor's day, or the last day of a month that has no such day."""

    def is_due(reading: int) -> bool:
        if reading % DAY != start.hour * 60 + start.minute:
            return False
        day = _EPOCH + reading * MINUTE
        return (day.year * 12 + day.month - anchor.year * 12 - anchor.month) % months == 0 and day.day == min(
            anchor.day, calendar.monthrange(day.year, day.month)[1]
        )

    return Rule(is_due, months * 28 * DAY)


def when(matches: Callable[[datetime], bool], *, every_hour: bool) -> Rule:
    """Readings that match, as those of a cron expression do."""
    return Rule(lambda reading: matches(_EPOCH + reading * MINUTE), 0 if every_hour else DAY)


def minutes_of(reading: datetime) -> int:
    """A naive reading as minutes since 1970."""
    return (reading - _EPOCH) // MINUTE


@cache
def walk(zone: ZoneInfo, first: datetime, days: int) -> list[int]:
    """What the clock reads in each minute of so many days.

    It is asked once an hour. Where it has gone on by an hour, no change lies between, for no clock ever changed twice
    within an hour; elsewhere it is asked in each minute.
    """
    readings: list[int] = []
    for hour in range(days * 24):
        moment = first + hour * 60 * MINUTE
        reading = _read(zone, moment)
        if _read(zone, moment + 60 * MINUTE) == reading + 60:
            readings += range(reading, reading + 60)
        else:
            readings += [_read(zone, moment + minute * MINUTE) for minute in range(60)]
    return readings


def _read(zone: ZoneInfo, moment: datetime) -> int:
    return minutes_of(moment.astimezone(zone).replace(tzinfo=None))


def starts(rule: Rule, zone: ZoneInfo, first: datetime, days: int, blackout: tuple[Window, ...] = ()) -> list[datetime]:
    """All starts in so many days; `first` is in UTC and must not lie in a black-out window that holds a run back."""
    closed = [any(window.covers(time(*divmod(minute, 60))) for window in blackout) for minute in range(DAY)]
    found: list[datetime] = []
    waiting = False
    for minute, (reading, is_due) in enumerate(_due(rule, walk(zone, first, days))):
        waiting = waiting or is_due
        if waiting and not closed[reading % DAY]:
            found.append((first + minute * MINUTE).astimezone(UTC))
            waiting = False
    return found


def _due(rule: Rule, readings: list[int]) -> Iterator[tuple[int, bool]]:
    """Each reading, and whether a run is due at it, black-outs aside."""
    before = highest = readings[0] - 1
    repeated = 0
    for reading in readings:
        if reading <= before:
            repeated = before + 1 - reading
        is_due = (reading > highest or rule.step <= repeated) and rule.is_due(reading)
        left_out = reading - before - 1
        if 0 < left_out < rule.step:
            is_due = is_due or any(map(rule.is_due, range(before + 1, reading)))
        yield reading, is_due
        before = reading
        highest = max(highest, reading)
