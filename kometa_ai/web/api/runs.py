"""Routes for runs: start one, list them, read one, watch one by server-sent events."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import Depends, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from kometa_ai.core.options import Options
from kometa_ai.core.report import RunReport
from kometa_ai.core.summary import as_data, totals
from kometa_ai.core.text import one_line
from kometa_ai.daemon.progress import Going
from kometa_ai.errors import KometaAIError
from kometa_ai.state.schema import RunSummary
from kometa_ai.web.answers import documented, documented_as, json_answer
from kometa_ai.web.api.routing import MOST_ITEMS, Routes, TheDaemon, failing, router_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.progress import Progress

LOOK_EVERY = 0.2
"""Seconds. Watchers poll the progress instead of being notified, so that nothing queues up for a slow one."""
WATCHERS = 100
"""The most connections for watchers; the rest is left for other requests."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which a watcher is sent a comment, so that no proxy closes the connection as idle."""
_EVENTS = "text/event-stream"
_EVENT = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}

router = router_of("/runs", "runs")
ROUTES = Routes(router, (Going, RunSummary, RunReport))


class Wanted(BaseModel):
    """What kind of run is wanted; everything may be left out."""

    model_config = ConfigDict(extra="forbid")

    dry_run: StrictBool = False
    collections: Annotated[
        list[Annotated[StrictStr, Field(min_length=1, max_length=500)]],
        Field(max_length=1000, description="Names, slugs or tags; empty for all."),
    ] = []
    movies: Annotated[
        list[Annotated[StrictStr, Field(min_length=1, max_length=40)]] | None,
        Field(
            min_length=1,
            max_length=MOST_ITEMS,
            description="Only these movies and shows: `tmdb:603`, `tvdb:81189`, or their keys. All, if it is left out.",
        ),
    ] = None
    force_refresh: StrictBool = False
    allow_removals: Annotated[
        StrictBool, Field(description="Lift the safety brake for removals; with `movies` for these alone.")
    ] = False
    max_cost_usd: Annotated[
        float | None,
        Field(ge=0, le=1_000_000, strict=True, allow_inf_nan=False, description="0 asks nothing."),
    ] = None

    within: Annotated[
        str,
        Field(
            max_length=100, strict=True, description="The id of a dry run: no change is made that this did not show."
        ),
    ] = ""


class Started(BaseModel):
    """A run that has begun."""

    run_id: str


class Watchers:
    """The number of current watchers: each keeps a connection as long as its run goes on."""

    def __init__(self) -> None:
        self.count = 0


def _watchers(request: Request) -> Watchers:
    watchers: Watchers = request.app.state.watchers
    return watchers


async def _watching(watchers: Annotated[Watchers, Depends(_watchers)]) -> AsyncIterator[None]:
    """Count a watcher from its request to the end of its answer, so that a burst cannot pass the limit together."""
    if watchers.count >= WATCHERS:
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, f"{WATCHERS} others watch already: ask for its status instead."
        )
    watchers.count += 1
    try:
        yield
    finally:
        watchers.count -= 1


_UNKNOWN = failing({404: "No such run is kept"})


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses=failing(
        {
            409: "A run is in progress",
            422: "A field or a collection that there is not",
            503: "The state cannot be used",
        }
    ),
)
async def start(daemon: TheDaemon, wanted: Wanted | None = None) -> Started:
    """Start a run now."""
    wanted = wanted or Wanted()
    await daemon.check_names(wanted.collections)
    if wanted.within:
        await daemon.check_shown(wanted.within)
    options = Options(
        dry_run=wanted.dry_run,
        collections=tuple(wanted.collections),
        movies=daemon.items_named(wanted.movies or ()),
        force_refresh=wanted.force_refresh,
        allow_removals=wanted.allow_removals,
        max_cost=wanted.max_cost_usd,
        within=wanted.within,
        batch_size=daemon.settings.batch_size,
    )
    return Started(run_id=await daemon.runs.start(options, "api"))


@router.get("", responses={200: documented(Going, RunSummary, as_list=True)})
async def list_runs(daemon: TheDaemon, limit: Annotated[int, Query(ge=1, le=100)] = 100) -> Response:
    """The run that is on, and those that have ended, the newest first."""
    past = await daemon.views.past_runs()
    current = daemon.runs.current
    found: list[dict[str, Any]] = [_as_dict(current.going)] if current else []
    found += [{**_as_dict(run), "status": "finished"} for run in reversed(past)]
    return json_answer(found[:limit])


@router.get("/{run_id}", responses={200: documented(Going, RunReport), **_UNKNOWN})
async def read_run(daemon: TheDaemon, run_id: str) -> Response:
    """One run: how far it has come, or its whole report."""
    current = daemon.runs.current
    if current is not None and current.run_id == run_id:
        return json_answer(current.going)
    report = await _report(daemon, run_id)
    return json_answer({**as_data(report), "status": "finished"})


@router.get(
    "/{run_id}/events",
    responses={200: documented_as(_EVENTS, _EVENT), **_UNKNOWN},
    response_class=Response,
    dependencies=[Depends(_watching)],
)
async def watch_run(daemon: TheDaemon, run_id: str) -> Response:
    """A run as server-sent events: `step`, `progress`, and `ended` with its totals, which closes the stream."""
    current = daemon.runs.current
    if current is None or current.run_id != run_id:
        await _report(daemon, run_id)
        current = None
    return StreamingResponse(_events(daemon, run_id, current), media_type=_EVENTS)


async def _events(daemon: Daemon, run_id: str, progress: Progress | None) -> AsyncIterator[bytes]:
    sent, silent = 0, 0.0
    last: object = None
    while progress is not None:
        is_on = daemon.runs.current is progress
        for step in progress.steps[sent:]:
            sent, silent = sent + 1, 0.0
            yield _event("step", {"run_id": run_id, "step": step.name, "started": step.started})
        going = progress.going
        if going != last:
            last, silent = going, 0.0
            yield _event("progress", going)
        if daemon.is_stopping:
            return
        if not is_on:
            break
        if silent >= KEEP_ALIVE:
            silent = 0.0
            yield b": still there\n\n"
        silent += LOOK_EVERY
        await asyncio.sleep(LOOK_EVERY)
    try:
        report = await _report(daemon, run_id)
    except (HTTPException, KometaAIError):
        return  # it could not be kept, or not be read, and another run has ended since
    ended = {"run_id": run_id, "outcome": report.outcome, "exit_code": report.exit_code, **totals(report)}
    yield _event("ended", ended)


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


async def _report(daemon: Daemon, run_id: str) -> RunReport:
    last = daemon.runs.last
    # From memory if it is the last one: it may not have been written to the disk.
    report = last if last is not None and last.run_id == run_id else await daemon.overview.report(run_id)
    if report is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no run {one_line(run_id, 100)!r}.")
    return report


def _as_dict(value: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(value)
