"""Ask through batches: half the price, answered within a day, and the answers are used whatever becomes of this run.

Two phases, because nothing in a batch reads what the same batch writes to the prompt cache: first one question about
each packet of movies, which writes, then all others, which read. Second looks share nothing and go by themselves.

What a batch asks is in the ledger before the batch is handed over, and its id right after, so that any later run can
take its answers. A batch of which nothing is heard is looked for; it is never handed over twice. What batches leave
unanswered is left to the `Engine`.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import structlog

from kometa_ai.asking import forecast
from kometa_ai.asking.batch_answers import POLL_SECONDS, BatchAnswers, Ledger, Scope
from kometa_ai.asking.pacing import LONGEST_RETRY_AFTER, is_worth_another_try
from kometa_ai.asking.pages import Page
from kometa_ai.core.batches import BatchedQuestion, OpenBatch
from kometa_ai.core.item import short_name
from kometa_ai.errors import CheckClaude
from kometa_ai.providers import prices
from kometa_ai.providers.port import BatchedRequest, RequestFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.asking.ending import Course
    from kometa_ai.asking.forecast import Caching
    from kometa_ai.asking.pacing import Budget, Sleep
    from kometa_ai.asking.tally import Answered, Tally
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.judging.looks import Models
    from kometa_ai.judging.packing import Packet
    from kometa_ai.providers.port import BatchProvider, Request

__all__ = ["Batcher", "Ledger", "Scope"]

MOST_REQUESTS = 100_000
MOST_BYTES = 12 << 20
"""Of a batch. Anthropic takes twenty times as much, but a batch is in memory as a whole, and more than once."""

# Beside its texts a request repeats the schema.
_BYTES_OF_SCHEMA = 3000
_MARGIN = 1.5
TRIED_FROM = 50
"""Questions that are to read the cache. Of so many some go ahead: to write instead costs forty times as much."""
_TRIED = 20

_log = structlog.get_logger()


class Batcher:
    """Asks the questions of one run through batches, from the same `budget` and into the same `tally` as its engine.

    `record` is called with verdicts as they are read. `unavailable` says why nothing can be handed over, if so.
    """

    def __init__(
        self,
        provider: BatchProvider,
        *,
        models: Models,
        budget: Budget,
        tally: Tally,
        course: Course,
        caching: Caching,
        ledger: Ledger,
        record: Callable[[Answered], None],
        now: Callable[[], datetime],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._budget = budget
        self._models = models
        self._caching = caching
        self._ledger = ledger
        self._now = now
        self._answers = BatchAnswers(
            provider, tally=tally, course=course, ledger=ledger, record=record, now=now, sleep=sleep
        )
        self.unavailable = ""

    @property
    def errors(self) -> Mapping[str, str]:
        """What Claude said of questions that ended with an error, each with its batch."""
        return self._answers.errors

    def end(self, why: str) -> None:
        """Wait for nothing more; what was handed over goes on, and the next run takes its answers."""
        if left := [batch.id for batch in self._ledger.open()]:
            _log.info("batch.left", why=why, batches=left)
        self._answers.end()

    async def collect(self, scope: Scope, *, wait: bool) -> None:
        """Take the answers of earlier batches about the collections in scope; `wait` for those that have not ended."""
        await self._answers.collect(scope, wait=wait)

    async def ask(self, packets: Sequence[Packet], scope: Scope) -> None:
        """Ask about each packet for each of its collections, and take the answers, as far as the money reaches."""
        chosen = await self._affordable(packets)
        if not chosen:
            return
        primed: list[tuple[Packet, str]] = []
        await self._round(self._first_phase(chosen, primed), scope, self._most(self._first_phase(chosen, [])))
        # Where the first question brought no answer nothing was cached, and all others would pay to write it.
        rest = deque(
            _Work(packet.movies, packet.collections[1:], cache=True)
            for packet, first in primed
            if first in self._answers.answered
        )
        share = 1.0
        if rest and self._answers.are_unreadable:
            # One packet tells whether that goes on; as many unreadable answers as end the asking end it here as well.
            await self._read(deque((rest.popleft(),)), scope, share)
        if sum(len(work.collections) for work in rest) >= TRIED_FROM:
            share = await self._try(deque(rest.popleft() for _ in range(-(-len(rest) // _TRIED))), scope)
        await self._read(rest, scope, share)

    async def _try(self, works: deque[_Work], scope: Scope) -> float:
        """Ask some of many questions, to see whether the cache is read: Anthropic promises no more than to try."""
        before = self._answers.used
        share = await self._read(works, scope, 1.0)
        read = self._answers.used.cache_read_tokens - before.cache_read_tokens
        written = self._answers.used.cache_write_tokens - before.cache_write_tokens
        if read < written:
            _log.warning("batch.cache_not_read", read_tokens=read, written_tokens=written)
            self.unavailable = "batches do not read what earlier ones have cached, and would cost more than they save"
        return share

    async def _read(self, rest: deque[_Work], scope: Scope, share: float) -> float:
        """Ask what reads the cache, as far as the money reaches; return for which share of its most it is to be had."""
        while rest and not self._is_over:
            part, most = await self._fitting(rest, share)
            spent = await self._round(part, scope, most * share) if part else 0.0
            if not spent:
                break
            if most:
                # The most that requests may cost leaves the cache out. The first of them tell how much less it is.
                share = min(share, _MARGIN * spent / most)
        return share

    async def look_again(self, packets: Sequence[Packet], scope: Scope) -> None:
        """Give movies near the threshold their second look, as far as the money reaches."""
        works = deque(_Work(packet.movies, packet.collections, cache=False, second_look=True) for packet in packets)
        part, most = await self._fitting(works, 1.0)
        if part:
            await self._round(part, scope, most)

    @property
    def _is_over(self) -> bool:
        return bool(self._answers.is_over or self.unavailable)

    def _first_phase(self, packets: Iterable[Packet], primed: list[tuple[Packet, str]]) -> Iterator[_Work]:
        """One question about each packet that the cache can hold, noted in `primed`; of other packets all of them."""
        for packet in packets:
            work = _Work(packet.movies, packet.collections[:1], cache=True)
            page = work.page()
            is_shared = len(packet.collections) >= forecast.CACHED_IN_BATCHES_FROM
            if is_shared and self._caching.caches(page.form.tokens + prices.tokens_in(page.text), self._models.first):
                primed.append((packet, _question_id(self._request(page, packet.collections[0], work), page)))
                yield work
            else:
                yield _Work(packet.movies, packet.collections, cache=False)

    # Money

    async def _affordable(self, packets: Sequence[Packet]) -> Sequence[Packet]:
        """The packets there is money for: a cache is not to be written where nobody can pay for reading it."""
        if not self._budget.is_limited:
            return packets
        expected = first = 0.0
        for number, packet in enumerate(packets):
            cost = forecast.cost((packet,), self._caching, self._models.first)
            expected += math.inf if cost is None else cost * prices.BATCH_SHARE * _MARGIN
            first += self._most(self._first_phase((packet,), []))
            if not await self._has_room(max(expected, first)):
                return packets[:number]
        return packets

    async def _fitting(self, rest: deque[_Work], share: float) -> tuple[list[_Work], float]:
        """Take from `rest` what there is money for, and say what it costs at most."""
        part: list[_Work] = []
        total = 0.0
        while rest:
            most = self._most((rest[0],))
            if not await self._has_room((total + most) * share):
                break
            total += most
            part.append(rest.popleft())
        return part, total

    def _most(self, works: Iterable[_Work]) -> float:
        """What the requests cost at most; nothing where it does not matter."""
        if not self._budget.is_limited:
            return 0.0
        costs = [
            forecast.most(self._request(page, collection, work), batched=True, second_look=work.second_look)
            for work in works
            for page in (work.page(),)
            for collection in work.collections
        ]
        return sum(math.inf if cost is None else cost for cost in costs)

    async def _has_room(self, amount: float) -> bool:
        if not await self._budget.reserve(amount):
            return False
        self._budget.settle(amount, 0.0)
        return True

    async def _round(self, works: Iterable[_Work], scope: Scope, most: float) -> float:
        """Hand over, wait, and take the answers. Return what they have cost."""
        if not await self._budget.reserve(most):
            return 0.0
        # What is left with Anthropic counts as spent.
        reserved = most
        try:
            keys = [key async for key in self._hand_over(works, scope)]
            await self._answers.follow(keys, scope)
            spent = sum(self._answers.cost[key] for key in keys)
            if not {batch.key for batch in self._ledger.open()}.intersection(keys):
                reserved = spent
        finally:
            self._budget.settle(most, reserved)
        return spent

    # Handing over

    def _request(self, page: Page, collection: Collection, work: _Work) -> Request:
        model = self._models.review if work.second_look else self._models.first
        return page.request(collection, model, second_look=work.second_look, cache=work.cache)

    async def _hand_over(self, works: Iterable[_Work], scope: Scope) -> AsyncIterator[str]:
        """Put requests into batches, each handed over when it is full; give the keys of those that may exist."""
        draft = _Draft()
        for work in works:
            page = work.page()
            prints = tuple((movie.key, scope.judged[movie.key].fingerprint.full) for movie in page.movies)
            for collection in work.collections:
                if self._is_over:
                    return
                if draft.is_full and await self._create(draft):
                    yield draft.key
                if draft.is_full:
                    draft = _Draft()
                draft.add(self._request(page, collection, work), page, prints, collection, work)
        if not self._is_over and draft.requests and await self._create(draft):
            yield draft.key

    async def _create(self, draft: _Draft) -> bool:
        """Hand a batch over; return whether it may have been taken."""
        if not self._ledger.plan(draft.planned(self._now())):
            return False
        tries = 0
        while True:
            tries += 1
            try:
                seen = await self._provider.create(draft.requests)
            except CheckClaude as error:
                why = error.message
            except RequestFailed as failure:
                why = str(failure)
                if failure.may_be_billed:
                    _log.warning("batch.unheard", requests=len(draft.requests), why=why)
                    return True
                if is_worth_another_try(failure, tries) and not self._is_over:
                    await self._answers.rest(max(POLL_SECONDS, min(failure.retry_after or 0.0, LONGEST_RETRY_AFTER)))
                    if not self._is_over:
                        continue
            else:
                self._ledger.name(draft.key, seen.id)
                _log.info("batch.submitted", batch_id=seen.id, requests=len(draft.requests))
                return True
            self._ledger.drop(draft.key)
            self.unavailable = why
            _log.warning("batch.refused", requests=len(draft.requests), why=why)
            return False


class _Work(NamedTuple):
    """Movies to be asked about for some collections, not written down yet."""

    movies: tuple[AnyItem, ...]
    collections: tuple[Collection, ...]
    cache: bool
    second_look: bool = False

    def page(self) -> Page:
        return Page.of(self.movies)


class _Draft:
    """A batch that is being put together; one model answers all of it."""

    def __init__(self) -> None:
        self.key = secrets.token_hex(8)
        self.requests: list[BatchedRequest] = []
        self._pages: list[tuple[tuple[ItemKey, str], ...]] = []
        self._questions: list[BatchedQuestion] = []
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        return self._bytes >= MOST_BYTES or len(self.requests) >= MOST_REQUESTS

    def add(
        self,
        request: Request,
        page: Page,
        prints: tuple[tuple[ItemKey, str], ...],
        collection: Collection,
        work: _Work,
    ) -> None:
        name = _question_id(request, page)
        if not self._pages or self._pages[-1] is not prints:
            self._pages.append(prints)
        self._questions.append(
            BatchedQuestion(
                id=name,
                page=len(self._pages) - 1,
                slug=collection.slug,
                prompt_hash=collection.prompt_hash,
                second_look=work.second_look,
            )
        )
        self.requests.append(BatchedRequest(name, request))
        texts = (request.form.system, request.movies, request.collection)
        self._bytes += sum(len(text.encode()) for text in texts) + _BYTES_OF_SCHEMA

    def planned(self, now: datetime) -> OpenBatch:
        return OpenBatch(
            key=self.key,
            model=self.requests[0].request.model,
            planned=now,
            pages=tuple(self._pages),
            questions=tuple(self._questions),
        )


def _question_id(request: Request, page: Page) -> str:
    """A name that follows from what is asked, whichever run asks it."""
    ids = ",".join(short_name(movie.key) for movie in page.movies)
    asked = "\0".join((request.model, request.collection, ids, request.movies))
    return f"kai-{hashlib.sha256(asked.encode()).hexdigest()[:40]}"
