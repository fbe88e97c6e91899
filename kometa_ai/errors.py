"""Define the errors that end a run, each named for what the operator must do.

KometaAIError(message, remedy)
├── ReportDefect          exit 1   a defect of ours; the log holds the stack trace
├── FixUsage              exit 2   an option is wrong
├── FixConfiguration      exit 2   settings or Kometa's files are wrong; carries every problem at once
├── CheckLibrary          exit 3   no library (Radarr, Sonarr) can be used; nothing was changed
├── CheckModel            exit 4   the model cannot be used (key, credit, name)
├── RepairState           exit 5   the state cannot be used
└── WaitForOtherRun       exit 6   another run holds the state folder

Foreign errors are translated into these once, in the client that meets them. Errors that a client handles
itself or that end a part of a run (a refused answer, a vanished movie) live beside that client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.problem import Problem


class KometaAIError(Exception):
    """What happened, to which thing, and what the operator should do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ReportDefect(KometaAIError):
    """A defect of the program: an error that it does not expect."""


class FixUsage(KometaAIError):
    """The command line asks for something that cannot be done."""

    exit_code = 2


class FixConfiguration(KometaAIError):
    """Settings or Kometa's folder are wrong; `problems` holds all of them, never only the first."""

    exit_code = 2

    def __init__(self, message: str, problems: Sequence[Problem]) -> None:
        errors = [problem for problem in problems if problem.severity == "error"]
        super().__init__(message, f"Correct {'it' if len(errors) == 1 else 'them'} and start again.")
        self.problems = tuple(problems)


class CheckLibrary(KometaAIError):
    """A Radarr or Sonarr does not answer, refuses the key, or is something else."""

    exit_code = 3


class CheckModel(KometaAIError):
    """The provider will refuse every further question: key, permission, credit, spend limit or the model's name."""

    exit_code = 4


class RepairState(KometaAIError):
    """The state cannot be read, or cannot be written, or is newer than this program."""

    exit_code = 5


class WaitForOtherRun(KometaAIError):
    """Another process holds the state folder."""

    exit_code = 6
