"""A movie, and the fingerprint of the data that a verdict was made from."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple, NewType

import msgspec

from kometa_ai.core.naming import Label

TmdbId = NewType("TmdbId", int)
RadarrId = NewType("RadarrId", int)

LARGEST_ID = 2**31 - 1
"""The largest id of Radarr's and of TMDb's: Radarr keeps both as 32-bit integers."""
ACTORS_HASHED = 5
_JSON = json.JSONEncoder(sort_keys=True)


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


class Fingerprint(NamedTuple):
    """The metadata hash with the credits that are known, and without any."""

    full: str
    blind: str

    def covers(self, decided_from: str) -> bool:
        """Whether a decision made from that hash was made from this movie.

        A decision made before the credits were known still holds: the movie has not changed, we only know more.
        """
        return decided_from in (self.full, self.blind)


def fingerprint(movie: Movie) -> Fingerprint:
    """Both hashes of a movie."""
    blind = metadata_hash(movie, NO_CREDITS)
    return Fingerprint(metadata_hash(movie, movie.credits) if movie.credits != NO_CREDITS else blind, blind)


def metadata_hash(movie: Movie, people: Credits) -> str:
    """The SHA-256 of what a decision is made from, in hex: title, year, plot, genres, directors, five actors.

    Nothing volatile is in it (ratings, keywords, images, dates), so that Radarr's daily refresh asks nothing again.
    """
    seen = {
        "title": movie.title,
        "year": movie.year,
        "plot": movie.plot,
        "genres": sorted(movie.genres),
        "directors": sorted(people.directors),
        "actors": sorted(people.actors[:ACTORS_HASHED]),
    }
    return hashlib.sha256(_JSON.encode(seen).encode()).hexdigest()
