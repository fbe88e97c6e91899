"""Keep finished runs as JSON files beside the state: `runs/<run id>.json`."""

from __future__ import annotations

import errno
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.report import RunReport
from kometa_ai.core.summary import as_data
from kometa_ai.errors import FixUsage, RepairState
from kometa_ai.state import files
from kometa_ai.state.schema import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


RUNS = "runs"
KEPT = 100
_LARGEST = 256 << 20
_SUGGESTED = 5


class _Change(msgspec.Struct):
    operation: str = ""


class _Brief(msgspec.Struct):
    """What is read of a report to suggest it."""

    run_id: str
    started: datetime
    dry_run: bool = False
    changes: tuple[_Change, ...] = ()

    def __str__(self) -> str:
        added = sum(change.operation == "add" for change in self.changes)
        when = f"{self.started.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.run_id} ({when}, +{added:,} -{len(self.changes) - added:,})"


def keep(folder: Path, report: RunReport) -> None:
    """Keep a report as `runs/<run id>.json`, and no more than a hundred. Raise RepairState where that fails."""
    runs = folder / RUNS
    try:
        if runs.is_symlink():
            raise files.NotOurs(errno.ENOTDIR, "it is a link, not a folder", str(runs))
        runs.mkdir(mode=0o700, exist_ok=True)
        files.replace(runs / f"{report.run_id}.json", msgspec.json.encode(as_data(report)))
        for old in kept(folder)[:-KEPT]:
            with suppress(IsADirectoryError):
                old.unlink(missing_ok=True)
    except OSError as error:
        raise RepairState(
            f"The run's report could not be kept in {str(runs)!r}: {error.strerror}.", files.remedy_for(error)
        ) from error


def kept(folder: Path) -> list[Path]:
    """The files of the reports that are kept, in the order in which the runs were made."""
    return files.in_order(folder / RUNS)


def recall(folder: Path, run_id: str, *, suggest: bool = False) -> RunReport:
    """A kept report. Raise FixUsage for a run that is not kept; with `suggest` it names some that can be undone."""
    known = {path.stem: path for path in kept(folder)}
    if run_id not in known:
        raise FixUsage(f"There is no run {run_id!r}.", _suggestion(reversed(known.values())) if suggest else "")
    try:
        return msgspec.json.decode(files.read(known[run_id], _LARGEST), type=RunReport)
    except OSError as error:
        raise RepairState(
            f"The report of the run {run_id!r} cannot be read: {error.strerror}.", files.remedy_for(error)
        ) from error
    except DAMAGE as error:
        raise RepairState(
            f"The report of the run {run_id!r} is damaged: {error}.",
            f"{str(known[run_id])!r} cannot be used any more: restore it from a backup, or remove it.",
        ) from error


def _suggestion(newest_first: Iterable[Path]) -> str:
    """Names the latest runs that changed something."""
    runs = ", ".join(map(str, islice(_changing(newest_first), _SUGGESTED)))
    return (
        f"The latest runs that changed something are: {runs}." if runs else "No run that is kept has changed anything."
    )


def _changing(paths: Iterable[Path]) -> Iterator[_Brief]:
    for path in paths:
        with suppress(OSError, *DAMAGE):
            brief = msgspec.json.decode(files.read(path, _LARGEST), type=_Brief)
            if brief.changes and not brief.dry_run:
                yield brief
