"""A state of format 1 that an older version left behind is taken over as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kometa_ai.state.store import Store
from tests.state.format_1 import DUMP, FormatOneWorld, lay_out

if TYPE_CHECKING:
    from pathlib import Path


def test_snapshot_and_journal_are_read_as_they_were(tmp_path: Path) -> None:
    """The dump says of every movie, pin, change, batch and run what the older version said."""
    lay_out(tmp_path)

    store = Store.load(tmp_path, read_only=True)

    dump = json.loads(store.dump())
    # What that version did not know: all its runs were runs of the library.
    added = [(run.pop("kind"), run.pop("undoes")) for run in dump["runs"]]

    assert store.alerts == []
    assert dump == DUMP
    assert set(added) == {("run", "")}


def test_a_run_asks_nothing_again(tmp_path: Path) -> None:
    """The answers of the open batch are taken, and only what that version had left open is asked."""
    with FormatOneWorld(tmp_path) as world:
        before = {label: world.radarr.members(label) for label in world.radarr.labels}
        world.claude.forget()

        report = world.run()

        asked = [(request.collection_name, request.titles) for request in world.claude.requests]
        assert asked == [("War", ("Movie 11",)), ("Heist", ("Movie 10",))]
        assert (report.exit_code, report.pending, report.added, report.removed) == (0, 0, 0, 0)
        assert {label: world.radarr.members(label) for label in world.radarr.labels} == before
        assert world.run().asked == 0
