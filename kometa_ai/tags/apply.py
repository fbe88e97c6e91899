"""Carry out a plan in a library, and account for every change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.naming import Label
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.errors import CheckRadarr
from kometa_ai.library.port import EditStopped, TagUnavailable
from kometa_ai.tags.plan import Edit, group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kometa_ai.core.changes import Change
    from kometa_ai.core.movie import RadarrId
    from kometa_ai.library.port import Contents, EditResult, Library, TagId, TagWriter

MOVIES_A_CALL = 100
_TRIES_TO_LOOK = 2
_LOOKED_AT_NEXT = "The next run looks at Radarr again and makes what is missing."

_log = structlog.get_logger()


class Applied:
    """What became of the changes: `done`, `failed`, and what to report. `stopped` is why it ended early.

    `unclear` are changes that were sent and neither confirmed nor refused, each with the reason, until the library was
    looked at once more.
    """

    def __init__(self) -> None:
        self.done: list[Change] = []
        self.failed: list[Change] = []
        self.unclear: list[tuple[Change, str]] = []
        self.stopped: CheckRadarr | None = None
        self.warnings: list[Problem] = []
        self._problems: dict[tuple[Label, str], Problem] = {}

    @property
    def problems(self) -> list[Problem]:
        """One problem for each collection and cause, however many calls met it."""
        return list(self._problems.values())

    def fail(self, changes: Iterable[Change], what: str, remedy: str = "The next run tries again.") -> None:
        """Note changes that were not made, and why."""
        for change in changes:
            self.failed.append(change)
            key = change.label, what
            problem = self._problems.get(key) or Problem(
                source="Radarr", what=f"{change.label}: {what}", remedy=remedy, collection=change.slug
            )
            self._problems[key] = msgspec.structs.replace(problem, movies=(*problem.movies, str(change.movie)))

    def stop(self, error: CheckRadarr, left: Sequence[Edit]) -> None:
        """Note that the library takes nothing more."""
        self.stopped = error
        self.failed += [change for edit in left for change in edit.changes]
        self._problems[Label(""), error.message] = Problem(source="Radarr", what=error.message, remedy=error.remedy)


async def apply_changes(
    library: Library,
    changes: Sequence[Change],
    contents: Contents,
    on_done: Callable[[Sequence[Change]], None],
    applied: Applied,
) -> None:
    """Write changes to a library, at most a hundred movies a call, and tell `on_done` of those that it confirms.

    Where answers are lost, the library is read once more, and what it shows is confirmed, too. What became of each
    change is in `applied`, also where the run is ended in the middle.

    `contents` is what the library holds right now. A missing tag is created before its first use, and one that no movie
    has is looked up once more. One change that fails does not stop the others; the library becoming unusable does.
    """
    book = _Tags(library, contents)
    edits = group(changes, MOVIES_A_CALL)
    for number, planned in enumerate(edits):
        edit = planned
        try:
            await book.find(edit)
            edit = _without(edit, book.unavailable, applied)
            if not edit.labels:
                continue
            movies = [movie.radarr_id for movie in edit.movies]
            result = await library.edit_tags(movies, book.ids(edit), operation=edit.operation)
        except EditStopped as error:
            _account(applied, edit, error.result, on_done)
            applied.stop(error, edits[number + 1 :])
            break
        except CheckRadarr as error:
            applied.stop(error, [edit, *edits[number + 1 :]])
            break
        except asyncio.CancelledError:
            _account_for_the_end(applied, edit, edits[number + 1 :])
            raise
        _account(applied, edit, result, on_done)
    if applied.unclear:
        await _look_again(library, applied, on_done)


def _account_for_the_end(applied: Applied, edit: Edit, left: Sequence[Edit]) -> None:
    """Note what the end of the run leaves open: the library may go on with the edit that is on its way."""
    for change, why in applied.unclear:
        applied.fail([change], f"{why} The run was ended before Radarr's list could be looked at.", _LOOKED_AT_NEXT)
    applied.unclear = []
    applied.fail(edit.changes, "the run was ended before Radarr had confirmed the change.", _LOOKED_AT_NEXT)
    for each in left:
        applied.fail(each.changes, "the run was ended before the change was sent.")


async def _look_again(library: Library, applied: Applied, on_done: Callable[[Sequence[Change]], None]) -> None:
    """Settle what is unclear: read the library once more, and take for done what it shows."""
    unclear, applied.unclear = applied.unclear, []
    try:
        contents = await library.contents(tries=_TRIES_TO_LOOK)
    except CheckRadarr as error:
        for change, why in unclear:
            applied.fail([change], f"{why} Whether it was changed cannot be seen: {error.message}", _LOOKED_AT_NEXT)
        return
    labels = {movie.radarr_id: movie.labels for movie in contents.movies}
    by_reason: dict[str, list[Change]] = {}
    for change, why in unclear:
        if change.movie.radarr_id not in labels:
            _log.info("movie.vanished", movies=[str(change.movie)])
        elif (change.label in labels[change.movie.radarr_id]) is (change.operation == "add"):
            by_reason.setdefault(why, []).append(change)
        else:
            applied.fail([change], f"{why} Radarr's list does not show the change.", _LOOKED_AT_NEXT)
    for why, done in by_reason.items():
        _book(applied, done, on_done)
        applied.warnings.append(
            Problem(
                source="Radarr",
                what=f"{counted(len(done), 'tag change')} had no clear answer, but Radarr's list shows it made: {why}",
                remedy="Nothing is lost; without a clear answer each run takes longer than it need.",
                severity="warning",
            )
        )


class _Tags:
    """The ids of tags, made where they are missing, and why some cannot be made.

    The service's housekeeping deletes a tag that nothing uses at any moment, and its editor then takes the dead id
    without a word. A tag that a movie has is safe.
    """

    def __init__(self, library: TagWriter, contents: Contents) -> None:
        self._library = library
        self._known = dict(contents.tags)
        self._safe = {label for movie in contents.movies for label in movie.labels}
        self.unavailable: dict[Label, str] = {}

    async def find(self, edit: Edit) -> None:
        """Make the tags of an edit that are missing; one that could not be made is not tried again."""
        for label in edit.labels:
            if label in self._safe or label in self.unavailable:
                continue
            known = self._known.get(label)
            try:
                if not known or not await self._library.has_tag(known[0], label):
                    self._known[label] = (await self._library.create_tag(label),)
                self._safe.add(label)
            except TagUnavailable as error:
                self.unavailable[label] = str(error)

    def ids(self, edit: Edit) -> list[TagId]:
        """The ids of an edit's tags."""
        # Twins that differ in case exist in hand-edited databases: one is written, all are taken off.
        twins = None if edit.operation == "remove" else 1
        return [tag for label in edit.labels for tag in self._known[label][:twins]]


def _without(edit: Edit, unavailable: Mapping[Label, str], applied: Applied) -> Edit:
    """The part of an edit that can be made; the rest is noted."""
    for label in unavailable.keys() & set(edit.labels):
        applied.fail([change for change in edit.changes if change.label == label], unavailable[label])
    return Edit(
        edit.operation,
        tuple(label for label in edit.labels if label not in unavailable),
        tuple(change for change in edit.changes if change.label not in unavailable),
    )


def _account(applied: Applied, edit: Edit, result: EditResult, on_done: Callable[[Sequence[Change]], None]) -> None:
    _book(applied, _of(edit, result.done), on_done)
    why = " ".join(result.problems)
    applied.unclear += [(change, why) for change in _of(edit, result.unclear)]
    applied.fail(
        _of(edit, result.contested),
        "one of Radarr's auto-tagging rules undid the change at once.",
        "Take the tag out of that rule (Radarr: Settings, Tags, Auto Tagging).",
    )
    applied.fail(_of(edit, result.failed), why or "Radarr did not confirm the change.")
    if vanished := _of(edit, result.vanished):
        _log.info("movie.vanished", movies=[str(change.movie) for change in vanished])


def _book(applied: Applied, done: Sequence[Change], on_done: Callable[[Sequence[Change]], None]) -> None:
    applied.done += done
    lines: dict[tuple[Label, str], list[Change]] = {}
    for change in done:
        lines.setdefault((change.label, change.operation), []).append(change)
    # A line for each call and tag: one for each of ten thousand changes would cost more than making them.
    for (label, operation), changed in lines.items():
        _log.info(
            "tags.added" if operation == "add" else "tags.removed",
            collection_name=changed[0].collection_name or changed[0].slug,
            tag=label,
            movies=[f"{change.movie} tmdb:{change.movie.tmdb_id}" for change in changed],
        )
    on_done(done)


def _of(edit: Edit, ids: Iterable[RadarrId]) -> list[Change]:
    wanted = set(ids)
    return [change for change in edit.changes if change.movie.radarr_id in wanted]
