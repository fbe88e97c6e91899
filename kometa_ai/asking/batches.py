"""Ask through Anthropic's batches: hand questions over, and take the answers in a later run, once a batch has ended.

Half the price, answered within a day. Nothing in a batch reads what the same batch writes to the prompt cache, so there
are two phases where that is cheaper: first one request about each page of movies, which writes, and once that batch has
ended all others, which read. A request may be about several collections. Second looks share nothing and go by
themselves.

What a batch asks is in the ledger before the batch is handed over, and its id right after, so that any later run can
take its answers. A batch of which nothing is heard is looked for; it is never handed over twice. Answers are matched
with the movies and collections as they are now; one that was made from anything else is dropped.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import structlog

from kometa_ai.asking import forecast
from kometa_ai.asking.answers import read_answer, read_answers
from kometa_ai.asking.batch_search import look_at
from kometa_ai.asking.ending import Stopped
from kometa_ai.asking.layout import groups
from kometa_ai.asking.pacing import Pauses, is_worth_another_try
from kometa_ai.asking.pages import Page
from kometa_ai.asking.phases import WarmPage
from kometa_ai.asking.sending import SAME_FAILURES, UNREADABLE
from kometa_ai.asking.tally import Answered
from kometa_ai.core.batches import AskedPage, BatchedQuestion, OpenBatch
from kometa_ai.core.decision import request_id
from kometa_ai.core.item import short_name
from kometa_ai.errors import CheckModel
from kometa_ai.judging.packing import Packet
from kometa_ai.providers import prices
from kometa_ai.providers.port import BatchedRequest, Failure, ReplyEnd, RequestFailed, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from kometa_ai.asking.answers import Reading
    from kometa_ai.asking.ending import Course
    from kometa_ai.asking.pacing import Budget, Sleep
    from kometa_ai.asking.phases import Work
    from kometa_ai.asking.tally import Tally
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.judging.looks import Models
    from kometa_ai.judging.planning import Subject
    from kometa_ai.providers.port import BatchAnswer, BatchProvider, BatchSeen, Reply, Request
    from kometa_ai.providers.traits import Traits

MOST_REQUESTS = 100_000
MOST_BYTES = 12 << 20
"""Of a batch. Anthropic takes twenty times as much, but a batch is in memory as a whole, and more than once."""
WARM = timedelta(minutes=30)
"""How long after its end the pages of a batch count as cached: half of the hour that they are. The other half is for
the batch that reads them, which takes its time, too."""

# Beside its texts a request repeats the schema.
_BYTES_OF_SCHEMA = 3000
_READINGS = 3
_ERRORS_TOLD = 3

T = TypeVar("T")

_log = structlog.get_logger()


class Ledger(Protocol):
    """Where open batches are written down; what a method says is on the disk when it returns."""

    def open(self) -> Sequence[OpenBatch]:
        """All that are open."""
        ...

    def plan(self, batch: OpenBatch, left: float | None) -> bool:
        """A batch is about to be handed over; False where that could not be written down.

        `left` is how many USD the run has left, those for its open batches included, if it has a limit.
        """
        ...

    def name(self, key: str, batch_id: str, foreign: tuple[str, ...] = ()) -> None:
        """A batch's id, or none, and which ids belong to other programs."""
        ...

    def take(self, key: str, collections: Iterable[CollectionKey]) -> None:
        """The answers about these collections are recorded."""
        ...

    def drop(self, key: str) -> None:
        """A batch was never taken, or has no answers any more."""
        ...


class Scope(NamedTuple):
    """What answers are used for: movies as they are now, collections, and which questions are open about a movie.

    A question may be open about a movie that is away, or that a pin or a tag decides now.
    """

    collections: Mapping[CollectionKey, Collection]
    judged: Mapping[ItemKey, Subject]
    is_open: Callable[[BatchedQuestion, ItemKey], bool]


class Batcher:
    """Hands over the questions of one run, and takes the answers of earlier ones.

    `group` is how many collections a request is about at most. `record` is called with verdicts as they are read. Of
    the answers taken `warm` are the pages that are in the prompt cache now, `left_over` the questions that were asked
    and have no verdict, and `errors` what Anthropic said of those that ended with an error, each with its batch.
    `unavailable` says why nothing can be handed over, if so.
    """

    def __init__(
        self,
        provider: BatchProvider,
        *,
        models: Models,
        budget: Budget,
        tally: Tally,
        course: Course,
        traits: Callable[[str], Traits],
        ledger: Ledger,
        record: Callable[[Answered], None],
        now: Callable[[], datetime],
        group: int = 1,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._provider = provider
        self._models = models
        self._budget = budget
        self._tally = tally
        self._course = course
        self._traits = traits
        self._ledger = ledger
        self._record = record
        self._now = now
        self._group = group
        self._pauses = Pauses(sleep, course)
        self._handed_over = 0.0
        self._unreadable = 0
        self.warm: list[WarmPage] = []
        self.left_over: set[tuple[CollectionKey, ItemKey, bool]] = set()
        self.errors: dict[str, str] = {}
        self.unavailable = ""

    @property
    def left(self) -> float | None:
        """USD that are left of the limit, those for the batches of this run included; None without a limit."""
        return self._budget.left + self._handed_over if self._budget.is_limited else None

    async def hand_over(self, works: Sequence[Work], scope: Scope) -> bool:
        """Hand over works in their order, as far as the money reaches; return whether a batch may exist now."""
        drafts = [_Draft()]
        handed_over = False
        for work in self._affordable(works):
            page = Page.of(work.packet.movies)
            asked = tuple((movie.key, scope.judged[movie.key].fingerprint.full) for movie in page.movies)
            for collections in self._parts(work):
                request = self._request(page, collections, work)
                if not drafts[-1].takes(request):
                    handed_over = await self._create(drafts.pop()) or handed_over
                    drafts.append(_Draft())
                if self.unavailable or self._course.is_over:
                    return handed_over
                drafts[-1].add(request, asked, collections, self._most(request, work), work)
        if drafts[-1].requests and not self._course.is_over:
            handed_over = await self._create(drafts[-1]) or handed_over
        return handed_over

    async def take(self, scope: Scope) -> None:
        """Take the answers of batches that have ended, about the collections in scope."""
        for batch in self._ledger.open():
            if self._course.is_over:
                return
            if not any(question.collection in scope.collections for question in batch.open_questions):
                continue
            try:
                await self._take(batch, scope)
            except CheckModel as error:
                # The engine meets the same, and reports it.
                _log.info("batch.unreachable", batch_id=batch.id, why=error.message)
            except RequestFailed as failure:
                _log.info("batch.unreachable", batch_id=batch.id, why=str(failure))

    # Money

    def _affordable(self, works: Sequence[Work]) -> Sequence[Work]:
        """The works that there is money for; a cache is not to be written if there is none for reading it."""
        if not self._budget.is_limited:
            return works
        needed = 0.0
        for number, work in enumerate(works):
            page = Page.of(work.packet.movies)
            most = sum(self._most(self._request(page, part, work), work) for part in self._parts(work))
            needed += max(most, self._expected(work))
            if needed > self._budget.left:
                return works[:number]
        return works

    def _most(self, request: Request, work: Work) -> float:
        """What a request costs at most; nothing where that does not matter."""
        if not self._budget.is_limited:
            return 0.0
        most = forecast.most(request, self._traits(request.model), batched=True, second_look=work.second_look)
        return math.inf if most is None else most

    def _expected(self, work: Work) -> float:
        """What a packet is expected to cost, its readers included."""
        if not work.readers:
            return 0.0
        whole = Packet(work.packet.movies, work.packet.collections + work.readers)
        model = self._models.asked_for(second_look=work.second_look)
        cost = forecast.cost((whole,), self._traits(model), group=self._group_of(work), batched=True)
        return math.inf if cost is None else cost

    # Handing over

    def _group_of(self, work: Work) -> int:
        return self._group if work.numbered else 1

    def _parts(self, work: Work) -> list[tuple[Collection, ...]]:
        """The collections of each request."""
        return groups(work.packet.collections, self._group_of(work))

    def _request(self, page: Page, collections: Sequence[Collection], work: Work) -> Request:
        model = self._models.asked_for(second_look=work.second_look)
        return page.request(collections, model, second_look=work.second_look, cache=work.cache, numbered=work.numbered)

    async def _create(self, draft: _Draft) -> bool:
        """Hand a batch over; return whether it may have been taken."""
        # What is with Anthropic counts as spent, at its most.
        self._budget.charge(draft.most)
        self._handed_over += draft.most
        if not self._ledger.plan(draft.planned(self._now()), self.left):
            return False
        try:
            seen = await self._patiently(lambda: self._provider.create(draft.requests), is_harmless=False)
        except CheckModel as error:
            why = error.message
        except RequestFailed as failure:
            why = str(failure)
            if failure.may_be_billed:
                _log.warning("batch.unheard", requests=len(draft.requests), why=why)
                return True
        else:
            self._ledger.name(draft.key, seen.id)
            _log.info("batch.submitted", batch_id=seen.id, requests=len(draft.requests))
            return True
        self._budget.charge(-draft.most)
        self._handed_over -= draft.most
        self._ledger.drop(draft.key)
        self.unavailable = why
        _log.warning("batch.refused", requests=len(draft.requests), why=why)
        return False

    async def _patiently(self, call: Callable[[], Awaitable[T]], *, is_harmless: bool = True) -> T:
        """Call again after a pause, as long as a failure passes by itself.

        Unless a call `is_harmless`, it is not repeated after a failure that leaves open what it has done.
        """
        tries = 0
        while True:
            tries += 1
            try:
                return await call()
            except RequestFailed as failure:
                again = is_worth_another_try(failure, tries) and (is_harmless or not failure.may_be_billed)
                if not again or self._course.is_over:
                    raise
                self._pauses.back_off(failure, tries)
                await self._pauses.wait()
                if self._course.is_over:
                    raise

    # Taking

    async def _take(self, batch: OpenBatch, scope: Scope) -> None:
        """Record what a batch that has ended says about the collections in scope."""
        looked = await self._patiently(lambda: look_at(self._provider, batch, self._ledger.open(), self._now()))
        if looked.gone:
            _log.warning("batch.gone", batch_id=looked.id, requests=batch.requests, why=looked.gone)
            self._ledger.drop(batch.key)
            return
        if looked.id and not batch.id:
            self._ledger.name(batch.key, looked.id, batch.foreign)
            _log.info("batch.found", batch_id=looked.id, requests=batch.requests)
        if looked.seen is None or not looked.seen.has_ended:
            return
        answers = await self._answers(looked.id)
        asked: defaultdict[str, list[BatchedQuestion]] = defaultdict(list)
        for question in batch.questions:
            asked[question.id].append(question)
        ours = [(asked[answer.id], answer) for answer in answers if answer.id in asked]
        if not ours:
            self._ledger.name(batch.key, "", (*batch.foreign, looked.id))
            return
        taken_now = scope.collections.keys() - batch.taken
        new = [(group, answer) for group, answer in ours if not taken_now.isdisjoint(each.collection for each in group)]
        cost = sum(self._read(batch, group, answer, scope) for group, answer in new)
        self._ledger.take(batch.key, {question.collection for question in batch.questions} & taken_now)
        errors = list(dict.fromkeys(answer.why for _, answer in new if answer.why))[:_ERRORS_TOLD]
        self.errors.update(dict.fromkeys(errors, looked.id))
        outcomes: Counter[str] = Counter(answer.outcome for _, answer in new)
        _log.info("batch.ended", batch_id=looked.id, **outcomes, cost_usd=round(cost, 6), errors=errors)
        self._note_cache(batch, new, looked.seen)
        self._stop_where_nothing_is_readable()

    async def _answers(self, batch_id: str) -> list[BatchAnswer]:
        """All answers of a batch: a file that breaks off is read again, for what was read twice would count twice."""
        tries = 0
        while True:
            tries += 1
            try:
                return await self._patiently(lambda: self._listed(batch_id))
            except RequestFailed as failure:
                if tries >= _READINGS or failure.failure is not Failure.UNREADABLE or self._course.is_over:
                    raise
                self._pauses.back_off(failure, tries)
                await self._pauses.wait()

    async def _listed(self, batch_id: str) -> list[BatchAnswer]:
        return [answer async for answer in self._provider.answers(batch_id)]

    def _read(self, batch: OpenBatch, group: Sequence[BatchedQuestion], answer: BatchAnswer, scope: Scope) -> float:
        """Record one answer, as far as what it was made from is what there is now. Return what it has cost.

        Of one about several collections only those in scope are taken, each with its share of the cost.
        """
        page = batch.pages[group[0].page]
        new = [each.collection in scope.collections and each.collection not in batch.taken for each in group]
        cost = self._charge(batch, group, new, answer) if answer.reply is not None else 0.0
        answered = self._take_reply(batch, group, new, answer.reply, scope) if answer.reply is not None else set()
        if answer.outcome in ("succeeded", "errored"):
            asked = {(each.collection, key, each.second_look) for each in compress(group, new) for key, _ in page}
            self.left_over |= asked - answered
        return cost

    def _take_reply(
        self, batch: OpenBatch, group: Sequence[BatchedQuestion], new: Sequence[bool], reply: Reply, scope: Scope
    ) -> set[tuple[CollectionKey, ItemKey, bool]]:
        """Record what an answer says about the collections that are new; return the questions that it has answered."""
        is_current = [
            is_new and scope.collections[question.collection].prompt_hash == question.prompt_hash
            for question, is_new in zip(group, new, strict=True)
        ]
        if reply.ending is ReplyEnd.REFUSED or not any(is_current):
            return set()
        readings = _readings(reply.text, batch.pages[group[0].page], group, scope)
        if not any(reading.verdicts for reading in readings):
            self._tally.wasted[UNREADABLE] += 1
            self._unreadable += 1
        taken = [
            (question.collection, key, question.second_look)
            for question, reading in compress(zip(group, readings, strict=True), is_current)
            for key in self._take_verdicts(batch, question, reading, scope)
        ]
        return set(taken)

    def _charge(
        self, batch: OpenBatch, group: Sequence[BatchedQuestion], new: Sequence[bool], answer: BatchAnswer
    ) -> float:
        """Book what an answer has cost: for each question that is new, its share."""
        usage = answer.reply.usage if answer.reply is not None else Usage()
        price = None
        if usage.is_known:
            price = prices.cost(usage, self._traits(batch.model), batched=answer.at_batch_price)
        cost = 0.0
        for question, share in compress(zip(group, usage.shares(len(group)), strict=True), new):
            part = None if price is None else price / len(group)
            # Without a price the request counts, and not each of its shares.
            self._tally.spent_on(question.collection).add(share, part if part is not None or share.requests else 0.0)
            cost += part or 0.0
        self._budget.charge(cost)
        return cost

    def _take_verdicts(
        self, batch: OpenBatch, question: BatchedQuestion, found: Reading, scope: Scope
    ) -> Iterable[ItemKey]:
        """Record what an answer says about one collection; return the items that have a verdict now."""
        page, collection = batch.pages[question.page], scope.collections[question.collection]
        by_number = dict(enumerate(page, start=1))
        here = {n: scope.judged[key] for n, (key, _) in by_number.items() if key in scope.judged}
        self._tally.unknown_ids[question.collection] += len(found.unknown)
        verdicts = {
            by_number[number][0]: verdict
            for number, verdict in found.verdicts.items()
            if (number not in here or here[number].fingerprint.covers(by_number[number][1]))
            and scope.is_open(question, by_number[number][0])
        }
        if verdicts:
            self._tally.spent_on(question.collection).answers += len(verdicts)
            # They may come back, and are paid for.
            away = {key: asked for key, asked in page if key not in scope.judged}
            self._tally.read_models.add(batch.model)
            request = request_id((key for key, _ in page), collection.slug)
            self._record(Answered(collection, verdicts, question.second_look, batch.model, away, request))
        return verdicts.keys()

    def _note_cache(
        self, batch: OpenBatch, answers: Iterable[tuple[Sequence[BatchedQuestion], BatchAnswer]], seen: BatchSeen
    ) -> None:
        """Note which pages are cached now, and whether those that were cached before have been read."""
        cached: defaultdict[tuple[int, bool], list[Usage]] = defaultdict(list)
        for group, answer in answers:
            usage = answer.reply.usage if answer.reply is not None else None
            if usage is not None and usage.cache_write_tokens + usage.cache_read_tokens:
                cached[group[0].page, group[0].number > 0].append(usage)
        for usages in cached.values():
            if len(usages) > 1:  # only the second phase asks more than one cached question about a page
                self._tally.cache_reads.update(usage.cache_read_tokens > usage.cache_write_tokens for usage in usages)
        if seen.ended is not None and self._now() - seen.ended <= WARM:
            self.warm += [WarmPage(batch.pages[page], numbered) for page, numbered in cached]

    def _stop_where_nothing_is_readable(self) -> None:
        """Ask nothing more where no answer of this run's batches holds a verdict: further ones would cost, too."""
        if self._unreadable >= SAME_FAILURES and not self._tally.read_models:
            what = f"{self._unreadable} answers of batches could not be read, and no other was: {UNREADABLE}"
            self._course.end(Stopped(RequestFailed(Failure.UNREADABLE, what)))


class _Draft:
    """A batch that is being put together; one model answers all of it."""

    def __init__(self) -> None:
        self.key = secrets.token_hex(8)
        self.requests: list[BatchedRequest] = []
        self.most = 0.0
        self._pages: list[AskedPage] = []
        self._questions: list[BatchedQuestion] = []
        self._bytes = 0

    def takes(self, request: Request) -> bool:
        """Whether a request still fits in."""
        is_full = self._bytes >= MOST_BYTES or len(self.requests) >= MOST_REQUESTS
        return not self.requests or (not is_full and self.requests[0].request.model == request.model)

    def add(
        self, request: Request, page: AskedPage, collections: Sequence[Collection], most: float, work: Work
    ) -> None:
        """Put a request in; `most` is what it costs at most."""
        name = _question_id(request, page)
        if not self._pages or self._pages[-1] is not page:
            self._pages.append(page)
        self._questions += [
            BatchedQuestion(
                id=name,
                page=len(self._pages) - 1,
                slug=collection.slug,
                kind=collection.kind,
                prompt_hash=collection.prompt_hash,
                second_look=work.second_look,
                number=number if work.numbered else 0,
            )
            for number, collection in enumerate(collections, start=1)
        ]
        self.requests.append(BatchedRequest(name, request))
        self.most += most
        self._bytes += len(request.movies.encode()) + len(request.collection.encode())
        self._bytes += len(request.form.system) + _BYTES_OF_SCHEMA

    def planned(self, now: datetime) -> OpenBatch:
        """The batch as the ledger has it."""
        return OpenBatch(
            key=self.key,
            model=self.requests[0].request.model,
            planned=now,
            pages=tuple(self._pages),
            questions=tuple(self._questions),
        )


def _readings(text: str, page: AskedPage, group: Sequence[BatchedQuestion], scope: Scope) -> tuple[Reading, ...]:
    """What an answer says about each collection of a request."""
    numbers = range(1, len(page) + 1)
    here = [(number, scope.judged[key].item) for number, (key, _) in enumerate(page, start=1) if key in scope.judged]
    known = [scope.collections.get(question.collection) for question in group]
    standing = [{n for n, item in here if each is not None and each.label in item.labels} for each in known]
    if not group[0].number:
        return (read_answer(text, frozenset(numbers), standing[0]),)
    return read_answers(text, frozenset(numbers), [each.name if each else "" for each in known], standing)


def _question_id(request: Request, page: AskedPage) -> str:
    """A name that follows from what is asked, whichever run asks it."""
    ids = ",".join(short_name(key) for key, _ in page)
    asked = "\0".join((request.model, request.collection, ids, request.movies))
    return f"kai-{hashlib.sha256(asked.encode()).hexdigest()[:40]}"
