"""A request to stop asking, which the engine that asks listens to, and what that engine has in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TIMED_OUT = "RUN_TIMEOUT"
STATE_UNWRITABLE = "the state cannot be written"


class StopRequest:
    """Asks engines to end; the first request counts. `in_flight` is the number of requests that are not answered yet.

    An engine that begins to listen after the request hears of it at once.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._why = ""
        self._engines: list[Callable[[str], None]] = []

    @property
    def is_heard(self) -> bool:
        """Whether an engine listens: before that nothing has been asked."""
        return bool(self._engines)

    def listen(self, end: Callable[[str], None]) -> None:
        """Call `end` with the reason as soon as a stop is requested."""
        self._engines.append(end)
        if self._why:
            end(self._why)

    def make(self, why: str) -> None:
        """Request a stop: answers in flight are still taken, nothing new is asked."""
        self._why = self._why or why
        for end in self._engines:
            end(why)
