"""Answer about the system: batches, spending, settings, the end of the log."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from kometa_ai.core.report import Spending
from kometa_ai.jobs.cancel import Cancellation
from kometa_ai.observe.log_end import Level, LogEnd
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.routing import (
    LARGEST_PAGE,
    Routes,
    TheDaemon,
    ThePage,
    documented_list,
    failing,
    listed,
    router_of,
)

_SETTINGS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "properties": {"value": {}, "source": {"type": "string"}},
        "required": ["value", "source"],
    },
}

router = router_of("", "system")
ROUTES = Routes(router, (Cancellation, Spending, LogEnd))


@router.post(
    "/batches/cancel",
    responses={
        200: documented(Cancellation),
        **failing({409: "A run is in progress", 422: "No key for Claude", 503: "The state cannot be used"}),
    },
)
async def cancel_batches(daemon: TheDaemon) -> Response:
    """Ask for the end of all open batches. What they have answered by then is paid for, and the next run takes it."""
    return json_answer(await daemon.cancel_batches())


@router.get("/spending", responses={200: documented_list(Spending)})
async def spending(daemon: TheDaemon, page: ThePage) -> Response:
    """What each calendar month in `TZ` has cost, the newest first."""
    overview = await daemon.overview.read()
    months = [overview.spending[name] for name in sorted(overview.spending, reverse=True)]
    return listed(page.of(months), total=len(months), page=page, as_of=overview.last_update)


@router.get("/settings", responses={200: {"content": {"application/json": {"schema": _SETTINGS}}}})
async def settings(daemon: TheDaemon) -> Response:
    """Each variable with its value and where that comes from, as `--dump-config` shows them; secrets are masked."""
    return json_answer(daemon.describe_settings())


@router.get("/logs", responses={200: documented(LogEnd)})
async def logs(
    daemon: TheDaemon,
    level: Annotated[Level, Query(description="This level, and what is worse.")] = "debug",
    run_id: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
) -> Response:
    """The newest lines of the log file, the newest first; stack traces stay in the file."""
    return json_answer(await daemon.log_end(limit, level, run_id))
