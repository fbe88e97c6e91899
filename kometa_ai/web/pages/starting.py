"""Start and stop runs and cancel batches, for the forms of any page. What is refused is said on the overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from kometa_ai.core.text import one_line
from kometa_ai.errors import FixUsage, KometaAIError, WaitForOtherRun
from kometa_ai.web.pages.forms import form_of
from kometa_ai.web.pages.overview import Wanted, show
from kometa_ai.web.pages.rendering import see, visitor_name

if TYPE_CHECKING:
    from kometa_ai.core.options import Options
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.web.pages.forms import Form

router = APIRouter(include_in_schema=False)

FIELDS = frozenset(
    (
        "token",
        "about",
        "collections",
        "movies",
        "dry_run",
        "force_refresh",
        "allow_removals",
        "max_cost_usd",
        "within",
    )
)
"""What a form that starts a run may hold. A field that is not understood may be a limit, and is not passed over."""
_MOST = 1_000_000.0
"""USD. No operator means to spend more."""


@router.post("/runs")
async def start(request: Request) -> Response:
    """Start a run: of everything, or of the collections, movies and shows that the form names."""
    daemon: Daemon = request.app.state.daemon
    form = await form_of(request)
    try:
        await daemon.runs.start(await _options(daemon, form), "page")
    except KometaAIError as error:
        chosen = () if form.text("about") == "all" else form.all("collections")
        wanted = Wanted(chosen, form.is_ticked("dry_run"), form.text("max_cost_usd"))
        return await show(request, ask="run", refused=error, wanted=wanted)
    return see(request, "/", done="started")


@router.post("/runs/{run_id}/stop")
async def stop(request: Request, run_id: str) -> Response:
    """Stop a run. To stop it again changes nothing."""
    daemon: Daemon = request.app.state.daemon
    by = one_line(visitor_name(request), 100) or "a visitor of the page"
    if not daemon.runs.stop(run_id, by):
        refused = WaitForOtherRun("That run is not in progress any more.", "There is nothing to stop.")
        return await show(request, refused=refused)
    return see(request, "/", done="stopping")


@router.post("/batches/cancel")
async def cancel(request: Request) -> Response:
    """Ask for the end of all open batches."""
    daemon: Daemon = request.app.state.daemon
    try:
        found = await daemon.cancel_batches()
    except KometaAIError as error:
        return await show(request, refused=error)
    return see(request, "/", done="cancelled" if found.exit_code == 0 else "cancelled-in-part")


async def _options(daemon: Daemon, form: Form) -> Options:
    """The options that a form asks for. Raise FixUsage for what cannot be followed."""
    if unknown := sorted(form.names - FIELDS):
        raise FixUsage(f"The form has a field {one_line(unknown[0], 40)!r}, which no run has.", "Open the page again.")
    collections = form.all("collections")
    match form.text("about"):
        case "all":
            collections = ()
        case "some" if not collections:
            raise FixUsage("No collection is chosen.", "Tick at least one, or choose all of them.")
    return await daemon.wanted_run(
        dry_run=form.is_ticked("dry_run"),
        collections=collections,
        movies=form.all("movies"),
        force_refresh=form.is_ticked("force_refresh"),
        allow_removals=form.is_ticked("allow_removals"),
        max_cost=amount_of(form, "max_cost_usd"),
        within=form.text("within"),
    )


def amount_of(form: Form, field: str) -> float | None:
    """An amount in USD; None if the field is empty. Raise FixUsage for what is none."""
    text, amount = form.text(field), form.number(field)
    if not text:
        return None
    if amount is None or not 0 <= amount <= _MOST:
        raise FixUsage(f"{one_line(text, 40)!r} is no amount in USD.", "Write one such as 1.50; 0 asks nothing.")
    return amount
