"""Put the API and the pages together with FastAPI: routes, and how errors are answered."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Match, Route

from kometa_ai.__version__ import __version__
from kometa_ai.core.text import one_line
from kometa_ai.daemon.indexing import BeingPrepared
from kometa_ai.daemon.metrics import CONTENT_TYPE
from kometa_ai.daemon.status import Health, Status
from kometa_ai.errors import KometaAIError
from kometa_ai.web.answers import (
    DOCUMENTED_KEY,
    KEY_NEEDED,
    Failed,
    documented,
    documented_as,
    json_answer,
    schemas_of,
    status_of,
)
from kometa_ai.web.api import (
    collections,
    events,
    items,
    looks,
    pins,
    posters,
    previews,
    review,
    runs,
    system,
    trials,
    webhooks,
)
from kometa_ai.web.guard import Guard
from kometa_ai.web.pages import about, assets, library, login, logs, overview, settings, start, starting, threshold
from kometa_ai.web.pages import block as block_page
from kometa_ai.web.pages import collections as collections_page
from kometa_ai.web.pages import pins as pins_page
from kometa_ai.web.pages import posters as poster_pictures
from kometa_ai.web.pages import prompt as prompt_page
from kometa_ai.web.pages import review as review_page
from kometa_ai.web.pages import runs as runs_page
from kometa_ai.web.pages.rendering import failed_page, is_page, pages_below, preparing_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.daemon.life import Daemon
    from kometa_ai.web.visitors import Entrance

_ROUTES = (
    collections.ROUTES,
    items.ROUTES,
    posters.ROUTES,
    previews.ROUTES,
    pins.ROUTES,
    review.ROUTES,
    runs.ROUTES,
    events.ROUTES,
    looks.ROUTES,
    system.ROUTES,
    trials.ROUTES,
    webhooks.ROUTES,
)
_PAGES = (
    assets.router,
    library.router,
    login.router,
    overview.router,
    starting.router,
    runs_page.router,
    review_page.router,
    pins_page.router,
    collections_page.router,
    poster_pictures.router,
    threshold.router,
    block_page.router,
    prompt_page.router,
    start.router,
    settings.router,
    logs.router,
    about.router,
)
_FIGURES = documented_as("text/plain", {"type": "string"})


def make_app(daemon: Daemon, *, api_key: str, url_base: str = "", entrance: Entrance | None = None) -> FastAPI:
    """The API of a daemon, and its page if there is an `entrance`. Everything but /ping and /health needs the key.

    Visitors of the page need none.
    """
    app = _Described(
        title="Kometa-AI",
        version=__version__,
        description="Start runs, watch them, and read what they did.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Guard, api_key=api_key, url_base=url_base, entrance=entrance)],
        exception_handlers={
            KometaAIError: _known_error,
            RequestValidationError: _bad_input,
            HTTPException: _http_error,
        },
        separate_input_output_schemas=False,
    )
    app.state.daemon = daemon
    app.state.pages = pages_below(url_base, daemon.settings.tz, __version__)
    app.state.entrance = entrance
    app.state.watchers = events.Watchers()
    _add_open_paths(app, daemon)
    _add_overviews(app, daemon)
    # As they are: they take nothing from the app, and `include_router` would make each of them once more.
    for routes in _ROUTES:
        app.router.routes += routes.router.routes
    for router in _PAGES if entrance else ():
        app.router.routes += router.routes
    return app


class _Described(FastAPI):
    """An app whose document is made when it is first asked for: few ask, and a start would take twice as long."""

    def openapi(self) -> dict[str, Any]:
        """The document, with what msgspec says of the objects that it encodes."""
        is_new = self.openapi_schema is None
        made = super().openapi()
        if is_new:
            structs = [struct for routes in _ROUTES for struct in routes.structs]
            made["components"]["schemas"] |= schemas_of(Status, Health, *structs)
        return made


def _add_open_paths(app: FastAPI, daemon: Daemon) -> None:
    @app.head("/ping", include_in_schema=False)
    @app.get("/ping", tags=["health"])
    async def ping() -> dict[str, str]:
        """Whether the program answers. Needs no key."""
        return {"status": "OK"}

    @app.head("/health", include_in_schema=False)
    @app.get(
        "/health",
        tags=["health"],
        responses={200: documented(Health), 503: {"description": "Not in order", **documented(Health)}},
    )
    async def health() -> Response:
        """Whether the daemon is in order, with details. Needs no key. It is, even while a library is unreachable."""
        found = await daemon.views.health()
        return json_answer(found, HTTPStatus.OK if found.status == "OK" else HTTPStatus.SERVICE_UNAVAILABLE)


def _add_overviews(app: FastAPI, daemon: Daemon) -> None:
    @app.get(
        "/api/v1/status",
        tags=["status"],
        dependencies=DOCUMENTED_KEY,
        responses={200: documented(Status), **KEY_NEEDED},
    )
    async def status() -> Response:
        """The status in one flat object: what runs, what ran, what comes next."""
        return json_answer(await daemon.views.status())

    @app.get(
        "/metrics",
        tags=["status"],
        dependencies=DOCUMENTED_KEY,
        responses={200: _FIGURES, **KEY_NEEDED},
        response_class=Response,
    )
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(await daemon.views.figures(), headers={"Content-Type": CONTENT_TYPE})


# Errors: for the API always {"error", "remedy"}, as --output json has them; for people a page that says the same.


async def _known_error(request: Request, error: Exception) -> Response:
    if isinstance(error, BeingPrepared) and is_page(request):
        return await preparing_page(request, error)
    message, remedy = (error.message, error.remedy) if isinstance(error, KometaAIError) else (str(error), "")
    return await _failure(request, message, remedy, status_of(error))


async def _failure(
    request: Request, what: str, remedy: str, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    if is_page(request):
        return await failed_page(request, what, remedy, status, headers)
    return json_answer(Failed(error=what, remedy=remedy), status, headers)


async def _bad_input(request: Request, error: Exception) -> Response:
    found: list[dict[str, Any]] = list(error.errors()) if isinstance(error, RequestValidationError) else []
    what = "; ".join(f"{_place(entry)}: {entry['msg']}" for entry in found)
    if is_page(request):
        return await failed_page(
            request, f"The address cannot be used. {what}", "Go back, and try the link again.", 422
        )
    return _unusable(what)


def _unusable(what: str) -> Response:
    remedy = "Send JSON as /api/v1/openapi.json describes it, with Content-Type: application/json."
    return json_answer(Failed(error=f"The request cannot be used. {what}", remedy=remedy), 422)


def _place(entry: dict[str, Any]) -> str:
    return one_line(".".join(str(part) for part in entry["loc"]), 200)


async def _http_error(request: Request, error: Exception) -> Response:
    if isinstance(error.__cause__, RecursionError | ValueError):
        # Starlette raises this for a body that is not JSON: nested too deeply, too long a number, or not UTF-8.
        return _unusable(f"body: it cannot be read as JSON ({type(error.__cause__).__name__}).")
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    detail = str(error.detail) if isinstance(error, HTTPException) else str(error)
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(sorted(_methods_of(request)))}
    remedy = ""
    if detail == HTTPStatus.NOT_FOUND.phrase and is_page(request):
        detail, remedy = "There is no such page.", "The address may be an old one, or have a letter too many."
    return await _failure(request, detail, remedy, status, headers)


def _methods_of(request: Request) -> set[str]:
    """The methods that a path supports. Each has its own route, and Starlette names only those of the first match."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    return {
        method
        for route in routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
