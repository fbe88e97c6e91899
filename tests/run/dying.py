"""Let a run die at a point that a test chooses."""

from __future__ import annotations

from kometa_ai.run.watching import NullObserver


class Crash(BaseException):
    """The process dies here."""


class Dying(NullObserver):
    """An observer that dies when so many answers have been recorded."""

    def __init__(self, answers: int) -> None:
        self._left = answers

    def advance(self, what: str, count: int) -> None:
        """Count an answer."""
        del count
        if what == "questions":
            self._left -= 1
            if self._left == 0:
                raise Crash

    def cost(self, usd: float) -> None:
        """Nothing happens then."""
