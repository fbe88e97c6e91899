"""Work beside the daemon's loop, in a thread and a loop of its own, so that nothing it does keeps others waiting."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

_T = TypeVar("_T")


async def aside(name: str, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run a coroutine over there and return what it returns, or raise what it raises.

    Cancelling this asks for its end there and waits for nothing: the thread ends with the process at the latest.
    """
    here = asyncio.get_running_loop()
    done: asyncio.Future[_T] = here.create_future()
    over_there = _Loop()

    def run() -> None:
        try:
            result = over_there.run(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where it was asked for
            _tell(here, done, None, error)
        else:
            _tell(here, done, result, None)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name=name, daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        over_there.cancel()
        raise


def _tell(
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

    # The loop is closed when the program has ended meanwhile.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)


class _Loop:
    """The loop over there, which may not have begun when its end is asked for."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_cancelled = False
        self._task: asyncio.Task[Any] | None = None

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        async def main() -> _T:
            with self._guard:
                self._task = asyncio.current_task()
                if self._is_cancelled and self._task is not None:
                    self._task.cancel()
            return await work

        return asyncio.run(main())

    def cancel(self) -> None:
        with self._guard:
            self._is_cancelled = True
            if self._task is not None:
                with suppress(RuntimeError):
                    self._task.get_loop().call_soon_threadsafe(self._task.cancel)
