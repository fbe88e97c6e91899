"""Stand in for TagController, TagDetailsController and TagService, which both programs have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.responses import Response

from kometa_ai.standins.arr.errors import (
    FrameworkError,
    bad_request,
    failure,
    invalid,
    invalid_operation,
    not_found,
)
from kometa_ai.standins.arr.http import V3, TagBody, id_of, json_answer, read_body, route
from kometa_ai.standins.arr.store import DuplicateLabel

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from kometa_ai.standins.arr.errors import ArrError
    from kometa_ai.standins.arr.product import Behaviour
    from kometa_ai.standins.arr.store import Store
    from kometa_ai.standins.arr.wire import Json

# In .NET, the dollar sign also matches before one line feed at the end.
_LABEL_PATTERN = "^[a-z0-9-]+$"
_LABEL = re.compile(_LABEL_PATTERN, re.IGNORECASE | re.ASCII)


class Tags:
    """The actions under /tag."""

    def __init__(self, store: Store[Any, Any], behaviour: Behaviour) -> None:
        self._store = store
        self._behaviour = behaviour

    def routes(self) -> list[Route]:
        """Path and action; fixed paths before those with an id."""
        return [
            route("GET", f"{V3}/tag", self._list),
            route("POST", f"{V3}/tag", self._add),
            route("PUT", f"{V3}/tag", self._rename),
            route("GET", f"{V3}/tag/detail", self._list_details),
            route("GET", f"{V3}/tag/detail/{{id}}", self._get_detail),
            route("GET", f"{V3}/tag/{{id}}", self._get),
            route("PUT", f"{V3}/tag/{{id}}", self._rename),
            route("DELETE", f"{V3}/tag/{{id}}", self._delete),
        ]

    async def _list(self, _request: Request) -> Response:
        return json_answer([{"label": label, "id": tag} for tag, label in self._sorted()])

    async def _get(self, request: Request) -> Response:
        tag = id_of(request)
        labels = self._store.labels()
        if tag not in labels:
            raise self._unknown()
        return json_answer({"label": labels[tag], "id": tag})

    async def _add(self, request: Request) -> Response:
        """Look the label up as posted, and only then lower-case it: an existing label in upper case is a duplicate."""
        body = await read_body(request, TagBody)
        label = self._checked(body)
        tag = self._store.tag_id(label)
        if tag is None:
            label = label.lower()
            tag = await self._insert(body, label)
        location = f"{request.url.scheme}://{request.url.netloc}{self._behaviour.url_base}{V3}/tag/{tag}"
        return json_answer({"label": label, "id": tag}, 201, {"Location": location})

    async def _insert(self, body: TagBody, label: str) -> int:
        if body.id:
            raise invalid_operation(f"Can't insert model with existing ID {body.id}")
        if self._behaviour.before_tag_insert is not None:
            await to_thread.run_sync(self._behaviour.before_tag_insert)
        try:
            return self._store.insert_tag(label)
        except DuplicateLabel:
            raise self._duplicate() from None

    async def _rename(self, request: Request) -> Response:
        body = await read_body(request, TagBody)
        label = self._checked(body).lower()
        tag = body.id or (id_of(request) if "id" in request.path_params else 0)
        try:
            self._store.rename_tag(tag, label)
        except DuplicateLabel:
            raise self._duplicate() from None
        if tag not in self._store.labels():
            raise not_found("Tag", tag)
        return json_answer({"label": label, "id": tag}, 202)

    async def _delete(self, request: Request) -> Response:
        """Refuse while anything uses the tag; an auto-tagging condition does not count, though it is listed."""
        tag = id_of(request)
        if tag <= 0:
            raise bad_request(f"{tag} is not a valid ID")
        label = self._store.labels().get(tag)
        if label is None:
            raise not_found("Tag", tag)
        detail = self._detail(tag, label, conditions=False)
        if any(isinstance(users, list) and users for users in detail.values()):
            message = f"Tag with ID {tag} '{label}' cannot be deleted since it's still in use"
            raise failure(409, message, "NzbDrone.Core.Datastore.ModelConflictException")
        self._store.delete_tag(tag)
        return Response(status_code=200)

    async def _list_details(self, _request: Request) -> Response:
        return json_answer([self._detail(tag, label, conditions=True) for tag, label in self._sorted()])

    async def _get_detail(self, request: Request) -> Response:
        tag = id_of(request)
        labels = self._store.labels()
        if tag not in labels:
            raise self._unknown()
        return json_answer(self._detail(tag, labels[tag], conditions=False))

    def _sorted(self) -> list[tuple[int, str]]:
        return sorted(self._store.labels().items(), key=lambda item: item[1].lower())

    def _detail(self, tag: int, label: str, *, conditions: bool) -> Json:
        in_settings = [1] if tag in self._store.used_by_settings else []
        return {
            "label": label,
            **{name: [] for name in self._behaviour.product.tag_lists},
            "notificationIds": in_settings,
            "autoTagIds": self._store.rules_with(tag, conditions=conditions),
            self._behaviour.product.ids: self._store.items_with(tag),
            "id": tag,
        }

    def _checked(self, body: TagBody) -> str:
        rules, label = self._behaviour.label_rules, body.label
        if rules != "none" and not (label and label.strip()):
            raise invalid("Label", "'Label' must not be empty.", label, "NotEmptyValidator")
        if rules == "v6" and label is not None and _LABEL.search(label) is None:
            message = "Allowed characters a-z, 0-9 and -"
            pattern = {"regularExpression": _LABEL_PATTERN}
            raise invalid("Label", message, label, "RegularExpressionValidator", **pattern)
        if label is None:
            raise failure(500, "Object reference not set to an instance of an object.", "NullReferenceException")
        return label

    def _unknown(self) -> Exception:
        return HTTPException(404) if self._behaviour.product.is_silent_about_tags else FrameworkError(404)

    def _duplicate(self) -> ArrError:
        if self._behaviour.database == "postgres":
            message = '23505: duplicate key value violates unique constraint "IX_Tags_Label"'
            return failure(500, message, "Npgsql.PostgresException")
        message = "constraint failed\nUNIQUE constraint failed: Tags.Label"
        return failure(409, message, "code = Constraint (19), System.Data.SQLite.SQLiteException")
