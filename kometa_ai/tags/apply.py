"""Carry out a plan through Radarr's editor, and account for every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.errors import CheckRadarr
from kometa_ai.radarr.failures import EditStopped, TagUnavailable
from kometa_ai.tags.plan import Edit, group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kometa_ai.core.changes import Change
    from kometa_ai.core.movie import RadarrId
    from kometa_ai.core.naming import Label
    from kometa_ai.radarr.client import Radarr
    from kometa_ai.radarr.edits import EditResult
    from kometa_ai.radarr.wire import TagId

MOVIES_A_CALL = 100

_log = structlog.get_logger()


class Applied:
    """What became of the changes: `done`, `failed`, and the problems to report. `stopped` is why it ended early."""

    def __init__(self) -> None:
        self.done: list[Change] = []
        self.failed: list[Change] = []
        self.problems: list[Problem] = []
        self.stopped: CheckRadarr | None = None


async def apply_changes(
    radarr: Radarr,
    changes: Sequence[Change],
    tags: Mapping[Label, tuple[TagId, ...]],
    on_done: Callable[[Sequence[Change]], None],
) -> Applied:
    """Write changes to Radarr, at most a hundred movies a call, and tell `on_done` of those that Radarr confirms.

    `tags` are the ids that Radarr's tags have right now; a missing tag is created before its first use. One change
    that fails does not stop the others; Radarr becoming unusable does.
    """
    applied = Applied()
    known = dict(tags)
    edits = group(changes, MOVIES_A_CALL)
    for number, edit in enumerate(edits):
        try:
            result = await radarr.edit_tags(
                [movie.radarr_id for movie in edit.movies],
                await _ids(radarr, edit, known),
                operation=edit.operation,
            )
        except TagUnavailable as error:
            applied.failed += edit.changes
            applied.problems.append(_problem(str(error), edit.changes))
            continue
        except EditStopped as error:
            _account(applied, edit, error.result, on_done)
            _stop(applied, error, edits[number + 1 :])
            break
        except CheckRadarr as error:
            _stop(applied, error, edits[number:])
            break
        _account(applied, edit, result, on_done)
    return applied


async def _ids(radarr: Radarr, edit: Edit, known: dict[Label, tuple[TagId, ...]]) -> list[TagId]:
    ids: list[TagId] = []
    for label in edit.labels:
        if label not in known:
            known[label] = (await radarr.create_tag(label),)
        # Twins that differ in case exist in hand-edited databases: one is written, all are taken off.
        ids += known[label] if edit.operation == "remove" else known[label][:1]
    return ids


def _account(applied: Applied, edit: Edit, result: EditResult, on_done: Callable[[Sequence[Change]], None]) -> None:
    done = _of(edit, result.done)
    applied.done += done
    for change in done:
        _log.info(
            "tag.added" if change.operation == "add" else "tag.removed",
            movie=str(change.movie),
            tmdb_id=change.movie.tmdb_id,
            tag=change.label,
        )
    on_done(done)
    if contested := _of(edit, result.contested):
        applied.failed += contested
        applied.problems.append(
            _problem(
                "one of Radarr's auto-tagging rules undid the change at once.",
                contested,
                "Take the tag out of that rule (Radarr: Settings, Tags, Auto Tagging).",
            )
        )
    if failed := _of(edit, result.failed):
        applied.failed += failed
        applied.problems.append(_problem(" ".join(result.problems) or "Radarr did not confirm the change.", failed))
    if vanished := _of(edit, result.vanished):
        _log.info("movie.vanished", movies=[str(change.movie) for change in vanished])


def _of(edit: Edit, ids: Iterable[RadarrId]) -> list[Change]:
    wanted = set(ids)
    return [change for change in edit.changes if change.movie.radarr_id in wanted]


def _stop(applied: Applied, error: CheckRadarr, left: Sequence[Edit]) -> None:
    applied.stopped = error
    applied.failed += [change for edit in left for change in edit.changes]
    applied.problems.append(Problem(source="Radarr", what=error.message, remedy=error.remedy))


def _problem(what: str, changes: Sequence[Change], remedy: str = "The next run tries again.") -> Problem:
    return Problem(
        source="Radarr",
        what=f"{changes[0].label}: {what}",
        remedy=remedy,
        collection=changes[0].slug,
        movies=tuple(dict.fromkeys(str(change.movie) for change in changes)),
    )
