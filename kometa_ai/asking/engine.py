"""Ask the questions of one run: one request a page fills the cache, the others follow; halve pages that fail."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import structlog
from structlog.contextvars import bound_contextvars

from kometa_ai.asking.answers import read_answer
from kometa_ai.asking.ending import Crashed, Unpriced
from kometa_ai.asking.pacing import Places, Sleep, is_worth_another_try
from kometa_ai.asking.pages import Page
from kometa_ai.asking.sending import UNREADABLE, Over, Sender
from kometa_ai.asking.tally import Answered, Gap
from kometa_ai.core.collection import Collection
from kometa_ai.core.decision import request_id
from kometa_ai.core.text import one_line
from kometa_ai.judging.packing import Packet, second_looks
from kometa_ai.providers import prices
from kometa_ai.providers.port import RETRIED, Failure, Provider, Reply, ReplyEnd, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence

    from kometa_ai.asking.ending import Course
    from kometa_ai.asking.pacing import Budget
    from kometa_ai.asking.tally import Tally
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.judging.looks import Models

T = TypeVar("T")

_log = structlog.get_logger()


class _Question(NamedTuple):
    """What is asked about a page, and how; `on_first_token` is given where others wait for the answer to begin."""

    collection: Collection
    cache: bool = False
    second_look: bool = False
    on_first_token: Callable[[], None] | None = None

    @property
    def reads(self) -> bool:
        """Whether it reads from the cache what another has written."""
        return self.cache and self.on_first_token is None

    def of_a_part(self) -> _Question:
        """The same about some movies of the page: no other request begins with these."""
        return self._replace(cache=False, on_first_token=None)


class _Lead:
    """Lets the other requests about a page follow as soon as the answer to the first one has begun."""

    def __init__(self) -> None:
        self.has_begun = False
        self._go_on = asyncio.Event()

    def begin(self) -> None:
        """The first answer has begun: what it has written to the cache can be read."""
        self.has_begun = True
        self._go_on.set()

    def end(self) -> None:
        """There is nothing more to wait for, whether or not it has begun."""
        self._go_on.set()

    async def wait(self) -> bool:
        """Wait, and say whether the answer has begun."""
        await self._go_on.wait()
        return self.has_begun


class Engine:
    """Asks the questions of one run directly. `record` is called with verdicts the moment they arrive.

    What else it brings is in the `tally`; how it came to its end, or is brought to it, is the `course`.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        models: Models,
        concurrency: int,
        budget: Budget,
        tally: Tally,
        course: Course,
        record: Callable[[Answered], None],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._models = models
        self._concurrency = concurrency
        self._budget = budget
        self._tally = tally
        self._course = course
        self._record = record
        self._places = Places(concurrency)
        self._sender = Sender(provider, budget=budget, places=self._places, tally=tally, course=course, sleep=sleep)
        self._poison_items: set[ItemKey] = set()
        self._with_cached_system: set[tuple[str, bool]] = set()

    @property
    def models(self) -> tuple[str, ...]:
        """The models that are asked."""
        return tuple(dict.fromkeys(self._models))

    async def ask(self, packets: Sequence[Packet]) -> None:
        """Ask about each packet for each of its collections; packets run side by side, in their order."""
        if self._can_ask(sum(len(packet.collections) for packet in packets), second_look=False):
            waiting = iter(packets)
            await self._together(self._work(waiting) for _ in range(min(self._concurrency, len(packets))))

    async def look_again(self, due: Sequence[tuple[Collection, Sequence[AnyItem]]]) -> None:
        """Give movies near the threshold their second look: small requests about one collection."""
        packets = second_looks(due)
        if self._can_ask(len(packets), second_look=True):
            await self._together(self._ask_packet(packet, second_look=True) for packet in packets)

    def _can_ask(self, requests: int, *, second_look: bool) -> bool:
        """Whether a model may be asked at all: one without a price cannot under a limit."""
        model = self._models.asked_for(second_look=second_look)
        if requests and self._budget.is_limited and not prices.is_priced(self._provider.traits(model)):
            self._course.end(Unpriced((model,)))
            return False
        if requests > self._concurrency:
            # Fewer could all go at once, and each would write the system prompt to the cache without being read.
            self._with_cached_system.add((model, second_look))
        return True

    # Order

    async def _together(self, work: Iterable[Coroutine[None, None, T]]) -> list[T]:
        """Work side by side. Errors end the asking, and are raised when requests in flight have been recorded."""
        # A task group would cancel the others, whose answers are paid for.
        outcomes = await asyncio.gather(*map(self._guarded, work), return_exceptions=True)
        if errors := [outcome for outcome in outcomes if isinstance(outcome, BaseException)]:
            raise BaseExceptionGroup("asking", errors)
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    async def _guarded(self, work: Coroutine[None, None, T]) -> T:
        try:
            return await work
        except BaseException as error:
            self._course.end(Crashed(f"{type(error).__name__}: {error}"))
            raise

    async def _work(self, waiting: Iterator[Packet]) -> None:
        for packet in waiting:
            if self._course.is_over:
                return
            await self._ask_packet(packet)

    async def _ask_packet(self, packet: Packet, *, second_look: bool = False) -> None:
        """Ask about a packet for all its collections, and about movies known to spoil an answer one by one.

        The first request goes alone: the others read from the cache what it has written, which they can as soon as
        its answer has begun. A refusal has no beginning, as a rule, and the others wait until it is known which movie
        it is for. Where no answer begins there is nothing to read: the next collection is the first then.
        """
        poison = [movie for movie in packet.movies if movie.key in self._poison_items]
        rest = tuple(movie for movie in packet.movies if movie.key not in self._poison_items)
        for movies in (rest, *((movie,) for movie in poison)):
            if not movies or self._course.is_over:
                continue
            page, lead, search = Page.of(movies), _Lead(), asyncio.Lock()
            first, *others = packet.collections
            cache = bool(others) and self._provider.traits(self._models.asked_for(second_look=second_look)).caches(
                page.form(second_look=second_look).tokens + prices.tokens_in(page.text)
            )
            leading = _Question(first, cache, second_look, lead.begin if others else None)
            following = [_Question(collection, cache, second_look) for collection in others]
            settled = await self._together(
                [
                    self._lead(lead, page, leading, search),
                    *(self._follow(lead, page, question, search) for question in following),
                ]
            )
            left = [one for one, is_settled in zip(packet.collections, settled, strict=True) if not is_settled]
            if left:
                await self._ask_packet(Packet(movies, tuple(left)), second_look=second_look)

    async def _lead(self, lead: _Lead, page: Page, question: _Question, search: asyncio.Lock) -> bool:
        try:
            return await self._ask_page(page, question, search)
        finally:
            lead.end()

    async def _follow(self, lead: _Lead, page: Page, question: _Question, search: asyncio.Lock) -> bool:
        return await lead.wait() and await self._ask_page(page, question, search)

    # Parts

    async def _ask_page(self, page: Page, question: _Question, search: asyncio.Lock) -> bool:
        """Ask about a page; return False where it is known by now that it must be asked about in parts.

        Where no answer comes it is halved. When neither half is answered, the collection is skipped; when only one
        is, something in the other is the cause, and it is halved on until the movie stands alone. Of the questions
        about one packet only one searches at a time: what it finds spares the others a dozen requests each.
        """
        # A page keeps its place until it is done with: while no answer comes, the others would only run into the
        # same wall, each from its first try, and what is missing would wait behind lower priorities.
        async with self._places:
            with bound_contextvars(collection_name=question.collection.name), suppress(Over):
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
        return len(page.movies) > 1 and any(movie.key in self._poison_items for movie in page.movies)

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
        self._leave(page, question, failed)
        if len(page.movies) == 1:
            self._poison_items.add(page.movies[0].key)
        elif not is_partly_answered:
            self._sender.skip(question.collection.key)
        if failed.failure not in RETRIED and not is_partly_answered:
            self._count_failure(failed, page, question)

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
                _log.info("model.failed", failure=failure.failure, message=str(failure))
                if failure.failure in RETRIED:
                    self._count_failure(failure, left, question)
                why = failure
                break
            if not missing:
                return None
            left, question = Page.of(missing), question.of_a_part()
            if cut is not None and is_worth_another_try(cut, tries):
                continue
            why = cut or RequestFailed(Failure.UNREADABLE, "The model's answers left them out twice.")
            times_left_out += 1
            if cut is not None or times_left_out > 1:
                break
        if len(left.movies) == len(page.movies):
            return why
        self._leave(left, question, why)
        return None

    async def _ask_once(self, page: Page, question: _Question) -> tuple[tuple[AnyItem, ...], RequestFailed | None]:
        """Send until there is an answer, and record its verdicts. Return the movies without one, and how it broke off.

        Raise RequestFailed where no verdict came.
        """
        missing = page.movies

        def take(broken: Reply) -> bool:
            nonlocal missing
            missing = self._read(page, question, broken.text)
            found = len(page.movies) - len(missing)
            if found:
                _log.info("model.kept", verdicts=found, missing=len(missing))
            return bool(found)

        model = self._model_for(question)
        request = page.request(
            (question.collection,),
            model,
            second_look=question.second_look,
            cache=question.cache,
            cache_system=(model, question.second_look) in self._with_cached_system,
        )
        try:
            reply = await self._sender.send(request, question.collection.key, question.on_first_token, take)
        except RequestFailed as failure:
            if len(missing) == len(page.movies):
                raise
            return missing, failure
        return self._read_whole(page, question, reply), None

    # Answers

    def _read_whole(self, page: Page, question: _Question, reply: Reply) -> tuple[AnyItem, ...]:
        """Record the verdicts of an answer; return the movies without one. Raise RequestFailed where it has none."""
        if question.reads:
            self._tally.cache_reads[reply.usage.cache_read_tokens > prices.tokens_in(page.text) / 2] += 1
        if reply.ending is ReplyEnd.REFUSED:
            self._sender.breaker.refused()
            raise RequestFailed(Failure.REFUSED, "The model declined to answer.")
        missing = self._read(page, question, reply.text)
        if len(missing) == len(page.movies):
            why = RequestFailed(Failure.UNREADABLE, UNREADABLE)
            _log.warning("model.unreadable", answer=one_line(reply.text, 2000))
            self._tally.wasted[str(why)] += 1
            self._sender.breaker.unreadable(why)
            if len(page.movies) > 1:
                raise why
        return missing

    def _read(self, page: Page, question: _Question, text: str) -> tuple[AnyItem, ...]:
        """Record the verdicts of a text, and return the movies without one."""
        collection, model = question.collection, self._model_for(question)
        by_number = dict(enumerate(page.movies, start=1))
        standing = {number for number, movie in by_number.items() if collection.label in movie.labels}
        reading = read_answer(text, by_number.keys(), standing)
        self._tally.unknown_ids[collection.key] += len(reading.unknown)
        if reading.verdicts:
            self._sender.breaker.answered()
            self._tally.read_models.add(model)
            self._tally.spent_on(collection.key).answers += len(reading.verdicts)
            verdicts = {by_number[number].key: verdict for number, verdict in reading.verdicts.items()}
            request = request_id((movie.key for movie in page.movies), collection.slug)
            self._record(Answered(collection, verdicts, question.second_look, model, request=request))
        return tuple(by_number[number] for number in sorted(reading.missing))

    def _model_for(self, question: _Question) -> str:
        return self._models.asked_for(second_look=question.second_look)

    def _count_failure(self, failure: RequestFailed, page: Page, question: _Question) -> None:
        is_alone = len(page.movies) == 1
        self._sender.breaker.failed(failure, page.movies[0].key if is_alone else question.collection.key)

    def _leave(self, page: Page, question: _Question, failed: RequestFailed) -> None:
        self._tally.gaps.append(
            Gap(
                collection=question.collection.key,
                movies=page.movies,
                failure=failed.failure,
                message=str(failed),
                model=self._model_for(question),
            )
        )
