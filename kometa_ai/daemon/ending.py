"""How the program ends on a signal: in order on the first, at once on the second."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kometa_ai.run.session import Interruption

GRACE = 8.0
"""Seconds for answers on their way after a first signal; Docker kills after ten."""
TELLING = 1.0
"""Seconds that the report of a run has after that to reach somebody."""

_log = structlog.get_logger()


@contextmanager
def ending_in_order(end: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call `end` on the first SIGINT or SIGTERM; the second ends the process. For the main thread's loop."""
    loop = asyncio.get_running_loop()
    seen: list[signal.Signals] = []

    def on_signal(number: signal.Signals) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        end(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def end_run(interruption: Interruption, run: asyncio.Task[Any], why: str, *, grace: float = GRACE) -> None:
    """End a run: answers on their way are taken, everything is saved. To be called in the run's own loop."""
    _log.warning("run.interrupted", signal=why)
    interruption.request(why)
    loop = asyncio.get_running_loop()
    loop.call_later(grace, run.cancel)
    # That ends the asking, say, and the run goes on to its report; a mail server may not answer either.
    loop.call_later(grace + TELLING, run.cancel)
