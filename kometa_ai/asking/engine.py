"""Ask the questions of one run: one request a page fills the cache, the others follow; cut up what fails.

A request is about several collections where the rules and the model allow it. One that fails falls apart into requests
about one collection each, and a page that fails for one of them is halved.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import structlog
from structlog.contextvars import bound_contextvars

from kometa_ai.asking.answers import read_answer, read_answers
from kometa_ai.asking.ending import Crashed, Unpriced
from kometa_ai.asking.layout import group_size, groups, is_page_cached
from kometa_ai.asking.pacing import Places, Sleep, is_worth_another_try
from kometa_ai.asking.pages import Page
from kometa_ai.asking.sending import UNREADABLE, Over, Sender, Suspects
from kometa_ai.asking.tally import Answered, Gap
from kometa_ai.core.collection import Collection
from kometa_ai.core.decision import request_id
from kometa_ai.core.text import one_line
from kometa_ai.judging.looks import SECOND_LOOK_SIZE
from kometa_ai.judging.packing import Packet, second_looks
from kometa_ai.judging.wariness import addresses_a_reader
from kometa_ai.providers import prices
from kometa_ai.providers.port import RETRIED, Failure, Provider, Reply, ReplyEnd, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence

    from kometa_ai.asking.answers import Reading
    from kometa_ai.asking.ending import Course
    from kometa_ai.asking.pacing import Budget
    from kometa_ai.asking.tally import Tally
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.judging.looks import Models

T = TypeVar("T")

_log = structlog.get_logger()


class _Question(NamedTuple):
    """What is asked about a page, and how; `on_first_token` is given where others wait for the answer to begin.

    Collections are `numbered` where the packet is asked about in groups, also where a group is only one of them.
    """

    collections: tuple[Collection, ...]
    cache: bool = False
    second_look: bool = False
    on_first_token: Callable[[], None] | None = None
    numbered: bool = False

    @property
    def collection(self) -> Collection:
        """The only one it is about, or the first."""
        return self.collections[0]

    @property
    def keys(self) -> tuple[CollectionKey, ...]:
        """The keys of its collections."""
        return tuple(collection.key for collection in self.collections)

    @property
    def sort(self) -> _Sort:
        """What it is asked with."""
        return _Sort(numbered=self.numbered, second_look=self.second_look)

    @property
    def reads(self) -> bool:
        """Whether it reads from the cache what another has written."""
        return self.cache and self.on_first_token is None

    def of_a_part(self, collection: Collection | None = None) -> _Question:
        """The same about some movies of the page, and one collection: no other request begins with these."""
        return _Question((collection or self.collection,), second_look=self.second_look)


class _Sort(NamedTuple):
    """What requests must have in common to begin with the same."""

    numbered: bool = False
    second_look: bool = False


class _Rest(NamedTuple):
    """The collections that a question has left: to be asked about `again`, or again and one by one (`alone`)."""

    again: tuple[Collection, ...] = ()
    alone: tuple[Collection, ...] = ()


_Missing = dict["CollectionKey", tuple["AnyItem", ...]]
"""The items without a verdict, for each collection of a request."""


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

    What else it brings is in the `tally`; how it came to its end, or is brought to it, is the `course`. `concurrency`
    and `collections_per_request` are 0 where each model has its own.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        models: Models,
        budget: Budget,
        tally: Tally,
        course: Course,
        record: Callable[[Answered], None],
        concurrency: int = 0,
        collections_per_request: int = 0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._models = models
        self._concurrency = concurrency
        self._budget = budget
        self._tally = tally
        self._course = course
        self._record = record
        self._per_request = collections_per_request
        self._places: dict[str, Places] = {}
        self._sender = Sender(provider, budget=budget, places=self._places_of, tally=tally, course=course, sleep=sleep)
        self._poison_items: set[ItemKey] = set()
        self._with_cached_system: set[tuple[str, _Sort]] = set()

    @property
    def models(self) -> tuple[str, ...]:
        """The models that are asked."""
        return tuple(dict.fromkeys(self._models))

    async def ask(self, packets: Sequence[Packet], *, alone: bool = False) -> None:
        """Ask about each packet for each of its collections; packets run side by side, in their order.

        Where they are to be `alone`, each request is about one collection.
        """
        size, model = 1 if alone else self._group_size, self._models.first
        requests: Counter[_Sort] = Counter()
        for packet in packets:
            parts = groups(packet.collections, size)
            requests[_Sort(numbered=_are_numbered(parts))] += len(parts)
        if self._can_ask(model, requests):
            waiting = iter(packets)
            workers = min(self._concurrency_of(model), len(packets))
            await self._together(self._work(waiting, alone=alone) for _ in range(workers))

    async def look_again(
        self, due: Sequence[tuple[Collection, Sequence[AnyItem]]], size: int = SECOND_LOOK_SIZE
    ) -> None:
        """Give movies near the threshold their second look: requests of at most `size` about one collection."""
        packets = second_looks(due, size)
        if self._can_ask(self._models.review, {_Sort(second_look=True): len(packets)}):
            await self._together(self._ask_packet(packet, second_look=True) for packet in packets)

    @property
    def _group_size(self) -> int:
        return group_size(self._per_request, self._provider.traits(self._models.first))

    def _concurrency_of(self, model: str) -> int:
        return max(1, self._concurrency or self._provider.traits(model).concurrency)

    def _places_of(self, model: str) -> Places:
        """The places of a model: two models may stand on machines of different speed."""
        if model not in self._places:
            self._places[model] = Places(self._concurrency_of(model))
        return self._places[model]

    def _can_ask(self, model: str, requests: Mapping[_Sort, int]) -> bool:
        """Whether a model may be asked at all: one without a price cannot under a limit."""
        if any(requests.values()) and self._budget.is_limited and not prices.is_priced(self._provider.traits(model)):
            self._course.end(Unpriced((model,)))
            return False
        for sort, count in requests.items():
            if count > self._concurrency_of(model):
                # Fewer could all go at once, and each would write the system prompt to the cache without being read.
                self._with_cached_system.add((model, sort))
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

    async def _work(self, waiting: Iterator[Packet], *, alone: bool) -> None:
        for packet in waiting:
            if self._course.is_over:
                return
            await self._ask_packet(packet, alone=alone)

    async def _ask_packet(self, packet: Packet, *, second_look: bool = False, alone: bool = False) -> None:
        """Ask about a packet for all its collections, and about movies known to spoil an answer one by one.

        The first request goes alone: the others read from the cache what it has written, which they can as soon as
        its answer has begun. A refusal has no beginning, as a rule, and the others wait until it is known which movie
        it is for. Where no answer begins there is nothing to read: the next request is the first then. What a group
        leaves is asked about one by one, and so are movies that spoil an answer.
        """
        traits = self._provider.traits(self._models.asked_for(second_look=second_look))
        poison = [movie for movie in packet.movies if movie.key in self._poison_items]
        rest = tuple(movie for movie in packet.movies if movie.key not in self._poison_items)
        for movies in (rest, *((movie,) for movie in poison)):
            if not movies or self._course.is_over:
                continue
            collections = [each for each in packet.collections if not self._sender.is_skipped(each.key)]
            is_single = alone or second_look or movies[0] in poison
            parts = groups(collections, 1 if is_single else self._group_size)
            if not parts:
                return
            page, lead, search, numbered = Page.of(movies), _Lead(), asyncio.Lock(), _are_numbered(parts)
            cache = is_page_cached(page, len(parts), traits, numbered=numbered, second_look=second_look)
            first, *others = (_Question(part, cache, second_look, numbered=numbered) for part in parts)
            leading = first._replace(on_first_token=lead.begin if others else None)
            rests = await self._together(
                [
                    self._lead(lead, page, leading, search),
                    *(self._follow(lead, page, question, search) for question in others),
                ]
            )
            if left := tuple(each for rest in rests for each in rest.alone):
                await self._ask_packet(Packet(movies, left), second_look=second_look, alone=True)
            if left := tuple(each for rest in rests for each in rest.again):
                await self._ask_packet(Packet(movies, left), second_look=second_look)

    async def _lead(self, lead: _Lead, page: Page, question: _Question, search: asyncio.Lock) -> _Rest:
        try:
            return await self._ask_page(page, question, search)
        finally:
            lead.end()

    async def _follow(self, lead: _Lead, page: Page, question: _Question, search: asyncio.Lock) -> _Rest:
        if await lead.wait():
            return await self._ask_page(page, question, search)
        return _Rest(again=question.collections)

    # Parts

    async def _ask_page(self, page: Page, question: _Question, search: asyncio.Lock) -> _Rest:
        """Ask about a page; return the collections that must be asked about again.

        What is known by now to spoil an answer is asked about in parts. A group that is not answered is left to be
        asked about one by one. For one collection a page without an answer is halved. When neither half is answered,
        the collection is skipped; when only one is, something in the other is the cause, and it is halved on until the
        movie stands alone. Of the questions about one packet only one searches at a time: what it finds spares the
        others a dozen requests each.
        """
        # A page keeps its place until it is done with: while no answer comes, the others would only run into the
        # same wall, each from its first try, and what is missing would wait behind lower priorities.
        async with self._places_of(self._model_for(question)):
            open_now = tuple(each for each in question.collections if not self._sender.is_skipped(each.key))
            if not open_now:
                return _Rest()
            question = question._replace(collections=open_now)
            names = ", ".join(collection.name for collection in open_now)
            with bound_contextvars(collection_name=names), suppress(Over):
                if self._is_spoiled(page):
                    return _Rest(again=open_now)
                if question.numbered:
                    return _Rest(alone=await self._attempt_several(page, question))
                failed = await self._attempt(page, question)
                if failed is not None:
                    async with search:
                        if self._is_spoiled(page):
                            return _Rest(again=open_now)
                        await self._halve(page, question, failed)
        return _Rest()

    def _is_spoiled(self, page: Page) -> bool:
        return len(page.movies) > 1 and any(movie.key in self._poison_items for movie in page.movies)

    async def _halve(self, page: Page, question: _Question, failed: RequestFailed) -> None:
        is_partly_answered = False
        while len(page.movies) > 1:
            outcomes = [(half, await self._attempt(half, question.of_a_part())) for half in page.halves()]
            failures = [(half, failure) for half, failure in outcomes if failure is not None]
            if not failures:
                return
            if all(failure.failure is Failure.TOO_LARGE for _, failure in failures):
                # How much fits is not known, and no half says anything of the other.
                for half, failure in failures:
                    await self._halve(half, question, failure)
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

    async def _attempt_several(self, page: Page, question: _Question) -> tuple[Collection, ...]:
        """Ask about a page for a group once; return the collections of which the answer says nothing.

        What it leaves out of the others is asked about once more, for each of them.
        """
        try:
            missing, _ = await self._ask_once(page, question)
        except RequestFailed as failure:
            self._note_failure(failure, page, question)
            return question.collections
        for collection in question.collections:
            if 0 < len(missing[collection.key]) < len(page.movies):
                left, about = Page.of(missing[collection.key]), question.of_a_part(collection)
                with bound_contextvars(collection_name=collection.name), suppress(Over):
                    failed = await self._attempt(left, about, times_left_out=1)
                    if failed is not None:
                        self._leave(left, about, failed)
        return tuple(each for each in question.collections if len(missing[each.key]) == len(page.movies))

    async def _attempt(self, page: Page, question: _Question, times_left_out: int = 0) -> RequestFailed | None:
        """Ask about a page once, and once more about movies the answer leaves out; return why no answer came.

        Of an answer that broke off the whole entries are kept, and only the others are asked about again, as often as
        a question is tried that brings nothing. `times_left_out` is how often other answers have left these out.
        """
        left, tries = page, 0
        while True:
            tries += 1
            try:
                found, cut = await self._ask_once(left, question)
            except RequestFailed as failure:
                self._note_failure(failure, left, question)
                why = failure
                break
            missing = found[question.collection.key]
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

    async def _ask_once(self, page: Page, question: _Question) -> tuple[_Missing, RequestFailed | None]:
        """Send until there is an answer, and record its verdicts. Return what has none, and how the answer broke off.

        Raise RequestFailed where no verdict came.
        """
        missing: _Missing = {}

        def take(broken: Reply) -> bool:
            nonlocal missing
            missing = self._read(page, question, broken.text)
            left = sum(map(len, missing.values()))
            found = len(page.movies) * len(missing) - left
            if found:
                _log.info("model.kept", verdicts=found, missing=left)
            return bool(found)

        model = self._model_for(question)
        request = page.request(
            question.collections,
            model,
            second_look=question.second_look,
            cache=question.cache,
            cache_system=(model, question.sort) in self._with_cached_system,
            numbered=question.numbered,
        )
        try:
            suspects = self._suspects(page, question)
            reply = await self._sender.send(request, question.keys, question.on_first_token, take, suspects)
        except RequestFailed as failure:
            if not _has_verdicts(missing, page):
                raise
            return missing, failure
        return self._read_whole(page, question, reply), None

    # Answers

    def _read_whole(self, page: Page, question: _Question, reply: Reply) -> _Missing:
        """Record the verdicts of an answer; return the movies without one. Raise RequestFailed where it has none."""
        traits = self._provider.traits(self._model_for(question))
        # Where a cache works by itself, no setting could make it work.
        if question.reads and traits.caching == "explicit":
            self._tally.cache_reads[reply.usage.cache_read_tokens > prices.tokens_in(page.text) / 2] += 1
        if reply.ending is ReplyEnd.REFUSED:
            self._sender.breaker.refused()
            raise RequestFailed(Failure.REFUSED, "The model declined to answer.")
        missing = self._read(page, question, reply.text)
        if not _has_verdicts(missing, page):
            why = RequestFailed(Failure.UNREADABLE, UNREADABLE)
            _log.warning("model.unreadable", answer=one_line(reply.text, 2000))
            if not traits.is_free:
                self._tally.wasted[str(why)] += 1
            self._sender.breaker.unreadable(why, self._suspects(page, question))
            if len(page.movies) > 1 or question.numbered:
                raise why
        return missing

    def _read(self, page: Page, question: _Question, text: str) -> _Missing:
        """Record the verdicts of a text, and return the movies without one."""
        by_number = dict(enumerate(page.movies, start=1))
        standing = [
            {number for number, movie in by_number.items() if collection.label in movie.labels}
            for collection in question.collections
        ]
        if question.numbered:
            names = [collection.name for collection in question.collections]
            readings = read_answers(text, by_number.keys(), names, standing)
        else:
            readings = (read_answer(text, by_number.keys(), standing[0]),)
        missing: _Missing = {}
        for collection, reading in zip(question.collections, readings, strict=True):
            self._take(page, question, collection, reading)
            missing[collection.key] = tuple(by_number[number] for number in sorted(reading.missing))
        return missing

    def _take(self, page: Page, question: _Question, collection: Collection, reading: Reading) -> None:
        self._tally.unknown_ids[collection.key] += len(reading.unknown)
        if reading.verdicts:
            model = self._model_for(question)
            self._sender.breaker.answered()
            self._tally.read_models.add(model)
            self._tally.spent_on(collection.key).answers += len(reading.verdicts)
            verdicts = {page.movies[number - 1].key: verdict for number, verdict in reading.verdicts.items()}
            request = request_id((movie.key for movie in page.movies), collection.slug)
            self._record(Answered(collection, verdicts, question.second_look, model, request=request))

    def _model_for(self, question: _Question) -> str:
        return self._models.asked_for(second_look=question.second_look)

    def _note_failure(self, failure: RequestFailed, page: Page, question: _Question) -> None:
        """Log a request without an answer. The breaker hears at once of what every other request would meet, too."""
        _log.info("model.failed", failure=failure.failure, message=str(failure))
        if failure.failure in RETRIED:
            self._count_failure(failure, page, question)

    def _count_failure(self, failure: RequestFailed, page: Page, question: _Question) -> None:
        is_alone = len(page.movies) == 1
        suspect = page.movies[0].key if is_alone else question.collection.key
        self._sender.breaker.failed(failure, suspect, self._suspects(page, question))

    def _suspects(self, page: Page, question: _Question) -> Suspects:
        """The items of a page; it is known of one alone that has spoilt others, and of one whose text may do so."""
        movie, is_alone = page.movies[0], len(page.movies) == 1
        return Suspects(
            tuple(each.key for each in page.movies),
            are_known=is_alone and (movie.key in self._poison_items or addresses_a_reader(movie)),
            can_answer=self._model_for(question) in self._tally.read_models,
        )

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


def _are_numbered(parts: Sequence[Sequence[Collection]]) -> bool:
    return any(len(part) > 1 for part in parts)


def _has_verdicts(missing: _Missing, page: Page) -> bool:
    return any(len(left) < len(page.movies) for left in missing.values())
