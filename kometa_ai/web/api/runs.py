"""Start a run, stop it, list runs, read one, and take one back."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from kometa_ai.core.report import RunReport
from kometa_ai.core.summary import as_data
from kometa_ai.core.text import one_line
from kometa_ai.daemon.progress import Going
from kometa_ai.errors import KometaAIError
from kometa_ai.jobs.undo import Undo, check_undoable
from kometa_ai.jobs.undo_report import Undone
from kometa_ai.state.schema import RunSummary
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.routing import MOST_ITEMS, NO_SUCH_RUN, Routes, TheDaemon, failing, kept_report, router_of

router = router_of("/runs", "runs")
ROUTES = Routes(router, (Going, RunSummary, RunReport, Undone))


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
            max_length=100,
            strict=True,
            description="The id of a dry run: no change is made that this did not show. 409 if nothing is left.",
        ),
    ] = ""


class Back(BaseModel):
    """How a run is to be taken back."""

    model_config = ConfigDict(extra="forbid")

    dry_run: Annotated[StrictBool, Field(description="Only show what would change. To be said in any case.")]


class Started(BaseModel):
    """The run that is meant."""

    run_id: str


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses=failing(
        {
            409: "A run is in progress, or all that the dry run of `within` showed is done",
            422: "A field or a collection that there is not",
            503: "The state cannot be used",
        }
    ),
)
async def start(daemon: TheDaemon, wanted: Wanted | None = None) -> Started:
    """Start a run now."""
    wanted = wanted or Wanted()
    options = await daemon.wanted_run(
        dry_run=wanted.dry_run,
        collections=wanted.collections,
        movies=wanted.movies or (),
        force_refresh=wanted.force_refresh,
        allow_removals=wanted.allow_removals,
        max_cost=wanted.max_cost_usd,
        within=wanted.within,
    )
    return Started(run_id=await daemon.runs.start(options, "api"))


@router.post("/{run_id}/stop", status_code=HTTPStatus.ACCEPTED, responses=failing({409: "The run is not in progress"}))
async def stop(daemon: TheDaemon, run_id: str) -> Started:
    """Stop a run: answers that arrive within seconds are kept, tags that it has changed stay. Again changes nothing."""
    if not daemon.runs.stop(run_id, "the API"):
        raise HTTPException(HTTPStatus.CONFLICT, f"The run {one_line(run_id, 100)!r} is not in progress.")
    return Started(run_id=run_id)


@router.post(
    "/{run_id}/undo",
    responses={
        200: {"description": "The preview", **documented(Undone)},
        202: {"model": Started, "description": "The run that takes it back"},
        **NO_SUCH_RUN,
        **failing(
            {
                409: "A run, or another look, is under way",
                422: "It has changed nothing",
                503: "No library, or not the state, can be used",
            }
        ),
    },
)
async def undo(daemon: TheDaemon, run_id: str, wanted: Back) -> Response:
    """Take a run's changes back, by a run of its own, or show what that would change. What is taken back is pinned."""
    check_undoable(await kept_report(daemon, run_id))
    undo = Undo(run_id=run_id, dry_run=wanted.dry_run)
    if not wanted.dry_run:
        return json_answer({"run_id": await daemon.runs.start(undo, "api")}, HTTPStatus.ACCEPTED)
    found = await asyncio.shield(daemon.looks.begin(undo))
    if isinstance(found, KometaAIError):
        raise found
    return json_answer(found)


@router.get("", responses={200: documented(Going, RunSummary, as_list=True)})
async def list_runs(daemon: TheDaemon, limit: Annotated[int, Query(ge=1, le=100)] = 100) -> Response:
    """The run that is on, and those that have ended, the newest first."""
    past = await daemon.views.past_runs()
    current = daemon.runs.current
    found: list[dict[str, Any]] = [_as_dict(current.going)] if current else []
    found += [{**_as_dict(run), "status": "finished"} for run in reversed(past)]
    return json_answer(found[:limit])


@router.get("/{run_id}", responses={200: documented(Going, RunReport), **NO_SUCH_RUN})
async def read_run(daemon: TheDaemon, run_id: str) -> Response:
    """One run: how far it has come, or its whole report."""
    current = daemon.runs.current
    if current is not None and current.run_id == run_id:
        return json_answer(current.going)
    report = await kept_report(daemon, run_id)
    return json_answer({**as_data(report), "status": "finished"})


def _as_dict(value: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(value)
