"""What a command is given: options, environment and who called; and whether its output can be written."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kometa_ai.jobs.session import Session
    from kometa_ai.settings.schema import Settings


class Caller(NamedTuple):
    """Who called: the environment, whether a person watches, and what builds the parts of jobs (`app` by default)."""

    environ: Mapping[str, str]
    is_watched: bool
    session_of: Callable[[Settings], Session] | None = None


class Call(NamedTuple):
    """What a command is given: the options, and what the program was called with; see Caller."""

    given: Mapping[str, Any]
    environ: Mapping[str, str]
    is_watched: bool
    session_of: Callable[[Settings], Session] | None


class _Output(io.FileIO):
    """Standard output that remembers whether it could not be written: no other file's error says which file it was."""

    is_lost = False

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        try:
            return super().write(data)
        except OSError:
            self.is_lost = True
            raise


def is_output_lost() -> bool:
    """Whether standard output could not be written, as on a full disk, or when its reader has gone."""
    return bool(getattr(getattr(sys.stdout.buffer, "raw", None), "is_lost", False))


def watch_output() -> None:
    """Put the same stream, with an eye on it, in the place of standard output."""
    before = sys.stdout
    if isinstance(before, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(before.fileno(), "w", closefd=False)),
            encoding=before.encoding,
            errors=before.errors,
            line_buffering=before.line_buffering,
            write_through=before.write_through,
        )
