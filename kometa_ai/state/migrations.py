"""Bring an older state's JSON to the present format, step by step: its snapshot, and the lines of its journal. Pure.

A new format adds a step at the end of the table, a fixture of the format before it, and its test.

Why: docs/decisions/0016-item-keys.md
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]


class Migration(NamedTuple):
    """One step: to which format it leads, what it changes, and the functions that change the JSON's objects.

    `state` is given a snapshot without its decisions, which no step has changed so far; `entry` is given what one line
    of the journal says. Either may raise whatever it likes over JSON that is not of its format.
    """

    to: int
    description: str
    state: Callable[[Json], Json]
    entry: Callable[[Json], Json]


class NoWay(ValueError):
    """No steps lead from that format to the wanted one, or the JSON is not of the format that it states."""


# Format 2: a movie has a key, a library has a name.

_LIBRARY = "radarr"
"""The name of the one library that format 1 knows."""


def _key(tmdb_id: int) -> str:
    return f"movie:{tmdb_id:d}"


def _with_key(record: Json) -> Json:
    """A pin or an answer: its movie is named by a key."""
    rest = {name: value for name, value in record.items() if name != "tmdb_id"}
    return {"key": _key(record["tmdb_id"]), **rest}


def _change(change: Json) -> Json:
    return {**_with_key(change), "library": _LIBRARY}


def _batch(batch: Json) -> Json:
    return {**batch, "pages": [[(_key(tmdb_id), made_from) for tmdb_id, made_from in page] for page in batch["pages"]]}


def _state_with_keys(state: Json) -> Json:
    library = state.pop("library", None)
    return {
        **state,
        "libraries": {_LIBRARY: library} if library else {},
        "pins": [_with_key(pin) for pin in state.get("pins", [])],
        "tag_changes": [_change(change) for change in state.get("tag_changes", [])],
        "batches": [_batch(batch) for batch in state.get("batches", [])],
    }


_PARTS: dict[str, tuple[str, Callable[[Json], Json]]] = {
    "tagged": ("change", _change),
    "pinned": ("pin", _with_key),
    "batch planned": ("batch", _batch),
}
"""Of an entry of that kind, the part that has another form."""


def _entry_with_keys(entry: Json) -> Json:
    kind = entry["entry"]
    if kind in ("judged", "unjudged", "described", "released"):
        return _with_key(entry)
    if kind == "library":
        return {**entry, "name": _LIBRARY}
    if kind in _PARTS:
        part, changed = _PARTS[kind]
        return {**entry, part: changed(entry[part])}
    return entry


MIGRATIONS: Sequence[Migration] = (
    Migration(
        2,
        "Movies are named by a key (`movie:603` where `tmdb_id` was 603), what was read of a library stands under its "
        "name, and a tag change names its library.",
        _state_with_keys,
        _entry_with_keys,
    ),
)


def migrate(state: Json, *, wanted: int, migrations: Sequence[Migration] = MIGRATIONS) -> Json:
    """Take the steps from a state's format to the wanted one, in their order. Raise NoWay where that fails."""
    for step in _way(state["state_format_version"], wanted, migrations):
        state = {**_taken(step.state, state), "state_format_version": step.to}
    return state


def migrate_line(line: Json, *, wanted: int, migrations: Sequence[Migration] = MIGRATIONS) -> Json:
    """Do the same with a line of the journal. Lines of format 1 do not say their format."""
    for step in _way(line.get("format", 1), wanted, migrations):
        line = {**line, "format": step.to, "data": _taken(step.entry, line.get("data"))}
    return line


def _way(version: int, wanted: int, migrations: Sequence[Migration]) -> list[Migration]:
    steps = {migration.to: migration for migration in migrations}
    needed = range(version + 1, wanted + 1)
    if not steps.keys() >= set(needed):
        raise NoWay(f"there is no way from format {version} to format {wanted}")
    return [steps[number] for number in needed]


def _taken(step: Callable[[Json], Json], found: Any) -> Json:  # noqa: ANN401 - it may be anything
    try:
        return step(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NoWay(f"it is not of the format that it states ({type(error).__name__}: {error})") from error
