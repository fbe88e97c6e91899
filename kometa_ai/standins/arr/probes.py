"""Answer what a client asks first: whether the program lives, which APIs it has, and what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from kometa_ai.standins.arr.http import V3, json_answer, route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from kometa_ai.standins.arr.product import Behaviour
    from kometa_ai.standins.arr.wire import Json


class Probes:
    """The actions that tell about the program."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def routes(self) -> list[Route]:
        """Path and action."""
        return [
            Route("/ping", _ping, methods=["GET", "HEAD"]),
            route("GET", "/api", self._versions),
            route("GET", f"{V3}/system/status", self._status),
        ]

    async def _versions(self, _request: Request) -> Response:
        product = self._behaviour.product
        return json_answer({"current": product.current_api, "deprecated": list(product.deprecated_apis)})

    async def _status(self, _request: Request) -> Response:
        return json_answer(_status_resource(self._behaviour))


async def _ping(_request: Request) -> Response:
    return json_answer({"status": "OK"})


def _status_resource(behaviour: Behaviour) -> Json:
    """SystemResource, as a container on Linux answers it."""
    product = behaviour.product
    is_sqlite = behaviour.database == "sqlite"
    return {
        "appName": product.name,
        "instanceName": product.name,
        "version": product.version,
        "buildTime": product.build_time,
        "isDebug": False,
        "isProduction": True,
        "isAdmin": False,
        "isUserInteractive": False,
        "startupPath": f"/app/{product.name.lower()}/bin",
        "appData": "/config",
        "osName": "alpine",
        "osVersion": "3.22.2",
        "isNetCore": True,
        "isLinux": True,
        "isOsx": False,
        "isWindows": False,
        "isDocker": True,
        "mode": "console",
        "branch": product.branch,
        "databaseType": "sqLite" if is_sqlite else "postgreSQL",
        "databaseVersion": "3.49.2" if is_sqlite else "16.4",
        "authentication": behaviour.ui_auth,
        "migrationVersion": product.migration,
        "urlBase": behaviour.url_base,
        "runtimeVersion": product.runtime,
        "runtimeName": "netcore",
        "startTime": "2026-01-02T03:04:05Z",
        "packageUpdateMechanism": "docker",
    }
