"""Keep finished runs as JSON files beside the state: `runs/<run id>.json`."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.report import RunReport
from kometa_ai.core.summary import as_data
from kometa_ai.errors import FixUsage, RepairState
from kometa_ai.state import files
from kometa_ai.state.schema import DAMAGE

if TYPE_CHECKING:
    from pathlib import Path


RUNS = "runs"
KEPT = 100
_LARGEST = 256 << 20


def keep(folder: Path, report: RunReport) -> None:
    """Keep a report as `runs/<run id>.json`, and no more than a hundred. Raise RepairState where that fails."""
    runs = folder / RUNS
    try:
        if runs.is_symlink():
            raise files.NotOurs(errno.ENOTDIR, "it is a link, not a folder", str(runs))
        runs.mkdir(mode=0o700, exist_ok=True)
        files.replace(runs / f"{report.run_id}.json", msgspec.json.encode(as_data(report)))
        for old in sorted(runs.glob("*.json"))[:-KEPT]:
            with suppress(IsADirectoryError):
                old.unlink(missing_ok=True)
    except OSError as error:
        raise RepairState(
            f"The run's report could not be kept in {str(runs)!r}: {error.strerror}.", files.remedy_for(error)
        ) from error


def recall(folder: Path, run_id: str) -> RunReport:
    """A kept report. Raise FixUsage for a run that is not kept, naming those that changed something."""
    kept = {path.stem: path for path in sorted((folder / RUNS).glob("*.json"))}
    if run_id not in kept:
        recent = ", ".join(list(kept)[-5:]) or "none"
        raise FixUsage(f"There is no run {run_id!r}.", f"The latest runs are: {recent}.")
    try:
        return msgspec.json.decode(files.read(kept[run_id], _LARGEST), type=RunReport)
    except OSError as error:
        raise RepairState(
            f"The report of the run {run_id!r} cannot be read: {error.strerror}.", files.remedy_for(error)
        ) from error
    except DAMAGE as error:
        raise RepairState(
            f"The report of the run {run_id!r} is damaged: {error}.",
            f"{str(kept[run_id])!r} cannot be used any more: restore it from a backup, or remove it.",
        ) from error
