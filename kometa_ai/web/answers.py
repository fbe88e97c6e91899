"""Build the API's answers: JSON, errors, and their OpenAPI description."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import Response, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel

from kometa_ai.daemon.overtaken import MadeAlready
from kometa_ai.daemon.pinning import ListChanged
from kometa_ai.errors import CheckLibrary, CheckModel, FixConfiguration, FixUsage, RepairState, WaitForOtherRun
from kometa_ai.jobs.aside import DoesNotAnswer
from kometa_ai.run.failure import RunHangs

if TYPE_CHECKING:
    from collections.abc import Mapping


class Failed(msgspec.Struct, frozen=True):
    """What is wrong, and what to do about it."""

    error: str
    remedy: str = ""


class FailedModel(BaseModel):
    """`Failed` as a model for the OpenAPI document."""

    error: str
    remedy: str = ""


# The guard checks the key; these only document it.
DOCUMENTED_KEY = [
    Security(APIKeyHeader(name="X-Api-Key", auto_error=False)),
    Security(HTTPBearer(auto_error=False)),
]
KEY_NEEDED: dict[int | str, dict[str, Any]] = {
    401: {"model": FailedModel, "description": "No key, or a wrong one"},
}


_SCHEMAS = "#/components/schemas/{name}"


def reference_to(*kinds: type[msgspec.Struct]) -> dict[str, Any]:
    """Refer to the schema of one of these structs."""
    references: list[dict[str, Any]] = [{"$ref": _SCHEMAS.format(name=kind.__name__)} for kind in kinds]
    return references[0] if len(references) == 1 else {"anyOf": references}


def documented(*kinds: type[msgspec.Struct], as_list: bool = False) -> dict[str, Any]:
    """Describe an answer in the OpenAPI document: one of these structs, or a list of them."""
    schema = reference_to(*kinds)
    schema = {"type": "array", "items": schema} if as_list else schema
    return {"content": {"application/json": {"schema": schema}}}


def documented_as(media_type: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an answer that is not JSON.

    Its route needs the plain `response_class`, or FastAPI documents its errors as not JSON either.
    """
    return {"content": {media_type: {"schema": schema}}}


def schemas_of(*kinds: type[msgspec.Struct]) -> dict[str, Any]:
    """The schemas that `reference_to` refers to, with those that they contain."""
    return msgspec.json.schema_components(kinds, ref_template=_SCHEMAS)[1]


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Make a response from any value that msgspec can encode."""
    return Response(msgspec.json.encode(value), status_code=status, headers=headers, media_type="application/json")


_STATUS = {
    ListChanged: HTTPStatus.CONFLICT,
    MadeAlready: HTTPStatus.CONFLICT,
    WaitForOtherRun: HTTPStatus.CONFLICT,
    FixUsage: HTTPStatus.UNPROCESSABLE_ENTITY,
    FixConfiguration: HTTPStatus.UNPROCESSABLE_ENTITY,
    CheckLibrary: HTTPStatus.SERVICE_UNAVAILABLE,
    CheckModel: HTTPStatus.SERVICE_UNAVAILABLE,
    RepairState: HTTPStatus.SERVICE_UNAVAILABLE,
    DoesNotAnswer: HTTPStatus.SERVICE_UNAVAILABLE,
    RunHangs: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: Exception) -> int:
    """The status of an answer that reports one of our errors."""
    kinds = type(error).__mro__
    return next((_STATUS[kind] for kind in kinds if kind in _STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)
