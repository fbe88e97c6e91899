"""Tell a Plex library of movies from one of shows by what a configuration says of it: Kometa itself asks Plex."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kometa_ai.core.item import KINDS
from kometa_ai.kometa.checking.arrs import ARRS
from kometa_ai.kometa.checking.values import is_off, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.item import Kind

_DEFAULTS: dict[str, Kind] = {
    "director": "movie",
    "producer": "movie",
    "seasonal": "movie",
    "writer": "movie",
    "network": "show",
}
"""Kometa's own files that there are for one kind only."""

_LEVELS = ("builder_level", "overlay_level")
_PARTS_OF_SHOWS = frozenset({"season", "episode"})
_LISTS = ("collection_files", "metadata_files", "overlay_files", "metadata_path", "overlay_path")
_MOST_ENTRIES = 1_000
_LONGEST = 200

_WORDS: dict[Kind, re.Pattern[str]] = {
    "movie": re.compile("movie|film", re.IGNORECASE),
    "show": re.compile(r"(?<![^\W\d_])tv|show|serie|anime", re.IGNORECASE),
}


def kind_by_name(name: str) -> Kind | None:
    """The kind that a library's name speaks of; None if it speaks of none, or of both."""
    return _only({kind for kind in KINDS if _WORDS[kind].search(name[:_LONGEST])})


def _only(kinds: AbstractSet[Kind]) -> Kind | None:
    return next(iter(kinds)) if len(kinds) == 1 else None


class LibraryKinds:
    """Looks through the sections of one configuration; each list is read once, however many libraries share it."""

    def __init__(self) -> None:
        self._of_lists: dict[int, frozenset[Kind]] = {}
        self._of_operations: dict[int, frozenset[Kind]] = {}

    def of(self, name: str, body: Mapping[Any, Any]) -> tuple[Kind | None, Kind | None]:
        """The kind by evidence, and the kind by evidence or else by name; None if that says nothing, or both.

        Evidence is what only a library of this kind can have been set up with.
        """
        operations = body.get("operations")
        if id(operations) not in self._of_operations:
            self._of_operations[id(operations)] = frozenset(_of_operations(operations))
        found = {*self._of_operations[id(operations)]}
        # A section for all libraries connects those of both kinds, so it says nothing.
        own = [arr.kind for arr in ARRS if isinstance(body.get(arr.section), Mapping)]
        found.update(own if len(own) == 1 else ())
        for kind in _LISTS:
            found |= self._of_list(body.get(kind))
        evidence = _only(found)
        return evidence, evidence if found else kind_by_name(name)

    def _of_list(self, listed: object) -> frozenset[Kind]:
        if id(listed) not in self._of_lists:
            entries = listed[:_MOST_ENTRIES] if isinstance(listed, list) else [listed]
            kinds = (kind for entry in entries if isinstance(entry, Mapping) for kind in _of_entry(entry))
            self._of_lists[id(listed)] = frozenset(kinds)
        return self._of_lists[id(listed)]


def _of_operations(operations: object) -> Iterator[Kind]:
    for entry in operations[:_MOST_ENTRIES] if isinstance(operations, list) else [operations]:
        for name, value in entry.items() if isinstance(entry, Mapping) else ():
            if value is not None and not is_off(value):
                yield from (arr.kind for arr in ARRS if str(name).startswith(f"{arr.section}_"))


def _of_entry(entry: Mapping[Any, Any]) -> Iterator[Kind]:
    for name in (entry.get("default"), entry.get("pmm")):
        if isinstance(name, str) and len(name) <= _LONGEST:
            folder, _, stem = name.removesuffix(".yml").removesuffix(".yaml").rpartition("/")
            yield from (kind for kind in KINDS if folder == kind)
            if not folder and stem in _DEFAULTS:
                yield _DEFAULTS[stem]
    variables = entry.get("template_variables")
    if isinstance(variables, Mapping):
        levels = [variables.get(level) for level in _LEVELS]
        if any(is_plain(level) and str(level).lower() in _PARTS_OF_SHOWS for level in levels):
            yield "show"
