"""The stand-in for services that speak Chat Completions, driven by OpenAI's SDK over real HTTP."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AsyncOpenAI

from kometa_ai.standins import openai_faults as faults
from kometa_ai.standins.claude_answers import REFUSED, Judgement, Style
from kometa_ai.standins.claude_faults import DROPPED, slow
from kometa_ai.standins.claude_wire import encode
from kometa_ai.standins.openai import OpenAIStandIn
from kometa_ai.standins.openai_schema import strict_problem
from kometa_ai.standins.serving import serve
from tests.standins.test_claude_standin import SCHEMA, Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kometa_ai.standins.openai_models import Face

KEY = "sk-test"
COLLECTION = "<collection>\n<name>Heists</name>\n<criteria>\nAbout a heist.\n</criteria>\n</collection>"
MARK = {"prompt_cache_breakpoint": {"mode": "explicit"}}
EXPLICIT = {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
MODELS: dict[Face, str] = {
    "openai": "gpt-6-luna",
    "gemini": "gemini-3.5-flash-lite",
    "openrouter": "anthropic/claude-haiku-5.5",
    "local": "whatever",
}
FACES: tuple[Face, ...] = ("openai", "gemini", "openrouter", "local")


def judge(_collection: str, movie: dict[str, Any]) -> Judgement:
    """The first movie belongs."""
    belongs = movie["movie_id"] == 1
    return Judgement(belongs, 0.9 if belongs else 0.05, "it is the first")


def records(count: int = 30) -> str:
    """So many movies."""
    plot = "What happens in it, in some words that are no more than words. " * 3
    return "\n".join(json.dumps({"movie_id": n, "title": f"Movie {n}", "plot": plot}) for n in range(1, count + 1))


@asynccontextmanager
async def client_of(standin: OpenAIStandIn, key: str = KEY) -> AsyncIterator[AsyncOpenAI]:
    """The SDK, pointed at the stand-in."""
    with serve(standin.app) as url:
        async with AsyncOpenAI(api_key=key, base_url=f"{url}{standin.prefix}", max_retries=0) as client:
            yield client


async def complete(standin: OpenAIStandIn, *parts: dict[str, Any] | str, key: str = KEY, **fields: Any) -> Any:
    """Ask once, about thirty movies unless other parts are given."""
    pieces = parts or (records(), COLLECTION)
    content: Any = [{"type": "text", "text": part} if isinstance(part, str) else part for part in pieces]
    if standin.face in ("gemini", "local"):
        content = "\n\n".join(piece["text"] for piece in content)
    known = {"model": MODELS[standin.face], "extra_body": fields.pop("extra_body", {})}
    async with client_of(standin, key) as client:
        return await client.chat.completions.create(messages=[{"role": "user", "content": content}], **known | fields)


def part(text: str, **more: Any) -> dict[str, Any]:
    """A part of a message."""
    return {"type": "text", "text": text, **more}


# Answers


@pytest.mark.parametrize("face", FACES)
async def test_an_answer_obeys_the_schema(face: Face) -> None:
    """With a verdict on each movie, in the form that it is asked for."""
    standin = OpenAIStandIn(face, judge=judge, api_key=KEY)
    extra = {"provider": {"require_parameters": True}} if face == "openrouter" else {}

    answer = await complete(standin, response_format=FORMAT, extra_body=extra)

    said = json.loads(answer.choices[0].message.content)
    assert answer.choices[0].finish_reason == "stop"
    assert [entry["movie_id"] for entry in said["decisions"]] == [1]
    assert said["excluded"] == list(range(2, 31))
    assert said["collection_name"] == "Heists"
    assert standin.asked_pairs()[0] == ("Heists", "Movie 1")


async def test_without_require_parameters_openrouter_may_drop_the_schema() -> None:
    """A host that does not know it answers as it likes."""
    standin = OpenAIStandIn("openrouter", judge=judge)

    answer = await complete(standin, response_format=FORMAT)

    assert not answer.choices[0].message.content.startswith("{")


@pytest.mark.parametrize(
    ("face", "choices", "refusal", "reason"),
    [
        ("openai", 1, True, "stop"),
        ("gemini", 0, False, None),
        ("openrouter", 1, False, "content_filter"),
        ("local", 1, False, "content_filter"),
    ],
)
async def test_each_face_refuses_in_its_own_way(face: Face, choices: int, reason: str | None, *, refusal: bool) -> None:
    """OpenAI with words of refusal, Gemini without any choice."""
    standin = OpenAIStandIn(face, judge=judge)
    standin.queue_style(REFUSED)

    answer = await complete(standin)

    assert len(answer.choices) == choices
    assert [choice.finish_reason for choice in answer.choices] == ([reason] if reason else [])
    assert [bool(choice.message.refusal) for choice in answer.choices] == ([refusal] if choices else [])
    assert not any(choice.message.content for choice in answer.choices)


async def test_thoughts_use_up_an_answer() -> None:
    """They count as a part of it: with too little room there is no text at all."""
    standin = OpenAIStandIn(judge=judge)

    answer = await complete(standin, reasoning_effort="medium", max_completion_tokens=300)

    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (None, "length")
    assert answer.usage.completion_tokens_details.reasoning_tokens == answer.usage.completion_tokens == 300


async def test_gemini_s_thoughts_are_in_the_total_alone() -> None:
    """As its endpoint counts them."""
    answer = await complete(OpenAIStandIn("gemini", judge=judge), reasoning_effort="low")

    used = answer.usage
    assert used.total_tokens - used.prompt_tokens - used.completion_tokens == 40


async def test_a_cut_answer_says_so() -> None:
    """At the length that was allowed."""
    standin = OpenAIStandIn(judge=judge)
    standin.queue_style(Style(truncated_at=5))

    answer = await complete(standin, reasoning_effort="none")

    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 5)


# Caches


async def test_a_breakpoint_is_written_once_and_read_until_it_ends() -> None:
    """Written at a quarter more, by the first; read by those with the same part, for half an hour after the last."""
    clock = Clock()
    standin = OpenAIStandIn(judge=judge, clock=clock)
    seen = []
    for seconds, question in ((0, "a"), (1000, "b"), (1700, "c"), (1801, "d")):
        clock.now += seconds
        answer = await complete(standin, part(records(), **MARK), question, extra_body=EXPLICIT)
        details = answer.usage.prompt_tokens_details
        seen.append((details.cache_write_tokens > 1024, details.cached_tokens > 1024))
        assert details.cache_write_tokens + details.cached_tokens < answer.usage.prompt_tokens

    assert seen == [(True, False), (False, True), (False, True), (True, False)]


async def test_without_breakpoints_the_newest_write_everything_and_find_nothing() -> None:
    """The movies first and the collection last: each pays for writing, and none reads."""
    standin = OpenAIStandIn(judge=judge)
    details = [(await complete(standin, records(), text)).usage.prompt_tokens_details for text in "abc"]

    assert [detail.cached_tokens for detail in details] == [0, 0, 0]
    assert all(detail.cache_write_tokens > 1024 for detail in details)


@pytest.mark.parametrize(
    "change", [{"reasoning_effort": "low"}, {"response_format": FORMAT}, {"model": "gpt-6.1-terra"}]
)
async def test_what_is_rendered_ahead_is_a_part_of_the_prefix(change: dict[str, Any]) -> None:
    """Effort, schema and model: another one reads nothing."""
    standin = OpenAIStandIn(judge=judge)
    await complete(standin, part(records(), **MARK), "a", extra_body=EXPLICIT)

    answer = await complete(standin, part(records(), **MARK), "a", extra_body=EXPLICIT, **change)

    assert answer.usage.prompt_tokens_details.cached_tokens == 0


@pytest.mark.parametrize(("model", "step"), [("gpt-5-mini", 128), ("gpt-4.1", 128)])
async def test_older_models_read_in_steps(model: str, step: int) -> None:
    """The longest common prefix, and writing is free."""
    standin = OpenAIStandIn(judge=judge)
    await complete(standin, records(), "a", model=model)

    details = (await complete(standin, records(), "b", model=model)).usage.prompt_tokens_details

    assert details.cached_tokens > 1024
    assert details.cached_tokens % step == 0
    assert details.cache_write_tokens is None


@pytest.mark.parametrize(("count", "is_read"), [(30, False), (120, True)])
async def test_gemini_reads_long_prefixes_only(count: int, *, is_read: bool) -> None:
    """From about four thousand tokens on."""
    standin = OpenAIStandIn("gemini", judge=judge)
    await complete(standin, records(count), "a")

    answer = await complete(standin, records(count), "b")

    assert (answer.usage.prompt_tokens_details.cached_tokens >= 4096) == is_read


async def test_what_is_short_is_not_cached() -> None:
    """Silently."""
    standin = OpenAIStandIn(judge=judge)
    for _ in range(2):
        details = (await complete(standin, part(records(2), **MARK), "a", extra_body=EXPLICIT)).usage
        assert details.prompt_tokens_details.cached_tokens == details.prompt_tokens_details.cache_write_tokens == 0


async def test_openrouter_states_the_cost_where_it_is_asked_for_it() -> None:
    """At the prices of its model, the cache's included."""
    standin = OpenAIStandIn("openrouter", judge=judge)
    marked = part(records(), cache_control={"type": "ephemeral"})
    first, other = [await complete(standin, marked, text, extra_body={"usage": {"include": True}}) for text in "ab"]
    unasked = await complete(standin, marked, "c")

    assert first.usage.cost > other.usage.cost > 0
    assert not hasattr(unasked.usage, "cost")


# Refusals


@pytest.mark.parametrize(
    ("face", "fields", "words"),
    [
        ("openai", {"max_tokens": 5}, "max_completion_tokens"),
        ("openai", {"reasoning_effort": "max"}, "Supported values"),
        ("openai", {"reasoning_effort": "none", "model": "gpt-6-astra"}, "Supported values"),
        ("openai", {"reasoning_effort": "low", "model": "gpt-4.1"}, "reasoning_effort"),
        ("openai", {"extra_body": {"prompt_cache_options": {"ttl": "12h"}}}, "ttl"),
        ("openai", {"model": "gpt-4.1", "extra_body": EXPLICIT}, "prompt_cache_options"),
        ("openai", {"extra_body": {"thinking": {"type": "disabled"}}}, "thinking"),
        ("openai", {"temperature": 0}, "temperature"),
        ("openai", {"max_completion_tokens": 200_000}, "at most"),
        ("gemini", {"extra_body": {"prompt_cache_key": "x"}}, "Cannot find field"),
        ("gemini", {"extra_body": {"service_tier": "flex"}}, "Cannot find field"),
        ("gemini", {"max_completion_tokens": 5}, "Cannot find field"),
        ("gemini", {"reasoning_effort": "minimal", "model": "gemini-3.8-flash"}, "Thinking level"),
    ],
)
async def test_what_a_service_does_not_take_is_a_bad_request(face: Face, fields: dict[str, Any], words: str) -> None:
    """In the words of the service."""
    with pytest.raises(openai.BadRequestError) as caught:
        await complete(OpenAIStandIn(face, judge=judge), **fields)

    assert words in caught.value.response.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"required": ["collection_name", "decisions"]}, "Missing 'excluded'"),
        ({"additionalProperties": True}, "additionalProperties"),
        ({"uniqueItems": True}, "uniqueItems"),
        ({"type": "array"}, "type"),
        ({"properties": {"collection_name": {"type": "array"}}, "required": ["collection_name"]}, "items"),
    ],
)
async def test_a_schema_that_is_not_strict_is_refused(change: dict[str, Any], words: str) -> None:
    """By OpenAI; all properties are required there."""
    output = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {**SCHEMA, **change}}}
    with pytest.raises(openai.BadRequestError) as caught:
        await complete(OpenAIStandIn(judge=judge), response_format=output)

    assert words in str(caught.value)


def test_choices_that_begin_alike_are_refused() -> None:
    """OpenAI tells choices apart by their first property."""

    def entry(*names: str) -> dict[str, Any]:
        parts = {name: {"type": "integer"} for name in names}
        return {"type": "object", "additionalProperties": False, "required": list(names), "properties": parts}

    def schema(*choices: dict[str, Any]) -> bytes:
        root = entry("entries")
        return encode({**root, "properties": {"entries": {"type": "array", "items": {"anyOf": list(choices)}}}})

    assert "identical first keys" in strict_problem(schema(entry("a"), entry("a", "b")))
    assert strict_problem(schema(entry("a"), entry("b", "a"))) == ""


@pytest.mark.parametrize(
    ("face", "error", "words"),
    [
        ("openai", openai.AuthenticationError, "invalid_api_key"),
        ("gemini", openai.BadRequestError, "API_KEY_INVALID"),
        ("openrouter", openai.AuthenticationError, "User not found"),
        ("local", openai.AuthenticationError, "authentication_error"),
    ],
)
async def test_a_wrong_key_is_refused(face: Face, error: type[Exception], words: str) -> None:
    """Gemini's errors are lists, and it answers 400."""
    standin = OpenAIStandIn(face, judge=judge, api_key=KEY)
    with pytest.raises(error) as caught:
        await complete(standin, key="sk-wrong")

    body = json.loads(caught.value.response.text)  # type: ignore[attr-defined]
    assert isinstance(body, list) == (face == "gemini")
    assert words in json.dumps(body)


@pytest.mark.parametrize(("face", "status"), [("openai", 404), ("gemini", 404), ("openrouter", 400)])
async def test_an_unknown_model_is_refused(face: Face, status: int) -> None:
    """With its name."""
    with pytest.raises(openai.APIStatusError) as caught:
        await complete(OpenAIStandIn(face, judge=judge), model="no-such")

    assert (caught.value.status_code, "no-such" in caught.value.response.text) == (status, True)


async def test_a_server_at_home_answers_to_any_name() -> None:
    """It has one model, and says which."""
    assert (await complete(OpenAIStandIn("local", judge=judge), model="any")).model == "qwen3-14b-q4.gguf"


async def test_the_slow_tier_may_have_no_room() -> None:
    """Its answers say that they are of it."""
    standin = OpenAIStandIn(judge=judge)
    assert (await complete(standin, service_tier="flex")).service_tier == "flex"
    standin.flex_has_room = False
    with pytest.raises(openai.RateLimitError, match="unavailable"):
        await complete(standin, service_tier="flex")
    assert (await complete(standin)).service_tier == "default"


# Faults


async def test_an_error_within_an_answer_has_status_200() -> None:
    """As OpenRouter's: the SDK makes a completion without choices of it."""
    standin = OpenAIStandIn("openrouter", judge=judge)
    standin.faults.add(faults.inside(429, "Provider returned error"))

    answer = await complete(standin)

    assert answer.choices is None
    assert answer.error["code"] == 429


async def test_a_fault_strikes_the_calls_it_is_for() -> None:
    """Once, and before anything is judged."""
    standin = OpenAIStandIn(judge=judge)
    standin.faults.add(faults.OVERLOADED, contains="Heists")
    with pytest.raises(openai.InternalServerError):
        await complete(standin)
    await complete(standin)

    assert [(record.status, record.judged) for record in standin.requests] == [(503, False), (200, True)]


async def test_a_connection_can_be_lost_and_an_answer_late() -> None:
    """Both look alike to a client without patience."""
    standin = OpenAIStandIn(judge=judge)
    standin.faults.add(DROPPED)
    standin.faults.add(slow(30))
    with pytest.raises(openai.APIConnectionError):
        await complete(standin)
    with pytest.raises(openai.APITimeoutError):
        await complete(standin, timeout=0.05)


async def test_the_right_paths_are_those_of_the_face() -> None:
    """OpenRouter's web site answers at any other."""
    standin = OpenAIStandIn("openrouter", judge=judge)
    standin.prefix = "/v1"  # where users look for it
    answer = await complete(standin)

    assert "<html>" in answer
