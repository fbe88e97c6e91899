"""The provider for Ollama: what it sends, what it makes of every kind of answer, and that no prompt is ever cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from kometa_ai.asking.prompts import FORM, SCHEMA, SYSTEM, collection_text
from kometa_ai.errors import CheckModel
from kometa_ai.judging.records import records_text
from kometa_ai.network.environment import Network
from kometa_ai.network.proxies import read_proxies
from kometa_ai.providers import prices
from kometa_ai.providers.ollama.client import Ollama
from kometa_ai.providers.port import Failure, ProviderSilent, Reply, ReplyEnd, Request, RequestFailed, Usage
from kometa_ai.standins import claude_faults, ollama
from kometa_ai.standins.claude_answers import Style
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.ollama_prompt import MODELS, Model
from kometa_ai.standins.serving import serve
from tests.asking.support import collection, judge, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "qwen3:14b"
JSON = {"content-type": "application/json"}


def question(count: int = 10, name: str = "Heists", **fields: Any) -> Request:
    """A request about so many movies."""
    return Request(
        form=FORM,
        movies=records_text(movies(count)),
        collection=collection_text(collection(name)),
        **{"model": MODEL, "cache": False, "expected_tokens": 1200, **fields},
    )


REQUEST = question()


@pytest.fixture
def server() -> OllamaStandIn:
    """The stand-in that is asked."""
    return OllamaStandIn(judge=judge)


@asynccontextmanager
async def provider_for(server: OllamaStandIn, **options: Any) -> AsyncIterator[Ollama]:
    """A provider that talks to the stand-in."""
    with serve(server.app) as url:
        async with Ollama(url, **options) as provider:
            yield provider


async def ask(server: OllamaStandIn, request: Request = REQUEST, **options: Any) -> Reply:
    """Ask once."""
    async with provider_for(server, **options) as provider:
        return await provider.ask(request)


async def failure_of(server: OllamaStandIn, fault: Fault | None = None, **options: Any) -> RequestFailed:
    """How asking fails."""
    if fault is not None:
        server.faults.add(fault)
    with pytest.raises(RequestFailed) as caught:
        await ask(server, **options)
    return caught.value


async def stopped_by(server: OllamaStandIn, fault: Fault, path: str = ollama.CHAT) -> CheckModel:
    """How asking ends for good."""
    server.faults.add(fault, path=path)
    with pytest.raises(CheckModel) as caught:
        await ask(server)
    return caught.value


def answer(content: str | None = "{}", **fields: Any) -> Fault:
    """An answer word for word."""
    whole = {
        "model": MODEL,
        "message": {"role": "assistant", "content": content},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 1500,
        "eval_count": 3,
        **fields,
    }
    return Fault(status=200, raw=json.dumps(whole), headers=JSON)


def numbered(count: int, text: str) -> Iterator[Any]:
    """Movies with this plot."""
    return (msgspec.structs.replace(movie, plot=text) for movie in movies(count))


# What is sent


async def test_the_movies_and_the_collection_are_one_message(server: OllamaStandIn) -> None:
    """Of several Ollama drops the first ones without a word; the form of an answer stands in the system prompt."""
    await ask(server)

    body = server.requests[0].body
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert system["content"].startswith(SYSTEM)
    assert json.loads(system["content"].splitlines()[-1]).keys() == SCHEMA["properties"].keys()
    assert user["content"] == f"{REQUEST.movies}\n\n{REQUEST.collection}"
    assert body["format"] == SCHEMA
    assert (body["stream"], body["think"], body["truncate"], body["shift"]) == (False, False, False, False)
    assert body["keep_alive"] == "15m"
    assert body["options"]["temperature"] == 0
    assert server.requests[0].titles == tuple(f"Movie {number}" for number in range(1, 11))


async def test_the_next_collection_finds_the_movies_known(server: OllamaStandIn) -> None:
    """The one slot's prefix cache takes the movies over, since they come first, byte for byte."""
    async with provider_for(server) as provider:
        await provider.ask(REQUEST)
        await provider.ask(question(name="Noir"))

    first, second = server.requests
    assert first.known == 0
    assert second.known > second.read * 0.8


async def test_usage_is_what_ollama_says(server: OllamaStandIn) -> None:
    """And costs nothing."""
    async with provider_for(server) as provider:
        reply = await provider.ask(REQUEST)

        assert reply.usage == Usage(requests=1, **server.requests[0].usage)
        assert prices.cost(reply.usage, provider.traits(MODEL)) == 0.0


@pytest.mark.parametrize(("model", "think"), [("qwen3:14b", False), ("gemma4", False), ("gpt-oss:20b", "low")])
async def test_no_model_thinks_more_than_it_must(server: OllamaStandIn, model: str, think: object) -> None:
    """Models by levels do not know `false`."""
    reply = await ask(server, question(model=model))

    assert server.requests[0].body["think"] == think
    assert server.requests[0].thought <= 40
    assert reply.ending is ReplyEnd.COMPLETE


async def test_a_model_that_must_not_be_told_about_thinking_is_not(server: OllamaStandIn) -> None:
    """It says so once, the same question is worth another try at once, and later ones leave it out."""
    server.models["odd:1b"] = Model(name="odd:1b", refuses_think=True)
    request = question(model="odd:1b")
    async with provider_for(server) as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(request)
        reply = await provider.ask(request)

    assert caught.value.is_asked_otherwise_now
    assert reply.ending is ReplyEnd.COMPLETE
    assert ["think" in each.body for each in server.requests] == [True, False]


async def test_the_answer_has_begun_when_it_is_there(server: OllamaStandIn) -> None:
    """It is not streamed."""
    begun: list[int] = []
    async with provider_for(server) as provider:
        await provider.ask(REQUEST, lambda: begun.append(server.in_flight))

    assert begun == [0]


async def test_nothing_is_counted(server: OllamaStandIn) -> None:
    """Ollama has no call for it."""
    async with provider_for(server) as provider:
        assert await provider.count(REQUEST) is None
    assert server.calls == []


# The context


async def test_the_context_is_as_long_as_the_longest_prompt_needs(server: OllamaStandIn) -> None:
    """In steps of 2,048, and the same for every question: another one would load the model anew."""
    async with provider_for(server) as provider:
        provider.expect(MODEL, prompt_tokens=2000, answer_tokens=900)
        provider.expect(MODEL, prompt_tokens=4000, answer_tokens=1200)
        provider.expect(MODEL, prompt_tokens=100, answer_tokens=10)
        for request in (question(1), question(10), question(3), question(10, "Noir")):
            await provider.ask(request)

    assert [request.context for request in server.requests] == [8192] * 4
    assert server.loads == [(MODEL, 8192)]


async def test_the_context_grows_where_a_question_would_not_fit(server: OllamaStandIn) -> None:
    """Once, which the log tells, and not for each that is a little longer."""
    async with provider_for(server) as provider:
        with structlog.testing.capture_logs() as lines:
            for count in (2, 3, 50, 51, 2):
                await provider.ask(question(count))

    assert len(server.loads) == 2
    grown = [line for line in lines if line["event"] == "ollama.context"]
    assert [(line["before"], line["num_ctx"]) for line in grown] == [
        (None, server.loads[0][1]),
        (server.loads[0][1], server.loads[1][1]),
    ]


async def test_a_set_context_is_not_left(server: OllamaStandIn) -> None:
    """What does not fit into it is too large, and is not even sent; what does has so much less room for its answer."""
    async with provider_for(server, context_length=4096) as provider:
        await provider.ask(question(10, expected_tokens=4800))
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(question(60))

    assert caught.value.failure is Failure.TOO_LARGE
    assert "BATCH_SIZE" in str(caught.value)
    assert [request.context for request in server.requests] == [4096]


async def test_the_context_is_no_longer_than_the_model_s(server: OllamaStandIn) -> None:
    """However much is asked for."""
    server.models["tiny:1b"] = Model(name="tiny:1b", context=4096)
    async with provider_for(server, context_length=100_000) as provider:
        provider.expect("tiny:1b", prompt_tokens=90_000, answer_tokens=9000)
        await provider.ask(question(model="tiny:1b"))

        assert provider.traits("tiny:1b").context == 4096
    assert server.requests[0].body["options"]["num_ctx"] == 4096


async def test_a_tokenizer_that_needs_more_makes_the_context_grow(server: OllamaStandIn) -> None:
    """A prompt of twice the tokens estimated is refused once; the question is asked again in a context for it."""
    server.characters = 1.5
    async with provider_for(server) as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(question(40))
        reply = await provider.ask(question(40))
        await provider.ask(question(40, "Noir"))

    assert (caught.value.failure, caught.value.is_asked_otherwise_now) == (Failure.TOO_LARGE, True)
    assert reply.ending is ReplyEnd.COMPLETE
    assert len(server.loads) == 2


SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))


@settings(max_examples=100, deadline=None)
@given(
    old=st.booleans(),
    cuts=st.sampled_from(["exact", "half"]),
    characters=st.floats(0.5, 1.5) | st.floats(1.5, 6),
    context=st.just(40_960) | st.integers(256, 20_000),
    override=st.none() | st.none() | st.integers(256, 20_000),
    expected=st.integers(1, 4000),
    plot=st.text(alphabet="ab é漢🎬", max_size=300),
    sizes=SIZES,
)
async def test_no_verdict_is_ever_made_without_the_movie(
    *,
    old: bool,
    cuts: Any,
    characters: float,
    context: int,
    override: int | None,
    expected: int,
    plot: str,
    sizes: tuple[int, int],
) -> None:
    """Whatever the tokenizer, the sizes and the version: an answer is used only where every movie was read."""
    model = Model(name=MODEL, context=context)
    options: dict[str, Any] = {"judge": judge, "models": [model], "cuts": cuts, "characters": characters}
    server = OllamaStandIn.old(**options) if old else OllamaStandIn(**options)
    async with provider_for(server, context_length=override) as provider:
        provider.expect(MODEL, prompt_tokens=expected, answer_tokens=800)
        for count in sizes:
            request = question(expected_tokens=800)
            request = msgspec.structs.replace(request, movies=records_text(tuple(numbered(count, plot))))
            for _ in range(2):
                used = None
                with suppress(RequestFailed):
                    used = await provider.ask(request)
                if used is not None:
                    assert not server.requests[-1].is_cut
                    assert len(server.requests[-1].movies) == count


async def test_the_property_above_could_fail() -> None:
    """What it guards against is real: asked as by default, the stand-in makes up verdicts on movies it never read."""
    server = OllamaStandIn(judge=judge)
    request = question(100)
    with serve(server.app) as url:
        async with Ollama(url) as provider:
            await provider.ask(request)
            body = {**server.requests[0].body}
            for name in ("truncate", "shift", "options"):
                del body[name]
            response = await provider.client.post(f"{url}/api/chat", json=body)

    said = json.loads(response.json()["message"]["content"])
    assert server.requests[-1].is_cut
    assert len(said["decisions"]) + len(said["excluded"]) == 100
    assert response.json()["done_reason"] == "stop"


@pytest.mark.parametrize(
    ("read", "words"),
    [(None, "does not say"), (0, "read only 0"), (300, "read only 300 of about"), (90_000, "has no room")],
)
async def test_an_answer_to_a_prompt_that_may_have_been_cut_is_not_used(
    server: OllamaStandIn, read: int | None, words: str
) -> None:
    """It says how much was read."""
    failed = await failure_of(server, answer('{"excluded": [1]}', prompt_eval_count=read))

    assert failed.failure is Failure.TOO_LARGE
    assert words in str(failed)
    assert "Nothing of its answer is used" in str(failed)


async def test_an_old_server_gets_a_context_twice_as_long() -> None:
    """As it cuts without a word, only a prompt of less than half the context is certain to be whole."""
    server = OllamaStandIn.old(judge=judge)
    reply = await ask(server, question(40))

    assert reply.ending is ReplyEnd.COMPLETE
    assert server.requests[0].read * 2 < server.requests[0].context


async def test_an_old_server_that_hides_the_model_s_context_is_not_asked() -> None:
    """How long the context really is could not be known."""
    server = OllamaStandIn.old(judge=judge)
    hidden = Fault(status=200, raw='{"model_info": {}}', headers=JSON)

    assert "0.12.4" in (await stopped_by(server, hidden, "/api/show")).remedy
    assert server.requests == []


# What is made of answers


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("stop", ReplyEnd.COMPLETE),
        ("length", ReplyEnd.TRUNCATED),
        ("something_new", ReplyEnd.COMPLETE),
        (None, ReplyEnd.COMPLETE),
        (7, ReplyEnd.COMPLETE),
    ],
)
async def test_each_reason_has_an_ending(server: OllamaStandIn, reason: object, ending: ReplyEnd) -> None:
    """What is not known to be a cut is read as it is."""
    server.faults.add(answer("{}", done_reason=reason))

    reply = await ask(server)

    assert (reply.ending, reply.text) == (ending, "{}")


async def test_a_cut_answer_is_truncated(server: OllamaStandIn) -> None:
    """And its text is what there is of it."""
    server.queue_style(Style(truncated_at=20))

    reply = await ask(server)

    assert reply.ending is ReplyEnd.TRUNCATED
    assert reply.text == server.requests[0].answer != ""
    assert reply.usage.output_tokens == 20


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "assistant", "content": ""}, "is empty"),
        ({"role": "assistant"}, "is empty"),
        ({"role": "assistant", "content": " \n", "thinking": "Well…"}, "only thought"),
    ],
)
async def test_no_text_is_no_answer(server: OllamaStandIn, message: dict[str, str], words: str) -> None:
    """Never that nothing belongs: a runner that crashed, and a model that only thought, are named."""
    failed = await failure_of(server, answer(message=message))

    assert failed.failure is Failure.UNREADABLE
    assert words in str(failed)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=200, raw="<html>Please log in</html>"),
        Fault(status=200, raw="", headers=JSON),
        Fault(status=200, raw="[]", headers=JSON),
        Fault(status=200, raw="null", headers=JSON),
        Fault(status=200, raw='{"content": "text"}', headers=JSON),
        Fault(status=200, raw='{"message": {"content": 7}}', headers=JSON),
        Fault(status=200, raw='{"message": {"content": "te', headers=JSON),
    ],
    ids=lambda fault: fault.raw[:20] or "empty",
)
async def test_an_answer_that_is_none_is_unreadable(server: OllamaStandIn, fault: Fault) -> None:
    """A portal's page, half an answer, another service: one clear failure, never a crash."""
    failed = await failure_of(server, fault)

    assert failed.failure is Failure.UNREADABLE
    assert "OLLAMA_HOST" in str(failed)


@pytest.mark.parametrize("count", [-5, "many", 12.5, None, 10**30, True])
async def test_odd_numbers_do_not_cost_an_answer(server: OllamaStandIn, count: object) -> None:
    """Of the tokens written, that is: without those read nothing is certain."""
    server.faults.add(answer("{}", eval_count=count, load_duration=count))

    assert (await ask(server)).usage == Usage(requests=1, input_tokens=1500)


# Failures


NESTED = json.dumps(
    {
        "error": {
            "code": 400,
            "message": "request (9021 tokens) exceeds the available context size (8192 tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": 9021,
            "n_ctx": 8192,
        }
    }
)


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (claude_faults.rate_limited(1), Failure.RATE_LIMITED),
        (claude_faults.rate_limited(None), Failure.RATE_LIMITED),
        (ollama.BUSY, Failure.OVERLOADED),
        (ollama.CRASHED, Failure.SERVER_ERROR),
        (claude_faults.SERVER_ERROR, Failure.SERVER_ERROR),
        (claude_faults.GATEWAY_TIMEOUT, Failure.SERVER_ERROR),
        (claude_faults.NOT_JSON, Failure.SERVER_ERROR),
        (Fault(status=408, message="Timeout"), Failure.NO_CONNECTION),
        (claude_faults.DROPPED, Failure.NO_CONNECTION),
        (claude_faults.TOO_LARGE, Failure.TOO_LARGE),
        (claude_faults.TOO_LARGE_AT_THE_EDGE, Failure.TOO_LARGE),
        (Fault(status=400, message="the input length exceeds the context length"), Failure.TOO_LARGE),
        (Fault(status=400, message=NESTED), Failure.TOO_LARGE),
        (Fault(status=500, message="The input does not match the expected peg-native format"), Failure.UNREADABLE),
        (Fault(status=200, raw='{"error": "an error was encountered"}', headers=JSON), Failure.SERVER_ERROR),
        (Fault(status=400, message="invalid options: num_ctx"), Failure.REJECTED),
        (Fault(status=418, message="I am a teapot"), Failure.REJECTED),
    ],
    ids=lambda value: f"{value.status} {value.message[:30]}" if isinstance(value, Fault) else "",
)
async def test_what_only_this_request_met_is_named(server: OllamaStandIn, fault: Fault, failure: Failure) -> None:
    """So that it can be retried, halved or left; nothing of it costs money."""
    failed = await failure_of(server, fault)

    assert failed.failure is failure
    assert not failed.may_be_billed
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (ollama.UNAUTHORIZED, "ollama signin"),
        (claude_faults.NOT_PERMITTED, "Let requests pass"),
        (Fault(status=403, raw="<html>Forbidden</html>"), "Let requests pass"),
        (ollama.NO_MEMORY, "smaller model"),
        (Fault(status=404, raw="404 page not found", headers={"content-type": "text/plain"}), "OLLAMA_HOST"),
        (Fault(status=405, message="Not allowed"), "OLLAMA_HOST"),
        (Fault(status=302, raw="", headers={"location": "https://login.example/"}), "OLLAMA_HOST"),
        (
            Fault(
                status=400,
                message="json: cannot unmarshal object into Go struct field ChatRequest.format of type string",
            ),
            "Update Ollama",
        ),
    ],
    ids=lambda value: f"{value.status}" if isinstance(value, Fault) else "",
)
async def test_what_every_request_would_meet_stops_the_run(server: OllamaStandIn, fault: Fault, remedy: str) -> None:
    """With what Ollama said, and what to do."""
    stopped = await stopped_by(server, fault)

    assert remedy in stopped.remedy
    assert fault.raw is not None or fault.message[:30] in stopped.message


async def test_a_model_that_is_gone_stops_the_run(server: OllamaStandIn) -> None:
    """It was removed while the run went on; what is there is told."""
    async with provider_for(server) as provider:
        await provider.ask(REQUEST)
        del server.models[MODEL]
        with pytest.raises(CheckModel) as caught:
            await provider.ask(REQUEST)

    assert "gemma4:latest" in caught.value.message
    assert f"ollama pull {MODEL}" in caught.value.remedy


async def test_a_wrong_address_is_no_connection() -> None:
    """It says so, and that nothing was sent."""
    async with Ollama("http://127.0.0.1:9") as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(REQUEST)

    assert caught.value.failure is Failure.NO_CONNECTION


@pytest.mark.parametrize("host", ["http://a b", "ftp://host", "http://", "http://host:99999", "host:port"])
async def test_what_is_no_address_is_a_wrong_setting(host: str) -> None:
    """By its name."""
    async with Ollama(host) as provider:
        with pytest.raises(CheckModel, match="OLLAMA_HOST"):
            await provider.ask(REQUEST)


async def test_an_answer_that_does_not_come_is_given_up(server: OllamaStandIn) -> None:
    """The connection is closed, so that Ollama stops; smaller pages are asked then, instead of the same again."""
    server.latency = 30
    async with provider_for(server, timeout=0.3) as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(REQUEST)
        server.latency = 0
        reply = await provider.ask(question(1))

    assert caught.value.failure is Failure.TOO_LARGE
    assert "timed out" in str(caught.value)
    assert reply.ending is ReplyEnd.COMPLETE
    assert server.abandoned == 1


@pytest.mark.parametrize(("model", "is_billed"), [(MODEL, False), ("qwen3:480b-cloud", True)])
async def test_what_is_lost_of_an_answer_in_the_cloud_may_be_billed(
    server: OllamaStandIn, model: str, *, is_billed: bool
) -> None:
    """One that comes too late or is lost on its way; at home none of it costs anything. A refusal costs nothing."""
    failures = []
    async with provider_for(server, timeout=0.3) as provider:
        for fault, latency in ((None, 30), (claude_faults.DROPPED, 0)):
            server.latency = latency
            if fault:
                server.faults.add(fault, path="/api/chat")
            with pytest.raises(RequestFailed) as caught:
                await provider.ask(question(model=model))
            failures.append(caught.value.may_be_billed)
        server.latency = 0
        server.faults.add(ollama.BUSY, path="/api/chat")
        with pytest.raises(RequestFailed) as refused:
            await provider.ask(question(model=model))

    assert failures == [is_billed, is_billed]
    assert refused.value.may_be_billed is False


async def test_https_in_front_of_http_is_a_wrong_address(server: OllamaStandIn) -> None:
    """No try will change that."""
    with serve(server.app) as url:
        async with Ollama(url.replace("http:", "https:")) as provider:
            with pytest.raises(CheckModel) as caught:
                await provider.ask(REQUEST)

    assert "OLLAMA_HOST" in caught.value.remedy


async def test_an_answer_without_an_end_is_not_read_to_it(server: OllamaStandIn) -> None:
    """A limit stands before the memory of this machine."""
    failed = await failure_of(server, Fault(status=200, raw=" " * (17 << 20), headers=JSON))

    assert failed.failure is Failure.UNREADABLE
    assert "16 MB" in str(failed)


@pytest.mark.parametrize(("status", "stops"), [(407, True), (403, True), (502, False), (503, False)])
async def test_a_proxy_s_answer_is_told_as_its_own(status: int, *, stops: bool) -> None:
    """Its name stands in the message, and how to go around it."""
    page = Response("<html><title>No</title></html>", status, media_type="text/html")
    with serve(page) as proxy:
        network = Network(proxies=read_proxies({"HTTP_PROXY": proxy}))
        async with Ollama("http://ollama.example:11434", network=network) as provider:
            with pytest.raises(CheckModel if stops else RequestFailed) as caught:
                await provider.ask(REQUEST)

    assert "HTTP_PROXY" in str(caught.value)
    assert status == 407 or "NO_PROXY" in str(caught.value)


async def test_a_list_that_cannot_be_had_hides_no_missing_model(server: OllamaStandIn) -> None:
    """Only the names of the others are not told then."""
    server.faults.add(claude_faults.DROPPED, path="/api/tags")

    with pytest.raises(CheckModel) as caught:
        await check(server, "qwen3:8b")

    assert caught.value.message.endswith("has no model 'qwen3:8b'.")


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("soon", None), ("", None), ("999999999", 999_999_999)])
async def test_a_wait_that_is_asked_for_is_passed_on(server: OllamaStandIn, header: str, seconds: float | None) -> None:
    """What cannot be read is as if it were not there."""
    failed = await failure_of(server, Fault(status=429, headers={"retry-after": header}))

    assert failed.retry_after == seconds


async def test_a_key_is_sent_where_there_is_one(server: OllamaStandIn) -> None:
    """To ollama.com or a proxy; without it none is sent, and one that no header can hold is never shown."""
    server.api_key = "secret"

    reply = await ask(server, api_key="secret")
    with pytest.raises(CheckModel):
        await ask(server)
    with pytest.raises(CheckModel) as caught:
        await ask(server, api_key="secret\n")

    assert reply.ending is ReplyEnd.COMPLETE
    assert "secret" not in str(caught.value)


async def test_secrets_are_hidden_in_what_is_said(server: OllamaStandIn) -> None:
    """A proxy may repeat them."""
    failed = await failure_of(
        server, Fault(status=500, message="no hunter2 here"), redact=lambda text: text.replace("hunter2", "***")
    )

    assert "hunter2" not in str(failed)


async def test_a_user_in_the_address_is_not_shown(server: OllamaStandIn) -> None:
    """It is sent as any browser would."""
    with serve(server.app) as url:
        async with Ollama(url.replace("://", "://me:pass@")) as provider:
            await provider.ask(REQUEST)

            assert provider.way.address == url
    assert server.requests[0].headers["authorization"].startswith("Basic ")


# Traits


def test_a_model_at_home_is_free_and_small() -> None:
    """One question at a time, small pages, one collection a request."""
    traits = Ollama().traits(MODEL)

    assert (traits.is_free, traits.is_local, traits.sizes_context, traits.has_batches) == (True, True, True, False)
    assert (traits.page_size, traits.concurrency, traits.collections) == (10, 1, 1)
    assert traits.caches(1)


@pytest.mark.parametrize(
    ("host", "model"),
    [("", "qwen3:480b-cloud"), ("", "glm:cloud"), ("ollama.com", MODEL), ("https://ollama.com/v1", "gpt-oss:120b")],
)
async def test_a_model_in_the_cloud_has_an_unknown_price(host: str, model: str) -> None:
    """It is neither local nor free."""
    traits = Ollama(host).traits(model)

    assert (traits.is_free, traits.is_local, traits.sizes_context) == (False, False, False)
    assert not prices.is_priced(traits)


async def test_a_model_in_the_cloud_is_asked_too(server: OllamaStandIn) -> None:
    """Its context is not ours to set, and its answers need not keep to the form."""
    server.style = Style(wrap="prose")

    reply = await ask(server, question(model="qwen3:480b-cloud"))

    assert reply.text.startswith("Here is")


# The check before anything is asked


async def check(server: OllamaStandIn, model: str = MODEL, **options: Any) -> Any:
    """What the check says."""
    async with provider_for(server, **options) as provider:
        return await provider.check(model)


async def test_the_check_asks_nothing(server: OllamaStandIn) -> None:
    """And says nothing where all is well; a name without a tag is the latest."""
    assert await check(server) is None
    assert await check(server, "gemma4") is None
    assert server.requests == []


async def test_a_model_that_is_not_there_is_named_with_those_that_are(server: OllamaStandIn) -> None:
    """And how to fetch it."""
    with pytest.raises(CheckModel) as caught:
        await check(server, "qwen3:8b")

    assert all(model.name in caught.value.message for model in MODELS)
    assert "ollama pull qwen3:8b" in caught.value.remedy


async def test_an_ollama_without_models_says_so() -> None:
    """A new one has none."""
    with pytest.raises(CheckModel, match="no models at all"):
        await check(OllamaStandIn(models=[]))


async def test_a_model_for_embeddings_answers_nothing(server: OllamaStandIn) -> None:
    """It is there, and of no use."""
    with pytest.raises(CheckModel, match="embedding"):
        await check(server, "nomic-embed-text")


async def test_an_ollama_that_does_not_answer_is_silent() -> None:
    """At this machine's own address, the address of a container's host is named."""
    async with Ollama("127.0.0.1:9") as here, Ollama("http://no-such-host.invalid:11434") as there:
        with pytest.raises(ProviderSilent) as caught:
            await here.check(MODEL)
        with pytest.raises(ProviderSilent) as elsewhere:
            await there.check(MODEL)

    assert "host.docker.internal" in caught.value.remedy
    assert "host.docker.internal" not in elsewhere.value.remedy


@pytest.mark.parametrize(
    "fault", [ollama.BUSY, claude_faults.DROPPED, claude_faults.NOT_JSON], ids=["busy", "lost", "502"]
)
async def test_one_that_answers_later_is_silent_now(server: OllamaStandIn, fault: Fault) -> None:
    """Every check may pass then."""
    server.faults.add(fault, path="/api/version")

    with pytest.raises(ProviderSilent):
        await check(server)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404, raw="Not Found", headers={"content-type": "text/plain"}),
        Fault(status=200, raw="<html>Welcome</html>"),
        Fault(status=200, raw="{}", headers=JSON),
        Fault(status=301, raw="", headers={"location": "https://elsewhere.example"}),
    ],
    ids=["404", "page", "object", "redirect"],
)
async def test_what_is_no_ollama_is_a_wrong_address(server: OllamaStandIn, fault: Fault) -> None:
    """Another server of models answers at its own interface."""
    server.faults.add(fault, path="/api/version")

    with pytest.raises(CheckModel) as caught:
        await check(server)

    assert not isinstance(caught.value, ProviderSilent)
    assert "OLLAMA_HOST" in caught.value.remedy


@pytest.mark.parametrize(
    ("version", "is_told"), [("0.12.3", True), ("0.12.4", False), ("0.13.0-rc1", False), ("0.0.0", True)]
)
async def test_an_old_version_is_told(server: OllamaStandIn, version: str, *, is_told: bool) -> None:
    """It cuts without a word."""
    server.version = version

    said = await check(server)

    assert (said is not None) == is_told
    assert said is None or (version in said.what and "0.12.4" in said.remedy)


async def test_a_context_too_small_for_a_page_is_told_with_the_page_that_fits(server: OllamaStandIn) -> None:
    """The model's, or the one that is set."""
    server.models["tiny:1b"] = Model(name="tiny:1b", context=2048)

    of_the_model = await check(server, "tiny:1b")
    of_the_setting = await check(server, context_length=2048)

    assert "BATCH_SIZE to 5" in of_the_model.remedy
    assert "OLLAMA_CONTEXT_LENGTH" in of_the_setting.what
    assert (of_the_model.severity, of_the_setting.severity) == ("warning", "warning")


@pytest.mark.parametrize("old", [True, False])
async def test_a_page_that_the_check_names_fits(*, old: bool) -> None:
    """Asked with usual records, none is too large."""
    server = OllamaStandIn.old(judge=judge) if old else OllamaStandIn(judge=judge)
    async with provider_for(server, context_length=8192) as provider:
        provider.expect(MODEL, prompt_tokens=20_000, answer_tokens=2000)
        said = await provider.check(MODEL)
        assert said is not None
        size = int(said.remedy.split()[3])
        await provider.ask(question(size))

    assert 10 < size < 40


async def test_a_model_in_the_cloud_is_said_to_be_there(server: OllamaStandIn) -> None:
    """Its price is unknown."""
    said = await check(server, "qwen3:480b-cloud")

    assert "cloud" in said.what


# The log


@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [
        (None, "complete", 200),
        (ollama.BUSY, "overloaded", 503),
        (ollama.UNAUTHORIZED, "stopped", 401),
        (claude_faults.DROPPED, "no connection", None),
        (Fault(status=200, raw="<html>"), "unreadable answer", 200),
    ],
    ids=["complete", "busy", "key", "lost", "page"],
)
async def test_every_question_is_logged(
    server: OllamaStandIn, fault: Fault | None, outcome: str, status: int | None
) -> None:
    """With what it was for, how it ended, how long each part took, and what went over the line."""
    if fault is not None:
        server.faults.add(fault)
    with structlog.testing.capture_logs() as lines, suppress(RequestFailed, CheckModel):
        await ask(server)

    (line,) = [line for line in lines if line["event"] == "ollama.call" and "model" in line]
    assert (line["log_level"], line["model"], line["outcome"]) == ("debug", MODEL, outcome)
    assert line["milliseconds"] >= 0
    assert line["num_ctx"] >= 2048
    assert line.get("status") == status
    if status is not None:
        assert line["request_bytes"] > len(REQUEST.movies)
        assert line["response_bytes"] > 0
    assert (line.get("output_tokens", 0) > 0) == (outcome == "complete")
    assert ("eval_milliseconds" in line and "load_milliseconds" in line) == (outcome == "complete")
    assert ("why" in line) == (outcome != "complete")


async def test_calls_that_ask_nothing_are_logged_too(server: OllamaStandIn) -> None:
    """By their paths."""
    with structlog.testing.capture_logs() as lines:
        await check(server)

    calls = [line for line in lines if line["event"] == "ollama.call"]
    assert [(line["method"], line["path"]) for line in calls] == [("GET", "/api/version"), ("POST", "/api/show")]
    assert {line["outcome"] for line in calls} == {"answered"}


async def test_calls_are_counted_by_outcome(server: OllamaStandIn) -> None:
    """Those that failed too."""
    faults = [ollama.BUSY, ollama.UNAUTHORIZED, Fault(status=200, raw="{", headers=JSON)]
    for fault in faults:
        server.faults.add(fault)
    async with provider_for(server) as provider:
        for _ in faults:
            with pytest.raises((RequestFailed, CheckModel)):
                await provider.ask(REQUEST)
        await provider.ask(REQUEST)

    assert provider.calls == {Failure.OVERLOADED: 1, "stopped": 1, Failure.UNREADABLE: 1, ReplyEnd.COMPLETE: 1}
    assert len(provider.seconds) == 4
