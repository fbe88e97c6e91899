"""What answers are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import Response, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Mapping


class Failed(msgspec.Struct, frozen=True):
    """What is wrong, and what to do about it."""

    error: str
    remedy: str = ""


class FailedModel(BaseModel):
    """The same for the OpenAPI document."""

    error: str
    remedy: str = ""


# The guard checks the key. These only describe it.
DOCUMENTED_KEY = [
    Security(APIKeyHeader(name="X-Api-Key", auto_error=False)),
    Security(HTTPBearer(auto_error=False)),
]
KEY_NEEDED: dict[int | str, dict[str, Any]] = {
    401: {"model": FailedModel, "description": "No key, or a wrong one"},
}


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Anything msgspec can write, as an answer."""
    return Response(msgspec.json.encode(value), status_code=status, headers=headers, media_type="application/json")
