"""When the daemon runs, with a clock that the test sets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from kometa_ai.daemon import timetable
from kometa_ai.daemon.timetable import Timetable
from kometa_ai.schedule import Schedule

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    """Shows what it is set to; a moment before each start it is moved on by hand."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now


def made(tmp_path: Path, clock: Clock, interval: str = "1d") -> Timetable:
    """A timetable at 03:00 UTC."""
    return Timetable(Schedule(interval, time(3), ZoneInfo("UTC")), tmp_path, clock=clock)


async def nothing_due(table: Timetable) -> bool:
    """Whether nothing is due within a moment."""
    times = table.times()
    try:
        async with asyncio.timeout(0.1):
            await anext(times)
    except TimeoutError:
        return True
    return False


async def test_a_time_comes_once(tmp_path: Path) -> None:
    """A time that has come is due once, and the next one is known at once."""
    clock = Clock()
    table = made(tmp_path, clock)
    await table.prepare()
    clock.now = datetime(2026, 3, 2, 3, 0, 1, tzinfo=UTC)

    due = await anext(table.times())

    assert due == datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert table.next_run == datetime(2026, 3, 3, 3, tzinfo=UTC)
    assert await nothing_due(table)


async def test_a_clock_set_back_runs_nothing_twice(tmp_path: Path) -> None:
    """After a run at 03:00 the clock is set to 02:55: the next run is tomorrow's."""
    clock = Clock()
    table = made(tmp_path, clock)
    clock.now = datetime(2026, 3, 2, 3, 0, 1, tzinfo=UTC)
    await anext(table.times())
    clock.now = datetime(2026, 3, 2, 2, 55, tzinfo=UTC)

    assert await nothing_due(table)
    assert table.next_run == datetime(2026, 3, 3, 3, tzinfo=UTC)


async def test_a_clock_that_was_years_ahead_is_believed_when_set_right(tmp_path: Path) -> None:
    """A machine that started in 2031 and learned that it is 2026 does not wait for five years."""
    clock = Clock(NOON.replace(year=2031))
    table = Timetable(Schedule("1d", time(3), ZoneInfo("UTC")), tmp_path, clock=clock, longest_sleep=0.01)
    clock.now = NOON

    assert await nothing_due(table)
    assert table.next_run == datetime(2026, 3, 2, 3, tzinfo=UTC)


async def test_a_missed_time_waits_for_the_next(tmp_path: Path) -> None:
    """The machine slept through 03:00 until noon: nothing is made up for."""
    clock = Clock()
    table = made(tmp_path, clock)
    clock.now = NOON + timedelta(days=1)

    assert await nothing_due(table)
    assert table.next_run == datetime(2026, 3, 3, 3, tzinfo=UTC)


async def test_the_anchor_of_a_long_interval_survives(tmp_path: Path) -> None:
    """`2d` counts from the date it first counted from, also after a restart on an odd day; `3d` counts anew."""
    first = await made(tmp_path, Clock(), "2d").prepare()
    later = await made(tmp_path, Clock(first + timedelta(hours=1)), "2d").prepare()
    odd = await made(tmp_path, Clock(first + timedelta(days=1, hours=1)), "2d").prepare()
    changed = await made(tmp_path, Clock(first + timedelta(days=1, hours=1)), "3d").prepare()

    assert first == datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert later == odd == first + timedelta(days=2)
    assert changed == first + timedelta(days=2)
    assert msgspec.json.decode((tmp_path / timetable.NAME).read_bytes())["interval"] == "3d"


async def test_a_damaged_anchor_is_made_anew(tmp_path: Path) -> None:
    """A file that holds nothing useful stops nothing."""
    (tmp_path / timetable.NAME).write_text("{")

    assert await made(tmp_path, Clock(), "1w").prepare() == datetime(2026, 3, 2, 3, tzinfo=UTC)
