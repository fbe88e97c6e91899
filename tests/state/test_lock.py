from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING

import pytest

from kometa_ai.errors import RepairState, WaitForOtherRun
from kometa_ai.state.lock import StateLock
from tests.state.processes import finish, run, start

if TYPE_CHECKING:
    from pathlib import Path

_HOLDING = """
with StateLock(folder):
    print(os.getpid(), flush=True)
    sys.stdin.readline()
"""
_TRYING = """
from kometa_ai.errors import KometaAIError
try:
    with StateLock(folder):
        print("had it")
except KometaAIError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_second_process_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    """A second process ends with 6 and names the holder and since when; it gets the lock once the holder has ended."""
    holder = start(_HOLDING, tmp_path)
    assert holder.stdout is not None
    pid = holder.stdout.readline().strip()
    code, out, _ = run(_TRYING, tmp_path)
    assert code == 6
    assert re.search(rf"process {pid} on \S+, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC", out)
    assert finish(holder)[0] == 0
    assert run(_TRYING, tmp_path)[:2] == (0, "had it\n")


def test_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    """A holder that was killed holds nothing, whatever its lock file still says."""
    holder = start(_HOLDING, tmp_path)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    finish(holder)
    assert "process" in (tmp_path / "lock").read_text()
    with StateLock(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()} on ")


def test_left_over_lock_file_is_no_obstacle(tmp_path: Path) -> None:
    """Only a living process locks: a file that was left, longer than any note, is written over."""
    (tmp_path / "lock").write_text("process 1 on elsewhere, since long ago" * 20)
    with StateLock(tmp_path):
        assert "elsewhere" not in (tmp_path / "lock").read_text()
    assert (tmp_path / "lock").read_text() == ""


def test_lock_file_stays_and_is_private(tmp_path: Path) -> None:
    """The file is made with the folder, readable by its owner alone, and not removed."""
    folder = tmp_path / "new" / "state"
    with StateLock(folder):
        assert (folder / "lock").stat().st_mode & 0o777 == 0o600
    assert (folder / "lock").exists()


def test_same_process_twice(tmp_path: Path) -> None:
    """Two runs in one process exclude each other too, in one thread or in two; afterwards the lock is free."""
    errors: list[WaitForOtherRun] = []

    def try_it() -> None:
        try:
            with StateLock(tmp_path):
                pass
        except WaitForOtherRun as error:
            errors.append(error)

    with StateLock(tmp_path):
        try_it()
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert [str(os.getpid()) in error.message for error in errors] == [True, True]
    try_it()
    assert len(errors) == 2


def test_lock_holds_on_a_full_disk(tmp_path: Path) -> None:
    """A disk too full for the note of who holds it is no reason not to hold it."""
    code, out, err = run("resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n" + _TRYING, tmp_path)
    assert (code, out, err) == (0, "had it\n", "")


@pytest.mark.parametrize("make", ["folder is a file", "parent is a file", "lock is a folder"])
def test_unusable_folder(tmp_path: Path, make: str) -> None:
    """A state folder that cannot be had is named in a RepairState."""
    folder = tmp_path / "state"
    if make == "lock is a folder":
        (folder / "lock").mkdir(parents=True)
    elif make == "folder is a file":
        folder.touch()
    else:
        (tmp_path / "file").touch()
        folder = tmp_path / "file" / "state"
    with pytest.raises(RepairState, match=re.escape(str(folder))), StateLock(folder):
        pass
