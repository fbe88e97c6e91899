"""Posters over HTTP: the API's, and those of pages, which show a tile where there is none."""

from __future__ import annotations

from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import anyio
import pytest

from kometa_ai.standins import faults
from kometa_ai.standins.arr.posters import draw_poster
from kometa_ai.standins.radarr_seed import MovieSeed
from tests.daemon.kept import keep_libraries
from tests.daemon.living import KEY, daemon_beside
from tests.run.libraries import Home, shows
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.daemon.living import Beside

COVERS = "*/mediacover/*"
JPEG = b"\xff\xd8\xff\xe0" + b"photo"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
API, PAGE = "/api/v1/movies/{}/poster", "/posters/{}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three movies, as a run has read them."""
    with World(tmp_path, movies(3)) as made:
        made.collections(block("Noir"))
        keep_libraries(made)
        yield made


@pytest.fixture
async def here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test."""
    async with daemon_beside(world) as made:
        yield made


@pytest.mark.parametrize("path", [API, PAGE])
async def test_a_poster(world: World, here: Beside, path: str) -> None:
    """The picture with a type of our own, which a browser keeps for a week, and in which nothing is run."""
    small = await here.client.get(path.format("1000"))
    large = await here.client.get(path.format("movie:1000"), params={"size": 500})

    assert small.status_code == 200
    assert (small.content, large.content) == (draw_poster(1000, 250), draw_poster(1000, 500))
    assert small.headers["content-type"] == "image/png"
    assert small.headers["cache-control"] == "private, max-age=604800"
    assert small.headers["content-security-policy"] == "default-src 'none'"
    assert small.headers["x-content-type-options"] == "nosniff"
    assert small.headers["etag"].strip('"')
    assert (world.state_dir / "cache" / "posters" / "250" / "movie-1000.png").exists()


@pytest.mark.parametrize("path", [API, PAGE])
async def test_the_type_is_what_the_picture_is(world: World, here: Beside, path: str) -> None:
    """Whatever Radarr says of it, which goes by the name of the file."""
    world.radarr.covers.put(1000, JPEG)
    world.radarr.covers.put(1001, WEBP)
    types = [(await here.client.get(path.format(number))).headers["content-type"] for number in (1000, 1001)]

    assert types == ["image/jpeg", "image/webp"]


@pytest.mark.parametrize("path", [API, PAGE])
async def test_a_picture_that_is_known_is_not_sent_again(here: Beside, path: str) -> None:
    """By its tag, which is of the content, or else by when it was read; 304 tells for how long to keep it."""
    place = path.format(1000)
    first = await here.client.get(place)
    tag, read = first.headers["etag"], first.headers["last-modified"]
    later = format_datetime(parsedate_to_datetime(read).replace(year=2999), usegmt=True)
    known = [
        {"If-None-Match": tag},
        {"If-None-Match": f'"other", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-None-Match": tag, "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": read},
        {"If-Modified-Since": later},
    ]
    unknown = [
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": read},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "Thu, 01 Jan 2999 00:00:00"},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": "Thu, 01 Jan 99999999999999 00:00:00 GMT"},
    ]

    for headers in known:
        answer = await here.client.get(place, headers=headers)
        assert (answer.status_code, answer.content) == (304, b""), headers
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == "private, max-age=604800"
    for headers in unknown:
        assert (await here.client.get(place, headers=headers)).status_code == 200, headers


SIZES = ("0", "249", "1000", "-250", "250.5", "large", "", "\u0665\u0660\u0660", "250,500")
ODD_KEYS = (
    "..%2f..%2fapi_key",
    "%2e%2e%2fkometa_state.json",
    "movie:..",
    "movie:1000%2f..",
    "movie-1000",
    "movie%3A1000%00",
    "tvdb:1",
    "0",
    "movie:0",
    "show:-1",
    "12345678901",
    "movie:%D9%A3",
    "1000.jpg",
    "MOVIE:1000",
)


@pytest.mark.parametrize("path", [API, PAGE])
async def test_other_sizes_are_none(here: Beside, path: str) -> None:
    """There are two."""
    statuses = {size: (await here.client.get(path.format(1000), params={"size": size})).status_code for size in SIZES}

    assert statuses == dict.fromkeys(SIZES, 422)


@pytest.mark.parametrize("path", [API, PAGE])
async def test_only_numbers_make_a_path(world: World, here: Beside, path: str) -> None:
    """Whatever else names an item is refused, and nothing is looked up."""
    for key in ODD_KEYS:
        answer = await here.client.get(path.format(key))
        assert answer.status_code in (404, 422), key
        assert b"<svg" not in answer.content

    assert world.radarr.cover_reads == []
    assert not (world.state_dir / "cache").exists()


async def test_pictures_need_the_key(here: Beside) -> None:
    """Or a sign-in: they tell what the operator has."""
    for path in (API.format(1000), PAGE.format(1000)):
        answer = await here.bare.get(path)
        assert answer.status_code in (303, 401)
        assert not answer.headers["content-type"].startswith("image/") if answer.content else True
    refused = await here.bare.delete("/api/v1/cache/posters")
    assert refused.status_code == 401


async def test_without_a_poster(world: World, here: Beside) -> None:
    """The API says so in JSON; a page gets a tile with the initials, to be asked for again in an hour."""
    world.radarr.covers.remove(1000)
    missing = await here.client.get(API.format(1000))
    tile = await here.client.get(PAGE.format(1000))

    assert missing.status_code == 404
    assert missing.json()["error"] == "No library has a poster of 'movie:1000'."
    assert tile.status_code == 200
    assert tile.headers["content-type"] == "image/svg+xml"
    assert tile.headers["cache-control"] == "private, max-age=3600"
    assert tile.headers["content-security-policy"] == "default-src 'none'"
    assert tile.headers["x-content-type-options"] == "nosniff"
    assert ">M0</text>" in tile.text


async def test_an_item_that_nobody_knows(here: Beside) -> None:
    """A tile without initials: a reel for a movie, a screen for a show."""
    movie = await here.client.get(PAGE.format("movie:77"))
    show = await here.client.get(PAGE.format("show:77"))

    assert (movie.status_code, show.status_code) == (200, 200)
    assert "<text" not in movie.text + show.text
    assert "<circle" in movie.text
    assert "<path" in show.text


async def test_while_a_library_is_down(world: World, here: Beside) -> None:
    """What is kept is shown; else there is a tile that is not kept for long, and the API says why there is nothing."""
    await here.client.get(PAGE.format(1000))
    world.radarr.faults.inject(faults.drop(), path=COVERS, times=None)
    kept = await here.client.get(PAGE.format(1000))
    tile = await here.client.get(PAGE.format(1001))
    missing = await here.client.get(API.format(1001))

    assert kept.content == draw_poster(1000, 250)
    assert (tile.headers["content-type"], tile.headers["cache-control"]) == ("image/svg+xml", "private, max-age=30")
    assert ">M1</text>" in tile.text
    assert missing.status_code == 404
    assert "cannot be had now" in missing.json()["error"]


async def test_an_item_that_has_left(world: World) -> None:
    """Its title is known from the state, and so are its initials."""
    await anyio.to_thread.run_sync(world.run)
    world.radarr.remove_movie(1000)
    await anyio.to_thread.run_sync(world.run)
    async with daemon_beside(world) as here:
        tile = await here.client.get(PAGE.format(1000))

    assert ">M0</text>" in tile.text


async def test_posters_of_shows(tmp_path: Path) -> None:
    """By TVDb id, from Sonarr."""

    def made() -> Home:
        return Home(tmp_path, movies(1), (), shows(1))

    with made() as home:
        await anyio.to_thread.run_sync(keep_libraries, home)
        async with daemon_beside(home) as here:
            for path in (API, PAGE):
                answer = await here.client.get(path.format("show:1000"))
                assert (answer.status_code, answer.content) == (200, draw_poster(1000, 250))
        assert len(home.sonarr.cover_reads) == 1
        assert home.radarr.cover_reads == []


async def test_clearing(world: World, here: Beside) -> None:
    """The API tells how many bytes it has freed; posters come again as they are shown."""
    await here.client.get(PAGE.format(1000))
    freed = await here.client.delete("/api/v1/cache/posters")
    nothing = await here.client.delete("/api/v1/cache/posters")
    again = await here.client.get(PAGE.format(1000))

    assert freed.json() == {"freed_bytes": len(draw_poster(1000, 250))}
    assert nothing.json() == {"freed_bytes": 0}
    assert again.content == draw_poster(1000, 250)
    assert len(world.radarr.cover_reads) == 2


async def test_below_a_url_base(world: World) -> None:
    """Pictures are where pages are."""
    world.change(http_url_base="/kometa-ai")
    async with daemon_beside(world) as here:
        answer = await here.client.get("/kometa-ai/posters/1000")

    assert answer.content == draw_poster(1000, 250)


async def test_a_whole_page_of_pictures(tmp_path: Path) -> None:
    """Sixty at once, as a browser asks that has them all in view."""
    with World(tmp_path, movies(60)) as world:
        await anyio.to_thread.run_sync(keep_libraries, world)
        async with daemon_beside(world) as here:
            found: dict[int, bytes] = {}

            async def read(number: int) -> None:
                found[number] = (await here.client.get(PAGE.format(number))).content

            async with anyio.create_task_group() as group:
                for number in range(1000, 1060):
                    group.start_soon(read, number)

    assert found == {number: draw_poster(number, 250) for number in range(1000, 1060)}


async def test_no_secret_leaves(world: World, here: Beside) -> None:
    """Neither key is in a picture, a tile or an error."""
    world.radarr.covers.remove(1000)
    answers = [await here.client.get(path.format(key)) for path in (API, PAGE) for key in (1000, 1001)]

    for answer in answers:
        for secret in (KEY, "0123456789abcdef0123456789abcdef"):
            assert secret.encode() not in answer.content
            assert secret not in str(answer.headers)


@pytest.mark.parametrize(
    "title",
    [
        "<script>alert(1)</script>",
        "\"><image href='x'/>",
        "&lt;b&gt;",
        "]]><x>",
        "\x00\x1b[31m\u202e",
        "千と千尋の神隠し",
    ],
)
async def test_hostile_titles(tmp_path: Path, title: str) -> None:
    """A tile is well-formed, and holds nothing but shapes and one text."""
    with World(tmp_path, [MovieSeed(title, 2000, 1000)]) as world:
        world.radarr.covers.remove(1000)
        await anyio.to_thread.run_sync(keep_libraries, world)
        async with daemon_beside(world) as here:
            tile = await here.client.get(PAGE.format(1000))

    root = ET.fromstring(tile.text)  # noqa: S314 - our own
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "defs", "linearGradient", "stop", "rect", "circle", "text", "g"}
