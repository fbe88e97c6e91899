"""Fill in the templates of a collection as Kometa does, once for each way its file is loaded."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from kometa_ai.kometa.checking.templates import Loading, Shelf, Template, effective

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.checking.config_yml import Setup
    from kometa_ai.kometa.checking.other_files import OtherFiles
    from kometa_ai.kometa.checking.templates import Effective
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.reading import Reading

_MOST_LOADINGS = 4
_MOST_WAYS = 100
_MOST_EFFORT = 1_000_000
"""Limit of variables and template values that are resolved for all collections together: a few seconds."""

_ELSEWHERE = ("url", "git", "repo", "default", "pmm", "folder")


class KometaView:
    """Knows which templates each file can call, and in which ways Kometa loads the file."""

    def __init__(self, readings: Sequence[Reading], setup: Setup, other_files: OtherFiles) -> None:
        self._readings = {reading.source: reading for reading in readings}
        self._setup = setup
        self._other_files = other_files
        self._left = _MOST_EFFORT
        self._known: dict[str, tuple[Shelf, tuple[Loading, ...]]] = {}
        self._made: dict[tuple[object, ...], Effective] = {}

    def seen(self, reading: Reading, key: Key, kind: Kind | None = None) -> tuple[Effective, ...]:
        """The collection in each way of loading its file; none if it is no mapping, or the limit is used up.

        With a kind, only as libraries see it that are, or may be, of this kind.
        """
        source = reading.source
        if source not in self._known:
            self._known[source] = self._shelf_of(reading), loadings(self._setup, source)
        shelf, ways = self._known[source]
        body = body_of(reading, key)
        if not isinstance(body, dict) or self._left < 0:
            return ()
        fitting = [way for way in ways if way.kind in (None, kind)] if kind else []
        chosen = [way._replace(kind=way.kind or kind) for way in (fitting or ways)[:_MOST_LOADINGS]]
        return tuple(self._effective(reading, key, body, shelf, way) for way in chosen)

    def _effective(self, reading: Reading, key: Key, body: Mapping[Any, Any], shelf: Shelf, way: Loading) -> Effective:
        # The variables are those of the configuration, which stay as they are while this object lives.
        at = (reading.source, type(key.value), key.value, way.library, id(way.variables), way.kind)
        if at not in self._made:
            self._made[at] = found = effective(key.name, body, shelf, way)
            self._left -= found.effort
        return self._made[at]

    def _shelf_of(self, reading: Reading) -> Shelf:
        """The templates that the file can call: its own first, then those of other files in the folder."""
        data = reading.document.data
        if not isinstance(data, dict):
            return Shelf({})
        templates = dict(_templates_of(data, {}))
        is_whole = True
        listed = data.get("external_templates")
        for entry in listed if isinstance(listed, list) else [listed] if listed else []:
            found = False
            for source in self._setup.external(entry):
                found = True
                theirs = (
                    self._readings[source].document.data
                    if source in self._readings
                    else self._other_files.data_of(source)
                )
                is_whole = is_whole and isinstance(theirs, dict)
                variables = entry.get("template_variables") if isinstance(entry, dict) else None
                for name, template in _templates_of(theirs, variables if isinstance(variables, dict) else {}).items():
                    templates.setdefault(name, template)
            elsewhere = isinstance(entry, dict) and any(entry.get(kind) for kind in _ELSEWHERE)
            is_whole = is_whole and found and not elsewhere
        return Shelf(templates, is_whole)


def body_of(reading: Reading, key: Key) -> object:
    """What stands below the name of a collection."""
    data = reading.document.data
    collections = data.get("collections") if isinstance(data, dict) else None
    return collections.get(key.value) if isinstance(collections, dict) else None


def loadings(setup: Setup, source: str) -> tuple[Loading, ...]:
    """The ways in which Kometa loads a file; one without variables if that cannot be known."""
    ways = islice(setup.ways(source), _MOST_WAYS)
    found = [Loading(library.name, variables, library.kind) for library, variables in ways]
    return tuple(found) or (Loading(),)


def _templates_of(data: object, variables: Mapping[Any, Any]) -> dict[str, Template]:
    templates = data.get("templates") if isinstance(data, dict) else None
    if not isinstance(templates, dict):
        return {}
    return {str(name): Template(body, variables) for name, body in templates.items() if body is not None}
