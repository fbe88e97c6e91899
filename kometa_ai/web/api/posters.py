"""Answer with the poster of a movie or show, and delete all that are kept."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from fastapi import HTTPException, Request, Response

from kometa_ai.core.picture import MEDIA_TYPES
from kometa_ai.daemon.posters import Missing
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.routing import NamedItem, PosterSize, Routes, TheDaemon, failing, key_of, router_of
from kometa_ai.web.pictures import picture_answer


class Freed(msgspec.Struct, frozen=True):
    """How many bytes were deleted."""

    freed_bytes: int


_WHY = {
    Missing.NONE: "No library has a poster of {key!r}.",
    Missing.FOR_NOW: "The poster of {key!r} cannot be had now: its library does not answer, or what it holds is not "
    "known yet.",
}
_PICTURES = {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()}}

router = router_of("", "posters")
ROUTES = Routes(router, (Freed,))


@router.get(
    "/movies/{key}/poster",
    responses={200: _PICTURES, 304: {"description": "Not changed"}, **failing({404: "There is no poster"})},
    response_class=Response,
)
async def read_poster(daemon: TheDaemon, request: Request, key: NamedItem, size: PosterSize = 250) -> Response:
    """The poster of a movie or show, so many pixels high, from the cache or from its library."""
    item = key_of(key)
    found = await daemon.posters.find(item, size)
    if isinstance(found, Missing):
        raise HTTPException(HTTPStatus.NOT_FOUND, _WHY[found].format(key=item))
    return picture_answer(request, found)


@router.delete("/cache/posters", responses={200: documented(Freed), **failing({503: "The disk does not answer"})})
async def clear(daemon: TheDaemon) -> Response:
    """Delete all posters that are kept. They are read from the libraries again as they are shown."""
    return json_answer(Freed(await daemon.posters.clear()))
