"""Describe Sonarr to the client in `arr/`: where its shows are on the wire, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.item import LARGEST_ID, ArrId, show_key
from kometa_ai.core.show import Show, Status
from kometa_ai.core.text import beginning
from kometa_ai.library.arr.client import Arr
from kometa_ai.library.arr.contents import LONGEST_NAME, genres_of, imdb_id_of, year_of
from kometa_ai.library.arr.spec import ArrSpec
from kometa_ai.library.arr.texts import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.library.arr.spec import Labels

_LONGEST_CERTIFICATION = 20
_MOST_MINUTES = 10_000
_MOST_SEASONS = 10_000

_STATUS: Mapping[str, Status] = {
    "upcoming": "upcoming",
    "ended": "ended",
    # Gone from TVDb: nothing more is to come from there, and Sonarr's own `ended` is false for it.
    "deleted": "ended",
}
_FORMS = frozenset({"anime", "daily"})
"""What `seriesType` tells of a show. It is a setting for downloads: `standard` says nothing."""


class WireLanguage(msgspec.Struct, gc=False):
    """A show's original language."""

    name: str | None = None


class WireStatistics(msgspec.Struct, rename="camel", gc=False):
    """A show's numbers, which a show without episodes has not."""

    season_count: int | None = None


class WireSeason(msgspec.Struct, rename="camel", gc=False):
    """A season; number 0 holds the specials."""

    season_number: int | None = None


class WireShow(msgspec.Struct, rename="camel", gc=False):
    """A row of `GET /series`."""

    id: int | None = None
    tvdb_id: int | None = None
    tmdb_id: int | None = None
    title: str | None = None
    year: int | None = None
    imdb_id: str | None = None
    overview: str | None = None
    genres: list[str] | None = None
    network: str | None = None
    original_language: WireLanguage | None = None
    certification: str | None = None
    runtime: int | None = None
    status: str | None = None
    series_type: str | None = None
    statistics: WireStatistics | None = None
    seasons: list[WireSeason] | None = None
    tags: list[int] | None = None


def _show_of(row: WireShow, title: str, labels: Labels, held_by: tuple[str, ...]) -> Show:
    form = clean(row.series_type).lower()
    return Show(
        arr_id=ArrId(row.id or 0),
        key=show_key(row.tvdb_id or 0),
        title=title,
        year=year_of(row.year),
        imdb_id=imdb_id_of(row.imdb_id),
        # 0 means unknown, and TMDb's numbers of shows are others than those of its movies.
        tmdb_id=_up_to(LARGEST_ID, row.tmdb_id),
        # Whole, since it is part of the metadata hash. Absent where TVDb has no English text: that is an answer.
        plot=clean(row.overview),
        genres=genres_of(row.genres),
        network=beginning(clean(row.network), LONGEST_NAME),
        language=beginning(clean(row.original_language.name if row.original_language else ""), LONGEST_NAME),
        certification=beginning(clean(row.certification), _LONGEST_CERTIFICATION),
        runtime=_up_to(_MOST_MINUTES, row.runtime),
        seasons=_seasons(row),
        # Sonarr itself takes every status that it does not know for `continuing`.
        status=_STATUS.get(clean(row.status).lower(), "running"),
        form=form if form in _FORMS else "",
        labels=frozenset(labels[number] for number in row.tags or () if number in labels),
        libraries=held_by,
    )


def _seasons(row: WireShow) -> int:
    """How many seasons there are, without specials; a show that was just added has no statistics yet."""
    if row.statistics and row.statistics.season_count is not None:
        return _up_to(_MOST_SEASONS, row.statistics.season_count)
    return sum(1 for season in row.seasons or () if (season.season_number or 0) > 0)


def _up_to(most: int, number: int | None) -> int:
    """The number, or 0 for one that cannot be true."""
    return number if number and 0 < number <= most else 0


SPEC = ArrSpec(
    kind="show",
    service="Sonarr",
    name="sonarr",
    title="Sonarr",
    item="show",
    port=8989,
    url_setting="SONARR_URL",
    key_setting="SONARR_API_KEY",
    items_path="/series",
    editor_path="/series/editor",
    ids_field="seriesIds",
    catalogue="TVDb",
    siblings={"Radarr": "RADARR_URL"},
    row=WireShow,
    catalogue_id=lambda row: row.tvdb_id,
    item_of=_show_of,
)


class Sonarr(Arr[WireShow]):
    """One Sonarr. It does not tell who plays in a show, so there are no credits."""

    service_spec = SPEC
