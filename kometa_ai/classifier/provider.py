"""The seam to a model: what it is asked, what it answers, how it fails."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One question about a block of movies and one collection.

    `cache` asks for the movies to be kept in the model's prompt cache, because other requests begin with the same.
    `expected_tokens` is how long a full answer may become.
    """

    movies: str
    collection: str
    model: str
    cache: bool
    expected_tokens: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one or more requests. `input_tokens` are those neither read from nor written to the cache."""

    requests: int = 0
    input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class Ending(StrEnum):
    """How an answer ended."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    REFUSED = "refused"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's text as it came, how it ended, and what it used."""

    text: str
    ending: Ending
    usage: Usage


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
    same and have been lost on its way.
    """

    def __init__(
        self, failure: Failure, message: str, retry_after: float | None = None, *, may_be_billed: bool = False
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.retry_after = retry_after
        self.may_be_billed = may_be_billed


class Provider(Protocol):
    """A model that can be asked."""

    async def ask(self, request: Request) -> Reply:
        """Send one request, once.

        Raise RequestFailed where this request failed, and CheckClaude where every further one would fail too.
        """
        ...

    def caches(self, tokens: int, model: str) -> bool:
        """Whether a prefix of about that many tokens is long enough for the model's prompt cache."""
        ...
