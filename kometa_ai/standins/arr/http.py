"""Read requests and write answers as the programs' actions do: routes, queries, bodies, JSON in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from kometa_ai.standins.arr.errors import FrameworkError
from kometa_ai.standins.arr.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

V3 = "/api/v3"

_APPLY_TAGS = ("add", "remove", "replace")
_JSON_TYPES = ("*/*", "application/*", "application/json", "text/json", "text/*")


def lower(name: str) -> str:
    """The name of a field as `read_body` looks it up: names are read in any case."""
    return name.replace("_", "")


class TagBody(msgspec.Struct, rename=lower):
    """The fields that are read from a posted tag."""

    label: str | None = None
    id: int = 0


class TagEdit(msgspec.Struct, rename=lower):
    """The fields of a bulk edit that are about tags."""

    tags: list[int] | None = None
    apply_tags: int | str = _APPLY_TAGS[0]

    def __post_init__(self) -> None:
        """Read the enumeration as leniently as the programs: in any case, or as a number, even an undefined one."""
        text = str(self.apply_tags).lower()
        if text.isdigit():
            text = _APPLY_TAGS[int(text)] if int(text) < len(_APPLY_TAGS) else ""
        elif text not in _APPLY_TAGS:
            raise ValueError(f"{text} is not one of {_APPLY_TAGS}")
        self.apply_tags = text

    def apply(self, tags: frozenset[int]) -> frozenset[int]:
        """The tags of an item after this edit; it is not checked whether such tags exist."""
        if self.tags is None:
            return tags
        if self.apply_tags == "add":
            return tags.union(self.tags)
        if self.apply_tags == "remove":
            return tags.difference(self.tags)
        return frozenset(self.tags) if self.apply_tags == "replace" else tags


class JsonAnswer(Response):
    """JSON in chunks, without a length; 406 if the client accepts no JSON, although the action was carried out."""

    media_type = "application/json; charset=utf-8"

    def __init__(self, pieces: Iterable[bytes], status: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(status_code=status, headers=headers)
        del self.headers["Content-Length"]
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        if not _accepts_json(Headers(scope=scope).get("Accept", "*/*")):
            await Response(status_code=406)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> JsonAnswer:
    """A value as an action answers it."""
    return JsonAnswer([to_json(value)], status, headers)


def route(method: str, path: str, action: Callable[[Request], Awaitable[Response]]) -> Route:
    """An action for exactly one method: no HEAD is answered where only GET is mapped. Paths are read in any case."""
    made = Route(path.lower(), action, methods=[method])
    made.methods = {method}
    return made


async def refuse_quietly(_request: Request, error: Exception) -> Response:
    """Answer 404 or 405 with an empty body."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    return Response(status_code=status, headers=headers)


async def problem_details(_request: Request, error: Exception) -> Response:
    """Answer with the web framework's refusal."""
    body, status = (error.body, error.status) if isinstance(error, FrameworkError) else ({}, 500)
    return Response(to_json(body), status, media_type="application/problem+json; charset=utf-8")


def id_of(request: Request) -> int:
    """The id in the path; a path with anything but an integer there does not exist."""
    try:
        return int(request.path_params["id"])
    except ValueError:
        raise HTTPException(404) from None


def integer_query(request: Request, name: str) -> int | None:
    """An integer of the query; names are case-insensitive."""
    value = _query(request, name)
    try:
        return int(value) if value else None
    except ValueError:
        raise FrameworkError(400, {name: [f"The value '{value}' is not valid."]}) from None


def boolean_query(request: Request, name: str) -> bool:
    """A boolean of the query, false if it is missing."""
    value = _query(request, name) or "false"
    if value.lower() not in {"true", "false"}:
        raise FrameworkError(400, {name: [f"The value '{value}' is not valid."]})
    return value.lower() == "true"


_Body = TypeVar("_Body", bound=msgspec.Struct)


async def read_body(request: Request, shape: type[_Body]) -> _Body:
    """The body as the framework binds it: names in any case, unknown ones ignored, numbers also as text."""
    body = await request.body()
    content_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_json = content_type in {"application/json", "text/json"} or content_type.endswith("+json")
    if not is_json and (body or content_type):
        raise FrameworkError(415)
    if not body:
        raise FrameworkError(400, {"": ["A non-empty request body is required."]})
    try:
        raw = msgspec.json.decode(body, type=dict[str, object])
        return msgspec.convert({name.lower(): value for name, value in raw.items()}, shape, strict=False)
    except msgspec.MsgspecError as error:
        name = request.scope["state"]["product"].name
        message = f"The JSON value could not be converted to {name}.Api.V3.{shape.__name__}. {error}"
        raise FrameworkError(400, {"$": [message], "resource": ["The resource field is required."]}) from None


def _query(request: Request, name: str) -> str | None:
    return next((value for key, value in request.query_params.multi_items() if key.lower() == name.lower()), None)


def _accepts_json(accept: str) -> bool:
    return any(part.partition(";")[0].strip().lower() in _JSON_TYPES for part in accept.split(","))
