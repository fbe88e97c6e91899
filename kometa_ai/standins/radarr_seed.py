"""Describe the initial content and the behaviour of the Radarr stand-in: movies, auto-tagging rules, options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

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

    `tags` are labels, created if missing; `dangling_tags` are ids of tags that no longer exist. `crew` are further
    (name, job) pairs beside the directors. `credits_known` False is a movie before its first refresh: no credits yet.
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
    crew: tuple[tuple[str, str], ...] = ()
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


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """How the server behaves; every option may be changed while it runs.

    `label_rules`: v6 accepts [a-z0-9-], v5 any text, none nothing. `database`: PostgreSQL answers 500 where SQLite
    answers 409. `ui_auth`: outside the API, none shows a page to every client and forms sends them to the log-in.
    `ui_language` is the user's language of titles. `local_covers_delay` is the cost in seconds of a list without
    `excludeLocalCovers`; `save_delay` the time between the read and the write of a save, in which others can write.
    `before_save` and `before_tag_insert` are called at that very moment, in their own thread: they may block, and call
    the server.
    """

    api_key: str
    url_base: str = ""
    label_rules: Literal["v6", "v5", "none"] = "v6"
    database: Literal["sqlite", "postgres"] = "sqlite"
    ui_auth: Literal["none", "forms"] = "none"
    ui_language: int = ENGLISH
    local_covers_delay: float = 0.0
    save_delay: float = 0.0
    starting_up: bool = False
    before_save: Callable[[], object] | None = None
    before_tag_insert: Callable[[], object] | None = None
