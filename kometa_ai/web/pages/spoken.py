"""Say times, amounts and shares as a page shows them. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kometa_ai.core.problem import Correction

_DAYS_BY_NAME = 6
_CENT = 0.01
_TEN = 10


def moment(when: datetime, now: datetime) -> str:
    """A moment in words, `now` being in the same time zone: `today 03:12`, `Monday 03:00`, `3 March 03:00`."""
    return f"{day(when.date(), now.date())} {when:%H:%M}"


def day(when: date, today: date) -> str:
    """A day in words: `today`, `yesterday`, `Monday`, `3 March`, `3 March 2024`."""
    away = (when - today).days
    if away in (-1, 0, 1):
        return ("yesterday", "today", "tomorrow")[away + 1]
    if abs(away) <= _DAYS_BY_NAME:
        return f"{when:%A}"
    return f"{when.day} {when:%B}" + (f" {when.year}" if when.year != today.year else "")


def duration(seconds: float | timedelta) -> str:
    """A duration with its two largest units: `1 h 5 min`, `12 s`."""
    total = round(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, total = divmod(total, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def usd(amount: float) -> str:
    """An amount in USD; one that would round to nothing says so."""
    return "under $0.01" if 0 < amount < _CENT else f"${amount:,.2f}"


def size(count: int) -> str:
    """A number of bytes in the unit that people would use: `512 kB`, `65 MB`, `1.2 GB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            amount = count / factor
            return f"{amount:.1f} {unit}" if amount < _TEN else f"{amount:.0f} {unit}"
    return f"{count} bytes"


def confidence(value: float | None) -> str:
    """A confidence, with two digits; empty where there is none."""
    return "" if value is None else f"{value:.2f}"


def percent(done: int, total: int) -> int:
    """A share in whole percent; never 100 before it is."""
    return min(100, done * 100 // total) if total > 0 else 0


class PageLinks(NamedTuple):
    """The numbers of pages to link to, None for a gap; and those before and after the present one, None at the ends."""

    numbers: tuple[int | None, ...]
    before: int | None
    after: int | None


def pages_of(total: int, page: int, size: int) -> PageLinks:
    """Which pages of a list to link to: the first, the last, and those around the present one."""
    last = max(1, -(-total // size))
    wanted = sorted({1, last, *(number for number in range(page - 1, page + 2) if 1 <= number <= last)})
    numbers: list[int | None] = []
    for number in wanted:
        if numbers and number - (numbers[-1] or 0) > 1:
            numbers.append(None)
        numbers.append(number)
    return PageLinks(tuple(numbers), page - 1 if page > 1 else None, page + 1 if page < last else None)


def place_of(correction: Correction, source: str) -> str:
    """Where the lines of a correction belong: `In place of lines 5 to 9 of movies.yml`."""
    first, last = correction.first, correction.last
    if last < first:
        return f"Above line {first} of {source}"
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    return f"In place of {lines} of {source}" if correction.lines else f"Remove {lines} of {source}"
