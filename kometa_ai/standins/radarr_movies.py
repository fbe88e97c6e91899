"""Stand in for MovieController, MovieEditorController, CreditController and AutoTaggingController of Radarr."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from anyio import sleep, to_thread
from starlette.responses import Response

from kometa_ai.standins.radarr_errors import (
    FrameworkError,
    bad_request,
    database_locked,
    failure,
    invalid,
    not_found,
)
from kometa_ai.standins.radarr_http import (
    V3,
    EditorBody,
    JsonAnswer,
    MovieBody,
    boolean_query,
    id_of,
    integer_query,
    json_answer,
    read_body,
    route,
)
from kometa_ai.standins.radarr_settings import PROFILES
from kometa_ai.standins.radarr_wire import MovieWriter, Shape, credit_resources, rule_resources

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from kometa_ai.standins.radarr_seed import Behaviour
    from kometa_ai.standins.radarr_store import Row, Store
    from kometa_ai.standins.radarr_wire import Json

_LANGUAGES = range(1, 58)
_QUALITY_PROFILES = range(1, len(PROFILES) + 1)


class Movies:
    """The actions under /movie, /credit and /autotagging."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        self._store = store
        self._behaviour = behaviour
        self._writer = MovieWriter(store)

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

    def resource(self, row: Row) -> Json:
        """A movie as `GET /movie/{id}` answers it: in the user's language, which the request cannot choose."""
        return self._writer.resource(row, Shape(language=self._behaviour.ui_language))

    async def _list(self, request: Request) -> Response:
        tmdb_id = integer_query(request, "tmdbId")
        no_covers = boolean_query(request, "excludeLocalCovers")
        language = integer_query(request, "languageId") or 0
        if language > 0 and language not in _LANGUAGES:
            raise failure(500, "Sequence contains no matching element")
        language = language if language > 0 else self._behaviour.ui_language
        if tmdb_id is not None:
            row = self._store.row_by_tmdb(tmdb_id)
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
        _check_quality_profile(body.quality_profile_id)
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
        await self._save(request, [replace(row, columns=columns, tags=frozenset(body.tags or ()))])
        return json_answer(self.resource(self._store.row(movie_id) or row), 202)

    async def _edit(self, request: Request) -> Response:
        body = await read_body(request, EditorBody)
        if body.quality_profile_id is not None:
            _check_quality_profile(body.quality_profile_id)
        rows = await self._save(request, [_edited(row, body) for row in self._selected(body)])
        shape = Shape("editor", self._behaviour.ui_language)
        return JsonAnswer(self._writer.write_list(rows, shape), 202)

    async def _delete_many(self, request: Request) -> Response:
        for row in self._selected(await read_body(request, EditorBody)):
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

    def _selected(self, body: EditorBody) -> list[Row]:
        """Each id must name a movie, and only once: Radarr compares the number of ids with the number of rows."""
        if body.movie_ids is None:
            raise failure(500, "Value cannot be null. (Parameter 'source')", "System.ArgumentNullException")
        rows = self._store.rows_of(body.movie_ids)
        if len(rows) != len(body.movie_ids):
            message = f"Expected query to return {len(body.movie_ids)} rows but returned {len(rows)}"
            raise failure(500, message, "System.ApplicationException")
        return rows

    async def _save(self, request: Request, rows: list[Row]) -> list[Row]:
        """Save whole rows one by one, without a transaction; what others wrote since the read is lost."""
        tagged = [self._store.auto_tagged(row) for row in rows]
        await sleep(self._behaviour.save_delay)
        if self._behaviour.before_save is not None:
            await to_thread.run_sync(self._behaviour.before_save)
        dies_after = request.scope["state"].get("dies_after")
        for saved, row in enumerate(tagged):
            if saved == dies_after:
                raise database_locked()
            self._store.update(row)
        return tagged


def _edited(row: Row, body: EditorBody) -> Row:
    columns = row.columns
    if body.monitored is not None:
        columns = replace(columns, monitored=body.monitored)
    if body.quality_profile_id is not None:
        columns = replace(columns, quality_profile_id=body.quality_profile_id)
    if body.minimum_availability is not None:
        columns = replace(columns, minimum_availability=body.minimum_availability)
    return replace(row, columns=columns, tags=body.apply(row.tags))


def _check_quality_profile(number: int) -> None:
    if number not in _QUALITY_PROFILES:
        raise invalid("QualityProfileId", "Quality Profile does not exist", number, "QualityProfileExistsValidator")
