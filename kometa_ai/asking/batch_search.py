"""Look for open batches at Anthropic by free calls: whether they have ended, are gone, or were never taken."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import structlog

from kometa_ai.errors import CheckModel
from kometa_ai.providers.port import RequestFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kometa_ai.core.batches import OpenBatch
    from kometa_ai.providers.port import BatchProvider, BatchSeen

LISTED_WITHIN = timedelta(minutes=10)
"""A batch that was taken is in Anthropic's list by then."""
ANSWERED_WITHIN = timedelta(hours=25)
"""Anthropic ends each batch within a day. Before that an id that is not known may be known again: that happens."""
KEPT = timedelta(days=29)
"""Anthropic keeps answers this long."""
_CLOCKS_DIFFER = timedelta(minutes=5)

_log = structlog.get_logger()


class Looked(NamedTuple):
    """How a batch was found; `gone` says why there will never be answers of it."""

    id: str = ""
    seen: BatchSeen | None = None
    gone: str = ""


async def ended(provider: BatchProvider, batches: Sequence[OpenBatch], now: datetime) -> frozenset[str]:
    """The keys of the open batches that a run can do something about, by free calls: they have ended, or are gone."""
    keys = set()
    for batch in batches:
        try:
            looked = await look_at(provider, batch, batches, now)
        except CheckModel as error:
            _log.info("batch.unreachable", batch_id=batch.id, why=error.message)
        except RequestFailed as failure:
            _log.info("batch.unreachable", batch_id=batch.id, why=str(failure))
        else:
            if looked.gone or (looked.seen is not None and looked.seen.has_ended):
                keys.add(batch.key)
    return frozenset(keys)


async def search(provider: BatchProvider, batch: OpenBatch, opened: Iterable[OpenBatch]) -> str:
    """The id of a batch that may have been taken although nothing was heard of it; empty where there is none."""
    known = {other.id for other in opened}.union(batch.foreign)
    fitting = [
        seen.id
        async for seen in provider.since(batch.planned - _CLOCKS_DIFFER)
        if seen.requests == batch.requests and seen.id not in known
    ]
    # The newest come first, and ours was the first to be created after its plan.
    return fitting[-1] if fitting else ""


async def look_at(provider: BatchProvider, batch: OpenBatch, opened: Sequence[OpenBatch], now: datetime) -> Looked:
    """Look for a batch by free calls: by its id, or among those that were created since it was planned."""
    age = now - batch.planned
    if age > KEPT:
        return Looked(batch.id, gone="Its answers are not kept any more.")
    batch_id = batch.id or await search(provider, batch, opened)
    if not batch_id:
        return Looked(gone="The batch was never taken." if age > LISTED_WITHIN else "")
    seen = await provider.find(batch_id)
    if seen is None and age > ANSWERED_WITHIN:
        return Looked(batch_id, gone="The batch is not known any more.")
    return Looked(batch_id, seen)
