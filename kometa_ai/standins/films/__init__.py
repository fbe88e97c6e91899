"""Load the demo's data: real films, described in our own words, and a Kometa folder as a user would have it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from kometa_ai.standins.radarr_seed import MovieSeed

KOMETA_FOLDER = Path(__file__).with_name("kometa")
"""An example Kometa folder: eight collections with a block and one without. Read-only."""


class Film(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One film. `cast` are five actors in billing order, `runtime` is in minutes.

    `tags` are the Radarr labels that the user has added already; most films have none.
    """

    title: str
    year: int
    tmdb_id: int
    imdb_id: str
    genres: tuple[str, ...]
    keywords: tuple[str, ...]
    directors: tuple[str, ...]
    cast: tuple[str, ...]
    runtime: int
    plot: str
    tags: tuple[str, ...] = ()

    def as_seed(self) -> MovieSeed:
        """The film as a seed for the Radarr stand-in."""
        return MovieSeed(
            title=self.title,
            year=self.year,
            tmdb_id=self.tmdb_id,
            imdb_id=self.imdb_id,
            overview=self.plot,
            genres=self.genres,
            keywords=self.keywords,
            directors=self.directors,
            cast=self.cast,
            runtime=self.runtime,
            tags=self.tags,
        )


@cache
def films() -> tuple[Film, ...]:
    """Every bundled film, oldest first."""
    return msgspec.json.decode(Path(__file__).with_name("films.json").read_bytes(), type=tuple[Film, ...])
