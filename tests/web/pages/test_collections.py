"""The list of collections and the movies or shows of one, in each state; and pins for many of them."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.core.choice import Pin
from kometa_ai.core.decision import Cause
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.daemon.listing import Place
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.web.pages import places
from tests.daemon.living import daemon_beside
from tests.run.libraries import Home, shows
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.daemon.living import Beside

HTML = {"Accept": "text/html"}
FORM = HTML | {"Content-Type": "application/x-www-form-urlencoded"}
HOSTILE = "<b>Heat</b> & \"one\" 'two' \u202eevil\x07"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two nights: noir holds 0 and 1 surely, 2 barely, 10 by its block and not 11 by a tag; 3 was in and left.

    Heist was switched off, Odd has a fault, and Old is gone from Kometa's folder; each has left a tag.
    """
    odd = MovieSeed(title=HOSTILE, year=1995, tmdb_id=900, overview="<img src=x>", genres=("Drama",))
    with World(tmp_path, [*movies(12), odd]) as made:
        noir = block("Noir", include_movies="[tmdb:1010]", exclude_tags="[kids]", confidence_threshold=0.7)
        made.radarr.tag_by_hand(1011, "kids")
        made.reason = "<i>night</i> & city"
        made.collections(noir, block("Heist"), block("Odd"), block("Old"))
        made.believe("Noir", [0, 1, 3])
        made.believe("Noir", [2], 0.72)
        made.believe("Noir", [4], 0.62)
        for name, number in (("Heist", 6), ("Odd", 7), ("Old", 8)):
            made.believe(name, [number])
        made.run()
        made.radarr.update_movie(1003, overview="Another plot.")
        made.believe("Noir", [3], 0.3)
        made.run()
        off = block("Heist").replace("enabled: true", "enabled: false")
        made.collections(noir, off, block("Odd", confidence_threshold=7))
        yield made


async def _source(here: Beside, path: str, status: int = 200, **query: Any) -> str:
    params = {name: str(value) for name, value in query.items()} or None
    answer = await here.client.get(path, params=params, headers=HTML)
    assert answer.status_code == status, answer.text
    return answer.text


def _text(source: str) -> str:
    """As a reader has it: without tags, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source)).split())


async def _page(here: Beside, path: str, status: int = 200, **query: Any) -> str:
    return _text(await _source(here, path, status, **query))


async def _numbers(here: Beside, **query: Any) -> list[int]:
    keys = re.findall(r'<a href="/movies/movie:(\d+)"', await _source(here, "/collections/noir", **query))
    return [int(key) - 1000 for key in keys if int(key) >= 1000]


def _chips(source: str) -> dict[str, int]:
    found = re.findall(r'<a class="chip"[^>]*>([A-Za-z ]+?) <span class="num">(\d+)</span>', source)
    return {name: int(count) for name, count in found}


async def _send(here: Beside, path: str = "/collections/noir/pins", **fields: Any) -> Any:
    return await here.client.post(path, data=fields, headers=FORM)


def _pins(world: World) -> dict[int, bool]:
    pins = ChoicesFile(world.state_dir).read().pins
    return {int(pin.key.removeprefix("movie:")) - 1000: pin.include for pin in pins}


# The list of all


async def test_all_collections_are_cards_and_those_first_that_need_somebody(here: Beside) -> None:
    """One with a fault and one that is gone come first, then what is in order, then what is off; each says why."""
    source = await _source(here, "/collections")

    assert re.findall(r'<h2><a href="/collections/([^"]+)">', source) == ["odd", "old", "noir", "heist"]
    shown = _text(source)
    assert _chips(source) == {"All": 4, "Need you": 2, "Off": 1}
    assert "4 members" in shown
    assert "2 near" in shown
    assert "\N{MINUS SIGN}1" in shown
    assert "movies.yml" in shown
    assert "It is no longer in Kometa's folder." in shown
    assert "1 movie still has its tag" in shown
    assert source.count('src="/posters/movie:') == 4 + 3


async def test_the_list_is_narrowed_by_links_and_by_name(here: Beside) -> None:
    """By what needs the operator, by what is off, by a part of the name or of the tag; and an empty find says so."""

    async def names(**query: Any) -> list[str]:
        return re.findall(r"<h2><a[^>]*>([^<]+)<", await _source(here, "/collections", **query))

    assert await names(show="needs") == ["Odd", "Old"]
    assert await names(show="off") == ["Heist"]
    assert await names(show="shows") == []
    assert await names(q="NOI") == ["Noir"]
    assert await names(q="kai-he") == ["Heist"]
    assert "No such collection" in await _page(here, "/collections", q="<b>x")
    assert "<b>x" not in await _source(here, "/collections", q="<b>x")
    assert "The address cannot be used" in await _page(here, "/collections", 422, show="none")


async def test_many_collections_come_in_pages(world: World) -> None:
    """Sixty on a page."""
    world.collections(*(block(f"Number {number:02}") for number in range(61)))
    async with daemon_beside(world) as here:
        first = await _source(here, "/collections")
        second = await _source(here, "/collections", page=2)

    assert first.count('class="panel portrait') == 60
    assert 'href="/collections?page=2"' in first
    # Those that are gone need the operator, and come first.
    assert second.count('class="panel portrait') == 5


async def test_without_any_block_there_is_one_to_copy(tmp_path: Path) -> None:
    """A sample for each kind of library that is set up, and the way to what else is needed."""
    with World(tmp_path, movies(1)) as world:
        world.collections()
        async with daemon_beside(world) as here:
            source = await _source(here, "/collections")

    assert "No collection has a block yet" in source
    assert "# === KOMETA-AI ===" in source
    assert "radarr_taglist" in source
    assert "sonarr_taglist" not in source
    assert 'href="/start"' in source


# The lists of one


async def test_the_lists_of_a_collection_and_how_long_they_are(here: Beside) -> None:
    """Each list has its link with its length, and shows just its items in the order that is asked for."""
    assert _chips(await _source(here, "/collections/noir")) == {
        "Members": 4,
        "Near": 2,
        "Entered": 4,
        "Left": 1,
        "Pinned": 1,
        "By tag": 1,
        "Not judged": 0,
        "All": 13,
    }
    assert sorted(await _numbers(here)) == [0, 1, 2, 10]
    assert await _numbers(here, list="near") == [2, 4]
    assert await _numbers(here, list="left") == [3]
    assert sorted(await _numbers(here, list="entered")) == [0, 1, 2, 10]
    assert await _numbers(here, list="pinned") == [10]
    assert await _numbers(here, list="tag") == [11]
    assert await _numbers(here, list="unjudged") == []
    assert await _numbers(here, list="all", sort="year") == list(range(11, -1, -1))
    assert await _numbers(here, list="all", sort="title", q="movie 1") == [1, 10, 11]


async def test_a_tile_says_where_its_movie_stands_and_why(here: Beside) -> None:
    """Title, year, standing, confidence and reason; a reason with markup is text."""
    source = await _source(here, "/collections/noir")
    shown = _text(source)

    assert "Movie 0 1950 in 0.95 <i>night</i> & city" in shown
    assert "<i>night" not in source
    assert "Movie 10 1960 pinned in" in shown
    assert "pinned in by the block" in shown
    assert "as of" in shown
    assert 'href="/movies/movie:1000"' in source


async def test_a_table_shows_the_same_with_boxes(here: Beside) -> None:
    """Without script movies are chosen by boxes that belong to the form below; a hostile title stays text."""
    source = await _source(here, "/collections/noir", view="table", list="all")
    shown = _text(source)

    assert source.count('type="checkbox" name="keys"') == 13
    assert 'value="movie:1000" form="choose"' in source
    assert "<b>Heat" not in source
    assert "\u202e" not in source
    assert "<b>Heat</b> & \"one\" 'two' evil" in shown
    assert "the tag kids keeps it out" in shown
    assert "out near 0.6" in shown
    assert "near" in shown
    # Near the threshold there was a second look, which said the same.
    assert "looked twice" in shown


async def test_changes_say_when_and_by_which_run(here: Beside) -> None:
    """A link to the run stands with what entered or left."""
    for which in ("entered", "left"):
        for view in ("posters", "table"):
            assert re.search(r'href="/runs/2026030\d-', await _source(here, "/collections/noir", list=which, view=view))


@pytest.mark.parametrize(
    ("which", "said"), [("unjudged", "Everything is judged"), ("members", "Nothing here is called that")]
)
async def test_an_empty_list_says_why(here: Beside, which: str, said: str) -> None:
    """Because nothing is in it, or because nothing has that name."""
    assert said in await _page(here, "/collections/noir", list=which, q="zzz" if which == "members" else "")


@pytest.mark.parametrize("which", ["members", "near", "entered", "left", "pinned", "tag", "all"])
async def test_every_list_of_a_young_collection_says_why_it_is_empty(world: World, which: str) -> None:
    """One that no run has judged: its movies are to be asked about, and all other lists are empty."""
    world.collections(block("Young"))
    async with daemon_beside(world) as here:
        shown = await _page(here, "/collections/young", list=which)

    if which == "members":
        assert "No movie belongs to it 13 movies are not judged yet: a run asks about them." in shown
    elif which == "all":
        assert "not judged yet" in shown
    else:
        assert "No" in shown.partition("as of")[2]


async def test_before_the_first_run(tmp_path: Path) -> None:
    """The libraries were not read: the collection waits, and says what for."""
    with World(tmp_path, movies(2)) as world:
        world.collections(block("Noir"))
        async with daemon_beside(world) as here:
            shown = await _page(here, "/collections/noir")
            cards = await _page(here, "/collections")

    assert "waits for a library" in shown
    assert "No run has read the libraries yet" in shown
    assert "before the first run" in shown
    assert "Nothing has been judged yet: they fill with the first run." in cards
    assert "Need you" not in cards


@pytest.fixture
def large(world: World) -> World:
    """The same with 131 movies."""
    for seed in movies(130)[12:]:
        world.radarr.add_movie(seed)
    world.run()
    return world


async def test_a_long_list_comes_in_pages_with_addresses(large: World) -> None:
    """Sixty movies a page; a page behind the last one is the last; the query keeps what was chosen."""
    async with daemon_beside(large) as here:
        second = await _source(here, "/collections/noir", list="all", sort="title", page=2)
        last = await _source(here, "/collections/noir", list="all", page=99)

    assert "131 movies, 61 to 120" in _text(second)
    assert 'href="/collections/noir?list=all&amp;sort=title&amp;page=3"' in second
    assert 'hx-get="/collections/noir?list=all&amp;sort=title"' in second
    assert "121 to 131" in _text(last)
    assert 'name="count" value="131"' in last


async def test_only_a_swapped_list_takes_the_focus(here: Beside) -> None:
    """With script the focus goes to what has changed; on a page that is opened it stays at the beginning."""
    opened = await _source(here, "/collections/noir")
    swapped = await here.client.get("/collections/noir", headers=HTML | {"HX-Request": "true"})

    assert "data-focus" not in opened
    assert "data-focus" in swapped.text


@pytest.mark.parametrize("query", ["list=others", "sort=size", "view=map", "page=0", f"q={'x' * 201}", "n=-1"])
async def test_an_address_that_names_no_view_is_refused(here: Beside, query: str) -> None:
    """As a page that says so."""
    answer = await here.client.get(f"/collections/noir?{query}", headers=HTML)

    assert answer.status_code == 422
    assert "cannot be used" in answer.text


@pytest.mark.parametrize("key", ["unknown", "show:noir", "Noir", "%3Cb%3Enoir"])
async def test_a_key_that_no_collection_has(here: Beside, key: str) -> None:
    """404, and the key as text."""
    answer = await here.client.get(f"/collections/{key}", headers=HTML)

    assert answer.status_code == 404
    assert "There is no collection" in answer.text
    assert "<b>noir" not in answer.text


# What takes no part


@pytest.mark.parametrize(
    ("key", "pill", "said"),
    [
        ("heist", "switched off", "write enabled: true into its block at movies.yml"),
        ("odd", "skipped", "Mend what stands below"),
        ("old", "gone", "put its block back into movies.yml"),
    ],
)
async def test_one_that_takes_no_part_says_why_and_what_can_be_done(
    here: Beside, key: str, pill: str, said: str
) -> None:
    """It shows what still has its tag, and offers neither a run nor pins."""
    source = await _source(here, f"/collections/{key}")
    shown = _text(source)

    assert pill in shown
    assert said in shown
    assert list(_chips(source).values()) == [1]
    assert 'class="tile"' in source
    assert "Run…" not in shown
    assert 'id="choose"' not in source


async def test_one_without_a_library_of_its_kind(world: World) -> None:
    """It says what to set up."""
    world.collections(block("Nordic", media="shows"))
    async with daemon_beside(world) as here:
        shown = await _page(here, "/collections/show:nordic")

    assert "no library" in shown
    assert "Set up Sonarr" in shown
    assert "No show has its tag" in shown


async def test_the_head_offers_a_run(here: Beside) -> None:
    """A dialog that is open without script where it is asked for, and says what will be asked."""
    closed = await _source(here, "/collections/noir")
    opened = await _source(here, "/collections/noir", ask="run")

    assert '<dialog id="run-collection" aria-labelledby="run-collection-title">' in closed
    assert '<dialog id="run-collection" aria-labelledby="run-collection-title" open>' in opened
    assert 'name="collections" value="noir"' in opened
    assert "No question about it was open after the last run" in _text(opened)


# Both kinds, several libraries


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Films in two libraries, shows in one, and a collection of each kind with the same name."""
    with Home(tmp_path, movies(4), movies(2), shows(3)) as made:
        made.collections(block("Noir"))
        made.collections(block("Noir", media="shows"), file="shows.yml")
        made.truth["Noir"] = {"Movie 0": 0.95, "Show 1": 0.95}
        made.run()
        yield made


async def test_movies_and_shows_have_collections_of_their_own(home: Home) -> None:
    """Each shows its kind; a film that is in two libraries is shown once; a run of the films' is about both."""
    async with daemon_beside(home) as here:
        films, series = await _source(here, "/collections/noir"), await _source(here, "/collections/show:noir")
        cards = await _source(here, "/collections")

    assert re.findall(r'<a href="/movies/((?:movie|show):[^"]+)"', films) == ["movie:1000"]
    assert re.findall(r'<a href="/movies/((?:movie|show):[^"]+)"', series) == ["show:1001"]
    assert _chips(cards) == {"All": 2, "Movies": 1, "Shows": 1}
    assert "collection of shows of the same name takes part" in _text(films)
    assert "of the same name" not in _text(series)
    assert "Copy as include_shows" in _text(series)
    assert "Copy as include_movies" in _text(films)


async def test_shows_are_pinned_and_named_in_a_block(home: Home) -> None:
    """By their own key; the lines name them as a block of shows does."""
    async with daemon_beside(home) as here:
        answer = await _send(here, "/collections/show:noir/pins", choice="out", keys="show:1001")
        lines = await _send(here, "/collections/show:noir/pins", choice="lines", keys="show:1002")

    assert answer.status_code == 303
    (pin,) = ChoicesFile(home.state_dir).read().pins
    assert (pin.key, pin.slug, pin.include) == ("show:1001", "noir", False)
    assert "include_shows" in lines.text
    assert "Show 2 (1992)" in _text(lines.text)


# Pins


async def test_what_is_selected_is_pinned_and_taken_back(here: Beside, world: World) -> None:
    """The answer leads back to the same view, which says what was done and offers to undo it; that is done once."""
    answer = await _send(
        here, choice="out", keys=["movie:1000", "movie:1001"], list="all", view="table", sort="title", page=1, q="movie"
    )
    where = answer.headers["location"]

    assert answer.status_code == 303
    assert where.startswith("/collections/noir?list=all&sort=title&view=table&q=movie&done=out&n=2&undo=")
    assert _pins(world) == {0: False, 1: False}
    done = await _source(here, where)
    assert "2 movies are pinned out now. Tags follow with the next run. Undo" in _text(done)
    assert "loses its tag with the next run" in _text(done)
    undo = re.search(r'name="undo" value="([0-9a-f]+)"', done)
    assert undo is not None

    back = await _send(here, "/collections/noir/pins/undo", undo=undo[1], list="near")
    assert back.headers["location"] == "/collections/noir?list=near&done=undone&n=2"
    assert "Taken back: 2 movies are as before." in await _page(here, back.headers["location"])
    assert _pins(world) == {}
    again = await _send(here, "/collections/noir/pins/undo", undo=undo[1])
    assert again.status_code == 422
    assert "any more" in again.text
    assert "Undo" not in await _page(here, where)


async def test_pins_are_released(here: Beside, world: World) -> None:
    """One of two had a pin."""
    pin = Pin(key=movie_key(1005), slug=Slug("noir"), include=True, since=world.now, origin="review", by="<b>anna")
    ChoicesFile(world.state_dir).change(lambda choices: choices.with_pins(pin))
    await here.daemon.indexer.newest()
    shown = await _source(here, "/collections/noir", list="pinned")
    assert "pinned in by <b>anna in review" in _text(shown)
    assert "<b>anna" not in shown

    answer = await _send(here, choice="release", keys=["movie:1005", "movie:1006"])
    assert "1 pin is released" in await _page(here, answer.headers["location"])
    assert _pins(world) == {}


async def test_a_whole_list_is_pinned_if_nobody_has_changed_it(here: Beside, world: World) -> None:
    """With its query and its length; of another length by now it is refused, and nothing is written."""
    refused = await _send(here, choice="in", all="1", list="near", count="5")
    assert refused.status_code == 409
    assert "The list had 5 movies when you chose for all of them, and has 2 now." in _text(refused.text)
    assert _pins(world) == {}

    answer = await _send(here, choice="in", all="1", list="near", count="2")
    assert answer.headers["location"].startswith("/collections/noir?list=near&done=in&n=2")
    assert _pins(world) == {2: True, 4: True}


async def test_what_cannot_be_chosen_is_said_in_place(here: Beside, world: World) -> None:
    """Nothing selected, a key that is none, no choice: the list stands below, with what was ticked."""
    for fields, said in (
        ({"choice": "in"}, "No movie was selected."),
        ({"choice": "in", "keys": "<b>x"}, "names something that is no movie"),
        ({"choice": "delete", "keys": "movie:1000"}, "It is not said what is to be done."),
    ):
        answer = await _send(here, view="table", **fields)
        assert answer.status_code == 422
        assert said in _text(answer.text)
        assert "Movie 0" in answer.text
        assert "<b>x" not in answer.text
    assert 'value="movie:1000" form="choose" aria-label="Select Movie 0" checked' in answer.text
    assert (await _send(here, choice="in", keys="movie:1000", list="others")).status_code == 422
    assert (await _send(here, "/collections/unknown/pins", choice="in", keys="movie:1000")).status_code == 404
    assert "takes part" in _text((await _send(here, "/collections/heist/pins", choice="in", keys="movie:1006")).text)
    assert _pins(world) == {}


async def test_the_block_wins_and_that_is_said(here: Beside) -> None:
    """To pin out what the block pins in changes nothing but the list of pins."""
    answer = await _send(here, choice="out", keys="movie:1010")

    assert "1 movie is pinned by the block, which wins" in await _page(here, answer.headers["location"])
    assert "it was so already" in await _page(here, "/collections/noir", done="out", n=0)


async def test_the_lines_for_the_block_are_shown_to_copy(here: Beside, world: World) -> None:
    """Where they go, and what they are; for what the block pins already it says so. Nothing is written."""
    before = (world.kometa / "movies.yml").read_text()
    answer = await _send(here, choice="lines", keys=["movie:1001", "movie:900"], view="table")
    shown = _text(answer.text)

    assert answer.status_code == 200
    assert "movies.yml" in shown
    assert "Movie 1 (1951)" in shown
    assert "tmdb:900" in shown
    assert "pins all of them in already" in _text((await _send(here, choice="lines", keys="movie:1010")).text)
    assert (world.kometa / "movies.yml").read_text() == before
    assert _pins(world) == {}


async def test_a_sentence_is_not_made_from_the_address(here: Beside) -> None:
    """Only fixed words are taken from the query."""
    answer = await here.client.get("/collections/noir?done=<b>all</b>", headers=HTML)

    assert answer.status_code == 422
    assert "<b>all" not in answer.text
    assert 'value="&lt;i&gt;"' in await _source(here, "/collections/noir", done="in", n=1, undo="<i>")


# Words


def _place(**fields: Any) -> Place:
    usual: dict[str, Any] = {"belongs": True, "is_tagged": True, "cause": Cause.VERDICT, "threshold": 0.7}
    return Place(**(usual | fields))


@pytest.mark.parametrize(
    ("waits_for", "is_tagged", "said"),
    [
        ("prompt changed", True, "asked again: the prompt has changed"),
        ("given up", True, "given up after 3 runs without an answer"),
        ("batch", True, "the answer comes with a batch"),
        ("brake", True, "held back by the brake"),
        ("review", True, "waits in review"),
        ("tag", True, "loses its tag with the next run"),
        ("tag", False, "gets its tag with the next run"),
    ],
)
def test_what_an_item_waits_for_is_said_in_words(waits_for: str, is_tagged: bool, said: str) -> None:  # noqa: FBT001
    """All that an index knows has words."""
    assert places.waits(_place(waits_for=(waits_for,), is_tagged=is_tagged)) == (said,)


def test_why_an_item_is_in_or_out_is_said_in_words() -> None:
    """Tags that decide, a pin that the index has not seen yet, and nothing while it is undecided."""
    by_tag = _place(cause=Cause.INCLUDE_TAG, deciding_tags=("kai-noir", "kai-heist"))

    assert places.because(by_tag) == "the tag kai-noir and kai-heist takes it in"
    assert places.because(_place(cause=Cause.PINNED_OUT)) == "pinned out"
    assert places.because(_place(cause=Cause.UNDECIDED)) == ""
    assert places.looks(_place(second_look="done", first_confidence=0.55)) == "looked twice, the first said 0.55"
    assert places.looks(_place(second_look="done")) == "looked twice"
    assert places.looks(_place(second_look="due")) == ""
    assert not places.is_close(_place())
    assert places.is_close(_place(confidence=0.75))
