"""Hold what a command is given (`Call`): options, environment, caller, and whether output can still be written."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kometa_ai.jobs.session import Session
    from kometa_ai.settings.schema import Settings


class Caller(NamedTuple):
    """The environment of a call, whether a user watches, and the function that opens sessions (`app`'s by default)."""

    environ: Mapping[str, str]
    is_watched: bool
    session_of: Callable[[Settings], Session] | None = None


class Call(NamedTuple):
    """What a command receives: the options, and the fields of Caller."""

    given: Mapping[str, Any]
    environ: Mapping[str, str]
    is_watched: bool
    session_of: Callable[[Settings], Session] | None


def is_given(value: object) -> bool:
    """Whether an option was given; an amount of 0 is."""
    return value is not None and value is not False and value != ()


class _Output(io.FileIO):
    """Standard output that records a failed write: the OSError alone does not say which file it is about."""

    is_lost = False

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        try:
            return super().write(data)
        except OSError:
            self.is_lost = True
            raise


def is_output_lost() -> bool:
    """Whether a write to standard output has failed, as on a full disk, or after its reader has gone."""
    return bool(getattr(getattr(sys.stdout.buffer, "raw", None), "is_lost", False))


def watch_output() -> None:
    """Replace standard output by the same stream that records failed writes."""
    before = sys.stdout
    if isinstance(before, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(before.fileno(), "w", closefd=False)),
            encoding=before.encoding,
            errors=before.errors,
            line_buffering=before.line_buffering,
            write_through=before.write_through,
        )
