"""Run a piece of Python in a process of its own, where it may be killed or run out of disk."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = """
import os, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from kometa_ai.state import files
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store
from tests.state.making import NOW, judged
folder = Path(sys.argv[1])
"""

KILLED_AT = """
count = 0

def watch(event, arguments):
    # Python tells of each open, rename, link, remove and truncate before it happens.
    global count
    if event in {{"open", "os.rename", "os.link", "os.remove", "os.truncate"}} and str(folder) in str(arguments):
        count += 1
        if count == {at}:
            os._exit(9)

sys.addaudithook(watch)
"""
"""The beginning of a process that dies before its step `at` on files."""


def start(code: str, folder: Path) -> subprocess.Popen[str]:
    """Start it; `folder` is the state folder, and NOW, Store, StateLock, judged and files are there."""
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", _HEAD + textwrap.dedent(code), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end: exit code, stdout, stderr."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def run(code: str, folder: Path) -> tuple[int, str, str]:
    """Start it and wait for its end."""
    return finish(start(code, folder))
