"""Stand in for MovieController, MovieEditorController, CreditController and AutoTaggingController of Radarr."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from anyio import sleep
from starlette.responses import Response

from kometa_ai.standins.arr.errors import FrameworkError, bad_request, invalid, invalid_operation, not_found
from kometa_ai.standins.arr.http import (
    V3,
    JsonAnswer,
    TagEdit,
    boolean_query,
    id_of,
    integer_query,
    json_answer,
    lower,
    read_body,
    route,
)
from kometa_ai.standins.arr.saving import save, selected
from kometa_ai.standins.arr.settings import check_quality_profile
from kometa_ai.standins.arr.wire import ListWriter, rule_resources
from kometa_ai.standins.radarr_wire import Shape, credit_resources, movie_resource

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from kometa_ai.standins.arr.wire import Json
    from kometa_ai.standins.radarr_seed import RadarrBehaviour
    from kometa_ai.standins.radarr_store import MovieRow, MovieStore

_LANGUAGES = range(1, 58)


class MovieBody(msgspec.Struct, rename=lower):
    """The fields that are read from a posted movie. A missing one gets .NET's default, not the movie's value."""

    id: int = 0
    path: str | None = None
    quality_profile_id: int = 0
    monitored: bool = True
    minimum_availability: str = "released"
    tags: list[int] | None = None


class EditorBody(TagEdit, rename=lower):
    """The fields that are read from a bulk edit."""

    movie_ids: list[int] | None = None
    monitored: bool | None = None
    quality_profile_id: int | None = None
    minimum_availability: str | None = None


class Movies:
    """The actions under /movie, /credit and /autotagging."""

    def __init__(self, store: MovieStore, behaviour: RadarrBehaviour) -> None:
        self._store = store
        self._behaviour = behaviour
        self._writer: ListWriter[MovieRow, Shape] = ListWriter(
            lambda row, shape: movie_resource(row, store, shape),
            lambda row: (row.columns, store.metadata(row), store.refreshes),
        )

    def routes(self) -> list[Route]:
        """Path and action; fixed paths before those with an id."""
        return [
            route("GET", f"{V3}/movie", self._list),
            route("PUT", f"{V3}/movie", self._put),
            route("PUT", f"{V3}/movie/editor", self._edit),
            route("DELETE", f"{V3}/movie/editor", self._delete_many),
            route("GET", f"{V3}/movie/{{id}}", self._get),
            route("PUT", f"{V3}/movie/{{id}}", self._put),
            route("DELETE", f"{V3}/movie/{{id}}", self._delete),
            route("GET", f"{V3}/credit", self._credits),
            route("GET", f"{V3}/credit/{{id}}", self._credit),
            route("GET", f"{V3}/autotagging", self._rules),
        ]

    def resource(self, row: MovieRow) -> Json:
        """A movie as `GET /movie/{id}` answers it: in the user's language, which the request cannot choose."""
        return self._writer.resource(row, Shape(language=self._behaviour.ui_language))

    async def _list(self, request: Request) -> Response:
        tmdb_id = integer_query(request, "tmdbId")
        no_covers = boolean_query(request, "excludeLocalCovers")
        language = integer_query(request, "languageId") or 0
        if language > 0 and language not in _LANGUAGES:
            raise invalid_operation("Sequence contains no matching element")
        language = language if language > 0 else self._behaviour.ui_language
        if tmdb_id is not None:
            row = self._store.row_by_number(tmdb_id)
            shape = Shape(language=language)
            return JsonAnswer(self._writer.write_list([] if row is None else [row], shape))
        if not no_covers:
            await sleep(self._behaviour.local_covers_delay)
        shape = Shape(language=language, covers=not no_covers)
        return JsonAnswer(self._writer.write_list(self._store.rows(), shape))

    async def _get(self, request: Request) -> Response:
        row = self._store.row(id_of(request))
        if row is None:
            raise FrameworkError(404)
        return json_answer(self.resource(row))

    async def _put(self, request: Request) -> Response:
        """Replace a movie's settings and tags by those sent, or by a default if missing."""
        body = await read_body(request, MovieBody)
        if not body.path:
            raise invalid("Path", "'Path' must not be empty.", body.path, "NotEmptyValidator")
        check_quality_profile(body.quality_profile_id)
        movie_id = body.id or (id_of(request) if "id" in request.path_params else 0)
        row = self._store.row(movie_id)
        if row is None:
            raise not_found("Movie", movie_id)
        columns = replace(
            row.columns,
            path=body.path,
            quality_profile_id=body.quality_profile_id,
            monitored=body.monitored,
            minimum_availability=body.minimum_availability,
        )
        await save(
            request, self._store, self._behaviour, [replace(row, columns=columns, tags=frozenset(body.tags or ()))]
        )
        return json_answer(self.resource(self._store.row(movie_id) or row), 202)

    async def _edit(self, request: Request) -> Response:
        body = await read_body(request, EditorBody)
        if body.quality_profile_id is not None:
            check_quality_profile(body.quality_profile_id)
        rows = await save(
            request, self._store, self._behaviour, [_edited(row, body) for row in selected(self._store, body.movie_ids)]
        )
        shape = Shape("editor", self._behaviour.ui_language)
        return JsonAnswer(self._writer.write_list(rows, shape), 202)

    async def _delete_many(self, request: Request) -> Response:
        body = await read_body(request, EditorBody)
        for row in selected(self._store, body.movie_ids):
            self._store.delete(row.id)
        return json_answer({})

    async def _delete(self, request: Request) -> Response:
        movie_id = id_of(request)
        if movie_id <= 0:
            raise bad_request(f"{movie_id} is not a valid ID")
        if self._store.row(movie_id) is None:
            raise not_found("Movie", movie_id)
        self._store.delete(movie_id)
        return Response(status_code=200)

    async def _credits(self, request: Request) -> Response:
        metadata_id = integer_query(request, "movieMetadataId")
        movie_id = integer_query(request, "movieId")
        if metadata_id is not None:
            rows = [row for row in self._store.rows() if row.metadata_id == metadata_id]
        elif movie_id is not None:
            rows = self._store.rows_of([movie_id])
            if not rows:
                raise not_found("Movie", movie_id)
        else:
            rows = self._store.rows()
        return json_answer([credit for row in rows for credit in credit_resources(row, self._store.metadata(row))])

    async def _credit(self, request: Request) -> Response:
        credit_id = id_of(request)
        for row in self._store.rows():
            for credit in credit_resources(row, self._store.metadata(row)):
                if credit["id"] == credit_id:
                    return json_answer(credit)
        raise FrameworkError(404)

    async def _rules(self, _request: Request) -> Response:
        return json_answer(rule_resources(self._store))


def _edited(row: MovieRow, body: EditorBody) -> MovieRow:
    columns = row.columns
    if body.monitored is not None:
        columns = replace(columns, monitored=body.monitored)
    if body.quality_profile_id is not None:
        columns = replace(columns, quality_profile_id=body.quality_profile_id)
    if body.minimum_availability is not None:
        columns = replace(columns, minimum_availability=body.minimum_availability)
    return replace(row, columns=columns, tags=body.apply(row.tags))
