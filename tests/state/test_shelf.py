"""Documents beside the state: as many as there may be, for as long as they last, and read by their own names only."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from kometa_ai.errors import RepairState
from kometa_ai.state.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


class Note(msgspec.Struct, frozen=True):
    """What is kept here."""

    text: str


def _id(number: int) -> str:
    return f"202603{number:02}-120000-00ff"


def test_the_newest_are_kept(tmp_path: Path) -> None:
    """No more than there may be; others' files stay where they are."""
    shelf = Shelf("notes", Note, 2)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.json").write_text("{}")

    for number in (1, 3, 2):
        shelf.keep(tmp_path, _id(number), Note(f"note {number}"), NOW)

    assert shelf.ids(tmp_path, NOW) == [_id(3), _id(2)]
    assert shelf.recall(tmp_path, _id(2)) == Note("note 2")
    assert shelf.recall(tmp_path, _id(1)) is None
    assert (tmp_path / "notes" / "mine.json").exists()
    assert (tmp_path / "notes" / f"{_id(3)}.json").stat().st_mode & 0o777 == 0o600


def test_of_one_second_the_last_written_is_the_newest(tmp_path: Path) -> None:
    """Random digits of ids say nothing of time."""
    shelf = Shelf("notes", Note, 2)
    made = [f"20260301-120000-{digits}" for digits in ("ff00", "0a0a", "77aa")]

    for number, name in enumerate(made):
        shelf.keep(tmp_path, name, Note(name), NOW)
        os.utime(tmp_path / "notes" / f"{name}.json", ns=(0, 1_000_000 * number))
        kept = shelf.ids(tmp_path, NOW)

    assert kept == [made[2], made[1]]


def test_those_of_a_clock_that_was_ahead_go_first(tmp_path: Path) -> None:
    """Else every new one would go as soon as it is kept, until the clock is as late again."""
    shelf = Shelf("notes", Note, 2)
    ahead = ["20310301-120000-00ff", "20310302-120000-00ff"]
    for document_id in ahead:
        shelf.keep(tmp_path, document_id, Note("too early"), datetime(2031, 3, 2, 13, tzinfo=UTC))

    shelf.keep(tmp_path, _id(1), Note("first"), NOW)
    assert shelf.ids(tmp_path, NOW) == [ahead[1], _id(1)]
    shelf.keep(tmp_path, _id(2), Note("second"), NOW)
    assert shelf.ids(tmp_path, NOW) == [_id(2), _id(1)]


def test_what_has_had_its_time_goes(tmp_path: Path) -> None:
    """It is not listed any more, and the next document takes its file away."""
    shelf = Shelf("notes", Note, 10, timedelta(days=30))
    shelf.keep(tmp_path, _id(1), Note("old"), datetime(2026, 3, 1, 12, tzinfo=UTC))

    assert shelf.ids(tmp_path, NOW) == [_id(1)]
    assert shelf.ids(tmp_path, NOW + timedelta(days=1)) == []
    shelf.keep(tmp_path, _id(31), Note("new"), NOW + timedelta(days=1))
    assert [path.stem for path in (tmp_path / "notes").iterdir()] == [_id(31)]


@pytest.mark.parametrize("name", ["../choices", "x", "", "20260331-120000-00FF", "20260331-120000-00ff/..", "a" * 5000])
def test_other_names_name_nothing(tmp_path: Path, name: str) -> None:
    """A name that is no id of ours is not looked for on the disk."""
    (tmp_path / "choices.json").write_text('{"text": "secret"}')

    assert Shelf("notes", Note, 10).recall(tmp_path, name) is None


def test_a_damaged_document_says_so(tmp_path: Path) -> None:
    """The file is named, and what to do about it."""
    shelf = Shelf("notes", Note, 10)
    shelf.keep(tmp_path, _id(1), Note("whole"), NOW)
    (tmp_path / "notes" / f"{_id(1)}.json").write_text('{"text": ')

    with pytest.raises(RepairState, match="is damaged") as told:
        shelf.recall(tmp_path, _id(1))
    assert "Remove it" in told.value.remedy


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    """Neither a link nor a file is taken for the shelf."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "notes").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "others").write_text("")

    for name in ("notes", "others"):
        with pytest.raises(RepairState, match="Nothing can be kept"):
            Shelf(name, Note, 10).keep(tmp_path, _id(1), Note("note"), NOW)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_document_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder in its place is told as it is."""
    (tmp_path / "notes" / f"{_id(1)}.json").mkdir(parents=True)

    with pytest.raises(RepairState, match="cannot be read"):
        Shelf("notes", Note, 10).recall(tmp_path, _id(1))


def test_a_document_that_cannot_be_written(tmp_path: Path) -> None:
    """What the disk refuses is told as it is."""
    with pytest.raises(RepairState, match="could not be kept"):
        Shelf("notes", Note, 10).keep(tmp_path, "1" * 300, Note("note"), NOW)
