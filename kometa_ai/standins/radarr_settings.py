"""Serve the settings that other programs read before they use Radarr: root folders, quality profiles, exclusions.

Kometa asks for all three when it connects. They are what a fresh Radarr has, and read-only here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.standins.radarr_http import V3, integer_query, json_answer, route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from kometa_ai.standins.radarr_wire import Json

ROOT_FOLDER = "/movies"
PROFILES = ("Any", "SD", "HD-720p", "HD-1080p", "Ultra-HD", "HD - 720p/1080p")
"""The quality profiles of a fresh Radarr, with ids from 1 on."""

_HD_1080P = {"id": 7, "name": "Bluray-1080p", "source": "bluray", "resolution": 1080, "modifier": "none"}


def routes() -> list[Route]:
    """Path and action. Radarr's paths are case-insensitive; these are the two spellings in use."""
    actions = {
        "rootFolder": _root_folders,
        "qualityProfile": _quality_profiles,
        "exclusions": _exclusions,
        "exclusions/paged": _exclusions_paged,
    }
    return [
        route("GET", f"{V3}/{spelling}", action)
        for name, action in actions.items()
        for spelling in dict.fromkeys((name, name.lower()))
    ]


async def _root_folders(_request: Request) -> Response:
    folder = {
        "path": ROOT_FOLDER,
        "accessible": True,
        "freeSpace": 1_000_000_000_000,
        "unmappedFolders": [],
        "id": 1,
    }
    return json_answer([folder])


async def _quality_profiles(_request: Request) -> Response:
    return json_answer([_profile(number, name) for number, name in enumerate(PROFILES, start=1)])


async def _exclusions(_request: Request) -> Response:
    return json_answer([])


async def _exclusions_paged(request: Request) -> Response:
    page = {
        "page": integer_query(request, "page") or 1,
        "pageSize": integer_query(request, "pageSize") or 10,
        "sortDirection": "descending",
        "totalRecords": 0,
        "records": [],
    }
    return json_answer(page)


def _profile(number: int, name: str) -> Json:
    return {
        "name": name,
        "upgradeAllowed": False,
        "cutoff": _HD_1080P["id"],
        "items": [{"quality": _HD_1080P, "items": [], "allowed": True}],
        "minFormatScore": 0,
        "cutoffFormatScore": 0,
        "minUpgradeFormatScore": 1,
        "formatItems": [],
        "language": {"id": 1, "name": "English"},
        "id": number,
    }
