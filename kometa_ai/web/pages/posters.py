"""Answer with pictures for pages: the poster of a movie or show, or a tile with the initials of its title."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from kometa_ai.daemon.posters import Missing
from kometa_ai.web.api.routing import NamedItem, PosterSize, TheDaemon, key_of
from kometa_ai.web.pages.tiles import tile
from kometa_ai.web.pictures import HEADERS, picture_answer

_KEPT = {Missing.NONE: "private, max-age=3600", Missing.FOR_NOW: "private, max-age=30"}

router = APIRouter(include_in_schema=False)


@router.get("/posters/{key}")
async def read(daemon: TheDaemon, request: Request, key: NamedItem, size: PosterSize = 250) -> Response:
    """A picture in any case: a page shows it with `<img>`, and a broken one would help no visitor."""
    item = key_of(key)
    found = await daemon.posters.find(item, size)
    if not isinstance(found, Missing):
        return picture_answer(request, found)
    drawn = tile(item, await daemon.posters.title(item))
    return Response(drawn, media_type="image/svg+xml", headers={**HEADERS, "Cache-Control": _KEPT[found]})
