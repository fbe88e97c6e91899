"""Write tags, 100 movies a call, and check the answer; a call that times out or misses movies is cut in two.

Why: docs/decisions/0006-tags.md
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.item import ArrId
from kometa_ai.library.arr.complaints import is_html
from kometa_ai.library.arr.failures import (
    Failed,
    Misshapen,
    NotJSON,
    NotSent,
    Refused,
    RowsMissing,
    TimedOut,
    TooLarge,
    Transient,
    Unusable,
)
from kometa_ai.library.arr.retrying import patiently
from kometa_ai.library.arr.wire import EditedRow
from kometa_ai.library.port import TRIES, EditResult, EditStopped, Ids, Operation, TagId

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from kometa_ai.library.arr.connection import Connection, Reply, Timeouts
    from kometa_ai.library.arr.retrying import Sleep
    from kometa_ai.library.arr.spec import ArrSpec, R

BATCH = 100
GIVE_UP_AFTER = 3
_LONGEST_WAIT = 16

# BasicRepository.Get(ids) counts what it found against what it was asked for; its message is all there is to go by.
_ROWS_MISSING = re.compile(r"Expected query to return \d+ rows but returned (\d+)")


class _Edit(NamedTuple):
    """What is asked for; `operation` is never `replace`, which takes people's own tags away."""

    tags: tuple[TagId, ...]
    operation: Operation

    def is_shown_by(self, tags: frozenset[int]) -> bool:
        """Whether an item with these tags has been edited."""
        return tags.issuperset(self.tags) if self.operation == "add" else tags.isdisjoint(self.tags)


class _Attempt(NamedTuple):
    """How often the batch was halved before, and whether the edit before it had failed."""

    depth: int
    doubtful: bool


class _Tally:
    def __init__(self) -> None:
        self.done: list[ArrId] = []
        self.vanished: list[ArrId] = []
        self.contested: list[ArrId] = []
        self.failed: list[ArrId] = []
        self.unclear: list[ArrId] = []
        self.problems: dict[str, None] = {}
        self.failures_in_a_row = 0
        self.refused_alone = 0
        self._sent: set[ArrId] = set()

    def lost(self, ids: Sequence[ArrId]) -> None:
        """Note that the service may have seen an edit whose answer is missing."""
        self._sent.update(ids)

    def fail(self, ids: Sequence[ArrId], why: str) -> None:
        self.unclear += [item for item in ids if item in self._sent]
        self.failed += [item for item in ids if item not in self._sent]
        self.problems[why] = None

    def result(self) -> EditResult:
        return EditResult(
            done=tuple(self.done),
            vanished=tuple(self.vanished),
            contested=tuple(self.contested),
            failed=tuple(self.failed),
            unclear=tuple(self.unclear),
            problems=tuple(self.problems),
        )


class Editor:
    """One edit at a time, of one set of tags on any number of items. The caller makes sure that no two overlap."""

    def __init__(
        self,
        spec: ArrSpec[R],
        connection: Connection,
        timeouts: Timeouts,
        sleep: Sleep,
        tags_of_rows: Callable[[], Awaitable[Mapping[int, frozenset[int]]]],
    ) -> None:
        self._title, self._name, self._items = spec.title, spec.name, spec.items
        self._path, self._ids_field = spec.editor_path, spec.ids_field
        self._connection = connection
        self._seconds = timeouts.edit
        self._sleep = sleep
        self._tags_of_rows = tags_of_rows
        # After a failure each edit gets one try until one succeeds, so that an outage does not cost minutes a batch.
        self._doubtful = False

    async def edit(self, items: Sequence[ArrId], tags: Sequence[TagId], operation: Operation) -> EditResult:
        """Add or remove those tags. Raise `EditStopped` when the service takes no requests at all any more."""
        # A repeated id fails the whole batch: the editor compares the number of ids with the number of rows.
        ids = tuple(dict.fromkeys(items))
        edit = _Edit(tuple(dict.fromkeys(tags)), operation)
        tally = _Tally()
        if not edit.tags:
            return tally.result()
        try:
            for start in range(0, len(ids), BATCH):
                await self._write_batch(ids[start : start + BATCH], edit, tally)
        except Unusable as error:
            settled = {*tally.done, *tally.vanished, *tally.contested, *tally.failed, *tally.unclear}
            tally.fail([item for item in ids if item not in settled], error.what)
            raise EditStopped(error.what, error.remedy, tally.result()) from error
        return tally.result()

    async def _write_batch(self, ids: Ids, edit: _Edit, tally: _Tally) -> None:
        before = tally.refused_alone
        await self._write(ids, edit, tally)
        # A service that refuses each item of a batch by itself would refuse those of all other batches, too.
        tally.failures_in_a_row += tally.refused_alone - before == len(ids)

    async def _write(self, ids: Ids, edit: _Edit, tally: _Tally, *, depth: int = 0) -> None:
        if tally.failures_in_a_row >= GIVE_UP_AFTER:
            tally.fail(ids, f"Not sent, since the {GIVE_UP_AFTER} edits before had failed.")
            return
        doubtful = self._doubtful
        try:
            edited = await patiently(
                lambda: self._put(ids, edit, tally),
                self._name,
                sleep=self._sleep,
                tries=1 if doubtful else TRIES,
                again=(Transient,),
            )
        except Unusable:
            raise
        except Failed as error:
            await self._go_on_after(error, ids, edit, tally, _Attempt(depth, doubtful))
        else:
            self._answered(tally)
            self._check(ids, edit, edited, tally)

    async def _go_on_after(self, error: Failed, ids: Ids, edit: _Edit, tally: _Tally, attempt: _Attempt) -> None:
        match error:
            case RowsMissing():
                self._answered(tally)
                if error.found == 0 or len(ids) == 1:
                    tally.vanished += ids
                else:
                    await self._write_halves(ids, edit, tally, attempt.depth)
            case TimedOut() if len(ids) > 1 and not attempt.doubtful:
                # The service goes on with what it was given, so the same again would only be slower.
                await self._sleep(min(2**attempt.depth, _LONGEST_WAIT))
                await self._write_halves(ids, edit, tally, attempt.depth)
            case Misshapen() | TooLarge():
                # Something has taken the edit and tells nothing of it: the next one is as good as this one.
                self._answered(tally)
                tally.fail(ids, f"{error.what} {error.remedy}")
            case Refused(status=HTTPStatus.BAD_REQUEST) if len(ids) > 1:
                # One item that does not pass Sonarr's validation refuses the whole batch, and it does not say which.
                await self._write_halves(ids, edit, tally, attempt.depth)
            case Refused(status=HTTPStatus.BAD_REQUEST):
                self._doubtful = False
                tally.refused_alone += 1
                tally.fail(ids, f"{error.what} {error.remedy}".strip())
            case Transient(status=HTTPStatus.INTERNAL_SERVER_ERROR) if len(ids) > 1 and not attempt.doubtful:
                await self._write_what_is_left(ids, edit, tally, error, attempt.depth)
            case _:
                self._failed(ids, error, tally)

    async def _write_what_is_left(self, ids: Ids, edit: _Edit, tally: _Tally, error: Failed, depth: int) -> None:
        """Send once more what an edit has not reached: a service whose database was busy may have saved some rows."""
        try:
            now = await self._tags_of_rows()
        except Unusable:
            raise
        except Failed:
            now = {}
        left = tuple(item for item in ids if item not in now or not edit.is_shown_by(now[item]))
        if len(left) == len(ids):
            self._failed(ids, error, tally)
            return
        tally.done += [item for item in ids if item not in left]
        self._doubtful = True
        if left:
            await self._write(left, edit, tally, depth=depth + 1)

    async def _write_halves(self, ids: Ids, edit: _Edit, tally: _Tally, depth: int) -> None:
        middle = len(ids) // 2
        await self._write(ids[:middle], edit, tally, depth=depth + 1)
        await self._write(ids[middle:], edit, tally, depth=depth + 1)

    def _failed(self, ids: Ids, error: Failed, tally: _Tally) -> None:
        self._doubtful = True
        tally.failures_in_a_row += 1
        tally.fail(ids, f"{error.what} {error.remedy}".strip())

    def _answered(self, tally: _Tally) -> None:
        self._doubtful = False
        tally.failures_in_a_row = 0

    async def _put(self, ids: Ids, edit: _Edit, tally: _Tally) -> list[EditedRow]:
        body = {self._ids_field: ids, "tags": edit.tags, "applyTags": edit.operation}
        try:
            reply = await self._connection.call("edit", "PUT", self._path, body=body, seconds=self._seconds)
            return self._edited(reply)
        except NotSent:
            raise
        except (Transient, TimedOut, TooLarge, Refused) as error:
            # With whatever status it comes: Sonarr 5 answers 400 to some of what is 500 elsewhere.
            if found := _ROWS_MISSING.search(error.complaint):
                raise RowsMissing(error, int(found[1])) from error
            if isinstance(error, Misshapen) or not isinstance(error, Refused):
                tally.lost(ids)
            raise

    def _edited(self, reply: Reply) -> list[EditedRow]:
        """The items of an answer. Anything else is `Misshapen`, but for web pages: behind a login no edit arrives."""
        remedy = (
            f"{self._title} answers an edit with the {self._items}: look at the proxy in front of it, "
            f"or use {self._title}'s own address."
        )
        if not reply.body.strip():
            raise Misshapen(
                f"{reply.address} took an edit ({reply.status}) and answered with nothing.", remedy, status=reply.status
            )
        try:
            return reply.read_rows(EditedRow)[0]
        except NotJSON as error:
            if is_html(reply.body):
                raise
            raise Misshapen(error.what, remedy, status=error.status) from error

    def _check(self, ids: Ids, edit: _Edit, edited: list[EditedRow], tally: _Tally) -> None:
        """Sort the items by what the answer says of their tags; its auto-tagging runs before it answers."""
        now = {row.id: frozenset(row.tags or ()) for row in edited}
        for item in ids:
            if item not in now:
                tally.lost([item])
                tally.fail([item], f"{self._title}'s answer to an edit leaves out {self._items} it was asked to edit.")
            elif edit.is_shown_by(now[item]):
                tally.done.append(item)
            else:
                tally.contested.append(item)
