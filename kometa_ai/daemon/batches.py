"""Go on with runs that wait for a batch: look every minute, and start a run when one has ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kometa_ai.jobs.waiting import EVERY, Lookout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kometa_ai.core.options import Options
    from kometa_ai.jobs.session import Session


class BatchWatch:
    """Starts the run that goes on with one that waits, unless its caller does that.

    `start` returns whether the run has begun; if not, it is tried again. One that has begun and could do nothing with
    what has ended (Radarr was down, say) leaves it to the schedule.
    """

    def __init__(self, session: Session, start: Callable[[Options], Awaitable[bool]], *, every: float = EVERY) -> None:
        self._lookout = Lookout(session)
        self._start = start
        self._every = every

    async def live(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._every)
            await self.look()

    async def look(self) -> None:
        """Look once."""
        found = await self._lookout.look()
        if found is None or not found.is_due or found.options.caller_goes_on:
            return
        if await self._start(found.options):
            self._lookout.note(found)
