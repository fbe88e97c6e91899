from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from kometa_ai.core.decision import Remembered
from kometa_ai.core.item import movie_key
from kometa_ai.errors import RepairState
from kometa_ai.state import files, schema
from kometa_ai.state.by_line import DECISIONS, open_state
from kometa_ai.state.store import Store, reset
from tests.state.making import NOW, described, judged

if TYPE_CHECKING:
    from pathlib import Path


def saved(folder: Path, count: int) -> Store:
    """A state with some movies, saved."""
    store = Store.load(folder)
    for number in range(1, count + 1):
        store.record(described(number, f'A "title",\nof {number}}}'), judged(number, reasoning="{}},\n"))
    store.save(NOW)
    return store


@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_item_is_a_line_of_the_snapshot(tmp_path: Path, count: int) -> None:
    """The first line is all but the items, each further one is an item, and the last one ends the snapshot, too."""
    store = saved(tmp_path, count)
    first, *lines = store.path.read_bytes().split(b"\n")

    assert first.endswith(DECISIONS if count else DECISIONS + b"}}")
    assert [line.startswith(b'"movie:%d":{' % (number + 1)) for number, line in enumerate(lines)] == [True] * count
    assert all(line.endswith(b"},") for line in lines[:-1])
    assert (lines or [first])[-1].endswith(b"}}")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_state_read_by_line_is_the_state_as_it_is_loaded(tmp_path: Path, count: int) -> None:
    """Head, items and the journal's entries together are what the store knows; each is found again at its place."""
    saved(tmp_path, count).record(judged(1, slug="heist"), described(2))
    opened = open_state(tmp_path)
    items = list(opened.items())
    entries = list(opened.entries())
    whole = Store.load(tmp_path, read_only=True)

    assert {key for _, key, _ in items} | {
        entry.key for _, entry in entries if isinstance(entry, schema.Judged)
    } <= set(whole.memory)
    assert [opened.remembered(offset) for offset, _, _ in items] == [item for _, _, item in items]
    assert [opened.entry(offset) for offset, _ in entries] == [entry for _, entry in entries]
    assert [type(entry) for _, entry in entries] == [schema.Judged, schema.Described]
    assert all(item.collections == whole.memory[key].collections for _, key, item in items if key != movie_key(1))
    assert opened.head.last_update == (NOW if count or opened.head.last_update else None)


def test_places_hold_while_new_files_take_the_names(tmp_path: Path) -> None:
    """A snapshot that is saved meanwhile does not move what was found in the old one."""
    store = saved(tmp_path, 2)
    opened = open_state(tmp_path)
    (offset, key, item), *_ = opened.items()
    store.record(*(described(number) for number in range(50, 90)))
    store.save(NOW)

    assert (key, opened.remembered(offset)) == (movie_key(1), item)
    assert isinstance(opened.remembered(offset), Remembered)


def test_an_empty_folder_and_a_fresh_state_hold_nothing(tmp_path: Path) -> None:
    """Neither is damaged."""
    assert list(open_state(tmp_path).items()) == []
    reset(tmp_path, NOW)
    assert not list(open_state(tmp_path).items())
    assert not list(open_state(tmp_path).entries())


def test_what_is_not_written_line_by_line_is_refused(tmp_path: Path) -> None:
    """A torn snapshot, one that somebody has formatted, one of another format, and one that has gone."""
    store = saved(tmp_path, 3)
    whole = store.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    formatted = msgspec.json.format(whole, indent=2)
    other = whole.replace(b'"state_format_version":2', b'"state_format_version":1')
    for content in (b"".join(lines[:-1]), whole[:-1], whole[:-40], lines[0][:-5], formatted, other, b"", b"\xff\n{}"):
        files.replace(store.path, content)
        with pytest.raises(RepairState, match="Start a run"):
            list(open_state(tmp_path).items())
    store.path.unlink()
    files.replace(files.backups(store.path)[0], whole)
    with pytest.raises(RepairState, match="missing"):
        open_state(tmp_path)
