"""Sign in with the password, sign out on this device, or on all."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers

from kometa_ai.web.gate import LOGIN
from kometa_ai.web.pages.forms import form_of
from kometa_ai.web.pages.rendering import bare_page, see
from kometa_ai.web.session import removals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.web.visitors import Entrance

USER_NAME = "kometa-ai"
"""There is one role and no account; password managers want a name all the same."""

router = APIRouter(include_in_schema=False)
_log = structlog.get_logger()


@router.head(LOGIN)
@router.get(LOGIN)
async def read(request: Request) -> Response:
    """The form; a visitor who has signed in already goes where they wanted."""
    wanted = _entrance(request).next_page(request.query_params.get("next", ""))
    if request.state.visitor is not None:
        return _go(wanted)
    return await _form(request, wanted)


@router.post(LOGIN)
async def sign_in(request: Request) -> Response:
    """Look at the password; if it is right, let this browser in and go where it wanted."""
    entrance, form = _entrance(request), await form_of(request)
    sender, wanted = entrance.sender(request.scope), entrance.next_page(form.text("next"))
    if not entrance.is_own_form(Headers(scope=request.scope), sender, form.text("token")):
        return await _form(request, wanted, HTTPStatus.FORBIDDEN, is_foreign=True)
    tried = entrance.try_password(form.text("password"), sender)
    if tried.rest:
        later = {"Retry-After": str(tried.rest)}
        return await _form(request, wanted, HTTPStatus.TOO_MANY_REQUESTS, headers=later, rest=tried.rest)
    if not tried.is_right:
        return await _form(request, wanted, HTTPStatus.UNAUTHORIZED, is_wrong=True)
    answer = _go(wanted)
    answer.headers.append("Set-Cookie", entrance.signed_in(sender))
    return answer


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """Make this browser forget its sign-in."""
    return _without_cookie(request, _entrance(request).sessions.cookie_name)


@router.post("/logout-everywhere")
async def sign_out_everywhere(request: Request) -> Response:
    """End every sign-in, on all devices."""
    entrance = _entrance(request)
    name = entrance.sessions.cookie_name
    await entrance.sessions.end_all()
    _log.info("http.all_signed_out", client=entrance.sender(request.scope).shown)
    return _without_cookie(request, name)


def _entrance(request: Request) -> Entrance:
    found: Entrance = request.app.state.entrance
    return found


async def _form(
    request: Request,
    wanted: str,
    status: int = HTTPStatus.OK,
    *,
    headers: Mapping[str, str] | None = None,
    **news: Any,  # noqa: ANN401 - why the form is shown again
) -> Response:
    """The form with what is to be said; its token and the cookie that belongs to it tell it from a stranger's."""
    entrance = _entrance(request)
    sender = entrance.sender(request.scope)
    cookie, is_new = entrance.guest(Headers(scope=request.scope))
    answer = await bare_page(
        request,
        "login.jinja",
        status=status,
        headers=headers,
        token=entrance.sessions.token(cookie),
        user_name=USER_NAME,
        wanted=wanted,
        has_own_password=entrance.has_own_password,
        is_state_of_image=entrance.is_state_of_image,
        login=entrance.login,
        address=sender.shown,
        proxy=str(sender.peer) if sender.is_forwarded and not sender.through else "",
        **{"is_wrong": False, "is_foreign": False, "rest": 0, **news},
    )
    if is_new:
        answer.headers.append("Set-Cookie", entrance.keep(cookie, sender))
    return answer


def _go(place: str) -> Response:
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": place})


def _without_cookie(request: Request, name: str) -> Response:
    entrance, answer = _entrance(request), see(request, LOGIN)
    for removal in removals(name, path=entrance.url_base, is_https=entrance.sender(request.scope).is_https):
        answer.headers.append("Set-Cookie", removal)
    return answer
