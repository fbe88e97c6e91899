from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.item import movie_key
from kometa_ai.errors import RepairState
from kometa_ai.state import files
from kometa_ai.state.loading import JOURNAL, SNAPSHOT
from kometa_ai.state.schema import FORMAT_VERSION
from kometa_ai.state.store import Store
from tests.state.making import NOIR, NOW, judged, numbers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Folder = dict[str, bytes]


def _content(folder: Path) -> Folder:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def lived(tmp_path: Path) -> Path:
    """A folder after three saved runs with a movie each, and a fourth that was killed."""
    store = Store.load(tmp_path)
    for number in (1, 2, 3):
        store.record(judged(number))
        store.save(NOW)
    store.record(judged(4))
    return tmp_path


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x80
    path.write_bytes(content)


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "zeros": lambda path: path.write_bytes(b"\0" * 500),
    "garbage": lambda path: path.write_bytes(b"\xff\xfe not JSON"),
    "another JSON": lambda path: path.write_text("[1, 2, 3]"),
    "null": lambda path: path.write_text("null"),
    "no format": lambda path: path.write_text('{"version": "1"}'),
    "not UTF-8 within a text": lambda path: path.write_bytes(path.read_bytes().replace(b"So it is.", b"So it \xe9s.")),
    "nested too deep": lambda path: path.write_bytes(
        path.read_bytes()[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "flipped bit": _flip,
    "wrong type": lambda path: path.write_bytes(path.read_bytes().replace(b'"include":true', b'"include":"maybe"')),
    "key of another form": lambda path: path.write_bytes(path.read_bytes().replace(b"movie:1", b"film:1")),
    "endless key": lambda path: path.write_bytes(path.read_bytes().replace(b"movie:1", b"movie:1" + b"0" * 5000)),
    "a folder": _become_folder,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_snapshot_is_set_aside_and_nothing_is_lost(lived: Path, damage: str) -> None:
    """The newest backup and both journals hold all that was known; the damaged file is kept, and the alert says so."""
    DAMAGE[damage](lived / SNAPSHOT)
    store = Store.load(lived)
    assert numbers(store) == [1, 2, 3, 4]
    assert [alert.source for alert in store.alerts] == ["state"]
    assert f"{SNAPSHOT} is damaged" in store.alerts[0].what
    assert f"restored from {SNAPSHOT}.bak1" in store.alerts[0].what
    kept = [path for path in lived.iterdir() if ".damaged-" in path.name]
    assert len(kept) == 1
    store.save(NOW)
    again = Store.load(lived)
    assert (numbers(again), again.alerts) == ([1, 2, 3, 4], [])


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_never_copied_into_backups(lived: Path, damage: str) -> None:
    """After a damage and many more runs, every backup is a good one."""
    DAMAGE[damage](lived / SNAPSHOT)
    for number in range(5, 12):
        store = Store.load(lived)
        store.record(judged(number))
        store.save(NOW)
    for place in files.backups(lived / SNAPSHOT):
        assert json.loads(place.read_bytes())["state_format_version"] == FORMAT_VERSION


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_again_before_anything_was_saved(lived: Path, damage: str) -> None:
    """Killed after restoring, restored again, then damaged after the next snapshot: still nothing is lost."""
    DAMAGE[damage](lived / SNAPSHOT)
    Store.load(lived).record(judged(5))
    store = Store.load(lived)
    assert numbers(store) == [1, 2, 3, 4, 5]
    store.save(NOW)
    DAMAGE[damage](lived / SNAPSHOT)
    assert numbers(Store.load(lived)) == [1, 2, 3, 4, 5]


def test_damage_everywhere_takes_the_newest_good_backup(lived: Path) -> None:
    """Damaged backups are passed over, and unreadable ones; what the journals add is added."""
    for name in (SNAPSHOT, f"{SNAPSHOT}.bak1"):
        (lived / name).write_bytes(b"{")
    store = Store.load(lived)
    assert f"restored from {SNAPSHOT}.bak2" in store.alerts[0].what
    assert numbers(store) == [1, 3, 4]


def test_first_snapshot_damaged_is_rebuilt_from_the_journal(tmp_path: Path) -> None:
    """The first run is the most expensive and has no backup yet: its journal is kept and serves as one."""
    store = Store.load(tmp_path)
    store.record(judged(1), judged(2))
    store.save(NOW)
    store.record(judged(3))
    (tmp_path / SNAPSHOT).write_bytes(b"")
    store = Store.load(tmp_path)
    assert numbers(store) == [1, 2, 3]
    assert "rebuilt from the journal" in store.alerts[0].what


def test_nothing_can_be_restored(tmp_path: Path) -> None:
    """Only where nothing is left the state is a fresh one, and this is said."""
    (tmp_path / SNAPSHOT).write_bytes(b"{")
    store = Store.load(tmp_path)
    assert store.memory == {}
    assert "starting with an empty state" in store.alerts[0].what
    assert not (tmp_path / SNAPSHOT).exists()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"{"]


def test_missing_snapshot_is_restored(lived: Path) -> None:
    """A snapshot that was removed is restored from its backup and the journals, with an alert."""
    (lived / SNAPSHOT).unlink()
    store = Store.load(lived)
    assert numbers(store) == [1, 2, 3, 4]
    assert f"{SNAPSHOT} is missing; restored from" in store.alerts[0].what


def test_folder_without_a_state_is_fresh(tmp_path: Path) -> None:
    """Neither an empty folder nor one that is not there yet is worth an alert."""
    for folder in (tmp_path, tmp_path / "none"):
        store = Store.load(folder)
        assert (store.memory, store.alerts, store.state.journal_entry) == ({}, [], 0)


def test_killed_first_run_is_no_damage(tmp_path: Path) -> None:
    """A journal without a snapshot is a first run that was killed."""
    Store.load(tmp_path).record(judged(1))
    store = Store.load(tmp_path)
    assert (numbers(store), store.alerts) == ([1], [])


def test_unknown_fields_are_tolerated(lived: Path) -> None:
    """Fields of another version of the same format do not make a state damaged."""
    found = json.loads((lived / SNAPSHOT).read_text())
    found["something"] = {"new": [1]}
    found["decisions"]["movie:1"]["mood"] = "dark"
    found["decisions"]["movie:1"]["collections"]["noir"]["stars"] = 5
    (lived / SNAPSHOT).write_text(json.dumps(found, indent=4))
    store = Store.load(lived)
    assert (numbers(store), store.alerts) == ([1, 2, 3, 4], [])


def test_fields_with_defaults_may_be_missing(lived: Path) -> None:
    """The specification's own example, with what a decision needs to be judged again, can be read."""
    found = {
        "version": "1",
        "state_format_version": 1,
        "decisions": {
            "movie:1234": {
                "metadata_hash": "a1b2c3",
                "collections": {
                    "noir": {
                        "tag": "KAI-noir",
                        "include": True,
                        "confidence": 0.92,
                        "timestamp": "2025-04-28T14:30:00Z",
                        "metadata_hash": "a1b2c3",
                        "prompt_hash": "d4",
                    }
                },
            }
        },
    }
    (lived / SNAPSHOT).write_text(json.dumps(found))
    (lived / JOURNAL).unlink()
    decision = Store.load(lived).memory[movie_key(1234)].collections[NOIR]
    assert (decision.confidence, decision.threshold, decision.reasoning) == (0.92, 0.7, "")


# Newer formats

NEWER = b'{"version": "9.0", "state_format_version": 3, "decisions": {"movie": ["another shape"]}}'


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("place", ["snapshot", "backup of a damaged one", "backup of a missing one"])
def test_newer_format_stops_and_nothing_is_touched(lived: Path, *, read_only: bool, place: str) -> None:
    """A state of a newer program, even if only its backup is left, is not read, not mended and not overwritten."""
    if place == "snapshot":
        (lived / SNAPSHOT).write_bytes(NEWER)
    else:
        (lived / f"{SNAPSHOT}.bak1").write_bytes(NEWER)
        (lived / SNAPSHOT).write_bytes(b"{")
        if "missing" in place:
            (lived / SNAPSHOT).unlink()
    (lived / JOURNAL).write_bytes(b"torn")
    before = _content(lived)
    with pytest.raises(RepairState, match="format 3"):
        Store.load(lived, read_only=read_only)
    assert _content(lived) == before


def test_newer_backup_beside_a_good_state_is_ignored(lived: Path) -> None:
    """Backups are only looked at when they are needed."""
    (lived / f"{SNAPSHOT}.bak1").write_bytes(NEWER)
    assert numbers(Store.load(lived)) == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", DAMAGE)
def test_reading_without_the_lock_repairs_nothing(lived: Path, damage: str) -> None:
    """Without the lock a damaged state is read as well as can be, and left as it is."""
    (lived / JOURNAL).write_bytes((lived / JOURNAL).read_bytes() + b"bad\n" + b'{"n":')
    DAMAGE[damage](lived / SNAPSHOT)
    before = _content(lived)
    store = Store.load(lived, read_only=True)
    assert numbers(store) == [1, 2, 3, 4]
    assert len(store.alerts) == 2
    assert _content(lived) == before


# Journals


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_torn_last_line_is_normal(lived: Path, cut: int) -> None:
    """A power cut in the middle of a line: the lines before count, nothing is said, and the next line is a good one."""
    store = Store.load(lived)
    store.record(judged(5))
    journal = lived / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-cut])
    store = Store.load(lived)
    assert (numbers(store), store.alerts) == ([1, 2, 3, 4], [])
    store.record(judged(6))
    again = Store.load(lived)
    assert (numbers(again), again.alerts) == ([1, 2, 3, 4, 6], [])


def test_zeros_at_the_end_of_the_journal(lived: Path) -> None:
    """Some file systems leave zeros where a power cut came before the content: a torn line like any other."""
    with (lived / JOURNAL).open("ab") as file:
        file.write(b"\0" * 4096)
    store = Store.load(lived)
    assert (numbers(store), store.alerts) == ([1, 2, 3, 4], [])


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"garbage",
        b"\xff\xfe",
        b'{"n":5}',
        b'{"n":5,"data":{"entry":"new kind"}}',
        b'{"n":5,"data":' + b"[" * 10**5,
    ],
)
def test_damaged_line_in_the_middle(lived: Path, bad: bytes) -> None:
    """A damaged line is passed over and told once; the damaged journal is kept, and the lines around it count."""
    with (lived / JOURNAL).open("ab") as file:
        file.write(bad + b"\n")
    spoilt = (lived / JOURNAL).read_bytes()
    files.append(
        lived / JOURNAL,
        spoilt.splitlines()[0].replace(b'"key":"movie:4"', b'"key":"movie:6"').replace(b'"n":4', b'"n":6') + b"\n",
    )
    spoilt = (lived / JOURNAL).read_bytes()
    store = Store.load(lived)
    assert numbers(store) == [1, 2, 3, 4, 6]
    assert ["1 lines of the journal are damaged" in alert.what for alert in store.alerts] == [True]
    assert [path.read_bytes() for path in lived.iterdir() if ".damaged-" in path.name] == [spoilt]
    again = Store.load(lived)
    assert (numbers(again), again.alerts) == ([1, 2, 3, 4, 6], [])


def test_numbers_that_begin_again_within_a_journal(lived: Path) -> None:
    """What stands later in the journal was written later, whatever its number says."""
    line = (lived / JOURNAL).read_bytes()
    files.append(lived / JOURNAL, line.replace(b'"key":"movie:4"', b'"key":"movie:5"').replace(b'"n":4', b'"n":1'))
    store = Store.load(lived)
    assert (numbers(store), store.state.journal_entry) == ([1, 2, 3, 4, 5], 4)
    store.save(NOW)
    assert numbers(Store.load(lived)) == [1, 2, 3, 4, 5]


def test_journal_of_an_older_state(lived: Path) -> None:
    """A journal that ended long before the snapshot (one was copied in) is set aside and told, not mixed in."""
    line = (lived / JOURNAL).read_bytes()
    (lived / JOURNAL).write_bytes(line.replace(b'"n":4', b'"n":1').replace(b'"key":"movie:4"', b'"key":"movie:99"'))
    store = Store.load(lived)
    assert numbers(store) == [1, 2, 3]
    assert ["older than the state" in alert.what for alert in store.alerts] == [True]
    store.record(judged(5))
    again = Store.load(lived)
    assert (numbers(again), again.alerts) == ([1, 2, 3, 5], [])


def test_journal_that_the_snapshot_holds_already(lived: Path) -> None:
    """Killed between the snapshot and the new journal: the old lines are skipped by their number, without an alert."""
    journal = (lived / JOURNAL).read_bytes()
    Store.load(lived).save(NOW)
    (lived / JOURNAL).write_bytes(journal)
    store = Store.load(lived)
    assert (numbers(store), store.alerts) == ([1, 2, 3, 4], [])
    store.record(judged(5))
    assert numbers(Store.load(lived)) == [1, 2, 3, 4, 5]


def test_missing_entries_are_reported(lived: Path) -> None:
    """An older snapshot was copied in: what is missing between it and the journal is told."""
    (lived / SNAPSHOT).write_bytes((lived / f"{SNAPSHOT}.bak1").read_bytes())
    store = Store.load(lived)
    assert numbers(store) == [1, 2, 4]
    assert "1 entries between the state and its journal are missing" in store.alerts[0].what


def test_the_journal_before_the_snapshot_is_not_read(lived: Path) -> None:
    """It is as long as a first run, and of use to a backup only: a good state loads whatever lies in its place."""
    before = lived / f"{JOURNAL}.bak1"
    before.unlink()
    before.symlink_to(before)
    store = Store.load(lived)
    assert (numbers(store), store.alerts) == ([1, 2, 3, 4], [])


def test_state_that_may_not_be_read(tmp_path: Path) -> None:
    """What cannot be read at all is named, for the operator to fix."""
    (tmp_path / SNAPSHOT).symlink_to(tmp_path / SNAPSHOT)
    with pytest.raises(RepairState, match=re.escape(str(tmp_path / SNAPSHOT))):
        Store.load(tmp_path)


_OTHER_SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "its own": lambda content: content,
    "on one line": lambda content: content.replace(b"\n", b""),
    "indented": lambda content: json.dumps(json.loads(content), indent=2).encode(),
    "two items on a line": lambda content: content.replace(b",\n", b",", 1),
    "a line end at the end": lambda content: content + b"\n",
    "an empty line between items": lambda content: content.replace(b",\n", b",\n\n", 1),
    "a field behind the items": lambda content: content[:-1] + b',"later":1}',
}


@pytest.mark.parametrize("shape", _OTHER_SHAPES)
def test_a_snapshot_says_the_same_in_any_shape(lived: Path, shape: str) -> None:
    """A snapshot is read an item at a time where it is written so, and any other JSON of the same content as well."""
    wanted = Store.load(lived, read_only=True).dump()
    place = lived / SNAPSHOT
    place.write_bytes(_OTHER_SHAPES[shape](place.read_bytes()))
    found = Store.load(lived, read_only=True)
    assert not found.alerts
    assert found.dump() == wanted


@pytest.mark.parametrize("rest", [b"", b"}", b'"movie:9":{},\n', b"}}\n{"])
def test_a_snapshot_with_a_wrong_end_is_damaged(lived: Path, rest: bytes) -> None:
    """A snapshot whose last line is cut off, or is followed by something, is not taken for a whole one."""
    place = lived / SNAPSHOT
    place.write_bytes(place.read_bytes()[:-2] + rest)
    assert "damaged" in Store.load(lived, read_only=True).alerts[0].what
