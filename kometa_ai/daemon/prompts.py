"""Tell which prompts a collection has had, and what the first run with each of them has changed. Pure."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.daemon.past import Moves
from kometa_ai.state.schema import PromptVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kometa_ai.state.schema import RunSummary


class PastPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a prompt. `run_id` is the first run of everything with it that has changed tags, if one is kept.

    `added` and `removed` are how many items that run has put into the collection and taken out of it.
    """

    version: PromptVersion
    run_id: str = ""
    added: int = 0
    removed: int = 0


def past_prompts(
    versions: Sequence[PromptVersion], runs: Sequence[RunSummary], moves: Mapping[str, Moves]
) -> tuple[PastPrompt, ...]:
    """The prompts, the newest first. `versions` are in order of time, `moves` are those of the collection by run."""
    found = []
    for version, following in zip_longest(versions, versions[1:]):
        until = following.at if following else None
        first = min(
            (
                run
                for run in runs
                if _has_done(run) and run.finished >= version.at and (not until or run.started < until)
            ),
            key=lambda run: run.finished,
            default=None,
        )
        moved = moves.get(first.run_id, Moves()) if first else Moves()
        found.append(
            PastPrompt(version=version, run_id=first.run_id if first else "", added=moved.added, removed=moved.removed)
        )
    return tuple(reversed(found))


def _has_done(run: RunSummary) -> bool:
    """Whether a run was about all items, and one that writes."""
    return run.kind == "run" and not run.dry_run and run.only_movies is None
