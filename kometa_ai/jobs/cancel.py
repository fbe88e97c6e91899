"""Cancel every open batch at Anthropic; the next run takes what was answered by then."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec
import structlog

from kometa_ai.asking.batch_search import search
from kometa_ai.errors import CheckModel
from kometa_ai.providers.port import RequestFailed
from kometa_ai.state.schema import BatchDropped, BatchNamed, RunWaits

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.core.batches import OpenBatch
    from kometa_ai.jobs.session import Session
    from kometa_ai.providers.port import BatchProvider
    from kometa_ai.state.store import Store

Outcome = Literal["canceling", "ended", "unknown", "failed", "given up"]

_log = structlog.get_logger()


class Canceled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one batch; `what` says it in words. `id` is empty if Anthropic never confirmed the batch."""

    id: str
    planned: datetime
    questions: int
    outcome: Outcome
    what: str


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all batches that were open."""

    batches: tuple[Canceled, ...]
    exit_code: int


_WORDS: dict[Outcome, str] = {
    "canceling": "It is being stopped. What it has answered by then is paid for, and the next run takes it.",
    "ended": "It has ended already; the next run takes its answers.",
    "given up": "Without CLAUDE_API_KEY it cannot be stopped. Its answers are given up; the next run asks again.",
    "unknown": "Anthropic does not list it: it was never taken, or is long gone. The next run looks once more.",
}


async def cancel(session: Session) -> Cancellation:
    """Ask for the end of each open batch; they stay open until a run has taken their answers.

    Where another provider is in use and there is no key for Claude, no run can take them: they are given up.
    """
    settings = session.settings
    is_out_of_reach = "claude" not in settings.models.providers and not settings.claude_api_key.get_secret_value()
    with session.lock() as store:
        if is_out_of_reach:
            cancellation = _give_up(store)
        else:
            async with session.open_batches() as batches:
                cancellation = await cancel_batches(batches, store, session.redact)
        store.save(session.now())
    return cancellation


async def cancel_batches(provider: BatchProvider, store: Store, redact: Callable[[str], str] = str) -> Cancellation:
    """Ask for the end of each open batch; it stays open until a run has taken its answers. The caller has the lock.

    No run goes on with one that waits for them: what was cancelled is left to the next one.
    """
    _wait_no_longer(store)
    found = []
    exit_code = 0
    for batch in store.state.batches:
        batch_id = batch.id
        try:
            batch_id = batch_id or await _find(provider, store, batch)
            outcome = await _cancel(provider, batch_id)
            what = _WORDS[outcome]
        except (CheckModel, RequestFailed) as error:
            why = redact(error.message if isinstance(error, CheckModel) else str(error))
            outcome, what = "failed", f"It could not be stopped, and may go on: {why}"
            exit_code = max(exit_code, error.exit_code if isinstance(error, CheckModel) else 1)
        found.append(_told(batch, batch_id, outcome, what))
    return Cancellation(batches=tuple(found), exit_code=exit_code)


def _give_up(store: Store) -> Cancellation:
    """Forget all open batches."""
    _wait_no_longer(store)
    batches = tuple(store.state.batches)
    for batch in batches:
        store.record(BatchDropped(key=batch.key))
    return Cancellation(
        batches=tuple(_told(batch, batch.id, "given up", _WORDS["given up"]) for batch in batches), exit_code=0
    )


def _wait_no_longer(store: Store) -> None:
    if store.state.waiting is not msgspec.UNSET:
        store.record(RunWaits(options=None))


def _told(batch: OpenBatch, batch_id: str, outcome: Outcome, what: str) -> Canceled:
    _log.info("batch.cancel", batch_id=batch_id, outcome=outcome)
    count = sum(len(batch.pages[question.page]) for question in batch.open_questions)
    return Canceled(id=batch_id, planned=batch.planned, questions=count, outcome=outcome, what=what)


async def _find(provider: BatchProvider, store: Store, batch: OpenBatch) -> str:
    """Find the id of a batch whose creation was not confirmed, and remember it; empty if Anthropic does not list it."""
    batch_id = await search(provider, batch, store.state.batches)
    if batch_id:
        store.record(BatchNamed(key=batch.key, id=batch_id, foreign=batch.foreign))
    return batch_id


async def _cancel(provider: BatchProvider, batch_id: str) -> Outcome:
    seen = await provider.find(batch_id) if batch_id else None
    if seen is None:
        return "unknown"
    if seen.has_ended:
        return "ended"
    await provider.cancel(batch_id)
    return "canceling"
