"""Ask all questions: order, concurrency, retries, halving, what was spent. Nothing that was answered is ever lost."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import structlog

from kometa_ai.classifier import prices
from kometa_ai.classifier.answers import read_answer
from kometa_ai.classifier.prompts import SECOND_LOOK_SIZE, SYSTEM, collection_text, movies_text
from kometa_ai.classifier.provider import (
    RETRIED,
    Ending,
    Failure,
    Provider,
    Reply,
    Request,
    RequestFailed,
    Usage,
)
from kometa_ai.errors import CheckClaude

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from kometa_ai.classifier.planning import Block
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Verdict
    from kometa_ai.core.movie import Movie, TmdbId
    from kometa_ai.core.naming import Slug

FIRST_WAIT, LONGEST_WAIT, LONGEST_RETRY_AFTER = 1.0, 30.0, 300.0
TRIES = {Failure.RATE_LIMITED: 10, Failure.OVERLOADED: 10, Failure.SERVER_ERROR: 6, Failure.NO_CONNECTION: 6}
SAME_FAILURES = 5
"""This many failures of one kind in a row end the asking."""
_MOST_OF_ONE = 3

_log = structlog.get_logger()


class Answered(NamedTuple):
    """Verdicts that have just arrived, of one collection."""

    collection: Collection
    verdicts: Mapping[TmdbId, Verdict]
    second_look: bool
    model: str


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Movies that could not be judged for a collection, and why."""

    collection: Slug
    movies: tuple[Movie, ...]
    failure: Failure
    message: str


class Spent(msgspec.Struct, kw_only=True):
    """What was used. `cost` is in USD and leaves out requests to models without a known price (`unpriced`)."""

    usage: Usage = Usage()
    cost: float = 0.0
    unpriced: int = 0
    answers: int = 0

    def add(self, usage: Usage, cost: float | None) -> None:
        """Count one request."""
        self.usage += usage
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may be asked: requests side by side, USD in this run (0 = no limit)."""

    concurrency: int = 4
    max_cost: float = 0.0


class Budget:
    """USD reserved before a request is sent and settled after, so that requests side by side cannot overrun it."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._committed = 0.0

    def reserve(self, estimate: float | None) -> bool:
        """Whether there is room for the estimate; it is taken if so. A model without a price has room for nothing."""
        if not self._limit:
            return True
        if estimate is None or self._committed + estimate > self._limit:
            return False
        self._committed += estimate
        return True

    def settle(self, estimate: float | None, actual: float | None) -> None:
        """Put what a request really cost in the place of its reservation."""
        if self._limit:
            self._committed += (actual or 0.0) - (estimate or 0.0)


class Page(NamedTuple):
    """Movies as they are sent together: numbered from 1 in this order."""

    movies: tuple[Movie, ...]
    text: str

    @classmethod
    def of(cls, movies: Iterable[Movie]) -> Page:
        """Write the movies down."""
        movies = tuple(movies)
        return cls(movies, movies_text(movies))

    def halves(self) -> tuple[Page, Page]:
        """The same movies on two pages."""
        middle = (len(self.movies) + 1) // 2
        return Page.of(self.movies[:middle]), Page.of(self.movies[middle:])


class Sleep(Protocol):
    """Wait for some seconds."""

    def __call__(self, seconds: float, /) -> Awaitable[None]:
        """As asyncio.sleep."""
        ...


class _Over(Exception):
    """Nothing more may be asked."""


class Asker:
    """Asks questions of one run. `record` is called with verdicts the moment they arrive.

    After `ask` and `look_again`: `spent` by collection, `gaps`, `unknown_ids` (ids that were never sent), and why the
    asking ended early, if it did (`stopped`).
    """

    def __init__(
        self,
        provider: Provider,
        *,
        model: str,
        review_model: str,
        limits: Limits,
        record: Callable[[Answered], None],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._model = model
        self._review_model = review_model
        self._record = record
        self._sleep = sleep
        self._budget = Budget(limits.max_cost)
        self._concurrency = limits.concurrency
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._resume_at = 0.0
        self._skipped: set[Slug] = set()
        self._failing_with: Failure | None = None
        self._in_a_row: Counter[Slug] = Counter()
        self.spent: dict[Slug, Spent] = {}
        self.gaps: list[Gap] = []
        self.unknown_ids: Counter[Slug] = Counter()
        self.stopped: Exception | None = None
        self.out_of_budget = False
        self.ended: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be asked in this run."""
        return bool(self.stopped or self.out_of_budget or self.ended)

    def end(self, why: str) -> None:
        """Ask nothing more; answers on their way are still taken."""
        self.ended = self.ended or why

    async def ask(self, blocks: Sequence[Block]) -> None:
        """Ask about each block for each of its collections; blocks run side by side, in their order."""
        waiting = iter(blocks)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency, len(blocks))):
                group.create_task(self._work(waiting))

    async def look_again(self, due: Sequence[tuple[Collection, Sequence[Movie]]]) -> None:
        """Give movies near the threshold their second look: small requests about one collection."""
        async with asyncio.TaskGroup() as group:
            for collection, movies in due:
                for start in range(0, len(movies), SECOND_LOOK_SIZE):
                    page = Page.of(movies[start : start + SECOND_LOOK_SIZE])
                    group.create_task(self._ask_page(page, collection, cache=False, second_look=True))

    async def _work(self, waiting: Iterator[Block]) -> None:
        for block in waiting:
            if self.is_over:
                return
            await self._ask_block(block)

    async def _ask_block(self, block: Block) -> None:
        page = Page.of(block.movies)
        first, *others = block.collections
        cache = bool(others) and self._provider.caches(prices.tokens_in(page.text), self._model)
        # The others read from the cache what the first has written, which they can only once its answer has begun.
        await self._ask_page(page, first, cache=cache)
        async with asyncio.TaskGroup() as group:
            for collection in others:
                group.create_task(self._ask_page(page, collection, cache=cache))

    async def _ask_page(self, page: Page, collection: Collection, *, cache: bool, second_look: bool = False) -> None:
        """Ask about a page; where no answer comes, halve it, and skip the collection when neither half is answered.

        When only one half fails, something in it is the cause: it is halved on until that movie stands alone.
        """
        try:
            failed = await self._attempt(page, collection, cache=cache, second_look=second_look)
            while failed is not None and len(page.movies) > 1:
                outcomes = [
                    (half, await self._attempt(half, collection, cache=False, second_look=second_look))
                    for half in page.halves()
                ]
                failures = [(half, failure) for half, failure in outcomes if failure is not None]
                if len(failures) > 1:
                    self._skipped.add(collection.slug)
                    break
                page, failed = failures[0] if failures else (page, None)
            if failed is not None:
                self._leave(page, collection, failed)
        except _Over:
            return

    async def _attempt(
        self, page: Page, collection: Collection, *, cache: bool, second_look: bool, again: bool = False
    ) -> RequestFailed | None:
        """Ask about a page once, and once more about movies the answer leaves out; return why no answer came."""
        if collection.slug in self._skipped:
            raise _Over
        try:
            missing = await self._question(page, collection, cache=cache, second_look=second_look)
        except RequestFailed as failure:
            _log.info("claude.failed", collection_name=collection.name, failure=failure.failure, message=str(failure))
            self._count_failure(failure, collection)
            return failure
        self._in_a_row.clear()
        if missing and again:
            left_out = RequestFailed(Failure.UNREADABLE, "Claude's answers left them out twice.")
            self._leave(Page(missing, ""), collection, left_out)
        elif missing:
            smaller = Page.of(missing)
            failed = await self._attempt(smaller, collection, cache=False, second_look=second_look, again=True)
            if failed is not None:
                self._leave(smaller, collection, failed)
        return None

    async def _question(
        self, page: Page, collection: Collection, *, cache: bool, second_look: bool
    ) -> tuple[Movie, ...]:
        """Ask, record the verdicts, and return the movies without one. Raise RequestFailed where there is none."""
        model = self._review_model if second_look else self._model
        request = Request(
            movies=page.text,
            collection=collection_text(collection, second_look=second_look),
            model=model,
            cache=cache,
            expected_tokens=4000 + 80 * len(page.movies),
        )
        reply = await self._send(request, collection)
        if reply.ending is Ending.REFUSED:
            raise RequestFailed(Failure.REFUSED, "Claude declined to answer.")
        by_number = dict(enumerate(page.movies, start=1))
        standing = {number for number, movie in by_number.items() if collection.label in movie.labels}
        reading = read_answer(reply.text, by_number.keys(), standing)
        if not reading.verdicts:
            _log.warning("claude.unreadable", collection_name=collection.name, answer=reply.text[:2000])
            raise RequestFailed(Failure.UNREADABLE, "Claude's answer holds no verdict that could be read.")
        self.unknown_ids[collection.slug] += len(reading.unknown)
        self._spent(collection).answers += len(reading.verdicts)
        verdicts = {by_number[number].tmdb_id: verdict for number, verdict in reading.verdicts.items()}
        self._record(Answered(collection, verdicts, second_look, model))
        return tuple(by_number[number] for number in sorted(reading.missing))

    async def _send(self, request: Request, collection: Collection) -> Reply:
        """Send a request until it is answered, waiting together with all others where Claude asks for it."""
        tries = 0
        while True:
            tries += 1
            try:
                return await self._send_once(request, collection)
            except RequestFailed as failure:
                if failure.failure not in RETRIED or tries >= TRIES[failure.failure]:
                    raise
                await self._back_off(failure, tries)

    async def _back_off(self, failure: RequestFailed, tries: int) -> None:
        wait = min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT) * random.uniform(0.75, 1.0)  # noqa: S311 - jitter
        if failure.retry_after is not None:
            wait = max(wait, min(failure.retry_after, LONGEST_RETRY_AFTER))
        if failure.failure in {Failure.RATE_LIMITED, Failure.OVERLOADED}:
            self._resume_at = max(self._resume_at, time.monotonic() + wait)
        _log.info("claude.waiting", seconds=round(wait, 1), failure=failure.failure)
        await self._sleep(wait)

    async def _send_once(self, request: Request, collection: Collection) -> Reply:
        async with self._slots:
            if (pause := self._resume_at - time.monotonic()) > 0:
                await self._sleep(pause)
            if self.is_over:
                raise _Over
            estimate = prices.cost(_forecast(request), request.model)
            if not self._budget.reserve(estimate):
                self.out_of_budget = True
                raise _Over
            actual: float | None = None
            try:
                reply = await self._provider.ask(request)
                actual = prices.cost(reply.usage, request.model)
            except CheckClaude as error:
                self.stopped = self.stopped or error
                raise _Over from error
            finally:
                self._budget.settle(estimate, actual)
        self._spent(collection).add(reply.usage, actual)
        return reply

    def _spent(self, collection: Collection) -> Spent:
        return self.spent.setdefault(collection.slug, Spent())

    def _count_failure(self, failure: RequestFailed, collection: Collection) -> None:
        """Count failures of one kind in a row; five of them end the asking.

        One collection alone never does: several of its requests may be on their way when it begins to fail, and the
        others can go on without it. What depends on the question (a refusal, say) counts once for each collection.
        """
        if self._failing_with is not failure.failure:
            self._failing_with = failure.failure
            self._in_a_row.clear()
        most = _MOST_OF_ONE if failure.failure in RETRIED else 1
        self._in_a_row[collection.slug] = min(self._in_a_row[collection.slug] + 1, most)
        count = self._in_a_row.total()
        if count >= SAME_FAILURES and not self.is_over:
            self.stopped = RequestFailed(
                failure.failure, f"{count} requests in a row failed alike ({failure.failure}): {failure}"
            )

    def _leave(self, page: Page, collection: Collection, failed: RequestFailed) -> None:
        self.gaps.append(
            Gap(collection=collection.slug, movies=page.movies, failure=failed.failure, message=str(failed))
        )


def _forecast(request: Request) -> Usage:
    """What a request may use: all input written to the cache if it is cached, and a usual answer."""
    tokens = prices.tokens_in(SYSTEM) + prices.tokens_in(request.movies) + prices.tokens_in(request.collection)
    movies = request.movies.count("\n") + 1
    return Usage(
        requests=1,
        input_tokens=0 if request.cache else tokens,
        cache_write_tokens=tokens if request.cache else 0,
        output_tokens=150 + 12 * movies,
    )
