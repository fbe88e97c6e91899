"""Answer with a poster: browsers keep it for a week, and get a 304 for one that they have still."""

from __future__ import annotations

from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import Response

if TYPE_CHECKING:
    from fastapi import Request

    from kometa_ai.daemon.posters import Picture

HEADERS = {"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff"}
"""A picture is shown, and nothing in it is run, also where a visitor opens it by itself."""

_KEPT = "private, max-age=604800"


def picture_answer(request: Request, picture: Picture) -> Response:
    """The picture, or 304 where the request tells that it is known."""
    headers = {
        **HEADERS,
        "Cache-Control": _KEPT,
        "ETag": picture.etag,
        "Last-Modified": format_datetime(picture.modified, usegmt=True),
    }
    if _is_known(request, picture):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(picture.body, headers=headers, media_type=picture.media_type)


def _is_known(request: Request, picture: Picture) -> bool:
    """Whether the one who asks has it. An entity tag counts alone; a date that is none says nothing."""
    if (tags := request.headers.get("if-none-match")) is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return bool({picture.etag, "*"} & known)
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except (ValueError, OverflowError):
        return False
    return since.tzinfo is not None and picture.modified <= since
