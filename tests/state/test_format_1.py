"""A state of format 1 that an older version left behind is taken over as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from kometa_ai.core.item import movie_key
from kometa_ai.state import history
from kometa_ai.state.loading import JOURNAL, SNAPSHOT
from kometa_ai.state.store import Store
from kometa_ai.state.upgrades import SINCE_FORMAT_1
from tests.state.format_1 import DUMP, FIXTURE, FormatOneWorld, lay_out
from tests.state.making import NOW, judged, numbers
from tests.state.processes import KILLED_AT, forking

if TYPE_CHECKING:
    from pathlib import Path


def _in_format_2() -> dict[str, Any]:
    """What the older version said of the state, with keys, kinds and names of libraries beside it.

    All runs of that time are runs of the library.
    """
    state = json.loads(json.dumps(DUMP))
    for each in state["runs"]:
        each |= {"kind": "run", "undoes": ""}
    for record in (*state["pins"], *state["tag_changes"]):
        record["key"] = f"movie:{record['tmdb_id']}"
    for change in state["tag_changes"]:
        change["library"] = "radarr"
    for batch in state["batches"]:
        batch["pages"] = [[[f"movie:{movie}", made_from] for movie, made_from in page] for page in batch["pages"]]
        for question in batch["questions"]:
            assert question.pop("second_look") is False  # not written where it is the usual, as a movie's kind is not
    return {
        **{name: value for name, value in state.items() if name != "library"},
        "state_format_version": 2,
        "libraries": {"radarr": {**state["library"], "left_by": ""}},
        "prompts": {},
    }


def _dump(store: Store) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(store.dump())
    return {**said, "last_update": DUMP["last_update"], "version": DUMP["version"]}


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_snapshot_and_journal_are_read_as_they_were(tmp_path: Path) -> None:
    """The dump says of every movie, pin, change, batch and run what the older version said; nothing is written."""
    lay_out(tmp_path)
    before = _files(tmp_path)

    store = Store.load(tmp_path, read_only=True)

    assert store.alerts == []
    assert _dump(store) == _in_format_2()
    assert _files(tmp_path) == before


_UPGRADING = f"""{KILLED_AT}
Store.load(folder)
"""


def test_what_is_different_is_told_whenever_the_one_who_upgrades_is_killed(tmp_path: Path) -> None:
    """Killed before any of its steps, it has told it or the next load does; and nobody tells it after that."""
    tellers = set()
    with forking(_UPGRADING) as run_at:
        for at in range(1, 100):
            folder = tmp_path / str(at)
            lay_out(folder)
            code, killed = run_at(at, folder)
            assert code in {0, 9}, killed
            with capture_logs() as first:
                Store.load(folder)
            with capture_logs() as second:
                Store.load(folder)

            told = [line["what"] for line in first if line["event"] == "upgrade.difference"]
            assert killed.count("upgrade.difference") in {0, len(SINCE_FORMAT_1)}
            assert told in ([], [each.what for each in SINCE_FORMAT_1])
            assert told or "upgrade.difference" in killed
            assert {line["before"] for line in first if line["event"] == "upgrade.begun"} <= {DUMP["version"]}
            assert [line["event"] for line in second if line["event"].startswith("upgrade")] == []
            tellers.add(("upgrade.difference" in killed, bool(told)))
            if code == 0:
                assert at > 10
                assert {(False, True), (True, False)} <= tellers
                return
    pytest.fail("it never came to its end")


def test_it_is_written_in_the_present_format_at_once(tmp_path: Path) -> None:
    """Who may write begins a new journal, keeps the older snapshot as a backup, and does this once."""
    lay_out(tmp_path)
    older = _files(tmp_path)

    store = Store.load(tmp_path)

    assert json.loads((tmp_path / SNAPSHOT).read_bytes())["state_format_version"] == 2
    assert (tmp_path / f"{SNAPSHOT}.bak1").read_bytes() == older[SNAPSHOT]
    assert (tmp_path / f"{JOURNAL}.bak1").read_bytes() == older[JOURNAL]
    assert not (tmp_path / JOURNAL).exists()
    assert _dump(store) == _in_format_2()
    known = numbers(store)
    store.record(judged(1))
    assert json.loads((tmp_path / JOURNAL).read_bytes())["format"] == 2
    written = _files(tmp_path)
    again = Store.load(tmp_path)
    assert (again.alerts, _files(tmp_path)) == ([], written)
    assert numbers(again) == [1, *known]


def test_its_backups_can_be_used(tmp_path: Path) -> None:
    """The new snapshot is damaged, or gone: the older one, its journal and the new lines are the whole state."""
    lay_out(tmp_path)
    Store.load(tmp_path).record(judged(1))
    (tmp_path / SNAPSHOT).write_bytes(b"{")

    store = Store.load(tmp_path)

    assert "restored from kometa_state.json.bak1 and the journal" in store.alerts[0].what
    assert numbers(store)[0] == 1
    said = _dump(store)
    del said["decisions"]["movie:1"]
    assert said == {**_in_format_2(), "journal_entry": DUMP["journal_entry"] + 1}
    assert Store.load(tmp_path).alerts == []


def test_a_damaged_one_falls_back_to_its_own_backup(tmp_path: Path) -> None:
    """Snapshot and one line of an older state are damaged: all but that line is known."""
    lay_out(tmp_path)
    (tmp_path / SNAPSHOT).write_bytes((tmp_path / SNAPSHOT).read_bytes().replace(b'"tmdb_id":1023', b'"tmdb_id":[]'))
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if b'"judged"' in line)
    lines[place] = lines[place].replace(b'"tmdb_id":', b'"tmdb_id":-')
    (tmp_path / JOURNAL).write_bytes(b"".join(lines))

    store = Store.load(tmp_path)

    assert ["restored from" in store.alerts[0].what, "1 lines" in store.alerts[1].what] == [True, True]
    said = _dump(store)
    assert said["pins"] == _in_format_2()["pins"]
    assert said["tag_changes"] == _in_format_2()["tag_changes"]


_KILLED = f"""{KILLED_AT}
store = Store.load(folder)
store.record(judged(4))
print("confirmed", flush=True)
store.save(NOW)
"""


@pytest.mark.parametrize("is_damaged", [False, True], ids=["whole", "damaged"])
def test_killed_at_each_step_of_the_migration(tmp_path: Path, *, is_damaged: bool) -> None:
    """Killed before any of its steps on files, all that the older version knew is there, and what was confirmed."""
    wanted = _in_format_2()
    if is_damaged:
        lay_out(tmp_path)
        (tmp_path / SNAPSHOT).write_bytes(b"{")
        wanted = _dump(Store.load(tmp_path, read_only=True))
    with forking(_KILLED) as run_at:
        for at in range(1, 100):
            folder = tmp_path / str(at)
            lay_out(folder)
            if is_damaged:
                (folder / SNAPSHOT).write_bytes(b"{")
            code, out = run_at(at, folder)
            assert code in {0, 9}, out
            store = Store.load(folder)
            assert is_damaged or store.alerts == []
            said = _dump(store)
            assert (said["decisions"].pop("movie:4", None) is not None) >= ("confirmed" in out)
            assert {**said, "journal_entry": 0} == {**wanted, "journal_entry": 0}
            store.record(judged(6))
            store.save(NOW)
            again = Store.load(folder)
            assert (6 in numbers(again), again.alerts) == (True, [])
            if code == 0:
                assert at > 10
                return
    pytest.fail("it never came to its end")


def test_reports_of_that_time_can_be_read(tmp_path: Path) -> None:
    """Their changes are known by key, so that such a run can be undone."""
    lay_out(tmp_path)
    changing = 0
    for path in sorted((FIXTURE / "state" / "runs").glob("*.json")):
        report = history.recall(tmp_path, path.stem)
        told = json.loads(path.read_bytes())["changes"]
        assert [change.key for change in report.changes] == [movie_key(change["tmdb_id"]) for change in told]
        assert [change.tmdb_id for change in report.changes] == [change["tmdb_id"] for change in told]
        changing += bool(told)
    assert changing == 4


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
