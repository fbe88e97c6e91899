"""Find the real run that has done what a dry run showed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.errors import KometaAIError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.state.schema import RunSummary


class MadeAlready(KometaAIError):
    """A dry run is to be carried out, of which a real run has left nothing to do."""


def overtaken_by(run_id: str, runs: Sequence[RunSummary]) -> RunSummary | None:
    """The first real run after a dry one that did all there was to do for its collections; None where none did."""
    place = next((place for place, run in enumerate(runs) if run.run_id == run_id and run.dry_run), None)
    if place is None:
        return None
    wanted = set(runs[place].only_collections)
    return next((run for run in runs[place + 1 :] if _did_all(run, wanted)), None)


def check_open(run_id: str, runs: Sequence[RunSummary]) -> None:
    """Raise MadeAlready for a dry run of which nothing is left to make."""
    if (by := overtaken_by(run_id, runs)) is not None:
        raise MadeAlready(
            f"What the dry run {run_id} showed is done: the run {by.run_id} came after it and left nothing of it.",
            "Do another dry run to see what there is to do now.",
        )


def _did_all(run: RunSummary, wanted: set[str]) -> bool:
    is_whole = run.kind == "run" and not run.dry_run and run.only_movies is None
    is_wide = not run.only_collections or (bool(wanted) and wanted.issubset(run.only_collections))
    return is_whole and is_wide and run.exit_code == 0 and not run.held_back and not run.pending
