"""Describe the initial content and the behaviour of the Radarr stand-in: movies, auto-tagging rules, options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kometa_ai.standins.arr.product import Behaviour

Availability = Literal["tba", "announced", "inCinemas", "released", "deleted"]

ENGLISH = 1


@dataclass(frozen=True, slots=True)
class Translation:
    """Title and overview in another language; an overview of None falls back to the English one, "" does not."""

    title: str
    overview: str | None = None


@dataclass(frozen=True)
class MovieSeed:
    """A movie to put into the library. A field that is None is absent from Radarr's answers, as in a real one.

    `tags` are labels, created if missing; `dangling_tags` are ids of tags that no longer exist.
    `credits_known` False is a movie before its first refresh: no credits yet.
    """

    title: str
    year: int = 0
    tmdb_id: int = 0
    imdb_id: str | None = None
    overview: str | None = None
    genres: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    directors: tuple[str, ...] = ()
    cast: tuple[str, ...] = ()
    credits_known: bool = True
    tags: tuple[str, ...] = ()
    dangling_tags: tuple[int, ...] = ()
    monitored: bool = True
    minimum_availability: Availability = "released"
    status: Availability = "released"
    has_file: bool = True
    quality_profile_id: int = 1
    collection: tuple[str, int] | None = None
    studio: str | None = None
    certification: str | None = None
    runtime: int = 100
    original_title: str | None = None
    original_language: tuple[int, str] = (ENGLISH, "English")
    alternate_titles: tuple[str, ...] = ()
    translations: dict[int, Translation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AutoTagRule:
    """An auto tagging rule: a movie that meets every condition given gets `tags`; without a condition, each movie does.

    With `remove_tags_automatically` a movie that does not match loses them again.
    """

    name: str
    tags: tuple[str, ...]
    remove_tags_automatically: bool = False
    genres: tuple[str, ...] = ()
    years: tuple[int, int] | None = None
    tag: str | None = None

    def matches(self, movie: MovieSeed, labels: frozenset[str]) -> bool:
        """Whether the rule applies to a movie that carries these tags."""
        return (
            (not self.genres or not {genre.lower() for genre in self.genres}.isdisjoint(map(str.lower, movie.genres)))
            and (self.years is None or self.years[0] <= movie.year <= self.years[1])
            and (self.tag is None or self.tag.lower() in labels)
        )

    def conditions(self) -> tuple[tuple[str, object], ...]:
        """Kind and value of each condition but that on a tag."""
        return ("Genre", self.genres), ("Year", self.years)


@dataclass(slots=True, kw_only=True)
class RadarrBehaviour(Behaviour):
    """Options that Radarr alone has.

    `ui_language` is the user's language of titles. `local_covers_delay` is the cost in seconds of a list without
    `excludeLocalCovers`.
    """

    ui_language: int = ENGLISH
    local_covers_delay: float = 0.0
