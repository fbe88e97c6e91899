"""Start the program: handle SIGINT and SIGTERM first, then load the command line."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """The console script."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell lets what it starts in the background ignore SIGINT.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)

    from kometa_ai.cli.main import main as run_command_line  # noqa: PLC0415 - takes time, and a signal may come in it

    run_command_line()


def _end(number: int, _: object) -> None:
    """End at once, with the code of an interrupted program. What has something to save handles signals itself."""
    os._exit(128 + number)
