"""Posters in the daemon: how they are found, kept and forgotten, with real libraries and real disks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from kometa_ai.app import session_of
from kometa_ai.core.item import movie_key, show_key
from kometa_ai.daemon import posters
from kometa_ai.daemon.indexing import Indexer
from kometa_ai.daemon.posters import Missing, Picture, Posters
from kometa_ai.jobs.aside import DoesNotAnswer
from kometa_ai.standins import faults
from kometa_ai.standins.arr.posters import draw_poster
from kometa_ai.standins.serving import serve
from kometa_ai.state.posters import PosterCache
from tests.daemon.kept import keep_libraries
from tests.daemon.living import daemon_process
from tests.daemon.preloaded import COMPILER
from tests.run.libraries import Home, shows
from tests.run.world import World, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.picture import Height

COVERS = "*/mediacover/*"
JPEG = b"\xff\xd8\xff\xe0" + b"photo"
FIRST = movie_key(1000)
DAY = 86400.0


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.time


@pytest.fixture
def clock() -> Clock:
    """The clock of the posters."""
    return Clock()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Sixty-two movies, as a run has read them."""
    with World(tmp_path, movies(62)) as made:
        keep_libraries(made)
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Four films, of which two are in 4K, too, and a fifth that is there alone; and three shows."""
    films = movies(5)
    with Home(tmp_path, films[:4], [*films[:2], films[4]], shows(3)) as made:
        keep_libraries(made)
        yield made


@asynccontextmanager
async def opened(
    world: World, clock: Clock | None = None, most_kept: int = posters.MOST_KEPT
) -> AsyncIterator[Posters]:
    """The posters of a world's daemon, without the daemon."""
    session = session_of(world.settings)
    indexer = Indexer(session)
    found = Posters(session, indexer, clock=clock or time.monotonic, most_kept=most_kept)
    try:
        yield found
    finally:
        indexer.close()
        await found.close()


def place(world: World, name: str = "movie-1000.png", height: int = 250) -> Path:
    """Where a picture is kept."""
    return world.state_dir / "cache" / "posters" / str(height) / name


def reads(world: World) -> int:
    """How often Radarr was asked for a picture."""
    return len(world.radarr.cover_reads)


def age(path: Path, days: float) -> None:
    """Let a picture be so old."""
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))


# A first look at a page


def test_the_first_pictures_come_together(tmp_path: Path) -> None:
    """A page asks for all its pictures at once: those that come first find no folder, and none is lost for it."""
    names = [movie_key(number) for number in range(8)]
    for each in range(40):
        cache, start = PosterCache(tmp_path / str(each)), threading.Barrier(len(names))
        (tmp_path / str(each)).mkdir()

        def keep(key: ItemKey, cache: PosterCache = cache, start: threading.Barrier = start) -> None:
            start.wait()
            cache.write(key, 250, JPEG, "jpg")

        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(keep, names))

        assert all(cache.read(key, 250) for key in names)


# How they are found


async def test_a_poster_comes_from_its_library_once(world: World) -> None:
    """It is read, kept in a file of its own for each size, and served from there, also by the next daemon."""
    async with opened(world) as found:
        first = await found.picture(FIRST, 250)
        again = await found.picture(FIRST, 250)
        large = await found.picture(FIRST, 500)
    async with opened(world) as found:
        later = await found.picture(FIRST, 250)

    assert first is not None
    assert first.body == draw_poster(1000, 250) == place(world).read_bytes()
    assert first.media_type == "image/png"
    assert again == later
    assert (again.body, again.etag) == (first.body, first.etag) if again else pytest.fail("it is gone")
    assert large is not None
    assert large.body == draw_poster(1000, 500) == place(world, height=500).read_bytes()
    assert large.etag != first.etag
    assert reads(world) == 2
    assert place(world).stat().st_mode & 0o777 == 0o600
    assert (world.state_dir / "cache" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886")


async def test_nothing_is_opened_before_the_first(world: World) -> None:
    """A daemon whose page nobody looks at makes no folder, and asks no library."""
    async with opened(world) as found:
        assert await found.size() == 0
        assert await found.clear() == 0

    assert not (world.state_dir / "cache").exists()
    assert reads(world) == 0


async def test_both_kinds_and_several_libraries(home: Home) -> None:
    """Movies by TMDb id, shows by TVDb id, each from the first library that has it, by that library's own number."""
    home.radarr.covers.remove(1001)
    home.radarr_4k.covers.put(1001, JPEG)
    async with opened(home) as found:
        both = await found.picture(movie_key(1000), 250)
        second = await found.picture(movie_key(1001), 250)
        alone = await found.picture(movie_key(1004), 250)
        show = await found.picture(show_key(1000), 250)

    assert both is not None
    assert second is not None
    assert alone is not None
    assert show is not None
    assert both.body == draw_poster(1000, 250)
    assert (second.body, second.media_type) == (JPEG, "image/jpeg")
    assert alone.body == draw_poster(1004, 250)
    assert show.body == place(home, "show-1000.png").read_bytes()
    assert place(home, "movie-1001.jpg").read_bytes() == JPEG
    assert [read.path.rpartition("/MediaCover/")[2] for read in home.radarr_4k.cover_reads] == [
        "2/poster-250.jpg",
        "3/poster-250.jpg",
    ]
    assert len(home.sonarr.cover_reads) == 1


async def test_a_library_that_is_down_beside_one_that_is_not(home: Home) -> None:
    """What the other one holds, too, is read there; what it alone holds is missing for now."""
    home.radarr.faults.inject(faults.bad_gateway(), path=COVERS, times=None)
    async with opened(home) as found:
        assert isinstance(await found.find(movie_key(1000), 250), Picture)
        assert await found.find(movie_key(1003), 250) is Missing.FOR_NOW
        assert isinstance(await found.find(show_key(1001), 250), Picture)

    assert len(home.radarr.cover_reads) == 1


async def test_a_rebuilt_library_keeps_the_posters(world: World) -> None:
    """Radarr's numbers are others afterwards; a film's poster stays, and a new one is asked for by the new number."""
    async with opened(world) as found:
        before = await found.picture(FIRST, 250)
    world.radarr.rebuild()
    await asyncio.to_thread(keep_libraries, world)
    async with opened(world) as found:
        after = await found.picture(FIRST, 250)
        other = await found.picture(movie_key(1001), 250)

    assert before is not None
    assert after is not None
    assert other is not None
    assert after.body == before.body
    assert other.body == draw_poster(1001, 250)


async def test_what_nobody_holds(world: World) -> None:
    """An item that no library holds has no poster, and none is asked for it."""
    async with opened(world) as found:
        assert await found.find(movie_key(4_000_000_000), 250) is Missing.NONE
        assert await found.find(show_key(1000), 250) is Missing.NONE
        assert await found.title(show_key(1000)) == ""
        assert await found.title(FIRST) == "Movie 0"

    assert reads(world) == 0


async def test_before_a_library_was_read(tmp_path: Path) -> None:
    """Where no run has read what libraries hold, no poster is known."""
    with World(tmp_path, movies(1)) as world:
        async with opened(world) as found:
            assert await found.picture(FIRST, 250) is None


async def test_a_state_that_cannot_be_read(world: World) -> None:
    """What is kept is served; all else is missing for now, and has no title."""
    async with opened(world) as found:
        await found.picture(FIRST, 250)
    (world.state_dir / "kometa_state.json").write_text("{")
    (world.state_dir / "kometa_state.journal").write_text("{")
    async with opened(world) as found:
        assert isinstance(await found.find(FIRST, 250), Picture)
        assert await found.find(movie_key(1001), 250) is Missing.FOR_NOW
        assert await found.title(FIRST) == ""


# Many at once


async def test_a_whole_page_at_once(world: World) -> None:
    """Sixty posters, each asked for by three browsers: one download each, never more than four at a time."""
    world.radarr.faults.inject(faults.delay_answer(0.02), path=COVERS, times=None)
    keys = [movie_key(1000 + number) for number in range(60)]
    async with opened(world) as found:
        pictures = await asyncio.gather(*(found.picture(key, 250) for key in keys * 3))
        size = await found.size()

    assert all(picture is not None for picture in pictures)
    assert reads(world) == 60
    assert len(list(place(world).parent.iterdir())) == 60
    assert size == sum(len(draw_poster(1000 + number, 250)) for number in range(60))
    begun = sorted(read.at for read in world.radarr.cover_reads)
    assert max(sum(1 for other in begun if at - 0.018 < other <= at) for at in begun) <= 4


async def test_who_goes_away_takes_nothing_along(world: World) -> None:
    """A browser that leaves while a poster is on its way does not end it for another that waits."""
    world.radarr.faults.inject(faults.delay(0.2), path=COVERS)
    async with opened(world) as found:
        leaving = asyncio.create_task(found.picture(FIRST, 250))
        staying = asyncio.create_task(found.picture(FIRST, 250))
        await asyncio.sleep(0.05)
        leaving.cancel()
        picture = await staying

    assert picture is not None
    assert leaving.cancelled()
    assert reads(world) == 1


async def test_the_end_does_not_wait_for_downloads(world: World) -> None:
    """A daemon that stops lets them be."""
    world.radarr.faults.inject(faults.delay(60), path=COVERS)
    async with opened(world) as found:
        waiting = asyncio.create_task(found.picture(FIRST, 250))
        await asyncio.sleep(0.3)
        started = time.monotonic()
    assert time.monotonic() - started < 3
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_requests_after_the_end(world: World) -> None:
    """A daemon that has stopped serves what it has kept, and opens nothing any more."""
    async with opened(world) as found:
        await found.picture(FIRST, 250)
    assert isinstance(await found.find(FIRST, 250), Picture)
    assert await found.find(movie_key(1001), 250) is Missing.FOR_NOW
    assert reads(world) == 1


# What is missing


async def test_none_is_believed_for_a_day(world: World, clock: Clock) -> None:
    """Radarr without a poster for a film is asked again the next day, or when the posters are cleared."""
    world.radarr.covers.remove(1000)
    async with opened(world, clock) as found:
        assert await found.find(FIRST, 250) is Missing.NONE
        clock.time += DAY - 1
        assert await found.find(FIRST, 250) is Missing.NONE
        assert reads(world) == 1
        clock.time += 2
        assert await found.find(FIRST, 250) is Missing.NONE
        assert reads(world) == 2
        world.radarr.covers.put(1000, JPEG)
        assert await found.find(FIRST, 250) is Missing.NONE
        await found.clear()
        assert isinstance(await found.find(FIRST, 250), Picture)


async def test_a_library_that_is_down_is_left_in_peace(world: World, clock: Clock) -> None:
    """After a failure it is not asked for thirty seconds, for whatever poster; what is kept is served meanwhile."""
    async with opened(world, clock) as found:
        assert isinstance(await found.find(movie_key(1060), 250), Picture)
        world.radarr.faults.inject(faults.bad_gateway(), path=COVERS, times=None)
        keys = [movie_key(1000 + number) for number in range(60)]
        answers = await asyncio.gather(*(found.find(key, 250) for key in keys))
        asked = reads(world) - 1
        kept = await found.find(movie_key(1060), 250)
        clock.time += posters.REST - 1
        assert await found.find(FIRST, 500) is Missing.FOR_NOW
        assert reads(world) - 1 == asked
        world.radarr.faults.clear()
        clock.time += 2
        assert isinstance(await found.find(FIRST, 250), Picture)

    assert set(answers) == {Missing.FOR_NOW}
    assert 1 <= asked <= posters.AT_ONCE
    assert isinstance(kept, Picture)


async def test_nobody_listens_any_more(world: World, clock: Clock) -> None:
    """Radarr is killed: what is kept is served, the rest is missing for now; it comes as soon as Radarr is there."""
    with serve(world.radarr.app) as url:
        world.change(radarr_url=url)
        port = int(url.rpartition(":")[2])
        async with opened(world, clock) as found:
            await found.picture(FIRST, 250)
    async with opened(world, clock) as found:
        assert isinstance(await found.find(FIRST, 250), Picture)
        assert await found.find(movie_key(1001), 250) is Missing.FOR_NOW
        with serve(world.radarr.app, port=port):
            assert await found.find(movie_key(1001), 250) is Missing.FOR_NOW
            clock.time += posters.REST + 1
            assert isinstance(await found.find(movie_key(1001), 250), Picture)


async def test_a_wrong_key_is_no_reason_to_ask_on(world: World, clock: Clock) -> None:
    """A library that refuses us rests, too."""
    world.change(radarr_api_key="wrong")
    async with opened(world, clock) as found:
        with capture_logs() as logged:
            assert await found.find(FIRST, 250) is Missing.FOR_NOW
            assert await found.find(movie_key(1001), 250) is Missing.FOR_NOW

    assert [line["event"] for line in logged if line["event"].startswith("poster")] == ["posters.rest"]
    assert reads(world) == 1


async def test_one_odd_picture_is_about_that_one(world: World, clock: Clock) -> None:
    """What is no picture, or far too large, is not asked for again at once, and others are shown."""
    world.radarr.covers.put(1000, b"GIF89a")
    world.radarr.covers.put(1001, JPEG + bytes(4 << 20))
    async with opened(world, clock) as found:
        for key in (FIRST, movie_key(1001)):
            assert await found.find(key, 250) is Missing.FOR_NOW
            assert await found.find(key, 250) is Missing.FOR_NOW
        assert isinstance(await found.find(movie_key(1002), 250), Picture)
        assert reads(world) == 3
        world.radarr.covers.put(1000, JPEG)
        clock.time += posters.ODD_FOR + 1
        assert isinstance(await found.find(FIRST, 250), Picture)

    assert not place(world, "movie-1001.jpg").exists()


# What is old


async def test_an_old_poster_is_asked_about(world: World) -> None:
    """After thirty days Radarr is asked whether there is a newer one; the same is kept for thirty days more."""
    async with opened(world) as found:
        await found.picture(FIRST, 250)
        age(place(world), 29)
        await found.picture(FIRST, 250)
        assert reads(world) == 1
        age(place(world), 31)
        old = await found.picture(FIRST, 250)
        assert reads(world) == 2
        await found.picture(FIRST, 250)
        assert reads(world) == 2
        age(place(world), 31)
        world.radarr.covers.put(1000, JPEG, written=world.now + timedelta(days=2000))
        new = await found.picture(FIRST, 250)

    assert old is not None
    assert new is not None
    assert (old.body, new.body) == (draw_poster(1000, 250), JPEG)
    assert [read.status for read in world.radarr.cover_reads] == [200, 304, 200]
    assert not place(world).exists()
    assert place(world, "movie-1000.jpg").read_bytes() == JPEG


async def test_an_old_poster_is_better_than_none(world: World, clock: Clock) -> None:
    """Where Radarr has lost its own, is down, or the film has left, the old one is shown."""
    async with opened(world, clock) as found:
        await found.picture(FIRST, 250)
        age(place(world), 31)
        world.radarr.covers.remove(1000)
        assert isinstance(await found.find(FIRST, 250), Picture)
        assert isinstance(await found.find(FIRST, 250), Picture)
        assert reads(world) == 2
        clock.time += DAY + 1
        world.radarr.faults.inject(faults.bad_gateway(), path=COVERS)
        assert isinstance(await found.find(FIRST, 250), Picture)
    world.radarr.remove_movie(1000)
    await asyncio.to_thread(keep_libraries, world)
    async with opened(world, clock) as found:
        assert isinstance(await found.find(FIRST, 250), Picture)


@pytest.mark.parametrize("moment", [4e9, 1e12, -1e9])
async def test_a_time_that_cannot_be(world: World, moment: float) -> None:
    """A file from the future or from before all time is asked about, and then has the time of now."""
    async with opened(world) as found:
        await found.picture(FIRST, 250)
        os.utime(place(world), (moment, moment))
        assert isinstance(await found.find(FIRST, 250), Picture)

    assert reads(world) == 2
    assert abs(place(world).stat().st_mtime - time.time()) < 60


# The folder


@pytest.mark.parametrize("content", [b"", b"\x00" * 3000, b"<html>", b"GIF89a", JPEG + bytes(5 << 20)])
async def test_a_damaged_file_is_read_anew(world: World, content: bytes) -> None:
    """What a power cut or somebody else has left in a picture's place is replaced by the picture."""
    place(world).parent.mkdir(parents=True)
    place(world).write_bytes(content)
    async with opened(world) as found:
        picture = await found.picture(FIRST, 250)

    assert picture is not None
    assert picture.body == place(world).read_bytes() == draw_poster(1000, 250)


async def test_what_is_no_file(world: World) -> None:
    """A link is not followed, a FIFO is not waited for, a folder is set aside; the picture takes their place."""
    precious = world.folder / "precious"
    precious.write_bytes(JPEG)
    place(world).parent.mkdir(parents=True)
    place(world).symlink_to(precious)
    os.mkfifo(place(world, "movie-1001.png"))
    place(world, "movie-1002.png").mkdir()
    place(world, "movie-1003.png").symlink_to(world.folder / "nothing")
    async with opened(world) as found:
        pictures = [await found.picture(movie_key(1000 + number), 250) for number in range(4)]

    assert [picture and picture.body for picture in pictures] == [draw_poster(1000 + n, 250) for n in range(4)]
    assert all(not place(world, f"movie-{1000 + n}.png").is_symlink() for n in range(4))
    assert precious.read_bytes() == JPEG


@pytest.mark.parametrize("where", ["cache", "cache/posters", "cache/posters/250"])
async def test_a_folder_that_is_a_link(world: World, where: str) -> None:
    """Nothing is written, read, counted or deleted behind it; the picture is passed on, and the log says why."""
    elsewhere = world.folder / "elsewhere"
    behind = elsewhere / "movie-1000.png"
    behind.parent.mkdir()
    behind.write_bytes(JPEG)
    (elsewhere / "posters" / "250").mkdir(parents=True)
    (elsewhere / "250").mkdir()
    link = world.state_dir / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    async with opened(world) as found:
        with capture_logs() as logged:
            picture = await found.picture(FIRST, 250)
            assert await found.picture(FIRST, 250) is not None
            assert await found.size() == 0
            assert await found.clear() == 0

    assert picture is not None
    assert picture.body == draw_poster(1000, 250)
    assert sorted(elsewhere.rglob("*")) == before
    assert behind.read_bytes() == JPEG
    told = [line for line in logged if line["event"] == "posters.not_kept"]
    assert [line["log_level"] for line in told] == ["warning", "debug"]
    assert "Links are not followed" in told[0]["remedy"]


@pytest.mark.parametrize("where", ["cache", "cache/posters", "cache/posters/250"])
async def test_a_file_in_the_place_of_a_folder(world: World, where: str) -> None:
    """It is left alone, and pictures are passed on."""
    (world.state_dir / where).parent.mkdir(parents=True, exist_ok=True)
    (world.state_dir / where).write_text("mine")
    async with opened(world) as found:
        assert await found.picture(FIRST, 250) is not None
        assert await found.size() == 0
        assert await found.clear() == 0

    assert (world.state_dir / where).read_text() == "mine"


async def test_only_what_is_ours_is_counted_and_deleted(world: World) -> None:
    """Pictures, and what a kill has left of one; whatever else lies there stays."""
    async with opened(world) as found:
        for number in range(3):
            await found.picture(movie_key(1000 + number), 250)
        await found.picture(FIRST, 500)
        folder = place(world).parent
        (folder / ".movie-7.jpg.new").write_bytes(b"half")
        foreign = [folder / "holiday.jpg", folder / "movie-1.gif", folder / "notes.txt", folder.parent / "movie-1.jpg"]
        for path in foreign:
            path.write_text("mine")
        (folder / "show-1.jpg").mkdir()
        size = await found.size()
        freed = await found.clear()
        left = await found.size()

    assert size == freed == sum(len(draw_poster(1000 + n, 250)) for n in range(3)) + len(draw_poster(1000, 500)) + 4
    assert left == 0
    assert all(path.read_text() == "mine" for path in foreign)
    assert {path.name for path in folder.iterdir()} == {"holiday.jpg", "movie-1.gif", "notes.txt", "show-1.jpg"}


def test_the_oldest_go_first(world: World) -> None:
    """Those asked about longest ago, in whatever size, until the rest fits."""
    cache = PosterCache(world.state_dir)
    keys: list[ItemKey] = [movie_key(1 + number) for number in range(10)]
    for number, key in enumerate(keys):
        height: Height = 500 if number % 2 else 250
        cache.write(key, height, JPEG + bytes(991), "jpg")
        age(place(world, f"movie-{1 + number}.jpg", height), 10 - number)

    assert cache.trim(10_000) == 0
    assert cache.trim(6_500) == 4_000
    assert cache.size() == 6_000
    assert [cache.read(key, 500 if number % 2 else 250) is None for number, key in enumerate(keys)] == [True] * 4 + [
        False
    ] * 6


async def test_the_cache_is_capped(world: World, clock: Clock) -> None:
    """Once a day, beginning with the first picture that a daemon keeps; and sooner when much is written."""
    cache = PosterCache(world.state_dir)

    def fill() -> None:
        for number in range(30):
            cache.write(show_key(1 + number), 250, JPEG + bytes(9_991), "jpg")
            age(place(world, f"show-{1 + number}.jpg"), 3)

    fill()
    async with opened(world, clock, most_kept=100_000) as found:
        await found.picture(FIRST, 250)
        first = await found.size()
        fill()
        await found.picture(movie_key(1001), 250)
        second = await found.size()
        clock.time += DAY
        await found.picture(movie_key(1002), 250)
        third = await found.size()
        fill()
        for number in range(3, 20):
            await found.picture(movie_key(1000 + number), 250)
        fourth = await found.size()

    assert first <= 100_000
    assert second > 300_000
    assert third <= 100_000
    assert fourth <= 110_000
    assert posters.MOST_KEPT == 300_000_000


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of that size in the place of a folder; skipped without the right to mount one."""
    folder.mkdir(parents=True)
    mounted = subprocess.run(  # noqa: S603 - our own folder
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)  # noqa: S603 - our own folder


async def test_a_full_disk(world: World) -> None:
    """Pictures are passed on, and half a one is not left; the log warns once, and again when it has worked between."""
    world.radarr.covers.put(1001, JPEG + bytes(200_000))
    with small_disk(world.state_dir / "cache", "64k"):
        async with opened(world) as found:
            with capture_logs() as logged:
                small = await found.picture(FIRST, 250)
                large = [await found.picture(movie_key(1001), 250) for _ in range(2)]
            left = {path.name for path in place(world).parent.iterdir()}
            size = await found.size()

    assert small is not None
    assert [picture and len(picture.body) for picture in large] == [200_009] * 2
    assert left == {"movie-1000.png"}
    assert size == len(small.body)
    told = [line for line in logged if line["event"] == "posters.not_kept"]
    assert [line["log_level"] for line in told] == ["warning", "debug"]
    assert "full" in told[0]["remedy"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the next test is for root")
async def test_a_folder_that_may_not_be_written(world: World) -> None:
    """Pictures are passed on."""
    world.state_dir.chmod(0o500)
    async with opened(world) as found:
        assert await found.picture(FIRST, 250) is not None
    world.state_dir.chmod(0o700)


async def test_a_disk_that_is_read_only(world: World) -> None:
    """What is kept there is served, the rest is passed on; clearing frees nothing."""
    cache = world.state_dir / "cache"
    with small_disk(cache, "1m"):
        async with opened(world) as found:
            await found.picture(FIRST, 250)
            age(place(world), 31)
            subprocess.run(["/bin/mount", "-o", "remount,ro", str(cache)], check=True)  # noqa: ASYNC221, S603
            assert await found.picture(FIRST, 250) is not None
            assert await found.picture(movie_key(1001), 250) is not None
            assert await found.clear() == 0
            assert await found.size() == len(draw_poster(1000, 250))


async def test_a_disk_that_refuses(world: World) -> None:
    """Where not even the folder can be looked at: no picture is found, and to count them says what is wrong."""
    world.change(state_dir=world.folder / ("x" * 300))
    async with opened(world) as found:
        with capture_logs() as logged:
            assert await found.find(FIRST, 250) is Missing.FOR_NOW
            for look in (found.size, found.clear):
                with pytest.raises(DoesNotAnswer, match="cannot be looked at: File name too long"):
                    await look()

    assert [line["log_level"] for line in logged if line["event"] == "posters.not_kept"] == ["warning"]


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
def test_a_disk_that_hangs(world: World, library: Path) -> None:
    """A share that does not answer costs seconds; the picture comes from Radarr, and others are not kept waiting."""
    os.mkfifo(world.folder / "hangs")
    world.change(ld_preload=library, silent=place(world, "movie-1000.jpg"), hangs=world.folder / "hangs")
    with daemon_process(world) as living:
        living.wait_for("daemon.ready")
        started = time.monotonic()
        other = living.call("GET", "/posters/1001")
        took = time.monotonic() - started
        hung = living.call("GET", "/posters/1000", timeout=30)
        told = living.wait_for("posters.not_kept")

    assert (other.status_code, other.content) == (200, draw_poster(1001, 250))
    assert took < 9
    assert (hung.status_code, hung.content) == (200, draw_poster(1000, 250))
    assert "STATE_DIR does not answer" in told["why"]
