"""Commands that look at settings, files and state, and start no run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kometa_ai.app import now
from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.core.collection import Folder
from kometa_ai.daemon.timetable import next_start
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


def dump_config(call: Call) -> int:
    """The settings, the collections and the next scheduled run, as JSON."""
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
            "next_run": next_start(loaded.settings, now()).isoformat(),
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
