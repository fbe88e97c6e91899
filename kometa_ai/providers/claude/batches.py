"""Hand over, find and read Anthropic's Message Batches through the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.errors import CheckModel
from kometa_ai.providers.claude.messages import arguments, count_of, reply_of
from kometa_ai.providers.error_texts import read_error, shown
from kometa_ai.providers.port import BatchAnswer, BatchSeen, Failure, RequestFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from kometa_ai.providers.claude.client import Claude
    from kometa_ai.providers.port import BatchedRequest

CREATE_TIMEOUT = 300.0
"""Seconds. A batch is a long upload, and one that is given up too early may have been taken all the same."""

_PAGE = 100
_MOST = 5000
_MODEL_OF_NO_REQUEST = "of the batch"
_NOT_FOUND, _OVERLOADED = 404, 529


class ClaudeBatches:
    """Batches over the connection of a `Claude`; see BatchProvider."""

    def __init__(self, claude: Claude) -> None:
        self._claude = claude

    async def create(self, requests: Sequence[BatchedRequest]) -> BatchSeen:
        """See BatchProvider."""
        # The SDK would send a batch again after a time-out, without a word that it is the same.
        client = (await self._claude.client()).with_options(max_retries=0, timeout=CREATE_TIMEOUT)
        model = requests[0].request.model
        try:
            with self._claude.translated(model):
                batch = await client.messages.batches.create(
                    requests=[{"custom_id": each.id, "params": _params(each)} for each in requests]  # type: ignore[typeddict-item]  # built as a dict
                )
            return _seen(batch)
        except RequestFailed as failure:
            may_exist = failure.may_be_billed or _is_unclear(failure)
            raise RequestFailed(
                failure.failure, str(failure), failure.retry_after, may_be_billed=may_exist
            ) from failure
        except (ValueError, AttributeError, TypeError) as error:
            raise _unreadable("the batch", error) from error

    async def find(self, batch_id: str) -> BatchSeen | None:
        """See BatchProvider."""
        try:
            client = await self._claude.client()
            with self._claude.translated(_MODEL_OF_NO_REQUEST):
                batch = await client.messages.batches.retrieve(batch_id)
                seen = _seen(batch)
                if seen.ended is not None:
                    self._claude.batch_seconds[batch_id] = (seen.ended - seen.created).total_seconds()
                return seen
        except (RequestFailed, CheckModel) as error:
            if _status(error) == _NOT_FOUND:
                return None
            raise
        except (ValueError, AttributeError, TypeError) as error:
            raise _unreadable(batch_id, error) from error

    async def since(self, when: datetime) -> AsyncIterator[BatchSeen]:
        """See BatchProvider."""
        try:
            client = await self._claude.client()
            with self._claude.translated(_MODEL_OF_NO_REQUEST):
                count = 0
                # The newest come first.
                async for batch in client.messages.batches.list(limit=_PAGE):
                    seen = _seen(batch)
                    count += 1
                    # A list that says there is more for ever would keep the run for ever.
                    if seen.created < when or count > _MOST:
                        return
                    yield seen
        except (ValueError, AttributeError, TypeError) as error:
            raise _unreadable("the list of batches", error) from error

    async def answers(self, batch_id: str) -> AsyncIterator[BatchAnswer]:
        """See BatchProvider."""
        try:
            client = await self._claude.client()
            with self._claude.translated(_MODEL_OF_NO_REQUEST):
                async for line in await client.messages.batches.results(batch_id):
                    answer = _answer(line, self._claude.redact)
                    self._claude.calls[answer.reply.ending if answer.reply else answer.outcome] += 1
                    yield answer
        except (RequestFailed, CheckModel):
            raise
        except Exception as error:
            # Once a file has begun, its errors are those of the connection and of JSON, which the SDK lets through.
            raise _unreadable(batch_id, error) from error

    async def cancel(self, batch_id: str) -> None:
        """See BatchProvider."""
        client = await self._claude.client()
        with self._claude.translated(_MODEL_OF_NO_REQUEST):
            await client.messages.batches.cancel(batch_id)


def _params(each: BatchedRequest) -> dict[str, Any]:
    params = arguments(each.request)
    for block in params["messages"][0]["content"]:
        if "cache_control" in block:
            # The batch that reads comes when the one that writes has ended: five minutes would not last.
            block["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    return params


def _seen(batch: Any) -> BatchSeen:  # noqa: ANN401 - the SDK's type, which it does not check
    counts = batch.request_counts
    has_ended = batch.processing_status == "ended"
    return BatchSeen(
        id=batch.id,
        created=batch.created_at,
        requests=counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired,
        has_ended=has_ended,
        ended=(batch.ended_at or None) if has_ended else None,
    )


def _answer(line: Any, hide: Callable[[str], str]) -> BatchAnswer:  # noqa: ANN401 - the SDK's type, which it does not check
    result = line.result
    if result.type != "succeeded":
        # The error is the body of an answer: one with an `error` in it.
        error = getattr(result, "error", None)
        said = read_error(error.to_dict() if error is not None and hasattr(error, "to_dict") else error)
        return BatchAnswer(id=line.custom_id, outcome=result.type, why=shown(said.sentence, hide))
    reply = reply_of(result.message)
    used, told = reply.usage, getattr(result.message, "usage", None)
    for_an_hour = count_of(getattr(told, "cache_creation", None), "ephemeral_1h_input_tokens") or 0
    # No more than there was in all: an endpoint may tell only one of the two.
    used = msgspec.structs.replace(used, cache_write_1h_tokens=min(for_an_hour, used.cache_write_tokens))
    return BatchAnswer(
        id=line.custom_id,
        outcome="succeeded",
        reply=msgspec.structs.replace(reply, usage=used),
        at_batch_price=getattr(told, "service_tier", None) == "batch",
    )


def _status(error: Exception) -> int | None:
    return getattr(error.__cause__, "status_code", None)


def _is_unclear(failure: RequestFailed) -> bool:
    """Whether an answer says nothing about what became of the call: that of a gateway, or of a server that broke."""
    status = _status(failure)
    return status is not None and (status in (408, 409) or (status >= 500 and status != _OVERLOADED))  # noqa: PLR2004


def _unreadable(what: str, error: Exception) -> RequestFailed:
    return RequestFailed(
        Failure.UNREADABLE, f"What Claude says of {what} could not be read: {error}", may_be_billed=True
    )
