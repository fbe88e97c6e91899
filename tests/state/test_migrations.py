"""Older states are brought to the present format in order."""

from __future__ import annotations

from typing import Any

import pytest

from kometa_ai.state.migrations import MIGRATIONS, Migration, NoWay, migrate, migrate_line
from kometa_ai.state.schema import FORMAT_VERSION


def noting(version: int) -> Migration:
    """A step that notes that it was taken."""

    def step(found: dict[str, Any]) -> dict[str, Any]:
        return {**found, "taken": [*found.get("taken", []), version]}

    return Migration(version, f"note {version}", step, step)


@pytest.mark.parametrize(("start", "taken"), [(1, [2, 3, 4]), (3, [4]), (4, [])])
def test_steps_are_taken_in_order(start: int, taken: list[int]) -> None:
    """From any older format every step after it, once, whatever the order of the table."""
    steps = [noting(4), noting(2), noting(3)]

    state = migrate({"state_format_version": start}, wanted=4, migrations=steps)

    assert state["state_format_version"] == 4
    assert state.get("taken", []) == taken
    line: dict[str, Any] = {"n": 7, "format": start, "data": {}} if start > 1 else {"n": 7, "data": {}}
    line = migrate_line(line, wanted=4, migrations=steps)
    assert (line.get("format"), line["data"].get("taken", [])) == (4, taken)


def test_a_missing_step_is_no_guess() -> None:
    """Where no way leads on, nothing is invented."""
    with pytest.raises(NoWay, match="from format 1 to format 3"):
        migrate({"state_format_version": 1}, wanted=3, migrations=[noting(3)])


def test_every_format_has_its_step() -> None:
    """The table leads from the first format to the present one."""
    assert [migration.to for migration in MIGRATIONS] == list(range(2, FORMAT_VERSION + 1))
    assert all(migration.description for migration in MIGRATIONS)


@pytest.mark.parametrize(
    "broken",
    [
        {"pins": [{"slug": "noir"}]},
        {"pins": 3},
        {"batches": [{"pages": [[["603", "hash"]]]}]},
        {"tag_changes": [None]},
    ],
)
def test_what_is_not_of_its_format_has_no_way(broken: dict[str, Any]) -> None:
    """Damage is told as damage, whatever it looks like: the caller then takes a backup."""
    with pytest.raises(NoWay, match="not of the format"):
        migrate({"state_format_version": 1, **broken}, wanted=2)
