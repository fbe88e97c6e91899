"""Render pages with Jinja: the frame that all share, and how times, amounts and texts from outside are shown.

Why: docs/decisions/0025-page.md
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kometa_ai.core.summary import counted
from kometa_ai.core.text import one_line, readable
from kometa_ai.errors import KometaAIError
from kometa_ai.web.pages import assets, places, spoken
from kometa_ai.web.pages.run_words import trigger_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.progress import Going
    from kometa_ai.web.visitors import Visitor

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With `no-referrer` browsers would send `Origin: null` with every form.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_FOR_PROGRAMS = frozenset({"/ping", "/health", "/metrics"})
THEME_COOKIE = "kometa_ai_theme"
THEMES = ("auto", "light", "dark")


class Frame(NamedTuple):
    """What stands around the content of a page.

    `path` is the page's own, without the URL base. `review` is how many cases want a person; None while that is not
    known. `trouble` keeps the daemon from its work; empty if nothing does. `has_visitor` is whether the visitor has
    signed in here and so may sign out.
    """

    path: str
    theme: str
    going: Going | None = None
    review: int | None = None
    trouble: str = ""
    token: str = ""
    visitor: str = ""
    has_visitor: bool = False


class Pages:
    """Renders templates below a URL base, in a time zone. It keeps nothing of what it has rendered."""

    def __init__(self, url_base: str, zone: tzinfo, version: str) -> None:
        self.url_base = url_base
        self._zone = zone
        self._environment = Environment(
            loader=PackageLoader("kometa_ai.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=lambda value: readable(value) if type(value) is str else value,
        )
        self._environment.globals |= {
            "url": self.url,
            "static": lambda name: f"{url_base}{assets.path_of(name)}",
            "version": version,
            "counted": counted,
            "pages_of": spoken.pages_of,
            "trigger_words": trigger_in_words,
        }
        self._environment.filters |= {
            "time": self._time,
            "day": lambda when: self._time(when, with_clock=False),
            "usd": spoken.usd,
            "confidence": spoken.confidence,
            "percent": spoken.percent,
            "number": lambda value: f"{value:,}",
            "duration": spoken.duration,
            "size": spoken.size,
            "line": one_line,
            "place": spoken.place_of,
            "waits": places.waits,
            "because": places.because,
            "looks": places.looks,
            "dated": self._dated,
        }
        self._environment.tests["close"] = places.is_close

    def url(self, path: str, **query: object) -> str:
        """An address of ours: the path below the URL base, with those parts of the query that are not empty."""
        parts = [
            f"{quote(name)}={quote(str(value), safe='')}" for name, value in query.items() if value not in ("", None)
        ]
        return f"{self.url_base}{quote(path, safe='/:')}" + (f"?{'&'.join(parts)}" if parts else "")

    def render(self, template: str, frame: Frame, **values: Any) -> str:  # noqa: ANN401 - whatever a template shows
        """A template's HTML."""
        return self._environment.get_template(template).render(frame=frame, **values)

    def _dated(self, because: str, since: datetime | None) -> str:
        """How a pin was made, its date said as all days of the page are."""
        if since is None:
            return because
        there = since.astimezone(self._zone).date()
        today = datetime.now(self._zone).date()
        return because.replace(f"{since:%Y-%m-%d}", spoken.day(there, today))

    def _time(self, when: datetime | None, *, with_clock: bool = True) -> Markup:
        """A moment as people say it, in the time zone of the settings, with the exact one beside it."""
        if when is None:
            return Markup("never")
        there = when.astimezone(self._zone)
        today = datetime.now(self._zone)
        text = spoken.moment(there, today) if with_clock else spoken.day(there.date(), today.date())
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            when.astimezone(UTC).isoformat(timespec="seconds"), f"{there:%Y-%m-%d %H:%M:%S %Z}", text
        )


@cache
def pages_below(url_base: str, zone: tzinfo, version: str) -> Pages:
    """The same pages for all apps of a process with the same settings: they would compile the same templates again."""
    return Pages(url_base, zone, version)


def pages(request: Request) -> Pages:
    """The pages of the app that a request came to."""
    found: Pages = request.app.state.pages
    return found


async def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,  # noqa: ANN401 - whatever a template shows
) -> Response:
    """Answer with a page: a template within the frame."""
    frame = await _frame(request)
    html = pages(request).render(template, frame, **values)
    return Response(html, status_code=status, media_type="text/html", headers={**HEADERS, **(headers or {})})


async def bare_page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    token: str = "",
    **values: Any,  # noqa: ANN401 - whatever a template shows
) -> Response:
    """Answer with a page that shows nothing of the daemon, for who has not signed in."""
    frame = Frame(path=path_of(request), theme=_theme(request), token=token)
    html = pages(request).render(template, frame, **values)
    return Response(html, status_code=status, media_type="text/html", headers={**HEADERS, **(headers or {})})


async def failed_page(
    request: Request, what: str, remedy: str, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with a page that says what went wrong, and what to do."""
    if request.state.visitor is None:
        return await bare_page(request, "refused.jinja", status=status, headers=headers, what=what, remedy=remedy)
    return await page(request, "failed.jinja", status=status, headers=headers, what=what, remedy=remedy)


async def preparing_page(request: Request, error: KometaAIError) -> Response:
    """Answer that the index is being made; the page asks again by itself."""
    return await page(
        request, "preparing.jinja", status=503, headers={"Retry-After": "2"}, what=error.message, remedy=error.remedy
    )


def see(request: Request, path: str, **query: object) -> Response:
    """Send the browser to another page after a form, so that a reload sends nothing again."""
    return Response(status_code=303, headers={"Location": pages(request).url(path, **query)})


def visitor_name(request: Request) -> str:
    """The visitor, where a proxy in front has named one; else empty."""
    visitor = getattr(request.state, "visitor", None)
    return visitor.name if visitor else ""


async def _frame(request: Request) -> Frame:
    daemon: Daemon = request.app.state.daemon
    visitor: Visitor | None = request.state.visitor
    current = daemon.runs.current
    review, trouble = None, await daemon.views.problem()
    try:
        review = await daemon.choosing.waiting()
    except KometaAIError as error:  # a page that fails because of its frame could not even say so
        trouble = trouble or f"{error.message} {error.remedy}".strip()
    return Frame(
        path=path_of(request),
        theme=_theme(request),
        going=current.going if current else None,
        review=review,
        trouble=trouble,
        token=visitor.token if visitor else "",
        visitor=visitor_name(request),
        has_visitor=visitor is not None and visitor.how == "password",
    )


def path_of(request: Request) -> str:
    """The path of a request without the URL base."""
    path: str = request.scope["path"]
    base = pages(request).url_base
    return path.removeprefix(base) or "/" if base and f"{path}/".startswith(f"{base}/") else path


def is_page(request: Request) -> bool:
    """Whether a person reads the answer: a browser asks for HTML, at a path that is none of the API's."""
    path = path_of(request)
    if request.app.state.entrance is None or path.startswith("/api/") or path in _FOR_PROGRAMS:
        return False
    return "hx-request" in request.headers or "text/html" in request.headers.get("accept", "")


def _theme(request: Request) -> str:
    found = request.cookies.get(THEME_COOKIE, "")
    return found if found in THEMES else "auto"
