"""Do the commands about runs: run, forecast, explain, undo; each calls a job, shows its result, returns its code."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.cli.report import print_report
from kometa_ai.core.options import Options
from kometa_ai.core.summary import as_data
from kometa_ai.daemon import heartbeat
from kometa_ai.jobs import views
from kometa_ai.jobs.cancel import cancel
from kometa_ai.jobs.foreground import Foreground
from kometa_ai.jobs.pins import names_of
from kometa_ai.jobs.undo import Undo
from kometa_ai.notification.after_changes import changed_collections
from kometa_ai.settings.environment import LIBRARY, MODEL, REQUIRED, providers_in
from kometa_ai.settings.models import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.cli.call import Call
    from kometa_ai.core.report import RunReport
    from kometa_ai.jobs.session import Session


def _options(call: Call, session: Session) -> Options:
    return Options(
        dry_run=call.given["dry_run"],
        collections=call.given["collections"],
        force_refresh=call.given["force_refresh"],
        ask_again=tuple(text.strip() for text in call.given["ask_again"]),
        allow_removals=call.given["allow_removals"],
        accept_library=call.given["accept_library"],
        batch_size=call.given["batch_size"] or session.rules.page_size,
        max_cost=call.given["max_cost"],
    )


def run_now(call: Call) -> int:
    """Do one run in this process."""
    with prepared(call, *REQUIRED) as session:
        with output.Watcher() as watcher:
            foreground = _foreground(session, watcher)
            report = asyncio.run(foreground.run(_options(call, session)))
        in_words = partial(print_report, reasons=call.given["reasons"])
        return _end(foreground, report, lambda: show(call, report, in_words, as_data))


def undo_run(call: Call) -> int:
    """Undo a run."""
    wanted = Undo(run_id=call.given["undo"], dry_run=call.given["dry_run"])
    with prepared(call, LIBRARY) as session:
        with output.Watcher() as watcher:
            foreground = _foreground(session, watcher)
            result = asyncio.run(foreground.undo(wanted))

        def show_result() -> None:
            if result.error is not None:
                raise result.error
            show(call, result.undone, partial(output.print_undone, names=names_of(session)))

        return _end(foreground, result.report, show_result)


def _foreground(session: Session, watcher: output.Watcher) -> Foreground:
    return Foreground(session, watcher, partial(heartbeat.next_run, session.settings.state_dir))


def _end(foreground: Foreground, report: RunReport, show_result: Callable[[], None]) -> int:
    """Show the result of a run, tell Kometa which collections it changed, and return the exit code."""
    ended_by = 0
    try:
        show_result()
    finally:
        # Even if the result could not be shown.
        ended_by = foreground.tell(changed_collections(report))
    return ended_by or report.exit_code


def show_estimate(call: Call) -> int:
    """Forecast a run."""
    with prepared(call, LIBRARY, MODEL) as session:
        found = asyncio.run(views.forecast(session, _options(call, session)))
        show(call, found, output.print_estimate)
        return 1 if found.problems else 0


def show_explanation(call: Call) -> int:
    """Explain a movie or show."""
    with prepared(call, LIBRARY) as session:
        found = asyncio.run(views.explanation(session, _options(call, session), call.given["explain"]))
        show(call, found, partial(output.print_explained, zone=session.settings.tz))
        return 1 if found.without_radarr or found.problems else 0


def cancel_open_batches(call: Call) -> int:
    """Cancel the open batches at Anthropic."""
    # Without a key for Claude and with another provider, what is open can still be given up.
    required = [KEYS["claude"]] if "claude" in providers_in(call.environ) else []
    with prepared(call, *required) as session:
        found = asyncio.run(cancel(session))
        show(call, found, partial(output.print_cancellation, zone=session.settings.tz))
        return int(found.exit_code)


def demo(call: Call) -> int:
    """Play the demo against the stand-ins, or serve its page."""
    from kometa_ai.demo import play, serve_page  # noqa: PLC0415 - the stand-ins bring a web server

    return serve_page(call) if call.given["serve"] else play(call.environ)


def daemon(call: Call) -> int:
    """Run the daemon; with `--wait`, once its settings are in order."""
    if call.given["wait"]:
        from kometa_ai.cli.waiting import wait_for_settings  # noqa: PLC0415 - brings a web server

        wait_for_settings(call.environ)
    from kometa_ai.cli.hosting import live  # noqa: PLC0415 - brings a web server

    return live(call)
