"""Claude, through the official SDK. The one module that imports it, and only when there is something to ask.

Retries are ours (`asking`), not the SDK's: it obeys a `retry-after` of a day, and repeats what cannot succeed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec
import structlog

from kometa_ai.classifier.claude_connection import bound_of, unconnected, way_to, without_foreign_headers
from kometa_ai.classifier.claude_failures import failure_of, lost, not_claude
from kometa_ai.classifier.claude_messages import Streamed, arguments, is_cached, pause_of, reply_of
from kometa_ai.classifier.provider import Failure, Reply, Request, RequestFailed, Usage
from kometa_ai.errors import CheckClaude
from kometa_ai.network.bounds import AnswerTooLarge
from kometa_ai.network.client import open_client
from kometa_ai.network.environment import Network

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterator, Mapping

    import anthropic
    import httpx2
    from anthropic import APIRequest, AsyncAPIResponse, AsyncCallNext

TIMEOUT = 300.0
"""Seconds. The first request with a schema waits for its grammar to be compiled, up to three minutes."""
CHECK_TIMEOUT = CONNECT_TIMEOUT = 20.0
LAST_WORDS = 0.5
"""Seconds for a stream to end behind a complete answer, so that its connection can be used again."""

_QUESTIONS = "/v1/messages"
_log = structlog.get_logger()


class ClaudeSilent(CheckClaude):
    """Claude does not answer just now; it may later."""


class Claude:
    """Anthropic's Messages API as a provider."""

    def __init__(
        self,
        api_key: str,
        base_url: str | None = None,
        *,
        network: Network | None = None,
        timeout: float = TIMEOUT,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._api_key = api_key
        self._network = network or Network()
        self._timeout = timeout
        self.redact = redact
        """Hides secrets in what an error says, before it is cut."""
        self.way = way_to(base_url, self._network, redact)
        self._opened: anthropic.AsyncAnthropic | None = None
        self.calls: Counter[str] = Counter()
        """How often a question had each outcome: how its answer ended, or why there was none."""
        self.seconds: list[float] = []
        """How long each request took that was not part of a batch."""
        self.batch_seconds: dict[str, float] = {}
        """How long Anthropic took for each batch that has ended, by its id."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._opened is not None:
            await self._opened.close()

    @property
    def client(self) -> anthropic.AsyncAnthropic:
        """The SDK's client, which is imported and opened by its first use."""
        if self._opened is None:
            if not self._api_key:
                raise CheckClaude("There is no key for Claude.", "Set CLAUDE_API_KEY.")
            if not (self._api_key.isascii() and self._api_key.isprintable()):
                raise CheckClaude("The key for Claude holds characters that no key has.", "Check CLAUDE_API_KEY.")
            from anthropic import AsyncAnthropic, Timeout  # noqa: PLC0415 - takes seconds; settled runs ask nothing

            self._opened = without_foreign_headers(AsyncAnthropic)(
                api_key=self._api_key,
                base_url=self.way.address,
                max_retries=0,
                timeout=Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)),
                http_client=open_client(self._network, timeout=self._timeout, bound_of=bound_of),
                middleware=[self._log_the_rest],
            )
        return self._opened

    async def count(self, request: Request) -> int:
        """See Provider."""
        asked = arguments(request)
        del asked["max_tokens"]
        client = self.client
        try:
            with self.translated(request.model):
                return int((await client.messages.count_tokens(**asked, timeout=CHECK_TIMEOUT)).input_tokens)
        except (ValueError, AttributeError, TypeError) as error:
            raise not_claude() from error

    def caches(self, tokens: int, model: str) -> bool:
        """See Provider."""
        return is_cached(tokens, model)

    async def check(self, model: str) -> str:
        """Make sure that Claude answers, accepts the key and knows the model, by calls that cost nothing.

        Return a warning where the model will not be there for long, else nothing. Raise CheckClaude where questions
        will be refused, ClaudeSilent where there is no answer. A proxy without these calls proves nothing.
        """
        client = self.client
        from anthropic import AnthropicError, NotFoundError  # noqa: PLC0415 - loaded with the client

        try:
            try:
                found = await client.models.retrieve(model, timeout=CHECK_TIMEOUT)
            except NotFoundError:
                names = [info.id for info in (await client.models.list(limit=100, timeout=CHECK_TIMEOUT)).data]
                if names and model not in names:
                    raise CheckClaude(
                        f"Claude knows no model {model!r}.", f"Set CLAUDE_MODEL to one of: {', '.join(names)}."
                    ) from None
                return ""
            lifecycle, retires = getattr(found, "lifecycle", None), getattr(found, "retires_at", None)
        except (NotFoundError, ValueError, AttributeError, TypeError):
            # No such call, or a page of a proxy, which the SDK trips over.
            return ""
        except AnthropicError as error:
            failure = self.translate(error, model)
            if isinstance(failure, CheckClaude):
                raise failure from error
            remedy = "Check the network, CLAUDE_BASE_URL and Anthropic's status page."
            raise ClaudeSilent(f"{str(failure).rstrip('.')}.", remedy) from error
        if lifecycle in ("deprecated", "retired"):
            when = f" and ends on {retires:%Y-%m-%d}" if isinstance(retires, datetime) else ""
            return f"The model {model!r} is {lifecycle}{when}."
        return ""

    async def ask(self, request: Request, begun: Callable[[], None] | None = None) -> Reply:
        """Send one request; see Provider. It is streamed where somebody waits for the beginning of its answer."""
        client = self.client
        from anthropic import AnthropicError  # noqa: PLC0415 - loaded with the client
        from httpx2 import HTTPError  # noqa: PLC0415

        call = _Call(model=request.model)
        try:
            # The SDK limits single reads only: a server that sends a byte now and then would hold us for ever.
            async with asyncio.timeout(self._timeout):
                if begun is None:
                    reply = await _fetch(client, request, call)
                else:
                    reply = await _listen(client, request, call, begun)
        except RequestFailed as failure:
            raise call.failed(failure) from None
        except AnthropicError as error:
            call.response = getattr(error, "response", call.response)
            raise call.failed(self.translate(error, request.model)) from error
        except AnswerTooLarge as error:
            raise call.failed(unconnected(error, self.way)) from error
        except (HTTPError, TimeoutError) as error:
            # The SDK translates nothing of what happens once an answer has begun.
            why = f"timed out after {self._timeout:g} s" if isinstance(error, TimeoutError) else str(error)
            raise call.failed(lost(why or type(error).__name__, may_be_billed=True)) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # Nor does it check anything: a proxy's page, or half an answer, arrives where a message should be.
            raise call.failed(not_claude()) from error
        else:
            call.outcome, call.usage = reply.ending, reply.usage
            return reply
        finally:
            self.calls[call.outcome] += 1
            self.seconds.append(call.seconds)
            call.log()

    @contextmanager
    def translated(self, model: str) -> Iterator[None]:
        """What the SDK raises, as RequestFailed or CheckClaude."""
        from anthropic import AnthropicError  # noqa: PLC0415 - loaded with the client

        try:
            yield
        except AnthropicError as error:
            raise self.translate(error, model) from error

    def translate(self, error: anthropic.AnthropicError, model: str) -> RequestFailed | CheckClaude:
        """What an error of the SDK means."""
        from anthropic import APIConnectionError, APIStatusError  # noqa: PLC0415 - loaded with the client

        if isinstance(error, APIStatusError):
            return failure_of(error.status_code, error.body, error.response.headers, model, self.redact)
        if isinstance(error, APIConnectionError):
            return unconnected(error, self.way)
        return RequestFailed(Failure.UNREADABLE, f"Claude's answer could not be read: {error}")

    async def _log_the_rest(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """The SDK's middleware: log what is no question, as checks and batches. Of questions `ask` knows more."""
        if request.url == _QUESTIONS:
            return await call_next(request)
        from anthropic import APIConnectionError  # noqa: PLC0415 - loaded with the client

        call = _Call(method=request.method.upper(), path=request.url)
        try:
            response = await call_next(request)
        except APIConnectionError as error:
            call.failed(unconnected(error, self.way))
            raise
        else:
            call.response = response.http_response
            call.outcome = "answered"
            return response
        finally:
            call.log()


class _Call:
    """What the log says of a call when it has ended."""

    def __init__(self, **about: str) -> None:
        self.outcome = "cancelled"
        self.usage = Usage()
        self.response: httpx2.Response | None = None
        self._about = about
        self._why: str | None = None
        self._started = perf_counter()

    def failed(self, failure: RequestFailed | CheckClaude) -> RequestFailed | CheckClaude:
        """Note why there is no answer."""
        self.outcome = failure.failure if isinstance(failure, RequestFailed) else "stopped"
        self._why = str(failure)
        return failure

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return perf_counter() - self._started

    def log(self) -> None:
        """Write the line."""
        details: dict[str, object] = {"why": self._why} if self._why else {}
        if self.response is not None:
            details |= {
                "status": self.response.status_code,
                "request_id": self.response.headers.get("request-id"),
                "request_bytes": int(self.response.request.headers.get("content-length", 0)),
                # The results of a batch are read later.
                "response_bytes": self.response.num_bytes_downloaded if self.response.is_closed else None,
            }
        if self.usage.requests:
            details |= {
                "input_tokens": self.usage.input_tokens,
                "cache_read_tokens": self.usage.cache_read_tokens,
                "cache_write_tokens": self.usage.cache_write_tokens,
                "output_tokens": self.usage.output_tokens,
            }
        milliseconds = round(self.seconds * 1000)
        _log.debug("claude.call", **self._about, outcome=self.outcome, milliseconds=milliseconds, **details)


async def _fetch(client: anthropic.AsyncAnthropic, request: Request, call: _Call) -> Reply:
    """Ask, and take the answer when it is complete."""
    raw = await client.messages.with_raw_response.create(**arguments(request))
    call.response = raw.http_response
    return _paced(reply_of(await raw.parse()), raw.headers)


async def _listen(client: anthropic.AsyncAnthropic, request: Request, call: _Call, begun: Callable[[], None]) -> Reply:
    """Ask for a stream, and say when it brings the first of the text."""
    from anthropic.types import Message  # noqa: PLC0415 - loaded with the client

    async with client.messages.with_streaming_response.create(**arguments(request), stream=True) as raw:
        call.response = raw.http_response
        if "event-stream" in raw.headers.get("content-type", ""):
            answer = Streamed()
            await _hear(await raw.parse(), answer, begun)
            return _paced(answer.reply(), raw.headers)
        # Some gateways do not stream, whatever is asked for.
        reply = reply_of(Message.construct(**cast("dict[str, Any]", await raw.json())))
        if reply.text:
            begun()
        return _paced(reply, raw.headers)


async def _hear(events: AsyncIterable[Any], answer: Streamed, begun: Callable[[], None]) -> None:
    """Take the events of a stream. A complete answer is paid for: whatever becomes of its stream does not matter."""
    from anthropic import AnthropicError  # noqa: PLC0415 - loaded with the client
    from httpx2 import HTTPError  # noqa: PLC0415

    try:
        async with asyncio.timeout(None) as patience:
            async for event in events:
                if answer.add(event):
                    begun()
                if answer.is_complete and patience.when() is None:
                    patience.reschedule(asyncio.get_running_loop().time() + LAST_WORDS)
    except (AnthropicError, HTTPError, TimeoutError):
        if not answer.is_complete:
            raise


def _paced(reply: Reply, headers: Mapping[str, str]) -> Reply:
    return msgspec.structs.replace(reply, pause=pause_of(headers, datetime.now(UTC)))
