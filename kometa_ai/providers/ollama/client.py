"""Ask Ollama through its own `/api/chat`: the `/v1` beside it can neither set the context nor be kept from cutting."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Self

import httpx2
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.core.text import one_line
from kometa_ai.errors import CheckModel
from kometa_ai.network.bounds import MIB, Bound
from kometa_ai.network.client import open_client
from kometa_ai.network.environment import Network
from kometa_ai.network.failures import Way
from kometa_ai.network.ollama_host import DEFAULT, address_of
from kometa_ai.providers.calls import Call
from kometa_ai.providers.keys import check_key
from kometa_ai.providers.ollama.address import is_cloud, is_this_machine
from kometa_ai.providers.ollama.answered import OK, Answered
from kometa_ai.providers.ollama.context import (
    MARGIN,
    REFUSES_FROM,
    WIDEST_MARGIN,
    Room,
    Size,
    context_for,
    doubt,
    page_for,
    room_for,
    usual_prompt,
    version_of,
)
from kometa_ai.providers.ollama.failures import NOT_OLLAMA
from kometa_ai.providers.ollama.messages import (
    Answer,
    Prompt,
    Think,
    answer_of,
    body_of,
    capabilities_of,
    context_of,
    installed,
    thinking_of,
)
from kometa_ai.providers.port import Failure, ProviderSilent, Reply, Request, RequestFailed
from kometa_ai.providers.traits import Traits
from kometa_ai.providers.way_failures import unconnected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT = 1800.0
"""Seconds. A model may have to be loaded first, and one that runs on a processor reads a page for minutes."""
CHECK_TIMEOUT = CONNECT_TIMEOUT = 20.0
PAGE = 10
"""Movies a page: small models leave out many of a longer one."""

_SETTING = "OLLAMA_HOST"
_CALL = "ollama.call"
_CHAT = "/api/chat"
_ANSWER = Bound(16 * MIB)
_NOT_FOUND = 404
_NAMES_SHOWN = 20
_REFUSES_FROM = ".".join(map(str, REFUSES_FROM))
_log = structlog.get_logger()


class Facts(NamedTuple):
    """What is known of a model before it is asked: the server's version, the longest context, what it can do."""

    version: tuple[int, ...] | None
    context: int | None
    capabilities: frozenset[str] = frozenset()

    @property
    def refuses(self) -> bool:
        """Whether Ollama refuses a prompt that is too long, instead of cutting it."""
        return self.version is not None and self.version >= REFUSES_FROM


class _Run:
    """How a model is asked in this run. The context stays as it is: another one loads the model anew."""

    def __init__(self, model: str, *, is_cloud: bool) -> None:
        self.model = model
        self.is_cloud = is_cloud
        self.think: Think = thinking_of(model)
        self.facts: Facts | None = None
        self.expected = (0, 0)
        self.context = 0
        self.margin = MARGIN
        self.lock = asyncio.Lock()


class _Question(NamedTuple):
    """A request, how long its prompt is, and what is known of the model that it is for."""

    run: _Run
    facts: Facts
    request: Request
    size: Size

    @property
    def is_doubled(self) -> bool:
        """Whether the context is twice as long as the prompt, since this Ollama cuts without a word."""
        return not (self.facts.refuses or self.run.is_cloud)

    @property
    def room(self) -> Room | None:
        """How it fits into the context; None where it does not."""
        run = self.run
        return room_for(self.size, self.request, run.context, margin=run.margin, is_doubled=self.is_doubled)


class Ollama:
    """An Ollama as a provider. `host` is OLLAMA_HOST; `api_key` is for ollama.com or a proxy in front of Ollama.

    `context_length` replaces the length of the context that is computed from the longest prompt of a run.
    """

    def __init__(
        self,
        host: str = "",
        *,
        api_key: str = "",
        context_length: int | None = None,
        network: Network | None = None,
        timeout: float | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._api_key = api_key
        self._context_length = context_length
        self._network = network or Network()
        self._timeout = timeout or TIMEOUT
        self._hide = redact
        self._user: tuple[str, str] | None = None
        self._wrong = ""
        try:
            url = httpx2.URL(address_of(host))
            self._user = (url.username, url.password) if url.userinfo else None
            address = str(url.copy_with(userinfo=b"")).rstrip("/")
        except (ValueError, httpx2.InvalidURL) as error:
            self._wrong, address = str(error), DEFAULT
        self.way = Way(address=address, setting=_SETTING, proxy=self._network.proxy_to(address), hide=redact)
        self._opened: httpx2.AsyncClient | None = None
        self._runs: dict[str, _Run] = {}
        self.calls: Counter[str] = Counter()
        """How often a question had each outcome: how its answer ended, or why there was none."""
        self.seconds: list[float] = []
        """How long each question took."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    @property
    def client(self) -> httpx2.AsyncClient:
        """The HTTP client, which is opened by its first use."""
        if self._opened is None:
            if self._wrong:
                raise CheckModel(f"OLLAMA_HOST cannot be used: {self._wrong}.", "Correct OLLAMA_HOST.")
            check_key(self._api_key, "Ollama", "OLLAMA_API_KEY")
            headers = {"Accept": "application/json"}
            if self._api_key:
                headers["Authorization"] = f"Bearer {self._api_key}"
            self._opened = open_client(
                self._network,
                headers=headers,
                auth=None if self._api_key else self._user,
                timeout=httpx2.Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)),
                bound_of=lambda _: _ANSWER,
            )
        return self._opened

    async def prepare(self) -> None:
        """See Adapter."""
        _ = self.client

    def traits(self, model: str) -> Traits:
        """See Provider. A model in Ollama's cloud is a hosted one whose price no list has."""
        run = self._run(model)
        if run.is_cloud:
            return Traits(title="Ollama", model=model, cache_from=0, concurrency=1)
        limits = [limit for limit in (self._context_length, run.facts and run.facts.context) if limit]
        return Traits(
            title="Ollama",
            model=model,
            is_free=True,
            caching="automatic",
            cache_from=0,
            context=min(limits, default=None),
            is_local=True,
            sizes_context=True,
            page_size=PAGE,
            concurrency=1,
            collections=1,
        )

    def expect(self, model: str, *, prompt_tokens: int, answer_tokens: int) -> None:
        """See Provider. The longest of all that are announced counts; a context that is in use does not change."""
        run = self._run(model)
        run.expected = max(run.expected[0], prompt_tokens), max(run.expected[1], answer_tokens)

    async def count(self, request: Request) -> int | None:  # noqa: ARG002 - the port's
        """See Provider. Ollama has no call that counts."""
        return None

    def _run(self, model: str) -> _Run:
        if model not in self._runs:
            self._runs[model] = _Run(model, is_cloud=is_cloud(model, self.way.address))
        return self._runs[model]

    # Checks

    async def check(self, model: str) -> Problem | None:
        """By free calls: that Ollama answers, has the model, and gives it room for a page.

        Return a warning where a page does not fit, where this version of Ollama is old, or where the model runs in the
        cloud. Raise CheckModel where questions will be refused, ProviderSilent where there is no answer.
        """
        await self.prepare()
        run = self._run(model)
        try:
            run.facts = facts = await self._look(model)
        except RequestFailed as failure:
            raise ProviderSilent(f"{str(failure).rstrip('.')}.", self._silent) from failure
        if facts.capabilities and "completion" not in facts.capabilities:
            raise CheckModel(
                f"The model {model!r} answers no questions; it can do: {', '.join(sorted(facts.capabilities))}.",
                "Set LLM_MODEL to a chat model.",
            )
        return _of_the_cloud(run) or self._of_the_room(run, facts) or _of_the_version(facts)

    @property
    def _silent(self) -> str:
        if is_this_machine(self.way.address):
            return (
                "Check that Ollama runs. In a container, localhost is the container itself: set OLLAMA_HOST to "
                "http://host.docker.internal:11434, and let Ollama listen there with OLLAMA_HOST=0.0.0.0 of its own."
            )
        return "Check that its machine is awake, that Ollama runs and listens there, and OLLAMA_HOST."

    def _of_the_room(self, run: _Run, facts: Facts) -> Problem | None:
        """A warning where a page does not fit into the longest context there may be."""
        limit = self._limit(facts)
        if limit is None:
            return None
        is_doubled = not facts.refuses
        longest = run.expected[0] or usual_prompt(PAGE)
        fits = page_for(limit, is_doubled=is_doubled)
        size = context_for(longest, 0, is_doubled=is_doubled)
        if size <= limit or (not run.expected[0] and fits >= PAGE):
            return None
        is_ours = limit == self._context_length
        whose = f"OLLAMA_CONTEXT_LENGTH gives {run.model!r}" if is_ours else f"{run.model!r} has"
        longer = "Raise it, or take it away." if is_ours else "Choose a model with a longer context."
        return Problem(
            source="OLLAMA_CONTEXT_LENGTH" if is_ours else _SETTING,
            what=f"{whose} a context of {limit:,} tokens, and a page needs about {size:,}: each is asked in halves.",
            remedy=f"Set BATCH_SIZE to {fits} or less." if fits else longer,
            severity="warning",
        )

    def _limit(self, facts: Facts) -> int | None:
        """The longest context there may be; None where no limit is known."""
        return min([limit for limit in (self._context_length, facts.context) if limit], default=None)

    async def _look(self, model: str) -> Facts:
        """Ask for the server's version and the model's details. Raise RequestFailed or CheckModel."""
        is_optional = self._run(model).is_cloud
        told = await self._call("GET", "/api/version")
        version = told.body.get("version") if isinstance(told.body, dict) else None
        if told.status != OK and not is_optional:
            raise told.failure(self.way)
        if not isinstance(version, str) and not is_optional:
            raise CheckModel(f"There is no Ollama at {self.way.address}: it states no version.", "Check OLLAMA_HOST.")
        shown = await self._call("POST", "/api/show", {"model": model})
        if shown.status == _NOT_FOUND:
            raise await self._missing(model)
        if shown.status != OK and not is_optional:
            raise shown.failure(self.way)
        return Facts(version_of(version), context_of(shown.body), capabilities_of(shown.body))

    async def _missing(self, model: str) -> CheckModel:
        """The error for a model that is not there, with the names of those that are."""
        try:
            tags = await self._call("GET", "/api/tags")
        except RequestFailed:
            there = ""
        else:
            names = installed(tags.body)
            shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
            there = f" It has: {one_line(shown, 1000)}." if names else " It has no models at all."
        return CheckModel(
            f"Ollama at {self.way.address} has no model {model!r}.{there}",
            f"Fetch it with `ollama pull {one_line(model, 200)}`, or set LLM_MODEL to one that is there.",
        )

    # Questions

    async def ask(
        self,
        request: Request,
        on_first_token: Callable[[], None] | None = None,
        on_broken: Callable[[Reply], None] | None = None,  # noqa: ARG002 - an answer comes whole or not at all
    ) -> Reply:
        """Send one request; see Provider. Nothing of an answer is used whose prompt may not have been read whole."""
        call = Call(_CALL, model=request.model)
        try:
            with self._failures(call):
                reply = await self._ask(request, call)
        except RequestFailed as failure:
            # Only in the cloud does an answer cost something that was lost, or cannot be used.
            has_come = call.response is not None and call.response.status_code == OK
            failure.may_be_billed = self._run(request.model).is_cloud and (failure.may_be_billed or has_come)
            raise
        finally:
            self.calls[call.outcome] += 1
            self.seconds.append(call.seconds)
            call.log()
        if on_first_token is not None:
            on_first_token()
        return reply

    async def _ask(self, request: Request, call: Call) -> Reply:
        run, prompt = self._run(request.model), Prompt.of(request)
        async with run.lock:
            if run.facts is None:
                run.facts = await self._look(run.model)
        question = _Question(run, run.facts, request, Size.of(f"{prompt.system}{prompt.user}"))
        room = self._room(question)
        call.details["num_ctx"] = room.context
        answered = await self._send("POST", _CHAT, body_of(request, prompt, room, run.think), call)
        if answered.status != OK or (isinstance(answered.body, dict) and answered.body.get("error")):
            raise await self._refused(question, answered)
        answer = answer_of(answered.body)
        if answer is None:
            raise RequestFailed(Failure.UNREADABLE, NOT_OLLAMA)
        call.usage = answer.usage
        call.details |= answer.milliseconds
        self._make_sure(question, room, answer)
        if not answer.text.strip():
            raise RequestFailed(Failure.UNREADABLE, _empty(answer))
        call.outcome = answer.ending
        return Reply(text=answer.text, ending=answer.ending, usage=answer.usage)

    def _room(self, question: _Question) -> Room:
        """The room that a question is asked with. The context grows only where the question would not fit."""
        run = question.run
        if question.is_doubled and question.facts.context is None:
            raise CheckModel(
                f"Ollama does not say how long the context of {run.model!r} can be, and this version cuts prompts "
                "without a word.",
                f"Update Ollama to {_REFUSES_FROM} or later.",
            )
        room = question.room
        if room is None:
            self._set_context(question)
            room = question.room
        if room is None:
            raise RequestFailed(
                Failure.TOO_LARGE,
                f"A prompt of about {question.size.most:,} tokens and its answer do not fit into the context of "
                f"{run.context:,} that {run.model!r} can have here. A lower BATCH_SIZE makes prompts shorter.",
            )
        return room

    def _set_context(self, question: _Question) -> None:
        """Make the context as long as this question needs, and what was announced; it never becomes shorter."""
        run, request = question.run, question.request
        prompt, answer = max(run.expected[0], question.size.most), max(run.expected[1], request.expected_tokens)
        wanted = context_for(prompt, answer, margin=run.margin, is_doubled=question.is_doubled)
        if self._context_length is not None:
            wanted = self._context_length
        wanted = min([wanted, *filter(None, (question.facts.context,))])
        before, run.context = run.context, max(wanted, run.context)
        if run.context != before:
            _log.info("ollama.context", model=run.model, num_ctx=run.context, before=before or None)

    def _widen(self, question: _Question, failure: RequestFailed) -> RequestFailed:
        """The failure of a prompt that was too long. It is asked again if the context grows for it."""
        run = question.run
        if run.is_cloud or run.margin >= WIDEST_MARGIN or self._context_length is not None:
            return failure
        before, run.margin = run.context, WIDEST_MARGIN
        self._set_context(question)
        failure.is_asked_otherwise_now = run.context > before
        return failure

    async def _refused(self, question: _Question, answered: Answered) -> RequestFailed | CheckModel:
        """What an error means, and what it changes in how the model is asked."""
        run, refusal = question.run, answered.refusal(self.way)
        if refusal.is_missing:
            return await self._missing(run.model)
        failure = answered.failure(self.way)
        if not isinstance(failure, RequestFailed):
            return failure
        if refusal.is_too_long:
            return self._widen(question, failure)
        if refusal.is_about_thinking and run.think is not None:
            run.think, failure.is_asked_otherwise_now = None, True
            _log.info("ollama.thinking_unsaid", model=run.model, why=str(failure))
        return failure

    def _make_sure(self, question: _Question, room: Room, answer: Answer) -> None:
        """Raise RequestFailed unless it is certain that the model has read its whole prompt."""
        is_cloud = question.run.is_cloud
        if is_cloud:  # its context is not ours to set, and is as long as the model allows
            room = Room((answer.read or 0) + room.answer, room.answer)
        why = doubt(answer.read, question.size, room, refuses=question.facts.refuses or is_cloud)
        if why:
            raise self._widen(question, RequestFailed(Failure.TOO_LARGE, f"{why} Nothing of its answer is used."))

    # Calls

    async def _call(self, method: str, path: str, body: object = None) -> Answered:
        """A call that asks no question. Raise RequestFailed or CheckModel where there is no answer."""
        call = Call(_CALL, method=method, path=path)
        try:
            with self._failures(call):
                answered = await self._send(method, path, body, call, seconds=min(CHECK_TIMEOUT, self._timeout))
                call.outcome = "answered"
                return answered
        finally:
            call.log()

    async def _send(
        self, method: str, path: str, body: object, call: Call, *, seconds: float | None = None
    ) -> Answered:
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        response = await self.client.request(
            method,
            f"{self.way.address}{path}",
            content=content,
            headers={"Content-Type": "application/json"} if content else None,
            timeout=httpx2.USE_CLIENT_DEFAULT if seconds is None else seconds,
        )
        call.response = response
        return Answered(response)

    @contextmanager
    def _failures(self, call: Call) -> Iterator[None]:
        """Whatever goes wrong with a call, as RequestFailed or CheckModel."""
        try:
            yield
        except (RequestFailed, CheckModel) as failure:
            raise call.failed(failure) from None
        except httpx2.ReadTimeout as error:
            raise call.failed(self._timed_out(call)) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise call.failed(unconnected(error, self.way, self._lost)) from error

    def _timed_out(self, call: Call) -> RequestFailed:
        """The failure of a question without an answer in time: to ask it again as it is would only wait as long."""
        if not call.is_question:
            return RequestFailed(Failure.NO_CONNECTION, f"Ollama at {self.way.address} does not answer in time.")
        return RequestFailed(
            Failure.TOO_LARGE,
            f"Ollama timed out after {self._timeout:g} s{self.way.through}. Smaller pages (BATCH_SIZE), a smaller "
            "model or a higher LLM_TIMEOUT help.",
            may_be_billed=True,
        )

    def _lost(self, why: str, *, may_be_billed: bool) -> RequestFailed:
        what = "Ollama's answer was lost" if may_be_billed else f"Ollama at {self.way.address} could not be reached"
        return RequestFailed(Failure.NO_CONNECTION, f"{what}{self.way.through}: {why}", may_be_billed=may_be_billed)


def _empty(answer: Answer) -> str:
    if answer.thought:
        return (
            "The model only thought and wrote no answer. Choose a model whose thinking can be turned off, or one "
            "without any."
        )
    return "Ollama's answer is empty: its runner may have crashed. Look at Ollama's log."


def _of_the_cloud(run: _Run) -> Problem | None:
    if not run.is_cloud:
        return None
    return Problem(
        source="LLM_MODEL",
        what=f"{run.model!r} runs in Ollama's cloud: what it costs is not known, and it need not keep to the form of "
        "an answer.",
        remedy="Nothing to do if you mean it; a model on your own machine is free and private.",
        severity="hint",
    )


def _of_the_version(facts: Facts) -> Problem | None:
    if facts.refuses:
        return None
    known = ".".join(map(str, facts.version)) if facts.version else "unknown"
    return Problem(
        source=_SETTING,
        what=f"Ollama's version is {known}; before {_REFUSES_FROM} it cuts prompts without a word. Each gets a context "
        "twice as long, to be certain that it is read whole.",
        remedy=f"Update Ollama to {_REFUSES_FROM} or later.",
        severity="warning",
    )
