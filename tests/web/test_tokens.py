"""Finding a page's token in a form, and handing the form on as it came."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from kometa_ai.web.tokens import given_token, limited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Message, Receive

FORM = Headers(raw=[(b"content-type", b"application/x-www-form-urlencoded; charset=UTF-8")])


def sending(*pieces: bytes, ends: bool = True) -> Receive:
    """A client that sends a body in these pieces, then goes away."""
    messages: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": not ends or number < len(pieces)}
        for number, piece in enumerate(pieces, start=1)
    ]
    messages.append({"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0)

    return receive


@given(pieces=st.lists(st.binary(max_size=50), min_size=1, max_size=5), has_token=st.booleans())
def test_the_route_gets_what_was_sent(pieces: Sequence[bytes], *, has_token: bool) -> None:
    """Whatever the body is and in which pieces it comes, the route reads the same bytes, then the end."""
    sent = [*pieces, b"&token=abc"] if has_token else pieces

    async def passed_on() -> tuple[str, Message, Message]:
        token, receive = await given_token(FORM, sending(*sent))
        return token, await receive(), await receive()

    token, body, end = asyncio.run(passed_on())
    assert body == {"type": "http.request", "body": b"".join(sent), "more_body": False}
    assert end == {"type": "http.disconnect"}
    assert token in {"", "abc"}


async def test_a_script_keeps_its_body() -> None:
    """With the header nothing is read: a long body is not held in memory."""
    headers = Headers(raw=[*FORM.raw, (b"x-page-token", b"abc")])
    token, receive = await given_token(headers, sending(b"token=", b"other"))

    assert token == "abc"
    assert (await receive())["body"] == b"token="


async def test_a_client_that_goes_away() -> None:
    """In the middle of a form there is no client left to answer."""
    with pytest.raises(ClientDisconnect):
        await given_token(FORM, sending(b"token=", b"a", ends=False))


async def test_no_more_than_the_limit() -> None:
    """A body in pieces is cut off as soon as it is too large."""
    receive = limited(sending(b"x" * 60, b"x" * 40, b"x"), 100)

    assert [len((await receive())["body"]) for _ in range(2)] == [60, 40]
    with pytest.raises(HTTPException) as raised:
        await receive()
    assert raised.value.status_code == 413
