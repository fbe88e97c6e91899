"""Stand in for SeriesController, SeriesEditorController and AutoTaggingController of Sonarr."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
from anyio import sleep
from starlette.responses import Response

from kometa_ai.standins.arr.errors import FrameworkError, bad_request, failure, invalid, not_found
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
from kometa_ai.standins.sonarr_seed import SeriesType
from kometa_ai.standins.sonarr_store import DuplicateShow, Season
from kometa_ai.standins.sonarr_wire import Shape, show_resource

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from kometa_ai.standins.arr.errors import ArrError
    from kometa_ai.standins.arr.wire import Json
    from kometa_ai.standins.sonarr_seed import SonarrBehaviour
    from kometa_ai.standins.sonarr_store import ShowRow, ShowStore


class SeasonBody(msgspec.Struct, rename="camel"):
    """A season of a posted show."""

    season_number: int = 0
    monitored: bool = False


class ShowBody(msgspec.Struct, rename=lower):
    """The fields that are read from a posted show. A missing one gets .NET's default, not the show's value."""

    id: int = 0
    tvdb_id: int = 0
    path: str | None = None
    quality_profile_id: int = 0
    season_folder: bool = False
    monitored: bool = False
    series_type: SeriesType = "standard"
    seasons: list[SeasonBody] | None = None
    tags: list[int] | None = None


class EditorBody(TagEdit, rename=lower):
    """The fields that are read from a bulk edit."""

    series_ids: list[int] | None = None
    monitored: bool | None = None
    quality_profile_id: int | None = None
    series_type: SeriesType | None = None
    season_folder: bool | None = None
    root_folder_path: str | None = None


class Shows:
    """The actions under /series and /autotagging."""

    def __init__(self, store: ShowStore, behaviour: SonarrBehaviour) -> None:
        self._store = store
        self._behaviour = behaviour
        self._order = random.Random(2)
        self._writer: ListWriter[ShowRow, Shape] = ListWriter(
            lambda row, shape: show_resource(row, store, shape),
            lambda row: (row.show, row.seasons, row.path, row.refreshes, store.refreshes),
        )

    def routes(self) -> list[Route]:
        """Path and action; fixed paths before those with an id."""
        return [
            route("GET", f"{V3}/series", self._list),
            route("PUT", f"{V3}/series", self._put),
            route("PUT", f"{V3}/series/editor", self._edit),
            route("DELETE", f"{V3}/series/editor", self._delete_many),
            route("GET", f"{V3}/series/{{id}}", self._get),
            route("PUT", f"{V3}/series/{{id}}", self._put),
            route("DELETE", f"{V3}/series/{{id}}", self._delete),
            route("GET", f"{V3}/autotagging", self._rules),
        ]

    def resource(self, row: ShowRow, *, season_images: bool = False) -> Json:
        """A show as `GET /series/{id}` answers it."""
        return self._writer.resource(row, Shape("single", season_images))

    async def _list(self, request: Request) -> Response:
        """Every show, in an order that means nothing: Sonarr asks its database for none."""
        tvdb_id = integer_query(request, "tvdbId")
        shape = Shape("list", boolean_query(request, "includeSeasonImages"))
        await sleep(self._behaviour.list_delay)
        if tvdb_id is not None:
            row = self._store.row_by_number(tvdb_id)
            return JsonAnswer(self._writer.write_list([] if row is None else [row], shape))
        rows = self._store.rows()
        self._order.shuffle(rows)
        return JsonAnswer(self._writer.write_list(rows, shape))

    async def _get(self, request: Request) -> Response:
        row = self._store.row(id_of(request))
        season_images = boolean_query(request, "includeSeasonImages")
        if row is None:
            raise FrameworkError(404)
        return json_answer(self.resource(row, season_images=season_images))

    async def _put(self, request: Request) -> Response:
        """Replace a show's settings, seasons, TVDB id and tags by those sent, or by a default if missing."""
        body = await read_body(request, ShowBody)
        if not body.path:
            raise invalid("Path", "Invalid Path: '{path}'", body.path, "PathValidator")
        _check_profile(body.quality_profile_id)
        show_id = body.id or (id_of(request) if "id" in request.path_params else 0)
        row = self._store.row(show_id)
        if row is None:
            raise not_found("Series", show_id)
        show = replace(
            row.show,
            tvdb_id=body.tvdb_id,
            quality_profile_id=body.quality_profile_id,
            season_folder=body.season_folder,
            monitored=body.monitored,
            series_type=body.series_type,
        )
        seasons = tuple(Season(season.season_number, season.monitored) for season in body.seasons or ())
        changed = replace(row, show=show, seasons=seasons, path=body.path, tags=frozenset(body.tags or ()))
        self._store.flip(changed, row)
        try:
            await save(request, self._store, self._behaviour, [changed])
        except DuplicateShow:
            raise self._duplicate() from None
        return json_answer(self.resource(self._store.row(show_id) or row), 202)

    async def _edit(self, request: Request) -> Response:
        body = await read_body(request, EditorBody)
        edited = [_edited(row, body) for row in selected(self._store, body.series_ids)]
        rows = await save(request, self._store, self._behaviour, edited)
        return JsonAnswer(self._writer.write_list(rows, Shape("editor")), 202)

    async def _delete_many(self, request: Request) -> Response:
        body = await read_body(request, EditorBody)
        for row in selected(self._store, body.series_ids):
            self._store.delete(row.id)
        return json_answer({})

    async def _delete(self, request: Request) -> Response:
        """Delete one show by the way of several: an unknown id fails the comparison of numbers."""
        show_id = id_of(request)
        if show_id <= 0:
            raise bad_request(f"{show_id} is not a valid ID")
        (row,) = selected(self._store, [show_id])
        self._store.delete(row.id)
        return Response(status_code=200)

    async def _rules(self, _request: Request) -> Response:
        return json_answer(rule_resources(self._store))

    def _duplicate(self) -> ArrError:
        if self._behaviour.database == "postgres":
            message = '23505: duplicate key value violates unique constraint "IX_Series_TvdbId"'
            return failure(500, message, "Npgsql.PostgresException")
        message = "constraint failed\nUNIQUE constraint failed: Series.TvdbId"
        return failure(409, message, "code = Constraint (19), System.Data.SQLite.SQLiteException")


def _edited(row: ShowRow, body: EditorBody) -> ShowRow:
    """The row after a bulk edit; a quality profile that no longer exists is refused, however it came there."""
    show, path = row.show, row.path
    if body.monitored is not None:
        show = replace(show, monitored=body.monitored)
    if body.quality_profile_id is not None:
        show = replace(show, quality_profile_id=body.quality_profile_id)
    if body.series_type is not None:
        show = replace(show, series_type=body.series_type)
    if body.season_folder is not None:
        show = replace(show, season_folder=body.season_folder)
    if body.root_folder_path:
        path = f"{body.root_folder_path.rstrip('/')}/{row.path.rsplit('/', 1)[-1]}"
    _check_profile(show.quality_profile_id)
    return replace(row, show=show, path=path, tags=body.apply(row.tags))


def _check_profile(number: int) -> None:
    if number <= 0:
        message = "'Quality Profile Id' must be greater than '0'."
        raise invalid("QualityProfileId", message, number, "GreaterThanValidator", comparisonValue=0)
    check_quality_profile(number)
