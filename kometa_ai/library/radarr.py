"""Describe Radarr to the client in `arr/`: where its movies and credits are on the wire, and what they mean."""

from __future__ import annotations

import asyncio
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.item import ArrId, movie_key
from kometa_ai.core.movie import Credits, Movie
from kometa_ai.core.text import beginning
from kometa_ai.library.arr.client import Arr
from kometa_ai.library.arr.contents import LONGEST_NAME, genres_of, imdb_id_of, words, year_of
from kometa_ai.library.arr.failures import Failed, Refused
from kometa_ai.library.arr.spec import ArrSpec
from kometa_ai.library.arr.texts import clean
from kometa_ai.library.port import TRIES, CreditsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kometa_ai.library.arr.spec import Labels
    from kometa_ai.library.port import Contents

CREDITS_AT_ONCE = 2
CREDITS_TRIES = 3
CREDITS_GIVE_UP_AFTER = 5
ACTORS_KEPT = 10
DIRECTORS_KEPT = 100
KEYWORDS_KEPT = 100
_LAST = 1 << 31


class WireMovie(msgspec.Struct, rename="camel", gc=False):
    """A row of `GET /movie`."""

    id: int | None = None
    tmdb_id: int | None = None
    title: str | None = None
    year: int | None = None
    imdb_id: str | None = None
    overview: str | None = None
    genres: list[str] | None = None
    keywords: list[str] | None = None
    tags: list[int] | None = None


class WireCredit(msgspec.Struct, rename="camel", gc=False):
    """A row of `GET /credit`: `cast` without a job, or `crew` with one."""

    person_name: str | None = None
    type: str | None = None
    job: str | None = None
    order: int | None = None


def _movie_of(row: WireMovie, title: str, labels: Labels, held_by: tuple[str, ...]) -> Movie:
    return Movie(
        arr_id=ArrId(row.id or 0),
        key=movie_key(row.tmdb_id or 0),
        title=title,
        year=year_of(row.year),
        imdb_id=imdb_id_of(row.imdb_id),
        # Whole, since it is part of the metadata hash; what is sent of it is cut where it is sent.
        plot=clean(row.overview),
        genres=genres_of(row.genres),
        keywords=words(row.keywords, KEYWORDS_KEPT, LONGEST_NAME),
        # An id may name no tag any more: Radarr stores whatever id it is given, and deletes unused tags.
        labels=frozenset(labels[number] for number in row.tags or () if number in labels),
        libraries=held_by,
    )


SPEC = ArrSpec(
    kind="movie",
    service="Radarr",
    name="radarr",
    title="Radarr",
    item="movie",
    port=7878,
    url_setting="RADARR_URL",
    key_setting="RADARR_API_KEY",
    items_path="/movie",
    # Without this parameter Radarr searches its whole cover folder on disk for each list.
    items_query={"excludeLocalCovers": "true"},
    editor_path="/movie/editor",
    ids_field="movieIds",
    catalogue="TMDb",
    siblings={"Sonarr": "SONARR_URL"},
    row=WireMovie,
    catalogue_id=lambda row: row.tmdb_id,
    item_of=_movie_of,
)


class Radarr(Arr[WireMovie]):
    """One Radarr. Of its siblings it alone tells who made a movie and who plays in it."""

    service_spec = SPEC

    @cached_property
    def credits(self) -> RadarrCredits:
        """See Library."""
        return RadarrCredits(self)

    async def contents(self, *, tries: int = TRIES) -> Contents:
        """See Library."""
        self.credits.failed = 0
        return await super().contents(tries=tries)


class RadarrCredits:
    """The credits of a Radarr's movies. `failed` counts failures in a row."""

    def __init__(self, radarr: Radarr) -> None:
        self._radarr = radarr
        self._asking = asyncio.Semaphore(CREDITS_AT_ONCE)
        self.failed = 0

    async def of(self, arr_id: ArrId) -> Credits:
        """Directors and actors of one movie; both may be empty until Radarr's first refresh of it.

        `CreditsUnavailable` when they cannot be read, a vanished movie included: that is not the same as having none,
        and must not be remembered as such. After five failures in a row nothing is asked until the next `contents()`.
        """
        async with self._asking:
            if self.failed >= CREDITS_GIVE_UP_AFTER:
                raise CreditsUnavailable(f"Not asked for, since the {CREDITS_GIVE_UP_AFTER} credits before it failed.")
            try:
                found = await self._radarr.patiently(lambda: self._read(arr_id), tries=CREDITS_TRIES)
            except Failed as error:
                vanished = isinstance(error, Refused) and error.status == HTTPStatus.NOT_FOUND
                self.failed = 0 if vanished else self.failed + 1
                raise CreditsUnavailable(f"{error.what} {error.remedy}".strip()) from error
            self.failed = 0
            return found

    async def _read(self, arr_id: ArrId) -> Credits:
        # Without the parameter Radarr sends, and caches, the credits of its whole database.
        params = {"movieId": arr_id}
        seconds = self._radarr.timeouts.credits
        reply = await self._radarr.connection.call("credits", "GET", "/credit", params=params, seconds=seconds)
        return credits_of(reply.read_rows(WireCredit)[0])


def credits_of(rows: Iterable[WireCredit]) -> Credits:
    """Directors as listed, and the first ten actors in billing order; no name twice.

    The test for a director is that of Radarr's own NFO writer: `Job == "Director"`. The rows come in no order.
    """
    rows = list(rows)
    cast = sorted(
        (row for row in rows if row.type == "cast"),
        key=lambda row: _LAST if row.order is None else row.order,
    )
    directors = [row for row in rows if row.type == "crew" and row.job == "Director"]
    return Credits(directors=_names(directors)[:DIRECTORS_KEPT], actors=_names(cast)[:ACTORS_KEPT])


def _names(rows: Iterable[WireCredit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows if (name := beginning(clean(row.person_name), LONGEST_NAME))))
