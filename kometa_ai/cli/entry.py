"""Start the program: handle SIGINT and SIGTERM first, then load the command line."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the console script."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell starts background commands with SIGINT ignored; they must keep ignoring it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)

    # Pydantic would look through every installed package for plugins, and load what calls itself one.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

    from kometa_ai.cli.main import main as run_command_line  # noqa: PLC0415 - takes time, and a signal may come in it

    run_command_line()


def _end(number: int, _: object) -> None:
    """End at once, with the exit code of an interrupted program. Commands with something to save set other handlers."""
    os._exit(128 + number)
