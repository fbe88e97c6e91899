"""Check whether everything is in order and what a run would cost, and lead from there to the first real run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from fastapi import APIRouter, Request, Response

from kometa_ai.core.options import Options
from kometa_ai.daemon.looks import Examination, kind_of
from kometa_ai.errors import KometaAIError, RepairState
from kometa_ai.jobs.aside import DoesNotAnswer
from kometa_ai.web.pages.rendering import page, see
from kometa_ai.web.pages.samples import SAMPLES
from kometa_ai.web.pages.steps import Place, Settled, first_open, is_hindrance, steps_of, suggested_limit

if TYPE_CHECKING:
    from datetime import datetime

    from kometa_ai.core.report import RunReport
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.looks import Look, Wanted
    from kometa_ai.daemon.progress import Going
    from kometa_ai.state.schema import RunSummary
    from kometa_ai.web.pages.steps import Step

router = APIRouter(include_in_schema=False)

LOOKED_LONG_AGO = timedelta(minutes=5)
"""After this the page looks again by itself where script is on."""
FORECAST_IS_OLD = timedelta(hours=1)


class Path(NamedTuple):
    """How far the operator has come on the way to the first real run.

    `dry` is the newest dry run of everything, `report` what it has found if that is kept; `going` is the run that is
    on. `is_shown` says that the changes of that dry run can be made: no run of everything has ended well after it.
    `last_success` is when the last real run of everything ended well; runs of before there was a block do not count.
    """

    dry: RunSummary | None
    report: RunReport | None
    going: Going | None
    is_shown: bool
    last_success: datetime | None


@router.get("/start")
async def read(request: Request, ask: str = "") -> Response:
    """What was found at the last look, and what comes next. Nothing is looked at by this."""
    return await _shown(request, ask=ask)


@router.post("/looks/doctor")
async def look(request: Request) -> Response:
    """Look at everything."""
    return await _begin(request, Examination())


@router.post("/looks/estimate")
async def forecast(request: Request) -> Response:
    """Work out what a run of everything would ask and cost."""
    daemon: Daemon = request.app.state.daemon
    return await _begin(request, Options(batch_size=daemon.page_size))


async def _begin(request: Request, wanted: Wanted) -> Response:
    looks = request.app.state.daemon.looks
    # Twice the same, as from two windows, is once.
    if looks.last(kind_of(wanted)).status != "running":
        try:
            looks.begin(wanted)
        except KometaAIError as error:
            return await _shown(request, status=409, error=error)
    return see(request, "/start")


async def _shown(request: Request, *, status: int = 200, error: KometaAIError | None = None, ask: str = "") -> Response:
    daemon: Daemon = request.app.state.daemon
    settings, looks = daemon.settings, daemon.looks
    doctor, estimate = looks.last("doctor"), looks.last("estimate")
    steps = steps_of(doctor.doctor, _settled(daemon), doctor.restart_for)
    path = await _path_of(daemon)
    since, since_forecast = await looks.since("doctor"), await looks.since("estimate")
    is_old = _is_older(looks.age("estimate"), FORECAST_IS_OLD)
    hindrance = next((step.name for step in filter(is_hindrance, steps)), "")
    is_stale = since != "" or _is_older(looks.age("doctor"), LOOKED_LONG_AGO)
    # A run has asked some of it, which leaves the amount an upper one.
    is_known = estimate.estimate is not None and not is_old and since_forecast != "files"
    upcoming = _upcoming(path, is_known=is_known)
    limit = suggested_limit(estimate.estimate.cost_usd if estimate.estimate else None, float(settings.max_cost_per_run))
    return await page(
        request,
        "start.jinja",
        status=status,
        error=error,
        ask=ask,
        doctor=doctor,
        steps=steps,
        advice=_advice(doctor, steps, upcoming),
        open=first_open(steps) if doctor.doctor else "",
        upcoming="" if hindrance else upcoming,
        hindrance=hindrance,
        # A page that was refused a look would ask again and again.
        looks_on_load=doctor.status != "running" and error is None and is_stale,
        looks_again=doctor.status != "running" and bool(first_open(steps)),
        estimate=estimate,
        is_old=is_old,
        since=since,
        since_forecast=since_forecast,
        limit=f"{limit:.2f}",
        most=settings.max_cost_per_run,
        path=path,
        next_run=daemon.timetable.next_run,
        samples=[(kind, SAMPLES[kind]) for kind in ("movie", "show") if kind in settings.kinds],
        config_dir=str(settings.config_dir),
    )


def _settled(daemon: Daemon) -> Settled:
    settings = daemon.settings
    places = (Place(each.title, each.url, (each.url_setting, each.key_setting)) for each in settings.libraries)
    return Settled(str(settings.state_dir), str(settings.config_dir), tuple(places), daemon.titles)


def _is_older(age: timedelta | None, than: timedelta) -> bool:
    return age is None or age > than


def _upcoming(path: Path, *, is_known: bool) -> str:
    """The step after everything is in order: `forecast`, `dry`, `real`, or `done` once a real run has ended well."""
    if path.going is not None and path.going.dry_run:
        return "dry"
    if path.is_shown or (path.going is not None):
        return "real"
    if path.last_success is not None:
        return "done"
    return "dry" if is_known else "forecast"


def _advice(doctor: Look, steps: tuple[Step, ...], upcoming: str) -> str:
    """Which sentence stands above the steps."""
    if doctor.status == "running":
        return "looking"
    if doctor.doctor is None:
        return "failed" if doctor.status == "failed" else "first"
    worst = next((status for status in ("error", "todo", "silent") if any(step.status == status for step in steps)), "")
    return worst or upcoming


async def _path_of(daemon: Daemon) -> Path:
    past = await daemon.views.past_runs()
    whole = [run for run in past if run.kind == "run" and run.only_movies is None and not run.only_collections]
    # In their order: times are told in whole seconds.
    newest = next((run for run in reversed(whole) if run.dry_run or run.is_success_of_everything), None)
    dry = newest if newest is not None and newest.dry_run else None
    report = await _report_of(daemon, dry.run_id) if dry is not None else None
    overview = await daemon.overview.read()
    current = daemon.runs.current
    return Path(
        dry=dry,
        report=report,
        going=current.going if current else None,
        is_shown=report is not None and report.outcome in ("ok", "problems"),
        last_success=overview.last_successful_run if overview.has_carried_out else None,
    )


async def _report_of(daemon: Daemon, run_id: str) -> RunReport | None:
    """The report of a dry run; None if it is not kept, or cannot be read just now."""
    try:
        return await daemon.report(run_id)
    except (RepairState, DoesNotAnswer):
        return None
