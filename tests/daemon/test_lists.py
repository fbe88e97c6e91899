from __future__ import annotations

from kometa_ai.core.item import ArrId, movie_key
from kometa_ai.core.movie import Movie
from kometa_ai.daemon.lists import names_in_block


def _movie(number: int, title: str, year: int) -> Movie:
    return Movie(arr_id=ArrId(number), key=movie_key(number), title=title, year=year)


def test_a_block_names_movies_by_title_and_year_where_that_is_one_of_them() -> None:
    """Two with the same name, one without a year, and one that could not be copied are named by their ids."""
    everything = [
        _movie(1, "Heat", 1995),
        _movie(2, "Crash", 1996),
        _movie(3, "crash", 1996),
        _movie(4, "Undated", 0),
        _movie(5, "Back\u202ewards", 2001),
    ]

    assert names_in_block(everything, everything) == {
        movie_key(1): "Heat (1995)",
        movie_key(2): "tmdb:2",
        movie_key(3): "tmdb:3",
        movie_key(4): "tmdb:4",
        movie_key(5): "tmdb:5",
    }
