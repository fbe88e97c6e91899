"""Bring an older state's JSON to the present format, step by step. Pure.

There has been one format so far, so the table is empty. A new format adds a step at its end, and its test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Migration(NamedTuple):
    """One step: what it changes, to which format it leads, and the function that changes the JSON's objects."""

    to: int
    description: str
    step: Callable[[dict[str, Any]], dict[str, Any]]


MIGRATIONS: Sequence[Migration] = ()


class NoWay(ValueError):
    """No steps lead from that format to the wanted one."""


def migrate(state: dict[str, Any], *, wanted: int, migrations: Sequence[Migration] = MIGRATIONS) -> dict[str, Any]:
    """Take the steps from a state's format to the wanted one, in their order. Raise NoWay where one is missing."""
    version = state["state_format_version"]
    steps = {migration.to: migration for migration in migrations}
    while version < wanted:
        version += 1
        if version not in steps:
            raise NoWay(f"there is no way from format {state['state_format_version']} to format {wanted}")
        state = {**steps[version].step(state), "state_format_version": version}
    return state
