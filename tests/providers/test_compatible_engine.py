"""A whole run asks services that speak Chat Completions: through the router, with what goes wrong on the way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.core.item import number_of
from kometa_ai.core.model import ModelName
from kometa_ai.errors import CheckModel
from kometa_ai.judging.looks import Models
from kometa_ai.providers.router import Router
from kometa_ai.standins import openai_faults as faults
from kometa_ai.standins.claude_answers import PROSE, REFUSED, SPEC, Style
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.openai_models import ChatModel
from tests.asking.support import Asker, Waits, block, holds
from tests.providers.test_compatible import FACES, MODELS, completion, provider_for, service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kometa_ai.asking.tally import Answered
    from kometa_ai.core.model import ProviderName
    from kometa_ai.standins.openai import OpenAIStandIn
    from kometa_ai.standins.openai_models import Face

MEMBERS = {5, 10, 15, 20}


class Run:
    """An engine over a stand-in, and what it was told."""

    def __init__(self, router: Router, model: ModelName, **options: Any) -> None:
        self.router, self.model = router, str(model)
        self.answered: list[Answered] = []
        self.asker = Asker(
            router,
            models=Models(str(model), str(model)),
            record=self.answered.append,
            sleep=Waits(),
            **options,
        )

    def members(self, name: str) -> set[int]:
        """The numbers of the movies that belong."""
        return {
            number_of(key) - 1000
            for answered in self.answered
            for key, verdict in answered.verdicts.items()
            if answered.collection.name == name and verdict.include
        }

    def judged(self, name: str) -> set[int]:
        """The numbers of the movies with a verdict."""
        return {
            number_of(key) - 1000
            for answered in self.answered
            for key in answered.verdicts
            if answered.collection.name == name
        }


@asynccontextmanager
async def running(standin: OpenAIStandIn, **options: Any) -> AsyncIterator[Run]:
    """A run over real HTTP."""
    preset: ProviderName = "openai" if standin.face == "local" else standin.face
    model = ModelName(preset, options.pop("model", MODELS[standin.face]))
    async with provider_for(standin, **options.pop("provider", {})) as provider:
        yield Run(Router({preset: provider}), model, **options)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("style", [Style(), SPEC, PROSE, Style(wrap="fence")], ids=["usual", "spec", "prose", "fence"])
async def test_a_run_ends_with_a_verdict_on_each(face: Face, style: Style) -> None:
    """Whatever form the model gives its answers."""
    standin = service(face)
    standin.style = style
    async with running(standin) as run:
        await run.asker.ask([block(20, "Heists", "Noir")])

    assert run.members("Heists") == run.members("Noir") == MEMBERS
    assert not run.asker.gaps


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    "fault",
    [
        faults.RATE_LIMITED,
        faults.OVERLOADED,
        faults.SERVER_ERROR,
        faults.GARBLED,
        faults.TOO_LONG,
        completion(content=""),
        completion(content="<think>Hmm"),
        Fault(drop=True),
        Fault(status=502, raw="<html>Bad gateway</html>"),
        Fault(status=400, message="Invalid schema for response_format"),
        Fault(status=400, message="'reasoning_effort' is not supported"),
    ],
    ids=lambda fault: f"{fault.status} {fault.message[:30]}" if fault.raw is None else (fault.raw or "")[:30],
)
async def test_what_goes_wrong_once_costs_no_verdict(face: Face, fault: Fault) -> None:
    """It is waited for, halved, or asked in another way."""
    standin = service(face)
    standin.faults.add(fault)
    async with running(standin) as run:
        await run.asker.ask([block(20, "Heists")])

    assert run.judged("Heists") == set(range(1, 21))
    assert not run.asker.is_over


@pytest.mark.parametrize("face", FACES)
async def test_a_movie_that_is_refused_is_left_alone(face: Face) -> None:
    """The halving finds it; all others are judged."""
    standin = service(face)
    standin.queue_style(REFUSED, times=None, when=holds("Movie 7"))
    async with running(standin) as run:
        await run.asker.ask([block(20, "Heists")])

    assert run.judged("Heists") == set(range(1, 21)) - {7}


@pytest.mark.parametrize("is_checked", [True, False], ids=["checked", "unchecked"])
async def test_a_page_that_a_server_at_home_cannot_hold_is_halved(*, is_checked: bool) -> None:
    """Known before, or heard of the server: the movies are never lost."""
    standin = service("local", models={"x": ChatModel(id="x", context=1500)})
    async with running(standin, model="x") as run:
        if is_checked:
            await run.router.check(run.model)
        await run.asker.ask([block(20, "Heists")])

    assert run.judged("Heists") == set(range(1, 21))


@pytest.mark.parametrize("is_checked", [True, False], ids=["checked", "unchecked"])
async def test_pages_of_which_not_even_half_fits_end_the_run(*, is_checked: bool) -> None:
    """With the number to set, which then fits: halves alone are tried, so all would fail for the same reason."""
    standin = service("local", models={"x": ChatModel(id="x", context=1500)})
    async with running(standin, model="x") as run:
        if is_checked:
            await run.router.check(run.model)
        await run.asker.ask([block(60, "Heists")])
    stopped = run.asker.stopped
    assert isinstance(stopped, CheckModel)
    size = int(stopped.remedy.removeprefix("Set BATCH_SIZE to ").partition(",")[0])
    async with running(standin, model="x") as run:
        await run.asker.ask([block(size, "Heists")])

    assert len(run.judged("Heists")) == size
    assert len(standin.requests) == (1 if is_checked else 2)


async def test_a_prompt_that_is_cut_is_halved_until_it_is_read_whole() -> None:
    """No verdict on a movie that the model has not seen."""
    standin = service("local", models={"x": ChatModel(id="x", context=900)}, cuts=True)
    async with running(standin, model="x") as run:
        await run.asker.ask([block(20, "Heists")])

    assert run.members("Heists") <= MEMBERS
    assert not run.asker.unknown_ids.total()


async def test_followers_read_what_the_first_has_written() -> None:
    """The collections of a block share its movies in the cache."""
    standin = service()
    async with running(standin) as run:
        await run.asker.ask([block(50, "Heists", "Noir", "Space")])

    reads = [request.usage["prompt_tokens_details"]["cached_tokens"] > 0 for request in standin.requests]
    assert reads.count(False) == 1


async def test_the_slow_tier_without_room_answers_all_the_same() -> None:
    """At the usual price."""
    standin = service()
    standin.flex_has_room = False
    async with running(standin, provider={"flex": True}) as run:
        await run.asker.ask([block(20, "Heists")])

    assert run.judged("Heists") == set(range(1, 21))


@pytest.mark.parametrize("face", FACES)
async def test_what_stops_the_run_stops_it_at_once(face: Face) -> None:
    """No further question is sent."""
    standin = service(face)
    standin.faults.add(Fault(status=402, message="Insufficient credits"), times=None)
    async with running(standin, concurrency=1) as run:
        await run.asker.ask([block(20, "Heists", "Noir", "Space")])

    assert run.asker.stopped is not None
    assert len(standin.requests) == 1
