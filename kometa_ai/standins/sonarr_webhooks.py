"""Write the events that Sonarr tells webhooks: a test, shows that came and went, files that were imported, health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.standins.arr.wire import present
from kometa_ai.standins.sonarr_wire import image_resources, language_resource

if TYPE_CHECKING:
    from kometa_ai.standins.arr.webhooks import Webhooks
    from kometa_ai.standins.arr.wire import Json
    from kometa_ai.standins.sonarr_store import ShowRow, ShowStore

_FIRST_EPISODE_ID = 70_001
"""Far from the numbers of shows, as the TVDB ids of episodes are."""

_CLIENT = {"downloadClient": "SABnzbd", "downloadClientType": "SABnzbd", "downloadId": "SABnzbd_nzo_kometa"}


class ShowEvents:
    """Sonarr's events, each of which is told to every connection."""

    def __init__(self, store: ShowStore, webhooks: Webhooks) -> None:
        self._store = store
        self._webhooks = webhooks

    def test(self) -> None:
        """The user presses Test: a show that is not there, with a number that another may have."""
        show = {
            "id": 1,
            "title": "Test Title",
            "path": "C:\\testpath",
            "tvdbId": 1234,
            "tvMazeId": 0,
            "tmdbId": 0,
            "type": "standard",
            "year": 0,
            "tags": ["test-tag"],
        }
        episode = {
            "id": 123,
            "episodeNumber": 1,
            "seasonNumber": 1,
            "title": "Test title",
            "seriesId": 0,
            "tvdbId": 0,
        }
        self._webhooks.send("Test", series=show, episodes=[episode])

    def added(self, row: ShowRow) -> None:
        """A show was added with `addOptions`, and its first refresh and scan are over."""
        self._about(row, "SeriesAdd")

    def deleted(self, row: ShowRow, *, files: bool) -> None:
        """A show was removed."""
        self._about(row, "SeriesDelete", deletedFiles=files)

    def imported(self, row: ShowRow, *, season: int, files: int, is_upgrade: bool) -> None:
        """A download was imported: an event for each file, and one more of the same type when all are done."""
        numbers = range(1, files + 1)
        for number in numbers:
            old = [self._file(row, season, number, quality="HDTV-720p")] if is_upgrade else None
            self._about(
                row,
                "Download",
                episodes=[self._episode(row, season, number)],
                episodeFile=self._file(row, season, number),
                isUpgrade=is_upgrade,
                **_CLIENT,
                deletedFiles=old,
                customFormatInfo={"customFormats": [], "customFormatScore": 0},
                release={"releaseType": "seasonPack" if files > 1 else "singleEpisode"},
            )
        self._about(
            row,
            "Download",
            episodes=[self._episode(row, season, number) for number in numbers],
            episodeFiles=[self._file(row, season, number) for number in numbers],
            **_CLIENT,
            release={"releaseType": "seasonPack" if files > 1 else "singleEpisode"},
            fileCount=files,
            sourcePath="/downloads/complete",
            destinationPath=f"{row.path}/Season {season:02}",
        )

    def health(self, message: str, level: str) -> None:
        """Something about Sonarr itself; no show has a part in it."""
        wiki = "https://wiki.servarr.com/sonarr/system#download-clients"
        self._webhooks.send("Health", level=level, message=message, type="DownloadClientCheck", wikiUrl=wiki)

    def _about(self, row: ShowRow, event: str, **fields: object) -> None:
        labels = self._store.labels_of(row)
        self._webhooks.send(event, about=labels, series=_series(row, sorted(labels)), **fields)

    def _episode(self, row: ShowRow, season: int, number: int) -> Json:
        episode_id = _FIRST_EPISODE_ID + row.id * 10_000 + season * 100 + number
        return {
            "id": episode_id,
            "episodeNumber": number,
            "seasonNumber": season,
            "title": f"Episode {number}",
            "overview": f"What happens in episode {number}.",
            "airDate": "2026-01-05",
            "airDateUtc": "2026-01-05T21:00:00Z",
            "seriesId": row.id,
            "tvdbId": 9_000_000 + episode_id,
        }

    def _file(self, row: ShowRow, season: int, number: int, quality: str = "WEBDL-1080p") -> Json:
        name = f"Season {season:02}/S{season:02}E{number:02} {quality}.mkv"
        return {
            "id": row.id * 10_000 + season * 100 + number,
            "relativePath": name,
            "path": f"{row.path}/{name}",
            "quality": quality,
            "qualityVersion": 1,
            "size": 900_000_000,
            "dateAdded": "2026-01-06T03:04:05Z",
        }


def _series(row: ShowRow, labels: list[str]) -> Json:
    """WebhookSeries: neither overview nor network is in it."""
    show = row.show
    return present(
        {
            "id": row.id,
            "title": show.title,
            "titleSlug": row.slug,
            "path": row.path,
            "tvdbId": show.tvdb_id,
            "tvMazeId": 0,
            "tmdbId": show.tmdb_id,
            "imdbId": show.imdb_id,
            "type": show.series_type,
            "year": show.year,
            "genres": list(show.genres),
            "images": image_resources(row, covers=True),
            "tags": labels,
            "originalLanguage": language_resource(show),
        }
    )
