from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.state import files
from tests.state.processes import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FULL = """
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    {what}
except OSError as error:
    print(error.strerror)
"""


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_replace_is_private_and_leaves_nothing_else(tmp_path: Path) -> None:
    """The new file is readable by its owner alone, and nothing but it is left."""
    path = tmp_path / "state"
    path.write_bytes(b"old")
    path.chmod(0o644)
    files.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert _names(tmp_path) == ["state"]


def test_replace_over_what_a_kill_has_left(tmp_path: Path) -> None:
    """A half-written file of a killed process, with rights of its own, is no obstacle and leaves no trace."""
    (tmp_path / ".state.new").write_bytes(b"half")
    (tmp_path / ".state.new").chmod(0o666)
    files.replace(tmp_path / "state", b"new")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
    assert _names(tmp_path) == ["state"]


def test_reading_takes_the_memory_of_what_is_there(tmp_path: Path) -> None:
    """And not of the largest file that would be read: systems without overcommitment refuse a gigabyte."""
    (tmp_path / "small").write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        content = files.read(tmp_path / "small", files.LARGE)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert content == b"x" * 1000
    assert most < 1 << 20


def test_replace_in_pieces(tmp_path: Path) -> None:
    """What comes in pieces is one file; where the pieces end in an error, the old file is untouched and alone."""

    def torn() -> Iterator[bytes]:
        yield b"ha"
        raise OSError("no more")

    path = tmp_path / "state"
    files.replace(path, iter([b"o", b"", b"ld"]))
    with pytest.raises(OSError, match="no more"):
        files.replace(path, torn())
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["state"]


def test_replace_on_a_full_disk(tmp_path: Path) -> None:
    """A disk that fills up while a file is written changes nothing: no half-written file, every backup in place."""
    path = tmp_path / "state"
    for number in range(7):
        files.replace(path, b"%d" % number, keep=True)
    before = {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)}
    for _ in range(3):
        code, out, _ = run(_FULL.format(what="files.replace(folder / 'state', b'x' * 5000, keep=True)"), tmp_path)
        assert (code, out) == (0, "File too large\n")
    assert {name: (tmp_path / name).read_bytes() for name in _names(tmp_path)} == before


def test_append_on_a_full_disk(tmp_path: Path) -> None:
    """An append that fails half-way leaves no part of itself, so that the next one begins on a line of its own."""
    path = tmp_path / "journal"
    files.append(path, b"x" * 900 + b"\n")
    code, out, _ = run(_FULL.format(what="files.append(folder / 'journal', b'y' * 500 + b'\\n')"), tmp_path)
    assert (code, out) == (0, "File too large\n")
    files.append(path, b"z\n")
    assert path.read_bytes() == b"x" * 900 + b"\nz\n"


def test_append_after_a_torn_line(tmp_path: Path) -> None:
    """What a power cut has left of a line stays alone on it."""
    (tmp_path / "journal").write_bytes(b"one\ntw")
    assert files.append(tmp_path / "journal", b"three\n") == len(b"one\ntw\nthree\n")
    assert (tmp_path / "journal").read_bytes() == b"one\ntw\nthree\n"


def test_append_makes_a_private_file(tmp_path: Path) -> None:
    """A new journal is readable by its owner alone."""
    files.append(tmp_path / "journal", b"one\n")
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


@given(st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"") + b"\n"), max_size=10))
def test_append_adds_up(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """A file is what was appended to it, in this order, and its size is told."""
    path = tmp_path_factory.mktemp("append") / "journal"
    size = 0
    for line in lines:
        size = files.append(path, line)
    assert size == len(b"".join(lines))
    assert (path.read_bytes() if lines else b"") == b"".join(lines)


def test_backups_are_the_last_five(tmp_path: Path) -> None:
    """The five states before the present one are kept, newest first."""
    path = tmp_path / "state"
    for number in range(9):
        files.replace(path, b"%d" % number, keep=True)
    assert path.read_bytes() == b"8"
    assert [place.read_bytes() for place in files.backups(path)] == [b"7", b"6", b"5", b"4", b"3"]
    assert _names(tmp_path) == ["state", *(f"state.bak{n}" for n in range(1, 6))]


def test_backup_is_not_changed_with_the_file(tmp_path: Path) -> None:
    """A backup may share its inode with the file, since the file is never written into, only replaced."""
    path = tmp_path / "state"
    files.replace(path, b"old", keep=True)
    files.replace(path, b"new", keep=True)
    backup = files.backups(path)[0]
    assert not backup.samefile(path)
    files.replace(path, b"newer")
    assert backup.read_bytes() == b"old"


def test_kill_between_rotating_and_replacing(tmp_path: Path) -> None:
    """A state that a kill left twice, as itself and as its backup, is not kept twice by the next attempts."""
    path = tmp_path / "state"
    for number in range(3):
        files.replace(path, b"%d" % number, keep=True)
    places = files.backups(path)
    places[1].replace(places[2])
    places[0].replace(places[1])
    os.link(path, places[0])
    files.replace(path, b"3", keep=True)
    assert [place.read_bytes() for place in places[:3]] == [b"2", b"1", b"0"]


def test_nothing_to_keep_drops_no_backup(tmp_path: Path) -> None:
    """Where the file is missing, its backups stay what they are."""
    path = tmp_path / "state"
    for number in range(7):
        files.replace(path, b"%d" % number, keep=True)
    path.unlink()
    files.replace(path, b"new", keep=True)
    assert [place.read_bytes() for place in files.backups(path)] == [b"5", b"4", b"3", b"2", b"1"]


@pytest.mark.parametrize("write", [files.replace, files.append])
def test_folder_that_cannot_be_written(tmp_path: Path, write: Callable[[Path, bytes], object]) -> None:
    """What the system says is passed on."""
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        write(tmp_path / "file" / "state", b"new\n")


def test_set_aside_overwrites_nothing(tmp_path: Path) -> None:
    """Things set aside under the same name stand beside each other."""
    for content in ("one", "two", "three"):
        (tmp_path / "state").write_text(content)
        files.set_aside(tmp_path / "state", "damaged")
    assert [(tmp_path / name).read_text() for name in _names(tmp_path)] == ["one", "two", "three"]


def test_cut_leaves_a_second_name_alone(tmp_path: Path) -> None:
    """A file with another hard link is replaced by its rest, not cut: the other name may be a user's own file."""
    (tmp_path / "other").write_bytes(b"whole and torn")
    os.link(tmp_path / "other", tmp_path / "journal")

    files.cut(tmp_path / "journal", 5)

    assert (tmp_path / "journal").read_bytes() == b"whole"
    assert (tmp_path / "other").read_bytes() == b"whole and torn"
