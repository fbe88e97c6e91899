"""The program sends and writes what it did before."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.golden.files import RECORDED, differences
from tests.golden.worlds import WORLDS

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _only_its_own_log() -> Iterator[None]:
    """Take pytest's handlers away: a diff is hard to find above hundreds of lines of the log, which it holds anyway."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = before


@pytest.mark.no_cover
@pytest.mark.parametrize("name", WORLDS)
def test_nothing_has_changed(name: str) -> None:
    """Each request, each file, each line of the log and each report is what was recorded."""
    with _only_its_own_log():
        found = differences(name)

    if found:
        pytest.fail(f"{found}\n\nIf that is intended, record it: python -m tests.golden {name}", pytrace=False)


def test_every_record_has_its_world() -> None:
    """No files of a world that is gone are left."""
    assert {path.name for path in RECORDED.iterdir()} == set(WORLDS)
