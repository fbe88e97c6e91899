"""Runs with models of other providers than Claude, and of two at a time, against stand-ins of their services."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from kometa_ai.app import session_of
from kometa_ai.jobs.cancel import cancel
from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.openai import OpenAIStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.state.store import Store
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCAL = "qwen3:14b"
OPENAI = "gpt-6-luna"


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path, movies(12)) as made:
        made.claude.clock = lambda: made.now.timestamp()  # noqa: PLW0108 - the time will be another one
        made.collections(block("Noir"), block("Heist"))
        made.believe("Noir", range(3))
        made.believe("Heist", [5], 0.65)
        yield made


@contextmanager
def openai(world: World) -> Iterator[OpenAIStandIn]:
    """A service like OpenAI, which judges as the world believes; the settings lead there."""
    found = OpenAIStandIn(judge=world.claude.judge, api_key="openai-key")
    with serve(found.app) as url:
        world.change(llm_provider="openai", llm_model=OPENAI, openai_api_key="openai-key", openai_base_url=f"{url}/v1")
        yield found


@contextmanager
def ollama(world: World) -> Iterator[OllamaStandIn]:
    """An Ollama that judges as the world believes; the settings lead there."""
    found = OllamaStandIn(judge=world.claude.judge)
    with serve(found.app) as url:
        world.change(llm_provider="ollama", llm_model=LOCAL, ollama_host=url)
        yield found


def judges(world: World) -> set[str]:
    """The models of all decisions that are remembered."""
    memory = Store.load(world.state_dir, read_only=True).memory
    return {decision.model for known in memory.values() for decision in known.collections.values()}


def tagged(world: World) -> dict[str, set[int]]:
    """The members of both collections in Radarr, by the numbers of the movies."""
    return {name: {int(number) for number in world.radarr.members(f"kai-{name}")} for name in ("noir", "heist")}


def test_another_model_asks_nothing_again_by_itself(world: World) -> None:
    """After a change of provider nothing is asked; one collection can be asked again, and then has other judges."""
    first = world.run()
    with openai(world) as service:
        second = world.run()
        asked = len(service.requests)
        third = world.run(collections=("Heist",), force_refresh=True)
        asked_again = len(service.requests)
    before = tagged(world)

    assert (first.outcome, second.outcome, third.outcome) == ("ok", "ok", "ok")
    assert asked == 0
    assert second.tokens.requests == 0
    assert (first.decisions_by_other_models, second.decisions_by_other_models) == (0, 24)
    assert asked_again > 0
    assert judges(world) == {"claude-sonnet-5-5", f"openai/{OPENAI}"}
    assert before == tagged(world)


def test_a_local_model_decides(world: World) -> None:
    """Ollama alone judges a library, in pages of its own size, at no cost."""
    with ollama(world) as service:
        report = world.run()
        questions = service.requests

    assert (report.outcome, report.cost_usd) == ("ok", 0.0)
    assert judges(world) == {f"ollama/{LOCAL}"}
    assert len(tagged(world)["noir"]) == 3
    assert len(questions) >= 4  # two pages of at most ten movies, about two collections
    assert world.claude.requests == []


def test_a_free_model_is_not_asked_either_where_nothing_may_be_spent(world: World) -> None:
    """A run that may spend nothing asks nothing, as for a pin that was just made."""
    with ollama(world) as service:
        report = world.run(max_cost=0.0)
        asked = service.requests

    assert asked == []
    assert report.pending == 24


def test_a_local_model_first_and_claude_for_close_calls(world: World) -> None:
    """The second look at what is near the threshold is another provider's, and both are remembered as judges."""
    with ollama(world) as service:
        world.change(llm_review_model="claude/claude-haiku-4-5", claude_api_key="key")
        report = world.run()
        local = len(service.requests)

    assert report.outcome == "ok"
    assert local > 0
    assert {record.model for record in world.claude.requests} == {"claude-haiku-4-5"}
    assert judges(world) == {f"ollama/{LOCAL}", "claude-haiku-4-5"}


def test_claude_first_and_openai_for_close_calls(world: World) -> None:
    """The other way round."""
    with openai(world) as service:
        world.change(llm_provider="claude", llm_model="claude-sonnet-5-5", llm_review_model=f"openai/{OPENAI}")
        report = world.run()
        reviewed = len(service.requests)

    assert report.outcome == "ok"
    assert reviewed > 0
    assert judges(world) == {"claude-sonnet-5-5", f"openai/{OPENAI}"}


def test_a_provider_that_refuses_the_key(world: World) -> None:
    """The run ends with the code for an unusable model, and the problem names the server and its setting."""
    with openai(world):
        world.change(openai_api_key="wrong")
        report = world.run()

    assert (report.outcome, report.exit_code) == ("model unusable", 4)
    assert report.problems[0].source.startswith("127.0.0.1:")  # a server in OpenAI's place has its own name
    assert "OPENAI_API_KEY" in report.problems[0].remedy


def with_a_batch(world: World) -> None:
    """Let Claude's batches have all questions of a run that waits for them."""
    world.claude.batches.polls = 0
    world.change(claude_batches="on")
    assert world.run().outcome == "waiting"
    world.change(claude_batches="auto")
    world.now -= timedelta(hours=23)  # the next run is a day after that, and Anthropic ends a batch within one


def test_answers_of_a_batch_are_taken_under_another_provider(world: World) -> None:
    """What is paid for at Claude is collected with its key, also after a change of provider, and nothing is asked."""
    with_a_batch(world)
    with openai(world) as service:
        report = world.run()
        asked = [record for record in service.requests if "Noir" in record.collection_text]

    assert (report.outcome, report.problems) == ("ok", ())
    assert asked == []
    assert "claude-sonnet-5-5" in judges(world)
    assert tagged(world)["noir"] == {1000, 1001, 1002}


def test_answers_of_a_batch_that_no_key_reaches(world: World) -> None:
    """Without Claude's key each run says what waits and how to get or drop it; once dropped, it is asked again."""
    with_a_batch(world)
    with openai(world) as service:
        world.change(claude_api_key="")
        waiting = world.run()
        asked_before = len(service.requests)
        dropped = asyncio.run(cancel(session_of(world.settings)))
        after = world.run()
        asked_after = len(service.requests)

    (problem,) = waiting.problems
    assert (waiting.outcome, asked_before) == ("problems", 0)
    assert "CLAUDE_API_KEY" in problem.remedy
    assert "--cancel-batches" in problem.remedy
    assert [(each.outcome, each.questions) for each in dropped.batches] == [("given up", 24)]
    assert asked_after > 0
    assert after.outcome == "ok"
    assert judges(world) == {f"openai/{OPENAI}"}
