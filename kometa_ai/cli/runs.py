"""Commands that run, forecast, explain or take back; each returns the exit code."""

from __future__ import annotations

import asyncio
import gc
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from kometa_ai.app import now, open_batches, open_parts, rules_of
from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.cli.report import print_report
from kometa_ai.core.collection import MovieRef, fold_title
from kometa_ai.core.movie import TmdbId
from kometa_ai.core.naming import slug_of
from kometa_ai.core.summary import as_data
from kometa_ai.daemon import heartbeat
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.after_changes import changed_collections, tell_or_end
from kometa_ai.jobs.cancel import cancel_batches
from kometa_ai.jobs.estimate import estimate
from kometa_ai.jobs.explain import explain
from kometa_ai.jobs.running import new_run_id, run_and_report
from kometa_ai.jobs.stopping import ending_in_order
from kometa_ai.jobs.supervision import Supervised
from kometa_ai.jobs.undo import undo
from kometa_ai.kometa.folder import read_folder
from kometa_ai.notification import dispatch as notification
from kometa_ai.notification.background import finish
from kometa_ai.observe.redact import Redactor
from kometa_ai.run.failure import RunHangs, report_of_failure
from kometa_ai.run.options import Options
from kometa_ai.run.scope import check_again, choose
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.environment import REQUIRED
from kometa_ai.state.lock import StateLock
from kometa_ai.state.schema import Released
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.cli.main import Call
    from kometa_ai.core.decision import Pin
    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.settings.schema import Settings

_PATIENCE, _SHORT = 120.0, 1.0
"""Seconds that the program stays for a report that is still on its way, and where it was told to end."""
_log = structlog.get_logger()
_RADARR = ("RADARR_URL", "RADARR_API_KEY")
_YEAR = re.compile(r" \(\d{4}\)$")


def _options(call: Call, settings: Settings) -> Options:
    return Options(
        dry_run=call.given["dry_run"],
        collections=call.given["collections"],
        force_refresh=call.given["force_refresh"],
        ask_again=tuple(text.strip() for text in call.given["ask_again"]),
        allow_removals=call.given["allow_removals"],
        accept_library=call.given["accept_library"],
        batch_size=call.given["batch_size"] or settings.batch_size,
    )


def _check_names(call: Call, settings: Settings) -> None:
    """Raise FixUsage for a --collection that there is not, before anything is begun or anybody called."""
    if names := call.given["collections"]:
        choose(read_folder(settings.config_dir), names)


def run_now(call: Call) -> int:
    """One run in this process."""
    with prepared(call, *REQUIRED) as loaded:
        settings = loaded.settings
        with output.Watcher() as watcher:
            report, is_ending = asyncio.run(_watched(call, settings, watcher))
        ended_by = 0
        try:
            show(call, report, partial(print_report, reasons=call.given["reasons"]), as_data)
        finally:
            # Whether or not the result could be shown.
            names = () if is_ending else changed_collections(report)
            ended_by = _tell_others(names, settings, seconds=_SHORT if is_ending else _PATIENCE)
        return ended_by or report.exit_code


def _tell_others(names: Sequence[str], settings: Settings, *, seconds: float = _PATIENCE) -> int:
    """Tell of changed collections, and wait for reports on their way; return the exit code where a signal ends that.

    Never while the state is locked, since it may take as long as a run of Kometa.
    """
    return asyncio.run(tell_or_end(names, settings, then=partial(_finish, seconds)))


def _finish(seconds: float) -> None:
    """Wait for reports on their way: a server that looks into each message takes its time."""
    if not finish(seconds):
        _log.warning("notification.left", remedy="The report is kept; it goes once more with the next run.")


async def _watched(call: Call, settings: Settings, watcher: output.Watcher) -> tuple[RunReport, bool]:
    """Do a run in a thread of its own, and return its report, or one that says that it hangs.

    Also return whether a signal has told the program to end meanwhile.
    """
    seconds = settings.run_timeout.total_seconds() if settings.run_timeout is not None else None
    job, run_id, started = Supervised(seconds), new_run_id(now()), now()
    with ending_in_order(lambda number: job.interrupt(number.name)):
        try:
            report = await job.watch("run", lambda: _run(call, settings, job, watcher=watcher, run_id=run_id))
        except RunHangs as error:
            _log.error("run.hangs", run_id=run_id, why=error.message, remedy=error.remedy)
            report = report_of_failure(
                run_id, error, started=started, finished=now(), dry_run=call.given["dry_run"], signal=job.why
            )
        return report, bool(job.why)


async def _run(call: Call, settings: Settings, job: Supervised, *, watcher: output.Watcher, run_id: str) -> RunReport:
    """The run itself, in its thread: everything that reads a file may hang."""

    async def notify(report: RunReport) -> list[Problem]:
        return await notification.notify(report, settings, unattended=False)

    _check_names(call, settings)
    options = _options(call, settings)
    with StateLock(settings.state_dir) as lock:
        store = _loaded(settings)
        job.holds(lock, store)
        check_again(options.ask_again, store.memory)
        next_run = heartbeat.next_run(settings.state_dir)
        async with open_parts(settings, store, watcher) as parts:
            run = asyncio.create_task(
                run_and_report(parts, rules_of(settings), options, notify=notify, next_run=next_run, run_id=run_id)
            )
            pulse = job.attach(parts.interruption, run)
            try:
                return await run
            finally:
                pulse.cancel()


def _loaded(settings: Settings) -> Store:
    # What is remembered is no garbage: to look through it again and again is a tenth of a settled run.
    gc.disable()
    try:
        store = Store.load(settings.state_dir)
        gc.freeze()
    finally:
        gc.enable()
    return store


def show_estimate(call: Call) -> int:
    """Forecast a run."""

    async def forecast(settings: Settings) -> Any:  # noqa: ANN401 - only passed on
        store = Store.load(settings.state_dir, read_only=True)
        options = _options(call, settings)
        check_again(options.ask_again, store.memory)
        async with open_parts(settings, store) as parts:
            return await estimate(parts, rules_of(settings), options)

    with prepared(call, *_RADARR) as loaded:
        _check_names(call, loaded.settings)
        found = asyncio.run(forecast(loaded.settings))
        show(call, found, output.print_estimate)
        return 1 if found.problems else 0


def show_explanation(call: Call) -> int:
    """Explain a movie."""

    async def explained(settings: Settings) -> Any:  # noqa: ANN401 - only passed on
        store = Store.load(settings.state_dir, read_only=True)
        async with open_parts(settings, store) as parts:
            return await explain(parts, rules_of(settings), _options(call, settings), call.given["explain"])

    with prepared(call, *_RADARR) as loaded:
        _check_names(call, loaded.settings)
        found = asyncio.run(explained(loaded.settings))
        show(call, found, output.print_explained)
        return 1 if found.without_radarr or found.problems else 0


def undo_run(call: Call) -> int:
    """Take a run back."""

    async def undone(settings: Settings, store: Store) -> Any:  # noqa: ANN401 - only passed on
        async with open_parts(settings, store) as parts:
            return await undo(parts, call.given["undo"], dry_run=call.given["dry_run"])

    with prepared(call, *_RADARR) as loaded:
        settings = loaded.settings
        with StateLock(settings.state_dir):
            found = asyncio.run(undone(settings, Store.load(settings.state_dir)))
        ended_by = 0
        try:
            show(call, found, output.print_undone)
        finally:
            if not found.dry_run:
                ended_by = _tell_others(found.collections, settings)
        return ended_by or int(any(problem.severity == "error" for problem in found.problems))


def cancel_open_batches(call: Call) -> int:
    """Stop what is with Anthropic."""

    async def canceled(settings: Settings, store: Store) -> Any:  # noqa: ANN401 - only passed on
        async with open_batches(settings) as batches:
            return await cancel_batches(batches, store, Redactor(secrets_of(settings)).text)

    with prepared(call, "CLAUDE_API_KEY") as loaded, StateLock(loaded.settings.state_dir):
        found = asyncio.run(canceled(loaded.settings, Store.load(loaded.settings.state_dir)))
        show(call, found, output.print_cancellation)
        return int(found.exit_code)


def show_pins(call: Call) -> int:
    """List the pins."""
    with prepared(call) as loaded:
        pins = Store.load(loaded.settings.state_dir, read_only=True).state.pins
        show(call, pins, output.print_pins)
    return 0


def release_pin(call: Call) -> int:
    """Drop the pins of a movie."""
    wanted = call.given["release_pin"].strip()
    slugs = {slug_of(name) for name in call.given["collections"]}
    with prepared(call) as loaded, StateLock(loaded.settings.state_dir):
        store = Store.load(loaded.settings.state_dir)
        found = [pin for pin in store.state.pins if _names(wanted, pin) and (not slugs or pin.slug in slugs)]
        if not found:
            raise FixUsage(f"There is no pin on {wanted!r}.", "--pins lists them.")
        if len({pin.tmdb_id for pin in found}) > 1:
            several = ", ".join(dict.fromkeys(f"{pin.title} (tmdb:{pin.tmdb_id})" for pin in found))
            raise FixUsage(f"{wanted!r} names several movies: {several}.", "Name one of them by its TMDb id.")
        store.record(*(Released(tmdb_id=TmdbId(pin.tmdb_id), slug=pin.slug) for pin in found))
        store.save(now())
        show(call, found, output.print_released)
    return 0


def _names(wanted: str, pin: Pin) -> bool:
    """Whether that is the pin's movie: by an id, by title and year, or by the title alone."""
    title = fold_title(pin.title)
    try:
        ref = MovieRef.parse(wanted)
    except ValueError:
        return fold_title(wanted) in (title, _YEAR.sub("", title))
    if ref.tmdb_id is not None:
        return ref.tmdb_id == pin.tmdb_id
    return ref.imdb_id == pin.imdb_id.lower() if ref.imdb_id else f"{ref.title} ({ref.year})" == title


def demo(call: Call) -> int:
    """The program against its stand-ins."""
    from kometa_ai.demo import tell  # noqa: PLC0415 - the stand-ins bring a web server

    return tell(call.environ)


def daemon(call: Call) -> int:
    """Wait for the schedule."""
    from kometa_ai.cli.hosting import live  # noqa: PLC0415 - brings a web server

    return live(call)
