"""Serve the settings that others read before they use the program: root folders, quality profiles, exclusions.

Kometa asks for all three when it connects. They are what a fresh program has, and read-only here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.standins.arr.errors import invalid
from kometa_ai.standins.arr.http import V3, integer_query, json_answer, route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from kometa_ai.standins.arr.wire import Json

_PROFILES = ("Any", "SD", "HD-720p", "HD-1080p", "Ultra-HD", "HD - 720p/1080p")
_QUALITY_PROFILES = range(1, len(_PROFILES) + 1)
_HD_1080P = {"id": 7, "name": "Bluray-1080p", "source": "bluray", "resolution": 1080}


class Settings:
    """The actions on settings: where the library is, how exclusions are called, and what its profiles have besides."""

    def __init__(self, *, root_folder: str, exclusions: str, in_quality: Json, in_profile: Json) -> None:
        self._root_folder = root_folder
        self._exclusions_path = exclusions
        self._quality = _HD_1080P | in_quality
        self._in_profile = in_profile

    def routes(self) -> list[Route]:
        """Path and action."""
        return [
            route("GET", f"{V3}/rootFolder", self._root_folders),
            route("GET", f"{V3}/qualityProfile", self._quality_profiles),
            route("GET", f"{V3}/{self._exclusions_path}", _exclusions),
            route("GET", f"{V3}/{self._exclusions_path}/paged", _exclusions_paged),
        ]

    async def _root_folders(self, _request: Request) -> Response:
        folder = {
            "path": self._root_folder,
            "accessible": True,
            "freeSpace": 1_000_000_000_000,
            "unmappedFolders": [],
            "id": 1,
        }
        return json_answer([folder])

    async def _quality_profiles(self, _request: Request) -> Response:
        return json_answer([self._profile(number, name) for number, name in enumerate(_PROFILES, start=1)])

    def _profile(self, number: int, name: str) -> Json:
        return {
            "name": name,
            "upgradeAllowed": False,
            "cutoff": self._quality["id"],
            "items": [{"quality": self._quality, "items": [], "allowed": True}],
            "minFormatScore": 0,
            "cutoffFormatScore": 0,
            "minUpgradeFormatScore": 1,
            "formatItems": [],
            **self._in_profile,
            "id": number,
        }


def check_quality_profile(number: int) -> None:
    """Raise the validators' refusal unless there is a quality profile with this id."""
    if number not in _QUALITY_PROFILES:
        raise invalid("QualityProfileId", "Quality Profile does not exist", number, "QualityProfileExistsValidator")


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
