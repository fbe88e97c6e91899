"""Repeat a call whose failure may pass, with waits that double."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from kometa_ai.library.arr.failures import Failed, TimedOut, Transient
from kometa_ai.library.port import TRIES

_log = structlog.get_logger()

AGAIN: tuple[type[Failed], ...] = (Transient, TimedOut)
"""What may pass, unless the caller knows better."""

_LONGEST_WAIT = 16.0

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
    for tried in range(1, tries):
        try:
            return await ask()
        except again as error:
            wait = min(2.0 ** (tried - 1), _LONGEST_WAIT)
            _log.info(f"{name}.retry", tries=tried, wait=wait, error=str(error))
        await sleep(wait)
    return await ask()
