"""The provider for Claude: what it sends, and what it makes of every kind of answer."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog

from kometa_ai.asking.prompts import FORM, SCHEMA, SYSTEM, collection_text
from kometa_ai.errors import CheckModel
from kometa_ai.judging.records import records_text
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import Failure, Reply, ReplyEnd, Request, RequestFailed, Usage
from kometa_ai.standins import claude_faults as faults
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.claude_answers import REFUSED, Style
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.claude_wire import event
from kometa_ai.standins.serving import serve
from tests.asking.support import KEY, MODEL, collection, judge, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REQUEST = Request(
    form=FORM,
    movies=records_text(movies(30)),
    collection=collection_text(collection()),
    model=MODEL,
    cache=True,
    expected_tokens=6000,
)
JSON = {"content-type": "application/json"}


@pytest.fixture
def claude() -> ClaudeStandIn:
    """The stand-in that is asked."""
    return ClaudeStandIn(judge=judge, api_key=KEY)


@asynccontextmanager
async def provider_for(claude: ClaudeStandIn, key: str = KEY, **options: Any) -> AsyncIterator[Claude]:
    """A provider that talks to the stand-in."""
    with serve(claude.app) as url:
        async with Claude(key, url, **options) as provider:
            yield provider


async def ask(claude: ClaudeStandIn, request: Request = REQUEST, begun: Begun | None = None, **options: Any) -> Reply:
    """Ask once."""
    async with provider_for(claude, **options) as provider:
        return await provider.ask(request, begun)


async def failure_of(claude: ClaudeStandIn, fault: Fault | None = None, **options: Any) -> RequestFailed:
    """How asking fails."""
    if fault is not None:
        claude.faults.add(fault)
    with pytest.raises(RequestFailed) as caught:
        await ask(claude, **options)
    return caught.value


class Begun(list[int]):
    """What is told when an answer has begun: the requests that are being answered at that moment."""

    def __init__(self, claude: ClaudeStandIn) -> None:
        super().__init__()
        self._claude = claude

    def __call__(self) -> None:
        """It has begun."""
        self.append(self._claude.in_flight)


def streamed(*events: dict[str, Any]) -> Fault:
    """These events, as any endpoint might send them."""
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return Fault(status=200, raw="".join(lines), headers={"content-type": "text/event-stream; charset=utf-8"})


def message(*texts: str, **fields: Any) -> Fault:
    """A message word for word, as any endpoint might send it."""
    content = [{"type": "text", "text": text} for text in texts]
    whole = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 7, "output_tokens": 3},
        **fields,
    }
    return Fault(status=200, raw=json.dumps(whole), headers=JSON)


async def reply_to(claude: ClaudeStandIn, answer: Fault) -> Reply:
    """What is made of an answer."""
    claude.faults.add(answer)
    return await ask(claude)


# What is sent


async def test_the_movies_come_first_and_end_in_a_breakpoint(claude: ClaudeStandIn) -> None:
    """Then the collection, which is not marked; the system prompt and the one schema are constant."""
    await ask(claude)

    body = claude.requests[0].body
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": REQUEST.movies, "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": REQUEST.collection},
            ],
        }
    ]
    assert body["system"] == SYSTEM
    assert body["output_config"]["format"] == {"type": "json_schema", "schema": SCHEMA}
    assert not {"temperature", "top_p", "top_k", "stream", "tools"} & body.keys()


async def test_without_others_that_share_them_movies_are_not_cached(claude: ClaudeStandIn) -> None:
    """A cache write that no request reads would cost a quarter more."""
    await ask(claude, msgspec.structs.replace(REQUEST, cache=False))

    assert "cache_control" not in json.dumps(claude.requests[0].body)


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-haiku-4-5"])
async def test_a_count_is_of_what_is_sent(claude: ClaudeStandIn, model: str) -> None:
    """The free count of a request is the size of the very prompt that asking then sends."""
    request = msgspec.structs.replace(REQUEST, model=model, cache=False)
    async with provider_for(claude) as provider:
        counted = await provider.count(request)
        reply = await provider.ask(request)

    assert counted == reply.usage.input_tokens


async def test_what_counts_nothing_is_no_claude(claude: ClaudeStandIn) -> None:
    """A page in place of a count is a failure like any other, not a number."""
    claude.faults.add(Fault(status=200, raw="<html>", headers={"content-type": "text/html"}), path="*")
    with pytest.raises(RequestFailed):
        async with provider_for(claude) as provider:
            await provider.count(REQUEST)


@pytest.mark.parametrize(("model", "is_cached"), [("claude-haiku-5-5", True), ("claude-haiku-4-5", False)])
async def test_the_system_prompt_can_be_cached_by_itself(claude: ClaudeStandIn, model: str, *, is_cached: bool) -> None:
    """For requests about other movies, where the model caches what is so short."""
    request = msgspec.structs.replace(REQUEST, model=model, cache=False, cache_system=True)
    async with provider_for(claude) as provider:
        first = await provider.ask(request)
        other = await provider.ask(msgspec.structs.replace(request, movies=records_text(movies(20))))

    assert ("cache_control" in json.dumps(claude.requests[0].body)) == is_cached
    assert (first.usage.cache_write_tokens >= 512) == is_cached
    assert other.usage.cache_read_tokens == first.usage.cache_write_tokens
    assert other.usage.cache_write_tokens == 0


@pytest.mark.parametrize(
    "model",
    ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-haiku-4-5", "claude-haiku-4-5-20251001"],
)
async def test_each_model_gets_what_it_takes(claude: ClaudeStandIn, model: str) -> None:
    """No model refuses the form of our requests, and none thinks more than it must."""
    reply = await ask(claude, msgspec.structs.replace(REQUEST, model=model))

    assert reply.ending is ReplyEnd.COMPLETE
    assert claude.requests[0].usage["output_tokens_details"]["thinking_tokens"] <= 40


async def test_a_large_request_is_sent_too(claude: ClaudeStandIn) -> None:
    """The SDK refuses long answers that are not streamed, unless it is told a time-out."""
    reply = await ask(claude, msgspec.structs.replace(REQUEST, expected_tokens=4000 + 80 * 300))

    assert reply.ending is ReplyEnd.COMPLETE


async def test_usage_is_what_claude_says(claude: ClaudeStandIn) -> None:
    """The first request writes the movies to the cache, another collection reads them."""
    async with provider_for(claude) as provider:
        first = await provider.ask(REQUEST)
        other = await provider.ask(msgspec.structs.replace(REQUEST, collection=collection_text(collection("Noir"))))

    assert first.usage.cache_write_tokens == other.usage.cache_read_tokens > 512
    assert first.usage.cache_read_tokens == other.usage.cache_write_tokens == 0
    assert first.usage.requests == 1
    assert (first.usage + other.usage).output_tokens == claude.usage_totals()["output_tokens"]


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("claude-sonnet-5-5", 512),
        ("claude-opus-5", 512),
        ("claude-sonnet-5", 1024),
        ("claude-opus-4-7", 2048),
        ("claude-haiku-4-5", 4096),
    ],
)
def test_a_prefix_is_cached_from_the_model_s_minimum_on(model: str, tokens: int) -> None:
    """The system prompt counts; dated names are known too."""
    provider = Claude(KEY)

    assert provider.traits(model).caches(FORM.tokens + tokens)
    assert not provider.traits(model).caches(FORM.tokens + tokens - 800)
    assert not provider.traits("claude-haiku-4-5-20251001").caches(FORM.tokens + 2000)


# What is made of answers


async def test_several_text_blocks_are_one_text(claude: ClaudeStandIn) -> None:
    """With thinking before and between them."""
    content = [
        {"type": "thinking", "thinking": "", "signature": "x"},
        {"type": "text", "text": '{"decisions": [], '},
        {"type": "something_new", "text": "no"},
        {"type": "text", "text": '"excluded": [1]}'},
    ]

    assert (await reply_to(claude, message(content=content))).text == '{"decisions": [], "excluded": [1]}'


@pytest.mark.parametrize(
    ("stop_reason", "ending"),
    [
        ("end_turn", ReplyEnd.COMPLETE),
        ("stop_sequence", ReplyEnd.COMPLETE),
        ("pause_turn", ReplyEnd.COMPLETE),
        ("something_new", ReplyEnd.COMPLETE),
        (None, ReplyEnd.COMPLETE),
        ("max_tokens", ReplyEnd.TRUNCATED),
        ("model_context_window_exceeded", ReplyEnd.TRUNCATED),
        ("refusal", ReplyEnd.REFUSED),
    ],
)
async def test_each_stop_reason_has_an_ending(claude: ClaudeStandIn, stop_reason: str | None, ending: ReplyEnd) -> None:
    """What is not known to be a cut or a refusal is read as it is."""
    reply = await reply_to(claude, message("{}", stop_reason=stop_reason))

    assert (reply.ending, reply.text) == (ending, "{}")


async def test_a_refusal_may_have_no_content(claude: ClaudeStandIn) -> None:
    """And counts as a request."""
    claude.queue_style(REFUSED)

    reply = await ask(claude)

    assert (reply.ending, reply.text, reply.usage.requests) == (ReplyEnd.REFUSED, "", 1)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"input_tokens": None, "output_tokens": None},
        {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": None, "cache_read_input_tokens": None},
        {
            "input_tokens": -5,
            "output_tokens": "many",
            "cache_read_input_tokens": [1],
            "cache_creation_input_tokens": {},
        },
        {"input_tokens": 12.5, "output_tokens": 10**30},
    ],
)
async def test_usage_may_be_left_out(claude: ClaudeStandIn, usage: object) -> None:
    """Other endpoints do, or write nonsense; an answer that was paid for is not thrown away for it."""
    reply = await reply_to(claude, message("{}", usage=usage))

    assert (reply.text, reply.usage) == ("{}", Usage(requests=1))


@pytest.mark.parametrize("content", [None, []])
async def test_content_may_be_missing(claude: ClaudeStandIn, content: object) -> None:
    """There is no text then."""
    assert (await reply_to(claude, message(content=content))).text == ""


@pytest.mark.parametrize(
    "answer",
    [
        Fault(status=200, raw="<html>Please log in</html>"),
        Fault(status=200, raw="", headers=JSON),
        Fault(status=200, raw="[]", headers=JSON),
        Fault(status=200, raw="null", headers=JSON),
        Fault(status=200, raw='"hello"', headers=JSON),
        Fault(status=200, raw='{"error": "no such route"}', headers=JSON),
        Fault(status=200, raw='{"content": "text"}', headers=JSON),
        Fault(status=200, raw='{"id": "msg_1", "content": [{"type": "text", "te', headers=JSON),
    ],
    ids=lambda fault: fault.raw[:20] or "empty",
)
async def test_an_answer_that_is_no_message_is_unreadable(claude: ClaudeStandIn, answer: Fault) -> None:
    """A portal's page, half an answer, another service: one clear failure, never a crash."""
    failed = await failure_of(claude, answer)

    assert failed.failure is Failure.UNREADABLE
    assert "CLAUDE_BASE_URL" in str(failed)


# Failures


@pytest.mark.parametrize(
    "fault",
    [
        faults.BAD_KEY,
        faults.PAYMENT_REQUIRED,
        faults.NOT_PERMITTED,
        faults.UNKNOWN_MODEL,
        faults.CREDIT_BALANCE,
        faults.USAGE_LIMITS,
        faults.ON_HOLD,
        faults.ENFORCED_SPEND_LIMIT,
        faults.CONTRACT_SPEND_LIMIT,
        Fault(status=400, message="Try again.", details={"error_code": "organization_on_hold"}),
        Fault(status=403, raw="<html>Forbidden</html>"),
        Fault(status=429, message="Too much.", error_type="enforced_spend_limit_reached"),
        Fault(status=429, raw='{"error": {"code": "enforced_spend_limit_reached", "message": "No."}}', headers=JSON),
        Fault(status=429, message="enforced_spend_limit_reached"),
        Fault(status=400, message="The compiled grammar is too large."),
        Fault(status=400, message="output_config.format: Input should be an object"),
        Fault(status=400, message="This model does not support the effort parameter."),
        Fault(status=400, message='"thinking.type.disabled" is not supported for this model.'),
    ],
    ids=lambda fault: f"{fault.status} {fault.message[:40]}",
)
async def test_what_every_request_would_meet_stops_the_run(claude: ClaudeStandIn, fault: Fault) -> None:
    """A key, a permission, money or a model: with what Claude said, and what to do."""
    claude.faults.add(fault)

    with pytest.raises(CheckModel) as caught:
        await ask(claude)

    assert caught.value.remedy
    assert fault.raw or fault.message[:30] in caught.value.message


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (faults.rate_limited(1), Failure.RATE_LIMITED),
        (faults.rate_limited(None), Failure.RATE_LIMITED),
        (faults.OVERLOADED, Failure.OVERLOADED),
        (faults.SERVER_ERROR, Failure.SERVER_ERROR),
        (faults.UNAVAILABLE, Failure.SERVER_ERROR),
        (faults.GATEWAY_TIMEOUT, Failure.SERVER_ERROR),
        (faults.NOT_JSON, Failure.SERVER_ERROR),
        (Fault(status=408, message="Timeout"), Failure.NO_CONNECTION),
        (Fault(status=409, message="Conflict"), Failure.SERVER_ERROR),
        (faults.DROPPED, Failure.NO_CONNECTION),
        (faults.TOO_LARGE, Failure.TOO_LARGE),
        (faults.TOO_LARGE_AT_THE_EDGE, Failure.TOO_LARGE),
        (Fault(status=400, message="prompt is too long: 1 tokens > 0 maximum"), Failure.REJECTED),
        (Fault(status=400, message="Invalid request data"), Failure.REJECTED),
        (Fault(status=418, message="I am a teapot"), Failure.REJECTED),
    ],
)
async def test_what_only_this_request_met_is_named(claude: ClaudeStandIn, fault: Fault, failure: Failure) -> None:
    """So that it can be retried, halved or left."""
    assert (await failure_of(claude, fault)).failure is failure
    assert len(claude.calls) == 1


async def test_a_wrong_address_is_no_connection() -> None:
    """It says so, and that nothing was sent."""
    async with Claude(KEY, "http://127.0.0.1:9") as provider:
        with pytest.raises(RequestFailed) as caught:
            await provider.ask(REQUEST)

    assert caught.value.failure is Failure.NO_CONNECTION
    assert not caught.value.may_be_billed


async def test_a_lost_answer_may_have_been_billed(claude: ClaudeStandIn) -> None:
    """If the connection ended after the request was sent, its cost is unclear; an error message costs nothing."""
    lost = await failure_of(claude, faults.DROPPED)
    refused = await failure_of(claude, faults.OVERLOADED)

    assert (lost.may_be_billed, refused.may_be_billed) == (True, False)


async def test_an_answer_that_does_not_come_is_no_connection(claude: ClaudeStandIn) -> None:
    """After the time-out, with words that say it."""
    failed = await failure_of(claude, faults.slow(30), timeout=0.05)

    assert failed.failure is Failure.NO_CONNECTION
    assert failed.may_be_billed
    assert "timed out" in str(failed)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0.5", 0.5), ("0", 0), ("-3", 0), ("86400", 86400), ("soon", None), ("", None), ("nan", None)],
)
async def test_retry_after_may_be_seconds(claude: ClaudeStandIn, header: str, seconds: float | None) -> None:
    """What cannot be read is as if it were not there."""
    failed = await failure_of(claude, Fault(status=429, headers={"retry-after": header}))

    assert failed.retry_after == seconds


@pytest.mark.parametrize(("ahead", "expected"), [(60, 60), (-60, 0)])
async def test_retry_after_may_be_a_date(claude: ClaudeStandIn, ahead: int, expected: int) -> None:
    """As HTTP allows; a date in the past means now."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)

    failed = await failure_of(claude, Fault(status=529, headers={"retry-after": date}))

    assert failed.retry_after == pytest.approx(expected, abs=3)


async def test_the_sdk_does_not_retry_by_itself(claude: ClaudeStandIn) -> None:
    """Not even when the server asks for it."""
    await failure_of(claude, Fault(status=529, headers={"x-should-retry": "true"}))

    assert len(claude.calls) == 1


@pytest.mark.parametrize("key", ["sk-\u2026", "sk-ant\n", "sk-\ud800"])
async def test_a_key_that_no_header_can_hold_is_a_wrong_key(claude: ClaudeStandIn, key: str) -> None:
    """Copied from a document with a typographic sign, for example."""
    with pytest.raises(CheckModel, match="CLAUDE_API_KEY"):
        await ask(claude, key=key)

    assert claude.calls == []


async def test_other_credentials_of_the_environment_are_not_used(
    claude: ClaudeStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key of the settings is the one that is sent, without a complaint."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "another")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a third")

    await ask(claude)

    assert claude.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_cut_answer_is_truncated(claude: ClaudeStandIn) -> None:
    """And its text is what there is of it."""
    claude.queue_style(Style(truncated_at=60))

    reply = await ask(claude)

    assert reply.ending is ReplyEnd.TRUNCATED
    assert 0 < len(reply.text) < len(claude.requests[0].answer) + 1


# Answers in a stream


async def test_a_streamed_answer_is_the_one_that_comes_whole(claude: ClaudeStandIn) -> None:
    """The same text and usage, the request's own cache included; only that it has begun is known before its end."""
    claude.writing = 0.2
    begun = Begun(claude)
    async with provider_for(claude) as provider:
        first = await provider.ask(REQUEST, begun)
        claude.cache.clear()
        whole = await provider.ask(REQUEST)

    assert begun == [1]
    assert first == whole
    assert first.usage.cache_write_tokens > 512
    assert [request.body.get("stream") for request in claude.requests] == [True, None]


async def test_a_gateway_that_does_not_stream_is_understood(claude: ClaudeStandIn) -> None:
    """It has begun when it is complete then."""
    claude.streams = False
    begun = Begun(claude)
    async with provider_for(claude) as provider:
        first = await provider.ask(REQUEST, begun)
        claude.cache.clear()
        whole = await provider.ask(REQUEST)

    assert (begun, first) == ([0], whole)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize(
    ("style", "ending", "times"),
    [
        (REFUSED, ReplyEnd.REFUSED, 0),
        (Style(refused=True, text='{"dec'), ReplyEnd.REFUSED, 1),
        (Style(truncated_at=60), ReplyEnd.TRUNCATED, 1),
    ],
    ids=["refused", "refused later", "cut"],
)
async def test_a_streamed_answer_has_an_ending(
    claude: ClaudeStandIn, style: Style, ending: ReplyEnd, times: int, *, streams: bool
) -> None:
    """And a refusal without a text has no beginning."""
    claude.streams = streams
    claude.queue_style(style)
    begun = Begun(claude)

    reply = await ask(claude, begun=begun)

    assert (reply.ending, len(begun)) == (ending, times)
    assert reply.text == claude.requests[0].answer
    assert reply.usage.output_tokens == claude.usage_totals()["output_tokens"]


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (faults.rate_limited(), Failure.RATE_LIMITED),
        (faults.OVERLOADED, Failure.OVERLOADED),
        (faults.SERVER_ERROR, Failure.SERVER_ERROR),
        (faults.GATEWAY_TIMEOUT, Failure.SERVER_ERROR),
        (Fault(status=500, error_type="something_new"), Failure.SERVER_ERROR),
        (faults.TOO_LARGE, Failure.TOO_LARGE),
        (Fault(status=400, message="Invalid request data"), Failure.REJECTED),
        (Fault(raw="event: error\ndata: upstream is gone\n\n"), Failure.SERVER_ERROR),
        (Fault(raw='event: message\ndata: {"error": {"code": 529, "message": "busy"}}\n\n'), Failure.OVERLOADED),
        (faults.DROPPED, Failure.NO_CONNECTION),
        (Fault(status=None), Failure.NO_CONNECTION),
        (Fault(raw="event: message_delta\ndata: {\n\n"), Failure.UNREADABLE),
        (Fault(raw='event: message_delta\ndata: {"type": "message_delta"}\n\n'), Failure.UNREADABLE),
    ],
    ids=lambda value: f"{value.status} {value.error_type} {value.raw}"[:40] if isinstance(value, Fault) else "",
)
async def test_an_answer_that_breaks_off_is_a_failure(claude: ClaudeStandIn, fault: Fault, failure: Failure) -> None:
    """By the type of its error, whatever the status was; what was answered until then may be billed."""
    begun = Begun(claude)

    failed = await failure_of(claude, faults.mid_stream(fault), begun=begun)

    assert failed.failure is failure
    assert failed.may_be_billed
    assert len(begun) == 1


@pytest.mark.parametrize(
    "fault",
    [faults.BAD_KEY, faults.CREDIT_BALANCE, faults.ENFORCED_SPEND_LIMIT, faults.NOT_PERMITTED, faults.UNKNOWN_MODEL],
    ids=lambda fault: str(fault.status),
)
async def test_what_stops_the_run_does_so_within_a_stream_too(claude: ClaudeStandIn, fault: Fault) -> None:
    """With what Claude said."""
    claude.faults.add(faults.mid_stream(fault))

    with pytest.raises(CheckModel) as caught:
        await ask(claude, begun=Begun(claude))

    assert fault.message[:30] in caught.value.message


@pytest.mark.parametrize(
    "answer",
    [
        streamed(),
        streamed({"type": "ping"}),
        streamed({"type": "message_stop"}),
        Fault(status=200, raw="<html>Please log in</html>"),
        Fault(status=200, raw="[]", headers=JSON),
        Fault(status=200, raw='{"error": "no such route"}', headers=JSON),
    ],
    ids=["empty", "ping", "stop", "page", "list", "object"],
)
async def test_a_stream_that_is_no_answer_is_unreadable(claude: ClaudeStandIn, answer: Fault) -> None:
    """As a plain one is."""
    begun = Begun(claude)

    failed = await failure_of(claude, answer, begun=begun)

    assert (failed.failure, begun) == (Failure.UNREADABLE, [])
    assert "CLAUDE_BASE_URL" in str(failed)


START = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "cache_read_input_tokens": 5}}}
TEXT = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "{}"}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}
STOP = {"type": "message_stop"}


@pytest.mark.parametrize(
    ("events", "used"),
    [
        ((START, TEXT, END, STOP), Usage(requests=1, input_tokens=7, cache_read_tokens=5, output_tokens=3)),
        (
            (START, TEXT, {**END, "usage": {"output_tokens": 3, "input_tokens": 9}}),
            Usage(requests=1, input_tokens=9, cache_read_tokens=5, output_tokens=3),
        ),
        (
            ({"type": "message_start", "message": {}}, TEXT, {"type": "message_delta", "delta": {}}, STOP),
            Usage(requests=1),
        ),
        (
            (START, {"type": "news"}, TEXT, {**END, "usage": {"input_tokens": None}}, STOP),
            Usage(requests=1, input_tokens=7, cache_read_tokens=5),
        ),
    ],
    ids=["as Claude does", "no last event", "nothing counted", "nothing new"],
)
async def test_other_endpoints_stream_in_their_own_way(
    claude: ClaudeStandIn, events: tuple[dict[str, Any], ...], used: Usage
) -> None:
    """What was counted last holds; an answer that was paid for is not thrown away for what is missing."""
    claude.faults.add(streamed(*events))

    reply = await ask(claude, begun=Begun(claude))

    assert (reply.text, reply.ending, reply.usage) == ("{}", ReplyEnd.COMPLETE, used)


@asynccontextmanager
async def endless(*events: dict[str, Any], closes: bool) -> AsyncIterator[str]:
    """The address of a server that sends these events without an end: it hangs up, or goes on sending pings only."""
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for each in events:
            writer.write(chunk(each))
        with suppress(ConnectionError):
            while not closes:
                writer.write(chunk({"type": "ping"}))
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    def chunk(content: dict[str, Any]) -> bytes:
        data = event(content)
        return b"%x\r\n%s\r\n" % (len(data), data)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await gone.wait()


@pytest.mark.parametrize("closes", [True, False], ids=["hangs up", "goes on"])
@pytest.mark.parametrize("events", [(START, TEXT, END), (START, TEXT, END, STOP)], ids=["no last event", "all events"])
async def test_what_comes_after_a_complete_answer_does_not_matter(
    events: tuple[dict[str, Any], ...], *, closes: bool
) -> None:
    """Its answer is used: a gateway that does not end its streams, or breaks off there, causes no second charge."""
    async with endless(*events, closes=closes) as url, Claude(KEY, url, timeout=20) as provider:
        reply = await provider.ask(REQUEST, lambda: None)

    assert (reply.text, reply.ending, reply.usage.output_tokens) == ("{}", ReplyEnd.COMPLETE, 3)


async def test_an_answer_that_never_ends_is_given_up(claude: ClaudeStandIn) -> None:
    """However regularly something arrives."""
    claude.writing = 30

    failed = await failure_of(claude, timeout=0.5, begun=Begun(claude))

    assert (failed.failure, failed.may_be_billed) == (Failure.NO_CONNECTION, True)
    assert "timed out" in str(failed)


@pytest.mark.parametrize("streams", [True, False])
async def test_limits_nearly_used_up_are_seen_in_a_stream_too(claude: ClaudeStandIn, *, streams: bool) -> None:
    """They are in the headers."""
    claude.streams = streams
    claude.rate_limits.requests = 1

    assert (await ask(claude, begun=Begun(claude))).pause > 0


# The log


@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [
        (None, "complete", 200),
        (faults.OVERLOADED, "overloaded", 529),
        (faults.BAD_KEY, "stopped", 401),
        (faults.DROPPED, "no connection", None),
        (Fault(status=200, raw="<html>"), "unreadable answer", 200),
    ],
    ids=["complete", "busy", "key", "lost", "page"],
)
async def test_every_call_is_logged(
    claude: ClaudeStandIn, fault: Fault | None, outcome: str, status: int | None, *, is_streamed: bool
) -> None:
    """With what it was for, how it ended, how long it took, and what went over the line."""
    if fault is not None:
        claude.faults.add(fault)
    with structlog.testing.capture_logs() as lines, suppress(RequestFailed, CheckModel):
        await ask(claude, begun=Begun(claude) if is_streamed else None)

    (line,) = [line for line in lines if line["event"] == "claude.call"]
    assert (line["log_level"], line["model"], line["outcome"]) == ("debug", MODEL, outcome)
    assert line["milliseconds"] >= 0
    assert line.get("status") == status
    if status is not None:
        assert line["request_id"].startswith("req_")
        assert line["request_bytes"] > len(REQUEST.movies)
        assert line["response_bytes"] > 0
    assert (line.get("output_tokens", 0) > 0) == (outcome == "complete")
    assert ("why" in line) == (outcome != "complete")


@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [(None, "answered", 200), (faults.BAD_KEY, "answered", 401), (faults.DROPPED, "no connection", None)],
    ids=["answered", "refused", "lost"],
)
async def test_calls_that_ask_nothing_are_logged_too(
    claude: ClaudeStandIn, fault: Fault | None, outcome: str, status: int | None
) -> None:
    """By their paths."""
    if fault is not None:
        claude.faults.add(fault, path="*")
    with structlog.testing.capture_logs() as lines, suppress(CheckModel):
        async with provider_for(claude) as provider:
            await provider.check(MODEL)

    (line,) = [line for line in lines if line["event"] == "claude.call"]
    assert (line["method"], line["path"]) == ("GET", f"/v1/models/{MODEL}")
    assert (line["outcome"], line.get("status")) == (outcome, status)
    assert line["milliseconds"] >= 0
    assert status is None or line["response_bytes"] > 0


async def test_the_check_shows_the_key_and_the_version_as_the_sdk_does(claude: ClaudeStandIn) -> None:
    """It is sent without the SDK; a newer SDK that asks for another version of the API has to be followed."""
    async with provider_for(claude) as provider:
        await provider.check(MODEL)
        await provider.ask(REQUEST)
    check, question = claude.calls

    assert (check.method, question.method) == ("GET", "POST")
    for name in ("authorization", "anthropic-version", "accept"):
        assert check.headers[name] == question.headers[name]


async def test_a_call_that_broke_off_is_logged_with_what_came(claude: ClaudeStandIn) -> None:
    """Its status was good."""
    claude.faults.add(faults.mid_stream(faults.OVERLOADED))
    with structlog.testing.capture_logs() as lines, suppress(RequestFailed):
        await ask(claude, begun=Begun(claude))

    (line,) = [line for line in lines if line["event"] == "claude.call"]
    assert (line["status"], line["outcome"]) == (200, "overloaded")
    assert line["response_bytes"] > 500
    assert "Overloaded" in line["why"]


# The check before anything is asked


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Fault(status=404, message="Not found"),
        Fault(status=200, raw="<html>Welcome</html>"),
        Fault(status=200, raw='{"data": [', headers=JSON),
        Fault(status=200, raw="null", headers=JSON),
    ],
    ids=["claude", "no such call", "a page", "half an answer", "null"],
)
async def test_the_check_is_free_and_lets_proxies_pass(claude: ClaudeStandIn, answer: Fault | None) -> None:
    """A proxy that does not have this call proves nothing."""
    if answer is not None:
        claude.faults.add(answer, path="*")
    async with provider_for(claude) as provider:
        await provider.check(MODEL)

    assert claude.requests == []


@pytest.mark.parametrize("fault", [faults.BAD_KEY, faults.OVERLOADED, faults.DROPPED], ids=["key", "busy", "network"])
async def test_the_check_says_what_to_do(claude: ClaudeStandIn, fault: Fault) -> None:
    """For a key that is refused, and where Claude does not answer."""
    claude.faults.add(fault, path="*")
    async with provider_for(claude) as provider:
        with pytest.raises(CheckModel) as caught:
            await provider.check(MODEL)

    assert caught.value.remedy


async def test_calls_are_counted_by_outcome(claude: ClaudeStandIn) -> None:
    """Those that failed too."""
    answers = [faults.OVERLOADED, faults.BAD_KEY, Fault(status=200, raw="{", headers=JSON), Fault(status=200, raw="x")]
    for fault in answers:
        claude.faults.add(fault)
    async with provider_for(claude) as provider:
        for _ in answers:
            with pytest.raises((RequestFailed, CheckModel)):
                await provider.ask(REQUEST)
        await provider.ask(REQUEST)

    assert provider.calls == {Failure.OVERLOADED: 1, "stopped": 1, Failure.UNREADABLE: 2, ReplyEnd.COMPLETE: 1}
