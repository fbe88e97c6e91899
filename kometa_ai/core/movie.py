"""A movie as the classifier sees it, and the fingerprint of what was shown."""

from __future__ import annotations

import hashlib
import json
from typing import NewType

import msgspec

from kometa_ai.core.naming import Label

TmdbId = NewType("TmdbId", int)
RadarrId = NewType("RadarrId", int)

ACTORS_HASHED = 5


class Credits(msgspec.Struct, frozen=True):
    """Directors, and the actors in billing order."""

    directors: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()


NO_CREDITS = Credits()


class Movie(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One movie of the library. `tmdb_id` names it for good; `radarr_id` changes when Radarr is rebuilt.

    `labels` are the labels of its tags in lower case; ids that no longer name a tag are left out.
    """

    radarr_id: RadarrId
    tmdb_id: TmdbId
    title: str
    year: int = 0
    imdb_id: str = ""
    plot: str = ""
    genres: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    credits: Credits = NO_CREDITS
    labels: frozenset[Label] = frozenset()

    def __str__(self) -> str:
        return f"{self.title} ({self.year})" if self.year else self.title


def metadata_hash(movie: Movie, credits: Credits) -> str:
    """The SHA-256 of what a decision is made from, in hex: title, year, plot, genres, directors, five actors.

    Nothing volatile is in it (ratings, keywords, images, dates), so that Radarr's daily refresh asks nothing again.
    """
    seen = {
        "title": movie.title,
        "year": movie.year,
        "plot": movie.plot,
        "genres": sorted(movie.genres),
        "directors": sorted(credits.directors),
        "actors": sorted(credits.actors[:ACTORS_HASHED]),
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
