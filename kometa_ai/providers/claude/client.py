"""Ask Claude through the official SDK, which is imported by the first question; the free check needs none of it.

Retries are ours (`asking`), not the SDK's: it obeys a `retry-after` of a day, and repeats what cannot succeed.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

import httpx2
import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.core.text import one_line
from kometa_ai.errors import CheckModel
from kometa_ai.network.client import open_client
from kometa_ai.network.environment import Network
from kometa_ai.network.failures import is_of_the_proxy
from kometa_ai.providers.calls import Call
from kometa_ai.providers.claude.connection import (
    at_home,
    bound_of,
    headers_of,
    refused,
    unconnected,
    way_to,
)
from kometa_ai.providers.claude.failures import error_in_answer, lost, not_claude
from kometa_ai.providers.claude.incoming import Incoming
from kometa_ai.providers.claude.messages import arguments, cached_from, pause_of
from kometa_ai.providers.claude.models import Listed
from kometa_ai.providers.error_texts import ErrorText, read_error
from kometa_ai.providers.keys import check_key
from kometa_ai.providers.port import Failure, ProviderSilent, Reply, ReplyEnd, Request, RequestFailed
from kometa_ai.providers.sdk import LateClient, quieten, without_custom_headers
from kometa_ai.providers.traits import Traits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import anthropic
    from anthropic import APIRequest, AsyncAPIResponse, AsyncCallNext

TIMEOUT = 300.0
"""Seconds. The first request with a schema waits for its grammar to be compiled, up to three minutes."""
CHECK_TIMEOUT = CONNECT_TIMEOUT = 20.0
LAST_WORDS = 0.5
"""Seconds for a stream to end behind a complete answer, so that its connection can be used again."""

_QUESTIONS, _MODELS = "/v1/messages", "/v1/models"
_LONGEST_SAID = 300
_PAGE, _PAGES = 1000, 20
"""Models a page of their list, and how many pages are read."""
_NO_ANSWER, _FORBIDDEN, _NOT_ALLOWED, _PROXY_REFUSES = 0, 403, 405, 407
_NOT_FOUND = 404
_IN_THE_WAY = frozenset({_NO_ANSWER, _PROXY_REFUSES, *range(300, 400)})
_CALL = "claude.call"
_log = structlog.get_logger()


class _Refused(Exception):
    """A call that brought nothing: what that means for a question, the status (0: no answer), and what was said."""

    def __init__(
        self, failure: RequestFailed | CheckModel, status: int = _NO_ANSWER, said: ErrorText | None = None
    ) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.status = status
        self.said = said or ErrorText("")
        self.is_of_the_proxy = False
        """Whether the proxy on the way has refused it, and refuses questions too."""


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
        self._streams = True
        self._client: LateClient[anthropic.AsyncAnthropic] = LateClient(self._open)
        self.calls: Counter[str] = Counter()
        """How often a question had each outcome: how its answer ended, or why there was none."""
        self.seconds: list[float] = []
        """How long each request took that was not part of a batch."""
        self.batch_seconds: dict[str, float] = {}
        """How long Anthropic took for each batch that has ended, by its id."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    @property
    def is_anthropic(self) -> bool:
        """Whether questions go to Anthropic itself, and not to a gateway."""
        host = urlsplit(self.way.address).hostname
        return host is not None and (host == "anthropic.com" or host.endswith(".anthropic.com"))

    def _check_key(self) -> None:
        if not self._api_key:
            raise CheckModel("There is no key for Claude.", "Set CLAUDE_API_KEY.")
        check_key(self._api_key, "Claude", "CLAUDE_API_KEY")

    async def client(self) -> anthropic.AsyncAnthropic:
        """The SDK's client, for one who has the key."""
        self._check_key()
        return await self._client.get()

    def _open(self) -> anthropic.AsyncAnthropic:
        from anthropic import AsyncAnthropic, Timeout  # noqa: PLC0415 - takes seconds; settled runs ask nothing

        quieten("anthropic")
        return without_custom_headers(AsyncAnthropic)(
            api_key=self._api_key,
            base_url=self.way.address,
            max_retries=0,
            timeout=Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)),
            http_client=open_client(self._network, timeout=self._timeout, bound_of=bound_of),
            middleware=[self._log_the_rest],
        )

    async def prepare(self) -> None:
        """See Adapter. The check needs no SDK."""
        self._check_key()

    async def count(self, request: Request) -> int:
        """See Provider."""
        asked = arguments(request)
        del asked["max_tokens"]
        client = await self.client()
        with self.translated(request.model):
            raw = await client.messages.with_raw_response.count_tokens(**asked, timeout=CHECK_TIMEOUT)
        body = _json(raw.http_response.content)
        tokens = body.get("input_tokens") if isinstance(body, dict) else None
        if isinstance(tokens, int):
            return tokens
        text = raw.http_response.text
        raise error_in_answer(body, raw.headers, request.model, self.redact) or not_claude(body or text, self.redact)

    def traits(self, model: str) -> Traits:
        """See Provider. A gateway's models are priced as Anthropic's of that name."""
        return Traits(
            title="Claude",
            model=model,
            catalogue="anthropic",
            caching="explicit",
            cache_from=cached_from(model),
            has_batches=True,
        )

    def expect(self, model: str, *, prompt_tokens: int, answer_tokens: int) -> None:
        """See Provider. Claude takes prompts of any length that a page may have."""

    async def check(self, model: str) -> Problem | None:
        """Make sure that Claude answers, accepts the key and knows the model, by calls that cost nothing.

        Return a warning where the model will not be there for long, or a hint where it is doubtful: that the first
        question tells, for nothing as well. Raise CheckModel where questions will be refused, ProviderSilent where
        there is no answer. A gateway without these calls proves nothing.
        """
        name = quote(model, safe=":@")
        if not name.strip("."):
            return None  # a path that cannot be
        try:
            answer = await self._get(f"{_MODELS}/{name}", model)
        except _Refused as error:
            if error.status == _NOT_FOUND:
                is_told = error.said.is_anthropic and model.casefold() in error.said.sentence.casefold()
                return await self._look_up(model, is_told=is_told)
            return self._unchecked(error)
        found = _json(answer.content)
        if isinstance(failure := error_in_answer(found, answer.headers, model, self.redact), CheckModel):
            return _doubt(f"The free check before the first question was refused: {failure.message}", failure.remedy)
        return _ending(found, model)

    async def _get(self, path: str, model: str, **query: str) -> httpx2.Response:
        """A call that costs nothing, without the SDK: to import that would take half of a daemon's start.

        Raise _Refused for an error and where there is no answer.
        """
        self._check_key()
        call = Call(_CALL, method="GET", path=path)
        headers = headers_of(self._api_key)
        try:
            async with open_client(self._network, headers=headers, timeout=CHECK_TIMEOUT, bound_of=bound_of) as client:
                answer = await client.get(f"{self.way.address}{path}", params=query or None)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise _Refused(call.failed(unconnected(error, self.way))) from error
        else:
            call.response, call.outcome = answer, "answered"
        finally:
            call.log()
        if answer.is_success:
            return answer
        body = _json(answer.content) or answer.text.strip()
        failure = refused(answer.status_code, body, answer.headers, model, self.way)
        refusal = _Refused(failure, answer.status_code, read_error(body))
        refusal.is_of_the_proxy = is_of_the_proxy(self.way, answer.status_code, answer.headers)
        raise refusal

    async def _look_up(self, model: str, *, is_told: bool) -> Problem | None:
        """Look for a model in the list of all; `is_told` where Claude has said by its name that it is not there."""
        try:
            listed = await self._list(model)
        except _Refused as error:
            _log.info("claude.no_list", why=one_line(self.redact(str(error)), _LONGEST_SAID))
            return None
        if not listed.proves_absence or listed.has(model):
            return None
        near = ", ".join(listed.nearest(model))
        if is_told and (listed.is_anthropic or self.is_anthropic):
            raise CheckModel(
                f"Claude knows no model {model!r}.",
                f"Set CLAUDE_MODEL to one of: {near}." if near else "Check CLAUDE_MODEL.",
            )
        return _doubt(
            f"The list of models at Claude's address does not name {model!r}; the first question tells whether it is "
            "there.",
            f"If not, set CLAUDE_MODEL to one of: {near}." if near else "If not, check CLAUDE_MODEL.",
        )

    async def _list(self, model: str) -> Listed:
        listed, after = Listed(), ""
        for _ in range(_PAGES):
            query = {"after_id": after} if after else {}
            page = _json((await self._get(_MODELS, model, limit=str(_PAGE), **query)).content)
            if not isinstance(page, dict):
                return Listed()
            before, listed = listed, listed.with_page(page.get("data"))
            last = page.get("last_id") or (listed.names[-1] if listed.names else "")
            if not page.get("has_more"):
                return listed
            if not isinstance(last, str) or last == after or set(listed.names) == set(before.names):
                break
            after = last
        return listed._replace(is_whole=False)

    def _unchecked(self, error: _Refused) -> Problem | None:
        """What a check that was refused means: less than for a question, which a gateway may treat in another way."""
        failure, status, said = error.failure, error.status, error.said
        if isinstance(failure, CheckModel):
            # What stands before Anthropic's own door, redirects, or wants a log-in, is in the way of questions as well.
            is_in_the_way = status in _IN_THE_WAY or (said.is_page and self.is_anthropic) or error.is_of_the_proxy
            is_its_word = (said.is_anthropic or self.is_anthropic) and status not in (_FORBIDDEN, _NOT_ALLOWED)
            if is_in_the_way or is_its_word:
                raise failure from error
            if status == _NOT_ALLOWED:
                return None
            return _doubt(f"The free check before the first question was refused: {failure.message}", failure.remedy)
        if status in (400, 405, 501):
            return None
        remedy = "Check the network, CLAUDE_BASE_URL and Anthropic's status page."
        raise ProviderSilent(f"{str(failure).rstrip('.')}.", remedy) from error

    async def ask(
        self,
        request: Request,
        on_first_token: Callable[[], None] | None = None,
        on_broken: Callable[[Reply], None] | None = None,
    ) -> Reply:
        """Send one request; see Provider. It is streamed where the caller waits for the beginning of its answer."""
        client = await self.client()
        call, incoming = Call(_CALL, model=request.model), Incoming(request.model, on_first_token, self.redact)
        asks_for_stream = on_first_token is not None and self._streams
        try:
            with self._failures(request, call), _handing_over(incoming, on_broken):
                # The SDK limits single reads only: a server that sends a byte now and then would hold us for ever.
                async with asyncio.timeout(self._timeout):
                    reply = await _receive(client, request, call, incoming, stream=asks_for_stream)
            if incoming.is_stream and reply.ending is ReplyEnd.COMPLETE and not reply.text:
                if on_broken is not None:
                    on_broken(reply)
                why = "Claude's answer is a stream without any text."
                raise call.failed(RequestFailed(Failure.UNREADABLE, why, may_be_billed=True))
        except RequestFailed as failure:
            if asks_for_stream and _is_for_the_stream(failure, incoming):
                self._streams = False
                failure.is_asked_otherwise_now = True
                _log.info("claude.streams_no_more", why=str(failure))
            raise
        else:
            call.outcome, call.usage = reply.ending, reply.usage
            return reply
        finally:
            self.calls[call.outcome] += 1
            self.seconds.append(call.seconds)
            call.log()

    @contextmanager
    def _failures(self, request: Request, call: Call) -> Iterator[None]:
        """Whatever goes wrong with a question, as RequestFailed or CheckModel."""
        from anthropic import AnthropicError  # noqa: PLC0415 - loaded with the client

        try:
            yield
        except (RequestFailed, CheckModel) as failure:
            raise call.failed(failure) from None
        except AnthropicError as error:
            call.response = getattr(error, "response", call.response)
            raise call.failed(self.translate(error, request.model)) from error
        except httpx2.HTTPError as error:
            # The SDK translates nothing of what happens once an answer has begun.
            raise call.failed(unconnected(error, self.way, has_begun=True)) from error
        except TimeoutError as error:
            why = f"timed out after {self._timeout:g} s"
            raise call.failed(lost(why, may_be_billed=True, through=self.way.through)) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise call.failed(not_claude()) from error

    @contextmanager
    def translated(self, model: str) -> Iterator[None]:
        """What the SDK raises, as RequestFailed or CheckModel."""
        from anthropic import AnthropicError  # noqa: PLC0415 - loaded with the client

        try:
            yield
        except AnthropicError as error:
            raise self.translate(error, model) from error

    def translate(self, error: anthropic.AnthropicError, model: str) -> RequestFailed | CheckModel:
        """What an error of the SDK means."""
        from anthropic import APIConnectionError, APIStatusError  # noqa: PLC0415 - loaded with the client

        if isinstance(error, APIStatusError):
            return refused(error.status_code, error.body, error.response.headers, model, self.way)
        if isinstance(error, APIConnectionError):
            return unconnected(error, self.way)
        return RequestFailed(Failure.UNREADABLE, f"Claude's answer could not be read: {error}")

    async def _log_the_rest(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """The SDK's middleware: log what is no question, such as batches. Of questions `ask` knows more."""
        if request.url == _QUESTIONS:
            return await call_next(request)
        request = request.copy(url=at_home(request.url))
        from anthropic import APIConnectionError  # noqa: PLC0415 - loaded with the client

        call = Call(_CALL, method=request.method.upper(), path=request.url)
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


async def _receive(
    client: anthropic.AsyncAnthropic, request: Request, call: Call, incoming: Incoming, *, stream: bool
) -> Reply:
    """Send a question and take the bytes of its answer. A complete answer is paid for: its stream need not end well."""
    form: dict[str, Any] = {"stream": True} if stream else {}
    async with client.messages.with_streaming_response.create(**arguments(request), **form) as raw:
        call.response, incoming.headers = raw.http_response, raw.headers
        try:
            async with asyncio.timeout(None) as patience:
                async for piece in raw.http_response.aiter_bytes():
                    incoming.take(piece)
                    if incoming.is_complete and patience.when() is None:
                        patience.reschedule(asyncio.get_running_loop().time() + LAST_WORDS)
        except (RequestFailed, CheckModel, httpx2.HTTPError, TimeoutError):
            if not incoming.is_complete:
                raise
        reply = incoming.reply()
    return msgspec.structs.replace(reply, pause=pause_of(raw.headers, datetime.now(UTC)))


@contextmanager
def _handing_over(incoming: Incoming, on_broken: Callable[[Reply], None] | None) -> Iterator[None]:
    """Hand over what there is of an answer that breaks off, for whatever reason: it is paid for."""
    try:
        yield
    except BaseException:
        if on_broken is not None and (so_far := incoming.so_far) is not None:
            on_broken(so_far)
        raise


def _is_for_the_stream(failure: RequestFailed, incoming: Incoming) -> bool:
    """Whether a question failed because its answer was to be streamed."""
    if failure.failure is Failure.UNREADABLE:
        return incoming.is_empty or (incoming.is_stream and not (incoming.so_far and incoming.so_far.text))
    return failure.failure in (Failure.REJECTED, Failure.SERVER_ERROR) and "stream" in str(failure).casefold()


def _json(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _ending(found: object, model: str) -> Problem | None:
    """A warning where what Claude says of a model is that it will not be there for long."""
    if not isinstance(found, dict) or (lifecycle := found.get("lifecycle")) not in ("deprecated", "retired"):
        return None
    try:
        when = f" and ends on {datetime.fromisoformat(str(found.get('retires_at'))):%Y-%m-%d}"
    except ValueError:
        when = ""
    return Problem(
        source="CLAUDE_MODEL",
        what=f"The model {model!r} is {lifecycle}{when}.",
        remedy="Choose another CLAUDE_MODEL in time; it asks nothing again.",
        severity="warning",
    )


def _doubt(what: str, remedy: str) -> Problem:
    """What a question that is answered disproves."""
    return Problem(source="CLAUDE_MODEL", what=what, remedy=remedy, severity="hint")
