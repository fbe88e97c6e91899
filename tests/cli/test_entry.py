"""Signals outside of runs, sent to the program as a process: it ends at once, with the code of an interrupted one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 60.0
SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]


@pytest.fixture
def silence() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        yield server


def started(folder: Path, silence: socket.socket, *arguments: str) -> subprocess.Popen[str]:
    """The program, where nothing answers that it asks."""
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-m", "kometa_ai", *arguments],
        env={
            **os.environ,
            "RADARR_URL": f"http://127.0.0.1:{silence.getsockname()[1]}",
            "RADARR_API_KEY": "0" * 32,
            "CLAUDE_API_KEY": "sk-ant-nothing",
            **{name: str(folder) for name in ("CONFIG_DIR", "STATE_DIR", "LOG_DIR")},
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, float]:
    """The exit code after a signal, what stands on stderr, and how many seconds it took."""
    begun = time.monotonic()
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE)[1]
    return process.returncode, said, time.monotonic() - begun


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("command", ["--check-config", "--estimate"])
def test_commands_that_wait(
    tmp_path: Path, silence: socket.socket, command: str, number: signal.Signals, code: int
) -> None:
    """A command that waits for a service that says nothing ends with the code of the signal."""
    with started(tmp_path, silence, command) as process, silence.accept()[0]:
        result, said, seconds = ended(process, number)

    assert (result, "Traceback" in said) == (code, False)
    assert seconds < 5


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_while_the_program_is_loaded(
    tmp_path: Path, silence: socket.socket, number: signal.Signals, code: int
) -> None:
    """From its first moment on, the program ends with the code of the signal and shows no stack trace."""
    with started(tmp_path, silence, "--run-now") as process:
        wait_until_handled(process.pid, signal.SIGTERM)
        result, said, _ = ended(process, number)

    assert (result, said) == (code, "")


def wait_until_handled(process: int, number: signal.Signals) -> None:
    """Wait until a process has a handler for a signal, as the system tells it."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        pytest.skip("needs Linux's /proc")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.001)
    pytest.fail("the signal is not handled")
