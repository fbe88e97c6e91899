"""The review page: cards one by one and as a grid, answers by forms, and what it says when there is nothing to say."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.core.choice import Pin
from kometa_ai.core.item import ItemKey
from kometa_ai.core.naming import Slug
from kometa_ai.standins.claude import Judgement
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.state.choices import ChoicesFile
from tests.daemon.living import daemon_beside, until
from tests.run.world import World, block, movies
from tests.web.browsers import browser
from tests.web.pages.html_forms import HTML, forms_to, opened, sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.daemon.living import Beside

ANSWER, ANSWERS, LEAVE, UNDO = "/review/answer", "/review/answers", "/review/leave", "/review/undo"
HOSTILE = MovieSeed(
    title="<script>alert(1)</script> \u202eodd\x07",
    year=1999,
    tmdb_id=4711,
    overview="<img src=x onerror=alert(1)>",
    genres=("<b>Bold</b>",),
)


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies: three are noir, three more nearly so."""
    with World(tmp_path, movies(12), radarr_credits=False) as made:
        made.collections(block("Noir"), block("Heist"))
        made.believe("Noir", range(3))
        made.believe("Noir", [3], 0.8)
        made.believe("Noir", [4, 5], 0.7)
        made.believe("Heist", [4])
        yield made


@pytest.fixture(name="here")
async def _here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test, after a first run."""
    async with daemon_beside(world) as made:
        await made.run()
        yield made


def titles(html: str) -> list[str]:
    """The titles of the cards that a page holds, in their order."""
    return re.findall(r'data-name="([^"]*) \(', html)


def pins(world: World) -> dict[str, bool]:
    """What is pinned, and to which side."""
    return {pin.title: pin.include for pin in ChoicesFile(world.state_dir).read().pins}


async def test_a_card_says_what_there_is_to_know(here: Beside) -> None:
    """Which movie and collection, why it is here, the verdict with its reason, and what becomes of it."""
    html = await opened(here, "/review")

    assert titles(html) == ["Movie 4", "Movie 5", "Movie 3"]
    for said in (
        "Does it belong to",
        "Right at the threshold.",
        "Only 0.10 from the threshold.",
        "The model is for it with 0.80 (0.70 is needed).",
        "<blockquote>so it is</blockquote>",
        "If you do nothing: it stays in.",
        "Also in: Heist.",
        "3</span> decided",
        'src="/posters/movie:1004?size=500"',
    ):
        assert said in html
    assert html.count("<template data-next>") == 2
    assert len(html) < 40_000


async def test_each_answer_shows_the_next_card(here: Beside, world: World) -> None:
    """Pinned in, pinned out, or left; at the end it is counted, and a run for what was pinned is offered."""
    first = await opened(here, "/review")
    second = (await sent(here, first, ANSWER, answer="in")).text
    third = (await sent(here, second, ANSWER, answer="out")).text
    end = (await sent(here, third, ANSWER, answer="leave")).text

    assert [titles(html)[0] for html in (second, third)] == ["Movie 5", "Movie 3"]
    assert ">1</span> of" in second
    assert "3 decided: 1 in, 1 out, 1 left to the model" in end
    assert pins(world) == {"Movie 4 (1954)": True, "Movie 5 (1955)": False}
    [run] = forms_to(end, "/runs")
    assert [value for name, value in run.fields if name == "movies"] == ["movie:1004", "movie:1005"]
    assert ("max_cost_usd", "0") in run.fields


async def test_the_same_form_counts_once(here: Beside, world: World) -> None:
    """A second press of the button, or a reload that sends again, makes no second answer."""
    html = await opened(here, "/review")
    await sent(here, html, ANSWER, answer="in")
    again = await sent(here, html, ANSWER, answer="in")

    assert again.status_code == 200
    assert len(ChoicesFile(world.state_dir).read().answers) == 1


async def test_skipping_says_nothing(here: Beside, world: World) -> None:
    """A skipped card comes again; where all are skipped, the page says so."""
    html = await opened(here, "/review")
    [skip] = re.findall(r'href="([^"]*)" data-skip', html)
    second = await opened(here, skip.replace("&amp;", "&"))
    end = await opened(here, "/review?at=3")

    assert titles(second)[0] == "Movie 5"
    assert "3 cards skipped" in end
    assert pins(world) == {}
    assert ChoicesFile(world.state_dir).read().dismissals == ()


async def test_the_last_answer_is_taken_back(here: Beside, world: World) -> None:
    """Its card is shown again, whatever comes first by now; there is nothing more to take back then."""
    html = (await sent(here, await opened(here, "/review"), ANSWER, answer="out")).text
    back = (await sent(here, html, UNDO)).text

    assert titles(back)[0] == "Movie 4"
    assert "Taken back." in back
    assert pins(world) == {}
    assert re.search(r"data-undo disabled", back)
    assert "Nothing was taken back" in (await sent(here, html, UNDO)).text


async def test_what_was_answered_anew_is_not_taken_back(here: Beside, world: World) -> None:
    """By another device, say: its choice stays, and the page says why."""
    first = await opened(here, "/review")
    html = (await sent(here, first, ANSWER, answer="out")).text
    other = await opened(here, "/review?first=movie:1004%20noir")
    assert titles(other)[0] == "Movie 5"
    await here.client.put("/api/v1/pins/noir/movie:1004", json={"include": True})
    refused = await sent(here, html, UNDO)

    assert refused.status_code == 409
    assert "cannot be taken back" in refused.text
    assert pins(world) == {"Movie 4 (1954)": True}


async def test_two_devices_answer_the_same(here: Beside, world: World) -> None:
    """Both are kept, the later one counts, and the earlier one cannot be taken back any more."""
    one, other = await opened(here, "/review"), await opened(here, "/review")
    first = (await sent(here, one, ANSWER, answer="out")).text
    second = (await sent(here, other, ANSWER, answer="in")).text

    assert (titles(first)[0], titles(second)[0]) == ("Movie 5", "Movie 5")
    assert pins(world) == {"Movie 4 (1954)": True}
    assert (await sent(here, first, UNDO)).status_code == 409
    assert (await sent(here, second, UNDO)).status_code == 200
    assert pins(world) == {"Movie 4 (1954)": False}


async def test_what_has_changed_is_shown_anew(here: Beside, world: World) -> None:
    """An answer to an older verdict is not kept, and its card comes first."""
    html = await opened(here, "/review")
    world.believe("Noir", [4], 0.65)
    world.collections(block("Noir", "Darker."), block("Heist"))
    await here.run()
    shown = (await sent(here, html, ANSWER, answer="in")).text

    assert "it has changed since you saw it" in shown
    assert (titles(shown)[0], "0.65" in shown, pins(world)) == ("Movie 4", True, {})


async def test_a_grid_is_answered_as_it_is_shown(here: Beside, world: World) -> None:
    """Ticked is in, not ticked is out; it is taken back as a whole."""
    html = await opened(here, "/review?view=grid&collection=noir")
    form = forms_to(html, ANSWERS)[0]
    chosen = [each for each in form.fields if each != ("in", form.fields[-1][1])]
    ticked = [value for name, value in form.fields if name == "in"]
    fields = {name: [v for n, v in chosen if n == name] for name, _ in chosen} | {"in": ticked[:1]}
    answer = await here.client.post(ANSWERS, data=fields, headers=HTML)
    end = await opened(here, answer.headers["location"])

    assert len(ticked) == 3
    assert pins(world) == {"Movie 4 (1954)": True, "Movie 5 (1955)": False, "Movie 3 (1953)": False}
    assert "3 decided: 1 in, 2 out, 0 left to the model" in end
    assert "Undo the last 3" in end
    back = (await sent(here, end, UNDO)).text
    assert (pins(world), "3</span> decided" in back) == ({}, True)


async def test_what_has_changed_in_a_grid_stays(here: Beside, world: World) -> None:
    """What is as it was is kept, the rest is shown again; where all has changed, none is."""
    html = await opened(here, "/review?view=grid")
    world.believe("Noir", [4], 0.65)
    await here.run(movies=["movie:1004"], force_refresh=True)
    some = (await sent(here, html, ANSWERS)).text
    world.collections(block("Noir", "Darker."), block("Heist"))
    await here.run()
    none = (await sent(here, some, ANSWERS)).text

    assert ("Some were not kept" in some, "None was kept" in none) == (True, True)
    assert pins(world) == {"Movie 5 (1955)": True, "Movie 3 (1953)": True}


async def test_a_part_is_left_to_the_model(here: Beside, world: World) -> None:
    """All of a kind and collection at once, if they are as many as was shown."""
    html = await opened(here, "/review?kind=close+call&collection=noir")
    assert "Leave all 3 close calls of Noir to the model" in html
    one = await opened(here, "/review?kind=close+call")
    await sent(here, one, ANSWER, answer="in")
    refused = await sent(here, html, LEAVE)
    assert (refused.status_code, "2 cases would be by now, not 3" in refused.text) == (409, True)

    again = await opened(here, "/review?kind=close+call&collection=noir")
    left = await sent(here, again, LEAVE)

    assert "Left to the model." in left.text
    assert len(ChoicesFile(world.state_dir).read().dismissals) == 2
    assert (await sent(here, again, LEAVE)).status_code == 200
    back = (await sent(here, left.text, UNDO)).text
    assert (len(ChoicesFile(world.state_dir).read().dismissals), titles(back)) == (0, ["Movie 5", "Movie 3"])


async def test_a_part_of_the_queue_is_chosen(here: Beside) -> None:
    """By kind and collection; one that is empty says where something is."""
    html = await opened(here, "/review?kind=held+back")
    assert "Nothing here wants you" in html
    assert "3 cases in all" in html
    assert "Nothing here wants you" in await opened(here, "/review?collection=western")
    assert titles(await opened(here, "/review?kind=whatever")) == ["Movie 4", "Movie 5", "Movie 3"]
    await opened(here, "/review?collection=NO", status=422)


async def test_nothing_wants_anybody(here: Beside) -> None:
    """What would bring something here is said."""
    group = "abcdefgh.1"
    await here.client.post(LEAVE, data={"count": "3", "sitting": "abcdefgh", "id": group}, headers=HTML)
    html = await opened(here, "/review")
    assert ("Nothing wants you" in html, "REVIEW=removals" in html) == (True, True)


async def test_before_the_first_run(world: World) -> None:
    """There is nothing to review yet."""
    async with daemon_beside(world) as here:
        assert "Nothing to review yet" in await opened(here, "/review")


async def test_a_run_is_on(here: Beside, world: World) -> None:
    """Answers are kept; the end offers no second run, and says why."""
    asked, may_answer = threading.Event(), threading.Event()

    def judge(collection: str, movie: dict[str, Any]) -> Judgement:
        asked.set()
        assert may_answer.wait(20)
        return world._judge(collection, movie)

    world.claude.judge = judge
    html = await opened(here, "/review")
    await here.client.post("/api/v1/runs", json={"force_refresh": True})
    await until(asked.is_set)
    shown = (await sent(here, html, ANSWER, answer="out")).text
    sitting = re.search(r'data-sitting="([a-z0-9]+)"', shown)
    assert sitting
    end = await opened(here, f"/review?at=2&sitting={sitting[1]}")
    may_answer.set()
    await here.daemon.runs.ended()

    assert "A run is on. Answers are kept at once" in shown
    assert "Start another when it has ended." in end
    assert "2 cards skipped" in end


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (ANSWER, {"ticket": "movie:1004 noir a b 0.7", "answer": "perhaps"}),
        (ANSWER, {"ticket": "movie:1004 noir a b", "answer": "in"}),
        (ANSWER, {"ticket": "movie:1004 noir a b much", "answer": "in"}),
        (ANSWER, {"ticket": "whatever noir a b -", "answer": "in"}),
        (ANSWERS, {}),
        (ANSWERS, {"ticket": ["movie:1004 noir a b -"] * 25}),
        (LEAVE, {}),
    ],
)
async def test_what_is_no_answer_is_refused(here: Beside, path: str, fields: dict[str, Any]) -> None:
    """With a page that says so."""
    answer = await here.client.post(path, data=fields, headers=HTML)
    assert (answer.status_code, "That did not work" in answer.text) == (422, True)


async def test_a_choice_that_cannot_be_kept(here: Beside, world: World) -> None:
    """The card stays where it is, with the program's own sentence and remedy; so for a grid, a part, and an undo."""
    html = await opened(here, "/review?kind=close+call")
    grid = await opened(here, "/review?view=grid")
    place = world.state_dir / "choices.lock"
    place.unlink(missing_ok=True)
    place.mkdir()

    for page, action, pressed in (
        (html, ANSWER, {"answer": "in"}),
        (grid, ANSWERS, {}),
        (html, LEAVE, {}),
        (html, UNDO, {}),
    ):
        refused = await sent(here, page, action, **pressed)
        assert (refused.status_code, "The choice cannot be kept" in refused.text) == (503, True)
        assert "Movie 4" in refused.text


async def test_an_id_of_another_answer_is_refused(here: Beside) -> None:
    """A form that was tampered with changes nothing."""
    html = await opened(here, "/review")
    await sent(here, html, ANSWER, answer="in")
    refused = await sent(here, html, ANSWER, answer="out")
    assert (refused.status_code, "belongs to another answer" in refused.text) == (422, True)


async def test_texts_from_outside_are_escaped(tmp_path: Path) -> None:
    """Titles, plots, genres and reasons: what is HTML is shown as it stands, what is not to be seen is left out."""
    with World(tmp_path, [*movies(3), HOSTILE], radarr_credits=False) as world:
        world.collections(block("Noir"))
        world.truth["Noir"] = dict.fromkeys((HOSTILE.title, "<script>alert(1)</script> odd"), 0.7)
        world.reason = '"><script>alert(2)</script>'
        async with daemon_beside(world) as here:
            await here.run()
            html = await opened(here, "/review") + await opened(here, "/review?view=grid")

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&lt;img src=x" in html
    for bad in ("<script>alert", "<img src=x", "\u202e", "\x07", "<b>Bold"):
        assert bad not in html


async def test_what_is_held_back_or_left_says_so(here: Beside, world: World) -> None:
    """Why each card is here, in words."""
    world.believe("Noir", range(6), 0.1)
    await here.run(force_refresh=True)
    html = await opened(here, "/review?kind=held+back")
    assert "The brake holds its removal back." in html
    assert "until the brake lets" in html


async def test_what_a_tag_keeps_out_while_held_back_says_so(here: Beside, world: World) -> None:
    """The verdict says in, and yet it would leave: the card names the tag, and the collection leads here."""
    world.believe("Noir", range(6), 0.95)
    world.collections(block("Noir", exclude_tags="[kids]"))
    await here.run(force_refresh=True)
    for number in range(6):
        world.radarr.tag_by_hand(1000 + number, "kids")
    await here.run()
    of_collection = await opened(here, "/collections/noir")
    found = re.search(r'href="(/review[^"]*)">(?:<svg.*?</svg>)6 held back</a>', of_collection)
    assert found, of_collection
    html = await opened(here, found[1].replace("&amp;", "&"))

    assert "The tag kids keeps it out. The brake holds its removal back." in html


async def test_what_waits_for_a_person_says_until_when(tmp_path: Path) -> None:
    """A removal that `REVIEW` holds, with its day, which is here before anything else happens to it."""
    with World(tmp_path, movies(12), radarr_credits=False, review="removals") as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(4))
        async with daemon_beside(world) as here:
            await here.run()
            world.believe("Noir", [3], 0.65)
            world.collections(block("Noir", "Darker."))
            await here.run()
            html = await opened(here, "/review?kind=wants+to+leave")
    assert titles(html) == ["Movie 3"]
    assert "It is about to leave: its removal waits for you until" in html
    assert "If you do nothing: it leaves with the first run from" in html


async def test_a_visitor_is_named_by_the_sign_in(world: World) -> None:
    """Whatever their browser says: in a form and over the API; a program with the key names whom it will."""
    proxied = {"WEB_LOGIN": "external", "TRUSTED_PROXIES": "127.0.0.1"}
    anna = {"Remote-User": "anna"}
    async with daemon_beside(world, environ=proxied) as here, browser(here) as device:
        await here.run()
        token = await device.token("/review", anna)
        html = (await device.get("/review", anna)).text
        form = dict(forms_to(html, ANSWER)[0].fields) | {"answer": "in", "by": "mallory", "token": token}
        assert (await device.post(ANSWER, form, headers=anna)).status_code == 303
        [near, far] = (await here.client.get("/api/v1/review")).json()["items"]
        said = {"answer": "out", "by": "mallory"}
        sent = [
            {"id": str(number), "key": card["key"], "slug": card["collection"], "seen": card["seen"], **said}
            for number, card in enumerate((near, far))
        ]
        over = await device.post("/api/v1/review/answers", json=sent[:1], headers={**anna, "X-Page-Token": token})
        by_key = await here.client.post("/api/v1/review/answers", json=sent[1:])
        path = "/api/v1/pins/noir/movie:1007"
        pin = await device.client.put(path, json={"include": True}, headers={**anna, "X-Page-Token": token})

    assert (over.status_code, by_key.status_code, pin.status_code) == (200, 200, 200)
    by = {pin.title: pin.by for pin in ChoicesFile(world.state_dir).read().pins}
    assert sorted(by.values()) == ["anna", "anna", "anna", "mallory"]
    assert by[f"{far['title']} ({far['year']})"] == "mallory"


async def test_pins_of_the_review_name_who_answered(here: Beside, world: World) -> None:
    """No user in particular by the API's key."""
    await sent(here, await opened(here, "/review"), ANSWER, answer="in")
    [pin] = ChoicesFile(world.state_dir).read().pins
    assert pin == Pin(
        key=ItemKey("movie:1004"),
        slug=Slug("noir"),
        include=True,
        title="Movie 4 (1954)",
        imdb_id=pin.imdb_id,
        since=pin.since,
        origin="review",
        said=pin.said,
    )
