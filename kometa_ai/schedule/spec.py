"""Compute the wall-clock times of an interval or a cron expression, without a time zone. Pure.

Readings (of the wall clock) are naive datetimes. Every interval is an endless grid in both directions through the start
time on the anchor's date, so it does not drift, and setting the clock back to before the anchor does no harm.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import TYPE_CHECKING, Protocol

from cronsim import CronSim

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAY = timedelta(days=1)
_MONTHS_OF_A_YEAR = 12
_HOURS_OF_A_DAY = 24
_UNITS = {
    "m": ("minute", timedelta(minutes=1)),
    "h": ("hour", timedelta(hours=1)),
    "d": ("day", _DAY),
    "w": ("week", timedelta(weeks=1)),
}


class Recurrence(Protocol):
    """The readings at which runs are due."""

    @property
    def step(self) -> timedelta:
        """The distance of two readings. At a clock change of this length or more, real time counts instead."""
        ...

    @property
    def uses_anchor(self) -> bool:
        """Whether the readings depend on the anchor."""
        ...

    def readings(self, after: datetime, anchor: date) -> Iterator[datetime]:
        """The readings later than `after`, in order."""
        ...

    def describe(self) -> str:
        """The recurrence in words, without the time zone."""
        ...


@dataclass(frozen=True, slots=True)
class Steps:
    """A fixed number of minutes, hours, days or weeks."""

    step: timedelta
    start: time
    words: str

    @property
    def uses_anchor(self) -> bool:
        """False if the grid is the same on every day."""
        return bool(_DAY % self.step)

    def readings(self, after: datetime, anchor: date) -> Iterator[datetime]:
        """The readings later than `after`, in order."""
        origin = datetime.combine(anchor, self.start)
        first = (after - origin) // self.step + 1
        return (origin + number * self.step for number in count(first))

    def describe(self) -> str:
        """`every 2 days at 03:00`, `every 6 hours counted from 03:00`."""
        return f"every {self.words} {'counted from' if self.step % _DAY else 'at'} {self.start:%H:%M}"


@dataclass(frozen=True, slots=True)
class Months:
    """A number of months, on the anchor's day, or on the last day of a month that is too short for it."""

    months: int
    start: time
    uses_anchor: bool = True

    @property
    def step(self) -> timedelta:
        """The shortest possible distance."""
        return 28 * self.months * _DAY

    def readings(self, after: datetime, anchor: date) -> Iterator[datetime]:
        """The readings later than `after`, in order."""
        passed = (after.year - anchor.year) * _MONTHS_OF_A_YEAR + after.month - anchor.month
        grid = (self._reading(anchor, number * self.months) for number in count(passed // self.months))
        return (reading for reading in grid if reading > after)

    def _reading(self, anchor: date, months: int) -> datetime:
        # Always counted from the anchor, not from the reading before: 31, 28, 31 instead of 31, 28, 28.
        year, month = divmod(anchor.year * _MONTHS_OF_A_YEAR + anchor.month - 1 + months, _MONTHS_OF_A_YEAR)
        day = min(anchor.day, calendar.monthrange(year, month + 1)[1])
        return datetime.combine(date(year, month + 1, day), self.start)

    def describe(self) -> str:
        """`every month at 03:00`."""
        return f"every {_counted(self.months, 'month')} at {self.start:%H:%M}"


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields. It needs neither start time nor anchor.

    At clock changes, an expression that runs in every hour follows the wall clock; any other is treated like a daily
    one.
    """

    expression: str
    step: timedelta
    words: str
    uses_anchor: bool = False

    def readings(self, after: datetime, anchor: date) -> Iterator[datetime]:  # noqa: ARG002 - a Recurrence's
        """The readings later than `after`, in order."""
        # Without a time zone: given one, cronsim may answer with a time that has passed (asked in the second 02:10 of a
        # night for 02:30), and skips hours if the clock changes by half an hour.
        return CronSim(self.expression, after)

    def describe(self) -> str:
        """`at 03:00 on Monday (cron 0 3 * * 1)`."""
        return f"{self.words[:1].lower()}{self.words[1:]} (cron {self.expression})"


def parse(interval: str, start: time) -> Recurrence:
    """Read `30m`, `6h`, `2d`, `1w`, `1mo` or a cron expression of five fields, as validated by the settings.

    Raises ValueError or CronSimError for anything else.
    """
    if len(interval.split()) > 1:
        cron = CronSim(interval, datetime.combine(date(2024, 1, 1), start))
        return Cron(interval, timedelta() if len(cron.hours) == _HOURS_OF_A_DAY else _DAY, _explained(cron))
    found = re.fullmatch(r"([1-9][0-9]{0,3})(mo|[mhdw])", interval)
    if found is None:
        raise ValueError(f"{interval!r} is not an interval")
    number, unit = int(found[1]), found[2]
    if unit == "mo":
        return Months(number, start)
    name, length = _UNITS[unit]
    return Steps(number * length, start, _counted(number, name))


def _explained(cron: CronSim) -> str:
    """The expression in words. cronsim writes 31th for 31st, which is corrected."""
    return re.sub(r"\b([0-9]{1,2})th\b", lambda found: _ordinal(int(found[1])), cron.explain())


def _ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`, `21st`."""
    teens = number // 10 % 10 == 1
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _counted(number: int, unit: str) -> str:
    return unit if number == 1 else f"{number} {unit}s"
