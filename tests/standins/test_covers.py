"""The pictures of the stand-ins, asked of both, over real HTTP; and what they look like to a reader of PNG."""

from __future__ import annotations

import struct
import time
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

import httpx2
import pytest

from kometa_ai.standins import faults
from kometa_ai.standins.arr.posters import draw_poster
from kometa_ai.standins.radarr import API_KEY, MovieSeed, RadarrStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import ShowSeed, SonarrStandIn
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

StandIn = RadarrStandIn | SonarrStandIn

SMALL = "/api/v3/MediaCover/1/poster-250.jpg"


@pytest.fixture(params=["Radarr", "Sonarr"])
def service(request: pytest.FixtureRequest) -> StandIn:
    """Each of the services, with one item: row 1, number 949."""
    if request.param == "Radarr":
        return RadarrStandIn([MovieSeed("Heat", 1995, 949)])
    return SonarrStandIn([ShowSeed("Dark", 2017, 949)])


@contextmanager
def served(service: StandIn, key: str = API_KEY) -> Iterator[httpx2.Client]:
    """The service, and a client with its key."""
    with serve(service.app) as url, httpx2.Client(verify=PLAIN, base_url=url, headers={"X-Api-Key": key}) as client:
        yield client


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a PNG, all of whose pieces and points are there."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    place, pieces = 8, []
    while place < len(picture):
        [length] = struct.unpack_from(">I", picture, place)
        kind, data = picture[place + 4 : place + 8], picture[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", picture, place + 8 + length)[0] == zlib.crc32(kind + data)
        pieces.append((kind, data))
        place += 12 + length
    assert [kind for kind, _ in pieces] == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height = struct.unpack_from(">II", pieces[0][1])
    assert len(zlib.decompress(pieces[2][1])) == height * (width + 1)
    return width, height


def test_each_item_has_a_poster_in_three_sizes(service: StandIn) -> None:
    """The number in a name is the height; the type is that of the name, and browsers may keep it."""
    with served(service) as client:
        answers = {name: client.get(f"/api/v3/MediaCover/1/{name}") for name in ("poster.jpg", "poster-500.jpg")}
        small = client.get(SMALL)

    assert size_of(small.content) == (167, 250)
    assert size_of(answers["poster-500.jpg"].content) == (333, 500)
    assert size_of(answers["poster.jpg"].content) == (500, 750)
    assert small.headers["content-type"] == "image/jpeg"
    assert small.headers["cache-control"] == "max-age=31536000, public"
    assert small.headers["last-modified"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert small.headers["x-application-version"]
    assert len(service.cover_reads) == 3


@pytest.mark.parametrize("key", ["", "0" * 32])
def test_pictures_need_the_key(service: StandIn, key: str) -> None:
    """As everything below the API; outside of it there are none."""
    with served(service, key) as client:
        assert client.get(SMALL).status_code == 401
        assert client.get(SMALL.removeprefix("/api/v3")).status_code == 404


def test_a_missing_size_is_answered_with_the_whole_picture(service: StandIn) -> None:
    """A smaller file that is missing or empty; an item without any file has none, and says so as problem+json."""
    with served(service) as client:
        service.covers.put(949, b"full", "poster.jpg")
        service.covers.remove(949, "poster-250.jpg")
        missing = client.get(SMALL)
        service.covers.put(949, b"")
        empty = client.get(SMALL)
        service.covers.remove(949)
        none = client.get(SMALL)
        service.covers.put(949, b"", "poster.jpg")
        nothing = client.get("/api/v3/MediaCover/1/poster.jpg")

    assert (missing.content, empty.content) == (b"full", b"full")
    assert (none.status_code, nothing.status_code) == (404, 404)
    assert none.headers["content-type"].startswith("application/problem+json")
    assert none.json()["status"] == 404


@pytest.mark.parametrize("path", ["1/poster-250.txt", "one/poster-250.jpg", "2/poster-250.jpg", "1/fanart.jpg"])
def test_what_is_not_there(service: StandIn, path: str) -> None:
    """Other kinds of file, rows that are none, items and pictures that are not there: 404."""
    with served(service) as client:
        assert client.get(f"/api/v3/MediaCover/{path}").status_code == 404


@pytest.mark.parametrize(
    ("since", "status"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), 304),
        (datetime(2026, 1, 2, tzinfo=UTC), 304),
        (datetime(2025, 12, 31, tzinfo=UTC), 200),
        (datetime(2999, 1, 1, tzinfo=UTC), 200),
    ],
)
def test_what_has_not_changed_is_not_sent_again(service: StandIn, since: datetime, status: int) -> None:
    """It counts when the file was written; a moment that is to come counts for nothing, and neither does nonsense."""
    with served(service) as client:
        answer = client.get(SMALL, headers={"If-Modified-Since": format_datetime(since, usegmt=True)})
        odd = client.get(SMALL, headers={"If-Modified-Since": "yesterday"})

    assert (answer.status_code, bool(answer.content)) == (status, status == 200)
    assert answer.headers["last-modified"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert odd.status_code == 200


def test_a_flood_ends_when_the_client_hangs_up(service: StandIn) -> None:
    """A body that is far too long begins as it is told to, and is sent no further than to where the client reads."""
    service.faults.inject(faults.flood(1 << 40, b"\xff\xd8\xff"), path="*/mediacover/*")
    service.faults.inject(faults.flood(100_000), path="*/mediacover/*")
    with served(service) as client:
        with client.stream("GET", SMALL) as answer:
            assert next(answer.iter_bytes()).startswith(b"\xff\xd8\xff")
        whole = client.get(SMALL)

    assert (whole.status_code, len(whole.content)) == (200, 100_000)


def test_a_trickle_is_slow_and_whole(service: StandIn) -> None:
    """The bytes of an answer come one by one; a client that has enough ends it."""
    service.covers.put(949, b"abcdef")
    service.faults.inject(faults.trickle(0.02), path="*/mediacover/*", times=2)
    with served(service) as client:
        started = time.monotonic()
        whole = client.get(SMALL)
        took = time.monotonic() - started
        with client.stream("GET", SMALL) as answer:
            assert next(answer.iter_bytes()) == b"a"

    assert whole.content == b"abcdef"
    assert took > 0.1


def test_posters_are_small_and_of_many_kinds() -> None:
    """The same each time; different for different numbers; at most 6 KB for a small one, and whole for every number."""
    drawn = [draw_poster(number, 250) for number in range(120)]

    assert drawn[7] == draw_poster(7, 250)
    assert len(set(drawn)) == len(drawn)
    assert max(map(len, drawn)) < 6000
    assert {size_of(picture) for picture in drawn} == {(167, 250)}
