"""A stand-in for Radarr: its v3 API over plain Python state, for tests, the demo and development.

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

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from kometa_ai.standins.faults import Effect, Faults
from kometa_ai.standins.radarr_errors import FrameworkError, database_locked
from kometa_ai.standins.radarr_http import V3, json_answer, problem_details, refuse_quietly, route
from kometa_ai.standins.radarr_movies import Movies
from kometa_ai.standins.radarr_pipeline import VERSION, LoggedRequest, layers, starting_up_answer
from kometa_ai.standins.radarr_seed import AutoTagRule, Behaviour, MovieSeed, Translation
from kometa_ai.standins.radarr_settings import routes as settings_routes
from kometa_ai.standins.radarr_store import Row, Store
from kometa_ai.standins.radarr_tags import Tags
from kometa_ai.standins.radarr_wire import status_resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = [
    "API_KEY",
    "AutoTagRule",
    "Behaviour",
    "LoggedRequest",
    "MovieSeed",
    "RadarrStandIn",
    "Translation",
    "editor_dies_after",
    "locked",
    "not_ready",
]

API_KEY = "0123456789abcdef0123456789abcdef"


class RadarrStandIn:
    """One Radarr. `app` is the server, `requests` its log, `behaviour` how it behaves, `faults` what fails.

    Methods name movies by TMDb id, since that is stable; Radarr's own ids differ from it on purpose.
    `tags_in_settings` are labels that some setting uses, which keeps them from housekeeping and from deletion.
    """

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
        base = url_base.strip("/")
        self.behaviour = Behaviour(
            api_key=api_key,
            url_base=f"/{base}" if base else "",
            label_rules=label_rules,
            database=database,
            ui_auth=ui_auth,
        )
        self.requests: list[LoggedRequest] = []
        self.faults = Faults()
        self._store = Store(tuple(rules), tags_in_settings)
        self._movies = Movies(self._store, self.behaviour)
        tags = Tags(self._store, self.behaviour)
        self.app = Starlette(
            routes=[*_probes(self.behaviour), *tags.routes(), *self._movies.routes(), *settings_routes()],
            middleware=layers(self.behaviour, self.requests, self.faults),
            exception_handlers={HTTPException: refuse_quietly, FrameworkError: problem_details},
        )
        self.app.router.redirect_slashes = False
        for movie in movies:
            self.add_movie(movie)

    # What the library holds

    @property
    def labels(self) -> set[str]:
        """Every tag there is."""
        return set(self._store.labels().values())

    def tag_id(self, label: str) -> int:
        """The id of a tag; KeyError if there is none."""
        found = self._store.tag_id(label.lower())
        if found is None:
            raise KeyError(label)
        return found

    def labels_of(self, tmdb_id: int) -> set[str]:
        """The labels of a movie's tags, without ids that no longer name a tag."""
        labels = self._store.labels()
        return {labels[tag] for tag in self._row(tmdb_id).tags if tag in labels}

    def members(self, label: str) -> set[int]:
        """The TMDb ids of the movies with this tag; empty if there is no such tag."""
        tag = self._store.tag_id(label.lower())
        return {self._store.metadata(row).tmdb_id for row in self._store.rows() if tag in row.tags}

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

    def tag_by_hand(self, tmdb_id: int, label: str) -> None:
        """Add a tag as the user does; it is created if there is none."""
        row = self._row(tmdb_id)
        tag = self._store.ensure_tag(label)
        self._store.update(self._store.auto_tagged(replace(row, tags=row.tags | {tag})))

    def untag_by_hand(self, tmdb_id: int, label: str) -> None:
        """Remove a tag from a movie as the user does."""
        row = self._row(tmdb_id)
        tag = self.tag_id(label)
        self._store.update(self._store.auto_tagged(replace(row, tags=row.tags - {tag})))

    def start_import(self, tmdb_id: int) -> Callable[[], None]:
        """Begin the import of a file. Calling the result ends it, which saves the movie's row as it was before."""
        row = self._row(tmdb_id)
        return lambda: self._store.update(row)

    def refresh(self) -> None:
        """Do the daily refresh: popularity and ratings change, nothing else."""
        self._store.refreshes += 1

    def housekeeping(self) -> None:
        """Do the daily clean-up: every unused tag is deleted."""
        self._store.housekeeping()

    def rebuild(self) -> None:
        """Rebuild the database: movies and tags get other ids, and old ids name other movies and tags."""
        self._store.rebuild()

    # What it was asked

    @property
    def writes(self) -> list[LoggedRequest]:
        """Every request that writes."""
        return [request for request in self.requests if request.method not in {"GET", "HEAD"}]

    @property
    def editor_calls(self) -> list[LoggedRequest]:
        """The bulk edits."""
        return self._asked("PUT", "/movie/editor")

    @property
    def list_reads(self) -> list[LoggedRequest]:
        """The reads of the movie list."""
        return self._asked("GET", f"{V3}/movie")

    @property
    def credit_reads(self) -> list[LoggedRequest]:
        """The reads of credits."""
        return self._asked("GET", f"{V3}/credit")

    def _asked(self, method: str, ending: str) -> list[LoggedRequest]:
        return [
            request
            for request in self.requests
            if request.method == method and request.path.lower().rstrip("/").endswith(ending)
        ]

    def _row(self, tmdb_id: int) -> Row:
        row = self._store.row_by_tmdb(tmdb_id)
        if row is None:
            raise KeyError(tmdb_id)
        return row


def locked() -> Effect:
    """SQLite is busy: 500, and nothing is done. Also happens to reads."""
    return Effect(lambda _app: _raising(database_locked), inside=True)


def not_ready() -> Effect:
    """Radarr is starting up: 503 for requests with the right key."""
    return Effect(lambda _app: starting_up_answer(), inside=True)


def editor_dies_after(rows: int) -> Effect:
    """A save of several movies fails with 500 after this many: without a transaction, these stay saved."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"]["dies_after"] = rows
            await app(scope, receive, send)

        return call

    return Effect(around, inside=True)


def _raising(error: Callable[[], Exception]) -> ASGIApp:
    async def call(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error()

    return call


def _probes(behaviour: Behaviour) -> list[Route]:
    async def ping(_request: Request) -> Response:
        return json_answer({"status": "OK"})

    async def versions(_request: Request) -> Response:
        return json_answer({"current": "v3", "deprecated": []})

    async def status(_request: Request) -> Response:
        resource = status_resource(
            url_base=behaviour.url_base,
            database=behaviour.database,
            authentication=behaviour.ui_auth,
            version=VERSION,
        )
        return json_answer(resource)

    return [
        Route("/ping", ping, methods=["GET", "HEAD"]),
        route("GET", "/api", versions),
        route("GET", f"{V3}/system/status", status),
    ]
