"""Add up what runs have cost: by month, by collection, and for each question. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.run.spending import of_month
from kometa_ai.state.schema import RUNS_KEPT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, tzinfo

    from kometa_ai.core.report import Spending
    from kometa_ai.state.schema import RunSummary

_LATELY = 10
"""So many of the last runs that asked something tell what a question costs."""
_FEWEST = 10
"""Questions: from fewer nothing is derived."""


class Spent(NamedTuple):
    """In USD: this calendar month and the one before it; this month by collection; and for each question, if known.

    Of `by_collection` a part is missing where runs of this month are no longer kept (`is_whole`).
    """

    month: Spending
    month_before: Spending
    by_collection: Mapping[str, float]
    is_whole: bool
    per_question: float | None


def spent(spending: Mapping[str, Spending], runs: Sequence[RunSummary], now: datetime, zone: tzinfo) -> Spent:
    """What the months and the runs that are kept, the newest last, say about money."""
    there = now.astimezone(zone)
    first = there.replace(day=1, hour=12)
    of_this = [run for run in runs if run.finished.astimezone(zone).strftime("%Y-%m") == f"{there:%Y-%m}"]
    by_collection: dict[str, float] = {}
    for run in of_this:
        for key, cost in run.collection_cost_usd.items():
            by_collection[key] = by_collection.get(key, 0.0) + cost
    asking = [run for run in runs if run.asked and run.cost_usd][-_LATELY:]
    asked = sum(run.asked for run in asking)
    return Spent(
        month=of_month(spending, now, zone),
        month_before=of_month(spending, first - timedelta(days=1), zone),
        by_collection=by_collection,
        is_whole=len(of_this) < RUNS_KEPT,
        per_question=sum(run.cost_usd for run in asking) / asked if asked >= _FEWEST else None,
    )
