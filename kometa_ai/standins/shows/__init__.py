"""Load the demo's shows: real television, described in our own words, and the part of a Kometa folder that is for them.

TVDB ids are the real ones as far as we know them; from 990001 on, beyond TVDB's own, they stand in for those that we do
not.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from kometa_ai.standins.sonarr_seed import SeriesType, ShowSeed, Status

KOMETA_FOLDER = Path(__file__).with_name("kometa")
"""An example Kometa folder: four collections of shows with a block. Read-only."""


class Show(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One show. `year` is that of its first episode, `runtime` an episode's in minutes, `genres` are TVDB's.

    `tags` are the Sonarr labels that the user has added already; most shows have none.
    """

    title: str
    year: int
    tvdb_id: int
    imdb_id: str | None = None
    network: str
    language: str
    genres: tuple[str, ...]
    status: Status
    seasons: int
    runtime: int
    certification: str | None = None
    series_type: SeriesType = "standard"
    plot: str
    tags: tuple[str, ...] = ()

    def as_seed(self) -> ShowSeed:
        """The show as a seed for the Sonarr stand-in."""
        return ShowSeed(
            title=self.title,
            year=self.year,
            tvdb_id=self.tvdb_id,
            imdb_id=self.imdb_id,
            overview=self.plot,
            network=self.network,
            status=self.status,
            genres=self.genres,
            certification=self.certification,
            runtime=self.runtime,
            seasons=self.seasons,
            episodes_known=self.status != "upcoming",
            series_type=self.series_type,
            original_language=self.language,
            tags=self.tags,
        )


@cache
def shows() -> tuple[Show, ...]:
    """Every bundled show, oldest first."""
    return msgspec.json.decode(Path(__file__).with_name("shows.json").read_bytes(), type=tuple[Show, ...])
