"""The library: finding movies and shows, the page of one, pins made there, and hostile texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.item import movie_key
from kometa_ai.standins.faults import answer
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.state.choices import ChoicesFile
from tests.run.world import block

if TYPE_CHECKING:
    from kometa_ai.core.choice import Pin
    from tests.daemon.living import Beside
    from tests.run.world import World

HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script> \u202egnp.exe \x07 & \"'"


async def text_of(here: Beside, path: str, status: int = 200) -> str:
    """The HTML of a page."""
    answer = await here.client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def pins_of(world: World) -> tuple[Pin, ...]:
    """The pins that are kept."""
    return ChoicesFile(world.state_dir).read().pins


async def ran(here: Beside) -> str:
    """Do a run, and let the index know of it."""
    run_id = await here.run()
    await here.daemon.indexer.newest()
    return run_id


async def send(here: Beside, path: str, **fields: str) -> tuple[int, str]:
    """Send a form; its status, and where it leads or what it shows."""
    answer = await here.client.post(path, data=fields, headers=HTML, follow_redirects=False)
    return answer.status_code, answer.headers.get("location") or answer.text


async def test_before_the_first_run_it_says_what_to_do(here: Beside) -> None:
    """Without a run there is nothing to find, and the page says what would bring something here."""
    assert "No library has been read yet." in await text_of(here, "/movies")
    assert "no run has read a library yet" in await text_of(here, "/movies/99999", 404)


async def test_every_title_is_found(here: Beside) -> None:
    """All titles are listed with what they belong to; a part of a title, and a number, find theirs."""
    await ran(here)
    everything = await text_of(here, "/movies")
    part = await text_of(here, "/movies?q=Movie+11")
    none = await text_of(here, "/movies?q=nothing+of+that+name")
    alone = await here.client.get("/movies?q=tmdb:1003", headers=HTML, follow_redirects=False)

    assert everything.count('class="tile"') == 12
    assert everything.count(">Noir</span>") == 3
    assert part.count('class="tile"') == 1
    assert "Nothing has that title." in none
    assert alone.headers["location"] == "/movies/movie:1003"


async def test_what_is_called_so_comes_first(here: Beside, world: World) -> None:
    """A title that is the text itself stands before those that begin with it, and those that only have it."""
    for number, title in enumerate(("Body Heat", "Heatwave", "Heat")):
        world.radarr.add_movie(MovieSeed(title=title, year=1990, tmdb_id=6000 + number))
    await ran(here)
    found = await text_of(here, "/movies?q=heat")

    assert found.index("/movies/movie:6002") < found.index("/movies/movie:6001") < found.index("/movies/movie:6000")


async def test_a_list_has_pages(here: Beside, world: World) -> None:
    """Sixty titles are a page; an address leads to the others, and keeps what was searched for."""
    for number in range(70):
        world.radarr.add_movie(MovieSeed(title=f"Sequel {number}", year=2000, tmdb_id=5000 + number))
    await ran(here)
    first, second = await text_of(here, "/movies?q=Sequel"), await text_of(here, "/movies?q=Sequel&page=2")

    assert (first.count('class="tile"'), second.count('class="tile"')) == (60, 10)
    assert 'href="/movies?q=Sequel&amp;page=2"' in first
    assert "70 titles found" in second


async def test_a_movie_shows_where_it_stands(here: Beside) -> None:
    """A member: in, with its confidence against the threshold, why, and when it came in."""
    run_id = await ran(here)
    found = await text_of(here, "/movies/1000")

    assert re.search(r"Noir</a></th>\s*<td><span class=\"pill in\">", found)
    assert '0.95 <span class="muted">of 0.70' in found
    assert f"/runs/{run_id}" in found
    assert "put into" in found


async def test_a_verdict_short_of_the_threshold_is_told_apart_from_what_was_decided(here: Beside, world: World) -> None:
    """The model is for it, and it is out: the movie's page says both and why, as the review does, fresh or not."""
    world.believe("Noir", [0], 0.65)
    await ran(here)
    said = "The model is for it with 0.65 while 0.70 is needed, so it counts as out."

    assert said in await text_of(here, "/movies/1000")
    answer = await here.client.post("/movies/movie:1000/fresh", headers=HTML, follow_redirects=True)
    assert answer.text.count(said) == 2
    assert said in await text_of(here, "/review")


async def test_an_unknown_one_is_a_page_that_says_so(here: Beside) -> None:
    """A number that no library holds is 404, as a page for people."""
    await ran(here)

    assert "There is no movie or show" in await text_of(here, "/movies/99999", 404)
    assert "There is no such page." in await text_of(here, "/library", 404)
    assert "cannot be used" in await text_of(here, "/movies/nonsense", 422)


async def test_pins_are_made_and_released(here: Beside, world: World) -> None:
    """A pin made here is kept at once with its origin, wins in the next run, and can be released here."""
    await ran(here)
    made = await send(here, "/movies/movie:1000/pins", collection="noir", choice="out")
    after = await text_of(here, made[1])
    (pin,) = pins_of(world)
    await ran(here)
    now = await text_of(here, "/movies/1000")
    released = await send(here, "/movies/movie:1000/pins", collection="noir", choice="release")

    assert made == (303, "/movies/movie:1000?done=out")
    assert "Pinned out." in after
    assert "on the page, today; the model had been for it with 0.95" in after, "the table tells of it at once"
    assert (pin.key, pin.slug, pin.include, pin.origin) == (movie_key(1000), "noir", False, "page")
    assert 0 not in world.numbers("kai-noir")
    assert "pinned out" in now
    assert released == (303, "/movies/movie:1000?done=release")
    assert pins_of(world) == ()


@pytest.mark.parametrize("fields", [{"choice": "in", "collection": "none"}, {"choice": "x", "collection": "noir"}, {}])
async def test_what_cannot_be_pinned_is_refused_in_place(here: Beside, world: World, fields: dict[str, str]) -> None:
    """A collection that there is not, or no choice: the same page says what is wrong, and nothing is kept."""
    await ran(here)
    status, html = await send(here, "/movies/movie:1000/pins", **fields)

    assert (status, 'role="alert"' in html) == (422, True)
    assert pins_of(world) == ()


async def test_its_library_is_read_on_request_only(here: Beside, world: World) -> None:
    """Opening the page reads no library; the button reads it, and shows what it has now."""
    await ran(here)
    await text_of(here, "/movies/1000")
    before = len(world.radarr.requests)
    await text_of(here, "/movies/1000")
    unread = len(world.radarr.requests) - before
    status, html = await send(here, "/movies/movie:1000/fresh")

    assert unread == 0
    assert status == 200
    assert "As its library has it now" in html
    assert "--force" not in html, "an option of the command line is of no use here"
    assert len(world.radarr.requests) > before


async def test_a_library_that_is_away_is_said(here: Beside, world: World) -> None:
    """A Radarr that does not answer: the page stays, as it was last seen, and says why."""
    await ran(here)
    world.radarr.faults.inject(answer(401), path="*", times=None)
    _, html = await send(here, "/movies/movie:1000/fresh")

    assert "Where it stands" in html
    assert "Radarr" in html


async def test_hostile_texts_stay_text(here: Beside, world: World) -> None:
    """A title with HTML, bidi and control characters is shown as text, without what no reader sees."""
    world.radarr.add_movie(MovieSeed(title=HOSTILE, year=2000, tmdb_id=7000))
    world.collections(block(HOSTILE.replace('"', "").replace("\x07", "")[:40]))
    await ran(here)
    pages = [await text_of(here, path) for path in ("/movies", "/movies/7000", f"/movies?q={HOSTILE[:8]}")]

    for html in pages:
        assert "<script>alert" not in html
        assert "\u202e" not in html
        assert "\x07" not in html
    assert "&lt;script&gt;" in pages[1]
