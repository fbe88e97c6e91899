"""Send one request to a model until it is answered: within the budget, after pauses, and until a breaker opens."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import structlog

from kometa_ai.asking import forecast
from kometa_ai.asking.ending import OutOfBudget, Stopped
from kometa_ai.asking.pacing import Pauses, is_worth_another_try
from kometa_ai.core.model import ModelName
from kometa_ai.errors import CheckModel
from kometa_ai.providers import prices
from kometa_ai.providers.port import RETRIED, Failure, RequestFailed, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kometa_ai.asking.ending import Course
    from kometa_ai.asking.pacing import Budget, Places, Sleep
    from kometa_ai.asking.tally import Tally
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.providers.port import Provider, Reply, Request
    from kometa_ai.providers.traits import Traits

SAME_FAILURES = 5
"""This many failures of one kind in a row end the asking."""
UNREADABLE = "The model's answer holds no verdict that could be read."
_MOST_OF_ONE = 3
_MOST_OF_THE_SAME = 2

_log = structlog.get_logger()


class Over(Exception):
    """Nothing more may be sent, at all or about this collection."""


class Suspects(NamedTuple):
    """The items of a request, which may be why it fails; `are_known` to spoil answers, or have a text that may.

    `can_answer`: the model has answered in this run, so that it is not the model.
    """

    items: tuple[ItemKey, ...] = ()
    are_known: bool = False
    can_answer: bool = False


UNSUSPICIOUS = Suspects()


class Breaker:
    """Counts failures in a row, and stops the asking at the fifth."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._failing_with: Failure | None = None
        self._in_a_row: Counter[CollectionKey | ItemKey] = Counter()
        self._unreadable = 0
        self._of_these: Counter[tuple[ItemKey, ...]] = Counter()

    def answered(self) -> None:
        """A verdict could be read."""
        self._in_a_row.clear()
        self.refused()

    def refused(self) -> None:
        """The model declined to answer, which is an answer that could be read."""
        self._unreadable = 0
        self._of_these.clear()

    def failed(
        self, failure: RequestFailed, suspect: CollectionKey | ItemKey, suspects: Suspects = UNSUSPICIOUS
    ) -> None:
        """Count a failure of one kind; `suspect` is the collection, or the movie where it stands alone.

        Neither one collection nor one movie alone opens the breaker: several requests about it may be in flight when it
        begins to fail, and the others can go on without it. Where the question is to blame (a refusal, say) each counts
        once, when nothing of a page was answered: the halves of a refused page prove nothing new. Nor does a movie that
        is known to be the cause.
        """
        if failure.failure not in RETRIED and suspects.can_answer and suspects.are_known:
            return
        if self._failing_with is not failure.failure:
            self._failing_with = failure.failure
            self._in_a_row.clear()
        most = _MOST_OF_ONE if failure.failure in RETRIED else 1
        self._in_a_row[suspect] = min(self._in_a_row[suspect] + 1, most)
        count = self._in_a_row.total()
        if count >= SAME_FAILURES:
            self._open(failure, f"{count} requests in a row failed alike ({failure.failure}): {failure}")

    def unreadable(self, failure: RequestFailed, suspects: Suspects = UNSUSPICIOUS) -> None:
        """Count an answer without a verdict, whatever it was about.

        Each costs money, and where one follows the other it is the model that cannot answer in this form. One that has
        answered can: if movies are known to be the cause, it proves nothing, and the same ones count twice at most, as
        several requests about them may be in flight. Otherwise the text of one movie could end every run.
        """
        if suspects.can_answer:
            self._of_these[suspects.items] += 1
            if suspects.are_known or self._of_these[suspects.items] > _MOST_OF_THE_SAME:
                return
        self._unreadable += 1
        if self._unreadable >= SAME_FAILURES:
            self._open(failure, f"{self._unreadable} answers in a row could not be read ({failure.failure}): {failure}")

    def _open(self, failure: RequestFailed, what: str) -> None:
        if not self._course.is_over:
            self._course.end(Stopped(RequestFailed(failure.failure, what)))


class Sender:
    """Sends the requests of one run, from several workers side by side. `places` are those of a model."""

    def __init__(
        self,
        provider: Provider,
        *,
        budget: Budget,
        places: Callable[[str], Places],
        tally: Tally,
        course: Course,
        sleep: Sleep,
    ) -> None:
        self._provider = provider
        self._budget = budget
        self._places = places
        self._tally = tally
        self._course = course
        self._sleep = sleep
        self._pauses: dict[str, Pauses] = {}
        self._skipped: set[CollectionKey] = set()
        self.breaker = Breaker(course)

    def _pauses_of(self, model: str) -> Pauses:
        """The pauses of a model's provider: that one is busy says nothing of another."""
        return self._pauses.setdefault(ModelName.of(model).provider, Pauses(self._sleep, self._course))

    def skip(self, collection: CollectionKey) -> None:
        """Send nothing more about a collection."""
        self._skipped.add(collection)

    def is_skipped(self, collection: CollectionKey) -> bool:
        """Whether nothing more is sent about a collection."""
        return collection in self._skipped

    async def send(
        self,
        request: Request,
        collections: Sequence[CollectionKey],
        on_first_token: Callable[[], None] | None,
        take: Callable[[Reply], bool],
        suspects: Suspects = UNSUSPICIOUS,
    ) -> Reply:
        """Send a request about a collection, or several, until it is answered.

        `take` keeps what is whole of an answer that broke off, and says whether there was anything: the rest is another
        request then, and is left to the caller. `suspects` are its items. Raise RequestFailed where this one is given
        up, Over where nothing more may be sent.
        """
        tries = 0
        while True:
            tries += 1
            broken: list[Reply] = []
            try:
                return await self._send_once(request, collections, on_first_token, broken)
            except RequestFailed as failure:
                is_taken = any(map(take, broken))
                again = is_worth_another_try(failure, tries)
                if again:
                    self._places(request.model).shrink()
                    seconds = round(self._pauses_of(request.model).back_off(failure, tries), 1)
                    _log.info("model.waiting", seconds=seconds, failure=failure.failure)
                elif failure.failure is Failure.UNREADABLE:
                    self.breaker.unreadable(failure, suspects)
                if is_taken or not (again or (failure.is_asked_otherwise_now and not self._course.is_over)):
                    raise
            except BaseException:
                any(map(take, broken))
                raise

    async def _send_once(
        self,
        request: Request,
        collections: Sequence[CollectionKey],
        on_first_token: Callable[[], None] | None,
        broken: list[Reply],
    ) -> Reply:
        """Send a request once, and book what it costs, whatever becomes of it."""
        self._check_open(collections)
        traits = self._provider.traits(request.model)
        estimate = (forecast.most(request, traits) if self._budget.is_limited else None) or 0.0
        if not await self._budget.reserve(estimate):
            self._course.end(OutOfBudget(estimate, self._budget.full))
            raise Over
        # Where nothing is heard of a request again, or of what it used, it may have been paid for.
        actual, is_sent = estimate, False
        try:
            await self._pauses_of(request.model).wait()
            self._check_open(collections)
            started, is_sent = asyncio.get_running_loop().time(), True
            self._course.in_flight += 1
            try:
                reply = await self._provider.ask(request, on_first_token, broken.append)
            finally:
                self._course.in_flight -= 1
            seconds = asyncio.get_running_loop().time() - started
            price = prices.cost(reply.usage, traits) if reply.usage.is_known or traits.is_free else None
            actual = estimate if price is None else price
        except RequestFailed as failure:
            if failure.may_be_billed:
                self._book_unclear(collections, broken, request, traits, str(failure))
            else:
                actual = 0.0
            raise
        except Over:
            actual = 0.0
            raise
        except CheckModel as error:
            actual = self._book_unclear(collections, broken, request, traits, error.message) if broken else 0.0
            self._course.end(Stopped(error))
            raise Over from error
        except asyncio.CancelledError:
            if is_sent:
                self._book_unclear(collections, broken, request, traits, "The run ended before it was answered.")
            raise
        finally:
            self._budget.settle(estimate, actual)
        self._tally.spend(collections, reply.usage, price, seconds=seconds)
        self._places(request.model).grow()
        self._pauses_of(request.model).hold(reply.pause)
        return reply

    def _book_unclear(
        self,
        collections: Sequence[CollectionKey],
        broken: Sequence[Reply],
        request: Request,
        traits: Traits,
        why: str,
    ) -> float:
        """Count a request that may be billed: with what has arrived of it, or with the most it may have cost."""
        usage = next((piece.usage for piece in broken if piece.usage.is_known), Usage(requests=1))
        cost = prices.cost(usage, traits) if usage.is_known else forecast.most(request, traits)
        self._tally.spend(collections, usage, cost, is_unclear=True)
        if not traits.is_free:
            self._tally.wasted[why] += 1
        return cost or 0.0

    def _check_open(self, collections: Sequence[CollectionKey]) -> None:
        if self._course.is_over or self._skipped.issuperset(collections):
            raise Over
