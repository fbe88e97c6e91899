"""The page of pins: all that there are, by where they were made, each to release, many at once, and those of blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.choice import Choices, Pin
from kometa_ai.core.item import ItemKey
from kometa_ai.core.naming import Slug
from kometa_ai.state.choices import ChoicesFile
from tests.daemon.living import daemon_beside
from tests.run.world import World, block, movies
from tests.web.pages.html_forms import HTML, forms_to, opened, sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from kometa_ai.core.choice import Origin
    from tests.daemon.living import Beside

RELEASE, RELEASE_ALL, UNDO = "/pins/release", "/pins/release-all", "/pins/undo"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies, with two pins in a block, one of which names nothing that there is."""
    with World(tmp_path, movies(12), radarr_credits=False) as made:
        made.collections(
            block("Noir", include_movies="[tmdb:1000, Gone With It (1950)]", exclude_movies="[tmdb:1001]"),
            block("Heist"),
        )
        made.believe("Noir", range(3))
        yield made


@pytest.fixture(name="here")
async def _here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test, after a first run, with pins of every origin."""
    async with daemon_beside(world) as made:
        await made.run()
        ChoicesFile(world.state_dir).change(
            lambda choices: choices.with_pins(
                pin(world, 3, "review", by="anna <b>"),
                pin(world, 4, "undo", include=False),
                pin(world, 5, "command line", slug="heist"),
                pin(world, 1, "api"),
                pin(world, 77, "page", slug="western"),
            )
        )
        yield made


def pin(world: World, number: int, origin: Origin, *, slug: str = "noir", include: bool = True, by: str = "") -> Pin:
    """A pin of a movie of the world."""
    return Pin(
        key=ItemKey(f"movie:{1000 + number}"),
        slug=Slug(slug),
        include=include,
        title=f"Movie {number} ({1950 + number})",
        since=world.now,
        origin=origin,
        by=by,
    )


def pins(world: World) -> set[str]:
    """The movies that are pinned."""
    choices: Choices = ChoicesFile(world.state_dir).read()
    return {each.title for each in choices.pins}


def rows(html: str) -> list[str]:
    """What each row of the table says."""
    return [
        " ".join(re.sub(r"<[^>]*>", " ", row).split())
        for row in re.findall(r"<tr>(.*?)</tr>", html.partition("<tbody>")[2], re.DOTALL)
    ]


async def test_all_pins_are_told(here: Beside) -> None:
    """Who made each, where, and what it is about; those of blocks say where they stand, and have no button."""
    html = await opened(here, "/pins")
    told = rows(html)

    assert len(told) == 8
    assert "anna &lt;b&gt; in review" in html
    said = "\n".join(told)
    for part in (
        "Movie 1 (1951) Noir pinned in its block says otherwise, and wins by the API",
        "Movie 77 (2027) not in the library western, which is there no more pinned in on the page",
        "Movie 0 (1950) Noir pinned in in the block, movies.yml:",
        "Gone With It (1950) not in the library Noir pinned in in the block",
    ):
        assert part in said
    assert len(forms_to(html, RELEASE)) == 1 + 5


async def test_pins_of_an_origin_or_a_collection(here: Beside) -> None:
    """Chosen by a link; where there are none, that is said."""
    assert [row.split(" (")[0].split()[-1] for row in rows(await opened(here, "/pins?origin=undo"))] == ["4"]
    assert len(rows(await opened(here, "/pins?collection=heist"))) == 1
    assert len(rows(await opened(here, "/pins?origin=block&collection=noir"))) == 3
    assert "No pins of this sort" in await opened(here, "/pins?origin=undo&collection=heist")
    assert len(rows(await opened(here, "/pins?origin=whatever"))) == 8


async def test_one_pin_is_released(here: Beside, world: World) -> None:
    """By its button."""
    html = await opened(here, "/pins?origin=review")
    [_, one] = forms_to(html, RELEASE)
    answer = await here.client.post(RELEASE, data=dict(one.fields), headers=HTML)
    then = await opened(here, answer.headers["location"])

    assert answer.headers["location"].startswith("/pins?origin=review")
    assert "1 pin is released." in then
    assert "Movie 3 (1953)" not in pins(world)


async def test_the_ticked_are_released(here: Beside, world: World) -> None:
    """All of them at once; where none is ticked, nothing is."""
    html = await opened(here, "/pins")
    none = await sent(here, html, RELEASE)
    assert ("Nothing was ticked" in none.text, len(pins(world))) == (True, 5)
    ticked = ["movie:1003 noir", "movie:1004 noir"]
    some = await here.client.post(RELEASE, data={"pin": ticked}, headers=HTML)

    assert some.status_code == 303
    assert pins(world) == {"Movie 5 (1955)", "Movie 1 (1951)", "Movie 77 (2027)"}
    assert (await here.client.post(RELEASE, data={"pin": "whatever"}, headers=HTML)).status_code == 422


async def test_a_whole_list_is_released(here: Beside, world: World) -> None:
    """After a question with their number; if there are others by now, none is."""
    html = await opened(here, "/pins?collection=noir&ask=release")
    assert re.search(r'<dialog id="release-all"[^>]* open>', html)
    assert "Release 3 pins?" in html
    ChoicesFile(world.state_dir).change(lambda choices: choices.with_pins(pin(world, 6, "page")))

    refused = await sent(here, html, RELEASE_ALL)
    assert (refused.status_code, "the list has 4 pins by now" in refused.text, len(pins(world))) == (409, True, 6)
    done = await sent(here, refused.text, RELEASE_ALL)

    assert (done.status_code, pins(world)) == (200, {"Movie 5 (1955)", "Movie 77 (2027)"})


async def test_released_pins_are_taken_back(here: Beside, world: World) -> None:
    """By a button beside the message, one or many of any collections, as they were made; a newer choice stays."""
    before = {each.title: each for each in ChoicesFile(world.state_dir).read().pins}
    done = await sent(here, await opened(here, "/pins?ask=release"), RELEASE_ALL)
    assert ("5 pins are released." in done.text, pins(world)) == (True, set())
    newer = pin(world, 5, "page", slug="heist", include=False)
    ChoicesFile(world.state_dir).change(lambda choices: choices.with_pins(newer))

    back = await sent(here, done.text, UNDO)
    again = await sent(here, done.text, UNDO)

    after = {each.title: each for each in ChoicesFile(world.state_dir).read().pins}
    assert "Taken back: 4 pins hold again." in back.text
    assert after == before | {newer.title: newer}
    assert (again.status_code, "cannot be taken back" in again.text) == (422, True)
    assert "Undo</button>" not in back.text


async def test_a_release_that_could_not_be_taken_back_can_be_tried_again(here: Beside, world: World) -> None:
    """What could not be written is told, and the same button does it once that is mended."""
    before = pins(world)
    done = await sent(here, await opened(here, "/pins?ask=release"), RELEASE_ALL)
    obstacle = world.state_dir / ".choices.json.new"
    (obstacle / "full").mkdir(parents=True)
    refused = await sent(here, done.text, UNDO)
    (obstacle / "full").rmdir()
    obstacle.rmdir()
    back = await sent(here, done.text, UNDO)

    assert (refused.status_code, "cannot be kept" in refused.text) == (503, True)
    assert "Taken back: 5 pins hold again." in back.text
    assert pins(world) == before


async def test_pins_that_cannot_be_released(here: Beside, world: World) -> None:
    """The program's own sentence and remedy, and the pins as they were."""
    html = await opened(here, "/pins")
    place = world.state_dir / "choices.lock"
    place.unlink(missing_ok=True)
    place.mkdir()
    for action in (RELEASE, RELEASE_ALL):
        fields = dict(forms_to(html, action)[0].fields) | {"pin": "movie:1003 noir"}
        refused = await here.client.post(action, data=fields, headers=HTML)
        assert (refused.status_code, "The choice cannot be kept" in refused.text) == (503, True)
    assert len(pins(world)) == 5


async def test_many_pins_come_in_pages(here: Beside, world: World) -> None:
    """Sixty on each."""
    many = [pin(world, number, "undo") for number in range(100, 170)]
    ChoicesFile(world.state_dir).change(lambda choices: choices.with_pins(*many))
    html = await opened(here, "/pins?origin=undo")
    assert (len(rows(html)), len(rows(await opened(here, "/pins?origin=undo&page=2")))) == (60, 11)
    assert 'aria-label="Pages"' in html


async def test_no_pins(tmp_path: Path) -> None:
    """What a pin is, and what makes one."""
    with World(tmp_path, movies(3), radarr_credits=False) as world:
        world.collections(block("Noir"))
        async with daemon_beside(world) as here:
            await here.run()
            html = await opened(here, "/pins")
    assert "No pins" in html
    assert "Answers in" in html
    assert "release-all" not in html
