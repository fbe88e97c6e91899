"""Take the answers of batches: look at them until they have ended, and record what still holds.

A batch outlives the run that handed it over. What it asked is in the ledger, so its answers are matched with the
movies and collections as they are now; an answer that was made from anything else is dropped.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import structlog

from kometa_ai.asking.answers import read_answer
from kometa_ai.asking.ending import Stopped
from kometa_ai.asking.sending import SAME_FAILURES, UNREADABLE
from kometa_ai.asking.tally import Answered
from kometa_ai.core.decision import request_id
from kometa_ai.errors import CheckClaude
from kometa_ai.providers import prices
from kometa_ai.providers.port import Failure, ReplyEnd, RequestFailed, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.asking.ending import Course
    from kometa_ai.asking.pacing import Sleep
    from kometa_ai.asking.tally import Tally
    from kometa_ai.core.batches import BatchedQuestion, OpenBatch
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import Slug
    from kometa_ai.judging.planning import Subject
    from kometa_ai.providers.port import BatchAnswer, BatchProvider

POLL_SECONDS = 60.0
LOOKS = 5
"""So often a batch of which nothing was heard is looked for in the list before it counts as never taken."""
UNKNOWN_POLLS = 10
"""So often in a row a batch may be unknown that was there: that happens for minutes, and later again."""
FAILED_POLLS = 60
"""After so many failures in a row a batch is left for the next run."""
KEPT = timedelta(days=29)
"""Anthropic keeps answers this long."""

_ERRORS_TOLD = 3
_CLOCKS_DIFFER = timedelta(minutes=5)
_LONG_AGO = timedelta(hours=1)
_DAYS_AGO = timedelta(days=2)

_log = structlog.get_logger()


class Ledger(Protocol):
    """Where open batches are written down; what a method says is on the disk when it returns."""

    def open(self) -> Sequence[OpenBatch]:
        """All that are open."""
        ...

    def plan(self, batch: OpenBatch) -> bool:
        """A batch is about to be handed over; False where that could not be written down."""
        ...

    def name(self, key: str, batch_id: str, foreign: tuple[str, ...] = ()) -> None:
        """A batch's id, or none, and which ids are other people's."""
        ...

    def take(self, key: str, slugs: Iterable[Slug]) -> None:
        """The answers about these collections are recorded."""
        ...

    def drop(self, key: str) -> None:
        """There is nothing to be had of a batch."""
        ...


class Scope(NamedTuple):
    """What answers are used for: movies as they are now, collections, and which questions are open about a movie.

    A question may be open about a movie that is away, or that a pin or a tag decides now.
    """

    collections: Mapping[Slug, Collection]
    judged: Mapping[ItemKey, Subject]
    is_open: Callable[[BatchedQuestion, ItemKey], bool]


class _Watch(msgspec.Struct, kw_only=True):
    """How long to go on looking at a batch, and the answers that were read before its file broke off."""

    looks: int
    unknown: int
    failed: int = FAILED_POLLS
    read: set[str] = msgspec.field(default_factory=set)


class BatchAnswers:
    """Takes the answers of batches for one run, and counts them in its `tally`.

    `record` is called with verdicts as they are read. Afterwards `answered` are the questions that brought an answer,
    `cost` is what each batch has cost, by its key, and `used` what all of them have used.
    """

    def __init__(
        self,
        provider: BatchProvider,
        *,
        tally: Tally,
        course: Course,
        ledger: Ledger,
        record: Callable[[Answered], None],
        now: Callable[[], datetime],
        sleep: Sleep,
    ) -> None:
        self._provider = provider
        self._tally = tally
        self._course = course
        self._ledger = ledger
        self._record = record
        self._now = now
        self._sleep = sleep
        self._over = asyncio.Event()
        self.answered: set[str] = set()
        self.cost: defaultdict[str, float] = defaultdict(float)
        self.used = Usage()
        self._unreadable = 0
        self._are_fresh = True
        self.errors: dict[str, str] = {}
        """What Claude said of questions that ended with an error, each with its batch."""

    @property
    def are_unreadable(self) -> bool:
        """Whether answers have come and none could be read, these or any other of this run."""
        return self._unreadable > 0 and not self._tally.read_models

    @property
    def is_over(self) -> bool:
        """Whether nothing more is waited for."""
        return self._over.is_set() or self._course.is_over

    def end(self) -> None:
        """Wait for nothing more."""
        self._over.set()

    async def collect(self, scope: Scope, *, wait: bool) -> None:
        """Take the answers of earlier batches about the collections in scope; `wait` for those that have not ended."""
        keys = []
        for batch in self._ledger.open():
            if self._now() - batch.planned > KEPT:
                self._ledger.drop(batch.key)
            elif any(question.slug in scope.collections for question in batch.open_questions):
                keys.append(batch.key)
        self._are_fresh = False
        await self.follow(keys, scope, wait=wait)
        self._are_fresh = True

    async def follow(self, keys: Iterable[str], scope: Scope, *, wait: bool = True) -> None:
        """Look at batches until none is awaited any more, or once. Take their answers."""
        ages = {batch.key: self._now() - batch.planned for batch in self._ledger.open()}
        watched = {
            key: _Watch(
                looks=1 if ages[key] > _LONG_AGO else LOOKS,
                unknown=1 if ages[key] > _DAYS_AGO and not wait else UNKNOWN_POLLS,
            )
            for key in keys
            if key in ages
        }
        while watched and not self.is_over:
            for key, watch in list(watched.items()):
                if not await self._is_awaited(key, watch, scope):
                    del watched[key]
            if not watched or not wait:
                return
            await self.rest(POLL_SECONDS)

    async def _is_awaited(self, key: str, watch: _Watch, scope: Scope) -> bool:
        """Look at a batch and take its answers, if it has any; return whether to come back for more."""
        batch = next((batch for batch in self._ledger.open() if batch.key == key), None)
        if batch is None:
            return False
        try:
            batch_id = batch.id or await self._search(batch)
            if not batch_id:
                watch.looks -= 1
                return self._unless_gone(batch, watch.looks, "was never taken")
            seen = await self._provider.find(batch_id)
            if seen is None:
                watch.unknown -= 1
                return self._unless_gone(batch, watch.unknown, "is not known any more")
            watch.failed, watch.unknown = FAILED_POLLS, UNKNOWN_POLLS
            return not seen.has_ended or not await self._take(batch, batch_id, watch, scope)
        except CheckClaude as error:
            # The engine meets the same, and says so.
            _log.info("batch.unreachable", batch_id=batch.id, why=error.message)
            return False
        except RequestFailed as failure:
            watch.failed -= 1
            _log.info("batch.unreachable", batch_id=batch.id, why=str(failure))
            return watch.failed > 0

    def _unless_gone(self, batch: OpenBatch, left: int, what: str) -> bool:
        if left > 0:
            return True
        _log.warning("batch.gone", batch_id=batch.id, requests=len(batch.questions), why=f"The batch {what}.")
        self._ledger.drop(batch.key)
        return False

    async def _search(self, batch: OpenBatch) -> str:
        found = await search(self._provider, batch, self._ledger.open())
        if found:
            self._ledger.name(batch.key, found, batch.foreign)
            _log.info("batch.found", batch_id=found, requests=len(batch.questions))
        return found

    async def _take(self, batch: OpenBatch, batch_id: str, watch: _Watch, scope: Scope) -> bool:
        """Record what a batch that has ended says about the collections in scope; False where it is not ours."""
        questions = {question.id: question for question in batch.questions}
        slugs = scope.collections.keys() - batch.taken
        outcomes: Counter[str] = Counter()
        errors: list[str] = []
        is_ours = bool(watch.read)
        async for answer in self._provider.answers(batch_id):
            question = questions.get(answer.id)
            is_ours = is_ours or question is not None
            if question is None or question.slug not in slugs or answer.id in watch.read:
                continue
            watch.read.add(answer.id)
            outcomes[answer.outcome] += 1
            if answer.why and answer.why not in errors:
                errors.append(answer.why)
            self._read(batch, question, answer, scope)
        if not is_ours:
            self._ledger.name(batch.key, "", (*batch.foreign, batch_id))
            return False
        self._ledger.take(batch.key, {question.slug for question in batch.questions} & slugs)
        cost = round(self.cost[batch.key], 6)
        _log.info("batch.ended", batch_id=batch_id, **outcomes, cost_usd=cost, errors=errors[:_ERRORS_TOLD])
        self._stop_where_nothing_is_readable()
        self.errors.update(dict.fromkeys(errors[:_ERRORS_TOLD], batch_id))
        return True

    def _stop_where_nothing_is_readable(self) -> None:
        """Ask nothing more where no answer of this run's batches holds a verdict: further ones would cost, too."""
        if self._unreadable >= SAME_FAILURES and self.are_unreadable:
            what = f"{self._unreadable} answers of batches could not be read, and no other was: {UNREADABLE}"
            self._course.end(Stopped(RequestFailed(Failure.UNREADABLE, what)))

    def _read(self, batch: OpenBatch, question: BatchedQuestion, answer: BatchAnswer, scope: Scope) -> None:
        """Record one answer, as far as what it was made from is what there is now."""
        reply, collection = answer.reply, scope.collections[question.slug]
        if reply is None:
            return
        self.answered.add(question.id)
        cost = None
        if reply.usage.is_known:
            cost = prices.cost(reply.usage, batch.model, batched=answer.at_batch_price)
        self.cost[batch.key] += cost or 0.0
        self.used += reply.usage
        spent = self._tally.spent_on(question.slug)
        spent.add(reply.usage, cost)
        if reply.ending is ReplyEnd.REFUSED or collection.prompt_hash != question.prompt_hash:
            return
        page = dict(enumerate(batch.pages[question.page], start=1))
        here = {number: scope.judged[key] for number, (key, _) in page.items() if key in scope.judged}
        standing = {number for number, movie in here.items() if collection.label in movie.item.labels}
        reading = read_answer(reply.text, page.keys(), standing)
        self._tally.unknown_ids[question.slug] += len(reading.unknown)
        if not reading.verdicts:
            self._tally.wasted[UNREADABLE] += 1
            self._unreadable += self._are_fresh
            return
        verdicts = {
            page[number][0]: verdict
            for number, verdict in reading.verdicts.items()
            if (number not in here or here[number].fingerprint.covers(page[number][1]))
            and scope.is_open(question, page[number][0])
        }
        if verdicts:
            spent.answers += len(verdicts)
            # They may come back, and are paid for.
            away = {key: asked_from for key, asked_from in page.values() if key not in scope.judged}
            self._tally.read_models.add(batch.model)
            request = request_id((key for key, _ in page.values()), collection.slug)
            self._record(Answered(collection, verdicts, question.second_look, batch.model, away, request))

    async def rest(self, seconds: float) -> None:
        """Wait, unless the end comes first."""
        sleeping, over = asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((sleeping, over), return_when=asyncio.FIRST_COMPLETED)
            if sleeping.done():
                await sleeping
        finally:
            sleeping.cancel()
            over.cancel()


async def search(provider: BatchProvider, batch: OpenBatch, opened: Iterable[OpenBatch]) -> str:
    """The id of a batch that may have been taken without our having heard so; empty where there is none."""
    known = {other.id for other in opened}.union(batch.foreign)
    fitting = [
        seen.id
        async for seen in provider.since(batch.planned - _CLOCKS_DIFFER)
        if seen.requests == len(batch.questions) and seen.id not in known
    ]
    # The newest come first, and ours was the first to be created after its plan.
    return fitting[-1] if fitting else ""
