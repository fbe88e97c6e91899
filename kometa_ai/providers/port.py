"""Define the port to models: requests, replies, usage, failures, and the protocols that an adapter fulfils."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from kometa_ai.core.model import ModelName, ProviderName
from kometa_ai.core.problem import Problem
from kometa_ai.errors import CheckModel
from kometa_ai.providers.traits import Traits

if TYPE_CHECKING:
    from kometa_ai.network.failures import Way


class Form(msgspec.Struct, frozen=True):
    """What all requests of one kind share: the system prompt and the JSON schema of an answer.

    `tokens` is about how long both are together; a service puts the schema into the prompt, ahead of everything.
    """

    system: str
    schema: Mapping[str, Any]
    tokens: int


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One question about a page of movies and one collection, or several: `collections` is how many.

    `model` is a name as decisions have it; an adapter gets the model's own. `cache` asks for the movies to be kept in
    the model's prompt cache, because other requests begin with the same; `cache_system` for the system prompt alone,
    because many more begin with that. `expected_tokens` is how long a full answer may become.
    """

    form: Form
    movies: str
    collection: str
    model: str
    cache: bool
    expected_tokens: int
    collections: int = 1
    cache_system: bool = False


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one or more requests. `input_tokens` are those neither read from nor written to the cache.

    `cache_write_1h_tokens` are those of `cache_write_tokens` that were written to last for an hour. `stated_cost` is in
    USD, where the service says it; `price_share` is what was paid of the usual price, as for a slower tier.
    """

    requests: int = 0
    input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    stated_cost: float | None = None
    price_share: float = 1.0

    @property
    def is_known(self) -> bool:
        """Whether anything was counted, tokens or USD; some endpoints state nothing."""
        tokens = self.input_tokens or self.cache_write_tokens or self.cache_read_tokens or self.output_tokens
        return bool(tokens) or self.stated_cost is not None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_write_1h_tokens=self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    def shares(self, parts: int) -> list[Usage]:
        """The same as so many usages, which add up to it, as even as whole tokens are; the first has the request."""

        def share(count: int, number: int) -> int:
            return count * (number + 1) // parts - count * number // parts

        return [
            Usage(
                requests=self.requests if number == 0 else 0,
                input_tokens=share(self.input_tokens, number),
                cache_write_tokens=share(self.cache_write_tokens, number),
                cache_write_1h_tokens=share(self.cache_write_1h_tokens, number),
                cache_read_tokens=share(self.cache_read_tokens, number),
                output_tokens=share(self.output_tokens, number),
                stated_cost=None if self.stated_cost is None else self.stated_cost / parts,
                price_share=self.price_share,
            )
            for number in range(parts)
        ]


class ReplyEnd(StrEnum):
    """How an answer ended. A broken one ended on its way, and its last words may not be whole."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    BROKEN = "broken"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's text as it came, how it ended, and what it used.

    `pause` is for how many seconds nothing more should be sent, because a rate limit is nearly used up.
    """

    text: str
    ending: ReplyEnd
    usage: Usage
    pause: float = 0.0


class Failure(StrEnum):
    """Why a request brought no answer, in the words of the report."""

    RATE_LIMITED = "rate limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server error"
    NO_CONNECTION = "no connection"
    TOO_LARGE = "request too large"
    REJECTED = "request rejected"
    REFUSED = "refused"
    UNREADABLE = "unreadable answer"


RETRIED = frozenset({Failure.RATE_LIMITED, Failure.OVERLOADED, Failure.SERVER_ERROR, Failure.NO_CONNECTION})
"""Failures that pass by themselves; all others would fail again."""


class RequestFailed(Exception):
    """One request brought no answer.

    `retry_after` is in seconds, where the service named it. `may_be_billed` says that the answer may exist all the
    same and have been lost on its way. `is_asked_otherwise_now` says that the provider would send the same request in
    another form from now on, so that it is worth one more try at once.
    """

    def __init__(
        self,
        failure: Failure,
        message: str,
        retry_after: float | None = None,
        *,
        may_be_billed: bool = False,
        is_asked_otherwise_now: bool = False,
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.retry_after = retry_after
        self.may_be_billed = may_be_billed
        self.is_asked_otherwise_now = is_asked_otherwise_now


class ProviderSilent(CheckModel):
    """The service does not answer just now; it may later."""


class Provider(Protocol):
    """Models that can be asked, each by its name."""

    def traits(self, model: str) -> Traits:
        """What a model can do and what it costs."""
        ...

    def expect(self, model: str, *, prompt_tokens: int, answer_tokens: int) -> None:
        """Hear how long the longest prompt of this run may be, and its answer, before the first is asked."""
        ...

    async def ask(
        self,
        request: Request,
        on_first_token: Callable[[], None] | None = None,
        on_broken: Callable[[Reply], None] | None = None,
    ) -> Reply:
        """Send one request, once.

        `on_first_token` is called as soon as there is something of the answer: from then on other requests can read
        what this one has written to the cache. Where it cannot be known earlier that is when the answer is complete.
        `on_broken` is called with what there is of an answer that broke off, for whatever reason: it is paid for.

        Raise RequestFailed where this request failed, and CheckModel where every further one would fail too.
        """
        ...

    async def check(self, model: str) -> Problem | None:
        """By free calls: a warning about the model, a hint that it may not be there, or nothing.

        Raise CheckModel where it cannot be asked, ProviderSilent where the service does not answer.
        """
        ...

    async def count(self, request: Request) -> int | None:
        """By a free call: how many tokens the request's prompt has; None where the service cannot count.

        Raise RequestFailed or CheckModel.
        """
        ...


def titles_of(provider: Provider, models: Iterable[str]) -> dict[ProviderName, str]:
    """What texts call the providers of these models."""
    return {ModelName.of(model).provider: provider.traits(model).title for model in models}


class Adapter(Provider, Protocol):
    """A client of one provider. It gets models by their own names.

    `calls` counts the outcomes of its questions: how the answer ended, or why there was none. `seconds` is how long
    each question took that was not part of a batch.
    """

    calls: Counter[str]
    seconds: list[float]

    @property
    def way(self) -> Way:
        """The way to it: its address, and the proxy in between."""
        ...

    async def prepare(self) -> None:
        """Load what the check needs, which may take seconds. Raise CheckModel where it cannot be asked at all."""
        ...


class BatchSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as the service knows it. Its answers can be read once it `has_ended`; `ended` is when, if known."""

    id: str
    created: datetime
    requests: int
    has_ended: bool
    ended: datetime | None = None


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request of a batch; `reply` is None where it brought no answer, which costs nothing.

    `why` is what the service said of one that ended with an error.
    """

    id: str
    outcome: Literal["succeeded", "errored", "canceled", "expired"]
    reply: Reply | None = None
    at_batch_price: bool = True
    why: str = ""


class BatchedRequest(NamedTuple):
    """A request and the name under which its answer comes back."""

    id: str
    request: Request


class BatchProvider(Protocol):
    """A model that can be asked many things at once, and answers within a day.

    Everything raises RequestFailed and CheckModel as a Provider does.
    """

    async def create(self, requests: Sequence[BatchedRequest]) -> BatchSeen:
        """Hand over a batch, once. `may_be_billed` of a failure says that it may have been taken all the same."""
        ...

    async def find(self, batch_id: str) -> BatchSeen | None:
        """Look up a batch; None where the service does not know it, which may pass by itself."""
        ...

    def since(self, when: datetime) -> AsyncIterator[BatchSeen]:
        """The batches created at that time or later."""
        ...

    def answers(self, batch_id: str) -> AsyncIterator[BatchAnswer]:
        """The answers of a batch that has ended, in any order."""
        ...

    async def cancel(self, batch_id: str) -> None:
        """Ask for the end of a batch; what it has answered by then can be read as ever."""
        ...
