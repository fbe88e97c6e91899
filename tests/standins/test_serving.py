from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import httpx2
import pytest
from starlette.responses import PlainTextResponse

from kometa_ai.standins.serving import hang_up, serve

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


def _port(url: str) -> int:
    return httpx2.URL(url).port or 0


def test_serves_until_closed() -> None:
    """The application answers at the URL while the context is open, and nothing listens there afterwards."""
    with serve(PlainTextResponse("hello")) as url:
        assert httpx2.get(f"{url}/any").text == "hello"
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)


def test_takes_the_port_it_is_given_again_and_again() -> None:
    """A given port is used, and free again right after closing, even after a connection that was kept alive."""
    with serve(PlainTextResponse("first")) as url, httpx2.Client() as client:
        assert client.get(url).text == "first"
        port = _port(url)
    with serve(PlainTextResponse("second"), port=port) as again:
        assert again == url
        assert httpx2.get(again).text == "second"


def test_refuses_a_port_that_is_taken() -> None:
    """A taken port is an error at once and leaves nothing open."""
    with (
        serve(PlainTextResponse("")) as url,
        pytest.raises(OSError, match="in use"),
        serve(PlainTextResponse(""), port=_port(url)),
    ):
        pass


def test_several_at_once() -> None:
    """Servers do not disturb each other."""
    with serve(PlainTextResponse("one")) as one, serve(PlainTextResponse("two")) as two:
        assert (httpx2.get(one).text, httpx2.get(two).text) == ("one", "two")


def test_closing_ends_requests_that_still_run() -> None:
    """Closing does not wait for a delayed answer: its client sees the connection end."""
    arrived, ended = threading.Event(), threading.Event()

    async def late(_scope: Scope, _receive: Receive, _send: Send) -> None:
        arrived.set()
        await asyncio.sleep(3600)

    def ask(url: str) -> None:
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.get(url)
        ended.set()

    with serve(late) as url:
        client = threading.Thread(target=ask, args=[url])
        client.start()
        assert arrived.wait(10)
    client.join(10)
    assert ended.is_set()


def test_an_application_can_hang_up() -> None:
    """Hanging up ends the connection in the middle of an answer; what was sent before it arrives."""
    received: list[str] = []
    with (
        serve(_half_an_answer) as url,
        httpx2.stream("GET", url) as response,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        received.extend(response.iter_text())
    assert received == ["half"]


def test_an_application_can_hang_up_without_a_word() -> None:
    """Hanging up before the answer leaves the client without any."""

    async def silent(scope: Scope, _receive: Receive, _send: Send) -> None:
        await hang_up(scope)

    with serve(silent) as url, pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        httpx2.get(url)


async def _half_an_answer(scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    await hang_up(scope, flush=True)
