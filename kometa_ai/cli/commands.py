"""One function for each command; each returns the exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from kometa_ai.app import now, open_parts, rules_of
from kometa_ai.cli import output
from kometa_ai.core.collection import Folder, MovieRef
from kometa_ai.core.movie import TmdbId
from kometa_ai.errors import FixConfiguration, FixUsage
from kometa_ai.kometa.folder import read_folder
from kometa_ai.notification import dispatch as notification
from kometa_ai.observe import logs
from kometa_ai.observe.redact import Redactor
from kometa_ai.run.estimate import estimate
from kometa_ai.run.explain import explain
from kometa_ai.run.options import Options
from kometa_ai.run.service import run_and_report
from kometa_ai.run.undo import undo
from kometa_ai.settings.describe import as_dump, secrets_of
from kometa_ai.settings.environment import REQUIRED, Loaded, load_settings
from kometa_ai.state import store as state
from kometa_ai.state.lock import StateLock
from kometa_ai.state.schema import Released
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.run.session import Parts
    from kometa_ai.settings.schema import Settings

_RADARR = ("RADARR_URL", "RADARR_API_KEY")
_GRACE = 8.0
"""Seconds for answers on their way after a first signal; Docker kills after ten."""

_log = structlog.get_logger()


class Call(msgspec.Struct, frozen=True):
    """One call of the program: the options given, the environment, and whether a person watches its progress."""

    given: Mapping[str, Any]
    environ: Mapping[str, str]
    is_watched: bool


def dispatch(command: str, call: Call) -> int:
    """Do what the command line asks for."""
    if not command and (call.given["dry_run"] or call.given["collections"]):
        command = "run_now"
    return _COMMANDS[command](call)


@contextmanager
def _prepared(call: Call, *required: str) -> Iterator[Loaded]:
    """The settings, with logging set up by them."""
    loaded = load_settings(call.environ, required=required)
    settings = loaded.settings
    logs.configure(
        settings.log_dir,
        debug=settings.debug_logging,
        form=settings.log_format,
        redactor=Redactor(secrets_of(settings)),
        screen_level=logging.WARNING if call.is_watched and not settings.debug_logging else logging.NOTSET,
    )
    try:
        for warning in loaded.warnings:
            _log.warning("settings.warning", setting=warning.source, what=warning.what, remedy=warning.remedy)
        yield loaded
    finally:
        logs.shutdown()


def _options(call: Call, settings: Settings) -> Options:
    return Options(
        dry_run=call.given["dry_run"],
        collections=call.given["collections"],
        force_refresh=call.given["force_refresh"],
        allow_removals=call.given["allow_removals"],
        batch_size=call.given["batch_size"] or settings.batch_size,
    )


def _show(call: Call, result: Any, show: Callable[[Any], None]) -> None:  # noqa: ANN401 - any result
    if call.given["output"] == "json":
        output.print_json(result)
    else:
        show(result)


def run_now(call: Call) -> int:
    """One run in this process."""
    with _prepared(call, *REQUIRED) as loaded:
        settings = loaded.settings
        with StateLock(settings.state_dir), output.Watcher() as watcher:
            store = Store.load(settings.state_dir)
            report = asyncio.run(_run(settings, _options(call, settings), store, watcher))
        _show(call, report, output.print_report)
        return report.exit_code


async def _run(settings: Settings, options: Options, store: Store, watcher: output.Watcher) -> RunReport:
    async def notify(report: RunReport) -> list[Problem]:
        return await notification.notify(report, settings)

    async with open_parts(settings, store, watcher) as parts:
        run = asyncio.create_task(run_and_report(parts, rules_of(settings), options, notify=notify))
        with _ending_in_order(parts, run):
            if settings.run_timeout is not None:
                seconds = settings.run_timeout.total_seconds()
                asyncio.get_running_loop().call_later(seconds, parts.interruption.request, "RUN_TIMEOUT")
            return await run


@contextmanager
def _ending_in_order(parts: Parts, run: asyncio.Task[RunReport]) -> Iterator[None]:
    """End on a signal: answers on their way are taken, everything is saved. A second signal ends at once."""
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        if parts.interruption.why:
            os._exit(128 + number)
        _log.warning("run.interrupted", signal=number.name)
        parts.interruption.request(number.name)
        loop.call_later(_GRACE, run.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def show_estimate(call: Call) -> int:
    """Forecast a run."""

    async def forecast(settings: Settings) -> Any:  # noqa: ANN401 - only passed on
        store = Store.load(settings.state_dir, read_only=True)
        async with open_parts(settings, store) as parts:
            return await estimate(parts, rules_of(settings), _options(call, settings))

    with _prepared(call, *_RADARR) as loaded:
        found = asyncio.run(forecast(loaded.settings))
        _show(call, found, output.print_estimate)
        return 1 if found.problems else 0


def show_explanation(call: Call) -> int:
    """Explain a movie."""

    async def explained(settings: Settings) -> Any:  # noqa: ANN401 - only passed on
        store = Store.load(settings.state_dir, read_only=True)
        async with open_parts(settings, store) as parts:
            return await explain(parts, rules_of(settings), _options(call, settings), call.given["explain"])

    with _prepared(call, *_RADARR) as loaded:
        _show(call, asyncio.run(explained(loaded.settings)), output.print_explained)
        return 0


def undo_run(call: Call) -> int:
    """Take a run back."""

    async def undone(settings: Settings, store: Store) -> Any:  # noqa: ANN401 - only passed on
        async with open_parts(settings, store) as parts:
            return await undo(parts, call.given["undo"], dry_run=call.given["dry_run"])

    with _prepared(call, *_RADARR) as loaded, StateLock(loaded.settings.state_dir):
        found = asyncio.run(undone(loaded.settings, Store.load(loaded.settings.state_dir)))
        _show(call, found, output.print_undone)
        return 1 if found.problems else 0


def show_pins(call: Call) -> int:
    """List the pins."""
    with _prepared(call) as loaded:
        pins = Store.load(loaded.settings.state_dir, read_only=True).state.pins
        _show(call, pins, output.print_pins)
    return 0


def release_pin(call: Call) -> int:
    """Drop the pins of a movie."""
    wanted = call.given["release_pin"].strip()
    slugs = {name.casefold() for name in call.given["collections"]}
    with _prepared(call) as loaded, StateLock(loaded.settings.state_dir):
        store = Store.load(loaded.settings.state_dir)
        found = [
            pin
            for pin in store.state.pins
            if _names_pin(wanted, pin.tmdb_id, pin.title) and (not slugs or pin.slug in slugs)
        ]
        if not found:
            raise FixUsage(f"There is no pin on {wanted!r}.", "--pins lists them.")
        store.record(*(Released(tmdb_id=TmdbId(pin.tmdb_id), slug=pin.slug) for pin in found))
        store.save(now())
        _show(call, found, output.print_released)
    return 0


def _names_pin(wanted: str, tmdb_id: int, title: str) -> bool:
    try:
        ref = MovieRef.parse(wanted)
    except ValueError:
        return False
    return ref.tmdb_id == tmdb_id or wanted.casefold() == title.casefold()


def check_config(call: Call) -> int:
    """Check settings and files: 2 with problems, 1 with warnings only."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    try:
        loaded = load_settings(call.environ)
        config_dir = loaded.settings.config_dir
        warnings += loaded.warnings
    except FixConfiguration as error:
        problems += error.problems
        config_dir = _config_dir(call)
    folder = Folder()
    if config_dir is not None:
        try:
            folder = read_folder(config_dir)
        except FixConfiguration as error:
            problems += error.problems
    problems += folder.problems
    warnings += folder.warnings
    code = 2 if problems else 1 if warnings else 0
    result = {
        "exit_code": code,
        "collections": [collection.name for collection in folder.collections],
        "disabled": [collection.name for collection in folder.disabled],
        "problems": problems,
        "warnings": warnings,
    }
    _show(call, result, _print_check)
    return code


def _config_dir(call: Call) -> Any:  # noqa: ANN401 - a path, or None where that very setting is wrong
    """Kometa's folder even where other settings are wrong."""
    wanted = {name: value for name, value in call.environ.items() if name.startswith("CONFIG_DIR")}
    try:
        return load_settings(wanted, required=()).settings.config_dir
    except FixConfiguration:
        return None


def _print_check(result: Mapping[str, Any]) -> None:
    out = output.console()
    output.print_problems(out, result["problems"])
    output.print_problems(out, result["warnings"])
    names = ", ".join(result["collections"]) or "none"
    verdict = {0: "[green]All in order.[/]", 1: "[yellow]It works, with warnings.[/]", 2: "[red]Something is wrong.[/]"}
    out.print(f"{verdict[result['exit_code']]} {len(result['collections'])} collections enabled: {output.clean(names)}")


def dump_config(call: Call) -> int:
    """The settings and the collections, as JSON."""
    loaded = load_settings(call.environ, required=())
    problems: tuple[Problem, ...] = ()
    try:
        folder = read_folder(loaded.settings.config_dir)
    except FixConfiguration as error:
        folder, problems = Folder(), error.problems
    output.print_json(
        {
            "settings": as_dump(loaded),
            "collections": [
                {
                    "name": c.name,
                    "slug": c.slug,
                    "tag": c.tag,
                    "enabled": True,
                    "prompt": c.prompt,
                    "confidence_threshold": c.confidence_threshold,
                    "priority": c.priority,
                    "include_tags": sorted(c.include_tags),
                    "exclude_tags": sorted(c.exclude_tags),
                    "include_movies": [ref.text for ref in c.include_movies],
                    "exclude_movies": [ref.text for ref in c.exclude_movies],
                    "source": c.source,
                    "line": c.line,
                }
                for c in folder.collections
            ]
            + [{"name": c.name, "slug": c.slug, "tag": c.label, "enabled": False} for c in folder.disabled],
            "skipped": [c.name for c in folder.skipped],
            "problems": [*problems, *folder.problems],
            "warnings": [*loaded.warnings, *folder.warnings],
        }
    )
    return 0


def dump_state(call: Call) -> int:
    """The state as JSON."""
    with _prepared(call) as loaded:
        output.print_json(Store.load(loaded.settings.state_dir, read_only=True).dump())
    return 0


def reset_state(call: Call) -> int:
    """Start fresh."""
    with _prepared(call) as loaded, StateLock(loaded.settings.state_dir):
        kept = state.reset(loaded.settings.state_dir, now())
        result = {"kept": str(kept) if kept else None}
        where = f"the old one is kept as {kept}" if kept else "there was none before"
        _show(call, result, lambda _: output.console().print(f"The state is fresh; {output.clean(where)}."))
    return 0


def test_notification(call: Call) -> int:
    """Send a test to every channel."""
    with _prepared(call) as loaded:
        outcomes = asyncio.run(notification.send_test(loaded.settings))
        _show(call, outcomes, output.print_outcomes)
        return 0 if all(outcome.is_delivered for outcome in outcomes) else 1


def health_check(call: Call) -> int:
    """Whether the program could do its work: settings that can be read and a state folder that can be written."""
    with _prepared(call, *REQUIRED) as loaded:
        folder = loaded.settings.state_dir
        is_healthy = folder.is_dir() and os.access(folder, os.W_OK)
        result = {"status": "OK" if is_healthy else "Error", "state_dir": str(folder)}
        _show(call, result, lambda _: output.console().print(f"{result['status']}: {output.clean(str(folder))}"))
        return 0 if is_healthy else 1


def demo(call: Call) -> int:
    """The program against its stand-ins."""
    from kometa_ai.demo import show  # noqa: PLC0415 - the stand-ins bring a web server

    return show(call)


def daemon(call: Call) -> int:
    """Wait for the schedule."""
    del call
    raise FixUsage(
        "The daemon is not part of this version yet.",
        "Do one run with --run-now, from cron or a timer if it is to be nightly; --help shows everything else.",
    )


_COMMANDS: Mapping[str, Callable[[Call], int]] = {
    "": daemon,
    "run_now": run_now,
    "estimate": show_estimate,
    "explain": show_explanation,
    "undo": undo_run,
    "pins": show_pins,
    "release_pin": release_pin,
    "check_config": check_config,
    "dump_config": dump_config,
    "dump_state": dump_state,
    "reset_state": reset_state,
    "test_notification": test_notification,
    "health_check": health_check,
    "demo": demo,
}
