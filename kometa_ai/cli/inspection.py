"""Do the commands about settings, state and notifications, which start no run; each returns its exit code."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from kometa_ai.app import now, rules_of
from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.daemon.timetable import next_start
from kometa_ai.jobs import views
from kometa_ai.jobs.reset import reset
from kometa_ai.settings.environment import load_settings
from kometa_ai.state.history import kept_runs

if TYPE_CHECKING:
    from kometa_ai.cli.call import Call


def dump_config(call: Call) -> int:
    """Print the settings, the collections and the next scheduled run as JSON."""
    loaded = load_settings(call.environ, required=())
    settings = loaded.settings
    output.print_json(views.configuration(loaded, rules_of(settings), next_start(settings, now()).isoformat()))
    return 0


def dump_state(call: Call) -> int:
    """Print the state as JSON."""
    with prepared(call) as session:
        output.print_json(views.state(session))
    return 0


def show_runs(call: Call) -> int:
    """Print the runs that are kept."""
    with prepared(call) as session:
        found = kept_runs(session.settings.state_dir)
        show(call, found, partial(output.print_runs, zone=session.settings.tz))
    return 0


def reset_state(call: Call) -> int:
    """Start with an empty state; the old one is kept as a backup."""
    with prepared(call) as session:
        kept = reset(session)
        result = {"kept": str(kept) if kept else None}
        where = f"the old one is kept as {kept}" if kept else "there was none before"
        show(call, result, lambda _: output.console().print(f"The state is fresh; {output.clean(where)}."))
    return 0


def test_notification(call: Call) -> int:
    """Send a test message to every channel."""
    from kometa_ai.notification import dispatch as notification  # noqa: PLC0415 - brings the templates

    with prepared(call) as session:
        outcomes = asyncio.run(notification.send_test(session.settings))
        show(call, outcomes, output.print_outcomes)
        return 0 if all(outcome.is_delivered for outcome in outcomes) else 1
