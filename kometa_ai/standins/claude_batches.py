"""Process the Message Batches of the Claude stand-in: accepted at once, answered later, in another order.

The rules are those of Anthropic's API documentation, "Batch processing". The requests of one batch run together, so
that in a cold batch every request writes the cache and none reads it; what a batch wrote, later batches can read, but
never the Messages API, nor the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from kometa_ai.standins.claude_cache import Charge, PromptCache
from kometa_ai.standins.claude_checks import check_request, check_shape
from kometa_ai.standins.claude_engine import ClaudeEngine
from kometa_ai.standins.claude_log import Predicate, RequestRecord, Rules
from kometa_ai.standins.claude_wire import ApiError, bad_request, encode, not_found, page, timestamp

BATCHES = "/v1/messages/batches"
MAX_REQUESTS = 100_000
LIFETIME_SECONDS = 24 * 3600

Outcome = Literal["canceled", "errored", "expired"]

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Batch(msgspec.Struct, kw_only=True):
    """One batch. Times are Unix seconds; `results` are the lines of its result file, empty until it has ended."""

    id: str
    created_at: float
    polls_left: int
    records: list[RequestRecord]
    cancel_initiated_at: float | None = None
    ended_at: float | None = None
    results: list[dict[str, Any]] = []

    @property
    def status(self) -> str:
        """The processing status as the API names it."""
        if self.ended_at is not None:
            return "ended"
        return "in_progress" if self.cancel_initiated_at is None else "canceling"

    def counts(self) -> dict[str, int]:
        """How many requests ended in which way; until the batch has ended all of them are processing."""
        counts = dict.fromkeys(("canceled", "errored", "expired", "processing", "succeeded"), 0)
        counts["processing"] = 0 if self.ended_at is not None else len(self.records)
        for line in self.results:
            counts[line["result"]["type"]] += 1
        return counts

    def info(self, base_url: str) -> dict[str, Any]:
        """The batch as the API describes it."""
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": self.counts(),
            "created_at": timestamp(self.created_at),
            "expires_at": timestamp(self.created_at + LIFETIME_SECONDS),
            "cancel_initiated_at": _timestamp_or_none(self.cancel_initiated_at),
            "ended_at": _timestamp_or_none(self.ended_at),
            "archived_at": None,
            "results_url": f"{base_url.rstrip('/')}{BATCHES}/{self.id}/results" if self.ended_at is not None else None,
        }


class Batches:
    """All batches. A new one ends once it was retrieved `polls` times and `seconds` have passed."""

    def __init__(self, engine: ClaudeEngine) -> None:
        self.polls = 1
        self.seconds = 0.0
        self.cache = PromptCache()
        self.known: dict[str, Batch] = {}
        self._engine = engine
        self._outcomes: Rules[Outcome] = Rules()

    def queue_outcome(self, outcome: Outcome, *, times: int | None = 1, when: Predicate | None = None) -> None:
        """Let the next `times` requests that satisfy `when` end with this outcome instead of an answer."""
        self._outcomes.add(outcome, times=times, when=when)

    def create(self, body: dict[str, Any]) -> Batch:
        """Accept a batch. Raises ApiError for wrong ids; the requests themselves are checked during processing."""
        requests = body.get("requests")
        if not isinstance(requests, list) or not 0 < len(requests) <= MAX_REQUESTS:
            raise bad_request(f"requests: Input should be a list of 1 to {MAX_REQUESTS} requests")
        _check_ids(requests)
        batch = Batch(
            id=self._engine.new_id("msgbatch"), created_at=self._engine.clock(), polls_left=self.polls, records=[]
        )
        batch.records = [self._record(batch, request) for request in requests]
        self._engine.requests += batch.records
        self.known[batch.id] = batch
        return batch

    def find(self, batch_id: str, *, poll: bool = False) -> Batch:
        """The batch in its present state. Raises ApiError (404) if there is none. A poll brings its end nearer."""
        batch = self.known.get(batch_id)
        if batch is None:
            raise not_found(f"No message batch with id {batch_id!r}")
        now = self._engine.clock()
        processed = batch.polls_left <= 0 and now >= batch.created_at + self.seconds
        canceled = poll and batch.cancel_initiated_at is not None
        if batch.ended_at is None and (processed or canceled or now >= batch.created_at + LIFETIME_SECONDS):
            self._end(batch, now)
        elif poll:
            batch.polls_left -= 1
        return batch

    def page(self, query: Mapping[str, str], base_url: str) -> dict[str, Any]:
        """One page of batches, the newest first."""
        return page([self.find(batch_id).info(base_url) for batch_id in reversed(self.known)], query)

    def cancel(self, batch_id: str) -> Batch:
        """Cancel a batch: at its next poll all its requests are canceled. An ended batch stays as it is."""
        batch = self.find(batch_id)
        if batch.ended_at is None:
            batch.cancel_initiated_at = self._engine.clock()
        return batch

    def delete(self, batch_id: str) -> None:
        """Delete a batch. Raises ApiError (400) while it is processed."""
        if self.find(batch_id).ended_at is None:
            raise bad_request("Message Batches can only be deleted once they have finished processing")
        del self.known[batch_id]

    def results(self, batch_id: str) -> bytes:
        """The results as JSON lines, in no particular order. Raises ApiError (404) until the batch has ended."""
        batch = self.find(batch_id)
        if batch.ended_at is None:
            raise not_found("The results are not available before the batch has ended")
        return b"".join(encode(line) + b"\n" for line in batch.results)

    def _record(self, batch: Batch, request: dict[str, Any]) -> RequestRecord:
        record = RequestRecord(
            method="POST",
            path=BATCHES,
            at=batch.created_at,
            body=request["params"],
            batch_id=batch.id,
            custom_id=request["custom_id"],
        )
        try:
            check_shape(record.body)
        except ApiError:
            return record  # it fails during processing
        self._engine.describe(record, record.body)
        return record

    def _end(self, batch: Batch, now: float) -> None:
        batch.ended_at = now
        charged: list[Charge] = []
        for record in batch.records:
            outcome = self._outcome(batch, record)
            result: dict[str, Any] = {"type": outcome}
            if outcome == "succeeded":
                result = self._answer(record, charged)
            elif outcome == "errored":
                result = _error(record, ApiError(500, "Internal server error"))
            batch.results.append({"custom_id": record.custom_id, "result": result})
        for charge in charged:
            self.cache.begin(charge)
        self._engine.chance.shuffle(batch.results)

    def _outcome(self, batch: Batch, record: RequestRecord) -> str:
        if batch.cancel_initiated_at is not None:
            return "canceled"
        if batch.ended_at is not None and batch.ended_at >= batch.created_at + LIFETIME_SECONDS:
            return "expired"
        return self._outcomes.take(record) or "succeeded"

    def _answer(self, record: RequestRecord, charged: list[Charge]) -> dict[str, Any]:
        try:
            model = check_request(record.body, self._engine.models, batch=True)
            charge = self._engine.charge(record.body, model, self.cache)
        except ApiError as error:
            return _error(record, error)
        charged.append(charge)
        record.status = 200
        return {
            "type": "succeeded",
            "message": self._engine.complete(record, model, charge, service_tier="batch"),
        }


def _check_ids(requests: list[Any]) -> None:
    seen = set()
    for number, request in enumerate(requests):
        custom_id = request.get("custom_id") if isinstance(request, dict) else None
        if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
            raise bad_request(f"requests.{number}.custom_id: String should match pattern '^{_CUSTOM_ID.pattern}$'")
        if not isinstance(request.get("params"), dict):
            raise bad_request(f"requests.{number}.params: Field required")
        if custom_id in seen:
            raise bad_request(f"requests.{number}.custom_id: {custom_id!r} is not unique in the batch")
        seen.add(custom_id)


def _error(record: RequestRecord, error: ApiError) -> dict[str, Any]:
    record.status = error.status
    record.error_type = error.error_type
    return {"type": "errored", "error": error.body("")}


def _timestamp_or_none(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
