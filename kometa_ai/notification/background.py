"""Send in a background thread, so that a run does not wait for a slow mail server."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import structlog

from kometa_ai.observe.logs import log_problem, log_unexpected

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from kometa_ai.core.problem import Problem

_log = structlog.get_logger()
_T = TypeVar("_T")
_LAST_WORDS = 0.5
"""Seconds that cancelled work has to save its state."""

_threads: list[threading.Thread] = []


async def beside(work: Callable[[], Coroutine[Any, Any, list[Problem]]], seconds: float) -> list[Problem]:
    """Run the work in a thread; return the problems it finds within `seconds`. Problems found later are logged.

    Cancelling this cancels the work, since the program ends.
    """
    done: Future[list[Problem]] = Future()
    one = _Work(work, done)
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(one.run,), name="notification", daemon=True)
    _threads[:] = [*(other for other in _threads if other.is_alive()), thread]
    thread.start()
    waiting = asyncio.wrap_future(done)
    try:
        await asyncio.wait({waiting}, timeout=seconds)
    except asyncio.CancelledError:
        one.cancel()
        await asyncio.wait({waiting}, timeout=_LAST_WORDS)
        raise
    finally:
        one.is_left = True
    if waiting.done():
        return waiting.result()
    _log.info("notification.still_sending", why="a server takes its time; the run does not wait for it")
    return []


class _Work:
    """One piece of work in its own thread and loop."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, list[Problem]]], done: Future[list[Problem]]) -> None:
        self._work = work
        self._done = done
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[list[Problem]] | None = None
        self.is_left = False

    def run(self) -> None:
        problems: list[Problem] = []
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                problems = runner.run(self._go())
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - the work returns its problems; an exception is a defect of ours
            log_unexpected("notification.failed", error)
        if self.is_left:
            for problem in problems:
                log_problem("notification.not_delivered", problem)
        # The caller's loop may be closed already.
        with suppress(RuntimeError):
            self._done.set_result(problems)

    async def _go(self) -> list[Problem]:
        self._task = asyncio.current_task()
        return await self._work()

    def cancel(self) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())


async def in_thread(call: Callable[[], _T]) -> _T:
    """Make a blocking call in a daemon thread, for which the program does not wait when it ends; return its result."""
    done: Future[_T] = Future()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - raised in the caller instead
            with suppress(InvalidStateError):
                done.set_exception(error)
        else:
            with suppress(InvalidStateError):
                done.set_result(result)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="notification call", daemon=True).start()
    return await asyncio.wrap_future(done)


def finish(seconds: float) -> bool:
    """Wait for all such work, for `seconds` at most; return whether it is done."""
    until = time.monotonic() + seconds
    with suppress(KeyboardInterrupt):
        for thread in _threads:
            thread.join(max(until - time.monotonic(), 0))
    return not any(thread.is_alive() for thread in _threads)
