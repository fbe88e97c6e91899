from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise

import pytest

from kometa_ai.schedule.spec import parse


@pytest.mark.parametrize("interval", ["30m", "7h", "1d", "2w", "1mo", "5mo", "0 3 * * *", "*/7 * * * *"])
@pytest.mark.parametrize("anchor", [date(2024, 2, 29), date(2025, 6, 10), date(2031, 12, 31)])
def test_readings_follow_each_other(interval: str, anchor: date) -> None:
    """Readings come in order, none earlier than asked for, and asking at one gives the one after it."""
    recurrence = parse(interval, time(3))
    readings = list(islice(recurrence.readings(datetime.fromisoformat("2025-06-10T03:00"), anchor), 20))
    for earlier, later in pairwise([datetime.fromisoformat("2025-06-10T03:00"), *readings]):
        assert earlier < later
        assert next(iter(recurrence.readings(earlier, anchor))) == later
        assert next(iter(recurrence.readings(later - timedelta(seconds=1), anchor))) == later


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 31 * *", "on the 31st day"),
        ("0 0 21,22,23 * *", "on the 21st, the 22nd, and the 23rd day"),
        ("0 0 11,12,13 * *", "on the 11th, the 12th, and the 13th day"),
        ("0 0 30 * *", "on the 30th day"),
    ],
)
def test_ordinals_are_words_of_english(expression: str, words: str) -> None:
    """A day of the month reads as people say it."""
    assert words in parse(expression, time(3)).describe()
