"""Find the page's token in a request: in a header, or in the form that is its body; and limit how long bodies are."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Message, Receive

HEADER = "X-Page-Token"
FIELD = "token"
LARGEST_BODY = 1024 * 1024
BODY_TOO_LARGE = "The body is too large."
_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 2000


async def given_token(headers: Headers, receive: Receive) -> tuple[str, Receive]:
    """The token that a request brings, empty if it brings none or several; and how its body is to be read from now on.

    Raises ClientDisconnect, and what `receive` raises for a body that is too large.
    """
    values = headers.getlist(HEADER)
    if values:
        return values[0] if len(values) == 1 else "", receive
    if [kind.partition(";")[0].strip().lower() for kind in headers.getlist("content-type")] != [_FORM]:
        return "", receive
    body = await _whole(receive)
    return _field(body), _again(body, receive)


def _field(body: bytes) -> str:
    try:
        values = parse_qs(body.decode(), max_num_fields=_MOST_FIELDS).get(FIELD, [])
    except ValueError:
        return ""
    return values[0] if len(values) == 1 else ""


async def _whole(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def _again(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def limited(receive: Receive, most: int = LARGEST_BODY) -> Receive:
    """Limit a body in bytes, also one that comes in chunks without a Content-Length: raise HTTPException 413 then."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, BODY_TOO_LARGE)
        return message

    return limited
