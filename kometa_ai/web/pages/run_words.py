"""Say of a run in words what started it, what it was about, and how it ended. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from kometa_ai.core.summary import counted, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kometa_ai.state.schema import RunSummary

Show = Literal["all", "changed", "problems", "dry"]
"""Which runs a list shows."""

_FEW = 2
_TRIGGERS = {
    "schedule": "by schedule",
    "webhook": "for what is new in a library",
    "batch": "to take the answers of a batch",
    "api": "over the API",
    "page": "by hand",
}
_FAILED = {
    "library unusable": "no library could be used",
    "radarr unusable": "Radarr could not be used",
    "model unusable": "the model could not be used",
    "state unusable": "the state could not be used",
    "wrong configuration": "the configuration is wrong",
}
_UNFINISHED = {"interrupted": "interrupted", "waiting": "waits for a batch"}


class Told(NamedTuple):
    """A run in a list: its sign, an icon's name, and how it ended in words.

    `about` is empty for a run of everything, `trigger` where it is not known what started it.
    """

    run: RunSummary
    sign: Literal["good", "warning", "error", "wait"]
    outcome: str
    about: str
    trigger: str


def trigger_in_words(trigger: str) -> str:
    """`by schedule`: what started a run."""
    return _TRIGGERS.get(trigger, trigger)


def told(run: RunSummary, triggers: Mapping[str, str]) -> Told:
    """Say it of one run."""
    trigger = triggers.get(run.run_id, "")
    return Told(run, _sign(run), outcome_of(run), about(run), trigger_in_words(trigger))


def _sign(run: RunSummary) -> Literal["good", "warning", "error", "wait"]:
    if run.outcome in _FAILED:
        return "error"
    if run.outcome in _UNFINISHED:
        return "wait"
    return "warning" if run.problems or run.held_back else "good"


def outcome_of(run: RunSummary) -> str:
    """`2 added, 1 removed; 1 problem`, or why it could not do its work."""
    if run.outcome in _FAILED:
        return _FAILED[run.outcome]
    parts = [changes_of(run)]
    if run.outcome in _UNFINISHED:
        parts.insert(0, _UNFINISHED[run.outcome])
    if run.held_back:
        parts.append(f"{run.held_back:,} held back")
    if run.problems:
        parts.append(counted(run.problems, "problem"))
    return "; ".join(parts)


def changes_of(run: RunSummary) -> str:
    """`2 added, 1 removed`; in a dry run what would be; `no changes`."""
    would = "would be " if run.dry_run else ""
    found = [f"{count:,} {would}{word}" for count, word in ((run.added, "added"), (run.removed, "removed")) if count]
    return ", ".join(found) or "no changes"


def about(run: RunSummary) -> str:
    """`Film Noir and Heist`, `3 movies or shows`; empty for everything."""
    parts = []
    if run.only_movies is not None:
        parts.append(counted(run.only_movies, "title"))
    if run.only_collections and run.kind == "run":
        names = run.only_collections
        parts.append(in_words(names) if len(names) <= _FEW else counted(len(names), "collection"))
    return " in ".join(parts)


def belongs_to(run: RunSummary, show: Show) -> bool:
    """Whether a list shows a run."""
    match show:
        case "changed":
            return bool(run.added or run.removed) and not run.dry_run
        case "problems":
            return _sign(run) != "good"
        case "dry":
            return run.dry_run
        case _:
            return True


def undone_by(run_id: str, runs: Sequence[RunSummary]) -> RunSummary | None:
    """The latest run that took changes of this one back; None where none did."""
    return next(
        (run for run in reversed(runs) if run.undoes == run_id and not run.dry_run and run.added + run.removed), None
    )
