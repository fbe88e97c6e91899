"""Retry reports that did not arrive, some time after a run: greylisting servers take the second attempt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from kometa_ai.jobs.aside import DoesNotAnswer, Patience, aside
from kometa_ai.notification.dispatch import deliver_again
from kometa_ai.notification.outbox import is_waiting
from kometa_ai.observe.logs import log_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.settings.schema import Settings

WAITS = (300.0, 900.0, 3600.0)
"""Seconds before each try; after the last one a report waits for the next run."""

_log = structlog.get_logger()


class Redelivery:
    """Retries after each run, as long as a report waits."""

    def __init__(self, settings: Settings, *, waits: Sequence[float] = WAITS) -> None:
        self._settings = settings
        self._waits = waits
        self._ended = asyncio.Event()
        self._looking = Patience("STATE_DIR")

    def wake(self) -> None:
        """Note that a run has ended: it has tried to deliver everything."""
        self._ended.set()

    async def live(self) -> None:
        """Deliver for ever."""
        while True:
            await self._ended.wait()
            await self._try_again()

    async def _try_again(self) -> None:
        self._ended.clear()
        for wait in self._waits:
            try:
                # Not wait_for, which loses a cancellation when a run ends at the same moment.
                async with asyncio.timeout(wait):
                    await self._ended.wait()
            except TimeoutError:
                if not await self._deliver():
                    return
            else:
                return  # the next run has just tried by itself

    async def _deliver(self) -> bool:
        """Whether something is still waiting."""
        try:
            problems = await aside("redelivery", lambda: deliver_again(self._settings))
        except Exception:  # noqa: BLE001 - the daemon outlives whatever this meets
            _log.exception("redelivery.failed")
            return False
        for problem in problems:
            log_problem("notification.not_delivered", problem)
        if problems:
            return True
        try:
            return await self._looking(is_waiting, self._settings.state_dir)
        except DoesNotAnswer:
            return False
