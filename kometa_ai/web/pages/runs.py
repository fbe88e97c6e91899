"""Show past runs: what each changed, held back and met, to let through, keep, or take back."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from kometa_ai.core.collection import collection_key
from kometa_ai.core.item import ItemKey, kind_of
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.summary import audit_in_words, counted, headline
from kometa_ai.core.text import one_line
from kometa_ai.daemon.overtaken import overtaken_by
from kometa_ai.errors import FixUsage, KometaAIError
from kometa_ai.jobs.undo import Undo, check_undoable
from kometa_ai.web.answers import status_of
from kometa_ai.web.pages.forms import form_of
from kometa_ai.web.pages.rendering import page, see, visitor_name
from kometa_ai.web.pages.run_shown import PAGE, SIDES, Side, held_side, list_of, shown_problems, shown_run
from kometa_ai.web.pages.run_words import Show, belongs_to, told, trigger_in_words, undone_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.report import CollectionReport, RunReport
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.looks import Look
    from kometa_ai.daemon.pinning import Choice
    from kometa_ai.state.schema import RunSummary

router = APIRouter(include_in_schema=False)

_SHOWS: tuple[tuple[Show, str], ...] = (
    ("all", "All"),
    ("changed", "Changed something"),
    ("problems", "Need a look"),
    ("dry", "Dry runs"),
)


@router.get("/runs")
async def list_runs(request: Request, show: Show = "all") -> Response:
    """The runs that are kept, the newest first."""
    daemon: Daemon = request.app.state.daemon
    past = list(reversed(await daemon.views.past_runs()))
    return await page(
        request,
        "runs.jinja",
        ask=request.query_params.get("ask", ""),
        show=show,
        chips=[(name, word, sum(belongs_to(run, name) for run in past)) for name, word in _SHOWS],
        runs=[told(run, daemon.runs.triggers) for run in past if belongs_to(run, show)],
        last=past[0].run_id if past else "",
    )


@router.get("/runs/{run_id}")
async def read(request: Request, run_id: str) -> Response:
    """One run: how far it has come, or everything that it did."""
    daemon: Daemon = request.app.state.daemon
    current = daemon.runs.current
    if current is not None and current.run_id == run_id:
        return await page(
            request, "run_on.jinja", going=current.going, steps=current.steps, ask=request.query_params.get("ask", "")
        )
    return await _show(request, await _kept(daemon, run_id))


@router.get("/runs/{run_id}/list")
async def read_list(
    request: Request,
    run_id: str,
    collection: Annotated[str, Query(max_length=300)],
    side: Side,
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """A whole list of a collection in a run, page by page."""
    daemon: Daemon = request.app.state.daemon
    return await _show_list(request, await _kept(daemon, run_id), collection, side, number)


@router.post("/runs/{run_id}/let-through")
async def let_through(request: Request, run_id: str) -> Response:
    """Start a run for exactly the removals that were shown and are ticked, with the brake lifted; it asks nothing."""
    daemon: Daemon = request.app.state.daemon
    form = await form_of(request)
    report = await _kept(daemon, run_id)
    collection = _collection(report, form.text("collection"))
    try:
        ticked = _ticked(form.all("movies"), collection, "held_back")
        options = await daemon.wanted_run(
            collections=(collection.key,), movies=ticked, allow_removals=True, max_cost=0.0
        )
        await daemon.runs.start(options, "page")
    except KometaAIError as error:
        return await _show(request, report, refused=error)
    return see(request, "/", done="started")


@router.post("/runs/{run_id}/pin")
async def pin(request: Request, run_id: str) -> Response:
    """Pin what is ticked of the changes that were held back: in, or out."""
    daemon: Daemon = request.app.state.daemon
    form = await form_of(request)
    report = await _kept(daemon, run_id)
    collection = _collection(report, form.text("collection"))
    side: Side = "held_back_additions" if form.text("side") == "held_back_additions" else "held_back"
    try:
        ticked = _ticked(form.all("movies"), collection, side)
        choice: Choice = "out" if form.text("choice") == "out" else "in"
        await daemon.pinning.choose(CollectionKey(collection.key), ticked, choice, by=visitor_name(request))
    except KometaAIError as error:
        return await _show(request, report, refused=error)
    return see(request, f"/runs/{run_id}", done=f"pinned-{choice}")


@router.post("/runs/{run_id}/make")
async def make(request: Request, run_id: str) -> Response:
    """Make the changes that a dry run has shown, and no others; it asks nothing again."""
    daemon: Daemon = request.app.state.daemon
    report = await _kept(daemon, run_id)
    try:
        options = await daemon.wanted_run(collections=report.only_collections, max_cost=0.0, within=run_id)
        await daemon.runs.start(options, "page")
    except KometaAIError as error:
        return await _show(request, report, refused=error)
    return see(request, "/", done="started")


@router.get("/runs/{run_id}/undo")
async def read_undo(request: Request, run_id: str) -> Response:
    """What taking a run back would change, if that was looked at; else how to look."""
    daemon: Daemon = request.app.state.daemon
    return await _show_undo(request, await _kept(daemon, run_id))


@router.post("/runs/{run_id}/preview")
async def preview(request: Request, run_id: str) -> Response:
    """Look what taking a run back would change. Nothing is written."""
    daemon: Daemon = request.app.state.daemon
    report = await _kept(daemon, run_id)
    try:
        check_undoable(report)
        daemon.looks.begin(Undo(run_id=run_id, dry_run=True))
    except KometaAIError as error:
        return await _show_undo(request, report, refused=error)
    return see(request, f"/runs/{run_id}/undo")


@router.post("/runs/{run_id}/undo")
async def undo(request: Request, run_id: str) -> Response:
    """Take a run back, by a run of its own, once its preview has been seen."""
    daemon: Daemon = request.app.state.daemon
    report = await _kept(daemon, run_id)
    look = daemon.looks.last("undo")
    past = await daemon.views.past_runs()
    taken = undone_by(run_id, past)
    if taken is not None and not (_leaves_changes(look, run_id) and _has_seen(daemon, taken, past)):
        return await _show_undo(request, report, status=HTTPStatus.CONFLICT)
    try:
        if look.undo is None or look.undo.run_id != run_id:
            raise FixUsage("What that would change has not been looked at.", "Look at it first.")
        await daemon.runs.start(Undo(run_id=run_id), "page")
    except KometaAIError as error:
        return await _show_undo(request, report, refused=error)
    return see(request, "/", done="started")


async def _show(request: Request, report: RunReport, *, refused: KometaAIError | None = None) -> Response:
    daemon: Daemon = request.app.state.daemon
    past = await daemon.views.past_runs()
    return await page(
        request,
        "run.jinja",
        status=200 if refused is None else status_of(refused),
        refused=refused,
        done=request.query_params.get("done", ""),
        ask=request.query_params.get("ask", ""),
        report=report,
        headline=headline(report),
        shown=shown_run(report),
        problems=shown_problems(report.problems),
        warnings=shown_problems(report.warnings),
        trigger=trigger_in_words(daemon.runs.triggers.get(report.run_id, "")),
        undone=undone_by(report.run_id, past),
        overtaken=overtaken_by(report.run_id, past),
        audit=audit_in_words(report.audit) if report.audit else "",
        would=counted(report.added + report.removed, "change"),
        **await _busy(daemon),
    )


async def _show_list(request: Request, report: RunReport, key: str, side: Side, number: int) -> Response:
    daemon: Daemon = request.app.state.daemon
    collection = _collection(report, key)
    lines = list_of(collection, side)
    size = PAGE if held_side(side) is None else SIDES[side].most
    return await page(
        request,
        "run_list.jinja",
        ask=request.query_params.get("ask", ""),
        report=report,
        collection=collection,
        side=side,
        word=SIDES[side].word,
        lines=lines[(number - 1) * size : number * size],
        total=len(lines),
        number=number,
        size=size,
        **await _busy(daemon),
    )


async def _show_undo(
    request: Request, report: RunReport, *, status: int = HTTPStatus.OK, refused: KometaAIError | None = None
) -> Response:
    daemon: Daemon = request.app.state.daemon
    look = daemon.looks.last("undo")
    past = await daemon.views.past_runs()
    taken = undone_by(report.run_id, past)
    is_of_this = daemon.looks.previewed == report.run_id and (taken is None or _has_seen(daemon, taken, past))
    names = {collection.key: collection.name for collection in report.collections}
    return await page(
        request,
        "undo.jinja",
        status=status if refused is None else status_of(refused),
        refused=refused,
        report=report,
        look=look,
        is_of_this=is_of_this,
        is_overtaken=is_of_this and await daemon.looks.since("undo") == "run",
        taken=taken,
        changes=len(report.changes),
        name_of=lambda pin: names.get(collection_key(kind_of(pin.key), pin.slug), pin.slug),
        **await _busy(daemon),
    )


def _has_seen(daemon: Daemon, taken: RunSummary, past: Sequence[RunSummary]) -> bool:
    """Whether the last preview shows what was left when a run had been taken back."""
    # By the order of runs, since their times are in whole seconds.
    ids = [run.run_id for run in past]
    saw = daemon.looks.saw("undo")
    return saw in ids[ids.index(taken.run_id) :]


def _leaves_changes(look: Look, run_id: str) -> bool:
    """Whether a preview shows changes of a run that can be taken back."""
    found = look.undo
    return found is not None and found.run_id == run_id and bool(found.added or found.removed)


async def _busy(daemon: Daemon) -> dict[str, Any]:
    """Why no run can be started now; empty if one can."""
    if daemon.runs.current is not None:
        return {"busy": "A run is on: wait until it has ended, or stop it."}
    holder = await daemon.holder()
    return {"busy": f"The state is in use by {one_line(holder)}." if holder else ""}


async def _kept(daemon: Daemon, run_id: str) -> RunReport:
    """The report of a run. Raise HTTPException 404 for one that is not kept."""
    report = await daemon.report(run_id)
    if report is None:
        raise HTTPException(
            HTTPStatus.NOT_FOUND,
            f"There is no run {one_line(run_id, 60)!r}, or it is no longer kept: the last hundred are.",
        )
    return report


def _collection(report: RunReport, key: str) -> CollectionReport:
    for collection in report.collections:
        if collection.key == key:
            return collection
    raise HTTPException(
        HTTPStatus.NOT_FOUND, f"The run {report.run_id} was about no collection {one_line(key, 100)!r}."
    )


def _ticked(movies: Sequence[str], collection: CollectionReport, side: Side) -> tuple[ItemKey, ...]:
    """What is ticked. Raise FixUsage for nothing, and for what the run did not hold back."""
    shown = {line.key for line in list_of(collection, side)}
    if not movies:
        raise FixUsage("Nothing is ticked.", "Tick at least one of the titles.")
    if foreign := [key for key in movies if key not in shown]:
        raise FixUsage(
            f"{one_line(foreign[0], 40)!r} is not among what this run held back.", "Open the run's page again."
        )
    return tuple(ItemKey(key) for key in movies)
