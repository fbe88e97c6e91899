"""Run coroutines and blocking functions in threads beside the main event loop, so that none of them blocks it.

A thread cannot be stopped from outside, and one that reads from a hanging network share does not end by itself. So
nothing here joins a thread: it is abandoned, and ends with the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kometa_ai.errors import KometaAIError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_T = TypeVar("_T")


class DoesNotAnswer(KometaAIError):
    """A file system does not answer."""


class Aside(Generic[_T]):
    """A coroutine that runs in a thread and event loop of its own. `result` is a future of the loop that started it."""

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, _T]]) -> None:
        here = asyncio.get_running_loop()
        self.result: asyncio.Future[_T] = here.create_future()
        self._work = work
        self._settle = partial(_settle, here, self.result)
        self._guard = threading.Lock()
        self._is_canceled = False
        self._task: asyncio.Task[Any] | None = None
        self._thread = _started(name, lambda: asyncio.run(self._main()))

    @property
    def is_alive(self) -> bool:
        """Whether the thread is still there."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Cancel the coroutine in its own loop."""
        with self._guard:
            self._is_canceled = True
            if self._task is not None:
                # Its loop is closed if it has just ended by itself.
                with suppress(RuntimeError):
                    self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def _main(self) -> None:
        with self._guard:
            self._task = asyncio.current_task()
            if self._is_canceled and self._task is not None:
                self._task.cancel()
        # Settle before the loop is closed: closing waits for threads, which may hang.
        try:
            result = await self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised in the caller
            self._settle(None, error)
        else:
            self._settle(result, None)


async def aside(name: str, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine in a thread and return its result, or raise its error.

    Cancelling this cancels the coroutine and does not wait for it.
    """
    job = Aside(name, work)
    try:
        return await job.result
    except asyncio.CancelledError:
        job.cancel()
        raise


class Patience:
    """Calls blocking functions that may never return, because they read or write `what`, with a time limit for each.

    While `most` calls are overdue, further ones fail at once.
    """

    def __init__(self, what: str, *, seconds: float = 10.0, most: int = 1) -> None:
        self._what = what
        self._seconds = seconds
        self._most = most
        self._hanging: list[threading.Thread] = []

    async def __call__(self, function: Callable[..., _T], *arguments: object) -> _T:
        """Call the function and return its result. Raise DoesNotAnswer if that takes too long."""
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) < self._most:
            done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
            settle = partial(_settle, asyncio.get_running_loop(), done)

            def call() -> None:
                try:
                    result = function(*arguments)
                except BaseException as error:  # noqa: BLE001 - it is raised in the caller
                    settle(None, error)
                else:
                    settle(result, None)

            thread = _started(f"patience {self._what}", call)
            try:
                async with asyncio.timeout(self._seconds):
                    return await done
            except TimeoutError:
                self._hanging.append(thread)
        raise DoesNotAnswer(
            f"{self._what} does not answer: it was waited for {self._seconds:g} seconds.",
            "Look whether its disk or network share is there; restart the program when it is.",
        )


class LooseThreads(ThreadPoolExecutor):
    """An executor whose threads the loop does not join when it is closed."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as there
        """Accept no more work, and wait for nothing."""
        del wait, cancel_futures
        super().shutdown(wait=False, cancel_futures=True)


def _started(name: str, run: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True)
    thread.start()
    return thread


def _settle(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[_T], result: _T | None, error: BaseException | None
) -> None:
    def settle() -> None:
        if done.done():
            return
        if isinstance(error, asyncio.CancelledError):
            done.cancel()
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type] # no error, so there is a result

    # The loop is closed if the program has ended meanwhile.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)
