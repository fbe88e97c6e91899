"""Ask about a given sample outside of a run's decisions: `Inquiry` remembers nothing but what that has cost.

Why: docs/decisions/0023-trials-and-audits.md
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from kometa_ai.asking import forecast
from kometa_ai.asking.ending import OutOfBudget, Stopped, TimedOut, Unpriced
from kometa_ai.asking.engine import Engine
from kometa_ai.asking.pacing import Budget
from kometa_ai.asking.tally import Tally
from kometa_ai.core.decision import Reason
from kometa_ai.core.model import words_about
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Spending
from kometa_ai.core.summary import counted, counted_items
from kometa_ai.errors import CheckModel
from kometa_ai.judging.looks import SECOND_LOOK_SIZE, Models
from kometa_ai.judging.packing import second_looks
from kometa_ai.judging.planning import Subject, subjects_of
from kometa_ai.judging.stages import Known, walk
from kometa_ai.providers.port import titles_of
from kometa_ai.run.credits import CreditsReader
from kometa_ai.run.failure import interrupted_code
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.questioning import announce
from kometa_ai.run.reading import Reader
from kometa_ai.run.spending import Booking, total
from kometa_ai.run.stopping import Steps
from kometa_ai.run.watching import Step
from kometa_ai.state.schema import MoneySpent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kometa_ai.asking.ending import Ending
    from kometa_ai.asking.tally import Answered
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Verdict
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.options import Options
    from kometa_ai.errors import RepairState
    from kometa_ai.judging.policy import Gates
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Reading
    from kometa_ai.state.schema import Entry

Wanted = list[tuple["Collection", list["ItemKey"]]]
"""The items to ask about, for each collection."""
Verdicts = dict[tuple["CollectionKey", "ItemKey"], "Verdict"]

_TIMES_FORECAST = 2.0

_log = structlog.get_logger()


class MoneyKeeper(Keeper):
    """Records what is spent and nothing else, so that what is asked aside leaves no trace in the decisions."""

    def record(self, *entries: Entry) -> tuple[Problem, ...]:
        """See Keeper."""
        money = [entry for entry in entries if isinstance(entry, MoneySpent)]
        return super().record(*money) if money else ()


class Ground(NamedTuple):
    """What is known of one collection without asking: who needs no verdict there, and which questions are open."""

    collection: Collection
    gates: Gates
    open_questions: Mapping[ItemKey, Reason]


async def read(parts: Parts, rules: Rules, options: Options) -> Reading:
    """Read libraries and collections as a run does. Raise CheckLibrary, FixUsage or FixConfiguration."""
    reader = Reader(parts, rules, options, MoneyKeeper(parts.store, parts.interruption.course))
    await reader.libraries()
    reader.collections()
    return reader.result


def unkept(error: RepairState) -> Problem:
    """The problem of a result that was paid for and cannot be kept."""
    return Problem(source="STATE_DIR", what=error.message, remedy=error.remedy)


class Inquiry:
    """Asks about pairs that others choose, and takes the answers for nothing but answers.

    `subjects` are the items of the libraries, `choices` those of people. `limit` is what may be spent in USD, None
    without a limit. The caller holds the lock of the state. All items are asked about in the form of a second look, so
    each gets a reason. What it has cost is booked with each answer.
    """

    def __init__(self, parts: Parts, rules: Rules, reading: Reading) -> None:
        self.subjects: dict[ItemKey, Subject] = subjects_of(reading.items, parts.store.memory, reading.unconfirmed)
        self.choices = parts.choices.read()
        self.limit: float | None = None
        self._parts = msgspec.structs.replace(parts, observer=Steps(parts.observer, parts.interruption))
        self._rules = rules
        self._reading = reading
        self._course = parts.interruption.course
        self._keeper = MoneyKeeper(parts.store, self._course)
        self._booking = Booking(parts.store, parts.now, parts.zone)
        self._tally = Tally()
        self._budget = Budget(None)
        self._problems: list[Problem] = []
        self._left = 0
        self._asked: set[str] = set()
        self._titles = titles_of(parts.provider, (rules.model, rules.review_model))

    def grounds(self) -> Iterator[Ground]:
        """What is known of each chosen collection."""
        reading, memory = self._reading, self._parts.store.memory
        known = Known(reading.items, self.subjects, memory, self.choices.pins, self._rules.models)
        for stage in walk(reading.collections, reading.folder.collections, known):
            questions = stage.questions()
            for each in stage.chosen:
                yield Ground(each, stage.gates[each.key], questions[each.key])
            stage.decide(questions)

    def forecast(self, wanted: Wanted, model: str) -> float | None:
        """What it would cost to ask; None for a model without a known price."""
        return forecast.looks_cost(
            second_looks(self._items(wanted), self._rules.page_size), self._parts.provider.traits(model)
        )

    def allow(self, max_cost: float | None, expected: float | None) -> None:
        """Set the limit: `max_cost`, without one twice what is expected; and never more than MAX_COST_PER_RUN.

        A free model needs none.
        """
        if max_cost is None and expected:
            max_cost = expected * _TIMES_FORECAST
        self._budget = self._rules.limits.budget(max_cost)
        self.limit = self._budget.limit if self._budget.is_limited else None

    async def ask(self, wanted: Wanted, model: str) -> Verdicts:
        """Ask a model, and return the verdicts that came.

        Ends early as a run does: with the money, the time, a signal, or an error that every question would meet.
        """
        found: Verdicts = {}

        def record(answered: Answered) -> None:
            for key, verdict in answered.verdicts.items():
                reason = self._parts.redact(verdict.reason) if verdict.reason else ""
                found[answered.collection.key, key] = msgspec.structs.replace(verdict, reason=reason)
            self._book()
            self._parts.observer.advance("questions", len(answered.verdicts))

        questions = sum(len(keys) for _, keys in wanted)
        self._asked.add(model)
        self._course.has_begun = True
        try:
            if questions and not self._course.is_over:
                await self._learn_credits(wanted)
                asked = [self.subjects[key] for _, keys in wanted for key in keys]
                size = min(self._rules.page_size, SECOND_LOOK_SIZE)
                announce(self._parts.provider, (model,), asked, [each for each, _ in wanted], page_size=size)
                self._parts.observer.step(Step.ASKING)
                self._parts.observer.total("questions", questions)
                await self._engine(model, record).look_again(self._items(wanted), self._rules.page_size)
        except asyncio.CancelledError:
            if not (self._parts.interruption.why or self._parts.interruption.is_cut):
                raise
        finally:
            self._book()
            self._left += questions - len(found)
        return found

    def _engine(self, model: str, record: Callable[[Answered], None]) -> Engine:
        parts, limits = self._parts, self._rules.limits
        return Engine(
            parts.provider,
            models=Models(model, model),
            concurrency=limits.concurrency,
            budget=self._budget,
            tally=self._tally,
            course=self._course,
            record=record,
            sleep=parts.sleep,
        )

    async def _learn_credits(self, wanted: Wanted) -> None:
        """Read the people of movies that were never asked about, for the questions alone."""
        reader = CreditsReader(self._parts, self.subjects, lambda *_: True, is_enabled=self._rules.radarr_credits)
        questions = {each.key: dict.fromkeys(keys, Reason.NEW) for each, keys in wanted}
        self._problems += await reader.learn(questions)

    def _items(self, wanted: Wanted) -> list[tuple[Collection, Sequence[AnyItem]]]:
        return [(collection, [self.subjects[key].item for key in keys]) for collection, keys in wanted if keys]

    def _book(self) -> None:
        self._problems += self._keeper.record(*self._booking.entries(self._tally.spent.values()))

    # Afterwards

    @property
    def spending(self) -> Spending:
        """What it has cost so far."""
        return total(self._tally.spent.values())

    @property
    def interrupted(self) -> str:
        """The signal that has ended it; empty if none did."""
        return self._parts.interruption.why

    @property
    def exit_code(self) -> int:
        """0 if everything was answered, 1 if not, 4 if the model cannot be used, or that of the signal."""
        if self.interrupted:
            return interrupted_code(self.interrupted)
        if isinstance(self._course.stopped, CheckModel):
            return CheckModel.exit_code
        return 1 if self._left or any(problem.severity == "error" for problem in self._problems) else 0

    def problems(self) -> tuple[Problem, ...]:
        """What was left without an answer, and why; what else the operator should know."""
        names = {each.key: each.name for each in self._reading.collections}
        gaps = [
            Problem(
                source=words_about([gap.model], self._titles).title,
                what=f"{counted_items([item.key for item in gap.movies])} could not be judged: {gap.message}",
                remedy="Nothing changes for them. Try once more later.",
                collection=names.get(gap.collection, gap.collection),
                movies=tuple(map(str, gap.movies)),
            )
            for gap in self._tally.gaps
        ]
        ends = [problem for ending in self._course.endings for problem in self._of_ending(ending)]
        return (*self._problems, *gaps, *ends)

    def _of_ending(self, ending: Ending) -> Iterator[Problem]:
        left = f"{counted(self._left, 'question')} left without an answer"
        source = words_about(self._asked, self._titles).title
        match ending:
            case Stopped(CheckModel() as error):
                yield Problem(source=source, what=error.message, remedy=error.remedy)
            case Stopped(error):
                yield Problem(source=source, what=f"The asking was stopped: {error}", remedy=f"{left}; try later.")
            case TimedOut():
                yield Problem(source="RUN_TIMEOUT", what=f"The time is over: {left}.", remedy="Give it more time.")
            case OutOfBudget():
                yield Problem(
                    source="--max-cost",
                    what=f"No more than {self.limit or 0.0:.4f} USD may be spent: {left}.",
                    remedy=f"Allow more; a request may cost up to {ending.highest_estimate:.4f} USD. The lower of the "
                    "limit that was given and MAX_COST_PER_RUN counts.",
                )
            case Unpriced():
                yield Problem(
                    source="--max-cost",
                    what=f"The price of {', '.join(ending.models)} is not known, so no limit can be kept: {left}.",
                    remedy="Choose a model whose price is known, or leave the limit out and set MAX_COST_PER_RUN=0.",
                )
            case _:
                return
