"""The provider for services that speak Chat Completions: what it sends, and what it makes of every kind of answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from starlette.responses import Response

from kometa_ai.asking.answers import read_answer
from kometa_ai.asking.prompts import FORM, SCHEMA, collection_text
from kometa_ai.errors import CheckModel
from kometa_ai.judging.records import records_text
from kometa_ai.network.environment import read_network
from kometa_ai.providers import prices
from kometa_ai.providers.answer_form import with_example
from kometa_ai.providers.compatible.client import Compatible
from kometa_ai.providers.compatible.schemas import strict
from kometa_ai.providers.compatible.services import GEMINI, OPENAI, OPENROUTER, Service, service_of
from kometa_ai.providers.port import Failure, Reply, ReplyEnd, Request, RequestFailed, Usage
from kometa_ai.standins import openai_faults as faults
from kometa_ai.standins.claude_answers import REFUSED, Style
from kometa_ai.standins.claude_faults import DROPPED, Fault, slow
from kometa_ai.standins.openai import OpenAIStandIn
from kometa_ai.standins.openai_models import ChatModel
from kometa_ai.standins.serving import serve
from tests.asking.support import collection, judge, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kometa_ai.core.model import ProviderName
    from kometa_ai.standins.openai_models import Face

KEY = "sk-test-0123456789abcdef"
SERVICES: dict[Face, Service | None] = {
    "openai": OPENAI,
    "gemini": GEMINI,
    "openrouter": OPENROUTER,
    "local": None,  # what is known of a server at home follows from its address
}
MODELS: dict[Face, str] = {
    "openai": "gpt-6-luna",
    "gemini": "gemini-3.5-flash-lite",
    "openrouter": "anthropic/claude-haiku-5.5",
    "local": "qwen3-14b-q4.gguf",
}
FACES: tuple[Face, ...] = ("openai", "gemini", "openrouter", "local")
SERVER = service_of("openai", "http://nas:1234/v1")
JSON = {"content-type": "application/json"}
PAGE = Fault(status=200, raw="<!DOCTYPE html><title>Log in</title>")


def request_for(face: Face, **fields: Any) -> Request:
    """A question about thirty movies."""
    known: dict[str, Any] = {
        "form": FORM,
        "movies": records_text(movies(30)),
        "collection": collection_text(collection()),
        "model": MODELS[face],
        "cache": True,
        "expected_tokens": 6000,
    }
    return Request(**known | fields)


def service(face: Face = "openai", **options: Any) -> OpenAIStandIn:
    """The stand-in that is asked."""
    return OpenAIStandIn(face, judge=judge, api_key=KEY, **options)


@pytest.fixture(params=FACES)
def each(request: pytest.FixtureRequest) -> OpenAIStandIn:
    """Each of the services."""
    return service(request.param)


@asynccontextmanager
async def provider_for(standin: OpenAIStandIn, key: str = KEY, **options: Any) -> AsyncIterator[Compatible]:
    """A provider that talks to the stand-in."""
    preset: ProviderName = "openai" if standin.face == "local" else standin.face
    options = {"service": SERVICES[standin.face], **options}
    with serve(standin.app) as url:
        async with Compatible(preset, key, f"{url}{standin.prefix}", **options) as provider:
            yield provider


async def ask(standin: OpenAIStandIn, request: Request | None = None, **options: Any) -> Reply:
    """Ask once."""
    async with provider_for(standin, **options) as provider:
        return await provider.ask(request or request_for(standin.face))


async def failure_of(standin: OpenAIStandIn, fault: Fault | None = None, **options: Any) -> RequestFailed:
    """How asking fails."""
    if fault is not None:
        standin.faults.add(fault)
    with pytest.raises(RequestFailed) as caught:
        await ask(standin, **options)
    return caught.value


async def stop_of(standin: OpenAIStandIn, fault: Fault | None = None, **options: Any) -> CheckModel:
    """Why nothing more can be asked."""
    if fault is not None:
        standin.faults.add(fault)
    with pytest.raises(CheckModel) as caught:
        await ask(standin, **options)
    return caught.value


async def ask_until_answered(standin: OpenAIStandIn, request: Request | None = None, **options: Any) -> Reply:
    """Ask, and ask again where the provider asks otherwise, as the sender does."""
    async with provider_for(standin, **options) as provider:
        for _ in range(6):
            try:
                return await provider.ask(request or request_for(standin.face))
            except RequestFailed as failure:
                assert failure.is_asked_otherwise_now, failure  # noqa: PT017 - the tries go on
    raise AssertionError("it never ends")


def completion(**fields: Any) -> Fault:
    """A completion word for word, as any server might send it."""
    message = {"role": "assistant", "content": fields.pop("content", "{}"), **fields.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **fields.pop("choice", {})}
    return Fault(status=200, raw=json.dumps({"id": "x", "choices": [choice], **fields}), headers=JSON)


async def reply_to(answer: Fault, face: Face = "openai") -> Reply:
    """What is made of an answer."""
    standin = service(face)
    standin.faults.add(answer)
    return await ask(standin)


def body_of(standin: OpenAIStandIn, number: int = -1) -> dict[str, Any]:
    """What was sent."""
    return standin.requests[number].body


@asynccontextmanager
async def endless() -> AsyncIterator[str]:
    """The address of a server whose answer never ends."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        with suppress(OSError):
            for _ in range(400):
                await send({"type": "http.response.body", "body": b" " * 65_536, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    with serve(app) as url:
        yield url


# What is sent


async def test_each_service_answers_our_questions(each: OpenAIStandIn) -> None:
    """None refuses anything of them, and the answers hold a verdict on every movie."""
    reply = await ask(each)

    reading = read_answer(reply.text, set(range(1, 31)))
    assert (reply.ending, reading.missing, reading.unknown) == (ReplyEnd.COMPLETE, frozenset(), frozenset())
    assert len(each.calls) == 1


@pytest.mark.parametrize(
    "model", ["gpt-6-luna", "gpt-6.1-terra", "gpt-6.1-sol", "gpt-6-astra", "gpt-5-mini", "gpt-4.1"]
)
async def test_each_model_of_openai_gets_what_it_takes(model: str) -> None:
    """None thinks more than it must, and where it must there is room for it beside the answer."""
    standin = service()

    reply = await ask(standin, request_for("openai", model=model))

    body = body_of(standin)
    thoughts = standin.requests[0].usage["completion_tokens_details"]["reasoning_tokens"]
    assert reply.ending is ReplyEnd.COMPLETE
    assert thoughts <= 40
    assert body["max_completion_tokens"] == 6000 + (4000 if thoughts else 0)
    assert not {"temperature", "top_p", "stream", "max_tokens", "service_tier", "store"} & body.keys()


@pytest.mark.parametrize("model", ["gemini-3.5-flash-lite", "gemini-3.8-flash", "gemini-4-argon"])
async def test_gemini_gets_no_field_that_it_does_not_know(model: str) -> None:
    """One text, and the lowest level of thought that the model takes."""
    standin = service("gemini")

    await ask(standin, request_for("gemini", model=model))

    body = body_of(standin)
    assert body.keys() == {"model", "messages", "response_format", "max_tokens", "reasoning_effort"}
    assert [type(message["content"]) for message in body["messages"]] == [str, str]
    assert standin.requests[0].usage["completion_tokens_details"]["reasoning_tokens"] <= 40


async def test_the_newest_of_openai_read_the_movies_from_the_cache() -> None:
    """The part with the movies ends in a breakpoint: the first request writes it, another collection reads it."""
    standin = service()
    async with provider_for(standin) as provider:
        first = await provider.ask(request_for("openai"))
        other = await provider.ask(request_for("openai", collection=collection_text(collection("Noir"))))

    assert first.usage.cache_write_tokens == other.usage.cache_read_tokens > 1024
    assert first.usage.cache_read_tokens == other.usage.cache_write_tokens == 0
    movies_part, collection_part = body_of(standin)["messages"][1]["content"]
    assert movies_part["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert collection_part.keys() == {"type", "text"}


async def test_a_prompt_that_none_shares_is_not_written_to_the_cache() -> None:
    """It would cost a quarter more."""
    standin = service()

    reply = await ask(standin, request_for("openai", cache=False))

    assert (reply.usage.cache_write_tokens, reply.usage.cache_read_tokens) == (0, 0)
    assert "prompt_cache_key" not in body_of(standin)


@pytest.mark.parametrize(("face", "model"), [("openai", "gpt-5-mini"), ("gemini", "gemini-3.8-flash"), ("local", "x")])
async def test_others_find_the_movies_by_themselves(face: Face, model: str) -> None:
    """As far as two prompts are the same."""
    standin = service(face)
    long = records_text(movies(120))
    async with provider_for(standin) as provider:
        await provider.ask(request_for(face, model=model, movies=long))
        other = collection_text(collection("Noir"))
        reply = await provider.ask(request_for(face, model=model, movies=long, collection=other))

    used = reply.usage
    assert used.cache_read_tokens > 4096
    assert used.input_tokens + used.cache_read_tokens == standin.requests[-1].usage["prompt_tokens"]


async def test_a_block_has_a_cache_key_of_its_own() -> None:
    """The same for each of its collections, another for other movies; it tells nothing of what is asked."""
    standin = service()
    async with provider_for(standin) as provider:
        for name, count in (("Heists", 30), ("Noir", 30), ("Heists", 31)):
            text = collection_text(collection(name))
            await provider.ask(request_for("openai", movies=records_text(movies(count)), collection=text))

    keys = [request.body["prompt_cache_key"] for request in standin.requests]
    assert keys[0] == keys[1] != keys[2]
    assert all(len(key) == 32 for key in keys)


@pytest.mark.parametrize(
    ("model", "is_marked"),
    [("anthropic/claude-haiku-5.5", True), ("openai/gpt-6-luna", True), ("qwen/qwen3-14b", False)],
)
async def test_openrouter_marks_the_movies_where_that_is_understood(model: str, *, is_marked: bool) -> None:
    """And asks for a host that keeps to the schema, and for the cost."""
    standin = service("openrouter")

    reply = await ask(standin, request_for("openrouter", model=model))

    body = body_of(standin)
    assert ("cache_control" in json.dumps(body["messages"])) == is_marked
    assert isinstance(body["messages"][1]["content"], list) == is_marked
    assert body["provider"] == {"require_parameters": True}
    assert reply.text.startswith("{")
    assert standin.requests[0].usage["cost"] > 0
    assert reply.usage.stated_cost == pytest.approx(standin.requests[0].usage["cost"])


@pytest.mark.parametrize("face", FACES)
async def test_the_form_of_the_answer_stands_in_the_prompt_too(face: Face) -> None:
    """A grammar masks what does not fit; it does not tell the model what is wanted."""
    standin = service(face)

    await ask(standin)

    system = body_of(standin)["messages"][0]
    assert system == {"role": "system", "content": with_example(FORM)}


async def test_deepseek_is_asked_for_an_object_and_not_to_think() -> None:
    """It refuses schemas, and knows `max_tokens` alone."""
    standin = service("local")

    await ask(standin, service=service_of("openai", "https://api.deepseek.com"))

    body = body_of(standin)
    assert body["response_format"] == {"type": "json_object"}
    assert body["thinking"] == {"type": "disabled"}
    assert (body["max_tokens"], "max_completion_tokens" in body) == (6000, False)


async def test_a_server_at_home_gets_one_text() -> None:
    """Ollama's door of this kind makes a message of each part, and drops the first where there is no room."""
    standin = service("local")

    await ask(standin)

    body = body_of(standin)
    assert body["messages"][1]["content"] == f"{request_for('local').movies}\n\n{request_for('local').collection}"
    assert body["temperature"] == 0
    assert body["response_format"]["json_schema"]["schema"] == strict(SCHEMA)


# Environment


LEAKS = {
    "OPENAI_ORG_ID": "org-secret",
    "OPENAI_PROJECT_ID": "proj-secret",
    "OPENAI_ADMIN_KEY": "sk-admin-secret",
    "OPENAI_API_KEY": "sk-other-secret",
    "OPENAI_WEBHOOK_SECRET": "hook-secret",
    "OPENAI_CUSTOM_HEADERS": "X-Secret: secret\nAuthorization: Bearer secret\nOpenAI-Project: secret",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/secret",
    "OPENAI_LOG": "debug",
}


@pytest.mark.parametrize("key", [KEY, ""], ids=["key", "no key"])
async def test_nothing_of_the_environment_goes_to_a_server(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The SDK would send organisation, project, headers and other keys to whatever stands at the address."""
    for name, value in LEAKS.items():
        monkeypatch.setenv(name, value)
    standin = OpenAIStandIn("local", judge=judge)

    async with provider_for(standin, key) as provider:
        await provider.check(MODELS["local"])
        await provider.ask(request_for("local"))

    assert len(standin.calls) == 3
    for call in standin.calls:
        assert call.headers.get("authorization") == (f"Bearer {key}" if key else None)
        assert not [name for name in call.headers if name.startswith("openai")]
        assert "secret" not in json.dumps(call.headers)


async def test_a_key_is_needed_where_it_costs_money() -> None:
    """The setting is named."""
    async with Compatible("gemini", "") as provider:
        with pytest.raises(CheckModel, match="GEMINI_API_KEY"):
            await provider.ask(request_for("gemini"))


@pytest.mark.parametrize("key", ["sk-\u2026", "sk-test\n", "sk-\ud800"])
async def test_a_key_that_no_header_can_hold_is_a_wrong_key(key: str) -> None:
    """Copied from a document with a typographic sign, for example."""
    standin = service()

    stopped = await stop_of(standin, key=key)

    assert "OPENAI_API_KEY" in stopped.remedy
    assert standin.calls == []


@pytest.mark.parametrize("face", FACES)
async def test_secrets_are_hidden_before_words_are_cut(face: Face) -> None:
    """Services repeat the key that they refuse."""
    standin = service(face)

    stopped = await stop_of(
        standin,
        Fault(status=401, message=f"{'x' * 280} {KEY} is wrong"),
        redact=lambda text: text.replace(KEY, "***"),
    )

    assert "***" in str(stopped)
    assert KEY[:8] not in str(stopped)


# What is made of answers


@pytest.mark.parametrize(
    ("choice", "ending"),
    [
        ({"finish_reason": "stop"}, ReplyEnd.COMPLETE),
        ({"finish_reason": None}, ReplyEnd.COMPLETE),
        ({"finish_reason": "something_new"}, ReplyEnd.COMPLETE),
        ({"finish_reason": "length"}, ReplyEnd.TRUNCATED),
        ({"finish_reason": "content_filter"}, ReplyEnd.REFUSED),
        ({"finish_reason": "stop", "native_finish_reason": "PROHIBITED_CONTENT"}, ReplyEnd.REFUSED),
        ({"finish_reason": ["stop"]}, ReplyEnd.COMPLETE),
    ],
)
async def test_each_reason_to_stop_has_an_ending(choice: dict[str, Any], ending: ReplyEnd) -> None:
    """What is not known to be a cut or a refusal is read as it is."""
    reply = await reply_to(completion(choice=choice))

    assert (reply.ending, reply.text) == (ending, "{}")


async def test_a_refusal_is_seen_first(each: OpenAIStandIn) -> None:
    """It may have no text, no choice, and any reason."""
    each.queue_style(REFUSED)

    reply = await ask(each)

    assert (reply.ending, reply.usage.requests) == (ReplyEnd.REFUSED, 1)


async def test_a_cut_answer_is_truncated(each: OpenAIStandIn) -> None:
    """And its text is what there is of it."""
    each.queue_style(Style(truncated_at=60))

    reply = await ask(each)

    assert reply.ending is ReplyEnd.TRUNCATED
    assert 0 < len(reply.text) < 60 * 4


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (completion(content=[{"type": "thinking", "thinking": []}, {"type": "text", "text": "{}"}]), "{}"),
        (completion(content=["{", "}"]), "{}"),
        (completion(content='<think>\n{"decisions": []}\n</think>\n\n{}'), "{}"),
        (completion(content="</think>{}"), "{}"),
        (completion(content='{"reason": "</think>"}'), '{"reason": "</think>"}'),
    ],
    ids=["parts", "texts", "thoughts", "their end", "no thoughts"],
)
async def test_the_text_of_an_answer_has_several_forms(answer: Fault, text: str) -> None:
    """Thoughts that were left in it are no part of it."""
    assert (await reply_to(answer, "local")).text == text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (completion(content=None), "empty"),
        (completion(content=""), "empty"),
        (completion(content="  \n"), "empty"),
        (completion(content=[]), "empty"),
        (completion(content="", message={"reasoning_content": "Hmm."}), "only thought"),
        (completion(content=None, message={"reasoning": "Hmm."}), "only thought"),
        (completion(content="<think>Hmm."), "only thought"),
        (completion(message={"content": {"no": "text"}}), "empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("face", FACES)
async def test_an_empty_answer_is_unreadable(face: Face, answer: Fault, words: str) -> None:
    """It never means that nothing belongs."""
    standin = service(face)

    failed = await failure_of(standin, answer)

    assert (failed.failure, failed.may_be_billed) == (Failure.UNREADABLE, True)
    assert words in str(failed)


async def test_an_empty_answer_is_booked_with_what_it_used() -> None:
    """Thoughts cost money."""
    standin = service()
    standin.faults.add(completion(content="", usage={"prompt_tokens": 9, "completion_tokens": 700}))
    broken: list[Reply] = []
    async with provider_for(standin) as provider:
        with pytest.raises(RequestFailed):
            await provider.ask(request_for("openai"), None, broken.append)

    assert [reply.usage for reply in broken] == [Usage(requests=1, input_tokens=9, output_tokens=700)]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        {"prompt_tokens": None, "completion_tokens": None, "prompt_tokens_details": None},
        {"prompt_tokens": -5, "completion_tokens": "many", "prompt_tokens_details": {"cached_tokens": [1]}},
        {"prompt_tokens": 12.5, "completion_tokens": 10**30, "cost": "free", "prompt_tokens_details": "none"},
        {"cost": -1},
        {"cost": True},
        {"cost": 1e300},
    ],
)
@pytest.mark.parametrize("face", FACES)
async def test_usage_may_be_left_out(face: Face, usage: object) -> None:
    """Or be nonsense; an answer that was paid for is not thrown away for it."""
    reply = await reply_to(completion(usage=usage), face)

    assert (reply.text, reply.usage) == ("{}", Usage(requests=1))


@pytest.mark.parametrize(
    ("face", "body", "used"),
    [
        (
            "openai",
            {
                "usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 7,
                    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                }
            },
            Usage(requests=1, input_tokens=10, cache_read_tokens=60, cache_write_tokens=30, output_tokens=7),
        ),
        (
            "openai",
            {"usage": {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 60}}},
            Usage(requests=1, cache_read_tokens=60),
        ),
        (
            "openai",
            {"usage": {"prompt_tokens": 10}, "service_tier": "flex"},
            Usage(requests=1, input_tokens=10, price_share=0.5),
        ),
        (
            "gemini",
            {"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 45}},
            Usage(requests=1, input_tokens=10, output_tokens=35),
        ),
        (
            "openrouter",
            {"usage": {"prompt_tokens": 10, "cost": "0.0015"}},
            Usage(requests=1, input_tokens=10, stated_cost=0.0015),
        ),
        (
            "openrouter",
            {"usage": {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}},
            Usage(requests=1, stated_cost=0.021),
        ),
        (
            "local",
            {"usage": {"prompt_tokens": 9000, "cost": 3.0, "prompt_cache_hit_tokens": 8000}, "service_tier": "flex"},
            Usage(requests=1, input_tokens=1000, cache_read_tokens=8000),
        ),
    ],
)
async def test_usage_is_told_apart(face: Face, body: dict[str, Any], used: Usage) -> None:
    """A prompt's tokens include those of the cache; what a service states of its cost is taken from it alone."""
    assert (await reply_to(completion(**body), face)).usage == used


@pytest.mark.parametrize(
    "answer",
    [
        Fault(status=200, raw="", headers=JSON),
        Fault(status=200, raw="[]", headers=JSON),
        Fault(status=200, raw="null", headers=JSON),
        Fault(status=200, raw='"hello"', headers=JSON),
        Fault(status=200, raw="{}", headers=JSON),
        Fault(status=200, raw='{"choices": null}', headers=JSON),
        Fault(status=200, raw='{"choices": [null]}', headers=JSON),
        Fault(status=200, raw='{"choices": {"0": {}}}', headers=JSON),
        Fault(status=200, raw='{"id": "x", "choices": [{"message": {"content": "te', headers=JSON),
        Fault(status=200, raw="data: {}\n\n", headers={"content-type": "text/event-stream"}),
    ],
    ids=lambda fault: fault.raw[:30] or "empty",
)
@pytest.mark.parametrize("face", ["openai", "openrouter", "local"])
async def test_an_answer_that_is_no_completion_is_unreadable(face: Face, answer: Fault) -> None:
    """Half an answer, another service: one clear failure, never a crash."""
    standin = service(face)

    failed = await failure_of(standin, answer)

    assert failed.failure is Failure.UNREADABLE
    assert failed.may_be_billed


@pytest.mark.parametrize("raw", ['{"choices": []}', '{"choices": null, "usage": {"prompt_tokens": 9}}'])
async def test_a_prompt_that_gemini_blocks_has_no_choices(raw: str) -> None:
    """The halving then finds the movie that it is about."""
    reply = await reply_to(Fault(status=200, raw=raw, headers=JSON), "gemini")

    assert (reply.ending, reply.text) == (ReplyEnd.REFUSED, "")


# Failures


@pytest.mark.parametrize(
    ("face", "fault"),
    [
        ("openai", faults.INSUFFICIENT_QUOTA),
        ("openai", Fault(status=429, message="No.", error_type="billing_hard_limit_reached")),
        ("openai", Fault(status=429, message="No.", error_type="project_spend_limit_exceeded")),
        ("openai", Fault(status=429, message="No.", error_type="credit_balance_exhausted")),
        ("openai", Fault(status=429, message="No.", error_type="organization_usage_limit_exceeded")),
        ("openai", Fault(status=401, message="Incorrect API key provided")),
        ("openai", faults.NOT_PERMITTED),
        ("openai", Fault(status=404, message="The model `x` does not exist.", error_type="model_not_found")),
        ("openai", Fault(status=404, message="The API deployment does not exist.", error_type="DeploymentNotFound")),
        ("openai", Fault(status=404, message="Invalid URL (POST /chat/completions)")),
        ("openai", Fault(status=405, message="Method Not Allowed")),
        ("openai", Fault(status=301, raw="", headers={"location": "https://elsewhere.example/login"})),
        ("gemini", faults.DAY_IS_FULL),
        ("gemini", Fault(status=400, message="User location is not supported for the API use.")),
        ("gemini", Fault(status=404, message="models/gemini-2.5-pro is not found for API version v1main")),
        ("gemini", Fault(status=403, message="Permission denied: Consumer has been suspended.")),
        ("openrouter", faults.NO_CREDITS),
        ("openrouter", faults.inside(402, "Insufficient credits. Add more using https://openrouter.ai/credits")),
        ("openrouter", faults.inside(401, "User not found.")),
        ("openrouter", Fault(status=403, message="Key limit exceeded (total limit).")),
        ("openrouter", Fault(status=403, message="Forbidden")),
        ("openrouter", Fault(status=400, message="foo/bar is not a valid model ID")),
        ("openrouter", Fault(status=404, message="No endpoints found for foo/bar.")),
        ("openrouter", Fault(status=429, message="Rate limit exceeded: free-models-per-day. Add 10 credits")),
        ("local", faults.plain(400, "No models loaded. Please load a model in the developer page.")),
        ("local", faults.plain(200, "Unexpected endpoint or method. (POST /chat/completions)")),
        ("local", Fault(status=404, message="File Not Found", error_type="not_found_error")),
        ("local", Fault(status=400, message="Budget has been exceeded! Current cost: 12.5, Max budget: 12")),
    ],
    ids=lambda value: f"{value.status} {value.error_type or value.message[:30]}" if isinstance(value, Fault) else value,
)
async def test_what_every_request_would_meet_stops_the_run(face: Face, fault: Fault) -> None:
    """A key, a permission, money, a model or an address: with what the service said, and what to do."""
    stopped = await stop_of(service(face), fault)

    assert stopped.remedy
    assert fault.raw is not None or fault.message[:20] in stopped.message


@pytest.mark.parametrize("face", FACES)
async def test_a_wrong_key_is_a_wrong_key(face: Face) -> None:
    """Gemini answers 400 for it."""
    stopped = await stop_of(service(face), key="sk-wrong")

    assert "does not accept the key" in stopped.message
    assert "_API_KEY" in stopped.remedy


@pytest.mark.parametrize(
    ("face", "fault", "failure"),
    [
        ("openai", faults.RATE_LIMITED, Failure.RATE_LIMITED),
        ("openai", faults.LARGER_THAN_THE_LIMIT, Failure.TOO_LARGE),
        ("openai", faults.OVERLOADED, Failure.OVERLOADED),
        ("openai", faults.SERVER_ERROR, Failure.SERVER_ERROR),
        ("openai", faults.TOO_LONG, Failure.TOO_LARGE),
        ("openai", faults.CONTENT_FILTER, Failure.REFUSED),
        ("openai", Fault(status=502, raw="<html><title>502 Bad Gateway</title></html>"), Failure.SERVER_ERROR),
        ("openai", Fault(status=413, raw="<html><title>413</title></html>"), Failure.TOO_LARGE),
        ("openai", Fault(status=408, message="Timeout"), Failure.NO_CONNECTION),
        ("openai", Fault(status=409, message="Conflict"), Failure.SERVER_ERROR),
        ("openai", Fault(status=418, message="I am a teapot"), Failure.REJECTED),
        ("openai", Fault(status=400, message="Invalid request data"), Failure.REJECTED),
        ("openai", Fault(status=500, raw="", headers=JSON), Failure.SERVER_ERROR),
        ("openai", Fault(status=500, raw="null", headers=JSON), Failure.SERVER_ERROR),
        ("openai", Fault(status=503, raw="[[[]]]", headers=JSON), Failure.OVERLOADED),
        ("gemini", faults.MINUTE_IS_FULL, Failure.RATE_LIMITED),
        ("gemini", Fault(status=503, message="The model is overloaded."), Failure.OVERLOADED),
        ("gemini", Fault(status=500, message="An internal error has occurred."), Failure.SERVER_ERROR),
        (
            "gemini",
            Fault(status=400, message="The input token count (2000000) exceeds the maximum number of tokens allowed."),
            Failure.TOO_LARGE,
        ),
        ("openrouter", faults.MODERATED, Failure.REFUSED),
        ("openrouter", faults.inside(429, "Provider returned error"), Failure.RATE_LIMITED),
        ("openrouter", faults.inside(502, "Provider returned error"), Failure.SERVER_ERROR),
        ("openrouter", faults.inside(503, "No instances available"), Failure.OVERLOADED),
        ("openrouter", faults.inside("rate_limit_exceeded", "Slow down"), Failure.RATE_LIMITED),
        ("openrouter", faults.inside("odd", "Something new"), Failure.SERVER_ERROR),
        ("openrouter", Fault(status=200, raw='{"error": "what?"}', headers=JSON), Failure.SERVER_ERROR),
        (
            "openrouter",
            completion(choice={"finish_reason": "error", "error": {"code": 502, "message": "lost"}}),
            Failure.SERVER_ERROR,
        ),
        ("local", faults.GARBLED, Failure.UNREADABLE),
        ("local", faults.LOADING, Failure.OVERLOADED),
        ("local", faults.plain(400, "The model has crashed without additional information."), Failure.REJECTED),
        (
            "local",
            faults.plain(
                400,
                "Trying to keep the first 9000 tokens when context the overflows. The model is loaded "
                "with context length of only 4096 tokens",
            ),
            Failure.TOO_LARGE,
        ),
        ("local", Fault(status=498, message="Flex capacity"), Failure.OVERLOADED),
        (
            "local",
            completion(choice={"finish_reason": "insufficient_system_resource"}),
            Failure.OVERLOADED,
        ),
    ],
    ids=lambda value: f"{value.status} {value.message[:30]}" if isinstance(value, Fault) else str(value),
)
async def test_what_only_this_request_met_is_named(face: Face, fault: Fault, failure: Failure) -> None:
    """So that it can be retried, halved or left."""
    standin = service(face)

    failed = await failure_of(standin, fault)

    assert failed.failure is failure
    assert not failed.is_asked_otherwise_now
    assert len(standin.calls) == 1


async def test_what_broke_off_may_have_been_billed() -> None:
    """An error beside a choice, and a lost connection; an error alone costs nothing."""
    begun = completion(choice={"finish_reason": "error", "error": {"code": 502, "message": "lost"}})
    assert (await failure_of(service("openrouter"), begun)).may_be_billed
    assert (await failure_of(service(), DROPPED)).may_be_billed
    assert not (await failure_of(service(), faults.OVERLOADED)).may_be_billed


async def test_a_prompt_that_a_server_at_home_cannot_hold_is_too_large() -> None:
    """llama.cpp says so."""
    standin = service("local", models={"x": ChatModel(id="x", context=1500)})

    failed = await failure_of(standin)

    assert failed.failure is Failure.TOO_LARGE
    assert "exceeds the available context size" in str(failed)


async def test_a_prompt_that_is_cut_without_a_word_is_noticed() -> None:
    """The movies would be gone, and every verdict invented; the count of tokens tells."""
    standin = service("local", models={"x": ChatModel(id="x", context=1000)}, cuts=True)

    failed = await failure_of(standin)

    assert (failed.failure, failed.may_be_billed) == (Failure.UNREADABLE, True)
    assert "read only 1,000 of about" in str(failed)
    assert "BATCH_SIZE" in str(failed)


async def test_a_tokenizer_that_needs_fewer_tokens_is_no_cut() -> None:
    """Four and a half characters a token are English at its best."""
    request = request_for("local")
    characters = len(with_example(FORM)) + len(request.movies) + len(request.collection)
    answer = completion(usage={"prompt_tokens": round(characters / 4.5), "completion_tokens": 5})

    assert (await reply_to(answer, "local")).text == "{}"


async def test_a_known_context_that_is_too_small_is_said_before_anything_is_sent() -> None:
    """With the size of a page that fits; a single movie that does not fit ends it."""
    standin = service("local", models={"x": ChatModel(id="x", context=2500)})
    async with provider_for(standin) as provider:
        provider.expect("x", prompt_tokens=4000, answer_tokens=500)
        doubt = await provider.check("x")
        assert provider.traits("x").context == 2500
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(request_for("local", model="x", movies=records_text(movies(60))))
        size = int(str(caught.value).partition("BATCH_SIZE to ")[2].partition(",")[0])
        reply = await provider.ask(request_for("local", model="x", movies=records_text(movies(size))))

    assert doubt is not None
    assert (doubt.severity, "BATCH_SIZE" in doubt.remedy) == ("hint", True)
    assert caught.value.failure is Failure.TOO_LARGE
    assert (reply.ending, len(standin.requests)) == (ReplyEnd.COMPLETE, 1)


async def test_a_context_that_holds_nothing_ends_the_run() -> None:
    """Smaller pages would not help."""
    standin = service("local", models={"x": ChatModel(id="x", context=300)})
    async with provider_for(standin) as provider:
        await provider.check("x")
        with pytest.raises(CheckModel, match="for any question"):
            await provider.ask(request_for("local", model="x"))


@pytest.mark.parametrize("status", [200, 401, 403, 404])
@pytest.mark.parametrize("face", FACES)
async def test_a_web_page_is_no_answer(face: Face, status: int) -> None:
    """Most likely the address is wrong."""
    stopped = await stop_of(service(face), Fault(status=status, raw="<!DOCTYPE html><title>Welcome</title>"))

    assert "Welcome" in stopped.message
    assert "_BASE_URL" in stopped.remedy or "LLM_PROVIDER" in stopped.remedy


async def test_an_answer_without_end_is_unreadable() -> None:
    """It is not read into memory."""
    async with endless() as url, Compatible("openai", "", f"{url}/v1") as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(request_for("local"))

    assert (caught.value.failure, caught.value.may_be_billed) == (Failure.UNREADABLE, True)


async def test_an_address_that_does_not_speak_tls_ends_the_run(each: OpenAIStandIn) -> None:
    """With the setting to correct."""
    with serve(each.app) as url:
        async with Compatible("openai", KEY, url.replace("http://", "https://")) as provider:
            with pytest.raises(CheckModel, match="OPENAI_BASE_URL"):
                await provider.ask(request_for("local"))


@pytest.mark.parametrize(
    ("status", "kind"), [(407, CheckModel), (403, CheckModel), (502, RequestFailed), (504, RequestFailed)]
)
async def test_a_proxy_on_the_way_is_named(status: int, kind: type[Exception]) -> None:
    """Its pages are not the service's."""
    with serve(Response("<html><title>squid</title></html>", status, media_type="text/html")) as url:
        network = read_network({"HTTP_PROXY": url}, {}).network
        async with Compatible("openai", "", "http://llm.test/v1", network=network, service=SERVER) as provider:
            with pytest.raises(kind, match="HTTP_PROXY"):
                await provider.ask(request_for("local"))


async def test_a_wrong_address_is_no_connection() -> None:
    """It says so, and that nothing was sent."""
    async with Compatible("openai", KEY, "http://127.0.0.1:9/v1") as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(request_for("local"))

    assert (caught.value.failure, caught.value.may_be_billed) == (Failure.NO_CONNECTION, False)
    assert "127.0.0.1:9 could not be reached" in str(caught.value)


async def test_an_answer_that_does_not_come_is_no_connection(each: OpenAIStandIn) -> None:
    """After the time-out, with words that say it."""
    failed = await failure_of(each, slow(30), timeout=0.05)

    assert (failed.failure, failed.may_be_billed) == (Failure.NO_CONNECTION, True)
    assert "timed out" in str(failed)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0.5", 0.5), ("0", 0), ("-3", 0), ("86400", 86400), ("soon", None), ("", None), ("nan", None)],
)
async def test_retry_after_may_be_seconds(header: str, seconds: float | None) -> None:
    """What cannot be read is as if it were not there."""
    failed = await failure_of(service(), Fault(status=429, headers={"retry-after": header}))

    assert failed.retry_after == seconds


async def test_retry_after_may_be_a_date() -> None:
    """As HTTP allows."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    failed = await failure_of(service(), Fault(status=503, headers={"retry-after": date}))

    assert failed.retry_after == pytest.approx(60, abs=3)


async def test_gemini_says_in_the_body_how_long_to_wait() -> None:
    """Not in a header."""
    assert (await failure_of(service("gemini"), faults.MINUTE_IS_FULL)).retry_after == 34


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, 0),
        ({"limit-requests": "500", "remaining-requests": "3", "reset-requests": "1.5s"}, 1.5),
        ({"limit-tokens": "30000", "remaining-tokens": "100", "reset-tokens": "6m0s"}, 60),
        ({"limit-tokens": "30000", "remaining-tokens": "100", "reset-tokens": "120ms"}, 0.12),
        ({"limit-tokens": "30000", "remaining-tokens": "20000", "reset-tokens": "6m0s"}, 0),
        ({"limit-tokens": "30000", "remaining-tokens": "100", "reset-tokens": "soon"}, 0),
        ({"limit-tokens": "lots", "remaining-tokens": "100", "reset-tokens": "1s"}, 0),
    ],
)
async def test_limits_nearly_used_up_are_heeded(headers: dict[str, str], pause: float) -> None:
    """They are in the headers, with durations in their own form."""
    standin = service()
    standin.rate_limits = {f"x-ratelimit-{name}": value for name, value in headers.items()}

    assert (await ask(standin)).pause == pytest.approx(pause)


async def test_the_sdk_does_not_retry_by_itself() -> None:
    """Not even when the server asks for it."""
    standin = service()

    await failure_of(standin, Fault(status=503, headers={"x-should-retry": "true"}))

    assert len(standin.calls) == 1


# What is refused is left out


@pytest.mark.parametrize(
    ("face", "fault", "gone"),
    [
        ("openai", Fault(status=400, message="Unknown parameter: 'prompt_cache_options'."), "prompt_cache_options"),
        ("openai", Fault(status=400, message="Unknown parameter: 'prompt_cache_key'."), "prompt_cache_key"),
        ("openai", Fault(status=400, message="Invalid schema for response_format 'decisions'"), "response_format"),
        ("openai", Fault(status=400, message="'reasoning_effort' is not supported."), "reasoning_effort"),
        ("openrouter", Fault(status=400, message="Unrecognized key(s): 'usage'"), "usage"),
        (
            "openrouter",
            Fault(status=404, message="No endpoints found that can handle the requested parameters."),
            "response_format",
        ),
        (
            "gemini",
            Fault(status=400, message="Invalid value at 'generation_config.response_schema'"),
            "response_format",
        ),
        ("local", faults.plain(400, "'response_format.type' must be 'json_schema' or 'text'"), "response_format"),
        ("local", Fault(status=422, message="temperature: Extra inputs are not permitted"), "temperature"),
        ("local", Fault(status=500, message="failed to parse grammar"), "response_format"),
    ],
)
async def test_a_field_that_is_refused_is_left_out_from_then_on(face: Face, fault: Fault, gone: str) -> None:
    """The same request is worth one more try at once; it is told once."""
    standin = service(face)
    standin.faults.add(fault)
    with structlog.testing.capture_logs() as lines:
        async with provider_for(standin) as provider:
            with pytest.raises(RequestFailed) as caught:
                await provider.ask(request_for(face))
            await provider.ask(request_for(face))
            await provider.ask(request_for(face))

    assert caught.value.is_asked_otherwise_now
    assert [gone in request.body for request in standin.requests] == [True, False, False]
    assert [line["log_level"] for line in lines if line["event"].endswith(".asks_without")] == ["warning"]


async def test_an_effort_that_a_model_takes_is_taken_from_its_refusal() -> None:
    """A model that is not known may always think: then there is room for it."""
    efforts = ("low", "medium")
    standin = service(models={"gpt-9-new": ChatModel(id="gpt-9-new", efforts=efforts, caching="explicit")})

    reply = await ask_until_answered(standin, request_for("openai", model="gpt-9-new"))

    assert reply.ending is ReplyEnd.COMPLETE
    assert body_of(standin)["reasoning_effort"] == "low"
    assert body_of(standin)["max_completion_tokens"] == 10_000


async def test_a_server_that_only_knows_objects_gets_an_object() -> None:
    """As llama-cpp-python, which answers 500 to a schema."""
    standin = service("local")
    standin.faults.add(Fault(status=500, message="Input should be 'text' or 'json_object'"))

    await ask_until_answered(standin)

    assert body_of(standin)["response_format"] == {"type": "json_object"}


async def test_the_other_name_of_the_length_is_tried_once() -> None:
    """Some know the one, some the other."""
    standin = service("local")
    asks = Fault(status=400, message="Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    standin.faults.add(asks, when=lambda record: "max_tokens" in record.body)

    await ask_until_answered(standin)

    assert (body_of(standin)["max_completion_tokens"], "max_tokens" in body_of(standin)) == (6000, False)


async def test_a_length_that_does_not_fit_is_left_to_the_server() -> None:
    """The longest length of an answer is a part of the context at vLLM."""
    standin = service("local")
    too_long = (
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (3000 in the messages, "
        "6000 in the completion)."
    )
    standin.faults.add(Fault(status=400, message=too_long))

    await ask_until_answered(standin)

    assert not {"max_tokens", "max_completion_tokens"} & body_of(standin).keys()


async def test_several_requests_in_flight_meet_a_refusal_once() -> None:
    """Each of them is asked again, and nothing more is left out than was refused."""
    standin = service(latency=0.1)
    refusal = Fault(status=400, message="Unknown parameter: 'prompt_cache_key'.", afterwards=True)
    standin.faults.add(refusal, times=None, when=lambda record: "prompt_cache_key" in record.body)
    async with provider_for(standin) as provider:
        outcomes = await asyncio.gather(
            *(provider.ask(request_for("openai")) for _ in range(3)), return_exceptions=True
        )
        await provider.ask(request_for("openai"))

    assert [getattr(outcome, "is_asked_otherwise_now", None) for outcome in outcomes] == [True] * 3
    assert {"response_format", "reasoning_effort", "prompt_cache_options"} <= body_of(standin).keys()


@pytest.mark.parametrize("face", FACES)
async def test_what_is_refused_for_ever_is_rejected(face: Face) -> None:
    """Leaving out comes to an end."""
    standin = service(face)
    words = (
        "response_format json_object schema reasoning_effort supported values are 'low' 'medium' 'high' temperature "
        "prompt_cache_key prompt_cache_options prompt_cache_breakpoint cache_control provider usage thinking "
        "max_tokens max_completion_tokens unsupported, use another instead"
    )
    standin.faults.add(Fault(status=400, message=words), times=None)
    tries = 0
    async with provider_for(standin) as provider:
        while True:
            tries += 1
            with pytest.raises(RequestFailed) as caught:
                await provider.ask(request_for(face))
            if not caught.value.is_asked_otherwise_now:
                break

    assert caught.value.failure is Failure.REJECTED
    assert tries < 15


# The slow tier of OpenAI


async def test_the_slow_tier_costs_half() -> None:
    """It is not asked for by itself."""
    standin = service()
    async with provider_for(standin, flex=True) as provider:
        slow_one = await provider.ask(request_for("openai"))
        traits = provider.traits("gpt-6-luna")
    standin.chat_cache.clear()
    usual = await ask(standin)

    assert [request.body.get("service_tier") for request in standin.requests] == ["flex", None]
    cost, half = prices.cost(usual.usage, traits), prices.cost(slow_one.usage, traits)
    assert cost is not None
    assert half == pytest.approx(cost / 2)


async def test_what_the_slow_tier_has_no_room_for_is_asked_in_the_usual_way() -> None:
    """That very request, at once; the next one tries the slow tier again."""
    standin = service()
    standin.flex_has_room = False
    async with provider_for(standin, flex=True) as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(request_for("openai"))
        reply = await provider.ask(request_for("openai"))
        standin.flex_has_room = True
        other = await provider.ask(request_for("openai", collection=collection_text(collection("Noir"))))

    assert caught.value.is_asked_otherwise_now
    assert (reply.usage.price_share, other.usage.price_share) == (1.0, 0.5)
    assert [request.body.get("service_tier") for request in standin.requests] == ["flex", None, "flex"]


async def test_a_model_without_a_slow_tier_is_asked_in_the_usual_way() -> None:
    """From then on, and others in the slow one."""
    standin = service()
    refusal = Fault(status=400, message="Invalid service_tier argument", error_type="invalid_request_error")
    standin.faults.add(
        refusal, times=None, when=lambda record: "service_tier" in record.body and record.model == "gpt-4.1"
    )
    async with provider_for(standin, flex=True) as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(request_for("openai", model="gpt-4.1"))
        for model in ("gpt-4.1", "gpt-4.1", "gpt-6-luna"):
            await provider.ask(request_for("openai", model=model))

    assert caught.value.is_asked_otherwise_now
    assert [request.body.get("service_tier") for request in standin.requests] == ["flex", None, None, "flex"]


async def test_a_rate_limit_of_the_slow_tier_is_waited_out() -> None:
    """It is no lack of room."""
    failed = await failure_of(service(), faults.RATE_LIMITED, flex=True)

    assert (failed.failure, failed.is_asked_otherwise_now) == (Failure.RATE_LIMITED, False)


@pytest.mark.parametrize("face", ["gemini", "openrouter", "local"])
async def test_others_have_no_slow_tier(face: Face) -> None:
    """The field would be refused, or ignored."""
    standin = service(face)

    await ask(standin, flex=True)

    assert "service_tier" not in body_of(standin)


# The log, and counts


@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [
        (None, "complete", 200),
        (faults.OVERLOADED, "overloaded", 503),
        (Fault(status=401, message="No."), "stopped", 401),
        (DROPPED, "no connection", None),
        (completion(content=""), "unreadable answer", 200),
    ],
    ids=["complete", "busy", "key", "lost", "empty"],
)
async def test_every_call_is_logged(each: OpenAIStandIn, fault: Fault | None, outcome: str, status: int | None) -> None:
    """With what it was for, how it ended, how long it took, and what went over the line."""
    if fault is not None:
        each.faults.add(fault)
    with structlog.testing.capture_logs() as lines, suppress(RequestFailed, CheckModel):
        await ask(each)

    (line,) = [line for line in lines if line["event"].endswith(".call")]
    assert line["event"] == ("openai.call" if each.face == "local" else f"{each.face}.call")
    assert (line["log_level"], line["model"], line["outcome"]) == ("debug", MODELS[each.face], outcome)
    assert line["milliseconds"] >= 0
    assert line.get("status") == status
    if status is not None:
        assert line["request_id"].startswith("req_")
        assert line["request_bytes"] > len(request_for(each.face).movies)
        assert line["response_bytes"] > 0
    assert (line.get("output_tokens", 0) > 0) == (outcome == "complete")
    assert ("why" in line) == (outcome != "complete")


async def test_calls_are_counted_by_outcome() -> None:
    """Those that failed too."""
    standin = service()
    answers = [faults.OVERLOADED, Fault(status=401, message="No."), completion(content=""), PAGE]
    for fault in answers:
        standin.faults.add(fault)
    async with provider_for(standin) as provider:
        for _ in answers:
            with pytest.raises((RequestFailed, CheckModel)):
                await provider.ask(request_for("openai"))
        await provider.ask(request_for("openai"))

    assert provider.calls == {Failure.OVERLOADED: 1, "stopped": 2, Failure.UNREADABLE: 1, ReplyEnd.COMPLETE: 1}
    assert len(provider.seconds) == 5


async def test_an_answer_has_begun_when_it_is_complete() -> None:
    """Nothing is known earlier; an answer that fails has never begun."""
    standin = service()
    begun: list[int] = []
    async with provider_for(standin) as provider:
        await provider.ask(request_for("openai"), lambda: begun.append(standin.in_flight))
        standin.faults.add(completion(content=""))
        with pytest.raises(RequestFailed):
            await provider.ask(request_for("openai"), lambda: begun.append(-1))

    assert begun == [0]


async def test_nothing_is_counted_beforehand() -> None:
    """No call of theirs counts tokens for nothing in a way that all have."""
    standin = service()
    async with provider_for(standin) as provider:
        assert await provider.count(request_for("openai")) is None

    assert standin.calls == []
