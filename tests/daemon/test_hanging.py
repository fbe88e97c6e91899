"""Runs that wait for something that never answers, in processes: they are ended, reported, and block no other run."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins.mailbox import Mailbox
from tests.daemon.living import PATIENCE, daemon_process, until_idle
from tests.daemon.preloaded import COMPILER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.run.world import World

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


def silent(world: World, library: Path) -> dict[str, str]:
    """An environment in which Kometa's file does not open while there is a FIFO: a share that hangs does the same."""
    return {
        "LD_PRELOAD": str(library),
        "SILENT": str(world.kometa / "movies.yml"),
        "HANGS": str(world.folder / "hangs"),
    }


@contextmanager
def started(world: World, library: Path, *arguments: str, **changed: str) -> Iterator[subprocess.Popen[str]]:
    """The program, with Kometa's folder on a share that does not answer."""
    os.mkfifo(world.folder / "hangs")
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-m", "kometa_ai", *arguments],
        env={**os.environ, **world.environ, **silent(world, library), **changed},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@needs_compiler
def test_run_timeout_ends_a_run_that_hangs(world: World, library: Path) -> None:
    """A run whose thread waits for a file ends soon after RUN_TIMEOUT, with a report that says where it hangs."""
    begun = time.monotonic()
    with started(world, library, "--run-now", "--output", "json", RUN_TIMEOUT="2s") as process:
        out, err = process.communicate(timeout=PATIENCE)
    report = json.loads(out)

    assert time.monotonic() - begun < 15
    assert process.returncode == report["exit_code"] == 1
    assert "Loading the collections" in report["problems"][0]["what"]
    assert "Traceback" not in err


@needs_compiler
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_that_hangs(world: World, library: Path, number: signal.Signals, code: int) -> None:
    """A signal ends the program within some seconds, with the code of an interrupted run."""
    with started(world, library, "--run-now") as process:
        wait_for_log(world, "library.read")
        begun = time.monotonic()
        process.send_signal(number)
        assert process.wait(PATIENCE) == code

    assert time.monotonic() - begun < 8


def wait_for_log(world: World, event: str) -> None:
    """Wait until the program has logged an event."""
    end = time.monotonic() + PATIENCE
    file = world.folder / "logs" / "kometa-ai.log"
    while time.monotonic() < end:
        if file.exists() and f'"event": "{event}"' in file.read_text():
            return
        time.sleep(0.05)
    pytest.fail(f"{event} did not come")


def test_a_signal_ends_a_run_that_waits_for_radarr(world: World) -> None:
    """Where nothing that was paid for is on its way, a signal ends a run within five seconds."""
    with subprocess.Popen(
        [sys.executable, "-m", "kometa_ai", "--run-now"],
        env={**os.environ, **world.environ, "RADARR_URL": "http://127.0.0.1:1"},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        wait_for_log(world, "run.started")
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143

    assert time.monotonic() - begun < 5


@needs_compiler
def test_the_daemon_goes_on_without_it(world: World, library: Path) -> None:
    """RUN_TIMEOUT leaves a hanging run behind: it is a run with a problem, /health says so, and the next one works."""
    world.change(**silent(world, library))
    with daemon_process(world, RUN_TIMEOUT="2s") as living:
        living.wait_for("daemon.ready")
        os.mkfifo(world.folder / "hangs")
        run_id = living.call("POST", "/api/v1/runs").json()["run_id"]
        living.wait_for("run.problem")
        until_idle(living)
        report = living.call("GET", f"/api/v1/runs/{run_id}").json()
        health = living.call("GET", "/health")
        listed = [run["run_id"] for run in living.call("GET", "/api/v1/runs").json()]
        (world.folder / "hangs").rename(world.folder / "elsewhere")
        started_again = living.call("POST", "/api/v1/runs")
        living.wait_for("run.ended")
        code, seconds = living.end(signal.SIGTERM)

    assert report["exit_code"] == 1
    assert "hangs" in report["problems"][0]["what"]
    assert listed == [run_id]
    assert (health.status_code, run_id in health.json()["problem"]) == (503, True)
    assert started_again.status_code == 202
    assert world.numbers("kai-noir") == {0, 1, 2}
    assert (code, seconds < 5) == (0, True), (seconds, [line["event"] for line in living.lines])


@needs_compiler
def test_a_signal_ends_a_daemon_whose_run_hangs(world: World, library: Path) -> None:
    """SIGTERM ends the daemon within ten seconds, with the code of an interrupted run."""
    world.change(**silent(world, library))
    with daemon_process(world) as living:
        living.wait_for("daemon.ready")
        os.mkfifo(world.folder / "hangs")
        living.call("POST", "/api/v1/runs")
        living.wait_for("library.read")
        code, seconds = living.end(signal.SIGTERM)

    assert code == 143
    assert seconds < 9


def test_everything_at_once(world: World) -> None:
    """Idle connections, a text that takes a regular expression hours, a folder with 2**25 ways through it, all at once.

    The daemon answers, a run of the schedule takes place, and SIGTERM ends it within ten seconds.
    """
    (world.kometa / "evil.yml").write_text(
        "collections:\n  # === KOMETA-AI ===\n  # enabled: true\n  # prompt: x\n  # === END KOMETA-AI ===\n"
        f'  Evil:\n    radarr_taglist: "<<{" " * 20_000}x"\n    sync_mode: sync\n'
    )
    for number in range(26):
        (world.kometa / f"d{number}").mkdir()
    for number in range(25):
        for name in ("a", "b"):
            (world.kometa / f"d{number}" / name).symlink_to(f"../d{number + 1}")
    with daemon_process(world, SCHEDULE_INTERVAL="* * * * *") as living, ExitStack() as stack:
        port = int(living.url.rpartition(":")[2])
        for _ in range(500):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        living.wait_for("run.ended", seconds=100)
        begun = time.monotonic()
        answer = living.call("GET", "/ping")
        took = time.monotonic() - begun
        code, seconds = living.end(signal.SIGTERM)

    assert answer.json() == {"status": "OK"}
    assert took < 3
    assert code in {0, 143}  # the next run may have begun
    assert seconds < 10
    assert world.numbers("kai-noir") == {0, 1, 2}


@pytest.mark.parametrize("held", ["notifications.lock", "a mail server"])
def test_a_signal_ends_a_run_that_is_told(world: World, held: str) -> None:
    """Neither a lock that another process holds nor a mail server that says nothing keeps the program from ending."""
    (world.state_dir / "notifications.lock").touch()
    with Mailbox(hang="greeting") as mailbox, (world.state_dir / "notifications.lock").open() as lock:
        if held == "notifications.lock":
            fcntl.flock(lock, fcntl.LOCK_EX)
        mail = {
            "SMTP_SERVER": mailbox.host,
            "SMTP_PORT": str(mailbox.port),
            "NOTIFICATION_RECIPIENTS": "me@example.org",
        }
        with subprocess.Popen(
            [sys.executable, "-m", "kometa_ai", "--run-now"],
            env={**os.environ, **world.environ, **mail},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as process:
            wait_for_log(world, "tags.added")
            time.sleep(1)
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE)

    assert code in {0, 143}
    assert time.monotonic() - begun < 8


def has_ended(group: int) -> bool:
    """Whether a group of processes is gone, some moments after it was told to: the system has to reap its last one."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_command_after_changes_is_not_left_behind(world: World) -> None:
    """SIGTERM while AFTER_CHANGES_COMMAND works under --run-now ends it and what it has started, politely."""
    script = world.folder / "command.sh"
    script.write_text(
        f"trap 'echo told > {world.folder}/told; exit 0' TERM\necho $$ > {world.folder}/pid\nsleep 600 &\nwait\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "kometa_ai", "--run-now"],
        env={**os.environ, **world.environ, "AFTER_CHANGES_COMMAND": f"sh {script}"},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        end = time.monotonic() + PATIENCE
        while not (world.folder / "pid").exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.3)
        group = int((world.folder / "pid").read_text())
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE)

    assert code == 143
    assert time.monotonic() - begun < 8
    assert (world.folder / "told").exists()
    assert has_ended(group)
