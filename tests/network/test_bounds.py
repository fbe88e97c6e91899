"""No answer is too large and no call too slow: bytes are counted behind the decompression, and time as a whole."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import time
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx2
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.asking.answers import read_answer
from kometa_ai.asking.prompts import FORM
from kometa_ai.core.item import ArrId
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.arr.connection import Timeouts
from kometa_ai.library.port import CreditsUnavailable, LibrarySilent
from kometa_ai.library.radarr import Radarr
from kometa_ai.network.bounds import MIB, AnswerTooLarge, Bound, BoundedTransport
from kometa_ai.network.client import open_client
from kometa_ai.network.environment import Network
from kometa_ai.notification.after_changes import after_changes
from kometa_ai.providers.claude.batches import ClaudeBatches
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import Failure, Request, RequestFailed
from kometa_ai.settings.schema import Settings
from tests.library.talking import Waits
from tests.network.raw import serving

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Iterator

REQUEST = Request(
    form=FORM, movies="{}", collection="Noir", model="claude-sonnet-5-5", cache=False, expected_tokens=4000
)


def answer(body: bytes = b"", *, status: int = 200, kind: str = "application/json", encoding: str = "") -> bytes:
    """An answer whose end is the end of its connection."""
    coding = f"Content-Encoding: {encoding}\r\n" if encoding else ""
    return f"HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\n{coding}Connection: close\r\n\r\n".encode() + body


def bomb(megabytes: int, encoding: str) -> bytes:
    """So many megabytes of spaces, compressed to a thousandth."""
    bits = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}[encoding]
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return b"".join([packer.compress(b" " * MIB) for _ in range(megabytes)] + [packer.flush()])


def endless(piece: bytes, head: bytes, limit: int = 700 * MIB) -> Callable[[socket.socket, bytes], None]:
    """Send a head, then the same piece again and again, until the client hangs up."""

    def handle(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head)
        for _ in range(limit // len(piece)):
            connection.sendall(piece)

    return handle


def dripping(head: bytes) -> Callable[[socket.socket, bytes], None]:
    """Send a head, then a blank five times a second."""

    def handle(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(head)
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.2)

    return handle


@contextmanager
def little(*, megabytes: int = 150, seconds: float = 60) -> Iterator[None]:
    """What happens inside takes no more memory than so much more than ever before, and no more time."""
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < megabytes * 1024
    assert time.monotonic() - started < seconds


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_in_place_of_claudes_answer(encoding: str) -> None:
    """A small answer that becomes a large one is unreadable after 16 MB, and paid for perhaps."""
    body = answer(bomb(200, encoding), encoding=encoding)
    with serving(lambda connection, _: connection.sendall(body)) as server:
        async with Claude("key", server.url) as claude:
            with little(), pytest.raises(RequestFailed, match="more than 16 MB") as caught:
                await claude.ask(REQUEST)

    assert caught.value.failure is Failure.UNREADABLE
    assert caught.value.may_be_billed
    assert server.requests == 1


async def test_a_bomb_in_a_bomb() -> None:
    """Twice compressed is a million to one, and ends in the same way."""
    body = answer(gzip.compress(bomb(200, "gzip")), encoding="gzip, gzip")
    with serving(lambda connection, _: connection.sendall(body)) as server:
        async with Claude("key", server.url) as claude:
            with little(), pytest.raises(RequestFailed, match="more than 16 MB"):
                await claude.ask(REQUEST)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "piece", [b"x" * 65536, b"x\n" * 32768, b"data: x\n" * 8192, b": x\n" * 16384, b"\r" * 65536, b"\n" * 65536]
)
async def test_a_stream_without_end(piece: bytes) -> None:
    """One endless line, an event without end, and lines that say nothing are read in little time."""
    with serving(endless(piece, answer(b"event: message_start\ndata: ", kind="text/event-stream"))) as server:
        async with Claude("key", server.url) as claude:
            with little(), pytest.raises(RequestFailed) as caught:
                await claude.ask(REQUEST, lambda: None)

    assert caught.value.failure is Failure.UNREADABLE
    assert server.requests == 1


def test_an_answer_of_nothing_but_numbers() -> None:
    """Fifty megabytes of `7,` are looked at as far as an answer can reach."""
    with little():
        reading = read_answer('{"decisions": [], "excluded": [' + "7," * (25 * MIB), frozenset({7, 8}))

    assert set(reading.verdicts) == {7}


async def test_a_library_has_room() -> None:
    """A long list of movies is no small answer, as a list of tags is; what has no end is ended, and asked for once."""
    rows = [
        {"id": number, "title": f"M{number}", "tmdbId": number, "overview": "x" * 4000} for number in range(1, 2000)
    ]
    body = answer(json.dumps(rows).encode())
    with serving(lambda connection, _: connection.sendall(body)) as server:
        async with Radarr(server.url, "key", sleep=Waits()) as radarr:
            with pytest.raises(CheckLibrary, match="more than 1 MB"):
                await radarr.contents()  # the same as a list of tags
    assert server.requests == 2

    with serving(endless(b" " * MIB, answer())) as server:
        async with Radarr(server.url, "key", sleep=Waits()) as radarr:
            with little(megabytes=700, seconds=60), pytest.raises(CheckLibrary, match="more than 512 MB"):
                await radarr.contents()
    assert server.requests == 1


async def test_small_answers_of_radarr() -> None:
    """Its state, the credits of a movie and errors are small: a megabyte more ends the call, which is not repeated."""
    for head in (answer(), answer(status=503), answer(kind="text/html")):
        with serving(endless(b" " * 65536, head)) as server:
            async with Radarr(server.url, "key", sleep=Waits()) as radarr:
                with little(), pytest.raises(CheckLibrary, match="more than 1 MB") as caught:
                    await radarr.check()
                with pytest.raises(CreditsUnavailable, match="more than 1 MB"):
                    await radarr.credits.of(ArrId(1))
        assert not isinstance(caught.value, LibrarySilent)
        assert server.requests == 2


async def test_results_of_a_batch_are_bounded_by_the_line() -> None:
    """They may be long, but a line of more than 2 MB is no answer. They are read where the batch is, with the key."""
    ended = {"id": "msgbatch_1", "processing_status": "ended", "results_url": "https://elsewhere.example/v1/x/results"}

    def handle(connection: socket.socket, head: bytes) -> None:
        if b"/results" in head.partition(b"\r\n")[0]:
            endless(b" " * 65536, answer(kind="application/x-jsonl"))(connection, head)
        connection.sendall(answer(json.dumps(ended).encode()))

    with serving(handle) as server:
        async with Claude("key", server.url) as claude:
            with little(), pytest.raises(RequestFailed, match="a line of more than 2 MB"):
                _ = [one async for one in ClaudeBatches(claude).answers("msgbatch_1")]


@pytest.mark.parametrize("head", [answer(), b"HTTP/1.1 200 OK\r\nX:", b"HTTP/1.1 "])
async def test_an_answer_that_drips(head: bytes) -> None:
    """A byte now and then does not keep a call alive beyond its time."""
    with serving(dripping(head)) as server:
        async with open_client(Network(), timeout=1.5) as client:
            with little(seconds=4), pytest.raises(httpx2.ReadTimeout):
                await client.get(server.url)
        async with Radarr(server.url, "key", sleep=Waits(), timeouts=Timeouts(check=1)) as radarr:
            with little(seconds=4), pytest.raises(LibrarySilent, match="did not answer within 1 s"):
                await radarr.check(tries=1)


async def test_what_is_allowed_arrives_whole() -> None:
    """An answer right below its bound is whole, decompressed, and the next one goes over the same connection."""
    body = gzip.compress(b"x" * MIB)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serving(lambda connection, _: connection.sendall(head + body)) as server:
        async with open_client(Network(), bound_of=lambda _: Bound(MIB)) as client:
            assert (await client.get(server.url)).content == b"x" * MIB
        async with open_client(Network(), bound_of=lambda _: Bound(MIB - 1)) as client:
            with pytest.raises(AnswerTooLarge):
                await client.get(server.url)


async def test_the_answer_to_the_call_after_changes() -> None:
    """It is read no further than a megabyte, and the log says so."""
    with serving(endless(b" " * 65536, answer())) as server, structlog.testing.capture_logs() as log, little():
        await after_changes(["Noir"], Settings(after_changes_url=server.url))

    assert log[-1]["event"] == "after_changes.not_called"
    assert "more than 1 MB" in log[-1]["why"]


async def test_a_list_of_batches_without_end() -> None:
    """A list that always has more is left after some thousands."""
    batch = {
        "id": "msgbatch_1",
        "type": "message_batch",
        "created_at": "2099-01-01T00:00:00Z",
        "processing_status": "ended",
        "request_counts": dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0),
    }
    page = answer(json.dumps({"data": [batch] * 100, "has_more": True, "first_id": "a", "last_id": "b"}).encode())
    with serving(lambda connection, _: connection.sendall(page)) as server:
        async with Claude("key", server.url) as claude:
            with little(seconds=30):
                found = [one async for one in ClaudeBatches(claude).since(datetime(2026, 1, 1, tzinfo=UTC))]

    assert len(found) == 5000
    assert server.requests <= 51


@given(st.lists(st.binary(max_size=40).map(lambda piece: piece.replace(b"7", b"\n")), max_size=20))
def test_lines_stay_what_they_are(pieces: list[bytes]) -> None:
    """Wherever an answer is cut into pieces, what arrives is the same, whole lines at a time; too long ones do not."""

    async def arrived() -> list[bytes]:
        response = httpx2.Response(200, stream=Pieces(pieces))
        bounded = BoundedTransport(Network(), lambda _: Bound(MIB, line=30), httpx2.MockTransport(lambda _: response))
        async with httpx2.AsyncClient(transport=bounded) as client, client.stream("GET", "http://radarr") as found:
            return [chunk async for chunk in found.aiter_bytes()]

    whole = b"".join(pieces)
    if max(map(len, whole.split(b"\n"))) > 30:
        with pytest.raises(AnswerTooLarge, match="a line"):
            asyncio.run(arrived())
    else:
        found = asyncio.run(arrived())
        assert b"".join(found) == whole
        assert all(chunk.endswith(b"\n") for chunk in found[:-1])


class Pieces(httpx2.AsyncByteStream):
    """A body in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
