"""Review and pins over the API: what wants a person, answers that count once, and taking them back."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.standins.claude import Judgement
from kometa_ai.state.choices import ChoicesFile
from tests.daemon.living import daemon_beside, daemon_process, until
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.daemon.living import Beside

REVIEW, ANSWERS, PINS = "/api/v1/review", "/api/v1/review/answers", "/api/v1/pins"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies: three are noir, three more nearly so."""
    with World(tmp_path, movies(12), radarr_credits=False) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(3))
        made.believe("Noir", [3], 0.8)
        made.believe("Noir", [4, 5], 0.7)
        yield made


@pytest.fixture(name="here")
async def _here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test, after a first run."""
    async with daemon_beside(world) as made:
        await made.run()
        yield made


async def cards(here: Beside, **wanted: Any) -> list[dict[str, Any]]:
    """What wants a person."""
    answer = await here.client.get(REVIEW, params=wanted)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def answer_to(card: dict[str, Any], said: str, **changed: Any) -> dict[str, Any]:
    """An answer to a card, as a page sends it."""
    sent = {"id": f"{card['key']}-{said}".replace(":", "."), "key": card["key"], "slug": card["collection"]}
    return {**sent, "answer": said, "seen": card["seen"], **changed}


async def test_the_queue_is_given_in_pages(here: Beside) -> None:
    """With a total, the nearest to the threshold first, each with what was seen and what becomes of it."""
    whole = (await here.client.get(REVIEW)).json()
    second = (await here.client.get(REVIEW, params={"page": 2, "size": 2})).json()

    assert [card["title"] for card in whole["items"]] == ["Movie 4", "Movie 5", "Movie 3"]
    assert (whole["total"], whole["page"], second["total"], second["page"]) == (3, 1, 3, 2)
    assert whole["as_of"] is not None
    assert second["items"] == whole["items"][2:]
    first = whole["items"][0]
    assert (first["kind"], first["reason"], first["if_nothing_is_done"]) == ("close call", "so it is", "it stays in")


async def test_the_queue_of_a_kind_and_of_a_collection(here: Beside) -> None:
    """One of them or both; unknown kinds are refused, unknown collections have nothing."""
    assert len(await cards(here, kind="close call", collection="noir")) == 3
    assert await cards(here, kind="held back") == []
    assert await cards(here, collection="western") == []
    assert (await here.client.get(REVIEW, params={"kind": "whatever"})).status_code == 422


async def test_answers_pin_and_leave_and_the_pairs_want_nobody_any_more(here: Beside, world: World) -> None:
    """At once, before any run; the next one sets the tags."""
    near, nearer, far = await cards(here)
    sent = [answer_to(near, "out", by="anna"), answer_to(nearer, "in"), answer_to(far, "leave")]

    given = await here.client.post(ANSWERS, json=sent)

    assert (given.status_code, given.json()["kept"]) == (200, 3)
    assert await cards(here) == []
    pins = (await here.client.get(PINS)).json()
    assert {(pin["pin"]["title"], pin["pin"]["include"], pin["pin"].get("by", "")) for pin in pins["items"]} == {
        ("Movie 4 (1954)", False, "anna"),
        ("Movie 5 (1955)", True, ""),
    }
    assert "by anna in review" in str(pins)
    await here.run()
    assert world.numbers("kai-noir") == {0, 1, 2, 3, 5}


async def test_what_has_changed_is_refused_with_the_new_card(here: Beside, world: World) -> None:
    """One alone is a conflict; in a list only that one is refused."""
    near, nearer, far = await cards(here)
    old = {**near["seen"], "confidence": 0.65}

    alone = await here.client.post(ANSWERS, json=[answer_to(near, "in", seen=old)])
    both = await here.client.post(ANSWERS, json=[answer_to(near, "in", seen=old), answer_to(far, "in")])
    gone = await here.client.post(ANSWERS, json=[answer_to(nearer, "in", key="movie:77")])

    assert (alone.status_code, both.status_code, gone.status_code) == (409, 200, 409)
    assert alone.json()["results"][0]["result"] == "changed"
    assert alone.json()["results"][0]["card"] == near
    assert [each["result"] for each in both.json()["results"]] == ["changed", "kept"]
    assert "card" not in gone.json()["results"][0]
    assert len(ChoicesFile(world.state_dir).read().pins) == 1


async def test_what_another_run_has_judged_anew_is_refused(here: Beside, world: World) -> None:
    """Also by the first request after that run: nothing older than the answer is compared with what was seen."""
    near, *_ = await cards(here)
    world.believe("Noir", [4], 0.65)
    world.collections(block("Noir", "Darker."))
    await here.run()

    refused = await here.client.post(ANSWERS, json=[answer_to(near, "in")])

    assert refused.status_code == 409
    assert ChoicesFile(world.state_dir).read().pins == ()
    assert [card["confidence"] for card in await cards(here) if card["key"] == near["key"]] == [0.65]


async def test_an_answer_is_taken_back(here: Beside) -> None:
    """What was before is there again; what is not known is not found, what was followed by another is a conflict."""
    near = (await cards(here))[0]
    await here.client.post(ANSWERS, json=[answer_to(near, "out"), answer_to(near, "in")])

    followed = await here.client.delete(f"{ANSWERS}/{answer_to(near, 'out')['id']}")
    last = await here.client.delete(f"{ANSWERS}/{answer_to(near, 'in')['id']}")
    unknown = await here.client.delete(f"{ANSWERS}/whatever")

    assert (followed.status_code, last.status_code, unknown.status_code) == (409, 200, 404)
    [pin] = (await here.client.get(PINS)).json()["items"]
    assert pin["pin"]["include"] is False
    assert (await here.client.delete(f"{ANSWERS}/{answer_to(near, 'out')['id']}")).status_code == 200
    assert len(await cards(here)) == 3


@pytest.mark.parametrize(
    "body",
    [
        [],
        [{}],
        [{"id": "1", "key": "movie:1", "slug": "noir", "answer": "perhaps", "seen": {"prompt_hash": ""}}],
        [{"id": "", "key": "movie:1", "slug": "noir", "answer": "in", "seen": {"prompt_hash": ""}}],
        [{"id": "1", "key": "1", "slug": "noir", "answer": "in", "seen": {"prompt_hash": ""}}],
        [
            {"id": str(n), "key": "movie:1", "slug": "x", "answer": "in", "seen": {"prompt_hash": ""}}
            for n in range(501)
        ],
    ],
)
async def test_what_is_no_answer_is_refused(here: Beside, body: Any) -> None:
    """Nothing, something else, or too much: said with the reason."""
    assert (await here.client.post(ANSWERS, json=body)).status_code == 422


async def test_an_id_of_another_answer_is_refused(here: Beside) -> None:
    """Ids are the sender's, one for each answer."""
    near, nearer, _ = await cards(here)
    await here.client.post(ANSWERS, json=[answer_to(near, "in", id="1")])
    again = await here.client.post(ANSWERS, json=[answer_to(nearer, "in", id="1")])
    assert (again.status_code, "belongs to another answer" in again.text) == (422, True)


async def test_pins_are_made_and_released(here: Beside, world: World) -> None:
    """By the keys of collection and item; what is not there is not found."""
    made = await here.client.put(f"{PINS}/noir/movie:1007", json={"include": True, "by": "anna"})
    wrong = [
        await here.client.put(f"{PINS}/western/movie:1007", json={"include": True}),
        await here.client.put(f"{PINS}/noir/movie:77", json={"include": True}),
        await here.client.put(f"{PINS}/noir/show:1007", json={"include": True}),
        await here.client.delete(f"{PINS}/noir/movie:1006"),
    ]
    bad = await here.client.put(f"{PINS}/noir/movie:1007", json={"include": "yes"})

    assert (made.status_code, made.json()["pin"]["origin"], made.json()["collection"]) == (200, "api", "noir")
    assert made.json()["because"].startswith("by anna by the API")
    assert ([each.status_code for each in wrong], bad.status_code) == ([404] * 4, 422)
    await here.run()
    assert 7 in world.numbers("kai-noir")
    assert (await here.client.delete(f"{PINS}/noir/movie:1007")).status_code == 200
    assert (await here.client.get(PINS)).json()["total"] == 0


async def test_answers_count_in_the_run_that_is_on(here: Beside, world: World) -> None:
    """While a run asks, an answer is kept at once; before the run plans tags it reads the choices again."""
    near = (await cards(here))[0]
    asked, may_answer = threading.Event(), threading.Event()

    def judge(collection: str, movie: dict[str, Any]) -> Judgement:
        asked.set()
        assert may_answer.wait(20)
        return world._judge(collection, movie)

    world.claude.judge = judge
    await here.client.post("/api/v1/runs", json={"force_refresh": True})
    await until(asked.is_set)
    given = await here.client.post(ANSWERS, json=[answer_to(near, "out")])
    may_answer.set()
    await here.daemon.runs.ended()

    assert given.status_code == 200
    assert world.numbers("kai-noir") == {0, 1, 2, 3, 5}


def test_two_hundred_answers_survive_a_kill_while_a_batch_is_out(tmp_path: Path) -> None:
    """Sent while a run waits for a batch, with a kill -9 in between, and all sent again: each counts once."""
    with World(tmp_path, movies(210), radarr_credits=False) as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(200), 0.75)
        world.run()
        world.collections(block("Noir"), block("Heist"))
        world.change(claude_batches="on")
        world.claude.batches.polls = 10**6
        world.run(unattended=True)
        with daemon_process(world) as living:
            queue = living.call("GET", REVIEW, params={"size": 500}).json()["items"]
            sent = [answer_to(card, "out" if place % 2 else "in") for place, card in enumerate(queue)]
            assert len(sent) == 200
            for start in range(0, 100, 20):
                assert living.call("POST", ANSWERS, json=sent[start : start + 20]).status_code == 200
            living.end(signal.SIGKILL)
        between = ChoicesFile(world.state_dir).read()
        with daemon_process(world) as living:
            for start in range(0, 200, 50):
                assert living.call("POST", ANSWERS, json=sent[start : start + 50]).json()["kept"] == 50
            assert living.call("GET", REVIEW).json()["total"] == 0
            living.end(signal.SIGTERM)

        choices = ChoicesFile(world.state_dir).read()

    assert len(between.pins) == 100
    assert choices.pins[:100] == between.pins
    assert sum(pin.include for pin in choices.pins) == 100
    assert (len(choices.pins), len(choices.answers)) == (200, 200)
