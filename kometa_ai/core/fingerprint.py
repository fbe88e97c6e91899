"""Hash what of an item a verdict was made from: the fingerprint that tells when to ask again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple, assert_never

from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.movie import ACTORS_HASHED, NO_CREDITS, Credits, Movie
from kometa_ai.core.show import Show


class Fingerprint(NamedTuple):
    """The metadata hash with the known credits (`full`), and without credits (`blind`); one and the same for a show."""

    full: str
    blind: str

    def covers(self, decided_from: str) -> bool:
        """Whether a decision made from this metadata hash still holds for the item.

        One made before the credits were known does: the movie has not changed, we only know more of it.
        """
        return decided_from in (self.full, self.blind)


def fingerprint(item: AnyItem) -> Fingerprint:
    """The metadata hashes of an item."""
    match item:
        case Movie():
            blind = metadata_hash(item, NO_CREDITS)
            return Fingerprint(metadata_hash(item, item.credits) if item.credits != NO_CREDITS else blind, blind)
        case Show():
            only = show_hash(item)
            return Fingerprint(only, only)
    assert_never(item)


def metadata_hash(movie: Movie, people: Credits) -> str:
    """The SHA-256, in hex, of what a movie is decided from: title, year, plot, genres, directors, five actors.

    Volatile fields (ratings, keywords, images, dates) are left out, so that Radarr's daily refresh raises no questions.
    """
    return _hash(
        actors=_list(people.actors[:ACTORS_HASHED]),
        directors=_list(people.directors),
        genres=_list(movie.genres),
        plot=quoted(movie.plot),
        title=quoted(movie.title),
        year=str(movie.year),
    )


def show_hash(show: Show) -> str:
    """The SHA-256, in hex, of what a show is decided from. Nothing in it moves while a show runs.

    Sonarr rewrites a running show twice a day. Whether it is over is hashed and its seasons are not, so that it is
    asked about once more when it ends and not with each season.
    """
    return _hash(
        genres=_list(show.genres),
        language=quoted(show.language),
        network=quoted(show.network),
        over="true" if show.is_over else "false",
        plot=quoted(show.plot),
        title=quoted(show.title),
        year=str(show.year),
    )


def _hash(**seen: str) -> str:
    """The hash of a JSON object, of which each value is given as JSON and the names in alphabetical order.

    It is written by hand because a run does so for every item, and must be what `json.dumps` makes of it byte for byte,
    with `sort_keys`: else everything would be asked again.
    """
    text = "{" + ", ".join([f'"{name}": {value}' for name, value in seen.items()]) + "}"
    return hashlib.sha256(text.encode()).hexdigest()


def _list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(quoted, sorted(texts))) + "]"
