"""Write Radarr's JSON resources in Radarr's format.

Names are camelCase, nulls are left out, `id` comes last, output is indented by two spaces, dates are UTC to the second,
and the order of a movie's tags has no meaning (it is shuffled here so that no client relies on it).
"""

from __future__ import annotations

import hashlib
import random
import zlib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from kometa_ai.standins.radarr_seed import Translation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kometa_ai.standins.radarr_seed import MovieSeed
    from kometa_ai.standins.radarr_store import Columns, Row, Store

Json = dict[str, Any]

_TAGS_GO_HERE = b'"tags": "?"'
_CHUNK = 128 * 1024


class Shape(NamedTuple):
    """A form of the movie resource: which endpoint it is for, in which language, with or without local cover URLs."""

    kind: Literal["full", "editor"] = "full"
    language: int = 1
    covers: bool = True


class _Fragment(NamedTuple):
    """A movie as an item of a list, without its tags, and the row and metadata it was written from."""

    columns: Columns
    metadata: MovieSeed
    before: bytes
    after: bytes


class MovieWriter:
    """Writes movies and caches everything but the tags, so that a library of 10,000 is written in milliseconds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fragments: dict[tuple[int, Shape], _Fragment] = {}
        self._refreshes = 0
        self._random = random.Random(1)

    def resource(self, row: Row, shape: Shape) -> Json:
        """One movie as a dictionary."""
        movie = movie_resource(row, self._store, shape)
        movie["tags"] = self._shuffled(row)
        return movie

    def write_list(self, rows: Sequence[Row], shape: Shape) -> Iterator[bytes]:
        """A JSON array of movies, in pieces."""
        if not rows:
            yield b"[]"
            return
        if self._refreshes != self._store.refreshes:
            self._refreshes = self._store.refreshes
            self._fragments.clear()
        piece = bytearray(b"[")
        for number, row in enumerate(rows):
            fragment = self._fragment(row, shape)
            piece += b",\n  " if number else b"\n  "
            piece += fragment.before
            piece += self._tags(row)
            piece += fragment.after
            if len(piece) > _CHUNK:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece + b"\n]")

    def _fragment(self, row: Row, shape: Shape) -> _Fragment:
        metadata = self._store.metadata(row)
        known = self._fragments.get((row.id, shape))
        if known is not None and known.columns is row.columns and known.metadata is metadata:
            return known
        text = to_json(movie_resource(row, self._store, shape)).replace(b"\n", b"\n  ")
        before, _, after = text.partition(_TAGS_GO_HERE)
        fragment = self._fragments[row.id, shape] = _Fragment(row.columns, metadata, before, after)
        return fragment

    def _tags(self, row: Row) -> bytes:
        if not row.tags:
            return b'"tags": []'
        items = b",\n      ".join(b"%d" % tag for tag in self._shuffled(row))
        return b'"tags": [\n      %b\n    ]' % items

    def _shuffled(self, row: Row) -> list[int]:
        tags = sorted(row.tags)
        self._random.shuffle(tags)
        return tags


def to_json(value: object) -> bytes:
    """JSON as Radarr writes it: indented by two spaces, raw UTF-8."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def present(resource: Json) -> Json:
    """The resource without its nulls."""
    return {name: value for name, value in resource.items() if value is not None}


def movie_resource(row: Row, store: Store, shape: Shape) -> Json:
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
            "tags": "?",
            "added": "2024-05-06T07:08:09Z",
            "ratings": _ratings(movie, store.refreshes),
            "movieFile": _movie_file(row, size) if row.columns.has_file else None,
            "collection": _collection(movie),
            "popularity": 1.5 + movie.tmdb_id % 90 + store.refreshes / 4,
            "statistics": _statistics(row, size) if full else None,
            "id": row.id,
        }
    )


def credit_resources(row: Row, movie: MovieSeed) -> list[Json]:
    """A movie's credits in no useful order: cast with a character, crew with department and job.

    A director is also credited as writer, and other people have other jobs, so that a client must read each row.
    """
    if not movie.credits_known:
        return []
    crew = [(name, "Director") for name in movie.directors]
    crew += [(name, "Screenplay") for name in movie.directors[:1]]
    crew += [(f"Producer of {movie.title}", "Producer")] if crew else []
    crew += movie.crew
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


def status_resource(*, url_base: str, database: str, authentication: str, version: str) -> Json:
    """Radarr's SystemResource, as a container on Linux answers it."""
    return {
        "appName": "Radarr",
        "instanceName": "Radarr",
        "version": version,
        "buildTime": "2025-11-09T16:23:44Z",
        "isDebug": False,
        "isProduction": True,
        "isAdmin": False,
        "isUserInteractive": False,
        "startupPath": "/app/radarr/bin",
        "appData": "/config",
        "osName": "alpine",
        "osVersion": "3.22.2",
        "isNetCore": True,
        "isLinux": True,
        "isOsx": False,
        "isWindows": False,
        "isDocker": True,
        "mode": "console",
        "branch": "master",
        "databaseType": "sqLite" if database == "sqlite" else "postgreSQL",
        "databaseVersion": "3.49.2" if database == "sqlite" else "16.4",
        "authentication": authentication,
        "migrationVersion": 242,
        "urlBase": url_base,
        "runtimeVersion": "8.0.20",
        "runtimeName": "netcore",
        "startTime": "2026-01-02T03:04:05Z",
        "packageUpdateMechanism": "docker",
    }


def rule_resources(store: Store) -> list[Json]:
    """The auto tagging rules as Radarr lists them."""
    return [
        {
            "name": rule.name,
            "removeTagsAutomatically": rule.remove_tags_automatically,
            "tags": sorted(targets),
            "specifications": [
                _specification(kind, value)
                for kind, value in (("Genre", rule.genres), ("Year", rule.years), ("Tag", condition))
                if value
            ],
            "id": number,
        }
        for number, (rule, targets, condition) in enumerate(store.rules_by_id(), start=1)
    ]


_DEPARTMENTS = {"Director": "Directing", "Screenplay": "Writing", "Writer": "Writing", "Producer": "Production"}


def _credit(row: Row, person: Json, number: int) -> Json:
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


def _alternate_titles(row: Row, movie: MovieSeed) -> list[Json]:
    return [
        {"sourceType": "tmdb", "movieMetadataId": row.metadata_id, "title": title, "id": row.metadata_id * 100 + number}
        for number, title in enumerate(movie.alternate_titles)
    ]


def _images(row: Row, movie: MovieSeed, *, covers: bool) -> list[Json]:
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


def _movie_file(row: Row, size: int) -> Json:
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


def _statistics(row: Row, size: int) -> Json:
    return {"movieFileCount": int(row.columns.has_file), "sizeOnDisk": size, "releaseGroups": []}


def _specification(kind: str, value: object) -> Json:
    return {
        "name": kind,
        "implementation": f"{kind}Specification",
        "implementationName": kind,
        "negate": False,
        "required": False,
        "fields": [{"order": 0, "name": "value", "label": kind, "value": value, "type": "textbox"}],
    }
