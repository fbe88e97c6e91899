"""The stand-in of Claude, driven by the real SDK over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from typing import Any, cast

import anthropic
import httpx2
import msgspec
import pytest
from anthropic import AsyncAnthropic

from kometa_ai.standins.claude import ClaudeStandIn, Judgement, count_tokens
from kometa_ai.standins.claude_answers import FENCED, NORMAL, PROSE, SPEC, Style, judge_by_genre
from kometa_ai.standins.claude_faults import (
    BAD_KEY,
    CREDIT_BALANCE,
    DROPPED,
    ENFORCED_SPEND_LIMIT,
    NOT_JSON,
    NOT_PERMITTED,
    OVERLOADED,
    PAYMENT_REQUIRED,
    SERVER_ERROR,
    TOO_LARGE,
    UNKNOWN_MODEL,
    USAGE_LIMITS,
    Fault,
    mid_stream,
    rate_limited,
    slow,
)
from kometa_ai.standins.serving import serve
from tests.tls import PLAIN

KEY = "sk-ant-test"
HEIST = "<name>Heists</name>\nMovies about a heist."
HEIST_WORD = "heist"
CONFIDENCES = [step / 20 for step in range(21)]
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["collection_name", "decisions", "excluded"],
    "properties": {
        "collection_name": {"type": "string"},
        "decisions": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["movie_id", "reason", "include", "confidence"],
                "properties": {
                    "movie_id": {"type": "integer"},
                    "reason": {"type": "string"},
                    "include": {"type": "boolean"},
                    "confidence": {"type": "number", "enum": CONFIDENCES},
                },
            },
        },
        "excluded": {"type": "array", "items": {"type": "integer"}},
    },
}


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now


def judge(collection: str, movie: dict[str, Any]) -> Judgement:
    """Belongs when the plot has the word that the collection is about."""
    belongs = HEIST_WORD in collection.lower() and HEIST_WORD in movie["plot"]
    return Judgement(include=belongs, confidence=0.93 if belongs else 0.05, reason="the plot")


@pytest.fixture
def clock() -> Clock:
    """The clock of the stand-in."""
    return Clock()


@pytest.fixture
def claude(clock: Clock) -> ClaudeStandIn:
    """The stand-in under test."""
    return ClaudeStandIn(judge=judge, api_key=KEY, clock=clock)


@pytest.fixture
def url(claude: ClaudeStandIn) -> Iterator[str]:
    """Where the stand-in is served."""
    with serve(claude.app) as base_url:
        yield base_url


@pytest.fixture
async def sdk(url: str) -> AsyncIterator[AsyncAnthropic]:
    """The official client, without its own retries."""
    async with AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0) as client:
        yield client


def movie_lines(count: int = 3, *, plot: str = "A heist in Paris. ") -> str:
    """A block of movies, every other one with a plot that the judge likes."""
    movies = [
        {"movie_id": number, "title": f"Movie {number}", "year": 2000, "plot": plot if number % 2 else "A love story."}
        for number in range(1, count + 1)
    ]
    return "\n".join(["<movies>", *(json.dumps(movie) for movie in movies), "</movies>"])


def request(
    *, movies: str = "", collection: str = HEIST, model: str = "claude-sonnet-5-5", ttl: str = "5m", **more: object
) -> dict[str, Any]:
    """The arguments of a request as a client sends it: movies up to a breakpoint, then the collection."""
    blocks = [
        {"type": "text", "text": movies or movie_lines(), "cache_control": {"type": "ephemeral", "ttl": ttl}},
        {"type": "text", "text": collection},
    ]
    return {
        "model": model,
        "max_tokens": 4_000,
        "system": "You sort movies.",
        "messages": [{"role": "user", "content": blocks}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        **more,
    }


LONG = movie_lines(40, plot="A heist in Paris, " * 5)  # well above every 5.5 model's minimum


def text_of(message: anthropic.types.Message) -> str:
    """The text of an answer, wherever it stands among the blocks."""
    return "".join(block.text for block in message.content if block.type == "text")


def answer_of(message: anthropic.types.Message) -> dict[str, Any]:
    """The JSON in an answer."""
    answer: dict[str, Any] = json.loads(text_of(message))
    return answer


def prompt_tokens(usage: anthropic.types.Usage) -> int:
    """The size of the whole prompt."""
    return usage.input_tokens + (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)


async def test_answers_with_the_judges_verdicts(sdk: AsyncAnthropic) -> None:
    """Every movie comes back once: with a reason when it may belong, as a bare id when it clearly does not."""
    message = await sdk.messages.create(**request())

    answer = answer_of(message)
    assert answer["collection_name"] == "Heists"
    assert [decision["movie_id"] for decision in answer["decisions"]] == [1, 3]
    assert answer["excluded"] == [2]
    assert answer["decisions"][0] == {"movie_id": 1, "reason": "the plot", "include": True, "confidence": 0.95}


async def test_sends_a_complete_message(sdk: AsyncAnthropic) -> None:
    """The message has all that the API sends, an empty thinking block first, and counts its tokens."""
    message = await sdk.messages.create(**request(model="claude-haiku-5-5"))

    assert (message.type, message.role, message.model) == ("message", "assistant", "claude-haiku-5-5")
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.stop_reason == "end_turn"
    assert message.usage.service_tier == "standard"
    thought = message.usage.output_tokens_details
    assert thought is not None
    assert thought.thinking_tokens > 0
    assert message.usage.output_tokens == thought.thinking_tokens + count_tokens(text_of(message))
    assert message._request_id is not None


@pytest.mark.parametrize(
    ("model", "thinking"), [("claude-haiku-5-5", "disabled"), ("claude-sonnet-5-5", "between_tools")]
)
async def test_thinking_can_be_turned_off(sdk: AsyncAnthropic, model: str, thinking: str) -> None:
    """A model that is told not to think sends no thinking block and bills no thinking."""
    message = await sdk.messages.create(**request(model=model, thinking={"type": thinking}))

    assert [block.type for block in message.content] == ["text"]
    assert message.usage.output_tokens_details == anthropic.types.OutputTokensDetails(thinking_tokens=0)


async def test_remembers_what_was_asked(sdk: AsyncAnthropic, claude: ClaudeStandIn, clock: Clock) -> None:
    """The log holds the request, its answer and the pairs that were judged."""
    await sdk.messages.create(**request())

    [record] = claude.requests
    assert claude.asked_pairs() == [("Heists", "Movie 1"), ("Heists", "Movie 2"), ("Heists", "Movie 3")]
    assert (record.collection_text, record.titles[0], record.status) == (HEIST, "Movie 1", 200)
    assert record.headers["authorization"] == f"Bearer {KEY}"
    assert record.body["max_tokens"] == 4_000
    assert record.at == clock.now
    assert record.usage["output_tokens"] == claude.usage_totals()["output_tokens"]


async def test_second_collection_reads_the_movies_from_the_cache(sdk: AsyncAnthropic) -> None:
    """The prefix up to the breakpoint is written once and read by a request that differs only after it."""
    first = await sdk.messages.create(**request(movies=LONG))
    second = await sdk.messages.create(**request(movies=LONG, collection="<name>Love</name> Romances."))

    assert first.usage.cache_read_input_tokens == 0
    assert first.usage.cache_creation_input_tokens
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens
    assert second.usage.cache_creation_input_tokens == 0
    assert first.usage.input_tokens == count_tokens(HEIST)


@pytest.mark.parametrize(
    "change",
    [
        {"system": "You sort films."},
        {"model": "claude-haiku-5-5"},
        {"movies": LONG + "\n"},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}},
        {"output_config": {"format": {"type": "json_schema", "schema": {**SCHEMA, "description": "other"}}}},
        {"thinking": {"type": "between_tools"}},
    ],
    ids=["system", "model", "movies", "effort", "format", "thinking"],
)
async def test_any_change_before_the_breakpoint_misses_the_cache(sdk: AsyncAnthropic, change: dict[str, Any]) -> None:
    """System prompt, model, format, effort, thinking and every byte of the movies are part of the prefix."""
    await sdk.messages.create(**request(movies=LONG))
    second = await sdk.messages.create(**{**request(movies=LONG), **request(**{"movies": LONG, **change})})

    assert second.usage.cache_read_input_tokens == 0
    assert second.usage.cache_creation_input_tokens


async def test_short_prefixes_are_not_cached(sdk: AsyncAnthropic) -> None:
    """Below the model's minimum nothing is written, without an error."""
    message = await sdk.messages.create(**request(model="claude-haiku-4-5", movies=LONG))

    assert message.usage.cache_creation_input_tokens == 0
    assert message.usage.input_tokens == prompt_tokens(message.usage)


@pytest.mark.parametrize(("ttl", "seconds"), [("5m", 300), ("1h", 3600)])
async def test_entries_live_for_their_ttl_and_reading_renews_it(
    sdk: AsyncAnthropic, clock: Clock, ttl: str, seconds: int
) -> None:
    """An entry is gone when its TTL has passed since the request that last used it."""
    reads = []
    for pause in (0, seconds - 1, seconds - 1, seconds):
        clock.now += pause
        message = await sdk.messages.create(**request(movies=LONG, ttl=ttl))
        reads.append(bool(message.usage.cache_read_input_tokens))

    assert reads == [False, True, True, False]


async def test_writes_are_told_apart_by_ttl(sdk: AsyncAnthropic) -> None:
    """The usage says which tokens were written for five minutes and which for an hour."""
    message = await sdk.messages.create(**request(movies=LONG, ttl="1h"))

    written = message.usage.cache_creation
    assert written is not None
    assert written.ephemeral_1h_input_tokens == message.usage.cache_creation_input_tokens
    assert written.ephemeral_5m_input_tokens == 0


async def test_breakpoints_of_both_ttls_are_billed_each_by_its_own(sdk: AsyncAnthropic) -> None:
    """What lies before a breakpoint for an hour is one bill, what lies between it and the next another."""
    system = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    message = await sdk.messages.create(**request(system=system, movies=LONG))

    written = message.usage.cache_creation
    assert written is not None
    assert written.ephemeral_1h_input_tokens > written.ephemeral_5m_input_tokens > count_tokens(LONG)
    assert message.usage.input_tokens == count_tokens(HEIST)


async def test_automatic_caching_marks_the_last_block(sdk: AsyncAnthropic) -> None:
    """With cache_control at the top level the collection is in the prefix, so that only the same one reads it."""
    plain = {
        **request(cache_control={"type": "ephemeral"}),
        "messages": [{"role": "user", "content": [{"type": "text", "text": LONG}, {"type": "text", "text": HEIST}]}],
    }
    other = [{"type": "text", "text": LONG}, {"type": "text", "text": "<name>Love</name>"}]
    first = await sdk.messages.create(**plain)
    second = await sdk.messages.create(**{**plain, "messages": [{"role": "user", "content": other}]})
    third = await sdk.messages.create(**plain)

    assert first.usage.input_tokens == 0
    assert (second.usage.cache_read_input_tokens, bool(third.usage.cache_read_input_tokens)) == (0, True)


async def test_a_request_without_output_warms_the_cache(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """max_tokens of 0 writes the cache and answers nothing."""
    arguments = {**request(movies=LONG), "output_config": {}}
    warming = await sdk.messages.create(**{**arguments, "max_tokens": 0})
    after = await sdk.messages.create(**arguments)

    assert (warming.content, warming.usage.output_tokens) == ([], 0)
    assert after.usage.cache_read_input_tokens
    assert len(claude.asked_pairs()) == 40


async def test_requests_sent_together_all_pay_for_the_write(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """An entry cannot be read before the response that writes it has begun."""
    claude.latency = 0.1
    together = await asyncio.gather(*(sdk.messages.create(**request(movies=LONG)) for _ in range(3)))
    after = await sdk.messages.create(**request(movies=LONG))

    assert all(message.usage.cache_creation_input_tokens for message in together)
    assert after.usage.cache_creation_input_tokens == 0
    assert claude.peak_in_flight == 3


@pytest.mark.parametrize(("blocks_between", "hit"), [(19, True), (20, False)])
async def test_reads_look_back_over_twenty_blocks(sdk: AsyncAnthropic, blocks_between: int, hit: bool) -> None:  # noqa: FBT001 - a case
    """A breakpoint finds an earlier write within 20 blocks, itself included, and no further."""
    system = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    await sdk.messages.create(**request(system=system))
    plain = [{"type": "text", "text": LONG}]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": f"part {number}"} for number in range(blocks_between)]
    blocks[-1]["cache_control"] = {"type": "ephemeral"}
    message = await sdk.messages.create(**request(system=plain, messages=[{"role": "user", "content": blocks}]))

    assert bool(message.usage.cache_read_input_tokens) is hit


async def test_counting_tokens_agrees_with_the_bill(sdk: AsyncAnthropic) -> None:
    """count_tokens gives the size of the prompt that the request is then billed for."""
    arguments = request(movies=LONG)
    counted = await sdk.messages.count_tokens(
        **{name: value for name, value in arguments.items() if name != "max_tokens"}
    )
    message = await sdk.messages.create(**arguments)

    assert counted.input_tokens == prompt_tokens(message.usage)


@pytest.mark.parametrize(("characters", "tokens"), [(0, 0), (1, 1), (3, 1), (4, 2), (7, 2), (35, 10)])
def test_counts_a_token_for_every_three_and_a_half_characters(characters: int, tokens: int) -> None:
    """The tokenizer is plain arithmetic, so that a test can predict it."""
    assert count_tokens("x" * characters) == tokens


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {KEY}"}, 200),
        ({"x-api-key": KEY}, 200),
        ({"x-api-key": "sk-ant-other"}, 401),
        ({"authorization": "Bearer sk-ant-other"}, 401),
        ({}, 401),
        ({"x-api-key": KEY, "anthropic-version": ""}, 400),
        ({"x-api-key": KEY, "anthropic-version": "2001-01-01"}, 400),
    ],
)
async def test_wants_the_key_and_a_version(url: str, headers: dict[str, str], status: int) -> None:
    """Both forms of the key are accepted; a wrong one and a wrong API version are not."""
    sent = {"anthropic-version": "2026-10-21", **headers}
    async with httpx2.AsyncClient(verify=PLAIN, base_url=url) as client:
        response = await client.get("/v1/models", headers={name: value for name, value in sent.items() if value})

    assert response.status_code == status
    if status != 200:
        assert response.json()["error"]["type"] == {401: "authentication_error", 400: "invalid_request_error"}[status]


async def test_a_key_that_is_refused_raises_what_the_real_one_raises(url: str) -> None:
    """The SDK sees an AuthenticationError with a request id."""
    async with AsyncAnthropic(api_key="sk-ant-other", base_url=url, max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError) as caught:
            await stranger.messages.create(**request())

    assert caught.value.type == "authentication_error"
    assert caught.value.request_id


WRONG: dict[str, dict[str, Any]] = {
    "temperature": {"extra_body": {"temperature": 0}},
    "top_p": {"extra_body": {"top_p": 0.5}},
    "unknown field": {"extra_body": {"colour": "red"}},
    "prefill": {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]},
    "no messages": {"messages": []},
    "empty text": {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
    "thinking disabled on Sonnet": {"thinking": {"type": "disabled"}},
    "thinking enabled on Sonnet": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "thinking off with great effort": {
        "model": "claude-haiku-5-5",
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "max"},
    },
    "effort on Haiku 4.5": {"model": "claude-haiku-4-5", "output_config": {"effort": "low"}},
    "unknown effort": {"output_config": {"effort": "heroic"}},
    "forced tool": {
        "tools": [{"name": "t", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "t"},
    },
    "too much output": {"max_tokens": 128_001, "timeout": 30},
    "negative output": {"max_tokens": -1},
    "warming with a format": {"max_tokens": 0},
    "not a schema": {"output_config": {"format": {"type": "json_object"}}},
    "five breakpoints": {
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}} for _ in range(4)]
    },
    "long after short": {
        "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "5m"}}],
        "ttl": "1h",
    },
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_refuses_wrong_requests(sdk: AsyncAnthropic, claude: ClaudeStandIn, wrong: dict[str, Any]) -> None:
    """What the API does not take is a 400 invalid_request_error, and costs nothing."""
    with pytest.raises(anthropic.BadRequestError) as caught:
        await sdk.messages.create(**request(**wrong))

    assert caught.value.type == "invalid_request_error"
    assert claude.asked_pairs() == []
    assert claude.usage_totals() == {}


def wrapped(item: dict[str, Any]) -> dict[str, Any]:
    """A schema of one required property."""
    return {"type": "object", "additionalProperties": False, "required": ["a"], "properties": {"a": item}}


WRONG_SCHEMAS: dict[str, Any] = {
    "minimum": wrapped({"type": "number", "minimum": 0}),
    "maxLength": wrapped({"type": "string", "maxLength": 9}),
    "maxItems": wrapped({"type": "array", "maxItems": 9, "items": {"type": "string"}}),
    "two items at least": wrapped({"type": "array", "minItems": 2, "items": {"type": "string"}}),
    "open object": wrapped({"type": "object", "properties": {}}),
    "oneOf": wrapped({"oneOf": [{"type": "string"}]}),
    "unknown type": wrapped({"type": "decimal"}),
    "external reference": wrapped({"$ref": "https://example.org/schema"}),
    "recursion": {
        **wrapped({"$ref": "#/$defs/node"}),
        "$defs": {"node": wrapped({"$ref": "#/$defs/node"})},
    },
    "25 optional properties": {
        "type": "object",
        "additionalProperties": False,
        "properties": {f"p{number}": {"type": "string"} for number in range(25)},
    },
    "17 unions": wrapped(
        {
            "type": "object",
            "additionalProperties": False,
            "required": [f"p{number}" for number in range(17)],
            "properties": {f"p{number}": {"type": ["string", "null"]} for number in range(17)},
        }
    ),
}


@pytest.mark.parametrize("schema", WRONG_SCHEMAS.values(), ids=WRONG_SCHEMAS)
async def test_refuses_schemas_that_the_api_cannot_compile(sdk: AsyncAnthropic, schema: dict[str, Any]) -> None:
    """Keywords, shapes and sizes that structured outputs do not support are refused."""
    with pytest.raises(anthropic.BadRequestError, match=r"output_config\.format\.schema|too many"):
        await sdk.messages.create(**request(output_config={"format": {"type": "json_schema", "schema": schema}}))


async def test_accepts_a_schema_with_definitions(sdk: AsyncAnthropic) -> None:
    """Local references, one required item and format keywords are supported."""
    schema = {**wrapped({"$ref": "#/$defs/day"}), "$defs": {"day": {"type": "string", "format": "date"}}}
    message = await sdk.messages.create(**request(output_config={"format": {"type": "json_schema", "schema": schema}}))

    assert message.stop_reason == "end_turn"


async def test_unknown_models_are_not_found(sdk: AsyncAnthropic) -> None:
    """A model that is not there is a 404, for messages and for the catalogue."""
    with pytest.raises(anthropic.NotFoundError, match="claude-opus-9") as caught:
        await sdk.messages.create(**request(model="claude-opus-9"))
    assert caught.value.type == "not_found_error"
    with pytest.raises(anthropic.NotFoundError):
        await sdk.models.retrieve("claude-opus-9")


async def test_tells_about_its_models(sdk: AsyncAnthropic) -> None:
    """The catalogue gives each model once, with life cycle, limits and capabilities."""
    models = {model.id: model async for model in sdk.models.list(limit=2)}

    sonnet = models["claude-sonnet-5-5"]
    assert (sonnet.lifecycle, sonnet.max_tokens, sonnet.max_input_tokens) == ("active", 128_000, 1_000_000)
    assert sonnet.capabilities is not None
    assert sonnet.capabilities.structured_outputs.supported
    assert sonnet.capabilities.thinking.types.between_tools.supported
    assert not sonnet.capabilities.thinking.types.disabled.supported
    old = models["claude-sonnet-4-5-20250929"]
    assert old.lifecycle == "deprecated"
    assert old.retires_at is not None
    assert old.retires_at.year == 2026
    assert (await sdk.models.retrieve("claude-haiku-4-5")).id == "claude-haiku-4-5-20251001"


async def test_max_tokens_cuts_the_answer_off(sdk: AsyncAnthropic) -> None:
    """An answer that does not fit is cut in the middle of its JSON and says so."""
    message = await sdk.messages.create(**request(max_tokens=30, thinking={"type": "between_tools"}))

    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 30)
    assert count_tokens(text_of(message)) == 30
    with pytest.raises(json.JSONDecodeError):
        answer_of(message)


async def test_thinking_can_leave_no_room_for_text(sdk: AsyncAnthropic) -> None:
    """Thinking counts towards max_tokens: a small limit ends before any text."""
    message = await sdk.messages.create(**request(max_tokens=10))

    assert [block.type for block in message.content] == ["thinking"]
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 10)


async def test_answers_in_the_form_of_the_specification(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """The long form writes every movie out, with title and reasoning, and lists nothing."""
    claude.style = SPEC
    answer = answer_of(await sdk.messages.create(**request()))

    assert [decision["movie_id"] for decision in answer["decisions"]] == [1, 2, 3]
    assert answer["decisions"][1]["title"] == "Movie 2"
    assert answer["decisions"][1]["reasoning"] == "the plot"
    assert "excluded" not in answer


async def test_writes_only_what_the_schema_allows(sdk: AsyncAnthropic) -> None:
    """Without `excluded` in the schema every movie is decided, in the fields and the order of the schema."""
    item = {
        "type": "object",
        "additionalProperties": False,
        "required": ["movie_id", "confidence", "include"],
        "properties": {
            "movie_id": {"type": "integer"},
            "confidence": {"type": "number", "enum": [0, 0.5, 1]},
            "include": {"type": "boolean"},
        },
    }
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["decisions"],
        "properties": {"decisions": {"type": "array", "items": item}},
    }
    message = await sdk.messages.create(**request(output_config={"format": {"type": "json_schema", "schema": schema}}))

    answer = answer_of(message)
    assert list(answer) == ["decisions"]
    assert [list(decision.values()) for decision in answer["decisions"]] == [
        [1, 1, True],
        [2, 0, False],
        [3, 1, True],
    ]


@pytest.mark.parametrize(("style", "start"), [(FENCED, "```json\n{"), (PROSE, "Here is")])
async def test_wraps_its_json_when_told_to(
    sdk: AsyncAnthropic, claude: ClaudeStandIn, style: Style, start: str
) -> None:
    """Fences and prose surround JSON that is itself whole."""
    claude.queue_style(style)
    text = text_of(await sdk.messages.create(**request()))

    assert text.startswith(start)
    assert json.JSONDecoder().raw_decode(text[text.index("{") :])[0]["excluded"] == [2]


@pytest.mark.parametrize(
    ("style", "ids"),
    [
        (NORMAL, [1, 3, 5, 2, 4]),
        (Style(missing=2), [1, 3, 2]),
        (Style(duplicated=1), [1, 3, 5, 1, 2, 4]),
        (Style(duplicated=4), [1, 3, 5, 1, 3, 5, 2, 4, 2]),
        (Style(unknown=2), [1, 3, 5, 6, 7, 2, 4]),
        (Style(missing=99), []),
    ],
)
async def test_ids_go_wrong_when_told_to(
    sdk: AsyncAnthropic, claude: ClaudeStandIn, style: Style, ids: list[int]
) -> None:
    """Ids are missing, doubled or made up, as the style says."""
    claude.queue_style(style)
    answer = answer_of(await sdk.messages.create(**request(movies=movie_lines(5))))

    assert [decision["movie_id"] for decision in answer["decisions"]] + answer["excluded"] == ids


async def test_contradicts_itself_when_told_to(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """The second verdict on a movie can be the opposite of the first."""
    claude.queue_style(Style(duplicated=1, contradicted=True))
    decisions = answer_of(await sdk.messages.create(**request()))["decisions"]

    assert [decision["include"] for decision in decisions if decision["movie_id"] == 1] == [True, False]


async def test_reorders_when_told_to(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """The same movies come back in another order."""
    claude.style = Style(reordered=True)
    excluded = answer_of(await sdk.messages.create(**request(movies=movie_lines(60))))["excluded"]

    assert excluded != sorted(excluded)
    assert sorted(excluded) == list(range(2, 61, 2))


async def test_confidence_leaves_its_range_when_told_to(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A confidence can be one that the schema forbids."""
    claude.queue_style(Style(confidence=1.7))
    answer = answer_of(await sdk.messages.create(**request()))

    assert {decision["confidence"] for decision in answer["decisions"]} == {1.7}


async def test_refuses_when_told_to(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A refusal is a 200 without content, and no verdict was given."""
    claude.queue_style(Style(refused=True, refusal_category="reasoning_extraction"))
    message = await sdk.messages.create(**request())

    assert (message.stop_reason, message.content) == ("refusal", [])
    assert message.stop_details is not None
    assert message.stop_details.category == "reasoning_extraction"
    assert claude.asked_pairs() == []


async def test_styles_wait_for_their_request(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A queued style is used for the requests it is meant for, as often as it was queued."""
    claude.queue_style(Style(text="no JSON at all"), times=2, when=lambda record: record.collection_name == "Love")
    texts = [
        text_of(await sdk.messages.create(**request(collection=collection)))
        for collection in (HEIST, "<name>Love</name>", "<name>Love</name>", "<name>Love</name>")
    ]

    assert [text == "no JSON at all" for text in texts] == [False, True, True, False]


async def test_truncates_on_demand(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """An answer can end early although max_tokens would leave room."""
    claude.queue_style(Style(truncated_at=20))
    message = await sdk.messages.create(**request(thinking={"type": "between_tools"}))

    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 20)


FAULTS: list[tuple[Fault, type[anthropic.APIStatusError], str]] = [
    (CREDIT_BALANCE, anthropic.BadRequestError, "invalid_request_error"),
    (USAGE_LIMITS, anthropic.BadRequestError, "invalid_request_error"),
    (BAD_KEY, anthropic.AuthenticationError, "authentication_error"),
    (PAYMENT_REQUIRED, anthropic.APIStatusError, "billing_error"),
    (NOT_PERMITTED, anthropic.PermissionDeniedError, "permission_error"),
    (UNKNOWN_MODEL, anthropic.NotFoundError, "not_found_error"),
    (TOO_LARGE, anthropic.APIStatusError, "request_too_large"),
    (rate_limited(), anthropic.RateLimitError, "rate_limit_error"),
    (ENFORCED_SPEND_LIMIT, anthropic.RateLimitError, "rate_limit_error"),
    (SERVER_ERROR, anthropic.InternalServerError, "api_error"),
    (OVERLOADED, anthropic.APIStatusError, "overloaded_error"),
]


@pytest.mark.parametrize(("fault", "exception", "error_type"), FAULTS)
async def test_faults_raise_what_real_errors_raise(
    sdk: AsyncAnthropic,
    claude: ClaudeStandIn,
    fault: Fault,
    exception: type[anthropic.APIStatusError],
    error_type: str,
) -> None:
    """A queued fault happens once, with the status and type of the real error; the next request is answered."""
    claude.faults.add(fault)

    with pytest.raises(exception) as caught:
        await sdk.messages.create(**request())
    assert (caught.value.status_code, caught.value.type) == (fault.status, error_type)
    assert fault.message in str(caught.value)
    assert (await sdk.messages.create(**request())).stop_reason == "end_turn"


async def test_spend_limits_carry_their_code(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """The code by which a spend limit differs from a rate limit reaches the client, and no retry-after does."""
    claude.faults.add(ENFORCED_SPEND_LIMIT)

    with pytest.raises(anthropic.RateLimitError) as caught:
        await sdk.messages.create(**request())
    assert caught.value.error_code == "enforced_spend_limit_reached"
    assert "retry-after" not in caught.value.response.headers


async def test_the_sdk_obeys_the_headers_of_a_fault(url: str, claude: ClaudeStandIn) -> None:
    """retry-after and x-should-retry reach the SDK's own retries."""
    claude.faults.add(rate_limited(0.01))
    claude.faults.add(Fault(status=500, headers={"x-should-retry": "false"}))

    async with AsyncAnthropic(api_key=KEY, base_url=url, max_retries=2) as patient:
        with pytest.raises(anthropic.InternalServerError):
            await patient.messages.create(**request())

    assert [record.status for record in claude.requests] == [429, 500]


async def test_drops_connections(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A dropped connection is a connection error for the SDK."""
    claude.faults.add(DROPPED)

    with pytest.raises(anthropic.APIConnectionError):
        await sdk.messages.create(**request())


async def test_answers_late(url: str, claude: ClaudeStandIn) -> None:
    """A delayed answer runs into the client's time-out."""
    claude.faults.add(slow(5))

    async with AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0, timeout=0.2) as hasty:
        with pytest.raises(anthropic.APITimeoutError):
            await hasty.messages.create(**request())


async def test_answers_without_json(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A proxy's error page comes through as it is."""
    claude.faults.add(NOT_JSON)

    with pytest.raises(anthropic.InternalServerError) as caught:
        await sdk.messages.create(**request())
    assert "Bad Gateway" in str(caught.value.body)


async def test_faults_wait_for_their_call(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A fault can be meant for one collection, or for another path, and leaves other calls alone."""
    claude.faults.add(OVERLOADED, contains="<name>Love</name>")
    claude.faults.add(BAD_KEY, path="/v1/models/*")

    assert (await sdk.messages.create(**request())).stop_reason == "end_turn"
    with pytest.raises(anthropic.APIStatusError):
        await sdk.messages.create(**request(collection="<name>Love</name>"))
    with pytest.raises(anthropic.AuthenticationError):
        await sdk.models.retrieve("claude-haiku-5-5")
    assert len(claude.faults) == 0


async def test_faults_can_be_ordered_over_http(url: str, sdk: AsyncAnthropic) -> None:
    """A fault is queued by name or spelled out; one that cannot be understood is refused."""
    async with httpx2.AsyncClient(verify=PLAIN, base_url=url) as client:
        await client.post("/_fake/faults", json={"name": "overloaded"})
        await client.post("/_fake/faults", json={"fault": {"status": 403, "message": "no"}, "contains": "Heists"})
        refused = await client.post("/_fake/faults", json={"name": "flood"})
        garbled = await client.post("/_fake/faults", json={"stat": 1})

        for status in (529, 403):
            with pytest.raises(anthropic.APIStatusError) as caught:
                await sdk.messages.create(**request())
            assert caught.value.status_code == status
        await client.post("/_fake/faults", json={"name": "bad_key", "times": None})
        await client.delete("/_fake/faults")

    assert (refused.status_code, garbled.status_code) == (400, 400)
    assert (await sdk.messages.create(**request())).stop_reason == "end_turn"


async def test_streams_the_same_message(sdk: AsyncAnthropic) -> None:
    """A streamed answer adds up to the message that would have come whole."""
    whole = await sdk.messages.create(**request(movies=LONG))
    async with sdk.messages.stream(**request(movies=LONG)) as stream:
        kinds = [event.type async for event in stream]
        streamed = await stream.get_final_message()

    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert text_of(streamed) == text_of(whole)
    assert [block.type for block in streamed.content] == ["thinking", "text"]
    assert streamed.usage.output_tokens == whole.usage.output_tokens
    assert streamed.usage.cache_read_input_tokens == whole.usage.cache_creation_input_tokens
    assert streamed.stop_reason == "end_turn"


async def test_streams_break_off(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """An error within a stream comes as an event after a beginning of text, under status 200."""
    claude.faults.add(mid_stream(OVERLOADED))

    async with sdk.messages.stream(**request(movies=LONG)) as stream:
        assert await anext(stream.text_stream)
        with pytest.raises(anthropic.APIStatusError) as caught:
            await stream.until_done()

    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(mid_stream=True, drop=True), httpx2.RemoteProtocolError),
        (Fault(mid_stream=True, raw="event: content_block_delta\ndata: {\n\n"), ValueError),
        (Fault(mid_stream=True, status=None), None),
    ],
    ids=["dropped", "garbage", "nothing"],
)
async def test_streams_break_off_in_other_ways(
    sdk: AsyncAnthropic, claude: ClaudeStandIn, fault: Fault, error: type[Exception] | None
) -> None:
    """With the connection, with what is no event, or as if all were well."""
    claude.faults.add(fault)

    async with sdk.messages.stream(**request(movies=LONG)) as stream:
        with pytest.raises(error) if error else nullcontext():
            await stream.until_done()

    assert stream.current_message_snapshot.stop_reason is None
    assert 0 < len(text_of(stream.current_message_snapshot)) < len(claude.requests[0].answer)


async def test_what_a_stream_writes_can_be_read_before_its_end(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """As soon as it has begun; a request is being answered until then."""
    claude.writing = 0.5
    async with sdk.messages.stream(**request(movies=LONG)) as stream:
        await anext(stream)
        claude.writing = 0.0
        other = await sdk.messages.create(**request(movies=LONG, collection="Noir"))
        assert claude.in_flight == 1
        written = (await stream.get_final_message()).usage.cache_creation_input_tokens

    assert written
    assert other.usage.cache_read_input_tokens == written
    assert claude.peak_in_flight == 2
    # The client has all of an answer a moment before the server is done with it.
    for _ in range(500):
        if not claude.in_flight:
            break
        await asyncio.sleep(0.01)
    assert claude.in_flight == 0


async def test_a_gateway_may_ignore_the_wish_for_a_stream(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """The answer is a plain message then, and so are its errors."""
    claude.streams = False
    claude.faults.add(mid_stream(OVERLOADED))

    with pytest.raises(anthropic.OverloadedError):
        await sdk.messages.with_raw_response.create(**request(stream=True))
    raw = await sdk.messages.with_raw_response.create(**request(stream=True))

    assert raw.headers["content-type"] == "application/json"
    assert cast("dict[str, Any]", await raw.json())["stop_reason"] == "end_turn"


async def test_a_refusal_may_come_after_some_text(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """Its tokens count."""
    claude.style = Style(refused=True, text="I would")

    refused = await sdk.messages.create(**request())

    assert (refused.stop_reason, text_of(refused), refused.usage.output_tokens) == ("refusal", "I would", 2)


async def test_reports_rate_limits(sdk: AsyncAnthropic, claude: ClaudeStandIn, clock: Clock) -> None:
    """Every answer says what is left of the limits; a full minute later they are whole again."""
    claude.rate_limits.requests = 10
    remaining = []
    for pause in (0, 0, 60):
        clock.now += pause
        raw = await sdk.messages.with_raw_response.create(**request())
        remaining.append(raw.headers["anthropic-ratelimit-requests-remaining"])

    assert remaining == ["9", "8", "9"]
    assert raw.headers["anthropic-ratelimit-input-tokens-limit"] == "2000000"
    assert raw.headers["anthropic-ratelimit-output-tokens-reset"].endswith("Z")


async def test_bodies_that_are_no_json_are_refused(url: str) -> None:
    """A body that cannot be read is a 400, and so is one of another shape."""
    headers = {"x-api-key": KEY, "anthropic-version": "2026-10-21"}
    async with httpx2.AsyncClient(verify=PLAIN, base_url=url, headers=headers) as client:
        responses = [
            await client.post("/v1/messages", content=body)
            for body in (b"{", b"[]", b'{"model": "m", "max_tokens": 1, "messages": 7}', b"{}")
        ]

    assert {response.status_code for response in responses} == {400}


async def test_bodies_above_the_limit_are_too_large(url: str) -> None:
    """More than 32 MB is a 413, whatever it says."""
    headers = {"x-api-key": KEY, "anthropic-version": "2026-10-21"}
    async with httpx2.AsyncClient(verify=PLAIN, base_url=url, headers=headers) as client:
        response = await client.post("/v1/messages", content=b" " * (32 * 1024 * 1024 + 1))

    assert (response.status_code, response.json()["error"]["type"]) == (413, "request_too_large")


async def test_prompts_that_the_model_cannot_hold_are_refused(sdk: AsyncAnthropic) -> None:
    """A prompt above the model's context is a 400 that names both numbers."""
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 200000 maximum"):
        await sdk.messages.create(**request(model="claude-haiku-4-5", collection="word " * 150_000))


async def test_unknown_paths_are_not_found(url: str) -> None:
    """A base URL that ends in /v1 makes the SDK ask for a path that is not there."""
    async with AsyncAnthropic(api_key=KEY, base_url=f"{url}/v1", max_retries=0) as misled:
        with pytest.raises(anthropic.NotFoundError):
            await misled.messages.create(**request())


def batch_of(*collections: str) -> list[Any]:
    """The requests of a batch: the same movies for each collection."""
    return [
        {"custom_id": f"item-{number}", "params": request(movies=LONG, collection=collection)}
        for number, collection in enumerate(collections)
    ]


async def results_of(sdk: AsyncAnthropic, batch_id: str) -> dict[str, Any]:
    """The results of an ended batch, by custom id."""
    return {line.custom_id: line.result async for line in await sdk.messages.batches.results(batch_id)}


async def test_batches_are_answered_later(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A batch is in progress for the polls it was told to take, then has one result for every request."""
    claude.batches.polls = 2
    created = await sdk.messages.batches.create(requests=batch_of(HEIST, "<name>Love</name>"))
    seen = [await sdk.messages.batches.retrieve(created.id) for _ in range(3)]
    results = await results_of(sdk, created.id)

    assert created.results_url is None
    assert [batch.processing_status for batch in seen] == ["in_progress", "in_progress", "ended"]
    assert (seen[0].request_counts.processing, seen[2].request_counts.succeeded) == (2, 2)
    assert answer_of(results["item-0"].message)["collection_name"] == "Heists"
    assert results["item-1"].message.usage.service_tier == "batch"
    assert {(record.batch_id, record.custom_id) for record in claude.requests} == {
        (created.id, "item-0"),
        (created.id, "item-1"),
    }
    assert len(claude.asked_pairs()) == 80


async def test_batches_can_take_time(sdk: AsyncAnthropic, claude: ClaudeStandIn, clock: Clock) -> None:
    """A batch can also end by the clock."""
    claude.batches.polls = 0
    claude.batches.seconds = 600
    created = await sdk.messages.batches.create(requests=batch_of(HEIST))
    before = await sdk.messages.batches.retrieve(created.id)
    clock.now += 600
    after = await sdk.messages.batches.retrieve(created.id)

    assert (before.processing_status, after.processing_status) == ("in_progress", "ended")
    assert after.ended_at is not None


async def test_batches_come_back_in_another_order(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """The order of the results is not that of the requests."""
    claude.batches.polls = 0
    created = await sdk.messages.batches.create(requests=batch_of(*["<name>Love</name>"] * 20))
    order = list(await results_of(sdk, created.id))

    assert order != sorted(order)
    assert len(order) == 20


async def test_only_later_batches_read_what_a_batch_wrote(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """In a cold batch everybody pays for the write; a primed one reads; the Messages API's entries do not count."""
    claude.batches.polls = 0
    await sdk.messages.create(**request(movies=LONG))
    reads = []
    for _ in range(2):
        created = await sdk.messages.batches.create(requests=batch_of("<name>A</name>", "<name>B</name>"))
        results = await results_of(sdk, created.id)
        reads.append([bool(result.message.usage.cache_read_input_tokens) for result in results.values()])

    assert reads == [[False, False], [True, True]]


async def test_requests_of_a_batch_fail_one_by_one(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A wrong request is an error of its own; others can be made to fail or to expire."""
    claude.batches.polls = 0
    claude.batches.queue_outcome("expired", when=lambda record: record.custom_id == "item-1")
    claude.batches.queue_outcome("errored", when=lambda record: record.custom_id == "item-2")
    requests = [*batch_of(HEIST, HEIST, HEIST), {"custom_id": "wrong", "params": request(model="claude-opus-9")}]
    requests += [{"custom_id": "streamed", "params": request(stream=True)}]
    created = await sdk.messages.batches.create(requests=requests)
    results = await results_of(sdk, created.id)

    assert {name: result.type for name, result in results.items()} == {
        "item-0": "succeeded",
        "item-1": "expired",
        "item-2": "errored",
        "wrong": "errored",
        "streamed": "errored",
    }
    assert results["item-2"].error.error.type == "api_error"
    assert results["wrong"].error.error.type == "not_found_error"


async def test_batches_can_be_canceled_and_deleted(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """A canceled batch ends at its next poll without answers; only an ended one can be deleted."""
    claude.batches.polls = 9
    created = await sdk.messages.batches.create(requests=batch_of(HEIST))
    with pytest.raises(anthropic.BadRequestError):
        await sdk.messages.batches.delete(created.id)
    canceled = await sdk.messages.batches.cancel(created.id)
    results = await results_of(sdk, created.id)
    deleted = await sdk.messages.batches.delete(created.id)

    assert canceled.processing_status == "canceling"
    assert results["item-0"].type == "canceled"
    assert deleted.type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        await sdk.messages.batches.retrieve(created.id)


async def test_batches_expire_after_a_day(sdk: AsyncAnthropic, claude: ClaudeStandIn, clock: Clock) -> None:
    """What was not processed within 24 hours never will be."""
    claude.batches.polls = 0
    claude.batches.seconds = 48 * 3600
    created = await sdk.messages.batches.create(requests=batch_of(HEIST))
    clock.now += 24 * 3600
    results = await results_of(sdk, created.id)

    assert results["item-0"].type == "expired"
    assert claude.asked_pairs() == []


async def test_batches_are_listed_newest_first(sdk: AsyncAnthropic) -> None:
    """The list goes on over several pages, backwards in time."""
    created = [(await sdk.messages.batches.create(requests=batch_of(HEIST))).id for _ in range(5)]
    listed = [batch.id async for batch in sdk.messages.batches.list(limit=2)]

    assert listed == created[::-1]


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [{"custom_id": "not an id", "params": {}}],
        [{"custom_id": "a"}],
        [{"custom_id": "a", "params": {}}, {"custom_id": "a", "params": {}}],
    ],
    ids=["none", "bad id", "no params", "same id twice"],
)
async def test_refuses_batches_with_wrong_ids(sdk: AsyncAnthropic, requests: list[Any]) -> None:
    """Ids have to be plain and unique, and every request needs its parameters."""
    with pytest.raises(anthropic.BadRequestError):
        await sdk.messages.batches.create(requests=requests)


async def test_an_answer_can_be_lost_after_the_work_is_done(url: str, claude: ClaudeStandIn) -> None:
    """A batch whose answer never arrived exists, so that the SDK's own retry makes a second one."""
    claude.faults.add(msgspec.structs.replace(DROPPED, afterwards=True), path="/v1/messages/batches")

    async with AsyncAnthropic(api_key=KEY, base_url=url, max_retries=1) as stubborn:
        await stubborn.messages.batches.create(requests=batch_of(HEIST))

    assert len(claude.batches.known) == 2


async def test_has_a_judge_of_its_own(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """Without a judge of the caller's, movies belong where the collection's text names their genres."""
    claude.judge = judge_by_genre
    movies = "\n".join(
        json.dumps({"movie_id": number, "title": genre, "genres": [genre]})
        for number, genre in ((1, "Crime"), (2, "War"))
    )
    answer = answer_of(await sdk.messages.create(**request(movies=movies, collection="<name>C</name> crime films")))

    assert [decision["movie_id"] for decision in answer["decisions"]] == [1]
    assert answer["excluded"] == [2]


async def test_reads_a_request_of_one_block(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """Where movies and collection share one text, the lines that are no movies are the collection."""
    text = f"{HEIST}\n{movie_lines(2)}\n{{not a movie}}"
    await sdk.messages.create(**request(messages=[{"role": "user", "content": text}]))

    assert claude.asked_pairs() == [("Heists", "Movie 1"), ("Heists", "Movie 2")]
    assert claude.requests[0].movie_ids == (1, 2)


async def test_forgets_its_log_but_not_its_cache(sdk: AsyncAnthropic, claude: ClaudeStandIn) -> None:
    """The log can be emptied between two parts of a test."""
    await sdk.messages.create(**request(movies=LONG))
    claude.forget()
    message = await sdk.messages.create(**request(movies=LONG))

    assert (len(claude.requests), len(claude.calls), claude.peak_in_flight) == (1, 1, 1)
    assert message.usage.cache_read_input_tokens
    assert claude.requests[0].model == "claude-sonnet-5-5"
