"""How pages say times, amounts and shares."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.problem import Correction
from kometa_ai.web.pages import spoken

TODAY = date(2026, 3, 4)


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (TODAY, "today"),
        (date(2026, 3, 3), "yesterday"),
        (date(2026, 3, 5), "tomorrow"),
        (date(2026, 2, 27), "Friday"),
        (date(2026, 2, 25), "25 February"),
        (date(2024, 3, 4), "4 March 2024"),
    ],
)
def test_days(when: date, words: str) -> None:
    """A day near today is named, one further away has its date, and one of another year that, too."""
    assert spoken.day(when, TODAY) == words


def test_moments() -> None:
    """A moment is its day and its time."""
    assert spoken.moment(datetime(2026, 3, 4, 3, 12), datetime(2026, 3, 4, 20)) == "today 03:12"  # noqa: DTZ001


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.6, "1 min"), (72, "1 min 12 s"), (3600, "1 h"), (93_784, "1 d 2 h"), (timedelta(hours=9), "9 h")],
)
def test_durations(seconds: float | timedelta, words: str) -> None:
    """A duration is said with its two largest units."""
    assert spoken.duration(seconds) == words


@pytest.mark.parametrize(
    ("amount", "words"), [(0, "$0.00"), (0.004, "under $0.01"), (0.42, "$0.42"), (1234.5, "$1,234.50")]
)
def test_amounts(amount: float, words: str) -> None:
    """An amount that was spent is never shown as nothing."""
    assert spoken.usd(amount) == words


def test_confidences() -> None:
    """A confidence has two digits; where there is none, nothing is shown."""
    assert (spoken.confidence(0.7), spoken.confidence(None)) == ("0.70", "")


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_share_is_whole_only_when_all_is_done(done: int, total: int) -> None:
    """A share is between 0 and 100, and 100 only where all is done."""
    share = spoken.percent(done, total)

    assert 0 <= share <= 100
    assert share < 100 or done >= total > 0


@given(st.integers(0, 100_000), st.integers(1, 500), st.data())
def test_links_to_pages(total: int, size: int, data: st.DataObject) -> None:
    """The first, the last and the present page are always linked, in order, with a gap where some are left out."""
    last = max(1, -(-total // size))
    page = data.draw(st.integers(1, last))
    links = spoken.pages_of(total, page, size)
    numbers = [number for number in links.numbers if number is not None]

    assert {1, last, page} <= set(numbers) <= set(range(1, last + 1))
    assert numbers == sorted(set(numbers))
    assert (links.before, links.after) == (page - 1 or None, page + 1 if page < last else None)


@pytest.mark.parametrize(
    ("correction", "words"),
    [
        (Correction(12, 12, ("x",)), "In place of line 12 of a.yml"),
        (Correction(5, 9, ("x",)), "In place of lines 5 to 9 of a.yml"),
        (Correction(5, 4, ("x",)), "Above line 5 of a.yml"),
        (Correction(5, 5, ()), "Remove line 5 of a.yml"),
    ],
)
def test_places_of_corrections(correction: Correction, words: str) -> None:
    """Where lines belong is said as people number lines."""
    assert spoken.place_of(correction, "a.yml") == words


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (65_000_000, "65 MB"), (1_240_000_000, "1.2 GB")],
)
def test_sizes_have_the_unit_that_people_would_use(count: int, said: str) -> None:
    """With a digit behind the point below ten."""
    assert spoken.size(count) == said
