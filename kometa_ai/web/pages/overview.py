"""Show the overview: what runs, what needs the operator, every collection, and the last runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi import APIRouter, Request, Response

from kometa_ai.daemon.listing import CollectionLine
from kometa_ai.web.answers import status_of
from kometa_ai.web.pages.needs import needs
from kometa_ai.web.pages.rendering import page, see
from kometa_ai.web.pages.run_words import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.daemon.index import Index
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.past import ItemChange, LastChange
    from kometa_ai.daemon.spending import Spent
    from kometa_ai.errors import KometaAIError

router = APIRouter(include_in_schema=False)

_PATIENCE = 0.8
"""Seconds that the page waits for an index which holds everything."""
_LATELY = 18
_ROWS = 40
"""Collections in the table; all of them are a page of their own."""
"""Changes that are shown with their posters."""
_LAST_RUNS = 6


class Row(NamedTuple):
    """A collection in the table: how many decisions want a person, what it has cost in this month, its last change."""

    line: CollectionLine
    review: int
    cost: float | None
    last: LastChange | None


class Waits(NamedTuple):
    """A batch whose answers are still to come: since when, and how many questions."""

    since: datetime
    questions: int


class Lately(NamedTuple):
    """A change of late: the item's title with the year, the change, and the name of the collection."""

    title: str
    key: str
    change: ItemChange
    collection: str


class Seen(NamedTuple):
    """What the index shows. Without one, all of it is empty."""

    rows: Sequence[Row] = ()
    others: Sequence[CollectionLine] = ()
    batches: Sequence[Waits] = ()
    lately: Sequence[Lately] = ()
    as_of: datetime | None = None


class Wanted(NamedTuple):
    """The fields of the form that starts a run, as they were filled in."""

    collections: Sequence[str] = ()
    is_dry: bool = False
    max_cost: str = ""


@router.get("/")
async def read(request: Request) -> Response:
    """The overview; in a first start, as long as nothing has ended well and nothing runs, the check in its place."""
    daemon: Daemon = request.app.state.daemon
    if daemon.runs.current is None and await daemon.views.is_new():
        return see(request, "/start")
    return await show(request, ask=request.query_params.get("ask", ""))


async def show(
    request: Request, *, ask: str = "", refused: KometaAIError | None = None, wanted: Wanted | None = None
) -> Response:
    """Show the overview, with the dialog `ask` open, and with what was `refused` of the form that was sent."""
    daemon: Daemon = request.app.state.daemon
    soon = await daemon.indexer.soon(_PATIENCE)
    spent, review = await daemon.views.spent(), await daemon.choosing.waiting_in()
    seen, problems = Seen(), daemon.alerts
    if soon.found is not None:
        seen = await daemon.indexer.ask(lambda index: _seen(index, review, spent))
        problems = (*soon.found.problems, *problems)
    runs = [told(run, daemon.runs.triggers) for run in reversed(await daemon.views.past_runs())]
    next_run, now = daemon.timetable.next_run, daemon.choosing.now()
    return await page(
        request,
        "overview.jinja",
        status=200 if refused is None else status_of(refused),
        ask=ask,
        refused=refused,
        wanted=wanted or Wanted(),
        done=request.query_params.get("done", ""),
        seen=seen,
        most_rows=_ROWS,
        is_new=await daemon.views.is_new(),
        is_there=soon.found is not None,
        is_outdated=soon.is_outdated,
        unusable=daemon.indexer.failure,
        spent=spent,
        limit=daemon.settings.max_cost_per_run or None,
        runs=runs[:_LAST_RUNS],
        next_run=next_run,
        left=max(0.0, (next_run - now).total_seconds()) if next_run else 0.0,
        schedule=daemon.timetable.schedule.describe(),
        holder=await daemon.holder(),
        needs=needs(
            [*(row.line for row in seen.rows), *seen.others],
            problems,
            daemon.watch.found.values(),
            runs[0] if runs else None,
            review=sum(review.values()),
            undelivered=await daemon.overview.undelivered(),
        ),
    )


def _seen(index: Index, review: Mapping[CollectionKey, int], spent: Spent) -> Seen:
    lines = index.list_collections()
    names = {line.key: line.name for line in lines}
    last = index.past.last_changes
    rows = [
        Row(line, review.get(line.key, 0), spent.by_collection.get(line.key), last.get(line.key))
        for line in lines
        if line.state in ("on", "waiting")
    ]
    return Seen(
        rows=sorted(rows, key=lambda row: (-_urgency(row), row.line.name.casefold(), row.line.kind)),
        others=list({_block_of(line): line for line in lines if line.state not in ("on", "waiting")}.values()),
        batches=[
            Waits(batch.planned, sum(len(batch.pages[question.page]) for question in batch.open_questions))
            for batch in index.open_batches
        ],
        lately=[
            Lately(str(item), key, change, names.get(change.collection, change.collection))
            for key, change in index.past.latest(_LATELY)
            if (item := index.item_of(key)) is not None
        ],
        as_of=index.as_of,
    )


def _block_of(line: CollectionLine) -> tuple[str, ...]:
    """One block that is skipped may be for movies or for shows, and is two collections then."""
    return (line.source, str(line.line)) if line.line else (line.key,)


def _urgency(row: Row) -> int:
    """How much a collection needs the operator."""
    if row.line.counts.held_back or any(each.severity == "error" for each in row.line.problems):
        return 3
    if row.line.state == "waiting":
        return 2
    return int(row.review > 0)
