"""Titles as people spell them."""

from __future__ import annotations

import pytest

from kometa_ai.core.item import ArrId, movie_key
from kometa_ai.core.movie import Movie
from kometa_ai.core.titles import holding, nearest

LIBRARY = [
    Movie(arr_id=ArrId(number), key=movie_key(number), title=title, year=year)
    for number, (title, year) in enumerate(
        [
            ("WALL·E", 2008),
            ("Spider-Man", 2002),
            ("Amélie", 2001),
            ("Ocean's Eleven", 1960),
            ("Ocean's Eleven", 2001),
            ("The Artist", 2011),
            ("Heat", 1995),
            ("…", 1999),
            ("千と千尋の神隠し", 2001),
        ],
        1,
    )
]


def found(text: str) -> list[str]:
    """The titles that have the text in them."""
    is_held = holding(text)
    return [item.title for item in LIBRARY if is_held(item.title)]


@pytest.mark.parametrize("text", ["WALL·E", "wall-e", "Wall E", "walle", " wall.e "])
def test_punctuation_and_spaces_do_not_count(text: str) -> None:
    """However the title is spelt, it is found."""
    assert found(text) == ["WALL·E"]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("spiderman", ["Spider-Man"]),
        ("man", ["Spider-Man"]),
        ("amelie", ["Amélie"]),
        ("AMÉL", ["Amélie"]),
        ("oceans", ["Ocean's Eleven"] * 2),
        ("eat", ["Heat"]),
        ("hear", []),
        ("…", ["…"]),
        ("·", ["WALL·E"]),
        ("千尋", ["千と千尋の神隠し"]),
    ],
)
def test_what_has_a_text_in_it(text: str, titles: list[str]) -> None:
    """Within words as before; what runs words together begins with one (`hear` is not in `The Artist`)."""
    assert found(text) == titles


@pytest.mark.parametrize(
    ("title", "year", "names"),
    [
        ("WALL-E", 2008, ["WALL·E (2008)"]),
        ("spider man", 0, ["Spider-Man (2002)"]),
        ("Amelie", 0, ["Amélie (2001)"]),
        ("Artst", 0, []),
        ("The Artis", 0, ["The Artist (2011)"]),
        ("Teh Artist", 0, ["The Artist (2011)"]),
        ("oceans eleven", 2001, ["Ocean's Eleven (2001)", "Ocean's Eleven (1960)"]),
        ("he", 0, []),
        ("", 0, []),
        ("Casablanca", 1942, []),
    ],
)
def test_what_may_be_meant(title: str, year: int, names: list[str]) -> None:
    """Titles spelt so, with the text in them or much like it, those of the year first; none that is far from it."""
    assert [str(item) for item in nearest(title, year, LIBRARY)] == names
