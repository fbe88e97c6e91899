"""Commands that look at the settings, the files and the state, and start no run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kometa_ai.app import now
from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.core.collection import Folder
from kometa_ai.errors import FixConfiguration
from kometa_ai.kometa.folder import read_folder
from kometa_ai.settings.describe import as_dump
from kometa_ai.settings.environment import load_settings
from kometa_ai.state import store as state
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from kometa_ai.cli.main import Call
    from kometa_ai.core.problem import Problem


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
    show(call, result, _print_check)
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
    with prepared(call) as loaded:
        output.print_json(Store.load(loaded.settings.state_dir, read_only=True).dump())
    return 0


def reset_state(call: Call) -> int:
    """Start fresh."""
    with prepared(call) as loaded, StateLock(loaded.settings.state_dir):
        kept = state.reset(loaded.settings.state_dir, now())
        result = {"kept": str(kept) if kept else None}
        where = f"the old one is kept as {kept}" if kept else "there was none before"
        show(call, result, lambda _: output.console().print(f"The state is fresh; {output.clean(where)}."))
    return 0


def test_notification(call: Call) -> int:
    """Send a test to every channel."""
    from kometa_ai.notification import dispatch as notification  # noqa: PLC0415 - brings the templates

    with prepared(call) as loaded:
        outcomes = asyncio.run(notification.send_test(loaded.settings))
        show(call, outcomes, output.print_outcomes)
        return 0 if all(outcome.is_delivered for outcome in outcomes) else 1
