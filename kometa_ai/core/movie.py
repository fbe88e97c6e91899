"""A movie, and the fingerprint of the data that a verdict was made from."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import msgspec

from kometa_ai.core.item import Item

ACTORS_HASHED = 5
_JSON = json.JSONEncoder(sort_keys=True)


class Credits(msgspec.Struct, frozen=True):
    """Directors, and the actors in billing order."""

    directors: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()


NO_CREDITS = Credits()


class Movie(Item, frozen=True, kw_only=True):
    """One movie of the library."""

    keywords: tuple[str, ...] = ()
    credits: Credits = NO_CREDITS


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
