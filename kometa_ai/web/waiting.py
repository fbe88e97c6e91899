"""Serve the page of a program that waits for its settings: what is wrong with them, behind the same sign-in.

There is no daemon yet. The API answers that, and every page leads to the one that says what is to be done.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.middleware import Middleware

from kometa_ai.__version__ import __version__
from kometa_ai.core.model import TITLES
from kometa_ai.core.summary import counted
from kometa_ai.daemon.status import Health
from kometa_ai.errors import FixConfiguration
from kometa_ai.jobs.checkup import check_up
from kometa_ai.settings.environment import load_settings, providers_in
from kometa_ai.settings.libraries import places_in
from kometa_ai.web.answers import Failed, json_answer
from kometa_ai.web.guard import Guard
from kometa_ai.web.pages import assets, login
from kometa_ai.web.pages.rendering import bare_page, pages_below, path_of, see
from kometa_ai.web.pages.steps import Place, Settled, steps_of
from kometa_ai.web.pages.wanted_lines import wanted_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.model import ProviderName
    from kometa_ai.jobs.checkup import Diagnosis
    from kometa_ai.settings.schema import Settings
    from kometa_ai.web.visitors import Entrance

STATE = "waiting for settings"
"""What /health says in place of the state; the page's script reads it."""
_ALL = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_REMEDY = "Look at the page, the log, or `--check-config`, set them, and start the program anew."


class Waiting:
    """What is waited for. `error` holds all problems with the settings; `wake` asks the program that waits to look now.

    `is_over` once they can be used: the program begins, and this is shown no longer.
    """

    def __init__(self, environ: Mapping[str, str], error: FixConfiguration, wake: Callable[[], None]) -> None:
        self._environ = environ
        self.error = error
        self.wake = wake
        self.is_over = False

    async def look(self) -> bool:
        """Read the settings again; return whether something is still wrong with them."""
        try:
            await asyncio.to_thread(load_settings, self._environ)
        except FixConfiguration as error:
            self.error = error
            return True
        self.is_over = True
        return False

    @property
    def said(self) -> str:
        """What is missing in a sentence for every caller: the names of variables, never what is in them.

        A key that was put into the wrong variable would be shown with its value.
        """
        names = sorted({problem.source for problem in self.error.problems if problem.severity == "error"})
        return f"{self.error.message.rstrip('.')}: {', '.join(names)}."

    async def diagnose(self) -> Diagnosis:
        """Check the settings and Kometa's folder; services are not looked at."""
        return await asyncio.to_thread(check_up, self._environ, lambda _: ())

    @property
    def given(self) -> AbstractSet[str]:
        """The variables that the environment gives a value or a file."""
        return {name.removesuffix("_FILE") for name, value in self._environ.items() if value.strip()}

    def places(self) -> tuple[Place, ...]:
        """The libraries that the environment's variables are about, whether they can be used or not."""
        given = self.given
        named = [place for place in places_in(self._environ) if not given.isdisjoint(place.settings)]
        return tuple(Place(place.title, "", place.settings) for place in named)

    async def providers(self) -> tuple[ProviderName, ...]:
        """The providers that the environment's variables name, whether they can be used or not."""
        return await asyncio.to_thread(providers_in, self._environ)


def make_waiting_app(waiting: Waiting, settings: Settings, entrance: Entrance | None, *, api_key: str) -> FastAPI:
    """The app: /ping, /health, the sign-in, and one page; without an `entrance` no page."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(Guard, api_key=api_key, url_base=settings.http_url_base, entrance=entrance)],
    )
    app.state.entrance = entrance
    app.state.pages = pages_below(settings.http_url_base, settings.tz, __version__)
    _add_open_paths(app, waiting)
    if entrance:
        app.include_router(assets.router)
        app.include_router(login.router)
        _add_page(app, waiting, settings)
    _add_the_rest(app, waiting)
    return app


def _add_open_paths(app: FastAPI, waiting: Waiting) -> None:
    @app.api_route("/ping", methods=["GET", "HEAD"])
    async def ping() -> dict[str, str]:
        return {"status": "OK"}

    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> Response:
        found = Health(
            status="Error",
            version=__version__,
            state=STATE,
            loop="ok",
            problem=waiting.said,
            radarr="unknown",
            sonarr="unknown",
            model="unknown",
            running=False,
            next_run=None,
            last_outcome=None,
        )
        return json_answer(found, HTTPStatus.SERVICE_UNAVAILABLE)


def _add_page(app: FastAPI, waiting: Waiting, settings: Settings) -> None:
    @app.get("/start")
    async def read(request: Request) -> Response:
        found, providers = await waiting.diagnose(), await waiting.providers()
        visitor = request.state.visitor
        problems = [problem for problem in waiting.error.problems if problem.severity == "error"]
        settled = Settled(
            str(settings.state_dir),
            str(settings.config_dir),
            waiting.places(),
            {each: TITLES[each] for each in providers},
        )
        return await bare_page(
            request,
            "waiting.jinja",
            token=visitor.token if visitor else "",
            is_over=waiting.is_over,
            steps=steps_of(found, settled),
            headline=f"{counted(len(problems), 'setting')} {'is' if len(problems) == 1 else 'are'} missing or wrong",
            said=waiting.said,
            state=STATE,
            lines=wanted_lines(problems, waiting.given),
        )

    @app.post("/looks/doctor")
    async def look(request: Request) -> Response:
        await waiting.look()
        waiting.wake()
        return see(request, "/start")


def _add_the_rest(app: FastAPI, waiting: Waiting) -> None:
    @app.api_route("/{rest:path}", methods=_ALL)
    async def rest(request: Request) -> Response:
        path = path_of(request)
        if app.state.entrance is None or path == "/metrics" or path.startswith("/api/"):
            return json_answer(Failed(waiting.said, _REMEDY), HTTPStatus.SERVICE_UNAVAILABLE)
        return see(request, "/start")
