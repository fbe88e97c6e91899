"""Write Radarr's resources: movies, in the forms of the list and of the bulk editor, and credits."""

from __future__ import annotations

import hashlib
import random
import zlib
from typing import TYPE_CHECKING, Literal, NamedTuple

from kometa_ai.standins.arr.wire import TAGS_GO_HERE, present
from kometa_ai.standins.radarr_seed import Translation

if TYPE_CHECKING:
    from kometa_ai.standins.arr.wire import Json
    from kometa_ai.standins.radarr_seed import MovieSeed
    from kometa_ai.standins.radarr_store import MovieRow, MovieStore


class Shape(NamedTuple):
    """A form of the movie resource: which endpoint it is for, in which language, with or without local cover URLs."""

    kind: Literal["full", "editor"] = "full"
    language: int = 1
    covers: bool = True


def movie_resource(row: MovieRow, store: MovieStore, shape: Shape) -> Json:
    """Radarr's MovieResource; the value of `tags` is a placeholder.

    The answer of the bulk editor has no `hasFile`, `statistics` and `sizeOnDisk`, and `rootFolderPath` only where auto
    tagging rules exist.
    """
    movie = store.metadata(row)
    full = shape.kind == "full"
    title, overview = _translated(movie, shape.language)
    size = 8_000_000_000 + movie.tmdb_id if row.columns.has_file else 0
    return present(
        {
            "title": title,
            "originalTitle": movie.original_title,
            "originalLanguage": {"id": movie.original_language[0], "name": movie.original_language[1]},
            "alternateTitles": _alternate_titles(row, movie),
            "secondaryYearSourceId": 0,
            "sortTitle": title.lower().removeprefix("the "),
            "sizeOnDisk": size if full else None,
            "status": movie.status,
            "overview": overview,
            "inCinemas": f"{movie.year}-03-01T00:00:00Z" if movie.year else None,
            "physicalRelease": f"{movie.year}-09-01T00:00:00Z" if movie.year else None,
            "images": _images(row, movie, covers=shape.covers),
            "website": "",
            "year": movie.year,
            "youTubeTrailerId": "",
            "studio": movie.studio,
            "path": row.columns.path,
            "qualityProfileId": row.columns.quality_profile_id,
            "hasFile": row.columns.has_file if full else None,
            "movieFileId": row.id + 500 if row.columns.has_file else 0,
            "monitored": row.columns.monitored,
            "minimumAvailability": row.columns.minimum_availability,
            "isAvailable": movie.status == "released",
            "folderName": row.columns.path,
            "runtime": movie.runtime,
            "cleanTitle": "".join(filter(str.isalnum, movie.title.lower())),
            "imdbId": movie.imdb_id,
            "tmdbId": movie.tmdb_id,
            "titleSlug": str(movie.tmdb_id),
            "rootFolderPath": "/movies" if full or store.rules else None,
            "certification": movie.certification,
            "genres": list(movie.genres),
            "keywords": list(movie.keywords),
            "tags": TAGS_GO_HERE,
            "added": "2024-05-06T07:08:09Z",
            "ratings": _ratings(movie, store.refreshes),
            "movieFile": _movie_file(row, size) if row.columns.has_file else None,
            "collection": _collection(movie),
            "popularity": 1.5 + movie.tmdb_id % 90 + store.refreshes / 4,
            "statistics": _statistics(row, size) if full else None,
            "id": row.id,
        }
    )


def credit_resources(row: MovieRow, movie: MovieSeed) -> list[Json]:
    """A movie's credits in no useful order: cast with a character, crew with department and job.

    A director is also credited as writer, and other people have other jobs, so that a client must read each row.
    """
    if not movie.credits_known:
        return []
    crew = [(name, "Director") for name in movie.directors]
    crew += [(name, "Screenplay") for name in movie.directors[:1]]
    crew += [(f"Producer of {movie.title}", "Producer")] if crew else []
    people: list[Json] = [
        {"name": name, "character": f"Character {order}", "order": order, "type": "cast"}
        for order, name in enumerate(movie.cast)
    ]
    people += [
        {"name": name, "department": _DEPARTMENTS.get(job, "Crew"), "job": job, "order": order, "type": "crew"}
        for order, (name, job) in enumerate(crew)
    ]
    resources = [_credit(row, person, number) for number, person in enumerate(people)]
    random.Random(movie.tmdb_id).shuffle(resources)
    return resources


_DEPARTMENTS = {"Director": "Directing", "Screenplay": "Writing", "Writer": "Writing", "Producer": "Production"}


def _credit(row: MovieRow, person: Json, number: int) -> Json:
    name = person["name"]
    portrait = f"https://image.tmdb.org/t/p/original/{zlib.crc32(name.encode()):08x}.jpg"
    proxied = f"/MediaCoverProxy/{hashlib.sha256(portrait.encode()).hexdigest()}/{portrait.rsplit('/', 1)[-1]}"
    return present(
        {
            "personName": name,
            "creditTmdbId": hashlib.sha256(f"{row.metadata_id}/{number}".encode()).hexdigest()[:24],
            "personTmdbId": zlib.crc32(name.encode()) % 5_000_000,
            "movieMetadataId": row.metadata_id,
            # Not every person has a portrait.
            "images": [{"coverType": "headshot", "url": proxied, "remoteUrl": portrait}] if number % 3 else [],
            "department": person.get("department"),
            "job": person.get("job"),
            "character": person.get("character"),
            "order": person["order"],
            "type": person["type"],
            "id": row.metadata_id * 1000 + number,
        }
    )


def _translated(movie: MovieSeed, language: int) -> tuple[str, str | None]:
    translation = movie.translations.get(language, Translation(movie.title))
    return translation.title, movie.overview if translation.overview is None else translation.overview


def _alternate_titles(row: MovieRow, movie: MovieSeed) -> list[Json]:
    return [
        {"sourceType": "tmdb", "movieMetadataId": row.metadata_id, "title": title, "id": row.metadata_id * 100 + number}
        for number, title in enumerate(movie.alternate_titles)
    ]


def _images(row: MovieRow, movie: MovieSeed, *, covers: bool) -> list[Json]:
    return [
        present(
            {
                "coverType": kind,
                "url": f"/MediaCover/{row.id}/{kind}.jpg?lastWrite=638500000000000000" if covers else None,
                "remoteUrl": f"https://image.tmdb.org/t/p/original/{movie.tmdb_id:x}{kind}.jpg",
            }
        )
        for kind in ("poster", "fanart")
    ]


def _ratings(movie: MovieSeed, refreshes: int) -> Json:
    votes = 100 + movie.tmdb_id % 7000 + refreshes
    tmdb = {"votes": votes, "value": 5 + movie.tmdb_id % 40 / 10, "type": "user"}
    return {"tmdb": tmdb} if movie.imdb_id is None else {"imdb": tmdb | {"votes": votes * 9}, "tmdb": tmdb}


def _movie_file(row: MovieRow, size: int) -> Json:
    return {
        "movieId": row.id,
        "relativePath": f"{row.columns.path.rsplit('/', 1)[-1]} Bluray-1080p.mkv",
        "path": f"{row.columns.path}/{row.columns.path.rsplit('/', 1)[-1]} Bluray-1080p.mkv",
        "size": size,
        "dateAdded": "2024-05-06T08:09:10Z",
        "indexerFlags": 0,
        "quality": {
            "quality": {"id": 7, "name": "Bluray-1080p", "source": "bluray", "resolution": 1080, "modifier": "none"},
            "revision": {"version": 1, "real": 0, "isRepack": False},
        },
        "languages": [{"id": 1, "name": "English"}],
        "mediaInfo": {"audioChannels": 5.1, "audioCodec": "DTS", "videoCodec": "x264", "resolution": "1920x1080"},
        "qualityCutoffNotMet": False,
        "id": row.id + 500,
    }


def _collection(movie: MovieSeed) -> Json | None:
    return None if movie.collection is None else {"title": movie.collection[0], "tmdbId": movie.collection[1]}


def _statistics(row: MovieRow, size: int) -> Json:
    return {"movieFileCount": int(row.columns.has_file), "sizeOnDisk": size, "releaseGroups": []}
