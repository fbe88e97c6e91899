"""Look a model up in a list of models, and find near names. Pure.

A list proves something only where it is whole and Anthropic's own. Gateways list patterns, aliases, a first page, or
what they please, and answer for other models all the same.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, NamedTuple

_DATE = re.compile(r"[-@]\d{8}$")
_WILD = re.compile(r"[*?]")
_USABLE = re.compile(r"[\w.:@/-]{1,200}", re.ASCII)
"""Names that CLAUDE_MODEL takes."""
NEAREST = 5


class Listed(NamedTuple):
    """The names of a list, whether they are all there are, and whether each entry has the form of Anthropic's own."""

    names: tuple[str, ...] = ()
    is_whole: bool = True
    is_anthropic: bool = True

    def with_page(self, entries: object) -> Listed:
        """The same with a further page."""
        found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        names = [name for entry in found if isinstance(name := entry.get("id"), str)]
        return Listed(
            (*self.names, *names), self.is_whole, self.is_anthropic and bool(found) and all(map(_is_own, found))
        )

    @property
    def proves_absence(self) -> bool:
        """Whether a model that is not named here is not there."""
        return bool(self.names) and self.is_whole and not any(map(_WILD.search, self.names))

    def has(self, model: str) -> bool:
        """Whether the model is named: in any case, with or without a date, behind a provider's name or without."""
        wanted = _plain(model)
        return any(_plain(name) == wanted for name in self.names)

    def nearest(self, model: str) -> tuple[str, ...]:
        """The names that are most like it, of those that can be set."""
        usable = {name.casefold(): name for name in self.names if _USABLE.fullmatch(name)}
        found = difflib.get_close_matches(model.casefold(), list(usable)[:1000], n=NEAREST, cutoff=0.3)
        return tuple(usable[name] for name in found)


def _plain(name: str) -> str:
    return _DATE.sub("", name.casefold().rpartition("/")[2]).removesuffix("-latest")


def _is_own(entry: dict[str, Any]) -> bool:
    return entry.get("type") == "model" and "display_name" in entry and "created_at" in entry
