"""Links, FIFOs and folders in the place of our files: links are not followed, and a FIFO does not block the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kometa_ai.cli.main import run
from kometa_ai.errors import RepairState
from kometa_ai.web.keys import kept_key
from tests.daemon.living import PATIENCE, daemon_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.run.world import World

PLACES = (
    "kometa_state.json",
    ".kometa_state.json.new",
    "kometa_state.json.bak1",
    "kometa_state.json.bak2",
    "kometa_state.journal",
    "kometa_state.journal.bak1",
    "heartbeat",
    ".heartbeat.new",
    "schedule.json",
    "notifications.json",
    "notifications.lock",
)

_READ = ("kometa_state.json", "kometa_state.journal", "kometa_state.journal.bak1")
"""Where a link may lead to what its owner has moved elsewhere: to begin without it would cost money."""


def fifo(path: Path, _precious: Path) -> None:
    """A FIFO that no process has opened at the other end."""
    os.mkfifo(path)


def link(path: Path, precious: Path) -> None:
    """A link to another file."""
    path.symlink_to(precious)


def hard_link(path: Path, precious: Path) -> None:
    """A hard link to another file."""
    path.hardlink_to(precious)


def folder(path: Path, _precious: Path) -> None:
    """A folder with something in it."""
    path.mkdir()
    (path / "kept").write_text("kept")


def huge(path: Path, _precious: Path) -> None:
    """A file of 200 GB without any content."""
    path.touch()
    os.truncate(path, 200 << 30)


KINDS = (fifo, link, hard_link, folder, huge)


def kometa_ai(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program, which has to end."""
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-m", "kometa_ai", *arguments],
        env={**os.environ, **world.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A file outside the program's folders that must not change."""
    path = tmp_path / "precious"
    path.write_text('{"precious": true}\n')
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("put", KINDS)
def test_none_of_them_keeps_a_run_from_its_work(
    world: World, precious: Path, put: Callable[[Path, Path], None]
) -> None:
    """Whatever lies in all places of the state folder, a run tags, saves and can be looked at; nothing else changes."""
    for name in PLACES:
        if put is not link or name not in _READ:
            put(world.state_dir / name, precious)

    ended = kometa_ai(world, "--run-now", "--output", "json")
    report = json.loads(ended.stdout)
    again = kometa_ai(world, "--run-now", "--output", "json")

    assert ended.returncode in {0, 1}, ended.stderr
    assert world.numbers("kai-noir") == {0, 1, 2}
    # A folder in the place of a file that is to be written is told, since it is not ours to move.
    assert (again.returncode, json.loads(again.stdout)["totals"]["asked"]) == (int(put is folder), 0), again.stdout
    assert json.loads(kometa_ai(world, "--dump-state").stdout)["runs"][0]["run_id"] == report["run_id"]
    assert precious.read_text() == '{"precious": true}\n'
    assert precious.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("put", [fifo, link, folder])
def test_the_daemon_and_its_api(world: World, precious: Path, put: Callable[[Path, Path], None]) -> None:
    """The daemon starts, is healthy and answers, also about a kept report that is none; no answer is 500."""
    (world.state_dir / "runs").mkdir()
    put(world.state_dir / "runs" / "20260101-000000-abcd.json", precious)
    for name in PLACES:
        if put is not link or name not in _READ:
            put(world.state_dir / name, precious)
    with daemon_process(world) as living:
        living.wait_for("daemon.ready")
        answers = {
            path: living.call("GET", path)
            for path in ("/health", "/api/v1/status", "/metrics", "/api/v1/runs", "/api/v1/runs/20260101-000000-abcd")
        }
        undone = kometa_ai(world, "--undo", "20260101-000000-abcd")
        living.call("POST", "/api/v1/runs")
        living.wait_for("run.ended")
        code, _ = living.end(15)

    *good, bad = [answer.status_code for answer in answers.values()]
    assert good == [503 if put is folder else 200, 200, 200, 200]  # a folder where the heartbeat is written
    assert bad == 503
    assert undone.returncode == 5
    assert "20260101-000000-abcd" in undone.stderr
    assert code == 0
    assert precious.read_text() == '{"precious": true}\n'


@pytest.mark.parametrize("put", [fifo, link, folder])
@pytest.mark.parametrize("name", ["lock", "runs"])
def test_what_cannot_be_replaced_is_told(
    world: World, precious: Path, name: str, put: Callable[[Path, Path], None]
) -> None:
    """A lock that is none ends the program with 5, reports that cannot be kept with 1; the message says which."""
    if (name, put) == ("runs", folder):
        pytest.skip("that is what it should be")
    put(world.state_dir / name, precious)

    ended = kometa_ai(world, "--run-now")

    assert ended.returncode == (5 if name == "lock" else 1)
    assert str(world.state_dir / name) in ended.stderr + ended.stdout.replace("\n", " ")
    assert precious.read_text() == '{"precious": true}\n'


@pytest.mark.parametrize("name", _READ)
def test_a_state_that_is_elsewhere(world: World, precious: Path, name: str) -> None:
    """A link in place of the state is no reason to begin with an empty one: exit 5, and the message names it."""
    link(world.state_dir / name, precious)

    ended = kometa_ai(world, "--run-now")

    assert ended.returncode == 5
    assert f"{name}' cannot be read" in ended.stderr or f"{name}'" in ended.stderr
    assert precious.read_text() == '{"precious": true}\n'


def test_a_second_name_of_the_lock(world: World, precious: Path) -> None:
    """A lock that is a hard link to another file still locks, and is not written to."""
    hard_link(world.state_dir / "lock", precious)

    assert kometa_ai(world, "--run-now").returncode == 0
    assert precious.read_text() == '{"precious": true}\n'


@pytest.mark.parametrize("put", [fifo, link, hard_link, folder])
def test_a_key_that_is_no_file_of_ours(tmp_path: Path, precious: Path, put: Callable[[Path, Path], None]) -> None:
    """No other file becomes the key, or loses its rights; the message names the setting for a key elsewhere."""
    (tmp_path / "state").mkdir()
    put(tmp_path / "state" / "api_key", precious)

    with pytest.raises(RepairState, match="HTTP_API_KEY_FILE"):
        kept_key(tmp_path / "state")

    assert precious.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("put", [fifo, link, hard_link, folder])
def test_a_log_that_is_none(world: World, precious: Path, put: Callable[[Path, Path], None]) -> None:
    """The run goes on, nothing is written to what is not ours, and stderr says why there is no log."""
    (world.folder / "logs").mkdir()
    put(world.folder / "logs" / "kometa-ai.log", precious)

    ended = kometa_ai(world, "--run-now")

    assert ended.returncode == 0
    assert "The log file cannot be written" in ended.stderr
    assert precious.read_text() == '{"precious": true}\n'


DAMAGE = {
    "no UTF-8": b'{"interval": "1d\xff", "outcome": "\xff", "version": "\xff"}',
    "too deep": b'{"x": ' * 100_000,
    "a long number": b'{"format": ' + b"9" * 100_000 + b"}",
    "half a pair": b'{"version": "\\ud800"}',
    "zeros": bytes(5000),
    "nothing": b"",
    "a list": b"[1]",
}


@pytest.mark.no_cover
@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_damaged_files_are_no_error_of_ours(world: World, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in the files of the state folder, the daemon answers and the next run writes them anew.

    The health check alone says that no daemon has written such a heartbeat, until it is written anew.
    The commands are run beside the daemon in this process: each process more would import the program anew.
    """
    (world.state_dir / "runs").mkdir()
    names = ("kometa_state.json", "heartbeat", "schedule.json", "notifications.json", "runs/20260101-000000-abcd.json")
    with daemon_process(world) as living:
        living.wait_for("daemon.ready")
        for name in names:
            (world.state_dir / name).write_bytes(content)
        paths = ("/health", "/api/v1/status", "/metrics", "/api/v1/runs", "/api/v1/runs/20260101-000000-abcd")
        codes = [living.call("GET", path).status_code for path in paths]
        ended = [
            run(arguments, {**os.environ, **world.environ})
            for arguments in (("--undo", "20260101-000000-abcd"), ("--dump-state",), ("--health-check",), ("--pins",))
        ]
        living.call("POST", "/api/v1/runs")
        living.wait_for("run.ended")
        after = [living.call("GET", path).status_code for path in paths[:-1]]

    assert codes[:4] == [200] * 4
    assert codes[4] == 503
    assert ended == [5, 0, 1, 0], capsys.readouterr().err
    assert after == [200] * 4
    assert not [line for line in living.lines if "exception" in line]
