"""Describe the initial content and the behaviour of the Sonarr stand-in: shows, auto-tagging rules, options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kometa_ai.standins.arr.product import Behaviour

Status = Literal["continuing", "ended", "upcoming", "deleted"]
SeriesType = Literal["standard", "daily", "anime"]

LANGUAGES = {
    "English": 1,
    "French": 2,
    "Spanish": 3,
    "German": 4,
    "Italian": 5,
    "Danish": 6,
    "Dutch": 7,
    "Japanese": 8,
    "Icelandic": 9,
    "Chinese": 10,
    "Russian": 11,
    "Polish": 12,
    "Swedish": 14,
    "Norwegian": 15,
    "Finnish": 16,
    "Turkish": 17,
    "Portuguese": 18,
    "Korean": 21,
    "Hebrew": 23,
    "Hindi": 27,
}
"""Sonarr's numbers of languages."""


@dataclass(frozen=True)
class ShowSeed:
    """A show to put into the library. A field that is None is absent from Sonarr's answers, as in a real one.

    `tags` are labels, created if missing; `dangling_tags` are ids of tags that no longer exist. `seasons` are numbered
    from 1, and `has_specials` adds season 0. `episodes_known` False is a show before its first refresh: no statistics.
    `quality_profile_id` may name a profile that was deleted (there are 1 to 6), which makes the bulk editor refuse.
    """

    title: str
    year: int = 0
    tvdb_id: int = 0
    imdb_id: str | None = None
    tmdb_id: int = 0
    overview: str | None = None
    network: str | None = None
    status: Status = "ended"
    genres: tuple[str, ...] = ()
    certification: str | None = None
    runtime: int = 45
    seasons: int = 1
    has_specials: bool = False
    episodes_known: bool = True
    series_type: SeriesType = "standard"
    original_language: str = "English"
    alternate_titles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    dangling_tags: tuple[int, ...] = ()
    monitored: bool = True
    season_folder: bool = True
    quality_profile_id: int = 1


@dataclass(frozen=True, slots=True)
class ShowRule:
    """An auto tagging rule: a show that meets every condition given gets `tags`; without a condition, each show does.

    With `remove_tags_automatically` a show that does not match loses them again.
    """

    name: str
    tags: tuple[str, ...]
    remove_tags_automatically: bool = False
    genres: tuple[str, ...] = ()
    years: tuple[int, int] | None = None
    tag: str | None = None
    series_type: SeriesType | None = None
    status: Status | None = None
    original_language: str | None = None
    network: str | None = None
    """Version 5 alone knows this condition."""

    def matches(self, show: ShowSeed, labels: frozenset[str]) -> bool:
        """Whether the rule applies to a show that carries these tags."""
        return (
            (not self.genres or not {genre.lower() for genre in self.genres}.isdisjoint(map(str.lower, show.genres)))
            and (self.years is None or self.years[0] <= show.year <= self.years[1])
            and (self.tag is None or self.tag.lower() in labels)
            and self.series_type in {None, show.series_type}
            and self.status in {None, show.status}
            and self.original_language in {None, show.original_language}
            and self.network in {None, show.network}
        )

    def conditions(self) -> tuple[tuple[str, object], ...]:
        """Kind and value of each condition but that on a tag."""
        return (
            ("Genre", self.genres),
            ("Year", self.years),
            ("SeriesType", self.series_type),
            ("Status", self.status),
            ("OriginalLanguage", None if self.original_language is None else LANGUAGES[self.original_language]),
            ("Network", self.network),
        )


@dataclass(slots=True, kw_only=True)
class SonarrBehaviour(Behaviour):
    """Options that Sonarr alone has: `list_delay` is what the list of shows costs in seconds, with every call."""

    list_delay: float = 0.0
