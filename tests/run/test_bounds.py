"""However long Radarr's texts are, what is sent to Claude about a movie is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kometa_ai.standins.radarr_seed import MovieSeed
from tests.run.world import World, block

if TYPE_CHECKING:
    from pathlib import Path

LONG = "x" * 1_000_000
MANY = tuple(f"{number} {'y' * 1000}" for number in range(2000))


def test_nothing_without_a_bound_is_sent(tmp_path: Path) -> None:
    """Title, plot, genres, keywords and people are cut, and so is their number."""
    seed = MovieSeed(
        title=LONG,
        year=1999,
        tmdb_id=1000,
        imdb_id="tt0001000",
        overview=LONG,
        genres=MANY,
        directors=MANY,
        cast=MANY,
        keywords=MANY,
    )
    with World(tmp_path, [seed]) as world:
        world.collections(block("Heist"))
        world.run()
        (request,) = world.claude.requests

    (movie,) = request.movies
    assert len(json.dumps(movie)) < 15_000
    assert len(movie["title"]) <= 300
    assert len(movie["plot"]) <= 1500
    assert len(movie["genres"]) <= 20
    assert len(movie["keywords"]) <= 15
