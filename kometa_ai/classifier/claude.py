"""Claude, through the official SDK. The one module that imports it, and only when there is something to ask.

Retries are ours (`asking`), not the SDK's: it obeys a `retry-after` of a day, and repeats what cannot succeed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, Self

import msgspec
import structlog

from kometa_ai.classifier.prices import tokens_in
from kometa_ai.classifier.prompts import SCHEMA, SYSTEM
from kometa_ai.classifier.provider import Ending, Failure, Reply, Request, RequestFailed, Usage
from kometa_ai.errors import CheckClaude

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import anthropic
    from anthropic.types import Message

TIMEOUT = 300.0
"""Seconds. The first request with a schema waits for its grammar to be compiled, up to three minutes."""
CHECK_TIMEOUT = 20.0

_NEARLY_USED_UP = 0.1
_LONGEST_PAUSE = 60.0
_log = structlog.get_logger()

_MANUALLY_CACHED_FROM = {"claude-haiku-4-5": 4096, "claude-opus-4-5": 4096, "claude-opus-4-6": 4096}
_CACHED_FROM = 1024
_CACHED_FROM_CURRENT = 512
_CURRENT = re.compile(r"claude-(haiku|sonnet|opus)-5-5|claude-(opus|fable)-5.*")

# Messages are all that tells a spent credit and a reached spend limit from an ordinary bad request: both are 400.
_CREDIT = re.compile(r"credit balance|usage limits|organization.{0,20}(on hold|disabled)|billing", re.IGNORECASE)
_SPENT = re.compile(r"enforced_spend_limit|contract_spend_limit|organization_on_hold")
_FORM_REFUSED = re.compile(r"schema|grammar|output_config|output format|\beffort\b|\bthinking\b", re.IGNORECASE)
_DATE = re.compile(r"-\d{8}$")


class ClaudeSilent(CheckClaude):
    """Claude does not answer just now; it may later."""


class Claude:
    """Anthropic's Messages API as a provider."""

    def __init__(self, api_key: str, base_url: str | None = None, *, timeout: float = TIMEOUT) -> None:
        self._api_key = api_key
        self._base_url = base_url or None
        self._timeout = timeout
        self._opened: anthropic.AsyncAnthropic | None = None
        self.calls: Counter[str] = Counter()
        """How often a question had each outcome: how its answer ended, or why there was none."""

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
            from anthropic import AsyncAnthropic  # noqa: PLC0415 - takes seconds, and settled runs ask nothing

            self._opened = AsyncAnthropic(
                api_key=self._api_key,
                base_url=self._base_url,
                max_retries=0,
                timeout=self._timeout,
            )
        return self._opened

    async def count(self, request: Request) -> int:
        """See Provider."""
        asked = arguments(request)
        del asked["max_tokens"]
        client = self.client
        try:
            with translated(request.model):
                return int((await client.messages.count_tokens(**asked, timeout=CHECK_TIMEOUT)).input_tokens)
        except (ValueError, AttributeError, TypeError) as error:
            raise _not_claude() from error

    def caches(self, tokens: int, model: str) -> bool:
        """Whether a prefix of that many tokens reaches the model's minimum; a shorter one is silently not cached."""
        default = _CACHED_FROM_CURRENT if _CURRENT.fullmatch(model) else _CACHED_FROM
        return tokens + tokens_in(SYSTEM) >= _MANUALLY_CACHED_FROM.get(_DATE.sub("", model), default)

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
            failure = _translate(error, model)
            if isinstance(failure, CheckClaude):
                raise failure from error
            remedy = "Check the network, CLAUDE_BASE_URL and Anthropic's status page."
            raise ClaudeSilent(str(failure), remedy) from error
        if lifecycle in ("deprecated", "retired"):
            when = f" and ends on {retires:%Y-%m-%d}" if isinstance(retires, datetime) else ""
            return f"The model {model!r} is {lifecycle}{when}."
        return ""

    async def ask(self, request: Request) -> Reply:
        """Send one request; see Provider."""
        client = self.client
        from anthropic import AnthropicError  # noqa: PLC0415 - loaded with the client

        started = perf_counter()
        try:
            raw = await client.messages.with_raw_response.create(**arguments(request))
            message = await raw.parse()
        except AnthropicError as error:
            failure = _translate(error, request.model)
            self.calls[failure.failure if isinstance(failure, RequestFailed) else "stopped"] += 1
            _log.debug("claude.call", outcome=str(failure), seconds=round(perf_counter() - started, 3))
            raise failure from error
        except ValueError as error:
            self.calls[Failure.UNREADABLE] += 1
            # The SDK lets an answer through that says it is JSON and is none, or only half of it.
            raise _not_claude() from error
        try:
            reply = msgspec.structs.replace(reply_of(message), pause=pause_of(raw.headers, datetime.now(UTC)))
        except (AttributeError, TypeError) as error:
            self.calls[Failure.UNREADABLE] += 1
            # The SDK checks nothing: a proxy's page arrives as a string where a message should be.
            raise _not_claude() from error
        self.calls[reply.ending] += 1
        _log.debug(
            "claude.call",
            outcome=reply.ending,
            seconds=round(perf_counter() - started, 3),
            request_id=raw.headers.get("request-id"),
            input_tokens=reply.usage.input_tokens,
            cache_read_tokens=reply.usage.cache_read_tokens,
            cache_write_tokens=reply.usage.cache_write_tokens,
            output_tokens=reply.usage.output_tokens,
        )
        return reply


def pause_of(headers: Mapping[str, str], now: datetime) -> float:
    """For how many seconds to send nothing: until a limit of which less than a tenth is left is full again."""
    pause = 0.0
    for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
        prefix = f"anthropic-ratelimit-{kind}"
        try:
            limit, remaining = float(headers[f"{prefix}-limit"]), float(headers[f"{prefix}-remaining"])
            seconds = (datetime.fromisoformat(headers[f"{prefix}-reset"]) - now).total_seconds()
        except (KeyError, ValueError, TypeError):
            continue
        if remaining < limit * _NEARLY_USED_UP:
            pause = max(pause, seconds)
    return min(pause, _LONGEST_PAUSE)


def arguments(request: Request) -> dict[str, Any]:
    """A request as the Messages API takes it."""
    movies: dict[str, Any] = {"type": "text", "text": request.movies}
    if request.cache:
        movies["cache_control"] = {"type": "ephemeral"}
    output_config: dict[str, Any] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.expected_tokens,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": [movies, {"type": "text", "text": request.collection}]}],
        "output_config": output_config,
    }
    # Thinking is billed as output and a verdict needs little of it. What can be turned off differs by model.
    if request.model.startswith("claude-haiku-5"):
        arguments["thinking"] = {"type": "disabled"}
    elif request.model.startswith("claude-sonnet-5-5"):
        arguments["thinking"] = {"type": "between_tools"}
        output_config["effort"] = "low"
    elif request.model.startswith(("claude-sonnet-5", "claude-opus-5", "claude-fable-5")):
        output_config["effort"] = "low"
    return arguments


def reply_of(message: Message) -> Reply:
    """What a message says. Raise AttributeError or TypeError for what is no message."""
    # A response may begin with thinking blocks, and a refusal may have no text at all.
    text = "".join(block.text for block in message.content or () if block.type == "text")
    ending = {
        "refusal": Ending.REFUSED,
        "max_tokens": Ending.TRUNCATED,
        "model_context_window_exceeded": Ending.TRUNCATED,
    }
    usage = getattr(message, "usage", None)
    if getattr(message, "content", None) is None and usage is None:
        raise TypeError("an object without anything of a message")

    def used(name: str) -> int:
        # Other endpoints leave out what they do not count.
        return getattr(usage, name, None) or 0

    return Reply(
        text=text,
        ending=ending.get(getattr(message, "stop_reason", None) or "", Ending.COMPLETE),
        usage=Usage(
            requests=1,
            input_tokens=used("input_tokens"),
            cache_write_tokens=used("cache_creation_input_tokens"),
            cache_read_tokens=used("cache_read_input_tokens"),
            output_tokens=used("output_tokens"),
        ),
    )


def _not_claude() -> RequestFailed:
    return RequestFailed(
        Failure.UNREADABLE,
        "What answered at Claude's address is not Claude: check CLAUDE_BASE_URL.",
        may_be_billed=True,
    )


@contextmanager
def translated(model: str) -> Iterator[None]:
    """What the SDK raises, as RequestFailed or CheckClaude."""
    from anthropic import AnthropicError  # noqa: PLC0415 - loaded with the client

    try:
        yield
    except AnthropicError as error:
        raise _translate(error, model) from error


def _translate(error: anthropic.AnthropicError, model: str) -> RequestFailed | CheckClaude:
    from anthropic import APIConnectionError, APIStatusError  # noqa: PLC0415

    if isinstance(error, APIConnectionError):
        return _unconnected(error)
    if not isinstance(error, APIStatusError):
        return RequestFailed(Failure.UNREADABLE, f"Claude's answer could not be read: {error}")
    message = _message(error)
    stop = _stopping(error.status_code, message, _codes(error), model)
    if stop is not None:
        return stop
    failure = _FAILURES.get(error.status_code)
    if failure is None:
        failure = Failure.SERVER_ERROR if error.status_code >= 500 else Failure.REJECTED  # noqa: PLR2004
    return RequestFailed(
        failure, f"Claude answered {error.status_code}: {message}", _retry_after(error.response.headers)
    )


def _unconnected(error: anthropic.APIConnectionError) -> RequestFailed:
    from httpx2 import ReadError, ReadTimeout, RemoteProtocolError  # noqa: PLC0415 - loaded with the client

    cause = error.__cause__
    # Where the connection ended while an answer was awaited, Claude may have written it all the same.
    sent = isinstance(cause, ReadError | ReadTimeout | RemoteProtocolError)
    why = str(cause or "").strip() or str(error)
    return RequestFailed(Failure.NO_CONNECTION, f"Claude could not be reached: {why}", may_be_billed=sent)


_FAILURES = {
    408: Failure.NO_CONNECTION,
    409: Failure.SERVER_ERROR,
    413: Failure.TOO_LARGE,
    429: Failure.RATE_LIMITED,
    529: Failure.OVERLOADED,
}


def _stopping(status: int, message: str, codes: str, model: str) -> CheckClaude | None:
    """The error that ends the run, where every further request would meet it too."""
    if _SPENT.search(f"{codes} {message}") or (status in (400, 403) and _CREDIT.search(message)):
        return CheckClaude(
            f"Claude refuses further requests: {message}",
            "Add credit or raise the spend limit in Anthropic's console; the next run goes on where this one stopped.",
        )
    if status == 400 and not _FORM_REFUSED.search(message):  # noqa: PLR2004
        return None
    known = _STOPPING.get(status)
    return CheckClaude(f"{known[0].format(model=model)}: {message}", known[1]) if known else None


_STOPPING = {
    400: ("Claude refuses the form of our requests", "Check that CLAUDE_MODEL supports structured outputs."),
    401: ("Claude does not accept the key", "Check CLAUDE_API_KEY."),
    402: ("Claude asks for payment", "Check the billing in Anthropic's console."),
    403: ("The key may not use the model {model!r}", "Check CLAUDE_MODEL and the key's workspace."),
    404: ("Claude knows no model {model!r}", "Check CLAUDE_MODEL and CLAUDE_BASE_URL."),
}


def _message(error: anthropic.APIStatusError) -> str:
    return str(_inner(error).get("message") or "no explanation").strip()[:300]


def _codes(error: anthropic.APIStatusError) -> str:
    """Every name that the error gives itself; gateways put the code elsewhere than Anthropic does."""
    inner = _inner(error)
    details = inner.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    return f"{code} {inner.get('type')} {inner.get('code')}"


def _inner(error: anthropic.APIStatusError) -> dict[str, Any]:
    inner = error.body.get("error") if isinstance(error.body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that Claude asks us to wait; HTTP lets it name a date instead."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)
