"""How the program and its runs end: on a signal, when RUN_TIMEOUT is over, and where nothing answers any more."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kometa_ai.run.stopping import Interruption

GRACE = 7.0
"""Seconds for answers on their way after a first signal; Docker kills after ten."""
TELLING = 1.0
"""Seconds that the report of a run has after that to reach somebody."""
SHORT_TELLING = 2.5
"""The same where no answer was waited for."""
LAST = 9.6
"""Seconds after a first signal until the process ends whatever it waits for."""
LONGEST_GRACE = 120.0
WRITING = 60.0
"""Seconds more that a run has whose time is over while it writes tags."""

_log = structlog.get_logger()


@contextmanager
def ending_in_order(end: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call `end` on the first SIGINT or SIGTERM; the second ends the process. For the main thread's loop.

    Where the first has not ended the process in ten seconds, it ends all the same.
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


def end_run(interruption: Interruption, run: asyncio.Task[Any], why: str, *, grace: float = GRACE) -> None:
    """End a run: answers on their way are taken, everything is saved. To be called in the run's own loop."""
    _log.warning("run.interrupted", signal=why)
    is_busy, is_reporting = interruption.is_busy, interruption.is_reporting
    interruption.request(why)
    loop = asyncio.get_running_loop()
    first = grace if is_busy else 0.0
    if not is_reporting:
        loop.call_later(first, run.cancel)
    # That ends the asking, say, and the run goes on to its report; a mail server may not answer either.
    loop.call_later(first + (TELLING if is_busy else min(grace, SHORT_TELLING)), run.cancel)


def grace_of(seconds: float) -> float:
    """Seconds that a run has to come to its end after its RUN_TIMEOUT: a tenth of it, but not nothing and not hours."""
    return min(max(seconds / 10, GRACE), LONGEST_GRACE)


def time_out(interruption: Interruption, run: asyncio.Task[Any], seconds: float) -> None:
    """End a run whose time is over. To be called in the run's own loop.

    What is decided is still carried out, unless that takes too long; a run that has not begun to ask ends at once.
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


def leave(code: int) -> None:
    """End the process with this code at once: the interpreter would wait for threads that are left."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
