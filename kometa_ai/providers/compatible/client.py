"""Ask services that speak Chat Completions through OpenAI's SDK, which is imported by the first question.

Answers are not streamed: llama.cpp closes the connection behind a stream, and the next request on it is lost.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx2
import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.errors import CheckModel
from kometa_ai.network.client import open_client
from kometa_ai.network.environment import Network
from kometa_ai.providers.calls import Call
from kometa_ai.providers.compatible.connection import (
    bound_of,
    headers_of,
    refused,
    unconnected,
    way_to,
    where_it_should_run,
    without_the_environment,
)
from kometa_ai.providers.compatible.contexts import AT_BEST, context_in, too_large
from kometa_ai.providers.compatible.failures import Asked, error_in, lost, not_the_service, read
from kometa_ai.providers.compatible.listing import Listed, context_of, context_of_slots, end_of
from kometa_ai.providers.compatible.messages import (
    READ_AT_LEAST,
    answer_of,
    arguments,
    estimated_prompt,
    pause_of,
)
from kometa_ai.providers.compatible.refusals import without, without_limit
from kometa_ai.providers.compatible.services import (
    TIMEOUT,
    TIMEOUT_AT_HOME,
    TIMEOUT_OF_FLEX,
    Manner,
    Service,
    manner_of,
    service_of,
    traits_of,
)
from kometa_ai.providers.keys import check_key
from kometa_ai.providers.port import Failure, ProviderSilent, Reply, ReplyEnd, Request, RequestFailed
from kometa_ai.providers.sdk import LateClient, quieten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import openai

    from kometa_ai.core.model import ProviderName
    from kometa_ai.providers.traits import Traits

CHECK_TIMEOUT = CONNECT_TIMEOUT = 20.0
_NO_KEY = "none"
"""What the SDK gets where a server wants no key; it is not sent."""
_ABOUT_THE_FORM = frozenset({400, 404, 415, 422, 500, 501})
"""Statuses of a refusal that may be about a field of the request."""
_TOO_MANY = 429
_log = structlog.get_logger()


class Compatible:
    """Chat Completions as a provider: OpenAI, Gemini, OpenRouter, or whatever stands at an address.

    With `flex`, OpenAI answers slowly for half the price; what it has no room for is asked again in the usual way.
    `service` is what is known of the service; without it that follows from the preset and the address.
    """

    def __init__(
        self,
        preset: ProviderName,
        api_key: str,
        base_url: str | None = None,
        *,
        network: Network | None = None,
        timeout: float | None = None,
        redact: Callable[[str], str] = str,
        flex: bool = False,
        service: Service | None = None,
    ) -> None:
        self.service = service or service_of(preset, base_url)
        self._preset = preset
        self._api_key = api_key
        self._network = network or Network()
        self._flex = flex and "service_tier" in self.service.fields
        self._timeout = timeout or self._usual_timeout()
        self.redact = redact
        """Hides secrets in what an error says, before it is cut."""
        self.way = way_to(self.service, base_url, self._network, redact)
        self._client: LateClient[openai.AsyncOpenAI] = LateClient(self._open)
        self._manners: dict[str, Manner] = {}
        """How each model is asked by now: without what it has refused."""
        self._flexless: set[tuple[str, str, str]] = set()
        """Requests that have to be sent in the usual way, because there was no room for them in the slow one."""
        self._usual_only: set[str] = set()
        """Models that have no slow tier."""
        self._contexts: dict[str, int] = {}
        self._expected: dict[str, int] = {}
        """The longest prompt of this run, in tokens, by model."""
        self._too_small: set[str] = set()
        """Models of which it has been said that their context is too small."""
        self.calls: Counter[str] = Counter()
        """How often a question had each outcome: how its answer ended, or why there was none."""
        self.seconds: list[float] = []
        """How long each request took."""

    def _usual_timeout(self) -> float:
        if self.service.is_local:
            return TIMEOUT_AT_HOME
        return TIMEOUT_OF_FLEX if self._flex else TIMEOUT

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def client(self) -> openai.AsyncOpenAI:
        """The SDK's client, for one who has the key."""
        self._check_key()
        return await self._client.get()

    def _open(self) -> openai.AsyncOpenAI:
        from openai import AsyncOpenAI, Timeout  # noqa: PLC0415 - takes seconds; settled runs ask nothing

        quieten("openai")
        opened = without_the_environment(AsyncOpenAI)(
            api_key=self._api_key or _NO_KEY,
            base_url=self.way.address,
            organization="",
            project="",
            webhook_secret="",
            max_retries=0,
            timeout=Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)),
            http_client=open_client(self._network, timeout=self._timeout, bound_of=bound_of),
        )
        opened.api_key = self._api_key
        return opened

    def _check_key(self) -> None:
        setting, title = self.service.key_setting, self.service.title
        if not (self._api_key or self.service.is_local):
            raise CheckModel(f"There is no key for {title}.", f"Set {setting}.")
        check_key(self._api_key, title, setting)

    async def prepare(self) -> None:
        """See Adapter. The check needs no SDK."""
        self._check_key()

    async def count(self, request: Request) -> int | None:  # noqa: ARG002 - the port's
        """See Provider. No service counts what it does not answer, in a way that all have."""
        return None

    def traits(self, model: str) -> Traits:
        """See Provider. The context is known once the model has been checked, where the service tells it."""
        return traits_of(self.service, model, self._contexts.get(model))

    def expect(self, model: str, *, prompt_tokens: int, answer_tokens: int) -> None:
        """See Provider. It is told what to set where the context is known to be too small."""
        del answer_tokens  # what a question allows its answer, most of which it does not use
        self._expected[model] = max(prompt_tokens, self._expected.get(model, 0))

    def manner(self, model: str) -> Manner:
        """How a model is asked by now."""
        return self._manners.get(model) or manner_of(self.service, model)

    def _asked(self, model: str) -> Asked:
        return Asked(self.service, model, self.way)

    async def ask(
        self,
        request: Request,
        on_first_token: Callable[[], None] | None = None,
        on_broken: Callable[[Reply], None] | None = None,
    ) -> Reply:
        """Send one request; see Provider. Its answer has begun when it is complete."""
        client = await self.client()
        call = Call(f"{self._preset}.call", model=request.model)
        asked, sent = self._asked(request.model), self.manner(request.model)
        name = (request.model, request.movies, request.collection)
        flex = self._flex and name not in self._flexless and request.model not in self._usual_only
        self._flexless.discard(name)
        try:
            self._check_context(request)
            with self._failures(asked, call):
                # The SDK limits single reads only: a server that sends a byte now and then would hold us for ever.
                async with asyncio.timeout(self._timeout):
                    raw = await client.chat.completions.with_raw_response.create(
                        **arguments(request, self.service, sent, flex=flex)
                    )
                call.response = raw.http_response
                reply = self._reply(request, raw.http_response, asked, on_broken)
        except (RequestFailed, CheckModel) as failure:
            call.failed(failure)
            otherwise = self._otherwise(failure, call, request, sent, flex=flex)
            if otherwise is not None:
                raise otherwise from failure
            self._learn_context(call, request)
            raise
        else:
            call.outcome, call.usage = reply.ending, reply.usage
            if on_first_token is not None and reply.text:
                on_first_token()
            return reply
        finally:
            self.calls[call.outcome] += 1
            self.seconds.append(call.seconds)
            call.log()

    def _reply(
        self, request: Request, response: httpx2.Response, asked: Asked, on_broken: Callable[[Reply], None] | None
    ) -> Reply:
        """What an answer says. Raise RequestFailed or CheckModel where it says nothing."""
        body = _json(response.content)
        failure = error_in(body, response.headers, asked)
        if failure is not None:
            raise failure
        if not isinstance(body, dict):
            raise not_the_service(response.text if body is None else body, asked)
        try:
            reply, thoughts = answer_of(body, self.service)
        except TypeError:
            raise not_the_service(body, asked) from None
        why = self._unread(request, reply)
        if not why and reply.ending is ReplyEnd.COMPLETE and not reply.text.strip():
            only = ": the model only thought. Switch its thinking off, or choose another model" if thoughts else ""
            why = f"{asked.title}'s answer is empty{only}."
        if why:
            if on_broken is not None:
                on_broken(msgspec.structs.replace(reply, text=""))
            raise RequestFailed(Failure.UNREADABLE, why, may_be_billed=True)
        return msgspec.structs.replace(reply, pause=pause_of(response.headers))

    def _unread(self, request: Request, reply: Reply) -> str:
        """Why an answer is worth nothing whose server has cut the prompt, as some do silently; else empty."""
        usage = reply.usage
        counted = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        expected = estimated_prompt(request)
        if self.service.is_known or not counted or counted >= READ_AT_LEAST * expected:
            return ""
        return (
            f"{self.service.title} read only {counted:,} of about {expected:,} tokens: its context is too small. Give "
            "the model a longer context there, or set BATCH_SIZE to a smaller number."
        )

    def _check_context(self, request: Request) -> None:
        """Raise RequestFailed where the context is known to be too small, CheckModel where it is for what halves it."""
        context = self._contexts.get(request.model)
        failure = too_large(request, context, self.service.title) if context is not None else None
        if isinstance(failure, RequestFailed) and request.model not in self._too_small:
            self._too_small.add(request.model)
            _log.warning(f"{self._preset}.context_too_small", model=request.model, why=str(failure))
        if failure is not None:
            raise failure

    def _learn_context(self, call: Call, request: Request) -> None:
        """Keep the context that a refusal names, and raise CheckModel where half of the question is too long for it."""
        context = context_in(_read_body(call.response)) if call.response is not None else None
        if context is not None:
            self._contexts[request.model] = context
            failure = too_large(request, context, self.service.title)
            if isinstance(failure, CheckModel):
                raise failure

    def _otherwise(
        self, failure: RequestFailed | CheckModel, call: Call, request: Request, sent: Manner, *, flex: bool
    ) -> RequestFailed | None:
        """The failure of a request that is asked in another way from now on, or just once more; else None."""
        if call.response is None:
            return None
        said = read(_read_body(call.response), self._asked(request.model))
        status = call.response.status_code
        if flex and (status == _TOO_MANY or "service_tier" in said.words):
            return self._without_flex(failure, said.words, request)
        if said.is_page or status not in _ABOUT_THE_FORM:
            return None
        is_too_large = isinstance(failure, RequestFailed) and failure.failure is Failure.TOO_LARGE
        found = (without_limit if is_too_large else without)(sent, said.words)
        if found is None:
            return None
        model, (manner, what) = request.model, found
        # Where others were in flight, one of them has met the same before.
        if self.manner(model) == sent:
            self._manners[model] = manner
            _log.warning(f"{self._preset}.asks_without", model=model, without=what, why=said.sentence)
        return RequestFailed(
            failure.failure if isinstance(failure, RequestFailed) else Failure.REJECTED,
            str(failure),
            is_asked_otherwise_now=True,
        )

    def _without_flex(self, failure: RequestFailed | CheckModel, words: str, request: Request) -> RequestFailed | None:
        if isinstance(failure, CheckModel):
            return None
        if "service_tier" in words:
            self._usual_only.add(request.model)
            _log.warning(f"{self._preset}.asks_without", model=request.model, without="flex", why=str(failure))
        elif "unavailable" in words.casefold():
            self._flexless.add((request.model, request.movies, request.collection))
        else:
            return None
        return RequestFailed(Failure.REJECTED, str(failure), is_asked_otherwise_now=True)

    @contextmanager
    def _failures(self, asked: Asked, call: Call) -> Iterator[None]:
        """Whatever goes wrong with a call, as RequestFailed or CheckModel."""
        from openai import APIConnectionError, APIStatusError, OpenAIError  # noqa: PLC0415

        try:
            yield
        except APIStatusError as error:
            call.response = error.response
            body = _read_body(error.response)
            raise refused(error.status_code, body, error.response.headers, asked) from error
        except (APIConnectionError, httpx2.HTTPError) as error:
            raise unconnected(error, asked) from error
        except TimeoutError as error:
            raise lost(f"timed out after {self._timeout:g} s", asked, may_be_billed=True) from error
        except (OpenAIError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise not_the_service(None, asked) from error

    async def check(self, model: str) -> Problem | None:
        """Make sure that the service answers and accepts the key, by calls that cost nothing.

        Return a warning where the model ends soon, or a hint where it is doubtful: the first question tells, for
        nothing as well. Raise CheckModel where questions will be refused, ProviderSilent where there is no answer.
        """
        try:
            listed = Listed.of(await self._get("models", model))
            if self.service.family == "openrouter":
                await self._get("key", model)  # the list needs none
        except RequestFailed as failure:
            if failure.failure not in (Failure.REJECTED, Failure.UNREADABLE):
                asked = self._asked(model)
                raise ProviderSilent(f"{str(failure).rstrip('.')}.", where_it_should_run(asked)) from failure
            listed = None
        except _NoList:
            listed = None
        entry = listed.entry(model) if listed else None
        context = context_of(entry) if entry else None
        if self.service.is_local:
            context = await self._context_of_slots(model) or context
        if context is not None:
            self._contexts[model] = context
        return self._in_place_of_ollama(listed) or self._cramped(model) or self._doubt(model, listed, entry)

    def _in_place_of_ollama(self, listed: Listed | None) -> Problem | None:
        """A warning where Ollama answers: through this door of it, prompts that are too long are cut without a word."""
        if listed is None or not (self.service.is_local and listed.is_of_ollama):
            return None
        root = self.way.address.rstrip("/").removesuffix("/v1")
        return Problem(
            source="LLM_PROVIDER",
            what=f"Ollama answers at {self.way.address}. Asked in this way it cuts prompts that are too long, and says "
            "nothing of it.",
            remedy=f"Set LLM_PROVIDER to ollama, and OLLAMA_HOST to {root}.",
            severity="warning",
        )

    def _cramped(self, model: str) -> Problem | None:
        """A hint where the context is too small for what is to be asked."""
        context, expected = self._contexts.get(model), self._expected.get(model, 0)
        if context is None or expected * AT_BEST <= context:
            return None
        return _problem(
            f"The context of {model!r} at {self.service.title} has {context:,} tokens, and prompts up to about "
            f"{expected:,}: they are cut into smaller ones, which takes longer.",
            "Give the model a longer context there, or set BATCH_SIZE to a smaller number.",
        )

    def _doubt(self, model: str, listed: Listed | None, entry: Any) -> Problem | None:  # noqa: ANN401 - any JSON
        if listed is None:
            return _problem(
                f"{self.service.title} has no list of its models; the first question tells whether {model!r} is there.",
                "If not, check LLM_MODEL.",
            )
        if entry is not None:
            ends = end_of(entry)
            return (
                None
                if ends is None
                else _problem(
                    f"The model {model!r} ends on {ends:%Y-%m-%d}.",
                    "Choose another LLM_MODEL in time; it asks nothing again.",
                    is_sure=True,
                )
            )
        near = ", ".join(listed.nearest(model))
        return _problem(
            f"{self.service.title}'s list of models does not name {model!r}; the first question tells whether it is "
            "there.",
            f"If not, set LLM_MODEL to one of: {near}." if near else "If not, check LLM_MODEL.",
        )

    async def _get(self, path: str, model: str) -> Any:  # noqa: ANN401 - any JSON
        """Read a path of the service, without the SDK: to import that would take a third of a daemon's start.

        Raise RequestFailed or CheckModel, and _NoList where the service has no such path.
        """
        self._check_key()
        asked = self._asked(model)
        call = Call(f"{self._preset}.call", method="GET", path=f"/{urlsplit(path).path.lstrip('/')}")
        try:
            response = call.response = await self._fetched(path, asked)
            if not response.is_success:
                raise refused(response.status_code, _read_body(response), response.headers, asked)
            call.outcome = "answered"
        except (RequestFailed, CheckModel) as failure:
            call.failed(failure)
            if self._proves_nothing(failure, call.response):
                raise _NoList from failure
            raise
        finally:
            call.log()
        body = _json(response.content)
        wrong = error_in(body, response.headers, asked)
        if wrong is None and body is None:
            wrong = not_the_service(response.text, asked)
        if wrong is not None:
            raise wrong
        return body

    async def _fetched(self, path: str, asked: Asked) -> httpx2.Response:
        headers = headers_of(self._api_key)
        url = path if "://" in path else f"{self.way.address.rstrip('/')}/{path}"
        try:
            async with open_client(self._network, headers=headers, timeout=CHECK_TIMEOUT, bound_of=bound_of) as client:
                return await client.get(url)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise unconnected(error, asked) from error

    def _proves_nothing(self, failure: RequestFailed | CheckModel, response: httpx2.Response | None) -> bool:
        """Whether a refused list says nothing of questions: there is no such path, or the key may not see it."""
        if response is None or not isinstance(failure, CheckModel):
            return False
        # OpenRouter has a list: a page in its place comes from its web site, where no question is answered either.
        is_web_site = self.service.family == "openrouter" and "html" in response.headers.get("content-type", "")
        return not is_web_site and (response.status_code in (404, 405) or "scope" in str(failure))

    async def _context_of_slots(self, model: str) -> int | None:
        """llama.cpp's context; other servers have no such path."""
        root = self.way.address.rstrip("/").removesuffix("/v1")
        try:
            return context_of_slots(await self._get(f"{root}/props", model))
        except (RequestFailed, CheckModel, _NoList):
            return None


class _NoList(Exception):
    """A service has no list of its models, or does not show it to this key."""


def _read_body(response: httpx2.Response) -> object:
    """The body of an answer: JSON, or its text where that is none."""
    body = _json(response.content)
    return response.text if body is None else body


def _json(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _problem(what: str, remedy: str, *, is_sure: bool = False) -> Problem:
    """A warning, or a hint where a question that is answered disproves it."""
    return Problem(source="LLM_MODEL", what=what, remedy=remedy, severity="warning" if is_sure else "hint")
