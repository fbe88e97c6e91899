"""Work that must not keep a run waiting: it goes on in a thread of its own, for as long as the program is there."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from kometa_ai.observe.logs import log_problem, log_unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from kometa_ai.core.problem import Problem

_threads: list[threading.Thread] = []


async def beside(work: Callable[[], Coroutine[Any, Any, list[Problem]]], seconds: float) -> list[Problem]:
    """The problems that work finds in so many seconds; what it finds later is logged.

    Cancelling this cancels nothing of the work: it ends by itself, or with the process.
    """
    done: Future[list[Problem]] = Future()
    left = threading.Event()

    def run() -> None:
        try:
            problems = asyncio.run(work())
        except Exception as error:  # noqa: BLE001 - the work tells its own problems; this is a fault of ours
            log_unexpected("notification.failed", error)
            problems = []
        if left.is_set():
            for problem in problems:
                log_problem("notification.not_delivered", problem)
        done.set_result(problems)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,), name="notification", daemon=True)
    _threads[:] = [*(one for one in _threads if one.is_alive()), thread]
    thread.start()
    waiting = asyncio.wrap_future(done)
    try:
        return await asyncio.wait_for(asyncio.shield(waiting), seconds)
    except TimeoutError:
        return []
    finally:
        left.set()


def finish(seconds: float) -> bool:
    """Wait until all such work is done, for so many seconds at most; say whether it is."""
    until = time.monotonic() + seconds
    for thread in _threads:
        thread.join(max(until - time.monotonic(), 0))
    return not any(thread.is_alive() for thread in _threads)
