"""Asking again, with waits that double."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_exponential

from kometa_ai.library.arr.failures import Failed, TimedOut, Transient
from kometa_ai.library.port import TRIES

_log = structlog.get_logger()

AGAIN: tuple[type[Failed], ...] = (Transient, TimedOut)
"""What may pass, unless the caller knows better."""

T = TypeVar("T")

Sleep = Callable[[float], Awaitable[None]]
"""How to wait; tests pass one that does not."""


async def patiently(
    ask: Callable[[], Awaitable[T]],
    name: str,
    *,
    sleep: Sleep,
    tries: int = TRIES,
    again: tuple[type[Failed], ...] = AGAIN,
) -> T:
    """The answer, or the last failure when all tries met one of those that may pass; any other failure at once.

    `name` is that of the service in the log.
    """

    def log_wait(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.info(f"{name}.retry", tries=state.attempt_number, wait=state.upcoming_sleep, error=str(error))

    retrying = AsyncRetrying(
        sleep=sleep,
        stop=stop_after_attempt(tries),
        wait=wait_exponential(multiplier=1, max=16),
        retry=retry_if_exception_type(again),
        before_sleep=log_wait,
        reraise=True,
    )

    async def once() -> T:  # tenacity awaits coroutine functions only, and `ask` may be a lambda
        return await ask()

    answer: T = await retrying(once)
    return answer
