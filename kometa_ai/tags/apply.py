"""Apply planned tag changes to a library, and record the outcome of each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from kometa_ai.core.item import kind_of, ref_of
from kometa_ai.core.naming import Label
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.port import EditStopped, TagUnavailable
from kometa_ai.tags.plan import Edit, group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kometa_ai.core.changes import Change
    from kometa_ai.core.item import ArrId
    from kometa_ai.library.port import Contents, EditResult, Library, TagId, TagWriter

ITEMS_A_CALL = 100
_TRIES_TO_LOOK = 2

_log = structlog.get_logger()


class Applied:
    """The outcome of changes in a library: `done`, `failed`, and the problems to report.

    `stopped` is the error that ended it early. `unclear` are changes that were sent but neither confirmed nor refused,
    each with the reason, until the library has been read once more. `title` is what problems call the library.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.done: list[Change] = []
        self.failed: list[Change] = []
        self.unclear: list[tuple[Change, str]] = []
        self.stopped: CheckLibrary | None = None
        self.warnings: list[Problem] = []
        self._problems: dict[tuple[Label, str], Problem] = {}

    @property
    def problems(self) -> list[Problem]:
        """One problem for each collection and cause, however many calls failed."""
        return list(self._problems.values())

    def fail(self, changes: Iterable[Change], what: str, remedy: str = "The next run tries again.") -> None:
        """Record changes that were not made, and why."""
        for change in changes:
            self.failed.append(change)
            key = change.label, what
            problem = self._problems.get(key) or Problem(
                source=self.title, what=f"{change.label}: {what}", remedy=remedy, collection=change.collection
            )
            self._problems[key] = msgspec.structs.replace(problem, movies=(*problem.movies, str(change.movie)))

    def fail_unseen(self, change: Change, what: str) -> None:
        """Record a change that may have been made all the same: the next run sees it."""
        self.fail([change], what, f"The next run looks at {self.title} again and makes what is missing.")

    def stop(self, error: CheckLibrary, left: Sequence[Edit]) -> None:
        """Record the error after which the library takes no more edits; those `left` have failed."""
        self.stopped = error
        self.failed += [change for edit in left for change in edit.changes]
        self._problems[Label(""), error.message] = Problem(source=self.title, what=error.message, remedy=error.remedy)


class Made(NamedTuple):
    """What has become of changes in several libraries: done, failed, and what is to be reported."""

    done: tuple[Change, ...]
    failed: tuple[Change, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def made_of(applied: Iterable[Applied]) -> Made:
    """The outcome of all of them together."""
    each = tuple(applied)
    return Made(
        done=tuple(change for one in each for change in one.done),
        failed=tuple(change for one in each for change in one.failed),
        problems=tuple(problem for one in each for problem in one.problems),
        warnings=tuple(warning for one in each for warning in one.warnings),
    )


async def apply_changes(
    library: Library,
    changes: Sequence[Change],
    contents: Contents,
    on_done: Callable[[Sequence[Change]], None],
    applied: Applied,
) -> None:
    """Write changes to a library, at most 100 items a call, and pass the confirmed ones to `on_done`.

    If answers are lost, the library is read once more, and changes that it shows are confirmed, too. `applied` holds
    the outcome of each change, even if the run is cancelled midway.

    `contents` is the library's present content. A missing tag is created before its first use, and a tag that no item
    has is looked up once more. One failed change does not stop the others; an unusable library does.
    """
    tags = _Tags(library, contents)
    edits = group(changes, ITEMS_A_CALL)
    for number, planned in enumerate(edits):
        edit = planned
        try:
            await tags.find(edit)
            edit = _without(edit, tags.unavailable, applied)
            if not edit.labels:
                continue
            movies = [movie.arr_id for movie in edit.movies]
            result = await library.edit_tags(movies, tags.ids(edit), operation=edit.operation)
        except EditStopped as error:
            _record(applied, edit, error.result, on_done)
            applied.stop(error, edits[number + 1 :])
            break
        except CheckLibrary as error:
            applied.stop(error, [edit, *edits[number + 1 :]])
            break
        except asyncio.CancelledError:
            _fail_unfinished(applied, edit, edits[number + 1 :])
            raise
        _record(applied, edit, result, on_done)
    if applied.unclear:
        await _look_again(library, applied, on_done)


def _fail_unfinished(applied: Applied, edit: Edit, left: Sequence[Edit]) -> None:
    """Record what a cancelled run leaves open: the library may still carry out the in-flight edit."""
    for change, why in applied.unclear:
        applied.fail_unseen(change, f"{why} The run was ended before {applied.title}'s list could be looked at.")
    applied.unclear = []
    for change in edit.changes:
        applied.fail_unseen(change, f"the run was ended before {applied.title} had confirmed the change.")
    for each in left:
        applied.fail(each.changes, "the run was ended before the change was sent.")


async def _look_again(library: Library, applied: Applied, on_done: Callable[[Sequence[Change]], None]) -> None:
    """Settle unclear changes: read the library once more, and confirm those that it shows."""
    unclear, applied.unclear = applied.unclear, []
    try:
        contents = await library.contents(tries=_TRIES_TO_LOOK)
    except CheckLibrary as error:
        for change, why in unclear:
            applied.fail_unseen(change, f"{why} Whether it was changed cannot be seen: {error.message}")
        return
    labels = {movie.arr_id: movie.labels for movie in contents.items}
    by_reason: dict[str, list[Change]] = {}
    for change, why in unclear:
        if change.movie.arr_id not in labels:
            _log.info("movie.vanished", movies=[str(change.movie)])
        elif (change.label in labels[change.movie.arr_id]) is (change.operation == "add"):
            by_reason.setdefault(why, []).append(change)
        else:
            applied.fail_unseen(change, f"{why} {applied.title}'s list does not show the change.")
    for why, done in by_reason.items():
        _record_done(applied, done, on_done)
        applied.warnings.append(
            Problem(
                source=applied.title,
                what=f"{counted(len(done), 'tag change')} had no clear answer, but {applied.title}'s list shows it "
                f"made: {why}",
                remedy="Nothing is lost; without a clear answer each run takes longer than it need.",
                severity="warning",
            )
        )


class _Tags:
    """The ids of tags by label. Missing tags are created; `unavailable` says why some cannot be.

    The service's housekeeping deletes an unused tag at any moment, and its editor then accepts the dead id without an
    error. A tag that an item has is safe.
    """

    def __init__(self, library: TagWriter, contents: Contents) -> None:
        self._library = library
        self._known = dict(contents.tags)
        self._safe = {label for movie in contents.items for label in movie.labels}
        self.unavailable: dict[Label, str] = {}

    async def find(self, edit: Edit) -> None:
        """Create the edit's missing tags; one whose creation failed is not tried again."""
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
        # Hand-edited databases hold tags that differ in case only: add the first, remove all.
        twins = None if edit.operation == "remove" else 1
        return [tag for label in edit.labels for tag in self._known[label][:twins]]


def _without(edit: Edit, unavailable: Mapping[Label, str], applied: Applied) -> Edit:
    """The part of an edit whose tags are available; the rest is recorded as failed."""
    for label in unavailable.keys() & set(edit.labels):
        applied.fail([change for change in edit.changes if change.label == label], unavailable[label])
    return Edit(
        edit.operation,
        tuple(label for label in edit.labels if label not in unavailable),
        tuple(change for change in edit.changes if change.label not in unavailable),
    )


def _record(applied: Applied, edit: Edit, result: EditResult, on_done: Callable[[Sequence[Change]], None]) -> None:
    _record_done(applied, _of(edit, result.done), on_done)
    why = " ".join(result.problems)
    applied.unclear += [(change, why) for change in _of(edit, result.unclear)]
    applied.fail(
        _of(edit, result.contested),
        f"one of {applied.title}'s auto-tagging rules undid the change at once.",
        f"Take the tag out of that rule ({applied.title}: Settings, Tags, Auto Tagging).",
    )
    applied.fail(_of(edit, result.failed), why or f"{applied.title} did not confirm the change.")
    if vanished := _of(edit, result.vanished):
        _log.info("movie.vanished", movies=[str(change.movie) for change in vanished])


def _record_done(applied: Applied, done: Sequence[Change], on_done: Callable[[Sequence[Change]], None]) -> None:
    applied.done += done
    lines: dict[tuple[Label, str], list[Change]] = {}
    for change in done:
        lines.setdefault((change.label, change.operation), []).append(change)
    # One line for each call and tag: one for each of 10,000 changes would cost more than making them.
    for (label, operation), changed in lines.items():
        _log.info(
            "tags.added" if operation == "add" else "tags.removed",
            library=changed[0].library,
            collection_name=changed[0].collection_name or changed[0].slug,
            tag=label,
            **{
                f"{kind_of(changed[0].movie.key)}s": [
                    f"{change.movie} {ref_of(change.movie.key)}" for change in changed
                ]
            },
        )
    on_done(done)


def _of(edit: Edit, ids: Iterable[ArrId]) -> list[Change]:
    wanted = set(ids)
    return [change for change in edit.changes if change.movie.arr_id in wanted]
