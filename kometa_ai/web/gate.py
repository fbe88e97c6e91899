"""Let visitors pass to the page and, with its token, change something; send all others to the sign-in page."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kometa_ai.core.text import one_line
from kometa_ai.observe.repeats import Repeats
from kometa_ai.web.answers import Failed, json_answer
from kometa_ai.web.connections import trust
from kometa_ai.web.pages.rendering import bare_page, is_page
from kometa_ai.web.tokens import given_token, limited
from kometa_ai.web.visitors import comes_from_elsewhere, is_same

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from kometa_ai.web.senders import Sender
    from kometa_ai.web.visitors import Entrance, Found

LOGIN = "/login"
LONGEST_PATH = 200
_OPEN_FILES = frozenset({"/favicon.ico", "/manifest.webmanifest"})
_FILES = "/static/"
_API = "/api/v1"
_FIGURES = "/metrics"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LARGEST_SIGN_IN = 16 * 1024
_STRANGE_NAME = Failed(
    "By this name the page is not shown to those who have not signed in: it may be a stranger's.",
    "Use the IP address or a name of your home's network, or name this host in WEB_HOSTS.",
)
_FOREIGN_FORM = Failed(
    "Nothing was changed: this does not come from a page of ours, or from one that is out of date.",
    "Open the page anew and try again.",
)
_FOREIGN_CALL = Failed(_FOREIGN_FORM.error, f"{_FOREIGN_FORM.remedy} Programs send the key in the header X-Api-Key.")


class Passed(NamedTuple):
    """A request that may go on to its route: how its body is read, and a cookie to give with the answer."""

    receive: Receive
    cookie: str | None = None


class Gate:
    """Decides for each request without the API's key whether it may pass."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._foreign = Repeats("http.foreign_form")

    async def admit(self, scope: Scope, path: str, receive: Receive) -> Passed | Response | None:
        """Whether a request may pass; else the answer, or None where the API's own is due.

        `path` is without the URL base. Puts the visitor into the scope. Raises ClientDisconnect.
        """
        headers, sender = Headers(scope=scope), self._entrance.sender(scope)
        if self._entrance.refuses(sender):
            return await _said(scope, path, _STRANGE_NAME)
        found = self._entrance.find(headers, sender)
        if found is not None:
            trust(scope)
            scope["state"]["visitor"] = found.visitor
        if path == LOGIN or _is_open_file(path):
            return Passed(limited(receive, _LARGEST_SIGN_IN))
        if found is None:
            # A proxy may add a bearer token of its own to what browsers send, but no key of ours.
            is_for_programs = _is_for_programs(path) or bool(headers.get("x-api-key"))
            return None if is_for_programs else self._to_sign_in(scope, path, headers)
        if scope["method"] not in _SAFE_METHODS:
            return await self._change(found, sender, scope, path, receive)
        # With pages only: browsers keep pictures with all their headers, and send many requests at once.
        gives = scope["method"] == "GET" and is_page(Request(scope))
        return Passed(limited(receive), self._entrance.cookie_for(found, sender) if gives else None)

    async def _change(
        self, found: Found, sender: Sender, scope: Scope, path: str, receive: Receive
    ) -> Passed | Response:
        """Let a visitor change something if one of our own pages asks for it."""
        headers = Headers(scope=scope)
        try:
            token, receive = await given_token(headers, limited(receive))
        except HTTPException as error:
            return await _said(scope, path, Failed(error.detail), error.status_code)
        if not found.is_new and is_same(token, found.visitor.token) and not comes_from_elsewhere(headers):
            return Passed(receive)
        shown = one_line(path, LONGEST_PATH)
        self._foreign.add(client=sender.shown, method=scope["method"], path=shown)
        return await _said(scope, path, _FOREIGN_CALL if _is_for_programs(path) else _FOREIGN_FORM)

    def _to_sign_in(self, scope: Scope, path: str, headers: Headers) -> Response:
        """Send a browser to the sign-in page, and back from there to where it is."""
        base = self._entrance.url_base
        is_script = _is_script(headers)
        wanted = ""
        if is_script:
            wanted = _local_part(headers.get("hx-current-url", ""))
        elif scope["method"] in ("GET", "HEAD"):
            query = scope.get("query_string", b"").decode("latin-1")
            wanted = f"{base}{quote(path)}" + (f"?{query}" if query else "")
        wanted = self._entrance.next_page(wanted)
        place = f"{base}{LOGIN}" + (f"?next={quote(wanted, safe='/')}" if wanted != f"{base}/" else "")
        if is_script:
            return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": place})
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": place})


def _local_part(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _is_script(headers: Headers) -> bool:
    """Whether the page's own script asks, not the browser for a whole page."""
    return headers.get("hx-request", "").lower() == "true"


def _is_for_programs(path: str) -> bool:
    """Whether a path belongs to the API, whose callers want a status and JSON."""
    return path == _FIGURES or f"{path}/".startswith(f"{_API}/")


def _is_open_file(path: str) -> bool:
    """Whether a path is a file that the sign-in page needs; none that leads out of the folder."""
    is_plain = not {"", ".", ".."}.intersection(path.split("/")[1:]) and "\\" not in path
    return path in _OPEN_FILES or (path.startswith(_FILES) and is_plain)


async def _said(scope: Scope, path: str, why: Failed, status: int = HTTPStatus.FORBIDDEN) -> Response:
    """A refusal in the form that its reader wants: JSON, a page, or a sentence where a script puts it into a page."""
    if _is_for_programs(path):
        return json_answer(why, status)
    request = Request(scope)
    if is_page(request) and not _is_script(request.headers):
        return await bare_page(request, "refused.jinja", status=status, what=why.error, remedy=why.remedy)
    return PlainTextResponse(f"{why.error} {why.remedy}".strip(), status)
