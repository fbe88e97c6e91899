"""Make the report of a run that could not make one itself, from the error that ended it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.__version__ import __version__
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Outcome, RunReport
from kometa_ai.errors import (
    CheckLibrary,
    CheckModel,
    FixConfiguration,
    FixUsage,
    KometaAIError,
    RepairState,
    WaitForOtherRun,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

_SIGNALS = {"SIGTERM": 143, "SIGINT": 130}
_STOPPED = 130


def interrupted_code(why: str) -> int:
    """The exit code of a run that `why` has ended: a signal, or a user's request."""
    return _SIGNALS.get(why, _STOPPED)


def about_stop(why: str) -> tuple[Problem, ...]:
    """A warning that names who has stopped a run; none for a signal, whose sender is not known."""
    if not why or why in _SIGNALS:
        return ()
    return (
        Problem(
            source="",
            what=f"The run was stopped by {why}.",
            remedy="Nothing to do: what it had done is kept, and the next run goes on from there.",
            severity="warning",
        ),
    )


def report_of_failure(
    run_id: str,
    error: KometaAIError,
    *,
    started: datetime,
    finished: datetime,
    dry_run: bool,
    signal: str = "",
    undoes: str = "",
    next_run: datetime | None = None,
    redact: Callable[[str], str] = str,
) -> RunReport:
    """The report of a run that this error or a signal has ended; `undoes` names the run that an undo takes back."""
    return RunReport(
        run_id=run_id,
        version=__version__,
        started=started,
        finished=finished,
        dry_run=dry_run,
        outcome="interrupted" if signal else outcome_of(error),
        exit_code=interrupted_code(signal) if signal else error.exit_code,
        kind="undo" if undoes else "run",
        undoes=undoes,
        problems=(
            Problem(source=_source(error), what=redact(error.message), remedy=redact(error.remedy), at=finished),
        ),
        warnings=about_stop(signal),
        next_run=next_run,
    )


def outcome_of(error: KometaAIError) -> Outcome:
    """The outcome of a run that this error has ended."""
    match error:
        case RepairState():
            return "state unusable"
        case CheckLibrary():
            return "library unusable"
        case CheckModel():
            return "model unusable"
        case FixConfiguration() | FixUsage() | WaitForOtherRun():
            return "wrong configuration"
    return "problems"


def problems_of_error(error: KometaAIError | None, unusable: Iterable[str]) -> list[Problem]:
    """What an error that has ended a run is to the operator; `unusable` are the titles of libraries that failed."""
    match error:
        case None:
            return []
        case FixConfiguration():
            return list(error.problems)
    return [Problem(source=_source(error, unusable), what=error.message, remedy=error.remedy)]


def _source(error: KometaAIError, unusable: Iterable[str] = ()) -> str:
    match error:
        case CheckLibrary():
            return " and ".join(unusable)
        case RepairState():
            return "state"
        case RunHangs():
            return "RUN_TIMEOUT"
    return ""


class RunHangs(KometaAIError):
    """The thread of a run is blocked by something that does not answer."""

    def __init__(self, step: str, seconds: float) -> None:
        super().__init__(
            f"The run hangs in the step {step!r}: for {seconds:.0f} seconds there was no sign of life from it.",
            "Look whether the disks and network shares of CONFIG_DIR and STATE_DIR answer, then start a run again. "
            "What was learned is kept.",
        )
