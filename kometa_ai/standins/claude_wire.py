"""Build the Claude stand-in's HTTP answers: errors, headers, events and broken connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response, StreamingResponse

from kometa_ai.standins.serving import hang_up

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

# Anthropic's API documentation, "Errors".
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}

MAX_PAGE = 1000

encode = msgspec.json.encode


class ApiError(Exception):
    """A refusal of the API: becomes `{"type": "error", "error": {...}, "request_id": ...}` with this status."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        error_type: str = "",
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_type = error_type or ERROR_TYPES.get(status, "api_error")
        self.details = details
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """The error as the API writes it."""
        error: dict[str, Any] = {"type": self.error_type, "message": self.message}
        if self.details is not None:
            error["details"] = dict(self.details)
        return {"type": "error", "error": error, "request_id": request_id}


def bad_request(message: str) -> ApiError:
    """A 400, the API's answer to an invalid body."""
    return ApiError(400, message)


def not_found(what: str) -> ApiError:
    """A 404; the API's message holds only the name of what is missing."""
    return ApiError(404, what)


def json_response(content: object, status: int = 200) -> Response:
    """`content` as JSON, by the fast encoder."""
    return Response(encode(content), status, media_type="application/json")


def decode_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises ApiError (400) if there is none."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise bad_request(f"The request body is not valid JSON: {error}") from error


def timestamp(seconds: float) -> str:
    """Unix time as RFC 3339, the way the API writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def page(items: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """One page of a list, by the parameters `limit` (1 to 1000, else ApiError), `after_id` and `before_id`."""
    asked = query.get("limit", "20")
    limit = int(asked) if asked.isdecimal() else 0
    if not 0 < limit <= MAX_PAGE:
        raise bad_request(f"limit: Input should be from 1 to {MAX_PAGE}")
    ids = [item["id"] for item in items]
    if (after := query.get("after_id")) in ids:
        items = items[ids.index(after) + 1 :]
    elif (before := query.get("before_id")) in ids:
        items = items[max(0, ids.index(before) - limit) : ids.index(before)]
    shown = list(items[:limit])
    return {
        "data": shown,
        "has_more": len(items) > limit,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def event(content: Mapping[str, Any]) -> bytes:
    """One server-sent event, named after the `type` of its data."""
    return b"event: %s\ndata: %s\n\n" % (str(content["type"]).encode(), encode(content))


class DroppedConnection(Response):
    """No answer: the connection ends. On a server other than `serve` it ends in the middle of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Close the connection."""
        if "connection" in scope.get("state", {}):
            await hang_up(scope)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


class EventStream(StreamingResponse):
    """Server-sent events, spread over `seconds`. With `drop` the connection ends after the last of them."""

    def __init__(
        self, events: Iterable[bytes], *, seconds: float, drop: bool, done: Callable[[], None], media_type: str
    ) -> None:
        super().__init__(self._one_by_one(list(events)), media_type=media_type)
        self._seconds = seconds
        self._drop = drop
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""

        async def sent(message: Message) -> None:
            if self._drop and message["type"] == "http.response.body" and not message.get("more_body"):
                await hang_up(scope, flush=True)
                return
            await send(message)

        try:
            await super().__call__(scope, receive, sent)
        finally:
            self._done()

    async def _one_by_one(self, events: Sequence[bytes]) -> AsyncIterator[bytes]:
        for each in events:
            yield each
            if self._seconds:
                await asyncio.sleep(self._seconds / len(events))


class RateLimits(msgspec.Struct, kw_only=True):
    """The organisation's limits, reported in headers but not enforced; use a fault to refuse a request.

    The defaults are the "Start" tier of Anthropic's API documentation, "Rate limits". The real buckets refill
    continuously, these every full minute. Cache reads do not count towards the input.
    """

    requests: int = 1_000
    input_tokens: int = 2_000_000
    output_tokens: int = 400_000
    window: int = 0
    used: dict[str, int] = msgspec.field(default_factory=dict)

    def spend(self, now: float, usage: Mapping[str, Any]) -> None:
        """Count the usage of a request."""
        self._turn_page(now)
        amounts = {
            "requests": 1,
            "input-tokens": usage["input_tokens"] + usage["cache_creation_input_tokens"],
            "output-tokens": usage["output_tokens"],
        }
        for name, amount in amounts.items():
            self.used[name] = self.used.get(name, 0) + amount

    def headers(self, now: float) -> dict[str, str]:
        """Limit, remainder and reset time of each bucket; token remainders are rounded to thousands."""
        self._turn_page(now)
        limits = {"requests": self.requests, "input-tokens": self.input_tokens, "output-tokens": self.output_tokens}
        left = {name: max(0, limit - self.used.get(name, 0)) for name, limit in limits.items()}
        limits["tokens"] = self.input_tokens + self.output_tokens
        left["tokens"] = left["input-tokens"] + left["output-tokens"]
        reset = timestamp((self.window + 1) * 60)
        headers: dict[str, str] = {}
        for name, limit in limits.items():
            remaining = left[name] if name == "requests" else round(left[name], -3)
            headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(remaining)
            headers[f"anthropic-ratelimit-{name}-reset"] = reset
        return headers

    def _turn_page(self, now: float) -> None:
        if self.window != int(now // 60):
            self.window = int(now // 60)
            self.used.clear()
