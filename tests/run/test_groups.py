"""Runs whose requests are about several collections: the same tags for fewer requests, also through batches."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins.claude_answers import REFUSED, Style
from tests.run.test_batches import NAMES, BatchWorld, Killed, everything, fill, truth
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BatchWorld]:
    """Forty movies in four collections, which a request asks about together; batches switched on."""
    with BatchWorld(tmp_path, movies(40), batch_size=20, claude_batches="on", collections_per_request="auto") as made:
        fill(made)
        yield made


def sizes(world: BatchWorld) -> Counter[tuple[int, int]]:
    """How many collections and how many movies requests were about."""
    return Counter((len(request.collection_names), len(request.movies)) for request in world.claude.requests)


def test_a_run_without_batches_sends_one_request_a_page(world: BatchWorld) -> None:
    """The same tags; nothing is asked twice, and the report counts requests and questions."""
    world.change(claude_batches="off")
    report = world.run()
    assert (report.outcome, report.exit_code, report.pending) == ("ok", 0, 0)
    assert world.tags == truth()
    assert world.judged_pairs() == everything()
    assert (sizes(world), report.asked, report.tokens.requests) == ({(4, 20): 2}, 160, 2)
    world.claude.forget()
    assert world.run().asked == 0
    assert world.claude.requests == []


def test_an_edited_collection_is_asked_about_alone(world: BatchWorld) -> None:
    """Only what is open is asked."""
    world.change(claude_batches="off")
    world.run()
    world.claude.forget()
    texts = dict.fromkeys(NAMES, "") | {"War": "Films about the war."}
    world.collections(*(block(name, text) for name, text in texts.items()))
    world.run()
    assert sizes(world) == {(1, 20): 2}
    assert {request.collection_name for request in world.claude.requests} == {"War"}


@pytest.mark.parametrize("batches", ["off", "on"])
def test_a_refusal_for_one_collection_leaves_the_others(world: BatchWorld, batches: str) -> None:
    """They are asked one by one; the refused one stays as it is and is told."""
    world.change(claude_batches=batches)
    world.claude.queue_style(REFUSED, times=None, when=lambda request: "War" in request.collection_names)
    report = world.run()
    assert report.exit_code == 1
    assert world.tags == truth() | {"War": set()}
    assert report.pending == 40
    assert {problem.collection for problem in report.problems} == {"War"}


def test_what_a_batch_leaves_of_a_group_is_asked_one_by_one(world: BatchWorld) -> None:
    """A group that cannot be read is not asked as a group again."""
    world.claude.queue_style(Style(text="No."), when=lambda request: len(request.movies) == 20)
    report = world.run()
    assert (report.exit_code, world.tags) == (0, truth())
    assert sizes(world) == {(4, 20): 2, (1, 20): 4}


def test_a_batch_of_groups_is_one_phase_where_that_is_cheaper(world: BatchWorld) -> None:
    """One request a page, at half the price."""
    report = world.run()
    assert (report.exit_code, world.tags, world.created) == (0, truth(), 1)
    assert sizes(world) == {(4, 20): 2}
    assert report.tokens.cache_write == 0


@pytest.mark.parametrize("death", ["before create", "after create"])
def test_a_process_killed_around_its_batch_pays_once(world: BatchWorld, death: str) -> None:
    """It is found or sent, and never sent twice."""
    world.death = death
    with pytest.raises(Killed):
        world.run()
    assert world.open_batches() == 1
    world.revive()
    assert world.run().exit_code == 0
    assert (world.tags, world.created, world.judged_pairs()) == (truth(), 1, everything())


def test_a_run_of_one_collection_leaves_the_others_answers(world: BatchWorld) -> None:
    """It takes its own from a request about all, and its share of the cost; the rest is taken later."""
    assert world.start().outcome == "waiting"
    first = world.run(collections=("Heist",))
    assert world.tags == {name: truth()[name] if name == "Heist" else set() for name in NAMES}
    assert world.open_batches() == 1
    second = world.run()
    assert (world.tags, world.judged_pairs(), world.open_batches()) == (truth(), everything(), 0)
    assert first.cost_usd == pytest.approx(second.cost_usd / 3, rel=0.01)


def test_a_batch_of_an_older_version_is_taken(world: BatchWorld) -> None:
    """Its questions are about one collection each, and know no number."""
    world.change(collections_per_request="1")
    assert world.start().outcome == "waiting"
    state, journal = world.state_dir / "kometa_state.json", next(world.state_dir.glob("*journal*"), None)
    written = json.loads(state.read_text())
    questions = [question for batch in written["batches"] for question in batch["questions"]]
    assert questions or journal is not None
    for question in questions:
        assert "number" not in question
        question |= {"kind": "movie", "second_look": False}
    state.write_text(json.dumps(written))
    world.change(collections_per_request="auto")
    assert world.run().exit_code == 0
    assert (world.tags, world.judged_pairs()) == (truth(), everything())


def test_an_estimate_knows_of_groups(world: BatchWorld) -> None:
    """One request a page instead of one for each collection, for less; and near what it then costs."""
    together = world.estimate()
    world.change(collections_per_request="1")
    alone = world.estimate()
    looks = 1  # of 160 questions about one comes close
    assert (together.requests, alone.requests) == (2 + looks, 8 + looks)
    assert together.cost_usd is not None
    assert alone.cost_usd is not None
    assert together.cost_usd < alone.cost_usd
    world.change(collections_per_request="auto", claude_batches="off")
    assert together.cost_usd == pytest.approx(world.run().cost_usd, rel=0.5)
