"""Show about the program: version, memory and sizes, licences, a text for a bug report; colours, the phone's menu."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter, Request, Response

from kometa_ai.__version__ import version_and_commit
from kometa_ai.errors import KometaAIError
from kometa_ai.observe import process
from kometa_ai.web.answers import status_of
from kometa_ai.web.pages.bug_report import bug_report
from kometa_ai.web.pages.forms import form_of
from kometa_ai.web.pages.licences import libraries
from kometa_ai.web.pages.rendering import THEME_COOKIE, THEMES, page, pages, see

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kometa_ai.daemon.life import Daemon

router = APIRouter(include_in_schema=False)

_T = TypeVar("_T")
_YEAR = 365 * 86_400
_LINES = 12
_WITH_THEME = ("/about", "/more")


@router.get("/about")
async def read(request: Request, done: str = "") -> Response:
    """What this program is, and how much room it takes."""
    return await _shown(request, done=done)


@router.post("/about/clear-posters")
async def clear_posters(request: Request) -> Response:
    """Delete the pictures that are kept; they come again as they are looked at."""
    daemon: Daemon = request.app.state.daemon
    try:
        await daemon.posters.clear()
    except KometaAIError as error:
        return await _shown(request, status=status_of(error), error=error)
    return see(request, "/about", done="cleared")


@router.get("/more")
async def more(request: Request) -> Response:
    """Where the phone's bar has no room to lead."""
    return await page(request, "more.jinja")


@router.post("/theme")
async def choose_theme(request: Request) -> Response:
    """Keep a choice of colours in this browser, and go back to where it was made."""
    form = await form_of(request)
    theme, back = form.text("theme"), form.text("back")
    answer = see(request, back if back in _WITH_THEME else "/about")
    if theme in THEMES:
        path = pages(request).url_base or "/"
        answer.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, path=path, samesite="lax", httponly=True)
    return answer


async def _shown(
    request: Request, *, status: int = 200, error: KometaAIError | None = None, done: str = ""
) -> Response:
    daemon: Daemon = request.app.state.daemon
    found = await daemon.views.status()
    log = await _found(daemon.log_end(_LINES, "warning", ""))
    return await page(
        request,
        "about.jinja",
        status=status,
        error=error,
        done=done,
        build=version_and_commit(),
        started=found.started,
        uptime=datetime.now(UTC) - found.started,
        memory=process.used(),
        memory_limit=process.limit(),
        state_bytes=await daemon.overview.size(),
        poster_bytes=await _found(daemon.posters.size()),
        python=platform.python_version(),
        libraries=libraries(),
        report=bug_report(_surroundings(), daemon.describe_settings(), found.problem or "", log.items if log else ()),
    )


async def _found(asked: Awaitable[_T]) -> _T | None:
    """What a disk answers; None where it does not, since the rest of the page helps all the same."""
    try:
        return await asked
    except KometaAIError:
        return None


def _surroundings() -> dict[str, str]:
    return {
        "Kometa-AI": version_and_commit(),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "System": f"{platform.system()} {platform.release()} {platform.machine()}",
        "C library": " ".join(platform.libc_ver()).strip() or "unknown",
    }
