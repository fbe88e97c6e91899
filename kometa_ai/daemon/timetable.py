"""Wait for the times of the schedule, with a remembered anchor and a clock that may jump."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.app import now
from kometa_ai.jobs.aside import DoesNotAnswer, Patience
from kometa_ai.schedule import Schedule
from kometa_ai.state import files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from kometa_ai.settings.schema import Settings

NAME = "schedule.json"
LONGEST_SLEEP = 60.0
"""Seconds. The loop sleeps by a monotonic clock, which misses suspended time and clocks that are set."""
LATE = timedelta(minutes=5)
"""A start that is noticed later than this counts as missed."""
_SET_RIGHT = timedelta(days=1)
"""A clock that is set back by more was wrong before; if it is set back by less, no start happens twice."""

_log = structlog.get_logger()


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """The date that an interval counts from, and which interval that was."""

    interval: str
    anchor: date


def schedule_of(settings: Settings) -> Schedule:
    """The schedule that the settings describe."""
    return Schedule(settings.schedule_interval, settings.schedule_start_time, settings.tz, settings.schedule_blackout)


def next_start(settings: Settings, moment: datetime) -> datetime:
    """When a daemon with these settings next starts a run, without writing anything."""
    schedule = schedule_of(settings)
    anchor: date | None = None
    if schedule.uses_anchor:
        with suppress(OSError, ValueError, RecursionError):
            anchor = _known_anchor(settings.state_dir / NAME, schedule.interval)
    return schedule.next_after(moment, anchor).astimezone(settings.tz)


def _known_anchor(path: Path, interval: str) -> date | None:
    """The remembered anchor of this interval. Raise OSError or ValueError for a file that cannot be read."""
    known = msgspec.json.decode(files.read(path, files.SMALL), type=Anchor)
    return known.anchor if known.interval == interval else None


class Timetable:
    """Says when a run of `schedule` is due. `next_run` is the next time, as far as it is known."""

    def __init__(
        self,
        schedule: Schedule,
        state_dir: Path,
        *,
        clock: Callable[[], datetime] = now,
        longest_sleep: float = LONGEST_SLEEP,
    ) -> None:
        self.schedule = schedule
        self._path = state_dir / NAME
        self._clock = clock
        self._longest_sleep = longest_sleep
        self._anchor: date | None = None
        self._since = clock()
        self.next_run: datetime | None = None

    async def prepare(self) -> datetime:
        """Find the anchor, remember it, and return the first time after this was made."""
        if self.schedule.uses_anchor:
            try:
                self._anchor = await Patience("STATE_DIR")(self._remembered)
            except DoesNotAnswer as error:
                _log.warning("schedule.anchor_not_read", path=str(self._path), why=error.message)
                self._anchor = self.schedule.first_anchor(self._since)
        self.next_run = self.schedule.next_after(self._since, self._anchor)
        return self.next_run

    async def times(self) -> AsyncIterator[datetime]:
        """Each time a run is due, when it is due. Missed ones are left out."""
        while True:
            due = self.next_run = self.schedule.next_after(self._since, self._anchor)
            left = due - self._clock()
            _log.debug("schedule.waiting", next_run=due.isoformat(), left=str(max(left, timedelta())))
            await asyncio.sleep(min(max(left.total_seconds(), 0.0), self._longest_sleep))
            clock = self._clock()
            if due <= clock <= due + LATE:
                self._since = due
                self.next_run = self.schedule.next_after(due, self._anchor)
                yield due
            elif clock > due:
                _log.warning("schedule.missed", due=due.isoformat(), why="the machine slept, or its clock was set")
                self._since = clock
            else:
                self._since = clock if clock + _SET_RIGHT < self._since else max(clock, self._since)

    def _remembered(self) -> date:
        interval = self.schedule.interval
        try:
            if known := _known_anchor(self._path, interval):
                return known
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError) as error:  # damaged in any way
            _log.warning("schedule.anchor_not_read", path=str(self._path), why=str(error))
        anchor = self.schedule.first_anchor(self._since)
        try:
            files.replace(self._path, msgspec.json.encode(Anchor(interval=interval, anchor=anchor)))
        except OSError as error:
            _log.warning("schedule.anchor_not_kept", path=str(self._path), why=str(error))
        return anchor
