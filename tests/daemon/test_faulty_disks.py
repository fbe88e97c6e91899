"""File systems that fail: calls answer as some shares and disks do, through a small library in front of libc."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins.mailbox import Mailbox
from tests.daemon.living import PATIENCE, daemon_process, until_idle
from tests.daemon.preloaded import COMPILER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.run.world import World

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


def environ(world: World, library: Path, faults: str) -> dict[str, str]:
    """An environment in which these calls fail."""
    (world.folder / "faults").write_text(faults)
    return {"LD_PRELOAD": str(library), "FAULTS": str(world.folder / "faults")}


def run_now(world: World, changed: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """One run."""
    return subprocess.run(
        [sys.executable, "-m", "kometa_ai", "--run-now", "--output", "json"],
        env={**os.environ, **world.environ, **changed},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_fsync(world: World, library: Path, number: int) -> None:
    """The run does its work and saves; it warns once that a power cut may cost what was written last."""
    ended = run_now(world, environ(world, library, f"fsync {number}\n"))
    report = json.loads(ended.stdout)
    about = [warning for warning in report["warnings"] if "fsync" in warning["what"]]

    assert (ended.returncode, report["problems"]) == (0, [])
    assert len(about) == 1
    assert world.numbers("kai-noir") == {0, 1, 2}


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.EIO, "errors"),
        (errno.ENOSPC, "full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.ESTALE, "mount it again"),
    ],
)
def test_each_failure_has_its_remedy(world: World, library: Path, number: int, word: str) -> None:
    """A state that cannot be written is a problem and exit code 1; what to do fits the reason, and is told once."""
    ended = run_now(world, environ(world, library, f"fsync {number}\n"))
    report = json.loads(ended.stdout)
    told = [problem["what"] for problem in report["problems"]]

    assert (ended.returncode, report["outcome"]) == (1, "problems")
    assert report["headline"] != "No changes."
    assert all(word in problem["remedy"] for problem in report["problems"] if problem["source"] == "state")
    assert len(told) == len(set(told)) > 0
    assert not {warning["what"] for warning in report["warnings"]} & set(told)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_daemon_that_could_never_run_ends(world: World, library: Path, number: int) -> None:
    """Where the state folder cannot be locked the daemon ends with 5, as a run from the command line does."""
    changed = environ(world, library, f"flock {number}\n")
    daemon = subprocess.run(
        [sys.executable, "-m", "kometa_ai"],
        env={**os.environ, **world.environ, **changed},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (daemon.returncode, run_now(world, changed).returncode) == (5, 5)
    assert "cannot be locked" in daemon.stderr


def test_a_lock_that_is_lost_later(world: World, library: Path) -> None:
    """A run that could not begin is a run with a problem: listed, mailed, counted, and in /health until one begins."""
    with Mailbox() as mailbox:
        world.change(smtp_server=mailbox.host, smtp_port=mailbox.port, notification_recipients="me@example.org")
        world.change(**environ(world, library, ""))
        with daemon_process(world) as living:
            living.wait_for("daemon.ready")
            (world.folder / "faults").write_text(f"flock {errno.ENOLCK}\n")
            refused = living.call("POST", "/api/v1/runs")
            living.wait_for("run.problem")
            until_idle(living)
            health = living.call("GET", "/health")
            [listed] = living.call("GET", "/api/v1/runs").json()
            report = living.call("GET", f"/api/v1/runs/{listed['run_id']}").json()
            figures = living.call("GET", "/metrics").text
            (world.folder / "faults").write_text("")
            living.call("POST", "/api/v1/runs")
            living.wait_for("run.ended")
            well = living.call("GET", "/health")
            living.end(15)
        mails = list(mailbox.received)

    assert refused.status_code == 503
    assert (health.status_code, "locked" in health.json()["problem"]) == (503, True)
    assert (listed["outcome"], listed["exit_code"]) == ("state unusable", 5)
    assert "locked" in report["problems"][0]["what"]
    assert 'kometa_ai_runs_total{dry_run="false",outcome="state unusable"} 1.0' in figures
    assert mails
    assert well.status_code == 200


@contextmanager
def small_disk(folder: Path, limit: str) -> Iterator[Path]:
    """A folder on a disk of its own, in memory, with a limit."""
    folder.mkdir()
    mounted = subprocess.run(  # noqa: S603 - our own folder
        ["/bin/mount", "-t", "tmpfs", "-o", limit, "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", str(folder)], check=True)  # noqa: S603 - our own folder


def test_nothing_was_saved(world: World, tmp_path: Path) -> None:
    """A state folder without room for another file: exit code 1, and the report says that it needs the operator."""
    with small_disk(tmp_path / "small", "nr_inodes=3") as folder:
        ended = run_now(world, {"STATE_DIR": str(folder)})
        report = json.loads(ended.stdout)

    assert (ended.returncode, report["outcome"]) == (1, "problems")
    assert {problem["source"] for problem in report["problems"]} == {"state"}
    assert "room for more files" in report["problems"][0]["remedy"]


def test_a_disk_that_is_all_but_full_costs_nothing(world: World, tmp_path: Path) -> None:
    """Where lines still fit and answers would not, no run asks: else each night pays for answers and loses them."""
    with small_disk(tmp_path / "small", "size=64k") as folder:
        ended = [run_now(world, {"STATE_DIR": str(folder), "RADARR_CREDITS": "false"}) for _ in range(2)]

    assert world.asked() == []
    for each in ended:
        report = json.loads(each.stdout)
        assert (each.returncode, report["outcome"]) == (1, "problems")
        assert "No space left on device" in report["problems"][0]["what"]
        assert "free some space" in report["problems"][0]["remedy"]
