"""Call the command and the URL after changes, for the daemon: changes of several runs together, with pauses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from kometa_ai.notification.after_changes import after_changes, changed_collections

if TYPE_CHECKING:
    from kometa_ai.core.report import RunReport
    from kometa_ai.settings.schema import Settings

APART = 300.0
"""Seconds after a report of changes; what changes meanwhile is reported together."""

_log = structlog.get_logger()


class ChangeNotifier:
    """Reports changed collections beside the runs, one report at a time, with a pause after each."""

    def __init__(self, settings: Settings, *, apart: float = APART) -> None:
        self._settings = settings
        self._apart = apart
        self._names: dict[str, None] = {}
        self._waiting = asyncio.Event()

    def add(self, report: RunReport) -> None:
        """Take over what a run has changed."""
        names = changed_collections(report)
        if names and (self._settings.after_changes_url or self._settings.after_changes_command):
            self._names |= dict.fromkeys(names)
            self._waiting.set()

    async def live(self) -> None:
        """Tell, for ever."""
        try:
            while True:
                await self._waiting.wait()
                self._waiting.clear()
                names, self._names = list(self._names), {}
                await after_changes(names, self._settings)
                await asyncio.sleep(self._apart)
        finally:
            if self._names:
                _log.warning("after_changes.not_told", collections=list(self._names), why="the program ends")
