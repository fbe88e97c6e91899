"""Write the heartbeat file again and again, and know from that whether the state folder can be written."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from kometa_ai.daemon import heartbeat
from kometa_ai.jobs.aside import DoesNotAnswer, Patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

_log = structlog.get_logger()


class Pulse:
    """The daemon's heartbeat; `details` returns what each beat tells the health check.

    `is_writable` is how the state folder was found when `problem` was last asked. `company` says that another daemon
    lives in the folder, too; empty if none does. Neither process nor host tell two of them apart: in containers both
    may be process 7.
    """

    def __init__(self, folder: Path, details: Callable[[], Awaitable[Mapping[str, object]]]) -> None:
        self._folder = folder
        self._details = details
        self._looking = Patience("STATE_DIR", most=4)
        self._name = f"process {os.getpid()} on {socket.gethostname()}, {secrets.token_hex(4)}"
        self._is_first = True
        self.company = ""
        self._has_beaten = True
        self._age: float | None = None
        self.is_writable = True

    @property
    def is_stuck(self) -> bool:
        """Whether the last heartbeat was too long ago when `problem` was last asked."""
        return self._age is not None and abs(self._age) >= heartbeat.LONGEST

    async def live(self) -> None:
        """Beat for ever."""
        while True:
            await asyncio.sleep(heartbeat.EVERY)
            await self.beat()

    async def beat(self) -> None:
        """Write the heartbeat once. A folder that cannot be written is logged the first time."""
        try:
            details = {**await self._details(), "daemon": self._name}
            self._meet(await self._looking(_beat, self._folder, details))
            self._has_beaten = True
        except (OSError, DoesNotAnswer) as error:
            if self._has_beaten:
                _log.error("state.not_writable", path=str(self._folder), why=str(error))
            self._has_beaten = False

    def _meet(self, before: str) -> None:
        """Note whose heartbeat ours has replaced. Before our first one it may be that of a daemon which was killed."""
        if before == self._name:
            self.company = ""
        elif before and not self._is_first:
            if not self.company:
                _log.warning("daemon.not_alone", path=str(self._folder), other=before)
            self.company = (
                f"Another daemon lives in STATE_DIR ({str(self._folder)!r}), too: {before.rpartition(', ')[0]}. Each "
                "runs on the schedule, and one that is stuck may not be noticed. End one of them."
            )
        self._is_first = False

    async def beat_again(self) -> None:
        """Beat now if the last beat failed: the folder may be writable again."""
        if not self._has_beaten:
            await self.beat()

    async def problem(self) -> str:
        """What is wrong with the heartbeat or the state folder; empty if nothing is."""
        try:
            self._age, is_writable = await self._looking(_look, self._folder)
        except DoesNotAnswer as error:
            self.is_writable = False
            return error.message
        self.is_writable = self._has_beaten and is_writable
        if not self.is_writable:
            return f"STATE_DIR ({str(self._folder)!r}) cannot be written."
        if self.is_stuck:
            return f"The daemon has given no sign of life for {abs(self._age or 0):.0f} seconds."
        return ""

    async def end(self) -> None:
        """Remove the heartbeat file: the daemon ends in order."""
        with suppress(DoesNotAnswer):
            await Patience("STATE_DIR", seconds=1.0)(heartbeat.end, self._folder)


def _beat(folder: Path, details: Mapping[str, object]) -> str:
    """Write the heartbeat, and return which daemon has written the one before; empty if none has."""
    before: str = heartbeat.read(folder).get("daemon", "")
    heartbeat.beat(folder, details)
    return before


def _look(folder: Path) -> tuple[float | None, bool]:
    """The age of the heartbeat, and whether the state folder can be written."""
    return heartbeat.age(folder), os.access(folder, os.W_OK)
