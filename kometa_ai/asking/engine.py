"""Ask all questions: order, concurrency, retries, halving, what was spent. Nothing that was answered is ever lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import structlog
from structlog.contextvars import bound_contextvars

from kometa_ai.asking import forecast
from kometa_ai.asking.answers import read_answer
from kometa_ai.asking.outcomes import SAME_FAILURES, UNREADABLE, Answered, Gap, Limits, Page, Spent
from kometa_ai.asking.pacing import Budget, Pauses, Places, Sleep, is_worth_another_try
from kometa_ai.asking.prompts import FORM, collection_text
from kometa_ai.asking.stopping import StopRequest
from kometa_ai.core.collection import Collection
from kometa_ai.core.decision import request_id
from kometa_ai.core.text import one_line
from kometa_ai.errors import CheckClaude
from kometa_ai.judging.packing import Block, second_looks
from kometa_ai.providers import prices
from kometa_ai.providers.port import RETRIED, Failure, Provider, Reply, ReplyEnd, Request, RequestFailed, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence

    from kometa_ai.core.movie import Movie, TmdbId
    from kometa_ai.core.naming import Slug

_MOST_OF_ONE = 3

T = TypeVar("T")

_log = structlog.get_logger()


class _Over(Exception):
    """Nothing more may be asked."""


class _Question(NamedTuple):
    """What is asked about a page, and how; `begun` is called when its answer has begun."""

    collection: Collection
    cache: bool = False
    second_look: bool = False
    begun: Callable[[], None] | None = None

    @property
    def reads(self) -> bool:
        """Whether it reads from the cache what another has written."""
        return self.cache and self.begun is None

    def of_a_part(self) -> _Question:
        """The same about some movies of the page, which nobody else asks about like this."""
        return self._replace(cache=False, begun=None)


class Asker:
    """Asks questions of one run. `record` is called with verdicts the moment they arrive.

    After `ask` and `look_again`: `spent` by collection, `gaps`, `unknown_ids` (ids that were never sent), why the
    asking ended early, if it did (`stopped`), models that were not asked because their price is not known while the
    costs are limited (`unpriced`), models of which a verdict could be read (`read_models`), how many requests were paid
    for, or may have been, without bringing a verdict, by what became of them (`wasted`), and how many requests that
    should read the movies from the cache did and did not (`cache_reads`).
    """

    def __init__(
        self,
        provider: Provider,
        *,
        model: str,
        review_model: str,
        limits: Limits,
        record: Callable[[Answered], None],
        stop: StopRequest | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._model = model
        self._review_model = review_model
        self._record = record
        self.budget = Budget(limits.max_cost)
        self._pauses = Pauses(sleep)
        self._concurrency = limits.concurrency
        self._places = Places(limits.concurrency)
        self._skipped: set[Slug] = set()
        self._culprits: set[TmdbId] = set()
        self._with_cached_system: set[str] = set()
        self._failing_with: Failure | None = None
        self._in_a_row: Counter[Slug | TmdbId] = Counter()
        self._unreadable_in_a_row = 0
        self.spent: dict[Slug, Spent] = {}
        self.gaps: list[Gap] = []
        self.unknown_ids: Counter[Slug] = Counter()
        self.cache_reads: Counter[bool] = Counter()
        self.read_models: set[str] = set()
        self.wasted: Counter[str] = Counter()
        self.stopped: Exception | None = None
        self.out_of_budget = False
        self.dearest = 0.0
        self.unpriced: set[str] = set()
        self.ended: str = ""
        self._stop = stop or StopRequest()
        self._stop.listen(self.end)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that are asked."""
        return tuple(dict.fromkeys((self._model, self._review_model)))

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be asked in this run."""
        return bool(self.stopped or self.out_of_budget or self.ended)

    def end(self, why: str) -> None:
        """Ask nothing more; answers on their way are still taken."""
        self.ended = self.ended or why
        self._pauses.end()

    def stop(self, error: Exception) -> None:
        """Ask nothing more, because every question would fail like this."""
        self.stopped = self.stopped or error
        self._pauses.end()

    async def ask(self, blocks: Sequence[Block]) -> None:
        """Ask about each block for each of its collections; blocks run side by side, in their order."""
        if not self._can_ask(self._model, sum(len(block.collections) for block in blocks)):
            return
        waiting = iter(blocks)
        await self._together(self._work(waiting) for _ in range(min(self._concurrency, len(blocks))))

    async def look_again(self, due: Sequence[tuple[Collection, Sequence[Movie]]]) -> None:
        """Give movies near the threshold their second look: small requests about one collection."""
        blocks = second_looks(due)
        if self._can_ask(self._review_model, len(blocks)):
            await self._together(self._ask_block(block, second_look=True) for block in blocks)

    def _can_ask(self, model: str, requests: int) -> bool:
        """Whether so many requests to a model can be sent at all; nobody knows what one without a price would cost."""
        if requests and self.budget.is_limited and not prices.is_priced(model):
            self.unpriced.add(model)
            return False
        if requests > self._concurrency:
            # Fewer could all go at once, and each would write the system prompt to the cache for nobody.
            self._with_cached_system.add(model)
        return True

    async def _together(self, work: Iterable[Coroutine[None, None, T]]) -> list[T]:
        """Work side by side. Errors end the asking, and are raised when what is on its way has been recorded."""
        # A task group would cancel the others, whose answers are paid for.
        outcomes = await asyncio.gather(*map(self._guarded, work), return_exceptions=True)
        if errors := [outcome for outcome in outcomes if isinstance(outcome, BaseException)]:
            raise BaseExceptionGroup("asking", errors)
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    async def _guarded(self, work: Coroutine[None, None, T]) -> T:
        try:
            return await work
        except BaseException as error:
            self.end(f"{type(error).__name__}: {error}")
            raise

    async def _work(self, waiting: Iterator[Block]) -> None:
        for block in waiting:
            if self.is_over:
                return
            await self._ask_block(block)

    async def _ask_block(self, block: Block, *, second_look: bool = False) -> None:
        """Ask about a block for all its collections, and about movies known to spoil an answer one by one."""
        spoiling = [movie for movie in block.movies if movie.tmdb_id in self._culprits]
        rest = tuple(movie for movie in block.movies if movie.tmdb_id not in self._culprits)
        for movies in (rest, *((movie,) for movie in spoiling)):
            if movies and not self.is_over:
                left = await self._ask_shared(block._replace(movies=movies), second_look=second_look)
                if left:
                    await self._ask_block(Block(movies, left), second_look=second_look)

    async def _ask_shared(self, block: Block, *, second_look: bool) -> tuple[Collection, ...]:
        """Ask about the movies of a block together; return the collections for which that is still to be done.

        The first request goes alone: the others read from the cache what it has written, which they can as soon as
        its answer has begun. A refusal has no beginning, as a rule, and the others wait until it is known which movie
        it is for. Where no answer begins there is nothing to read: the next collection is the first then.
        """
        page = Page.of(block.movies)
        first, *others = block.collections
        cache = bool(others) and self._provider.caches(FORM.tokens + prices.tokens_in(page.text), self._model)
        search = asyncio.Lock()
        go_on = asyncio.Event()
        has_begun = False

        def begin() -> None:
            nonlocal has_begun
            has_begun = True
            go_on.set()

        async def lead() -> bool:
            try:
                return await self._ask_page(
                    page, _Question(first, cache, second_look, begin if others else None), search
                )
            finally:
                go_on.set()

        async def follow(collection: Collection) -> bool:
            await go_on.wait()
            if not has_begun:
                return False
            return await self._ask_page(page, _Question(collection, cache, second_look), search)

        settled = await self._together((lead(), *map(follow, others)))
        return tuple(
            collection for collection, is_settled in zip(block.collections, settled, strict=True) if not is_settled
        )

    async def _ask_page(self, page: Page, question: _Question, search: asyncio.Lock) -> bool:
        """Ask about a page; return False where it is known by now that it must be asked about in parts.

        Where no answer comes it is halved. When neither half is answered, the collection is skipped; when only one
        is, something in the other is the cause, and it is halved on until the movie stands alone. Of the questions
        about one block only one searches at a time: what it finds spares the others a dozen requests each.
        """
        # A page keeps its place until it is done with: while Claude does not answer, the others would only run into the
        # same wall, each from its first try, and what is missing would wait behind lower priorities.
        async with self._places:
            with bound_contextvars(collection_name=question.collection.name), suppress(_Over):
                if self._is_spoiled(page):
                    return False
                failed = await self._attempt(page, question)
                if failed is not None:
                    async with search:
                        if self._is_spoiled(page):
                            return False
                        await self._halve(page, question, failed)
        return True

    def _is_spoiled(self, page: Page) -> bool:
        return len(page.movies) > 1 and any(movie.tmdb_id in self._culprits for movie in page.movies)

    async def _halve(self, page: Page, question: _Question, failed: RequestFailed) -> None:
        is_partly_answered = False
        while len(page.movies) > 1:
            outcomes = [(half, await self._attempt(half, question.of_a_part())) for half in page.halves()]
            failures = [(half, failure) for half, failure in outcomes if failure is not None]
            if not failures:
                return
            if len(failures) > 1:
                break
            is_partly_answered = True
            page, failed = failures[0]
        self._give_up(page, question, failed, is_partly_answered=is_partly_answered)

    def _give_up(self, page: Page, question: _Question, failed: RequestFailed, *, is_partly_answered: bool) -> None:
        """Leave a page for the next run, and draw the conclusions."""
        collection = question.collection
        self._leave(page.movies, question, failed)
        if len(page.movies) == 1:
            self._culprits.add(page.movies[0].tmdb_id)
        elif not is_partly_answered:
            self._skipped.add(collection.slug)
        if failed.failure not in RETRIED and not is_partly_answered:
            self._count_failure(failed, page, collection)

    async def _attempt(self, page: Page, question: _Question) -> RequestFailed | None:
        """Ask about a page once, and once more about movies the answer leaves out; return why no answer came.

        Of an answer that broke off the whole entries are kept, and only the others are asked about again, as often as
        a question is tried that brings nothing.
        """
        left, tries, times_left_out = page, 0, 0
        while True:
            tries += 1
            try:
                missing, cut = await self._ask_once(left, question)
            except RequestFailed as failure:
                self._note(failure, left, question.collection)
                why = failure
                break
            if not missing:
                return None
            left, question = Page.of(missing), question.of_a_part()
            if cut is not None and is_worth_another_try(cut, tries):
                continue
            why = cut or RequestFailed(Failure.UNREADABLE, "Claude's answers left them out twice.")
            times_left_out += 1
            if cut is not None or times_left_out > 1:
                break
        if len(left.movies) == len(page.movies):
            return why
        self._leave(left.movies, question, why)
        return None

    def _note(self, failure: RequestFailed, page: Page, collection: Collection) -> None:
        _log.info("claude.failed", failure=failure.failure, message=str(failure))
        if failure.failure in RETRIED:
            self._count_failure(failure, page, collection)

    async def _ask_once(self, page: Page, question: _Question) -> tuple[tuple[Movie, ...], RequestFailed | None]:
        """Ask until there is an answer, and record its verdicts. Return the movies without one, and how it broke off.

        Raise RequestFailed where no verdict came.
        """
        model = self._model_for(question)
        request = Request(
            form=FORM,
            movies=page.text,
            collection=collection_text(question.collection, second_look=question.second_look),
            model=model,
            cache=question.cache,
            cache_system=model in self._with_cached_system,
            expected_tokens=4000 + 80 * len(page.movies),
        )
        tries = 0
        while True:
            tries += 1
            pieces: list[Reply] = []
            try:
                reply = await self._send(request, question, pieces.append)
            except RequestFailed as failure:
                missing = self._keep(page, question, pieces)
                again = is_worth_another_try(failure, tries)
                if again:
                    self._wait(failure, tries)
                elif failure.failure is Failure.UNREADABLE:
                    self._count_unreadable(failure)
                if missing is not None:
                    return missing, failure
                if again or (failure.is_asked_otherwise_now and not self.is_over):
                    continue
                raise
            except BaseException:
                self._keep(page, question, pieces)
                raise
            return self._read_whole(page, question, reply), None

    def _keep(self, page: Page, question: _Question, pieces: Sequence[Reply]) -> tuple[Movie, ...] | None:
        """Record what is whole of an answer that broke off; return the movies without a verdict, or None for all."""
        for piece in pieces:
            missing = self._read(page, question, piece.text)
            if len(missing) < len(page.movies):
                _log.info("claude.kept", verdicts=len(page.movies) - len(missing), missing=len(missing))
                return missing
        return None

    def _read_whole(self, page: Page, question: _Question, reply: Reply) -> tuple[Movie, ...]:
        """Record the verdicts of an answer; return the movies without one. Raise RequestFailed where it has none."""
        if question.reads:
            self.cache_reads[reply.usage.cache_read_tokens > prices.tokens_in(page.text) / 2] += 1
        if reply.ending is ReplyEnd.REFUSED:
            self._unreadable_in_a_row = 0
            raise RequestFailed(Failure.REFUSED, "Claude declined to answer.")
        missing = self._read(page, question, reply.text)
        if len(missing) == len(page.movies):
            why = RequestFailed(Failure.UNREADABLE, UNREADABLE)
            _log.warning("claude.unreadable", answer=one_line(reply.text, 2000))
            self.wasted[str(why)] += 1
            self._count_unreadable(why)
            if len(page.movies) > 1:
                raise why
        return missing

    def _read(self, page: Page, question: _Question, text: str) -> tuple[Movie, ...]:
        """Record the verdicts of a text, and return the movies without one."""
        collection, model = question.collection, self._model_for(question)
        by_number = dict(enumerate(page.movies, start=1))
        standing = {number for number, movie in by_number.items() if collection.label in movie.labels}
        reading = read_answer(text, by_number.keys(), standing)
        self.unknown_ids[collection.slug] += len(reading.unknown)
        if reading.verdicts:
            self._in_a_row.clear()
            self._unreadable_in_a_row = 0
            self.read_models.add(model)
            self._spent(collection).answers += len(reading.verdicts)
            verdicts = {by_number[number].tmdb_id: verdict for number, verdict in reading.verdicts.items()}
            request = request_id((movie.tmdb_id for movie in page.movies), collection.slug)
            self._record(Answered(collection, verdicts, question.second_look, model, request=request))
        return tuple(by_number[number] for number in sorted(reading.missing))

    def _model_for(self, question: _Question) -> str:
        return self._review_model if question.second_look else self._model

    def _wait(self, failure: RequestFailed, tries: int) -> None:
        """Let everybody wait before anything is sent again."""
        self._places.shrink()
        wait = self._pauses.begin(failure, tries)
        _log.info("claude.waiting", seconds=round(wait, 1), failure=failure.failure)

    @contextmanager
    def _is_on_its_way(self) -> Iterator[None]:
        self._stop.in_flight += 1
        try:
            yield
        finally:
            self._stop.in_flight -= 1

    async def _send(self, request: Request, question: _Question, broken: Callable[[Reply], None]) -> Reply:
        """Send a request once, and book what it costs, whatever becomes of it."""
        collection = question.collection
        self._check_open(collection)
        priced = forecast.most(request)
        estimate = (priced if self.budget.is_limited else None) or 0.0
        if not await self.budget.reserve(estimate):
            self.out_of_budget = True
            self.dearest = max(self.dearest, estimate)
            self._pauses.end()
            raise _Over
        pieces: list[Reply] = []
        # Where nothing is heard of a request again, or of what it used, it may have been paid for.
        actual, is_sent = estimate, False

        def piece(reply: Reply) -> None:
            pieces.append(reply)
            broken(reply)

        try:
            await self._pauses.pass_by()
            self._check_open(collection)
            started, is_sent = asyncio.get_running_loop().time(), True
            with self._is_on_its_way():
                reply = await self._provider.ask(request, question.begun, piece)
            seconds = asyncio.get_running_loop().time() - started
            price = prices.cost(reply.usage, request.model) if reply.usage.is_known else None
            actual = estimate if price is None else price
        except RequestFailed as failure:
            if failure.may_be_billed:
                self._book_unclear(collection, pieces, priced, request.model, str(failure))
            else:
                actual = 0.0
            raise
        except _Over:
            actual = 0.0
            raise
        except CheckClaude as error:
            actual = self._book_unclear(collection, pieces, priced, request.model, error.message) if pieces else 0.0
            self.stop(error)
            raise _Over from error
        except asyncio.CancelledError:
            if is_sent:
                self._book_unclear(collection, pieces, priced, request.model, "The run ended before it was answered.")
            raise
        finally:
            self.budget.settle(estimate, actual)
        self._spent(collection).add(reply.usage, price, seconds)
        self._places.grow()
        self._pauses.hold(reply.pause)
        return reply

    def _book_unclear(
        self, collection: Collection, pieces: Sequence[Reply], most: float | None, model: str, why: str
    ) -> float:
        """Count a request that may be billed: with what has arrived of it, or with the most it may have cost."""
        usage = next((piece.usage for piece in pieces if piece.usage.is_known), Usage(requests=1))
        cost = prices.cost(usage, model) if usage.is_known else most
        self._spent(collection).add_unclear(usage, cost)
        self.wasted[why] += 1
        return cost or 0.0

    def _check_open(self, collection: Collection) -> None:
        if self.is_over or collection.slug in self._skipped:
            raise _Over

    def _spent(self, collection: Collection) -> Spent:
        return self.spent.setdefault(collection.slug, Spent())

    def _count_failure(self, failure: RequestFailed, page: Page, collection: Collection) -> None:
        """Count failures of one kind in a row; five of them end the asking.

        Neither one collection nor one movie alone does that: several requests about it may be on their way when it
        begins to fail, and the others can go on without it. Where the question is to blame (a refusal, say) each counts
        once, when nothing of a page was answered: the halves of a refused page prove nothing new.
        """
        if self._failing_with is not failure.failure:
            self._failing_with = failure.failure
            self._in_a_row.clear()
        most = _MOST_OF_ONE if failure.failure in RETRIED else 1
        suspect = collection.slug if len(page.movies) > 1 else page.movies[0].tmdb_id
        self._in_a_row[suspect] = min(self._in_a_row[suspect] + 1, most)
        count = self._in_a_row.total()
        if count >= SAME_FAILURES and not self.is_over:
            what = f"{count} requests in a row failed alike ({failure.failure}): {failure}"
            self.stop(RequestFailed(failure.failure, what))

    def _count_unreadable(self, failure: RequestFailed) -> None:
        """Count answers in a row without a verdict, whatever they were about; five of them end the asking.

        Each costs money, and where one follows the other it is the endpoint that does not answer as Claude does.
        """
        self._unreadable_in_a_row += 1
        if self._unreadable_in_a_row >= SAME_FAILURES and not self.is_over:
            what = f"{self._unreadable_in_a_row} answers in a row could not be read ({failure.failure}): {failure}"
            self.stop(RequestFailed(failure.failure, what))

    def _leave(self, movies: tuple[Movie, ...], question: _Question, failed: RequestFailed) -> None:
        self.gaps.append(
            Gap(
                collection=question.collection.slug,
                movies=movies,
                failure=failed.failure,
                message=str(failed),
                model=self._model_for(question),
            )
        )
