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
    """The metadata hash with the known credits (`full`), and without credits (`blind`)."""

    full: str
    blind: str

    def covers(self, decided_from: str) -> bool:
        """Whether a decision made from this metadata hash still holds for the movie.

        One made before the credits were known does: the movie has not changed, we only know more of it.
        """
        return decided_from in (self.full, self.blind)


def fingerprint(movie: Movie) -> Fingerprint:
    """The metadata hashes of a movie, with its credits and without."""
    blind = metadata_hash(movie, NO_CREDITS)
    return Fingerprint(metadata_hash(movie, movie.credits) if movie.credits != NO_CREDITS else blind, blind)


def metadata_hash(movie: Movie, people: Credits) -> str:
    """The SHA-256, in hex, of what a decision is made from: title, year, plot, genres, directors, five actors.

    Volatile fields (ratings, keywords, images, dates) are left out, so that Radarr's daily refresh raises no questions.
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
