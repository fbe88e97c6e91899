"""The prompts that a collection has had, and what the first run with each has changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from kometa_ai.daemon.past import Moves
from kometa_ai.daemon.prompts import past_prompts
from kometa_ai.state.schema import PromptVersion, RunSummary

NIGHT = datetime(2026, 3, 1, 3, tzinfo=UTC)


def _version(number: int) -> PromptVersion:
    """A prompt that was first read in this night."""
    return PromptVersion(prompt_hash=str(number), text=f"Prompt {number}.", at=NIGHT + timedelta(days=number))


def _run(night: float, **fields: Any) -> RunSummary:
    """A run that begins a minute before the prompts of its night are read."""
    started = NIGHT + timedelta(days=night, minutes=-1)
    finished = started + timedelta(minutes=5)
    return RunSummary(
        run_id=f"run {night:g}", started=started, finished=finished, **{"outcome": "ok", "exit_code": 0, **fields}
    )


def test_each_has_its_first_run() -> None:
    """The newest comes first; each with what the first run of everything with it has changed."""
    moves = {"run 0": Moves(5, 0), "run 1": Moves(1, 0), "run 2": Moves(0, 3)}

    newest, oldest = past_prompts([_version(0), _version(2)], [_run(0), _run(1), _run(2), _run(3)], moves)

    assert (newest.version.text, newest.run_id, newest.added, newest.removed) == ("Prompt 2.", "run 2", 0, 3)
    assert (oldest.version.text, oldest.run_id, oldest.added, oldest.removed) == ("Prompt 0.", "run 0", 5, 0)


def test_runs_that_tell_nothing_of_it() -> None:
    """A dry run, an undo and a run for some movies do not tell what a prompt has changed; the next run does."""
    runs = [_run(0, dry_run=True), _run(0.1, kind="undo"), _run(0.2, only_movies=1), _run(1)]

    (only,) = past_prompts([_version(0)], runs, {"run 1": Moves(2, 1)})

    assert (only.run_id, only.added, only.removed) == ("run 1", 2, 1)


def test_without_a_run() -> None:
    """Where no kept run was before the next prompt, nothing is told; a run that changed nothing is named."""
    first, second = reversed(past_prompts([_version(0), _version(1)], [_run(1.01)], {}))

    assert first.run_id == ""
    assert (second.run_id, second.added, second.removed) == ("run 1.01", 0, 0)
    assert past_prompts([], [_run(1)], {}) == ()
