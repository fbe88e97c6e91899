"""Stand in for Radarr: its v3 API over plain Python state, for tests, the demo and development.

Written from the sources of Radarr 6 (controllers, services, error pipeline, serializer), without any of the program's
own code, so that both cannot share a mistake. Serve it with `kometa_ai.standins.serving.serve`:

    radarr = RadarrStandIn([MovieSeed("Heat", 1995, 949, genres=("Crime",))])
    with serve(radarr.app) as url:
        ...  # talk to it
    assert radarr.labels_of(949) == {"kai-heist-films"}
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from kometa_ai.standins.arr.faults import editor_dies_after, locked, not_ready
from kometa_ai.standins.arr.http import V3
from kometa_ai.standins.arr.pipeline import LoggedRequest
from kometa_ai.standins.arr.product import Product
from kometa_ai.standins.arr.settings import Settings
from kometa_ai.standins.arr.standin import API_KEY, ArrStandIn
from kometa_ai.standins.radarr_movies import Movies
from kometa_ai.standins.radarr_seed import AutoTagRule, MovieSeed, RadarrBehaviour, Translation
from kometa_ai.standins.radarr_store import MovieRow, MovieStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "API_KEY",
    "RADARR",
    "AutoTagRule",
    "LoggedRequest",
    "MovieSeed",
    "RadarrBehaviour",
    "RadarrStandIn",
    "Translation",
    "editor_dies_after",
    "locked",
    "not_ready",
]

RADARR = Product(
    name="Radarr",
    version="6.0.4.10291",
    editor="Movies.MovieEditor",
    ids="movieIds",
    tag_lists=("delayProfileIds", "importListIds", "releaseProfileIds", "indexerIds", "downloadClientIds"),
    branch="master",
    build_time="2025-11-09T16:23:44Z",
    runtime="8.0.20",
    migration=242,
)

_SETTINGS = Settings(
    root_folder="/movies",
    exclusions="exclusions",
    in_quality={"modifier": "none"},
    in_profile={"language": {"id": 1, "name": "English"}},
)


class RadarrStandIn(ArrStandIn[MovieRow, RadarrBehaviour]):
    """One Radarr.

    `tags_in_settings` are labels that some setting uses, which keeps them from housekeeping and from deletion.
    """

    _store: MovieStore

    def __init__(
        self,
        movies: Iterable[MovieSeed] = (),
        *,
        api_key: str = API_KEY,
        url_base: str = "",
        label_rules: Literal["v6", "v5", "none"] = "v6",
        database: Literal["sqlite", "postgres"] = "sqlite",
        ui_auth: Literal["none", "forms"] = "none",
        rules: Iterable[AutoTagRule] = (),
        tags_in_settings: Iterable[str] = (),
    ) -> None:
        behaviour = RadarrBehaviour(
            product=RADARR,
            api_key=api_key,
            url_base=url_base,
            label_rules=label_rules,
            database=database,
            ui_auth=ui_auth,
        )
        store = MovieStore(tuple(rules), tags_in_settings)
        self._movies = Movies(store, behaviour)
        super().__init__(behaviour, store, "movie", [*self._movies.routes(), *_SETTINGS.routes()])
        for movie in movies:
            self.add_movie(movie)

    # What the library holds

    def movie(self, tmdb_id: int) -> dict[str, Any]:
        """A movie as `GET /movie/{id}` answers it."""
        return self._movies.resource(self._row(tmdb_id))

    # What others do to it

    def add_movie(self, seed: MovieSeed) -> int:
        """Put a movie into the library; returns Radarr's id."""
        return self._store.insert(seed).id

    def remove_movie(self, tmdb_id: int) -> None:
        """Take a movie out of the library."""
        self._store.delete(self._row(tmdb_id).id)

    def update_movie(self, tmdb_id: int, **changes: Any) -> None:  # noqa: ANN401 # fields of MovieSeed
        """Change fields of a movie, as a refresh or the user does; `tags` replaces all its tags."""
        row = self._row(tmdb_id)
        row = self._store.describe(row, replace(self._store.metadata(row), **changes))
        if "tags" in changes:
            tags = frozenset(map(self._store.ensure_tag, changes["tags"]))
            self._store.update(replace(row, tags=tags))

    def start_import(self, tmdb_id: int) -> Callable[[], None]:
        """Begin the import of a file. Calling the result ends it, which saves the movie's row as it was before."""
        return self._hold(tmdb_id)

    def refresh(self) -> None:
        """Do the daily refresh: popularity and ratings change, nothing else."""
        self._store.refreshes += 1

    def rebuild(self) -> None:
        """Rebuild the database: movies and tags get other ids, and old ids name other movies and tags."""
        self._store.rebuild()

    # What it was asked

    @property
    def credit_reads(self) -> list[LoggedRequest]:
        """The reads of credits."""
        return self._asked("GET", f"{V3}/credit")
