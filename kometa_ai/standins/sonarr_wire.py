"""Write Sonarr's resource of a show, in the forms of the list, of a single show and of the bulk editor."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal, NamedTuple

from kometa_ai.standins.arr.wire import TAGS_GO_HERE, present
from kometa_ai.standins.sonarr_seed import LANGUAGES

if TYPE_CHECKING:
    from kometa_ai.standins.arr.wire import Json
    from kometa_ai.standins.sonarr_seed import ShowSeed
    from kometa_ai.standins.sonarr_store import Season, ShowRow, ShowStore

ROOT_FOLDER = "/tv"

_EPISODES = 10
"""Episodes of a season."""
_MONDAY = dt.date(2026, 1, 5)
"""The day on which running shows had their last episode, before the first week passed."""


class Shape(NamedTuple):
    """A form of the show's resource: which endpoint it is for, and whether seasons have images."""

    kind: Literal["list", "single", "editor"] = "list"
    season_images: bool = False


def show_resource(row: ShowRow, store: ShowStore, shape: Shape) -> Json:
    """Sonarr's SeriesResource; the value of `tags` is a placeholder.

    The answer of the bulk editor has no alternate titles, airings, statistics, root folder and local image addresses.
    """
    show = row.show
    linked = shape.kind != "editor"
    is_running = show.status == "continuing" and show.episodes_known
    return present(
        {
            "title": show.title,
            "alternateTitles": _alternate_titles(show) if linked else None,
            "sortTitle": show.title.lower().removeprefix("the "),
            "status": show.status,
            "ended": show.status == "ended",
            "overview": show.overview,
            "nextAiring": _monday(store.refreshes + 1) if linked and is_running else None,
            "previousAiring": _previous_airing(show, store.refreshes) if linked else None,
            "network": show.network,
            "airTime": "21:00" if show.network else None,
            "images": image_resources(row, covers=linked),
            "originalLanguage": language_resource(show),
            "seasons": [_season(season, row, store, shape) for season in row.seasons],
            "year": show.year,
            "path": row.path,
            "qualityProfileId": show.quality_profile_id,
            "seasonFolder": show.season_folder,
            "monitored": show.monitored,
            "monitorNewItems": "all",
            "useSceneNumbering": False,
            "runtime": show.runtime,
            "tvdbId": show.tvdb_id,
            "tvRageId": 0,
            "tvMazeId": 0,
            "tmdbId": show.tmdb_id,
            "firstAired": f"{show.year}-01-10T00:00:00Z" if show.year else None,
            "lastAired": _previous_airing(show, row.refreshes),
            "seriesType": show.series_type,
            "cleanTitle": "".join(filter(str.isalnum, show.title.lower())),
            "imdbId": show.imdb_id,
            "titleSlug": row.slug,
            "rootFolderPath": ROOT_FOLDER if linked else None,
            "certification": show.certification,
            "genres": list(show.genres),
            "tags": TAGS_GO_HERE,
            "added": "2024-05-06T07:08:09Z",
            "ratings": {"votes": 100 + show.tvdb_id % 7000 + row.refreshes, "value": 5 + show.tvdb_id % 40 / 10},
            "statistics": _statistics(row, store, shape) if linked else None,
            "languageProfileId": 1,
            "id": row.id,
        }
    )


def image_resources(row: ShowRow, *, covers: bool) -> list[Json]:
    """The show's images; their addresses change when the site gets new ones."""
    written = 638_500_000_000_000_000 + row.refreshes
    return [
        present(
            {
                "coverType": kind,
                "url": f"/MediaCover/{row.id}/{kind}.jpg?lastWrite={written}" if covers else None,
                "remoteUrl": f"https://artworks.thetvdb.com/banners/{row.show.tvdb_id:x}/{kind}-{row.refreshes}.jpg",
            }
        )
        for kind in ("banner", "poster", "fanart", "clearlogo")
    ]


def language_resource(show: ShowSeed) -> Json:
    """The language that a show was made in."""
    return {"id": LANGUAGES[show.original_language], "name": show.original_language}


def _alternate_titles(show: ShowSeed) -> list[Json]:
    return [{"title": title, "seasonNumber": -1} for title in show.alternate_titles]


def _monday(week: int) -> str:
    return f"{_MONDAY + dt.timedelta(weeks=week)}T21:00:00Z"


def _previous_airing(show: ShowSeed, week: int) -> str | None:
    if not show.episodes_known or show.status == "upcoming" or not show.year:
        return None
    if show.status == "continuing":
        return _monday(week)
    return f"{show.year + max(show.seasons, 1) - 1}-12-20T21:00:00Z"


def _season(season: Season, row: ShowRow, store: ShowStore, shape: Shape) -> Json:
    counted = shape.kind != "editor" and _episodes(season, row, store) > 0
    poster = f"https://artworks.thetvdb.com/banners/{row.show.tvdb_id:x}/season-{season.number}.jpg"
    return present(
        {
            "seasonNumber": season.number,
            "monitored": season.monitored,
            "statistics": _season_statistics(season, row, store) if counted else None,
            "images": [{"coverType": "poster", "remoteUrl": poster}] if shape.season_images else None,
        }
    )


def _episodes(season: Season, row: ShowRow, store: ShowStore) -> int:
    """How many episodes a season has: none before it begins, and a running show's season has one more each week."""
    if not row.show.episodes_known or row.show.status == "upcoming":
        return 0
    if season.number > row.show.seasons:
        return 0
    running = row.show.status == "continuing" and season.number == row.show.seasons
    return _EPISODES + (store.refreshes if running else 0)


def _season_statistics(season: Season, row: ShowRow, store: ShowStore) -> Json:
    episodes = _episodes(season, row, store)
    return {
        "episodeFileCount": episodes,
        "episodeCount": episodes,
        "totalEpisodeCount": episodes,
        "sizeOnDisk": episodes * 900_000_000,
        "releaseGroups": [],
        "percentOfEpisodes": 100,
    }


def _statistics(row: ShowRow, store: ShowStore, shape: Shape) -> Json | None:
    """A show without episodes has none in the list, and zeros alone."""
    episodes = sum(_episodes(season, row, store) for season in row.seasons)
    if not episodes and shape.kind == "list":
        return None
    return {
        "seasonCount": sum(season.number > 0 for season in row.seasons),
        "episodeFileCount": episodes,
        "episodeCount": episodes,
        "totalEpisodeCount": episodes,
        "sizeOnDisk": episodes * 900_000_000,
        "releaseGroups": [],
        "percentOfEpisodes": 100 if episodes else 0,
    }
