"""Keep finished runs as JSON files beside the state: `runs/<run id>.json`."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Literal

import msgspec

from kometa_ai.core.report import RunReport
from kometa_ai.core.summary import as_data
from kometa_ai.errors import FixUsage, RepairState
from kometa_ai.state import files
from kometa_ai.state.schema import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import tzinfo
    from pathlib import Path


RUNS = "runs"
KEPT = 100
_LARGEST = 256 << 20
_SUGGESTED = 5


class _Change(msgspec.Struct):
    operation: str = ""


class _Brief(msgspec.Struct):
    """What is read of a report to list it."""

    run_id: str
    started: datetime
    dry_run: bool = False
    kind: Literal["run", "undo"] = "run"
    undoes: str = ""
    outcome: str = ""
    changes: tuple[_Change, ...] = ()


class KeptRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is kept, in a line: how many tags it put on and took off, and which undo took it back, if one did."""

    run_id: str
    started: datetime
    kind: Literal["run", "undo"]
    dry_run: bool
    outcome: str
    added: int
    removed: int
    undoes: str = ""
    undone_by: str = ""


def keep(folder: Path, report: RunReport) -> None:
    """Keep a report as `runs/<run id>.json`, and no more than a hundred. Raise RepairState where that fails."""
    runs = folder / RUNS
    try:
        files.make_folder(runs)
        files.replace(runs / f"{report.run_id}.json", msgspec.json.encode(as_data(report)))
        for old in files.superfluous(kept(folder), max(report.started, report.finished), KEPT):
            with suppress(IsADirectoryError):
                old.unlink(missing_ok=True)
    except OSError as error:
        raise RepairState(
            f"The run's report could not be kept in {str(runs)!r}: {error.strerror}.", files.remedy_for(error)
        ) from error


def kept(folder: Path) -> list[Path]:
    """The files of the reports that are kept, in the order in which the runs were made."""
    return files.in_order(folder / RUNS)


def kept_runs(folder: Path) -> list[KeptRun]:
    """The runs that are kept, the latest first; reports that cannot be read are left out.

    Raise RepairState where their folder cannot be read: that is not the same as no run.
    """
    _look_into(folder / RUNS)
    briefs = list(_briefs(reversed(kept(folder))))
    undone = {brief.undoes: brief.run_id for brief in briefs if brief.undoes and not brief.dry_run and brief.changes}
    return [
        KeptRun(
            run_id=brief.run_id,
            started=brief.started,
            kind=brief.kind,
            dry_run=brief.dry_run,
            outcome=brief.outcome,
            added=_added(brief),
            removed=len(brief.changes) - _added(brief),
            undoes=brief.undoes,
            undone_by=undone.get(brief.run_id, ""),
        )
        for brief in briefs
    ]


def _added(brief: _Brief) -> int:
    return sum(change.operation == "add" for change in brief.changes)


def recall(folder: Path, run_id: str, *, suggest_in: tzinfo | None = None) -> RunReport:
    """A kept report. Raise FixUsage for a run that is not kept: it names some that can be undone, with times in a zone.

    Without a zone none is named. Raise RepairState where what is kept cannot be read.
    """
    _look_into(folder / RUNS)
    known = {path.stem: path for path in kept(folder)}
    if run_id not in known:
        latest = _suggestion(reversed(known.values()), suggest_in) if suggest_in else ""
        raise FixUsage(f"There is no run {run_id!r}.", latest)
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


def _look_into(runs: Path) -> None:
    try:
        files.look_into(runs)
    except OSError as error:
        raise RepairState(
            f"The runs in {str(runs)!r} cannot be read: {error.strerror}.", files.remedy_for(error)
        ) from error


def _suggestion(newest_first: Iterable[Path], zone: tzinfo) -> str:
    """Names the latest runs that changed something."""
    changing = (brief for brief in _briefs(newest_first) if brief.changes and not brief.dry_run)
    runs = ", ".join(_named(brief, zone) for brief in islice(changing, _SUGGESTED))
    if not runs:
        return "No run that is kept has changed anything."
    return f"The latest runs that changed something are: {runs}. --runs lists all."


def _named(brief: _Brief, zone: tzinfo) -> str:
    when = f"{brief.started.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    return f"{brief.run_id} ({when}, +{_added(brief):,} -{len(brief.changes) - _added(brief):,})"


def _briefs(paths: Iterable[Path]) -> Iterator[_Brief]:
    for path in paths:
        with suppress(OSError, *DAMAGE):
            yield msgspec.json.decode(files.read(path, _LARGEST), type=_Brief)
