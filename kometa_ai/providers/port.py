"""The port to a model: requests, replies, usage, failures, and the protocols an adapter fulfils."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.errors import CheckClaude

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
    """One question about a page of movies and one collection.

    `cache` asks for the movies to be kept in the model's prompt cache, because other requests begin with the same;
    `cache_system` for the system prompt alone, because many more begin with that. `expected_tokens` is how long a
    full answer may become.
    """

    form: Form
    movies: str
    collection: str
    model: str
    cache: bool
    expected_tokens: int
    cache_system: bool = False


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one or more requests. `input_tokens` are those neither read from nor written to the cache.

    `cache_write_1h_tokens` are those of `cache_write_tokens` that were written to last for an hour.
    """

    requests: int = 0
    input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0

    @property
    def is_known(self) -> bool:
        """Whether anything was counted; some endpoints state nothing."""
        return bool(self.input_tokens or self.cache_write_tokens or self.cache_read_tokens or self.output_tokens)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_write_1h_tokens=self.cache_write_1h_tokens + other.cache_write_1h_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


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


class ProviderSilent(CheckClaude):
    """The service does not answer just now; it may later."""


class Provider(Protocol):
    """A model that can be asked."""

    @property
    def way(self) -> Way:
        """The way to it: its address, and the proxy in between."""
        ...

    async def prepare(self) -> None:
        """Load what the first call needs, which may take seconds. Raise CheckClaude where it cannot be asked at all."""
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

        Raise RequestFailed where this request failed, and CheckClaude where every further one would fail too.
        """
        ...

    async def check(self, model: str) -> Problem | None:
        """By free calls: a warning about the model, a hint that it may not be there, or nothing.

        Raise CheckClaude where it cannot be asked.
        """
        ...

    async def count(self, request: Request) -> int:
        """By a free call: how many tokens the request's prompt has. Raise RequestFailed or CheckClaude."""
        ...

    def caches(self, tokens: int, model: str) -> bool:
        """Whether a prefix of about so many tokens is long enough for the model's prompt cache."""
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

    `why` is what Claude said of one that ended with an error.
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

    Everything raises RequestFailed and CheckClaude as a Provider does.
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
