"""Run a piece of Python in a process of its own, where it may be killed or run out of disk."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_IMPORTS = """
import os, resource, sys, traceback
from datetime import UTC, datetime
from pathlib import Path
from kometa_ai.state import files
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store
from tests.state.making import NOW, judged
"""
_HEAD = f"{_IMPORTS}folder = Path(sys.argv[1])\n"
_FORKING = """
for line in sys.stdin:
    number, _, name = line.rstrip().partition(" ")
    at, folder = int(number), Path(name)
    child = os.fork()
    if not child:
        try:
            exec(CODE)
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

KILLED_AT = """
count = 0

def watch(event, arguments):
    # Python tells of each open, rename, link, remove and truncate before it happens.
    global count
    if event in {"open", "os.rename", "os.link", "os.remove", "os.truncate"} and str(folder) in str(arguments):
        count += 1
        if count == at:
            os._exit(9)

sys.addaudithook(watch)
"""
"""The beginning of a process that dies before its step `at` on files, for `forking`."""


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


@contextmanager
def forking(code: str) -> Iterator[Callable[[int, Path], tuple[int, str]]]:
    """Run it again and again, each time in a process of its own, with another `at` and `folder`: exit code and output.

    They are forks of one that has imported everything, for that takes longer than all else.
    """
    with subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", f"{_IMPORTS}CODE = compile({textwrap.dedent(code)!r}, 'forked', 'exec')\n{_FORKING}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        sending, told = process.stdin, process.stdout
        assert sending is not None
        assert told is not None

        def run_at(at: int, folder: Path) -> tuple[int, str]:
            sending.write(f"{at} {folder}\n")
            sending.flush()
            lines: list[str] = []
            for line in iter(told.readline, ""):
                if line.startswith("ended "):
                    return int(line.split()[1]), "".join(lines)
                lines.append(line)
            raise AssertionError("".join(lines))

        yield run_at
        sending.close()
