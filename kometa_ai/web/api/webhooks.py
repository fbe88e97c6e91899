"""Take the webhooks of Radarr and Sonarr (Settings, Connect): each new movie or show is a hint for a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import Request, Security
from fastapi.security import HTTPBasic

from kometa_ai.core.item import LARGEST_ID, SERVICES, kind_of, movie_key, show_key
from kometa_ai.core.numbers import whole_number
from kometa_ai.core.text import one_line
from kometa_ai.errors import FixUsage
from kometa_ai.web.answers import FailedModel
from kometa_ai.web.api.routing import Routes, TheDaemon, router_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.core.item import ItemKey
    from kometa_ai.daemon.life import Daemon

_TELLS = {"Radarr": "movie", "Sonarr": "series"}
"""Of what the events of each service tell."""
_IGNORED = {"status": "ignored"}
_QUEUED = {"status": "queued"}
_NOTED = {"status": "noted"}

_log = structlog.get_logger()

router = router_of("/webhooks", "webhooks", Security(HTTPBasic(auto_error=False)))
ROUTES = Routes(router)


def _documented(example: dict[str, Any]) -> dict[str, Any]:
    """The body of an event for the OpenAPI document.

    Both services send far more fields, and versions differ: unknown fields are ignored.
    """
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


_RADARR = _documented({"eventType": "MovieAdded", "movie": {"title": "Heat", "tmdbId": 949}})
_SONARR = _documented({"eventType": "SeriesAdd", "series": {"title": "Breaking Bad", "tvdbId": 81189}})


# Both services can be set to either method.
@router.put("/radarr", responses={422: {"model": FailedModel}}, openapi_extra=_RADARR)
@router.post("/radarr", responses={422: {"model": FailedModel}}, openapi_extra=_RADARR)
async def from_radarr(daemon: TheDaemon, request: Request) -> dict[str, str]:
    """Take an event of Radarr. Radarr waits for the answer while it adds the movie, so the run starts later."""
    event = await _event(request, "Radarr")
    match event.get("eventType"):
        case "Test":
            return _tested(event, "Radarr")
        case "MovieAdded" | "Download":
            # Radarr keeps movies that TMDb does not know; these are never judged.
            movie = _named(event.get("movie"), "tmdbId", movie_key)
            return _hint(daemon, event, movie, daemon.hints.add, _QUEUED)
    return _IGNORED


@router.put("/sonarr", responses={422: {"model": FailedModel}}, openapi_extra=_SONARR)
@router.post("/sonarr", responses={422: {"model": FailedModel}}, openapi_extra=_SONARR)
async def from_sonarr(daemon: TheDaemon, request: Request) -> dict[str, str]:
    """Take an event of Sonarr: a show that was added, or one that is not known and gets an episode."""
    event = await _event(request, "Sonarr")
    match event.get("eventType"):
        case "Test":
            return _tested(event, "Sonarr")  # its show has a number, 1234, that a real one may have
        case "SeriesAdd":
            show = _show(event)
            return _hint(daemon, event, show, daemon.hints.add, _QUEUED)
        case "Download":
            # One for each file of a season and, for a running show, every week. A show that was added without
            # `addOptions`, as programs do, is told of in no other way.
            show = _show(event)
            return _hint(daemon, event, show, daemon.hints.add_if_unknown, _NOTED)
    return _IGNORED


def _tested(event: dict[str, Any], service: str) -> dict[str, str]:
    """Answer a test. Raise FixUsage for one of the other service, whose events would all be ignored here."""
    for other, part in _TELLS.items():
        if other != service and part in event and _TELLS[service] not in event:
            raise FixUsage(
                f"This is {service}'s address, and the event is {other}'s.",
                f"In {other}, under Settings, Connect, end the address with /webhooks/{other.lower()}.",
            )
    return {"status": "OK"}


def _hint(
    daemon: Daemon,
    event: dict[str, Any],
    about: tuple[ItemKey, str] | None,
    add: Callable[[ItemKey, str], None],
    answer: dict[str, str],
) -> dict[str, str]:
    """Hint at the item that the event is about, if there is one and a library could hold it."""
    if about is None:
        return _IGNORED
    item, title = about
    kind = kind_of(item)
    if kind not in daemon.settings.kinds:
        _log.info("hint.ignored", key=item, why=f"No {SERVICES[kind]} is set up, so no run could be about a {kind}.")
        return _IGNORED
    add(item, f"{event['eventType']}: {title}")
    return answer


def _show(event: dict[str, Any]) -> tuple[ItemKey, str] | None:
    """The show that an event names, by a number; a text in its place is none of Sonarr's."""
    show = event.get("series")
    is_text = isinstance(show, dict) and isinstance(show.get("tvdbId"), str)
    return None if is_text else _named(show, "tvdbId", show_key)


def _named(about: object, number: str, key_of: Callable[[int], ItemKey]) -> tuple[ItemKey, str] | None:
    """The key and the title of the item that an event is about; None if its number can be no item's."""
    about = about if isinstance(about, dict) else {}
    found = whole_number(about.get(number))
    if found is None or not 0 < found <= LARGEST_ID:
        return None
    return key_of(found), one_line(str(about.get("title", "")), 200)


async def _event(request: Request, service: str) -> dict[str, Any]:
    try:
        event = json.loads(await request.body())
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise FixUsage(
            f"This is no event of {service}: it is not a JSON object.",
            f"In {service}, under Settings, Connect, choose Webhook and this address.",
        )
    return event
