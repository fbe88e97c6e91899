"""Tiles in the place of posters: initials of titles in any script, and pictures that are well-formed."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.item import movie_key, show_key
from kometa_ai.web.pages.tiles import initials, tile

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FRANCE, GERMANY = "\U0001f1eb\U0001f1f7", "\U0001f1e9\U0001f1ea"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Heat", "H"),
        ("The Third Man", "TM"),
        ("the third man", "TM"),
        ("A", "A"),
        ("The", "T"),
        ("An Education", "E"),
        ("Spider-Man: No Way Home", "SM"),
        ("(500) Days of Summer", "5D"),
        ("2001: A Space Odyssey", "2A"),
        ("…And Justice for All", "AJ"),
        ("WALL·E", "WE"),
        ("M*A*S*H", "M"),
        ("Amélie", "A"),
        ("e\u0301tat libre", "E\u0301L"),
        ("ß", "ß"),
        ("straße", "S"),
        ("千と千尋の神隠し", "千"),
        ("기생충", "기"),
        ("Ночной дозор", "НД"),
        ("ואלס עם באשיר", "וע"),
        ("الرجل الثالث", "\u0627\u200c\u0627"),
        ("क्षत्रिय योद्धा", "क्यो"),
        (f"{FAMILY} Family", "F"),
        (FAMILY, FAMILY),
        (FRANCE + GERMANY, FRANCE),
        ("\U0001f44d\U0001f3fd ok", "O"),
        ("\U0001f44d\U0001f3fd", "\U0001f44d\U0001f3fd"),
        ("!!!", "!"),
        ("<b>&", "B"),
        ("&", "&"),
        ("", ""),
        ("   ", ""),
        ("\u202e\x00\x1b", ""),
        ("\u0301", ""),
        ("\u200d", ""),
        ("\ue000", ""),
        ("\ud800lone", "L"),
        ("\u202eHeat", "H"),
    ],
)
def test_initials(title: str, expected: str) -> None:
    """Of the first two words; articles, signs and what cannot be seen do not count; a letter keeps its marks."""
    assert initials(title) == expected


def test_a_tile_belongs_to_its_item() -> None:
    """The same each time, of another colour for another item, also for a movie and a show of one number."""
    tiles = {tile(key(number), "Heat") for key in (movie_key, show_key) for number in range(1, 40)}

    assert tile(movie_key(949), "Heat") == tile(movie_key(949), "Heat")
    assert len(tiles) == 78


def test_a_tile_is_small_and_needs_nothing() -> None:
    """It is two wide and three high; it names no style, no script and no address but that of its language."""
    drawn = tile(movie_key(949), "Heat")

    assert 'viewBox="0 0 100 150"' in drawn
    assert len(drawn) < 1500
    assert "style" not in drawn
    assert "script" not in drawn
    assert re.findall(r"https?://[^\"]+", drawn) == ["http://www.w3.org/2000/svg"]


@given(st.text(max_size=300), st.integers(1, 2**31 - 1))
def test_any_title_makes_a_tile(title: str, number: int) -> None:
    """Whatever it holds: the picture is well-formed UTF-8, and its only text are the initials."""
    drawn = tile(show_key(number), title)
    root = ET.fromstring(drawn.encode())  # noqa: S314 - our own

    texts = [element.text for element in root.iter() if element.text]
    assert texts == ([initials(title)] if initials(title) else [])
