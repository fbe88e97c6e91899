"""Turn wall-clock times into moments, considering time zones, clock changes and black-out windows. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.schedule.spec import parse

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from kometa_ai.schedule.spec import Recurrence
    from kometa_ai.settings.values import Window

_MINUTE = timedelta(minutes=1)


class _Due(NamedTuple):
    """A moment at which a run is due, and the wall-clock reading that it belongs to."""

    moment: datetime
    reading: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """When runs start. The windows together must leave some minute of the day free.

    A run is due whenever the wall clock in `zone` shows a time of the grid. At clock changes:

    - A time that the clock skips is due at the first moment after the gap; one that it shows twice is due the first
      time.
    - This does not apply if the change is at least as long as the interval: then nothing is moved, and intervals keep
      their real length (`30m` continues through both of the hours that look alike; `1d` has no run on a date that a
      country skipped).
    """

    interval: str
    start: time
    zone: ZoneInfo
    blackout: tuple[Window, ...] = ()
    _recurrence: Recurrence = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_recurrence", parse(self.interval, self.start))

    @property
    def uses_anchor(self) -> bool:
        """Whether the date of `first_anchor` must be stored (`2d`, `1w`, `1mo`, `7h`; not `1d`, `6h`, cron)."""
        return self._recurrence.uses_anchor

    def next_after(self, now: datetime, anchor: date | None) -> datetime:
        """The first start after `now`, in UTC.

        `anchor` is any date of the grid, earlier or later than `now`; without one, `first_anchor(now)` is used. A run
        that is due inside black-out windows starts at their end, once, however many are due. A missed start is not made
        up for.
        """
        since = self._before_blackout(_utc(now))
        due = self._first_due(self._recurrence, since, self._first_anchor(since) if anchor is None else anchor)
        return self._after_blackout(due.moment)

    def first_anchor(self, now: datetime) -> date:
        """The date of the next start time, so that the first run is at most about a day away.

        A start time that has passed today still counts for today while a black-out window delays its run.
        """
        return self._first_anchor(self._before_blackout(_utc(now)))

    def describe(self) -> str:
        """`every 2 days at 03:00 Europe/Berlin, but not in 18:00-23:30`."""
        words = f"{self._recurrence.describe()} {self.zone}"
        return f"{words}, but not in {', '.join(map(str, self.blackout))}" if self.blackout else words

    def _first_anchor(self, since: datetime) -> date:
        return self._first_due(parse("1d", self.start), since, since.date()).reading.date()

    def _first_due(self, recurrence: Recurrence, since: datetime, anchor: date) -> _Due:
        """The first moment after `since` that belongs to a reading of the recurrence."""
        here = since.astimezone(self.zone).replace(tzinfo=None)
        once, again = self._both(here)
        found: list[_Due] = []
        # While the clock repeats an hour, earlier readings are still to occur a second time.
        for reading in recurrence.readings(here - max(again - once, timedelta()), anchor):
            moments = self._moments(reading, recurrence.step)
            found += [_Due(moment, reading) for moment in moments if moment > since]
            # First moments are in the order of their readings; second ones may not be.
            if moments and moments[0] > since:
                break
        return min(found)

    def _moments(self, reading: datetime, step: timedelta) -> tuple[datetime, ...]:
        """The moments that a reading belongs to, in order: none, one or two."""
        once, again = self._both(reading)
        in_real_time = step <= abs(again - once)
        if again > once:
            return (once, again) if in_real_time else (once,)
        if again < once:
            return () if in_real_time else (self._end_of_gap(again, once),)
        return (once,)

    def _both(self, reading: datetime) -> tuple[datetime, datetime]:
        """The first and the second moment of a reading: equal except at clock changes, swapped in a gap (PEP 495)."""
        first, second = (reading.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return first, second

    def _end_of_gap(self, before: datetime, after: datetime) -> datetime:
        """The first minute after `before` with the offset in force at `after`."""
        offset = after.astimezone(self.zone).utcoffset()
        minutes = range((after - before) // _MINUTE)
        passed = bisect_left(
            minutes, x=True, key=lambda minute: (before + minute * _MINUTE).astimezone(self.zone).utcoffset() == offset
        )
        return before + passed * _MINUTE

    def _before_blackout(self, moment: datetime) -> datetime:
        """The moment, or one just before the windows it lies in: runs due since then have not started yet."""
        while self._is_blacked_out(moment):
            moment -= _MINUTE
        return moment

    def _after_blackout(self, moment: datetime) -> datetime:
        # Minute by minute, which handles overlapping windows, midnight and clock changes without special cases.
        while self._is_blacked_out(moment):
            moment += _MINUTE
        return moment

    def _is_blacked_out(self, moment: datetime) -> bool:
        clock = moment.astimezone(self.zone).time()
        return any(window.covers(clock) for window in self.blackout)


def _utc(now: datetime) -> datetime:
    if now.utcoffset() is None:
        raise ValueError("now must know its time zone")
    return now.astimezone(UTC)
