"""Questions to a real llama.cpp through the adapter for Chat Completions, and the engine over it.

Its server, grammar, contexts, cache and errors are real; what its model says is chance. So nothing here is about what
an answer holds, only that whatever comes is taken for what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.asking.answers import read_answer
from kometa_ai.asking.prompts import FORM, collection_text
from kometa_ai.errors import CheckModel
from kometa_ai.judging.looks import Models
from kometa_ai.judging.packing import Packet
from kometa_ai.judging.records import records_text
from kometa_ai.providers import prices
from kometa_ai.providers.answer_form import with_example
from kometa_ai.providers.compatible.client import Compatible
from kometa_ai.providers.port import Failure, ProviderSilent, ReplyEnd, Request, RequestFailed
from tests.asking.support import Asker, Waits, block, collection, movie, movies
from tests.llama.model_file import EMPTY, write_model
from tests.llama.server import llama

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.asking.tally import Answered

pytestmark = pytest.mark.llama
MODEL = "chance"


def question(count: int = 5, name: str = "Heists", **fields: Any) -> Request:
    """A request about so many movies."""
    usual = {"movies": records_text(movies(count)), "model": MODEL, "cache": True, "expected_tokens": 1500}
    return Request(form=FORM, collection=collection_text(collection(name)), **{**usual, **fields})


def asking(provider: Compatible) -> tuple[Asker, list[Answered]]:
    """The engine over a provider, and the verdicts that it records."""
    answered: list[Answered] = []
    asker = Asker(provider, models=Models(MODEL, MODEL), concurrency=1, record=answered.append, sleep=Waits())
    return asker, answered


async def test_an_answer_is_of_the_form_that_was_asked_for(llama_at: Callable[..., str]) -> None:
    """The grammar sees to it; what it used is counted, and costs nothing."""
    async with Compatible("openai", "", llama_at()) as provider:
        reply = await provider.ask(question())

        assert prices.cost(reply.usage, provider.traits(MODEL)) == 0.0
    assert reply.ending is ReplyEnd.COMPLETE
    assert reply.usage.input_tokens + reply.usage.cache_read_tokens > len(question().movies) + len(FORM.system)
    assert reply.usage.output_tokens == len(reply.text) + 1
    reading = read_answer(reply.text, {1, 2, 3, 4, 5})
    assert reading.missing == frozenset()
    assert reading.unknown


async def test_what_questions_have_in_common_is_read_once(llama_at: Callable[..., str]) -> None:
    """The movies come first: of the next question about them only the collection is new."""
    others = records_text(tuple(movie(number) for number in range(70, 75)))
    async with Compatible("openai", "", llama_at()) as provider:
        first = await provider.ask(question(movies=others))
        second = await provider.ask(question(movies=others, name="Noir"))

    system = len(with_example(FORM))
    assert first.usage.cache_read_tokens < system + 100
    assert second.usage.cache_read_tokens > system + len(others)
    assert second.usage.input_tokens < len(question().collection) + 50


async def test_an_answer_without_anything_is_one(llama_at: Callable[..., str]) -> None:
    """Complete and of the right form: that it leaves all open is for the engine to see."""
    async with Compatible("openai", "", llama_at("empty")) as provider:
        reply = await provider.ask(question())

    assert reply.ending is ReplyEnd.COMPLETE
    assert read_answer(reply.text, {1, 2}).missing == {1, 2}


async def test_an_answer_that_does_not_end_is_cut(llama_at: Callable[..., str]) -> None:
    """At the length that it may have."""
    async with Compatible("openai", "", llama_at("endless")) as provider:
        reply = await provider.ask(question(expected_tokens=200))

    assert reply.ending is ReplyEnd.TRUNCATED
    assert reply.usage.output_tokens == 200


async def test_a_prompt_that_is_too_long_is_refused(llama_at: Callable[..., str]) -> None:
    """With 400, not cut: the request is too large, and smaller ones are not."""
    async with Compatible("openai", "", llama_at(context=3584)) as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(question(40))
        reply = await provider.ask(question(2))

    assert caught.value.failure is Failure.TOO_LARGE
    assert reply.ending is ReplyEnd.COMPLETE


async def test_the_context_is_known_from_the_check(llama_at: Callable[..., str]) -> None:
    """As it was started, for one slot."""
    async with Compatible("openai", "", llama_at(context=3584)) as provider:
        await provider.check(MODEL)

        assert provider.traits(MODEL).context == 3584


async def test_a_key_that_is_wanted_must_be_right(llama_at: Callable[..., str]) -> None:
    """Another one stops the run; none may be set, and is not needed where none is wanted."""
    url = llama_at("empty", key="secret")
    async with Compatible("openai", "secret", url) as right, Compatible("openai", "wrong", url) as wrong:
        reply = await right.ask(question(1))
        with pytest.raises(CheckModel) as caught:
            await wrong.ask(question(1))
        with pytest.raises(CheckModel):
            await wrong.check(MODEL)

    assert reply.ending is ReplyEnd.COMPLETE
    assert "OPENAI_API_KEY" in caught.value.remedy


@pytest.mark.usefixtures("llama_at")
async def test_a_server_that_has_ended_is_silent(tmp_path: Path) -> None:
    """It may come back: nothing is wrong with the settings."""
    write_model(tmp_path / "model.gguf", EMPTY)
    with llama(tmp_path / "model.gguf") as url:
        async with Compatible("openai", "", url) as provider:
            await provider.check(MODEL)
    async with Compatible("openai", "", url) as provider:
        with pytest.raises(ProviderSilent):
            await provider.check(MODEL)
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(question())

    assert caught.value.failure is Failure.NO_CONNECTION


async def test_the_engine_has_a_verdict_on_every_movie(llama_at: Callable[..., str]) -> None:
    """Made up ids are counted and left out, and followers read from the cache what the first question has brought."""
    async with Compatible("openai", "", llama_at()) as provider:
        asker, answered = asking(provider)
        long = tuple(movie(number, plot=f"What happens in movie {number}. " * 25) for number in range(1, 6))
        await asker.ask([Packet(long, tuple(map(collection, ("Heists", "Noir", "Space"))))])

    assert asker.gaps == []
    assert sum(len(each.verdicts) for each in answered) == 15
    assert asker.unknown_ids
    read = [asker.spent[collection(name).key].usage.cache_read_tokens for name in ("Noir", "Space")]
    assert min(read) > 5000
    assert not asker.is_over


async def test_the_engine_halves_what_the_server_refuses(llama_at: Callable[..., str]) -> None:
    """Until it fits; verdicts are kept of all that could be asked."""
    async with Compatible("openai", "", llama_at(context=3584)) as provider:
        asker, answered = asking(provider)
        await asker.ask([block(10, "Heists")])

    judged = {key for each in answered for key in each.verdicts}
    assert len(judged) == 10
    assert asker.gaps == []
    assert provider.calls == {Failure.TOO_LARGE: 1, ReplyEnd.COMPLETE: 2}


async def test_the_engine_leaves_what_the_model_leaves_out(llama_at: Callable[..., str]) -> None:
    """Nothing is taken for an answer that is none."""
    async with Compatible("openai", "", llama_at("empty")) as provider:
        asker, answered = asking(provider)
        await asker.ask([block(4, "Heists")])

    assert answered == []
    assert sum(len(gap.movies) for gap in asker.gaps) == 4
    assert {gap.failure for gap in asker.gaps} == {Failure.UNREADABLE}


async def test_the_engine_survives_answers_that_do_not_end(llama_at: Callable[..., str]) -> None:
    """They are cut, hold nothing, and end the asking before long."""
    async with Compatible("openai", "", llama_at("endless")) as provider:
        asker, answered = asking(provider)
        await asker.ask([block(1, "Heists")])

    assert answered == []
    assert [gap.failure for gap in asker.gaps] == [Failure.UNREADABLE]
