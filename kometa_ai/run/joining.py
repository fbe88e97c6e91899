"""Make one report of a run that waited for batches and the runs that went on with it: last outcome, all costs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.report import CollectionReport, Spending, Tokens
from kometa_ai.run.batches import AWAITED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kometa_ai.core.report import RunReport


def joined(reports: Sequence[RunReport]) -> RunReport:
    """One report of all runs, the last one at the end. Only that one may have written tags: the others waited."""
    last, earlier = reports[-1], reports[:-1]
    if not earlier:
        return last
    told = [warning for report in earlier for warning in report.warnings if warning.remedy != AWAITED]
    warnings = [warning for number, warning in enumerate(told) if warning not in (*told[:number], *last.warnings)]
    return msgspec.structs.replace(
        last,
        started=reports[0].started,
        collections=tuple(_with_asked(collection, earlier) for collection in last.collections),
        warnings=(*warnings, *last.warnings),
        tokens=_sum([report.tokens for report in reports]),
        cost_usd=round(sum(report.cost_usd for report in reports), 6),
        unpriced_requests=sum(report.unpriced_requests for report in reports),
        unclear_requests=sum(report.unclear_requests for report in reports),
    )


def _with_asked(collection: CollectionReport, earlier: Sequence[RunReport]) -> CollectionReport:
    """A collection with what earlier runs have asked about it. Why it was asked about, the first of them knows."""
    before = [each for report in earlier for each in report.collections if each.key == collection.key]
    every = [*before, collection]
    return msgspec.structs.replace(
        collection,
        asked=sum(each.asked for each in every),
        reasons=every[0].reasons,
        tokens=_sum([each.tokens for each in every]),
        cost_usd=round(sum(each.cost_usd for each in every), 6),
        seconds=round(sum(each.seconds for each in every), 3),
        pinned_in=tuple(line for each in every for line in each.pinned_in),
        pinned_out=tuple(line for each in every for line in each.pinned_out),
    )


def _sum(tokens: Iterable[Tokens]) -> Tokens:
    return sum((Spending(tokens=each) for each in tokens), Spending()).tokens
