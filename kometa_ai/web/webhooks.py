"""Route for Radarr's webhook (Settings, Connect): each movie is a hint for a run."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Security
from fastapi.security import HTTPBasic

from kometa_ai.core.item import LARGEST_ID, movie_key
from kometa_ai.core.numbers import whole_number
from kometa_ai.core.text import one_line
from kometa_ai.errors import FixUsage
from kometa_ai.web.answers import DOCUMENTED_KEY, KEY_NEEDED, FailedModel
from kometa_ai.web.runs import TheDaemon

_HINTS = frozenset({"MovieAdded", "Download"})

router = APIRouter(
    prefix="/api/v1/webhooks",
    tags=["webhooks"],
    dependencies=[*DOCUMENTED_KEY, Security(HTTPBasic(auto_error=False))],
    responses=KEY_NEEDED,
)


# Radarr sends far more fields, and versions differ: unknown fields are ignored.
_EVENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"eventType": "MovieAdded", "movie": {"title": "Heat", "tmdbId": 949}},
            }
        },
    }
}


# Radarr can be set to either method.
@router.put("/radarr", responses={422: {"model": FailedModel}}, openapi_extra=_EVENT)
@router.post("/radarr", responses={422: {"model": FailedModel}}, openapi_extra=_EVENT)
async def from_radarr(daemon: TheDaemon, request: Request) -> dict[str, str]:
    """Take an event of Radarr. Radarr waits for the answer while it adds the movie, so the run starts later."""
    event = await _event(request)
    kind = event.get("eventType")
    if kind == "Test":
        return {"status": "OK"}
    if not isinstance(kind, str) or kind not in _HINTS:
        return {"status": "ignored"}
    movie = event.get("movie")
    movie = movie if isinstance(movie, dict) else {}
    tmdb_id = whole_number(movie.get("tmdbId"))
    if tmdb_id is None or not 0 < tmdb_id <= LARGEST_ID:
        # Radarr keeps movies that TMDb does not know; these are never judged.
        return {"status": "ignored"}
    daemon.hints.add(movie_key(tmdb_id), f"{kind}: {one_line(str(movie.get('title', '')), 200)}")
    return {"status": "queued"}


async def _event(request: Request) -> dict[str, Any]:
    try:
        event = json.loads(await request.body())
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise FixUsage(
            "This is no event of Radarr: it is not a JSON object.",
            "In Radarr, under Settings, Connect, choose Webhook and this address.",
        )
    return event
