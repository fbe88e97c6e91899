"""Run one command and measure its resources: `python -m benchmarks.meter STDOUT STDERR COMMAND...`.

This is a separate process that imports next to nothing: the kernel counts what a new process shares with its parent at
its start as part of the new one's peak memory.
"""

from __future__ import annotations

import json
import os
import sys
import time

_KILOBYTE = 1024 if sys.platform != "darwin" else 1  # ru_maxrss is in kilobytes, on macOS in bytes


def main() -> None:
    """Run the command to its end; the figures go to stdout as JSON, the command's own output into two files."""
    out, err, *command = sys.argv[1:]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    started = time.perf_counter()
    pid = os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, out, flags, 0o600), (os.POSIX_SPAWN_OPEN, 2, err, flags, 0o600)],
    )
    _, status, used = os.wait4(pid, 0)
    figures = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "wall_seconds": time.perf_counter() - started,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss * _KILOBYTE / 1e6,
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
