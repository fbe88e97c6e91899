"""Guess the name that was meant by an unknown one. The number of guesses is limited: each takes milliseconds."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST = 40
_MOST_KNOWN = 1_000
_LONGEST = 80


class Guesses:
    """The guesses for one folder."""

    def __init__(self) -> None:
        self._left = _MOST

    def nearest(self, name: str, known: Iterable[str], cutoff: float) -> str | None:
        """The known name that is most similar; None if there is none, or the limit is used up."""
        if self._left <= 0 or len(name) > _LONGEST:
            return None
        self._left -= 1
        return next(iter(get_close_matches(name, list(known)[:_MOST_KNOWN], n=1, cutoff=cutoff)), None)
