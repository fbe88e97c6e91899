"""The program sends and writes what it did before."""

from __future__ import annotations

import pytest

from tests.golden.files import RECORDED, differences
from tests.golden.worlds import WORLDS


@pytest.mark.parametrize("name", WORLDS)
def test_nothing_has_changed(name: str) -> None:
    """Each request, each file, each line of the log and each report is what was recorded."""
    found = differences(name)

    assert not found, f"\n{found}\nIf that is intended, record it: python -m tests.golden {name}"


def test_every_record_has_its_world() -> None:
    """No files of a world that is gone are left."""
    assert {path.name for path in RECORDED.iterdir()} == set(WORLDS)
