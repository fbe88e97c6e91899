"""Posters from both services: what is taken as a picture, what is none, and which errors are about one picture."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import Response

from kometa_ai.core.item import ArrId
from kometa_ai.core.picture import LARGEST_PICTURE, form_of
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.arr.connection import Timeouts
from kometa_ai.library.port import Cover, CoverUnavailable, LibrarySilent
from kometa_ai.library.radarr import Radarr
from kometa_ai.standins import faults
from kometa_ai.standins.arr.posters import draw_poster
from kometa_ai.standins.radarr import API_KEY
from kometa_ai.standins.serving import serve
from tests.library.services import FIRST, SERVICES, Service

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from kometa_ai.standins.faults import Effect

ONE = ArrId(1)
COVERS = "*/mediacover/*"
JPEG = b"\xff\xd8\xff\xe0" + b"photo"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "


@pytest.fixture(params=SERVICES, ids=str)
def service(request: pytest.FixtureRequest) -> Service:
    """Each of the services."""
    found: Service = request.param
    return found


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (JPEG, "jpg"),
        (draw_poster(1, 250), "png"),
        (WEBP, "webp"),
        (b"GIF89a", None),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_the_kind_is_told_by_how_a_body_begins(body: bytes, form: str | None) -> None:
    """JPEG, PNG and WebP are taken, and nothing else; above all no SVG, in which there may be a script."""
    assert form_of(body) == form


async def test_a_poster_is_read(service: Service) -> None:
    """By the service's own id, in either size, with the key in a header alone; a type in a header says nothing."""
    server = service.with_items(2)
    server.covers.put(FIRST, JPEG, "poster-500.jpg")
    async with service.talking(server) as client:
        small = await client.cover(ONE, 250)
        large = await client.cover(ONE, 500)
        calls = dict(client.calls)

    assert small == Cover(draw_poster(FIRST, 250), "png")
    assert large == Cover(JPEG, "jpg")
    assert [read.path for read in server.cover_reads] == [
        f"/api/v3/MediaCover/1/poster-{height}.jpg" for height in (250, 500)
    ]
    assert all(read.headers["x-api-key"] == API_KEY and not read.query for read in server.cover_reads)
    assert calls == {("cover", "200"): 2}


async def test_an_item_without_a_poster(service: Service) -> None:
    """A file that is missing, and a row that is none."""
    server = service.with_items(1)
    server.covers.remove(FIRST)
    async with service.talking(server) as client:
        assert await client.cover(ONE, 250) == "none"
        assert await client.cover(ArrId(77), 250) == "none"


async def test_what_has_not_changed_is_not_read_again(service: Service) -> None:
    """The service is asked for what was written after a moment, and answers with that, or that there is nothing new."""
    server = service.with_items(1)
    written = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    server.covers.put(FIRST, JPEG, written=written)
    async with service.talking(server) as client:
        assert await client.cover(ONE, 250, since=written) == "unchanged"
        assert await client.cover(ONE, 250, since=written - timedelta(seconds=1)) == Cover(JPEG, "jpg")

    assert server.cover_reads[0].headers["if-modified-since"] == "Tue, 03 Feb 2026 04:05:06 GMT"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (faults.flood(1 << 40, JPEG), "4 MB"),
        (faults.flood(LARGEST_PICTURE + 1, JPEG), "4 MB"),
        (faults.answer(200, "GIF89a", "image/jpeg"), "no picture"),
        (faults.answer(200, "", "image/jpeg"), "no picture"),
        (faults.answer(500, '{"message": "disk"}', "application/json"), "disk"),
        (faults.answer(400, '{"message": "odd"}', "application/json"), "odd"),
    ],
)
async def test_what_is_wrong_with_one_picture(service: Service, fault: Effect, word: str) -> None:
    """It says nothing about others: the service answers. What is too large is given up on the way, not at its end."""
    server = service.with_items(2)
    server.faults.inject(fault, path=COVERS)
    async with service.talking(server) as client:
        with pytest.raises(CoverUnavailable, match=word):
            await client.cover(ONE, 250)
        assert isinstance(await client.cover(ONE, 250), Cover)


async def test_the_largest_that_is_taken(service: Service) -> None:
    """Exactly four megabytes."""
    server = service.with_items(1)
    server.faults.inject(faults.flood(LARGEST_PICTURE, JPEG), path=COVERS)
    async with service.talking(server) as client:
        found = await client.cover(ONE, 250)

    assert isinstance(found, Cover)
    assert len(found.body) == LARGEST_PICTURE


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (faults.html_page(), "instead of a picture"),
        (faults.redirect("https://elsewhere.example/poster.jpg"), "redirects"),
        (faults.answer(401), "key"),
        (faults.answer(403, "no"), "refuses"),
        (faults.answer(304), "redirects"),
    ],
)
async def test_what_would_be_wrong_with_each_picture(service: Service, fault: Effect, word: str) -> None:
    """A login page, the way to one, a wrong key: no other picture can be had either, and no redirect is followed."""
    server = service.with_items(1)
    server.faults.inject(fault, path=COVERS)
    async with service.talking(server) as client:
        with pytest.raises(CheckLibrary, match=word):
            await client.cover(ONE, 250)

    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [faults.bad_gateway(), faults.drop(), faults.truncate(100)])
async def test_a_service_that_is_silent(service: Service, fault: Effect) -> None:
    """It is down, or a connection breaks half-way: asked once, and not again by itself."""
    server = service.with_items(1)
    server.faults.inject(fault, path=COVERS)
    async with service.talking(server) as client:
        with pytest.raises(LibrarySilent):
            await client.cover(ONE, 250)

    assert len(server.requests) == 1


async def test_a_service_that_is_slow(service: Service) -> None:
    """The time is for the whole picture: bytes that come now and then do not make it longer."""
    server = service.with_items(1)
    server.faults.inject(faults.trickle(0.05), path=COVERS)
    async with service.talking(server, timeouts=Timeouts(cover=0.4)) as client:
        started = time.monotonic()
        with pytest.raises(LibrarySilent, match=r"0\.4 s"):
            await client.cover(ONE, 250)
        took = time.monotonic() - started

    assert took < 3
    assert Timeouts().cover == 5


async def test_the_key_does_not_leave_the_service() -> None:
    """A redirect to another host is an error, and that host hears nothing."""
    heard: list[str] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(scope["path"])
        await Response(JPEG)(scope, receive, send)

    with serve(note) as elsewhere:
        away = Starlette()
        away.add_route("/{path:path}", lambda _request: Response(status_code=302, headers={"Location": elsewhere}))
        with serve(away) as url:
            async with Radarr(url, API_KEY) as client:
                with pytest.raises(CheckLibrary, match="redirects"):
                    await client.cover(ONE, 250)

    assert heard == []


async def test_nobody_there(service: Service) -> None:
    """No connection comes about."""
    server = service.with_items(1)
    with serve(server.app) as url:
        pass
    async with Radarr(url, API_KEY) as client:
        with pytest.raises(LibrarySilent):
            await client.cover(ONE, 250)
