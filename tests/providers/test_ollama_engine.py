"""The engine over Ollama: what it makes of a local model's failures, and that no movie is lost on the way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kometa_ai.core.item import number_of
from kometa_ai.errors import CheckModel
from kometa_ai.judging.looks import Models
from kometa_ai.judging.packing import Packet
from kometa_ai.providers.ollama.client import Ollama
from kometa_ai.providers.port import Failure, ReplyEnd
from kometa_ai.standins import claude_faults, ollama
from kometa_ai.standins.claude_answers import Style
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.ollama_prompt import Model
from kometa_ai.standins.serving import serve
from tests.asking.support import Asker, Waits, block, collection, judge, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kometa_ai.asking.tally import Answered

MODEL = "qwen3:14b"


class Run:
    """An asker over Ollama, and what it was told."""

    def __init__(self, provider: Ollama, *, model: str = MODEL, **options: Any) -> None:
        self.provider = provider
        self.waits = Waits()
        self.answered: list[Answered] = []
        self.asker = Asker(
            provider,
            models=Models(model, model),
            concurrency=1,
            record=self.answered.append,
            sleep=self.waits,
            **options,
        )

    @property
    def members(self) -> dict[str, set[int]]:
        """The numbers of the movies that belong, by collection."""
        found: dict[str, set[int]] = {}
        for each in self.answered:
            known = found.setdefault(each.collection.name, set())
            known |= {number_of(key) - 1000 for key, verdict in each.verdicts.items() if verdict.include}
        return found

    @property
    def judged(self) -> int:
        """How many verdicts there are."""
        return sum(len(each.verdicts) for each in self.answered)


@asynccontextmanager
async def run_over(
    server: OllamaStandIn, *, model: str = MODEL, max_cost: float = 0.0, **options: Any
) -> AsyncIterator[Run]:
    """A run over the stand-in."""
    with serve(server.app) as url:
        async with Ollama(url, **options) as provider:
            yield Run(provider, model=model, max_cost=max_cost)


@pytest.fixture
def server() -> OllamaStandIn:
    """The stand-in that is asked."""
    return OllamaStandIn(judge=judge)


async def test_every_movie_has_a_verdict(server: OllamaStandIn) -> None:
    """For every collection, one question at a time, and the model is loaded once."""
    packets = [block(10, "Heists", "Noir"), Packet(movies(7), (collection("Space"),))]
    async with run_over(server) as run:
        await run.asker.ask(packets)

    assert run.members == {"Heists": {5, 10}, "Noir": {5, 10}, "Space": {5}}
    assert run.judged == 27
    assert run.asker.gaps == []
    assert len(server.loads) == 1
    assert server.peak_in_flight == 1


async def test_a_page_too_long_for_the_context_is_halved(server: OllamaStandIn) -> None:
    """Until its parts fit; nothing is lost."""
    async with run_over(server, context_length=2560) as run:
        await run.asker.ask([block(40, "Heists")])

    assert run.members == {"Heists": set(range(5, 41, 5))}
    assert run.judged == 40
    assert run.asker.gaps == []
    assert [len(request.movies) for request in server.requests] == [20, 20]


@pytest.mark.parametrize("old", [True, False])
async def test_a_longer_prompt_than_estimated_is_asked_again_in_a_longer_context(*, old: bool) -> None:
    """At once, without a wait, and without halving it."""
    server = OllamaStandIn.old(judge=judge) if old else OllamaStandIn(judge=judge)
    server.characters = 1.0 if old else 1.3
    async with run_over(server) as run:
        await run.asker.ask([block(40, "Heists", "Noir")])

    assert run.judged == 80
    assert run.asker.gaps == []
    assert run.waits == []
    assert not any(request.is_cut and request.status != 200 for request in server.requests)
    assert len(server.loads) == 2


async def test_verdicts_of_a_prompt_that_was_cut_are_not_recorded() -> None:
    """However often Ollama answers: those movies stay open, and the report says why."""
    server = OllamaStandIn.old(judge=judge, characters=0.5)
    async with run_over(server, context_length=4096) as run:
        await run.asker.ask([block(10, "Heists")])

    assert any(request.is_cut for request in server.requests)
    assert run.judged == 0
    assert {gap.failure for gap in run.asker.gaps} == {Failure.TOO_LARGE}


async def test_a_busy_server_is_waited_for(server: OllamaStandIn) -> None:
    """As long as for any other."""
    server.faults.add(ollama.BUSY, times=2)
    async with run_over(server) as run:
        await run.asker.ask([block(10, "Heists")])

    assert run.judged == 10
    assert len(run.waits) == 2


async def test_a_lost_connection_is_tried_again(server: OllamaStandIn) -> None:
    """It costs nothing, and is in no sum."""
    server.faults.add(claude_faults.DROPPED)
    async with run_over(server) as run:
        await run.asker.ask([block(10, "Heists")])

    assert run.judged == 10
    assert not run.asker.tally.wasted
    assert sum(spent.cost or 0 for spent in run.asker.spent.values()) == 0


async def test_a_model_that_must_not_hear_of_thinking_is_asked_again_at_once() -> None:
    """Without a wait, and only once in a run."""
    server = OllamaStandIn(judge=judge, models=[Model(name="odd:1b", refuses_think=True)])
    async with run_over(server, model="odd:1b") as run:
        await run.asker.ask([block(10, "Heists", "Noir")])

    assert run.judged == 20
    assert run.waits == []
    assert len(server.requests) == 3


async def test_an_answer_that_takes_too_long_is_asked_for_in_halves(server: OllamaStandIn) -> None:
    """Not again and again as it is: each time would take as long."""
    server.faults.add(claude_faults.slow(20), when=lambda request: len(request.movies) > 5)
    async with run_over(server, timeout=0.4) as run:
        await run.asker.ask([block(10, "Heists")])

    assert run.judged == 10
    assert run.waits == []
    assert [len(request.movies) for request in server.requests] == [10, 5, 5]


async def test_answers_without_any_text_end_the_run(server: OllamaStandIn) -> None:
    """A model that only thinks would go on for nights."""
    thought = '{"message": {"role": "assistant", "content": "", "thinking": "Hm"}, "prompt_eval_count": 1000}'
    server.faults.add(Fault(status=200, raw=thought, headers={"content-type": "application/json"}), times=None)
    async with run_over(server) as run:
        await run.asker.ask([block(10, *(f"Collection {number}" for number in range(9)))])

    assert run.judged == 0
    assert "only thought" in str(run.asker.stopped)
    assert len(server.requests) < 20


@pytest.mark.parametrize("style", [Style(wrap="prose"), Style(wrap="fence"), Style(form="spec")])
async def test_forms_that_are_not_enforced_are_read_too(style: Style) -> None:
    """As those of models in the cloud."""
    server = OllamaStandIn(judge=judge)
    server.style = style
    async with run_over(server, model="qwen3:480b-cloud") as run:
        await run.asker.ask([block(10, "Heists")])

    assert run.members == {"Heists": {5, 10}}


async def test_an_answer_that_is_cut_keeps_what_is_whole(server: OllamaStandIn) -> None:
    """The rest is asked for again."""
    server.queue_style(Style(truncated_at=60))
    async with run_over(server) as run:
        await run.asker.ask([block(20, "Heists")])

    assert run.judged == 20
    assert run.provider.calls == {ReplyEnd.TRUNCATED: 1, ReplyEnd.COMPLETE: 1}


async def test_a_model_that_is_removed_ends_the_run(server: OllamaStandIn) -> None:
    """With what is there, and how to get it back."""
    server.models.clear()
    async with run_over(server) as run:
        await run.asker.ask([block(10, "Heists")])

    assert isinstance(run.asker.stopped, CheckModel)
    assert "ollama pull" in run.asker.stopped.remedy


@pytest.mark.parametrize(("model", "is_asked"), [(MODEL, True), ("qwen3:480b-cloud", False)])
async def test_a_limit_of_money_stops_only_what_may_cost_some(
    server: OllamaStandIn, model: str, *, is_asked: bool
) -> None:
    """At home nothing does; what a model in the cloud costs is not known."""
    async with run_over(server, model=model, max_cost=0.01) as run:
        await run.asker.ask([block(10, "Heists")])

    assert bool(run.judged) is is_asked
    assert run.asker.unpriced == (set() if is_asked else {model})


async def test_other_letters_are_counted_as_the_tokens_that_they_may_be(server: OllamaStandIn) -> None:
    """A page of Japanese plots is read whole at the first try."""
    server.characters = 1.2
    japanese = tuple(
        msgspec.structs.replace(movie, plot="銀行強盗の一味が最後の仕事に挑む。" * 8) for movie in movies(10)
    )
    async with run_over(server) as run:
        await run.asker.ask([Packet(japanese, (collection("Heists"),))])

    assert run.judged == 10
    assert len(server.requests) <= 2
    assert not any(request.is_cut for request in server.requests)
