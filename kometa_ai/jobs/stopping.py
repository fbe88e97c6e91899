"""End a run and the process on a signal or RUN_TIMEOUT: ask it to stop (`run/stopping.py`), wait, cut it off."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kometa_ai.run.stopping import Interruption

GRACE = 7.0
"""Seconds for in-flight requests after the first signal; Docker kills after ten."""
TELLING = 1.0
"""Seconds after that for sending the run's report."""
SHORT_TELLING = 2.5
"""The same if no request was in flight."""
LAST = 9.6
"""Seconds after the first signal until the process exits in any case."""
LONGEST_GRACE = 120.0
WRITING = 60.0
"""Extra seconds for a run whose time is over while it writes tags."""

_log = structlog.get_logger()


@contextmanager
def ending_in_order(end: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call `end` on the first SIGINT or SIGTERM; the second exits the process. For the main thread's loop.

    Ten seconds after the first signal the process exits in any case.
    """
    loop = asyncio.get_running_loop()
    seen: list[signal.Signals] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: signal.Signals) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        last = threading.Timer(LAST, os._exit, [128 + number])
        last.daemon = True
        last.start()
        end(number)

    for number in before:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def end_run(
    interruption: Interruption, run: asyncio.Task[Any], why: str, *, grace: float = GRACE, process_ends: bool = True
) -> None:
    """End a run: finish in-flight requests, save everything. Call this in the run's own loop.

    `why` is a signal, or who asked for the end. A run that has ended by itself meanwhile is left alone. The report is
    sent in any case, unless the process ends and cannot wait for a mail server that does not answer.
    """
    if run.done():
        return
    _log.warning("run.interrupted", why=why)
    is_busy, is_reporting = interruption.is_busy, interruption.is_reporting
    interruption.request(why)
    loop = asyncio.get_running_loop()
    first = grace if is_busy else 0.0
    if not is_reporting:
        loop.call_later(first, run.cancel)
    # The first cancel may only end the asking; the second ends the report, too, if a mail server does not answer.
    if process_ends:
        loop.call_later(first + (TELLING if is_busy else min(grace, SHORT_TELLING)), run.cancel)


def grace_of(seconds: float) -> float:
    """Seconds that a run has to finish after its RUN_TIMEOUT: a tenth of it, within limits."""
    return min(max(seconds / 10, GRACE), LONGEST_GRACE)


def time_out(interruption: Interruption, run: asyncio.Task[Any], seconds: float) -> None:
    """End a run whose time is over. Call this in the run's own loop.

    The run still writes the tags that are decided, within a limit; a run that has asked nothing yet ends at once.
    """
    interruption.time_out()
    loop = asyncio.get_running_loop()

    def cut() -> None:
        if interruption.is_writing and not interruption.is_cut:
            loop.call_later(WRITING, cut)
        elif not run.done():
            interruption.is_cut = True
            run.cancel()
            loop.call_later(SHORT_TELLING, run.cancel)

    loop.call_later(grace_of(seconds) if interruption.has_begun else 0.0, cut)
