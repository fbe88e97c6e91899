"""Decide when a run uses batches, keep them in the state, and know which questions still wait for answers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.asking import forecast
from kometa_ai.asking.batches import Batcher, Scope
from kometa_ai.asking.layout import group_size
from kometa_ai.asking.phases import Work, opening, reading
from kometa_ai.core.decision import Reason
from kometa_ai.core.options import Earlier
from kometa_ai.core.problem import Problem
from kometa_ai.judging.packing import pack, second_looks
from kometa_ai.run.watching import Step
from kometa_ai.state.schema import BatchDropped, BatchNamed, BatchPlanned, BatchTaken, RunWaits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kometa_ai.asking.pacing import Budget
    from kometa_ai.asking.tally import Answered, Tally
    from kometa_ai.core.batches import BatchedQuestion, OpenBatch
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.options import Options
    from kometa_ai.judging.planning import Questions, Subject
    from kometa_ai.run.keeping import Keep
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.state.store import Store

WORTH = 1.0
"""USD that questions must be expected to cost for `auto` to use a batch."""

AWAITED = "Nothing to do: the next run collects the answers."
"""What is to be done while questions are with Anthropic."""
OUT_OF_REACH = (
    "Their answers are paid for: set CLAUDE_API_KEY, and the next run collects them. "
    "Or give them up with --cancel-batches, and the next run asks again."
)
"""What is to be done where there is no key to collect them with."""

Due = list[tuple["Collection", list["AnyItem"]]]
"""For each collection the movies that are due for a second look."""


class Batches:
    """Hands over what is worth it, if the run may wait for answers, and takes the answers of earlier batches.

    A run about some movies is short, and leaves batches alone: it knows nothing of the other movies they ask about.
    `since` is when the run has begun, or the first of those that it goes on with.
    """

    def __init__(
        self,
        parts: Parts,
        rules: Rules,
        options: Options,
        *,
        run_id: str,
        budget: Budget,
        tally: Tally,
        record: Callable[[Answered], None],
        keep: Keep,
        subjects: Mapping[ItemKey, Subject],
        warnings: list[Problem],
    ) -> None:
        self._parts = parts
        self._models = rules.models
        self._subjects = subjects
        self._warnings = warnings
        before = options.goes_on_with or Earlier(run_ids=(), since=parts.now())
        earlier = msgspec.structs.replace(before, run_ids=(*before.run_ids, run_id))
        self._waiting = waiting = msgspec.structs.replace(options, goes_on_with=earlier)
        self.since = before.since
        self._told: set[str] = set()
        self._is_partial = bool(options.movies)
        is_wanted = rules.batches == "on" or (rules.batches == "auto" and options.unattended)
        self._is_always_worth_it = rules.batches == "on"
        self.may_wait = is_wanted and not self._is_partial and parts.batches is not None
        self._group = group_size(rules.collections_per_request, parts.provider.traits(rules.model))
        self._batcher: Batcher | None = None
        if parts.batches is not None:
            self._batcher = Batcher(
                parts.batches,
                models=rules.models,
                budget=budget,
                tally=tally,
                course=parts.interruption.course,
                traits=parts.provider.traits,
                ledger=_Ledger(parts.store, keep, waiting),
                record=record,
                now=parts.now,
                group=self._group,
                sleep=parts.sleep,
            )

    @property
    def waiting(self) -> Options:
        """The options of the run that goes on with this one."""
        return msgspec.structs.replace(self._waiting, max_cost=self._batcher.left if self._batcher else None)

    def are_open(self, stage: Sequence[Collection]) -> bool:
        """Whether answers about one of these collections are still to be taken by this run."""
        if self._is_partial:
            return False
        keys = {collection.key for collection in stage}
        return any(
            question.collection in keys
            for batch in self._parts.store.state.batches
            for question in batch.open_questions
        )

    def are_awaited(self, stage: Sequence[Collection], questions: Questions) -> bool:
        """Whether this run is to wait, because questions of these are with Anthropic."""
        return self.may_wait and self.left(stage, questions) != questions

    def left(self, stage: Sequence[Collection], questions: Questions) -> Questions:
        """The questions without those that are with Anthropic: they are not to be paid for twice."""
        return not_in_batches(self._parts.store.state.batches, stage, self._subjects, questions)

    def postponed(self, questions: Questions, left: Questions) -> Questions:
        """What is left to ask about movies that are with Anthropic already, if the run waits for these.

        Their page is being written to the cache, for these questions to read.
        """
        if not self.may_wait:
            return {}
        awaited = {
            key
            for slug, pairs in questions.items()
            for key, reason in pairs.items()
            if reason.is_asked_first and key not in left[slug]
        }
        return {
            slug: {key: reason for key, reason in pairs.items() if reason.is_asked_first and key in awaited}
            for slug, pairs in left.items()
        }

    async def take(self, stage: Sequence[Collection], questions: Questions) -> None:
        """Take the answers of earlier batches; `questions` are those still open, from which `record` takes away."""
        if self._batcher is None or not self.are_open(stage):
            return
        self._parts.observer.step(Step.ASKING)
        await self._batcher.take(self._scope(stage, questions))
        for why, batch_id in self._batcher.errors.items():
            if why not in self._told:
                self._told.add(why)
                self._warn(
                    "Claude",
                    f"Questions of the batch {batch_id} ended with an error, which costs nothing: {why}",
                    "They are asked again. If that fails too, what it says is to be put right.",
                )

    def left_over(self, questions: Questions) -> Questions:
        """Of these the questions that a batch has left without a verdict."""
        left_over = self._batcher.left_over if self._batcher is not None else set()
        if not left_over:
            return {}
        return {
            slug: {key: reason for key, reason in pairs.items() if (slug, key, False) in left_over}
            for slug, pairs in questions.items()
        }

    def worth_it(self, stage: Sequence[Collection], questions: Questions, size: int) -> Questions:
        """The questions that are to be handed over. What a batch has left without a verdict is asked directly."""
        if self._batcher is None or not self.may_wait:
            return {}
        left_over = self._batcher.left_over
        fresh = {
            slug: pairs
            if not left_over and all(reason.is_asked_first for reason in pairs.values())
            else {
                key: reason
                for key, reason in pairs.items()
                if reason.is_asked_first and (slug, key, False) not in left_over
            }
            for slug, pairs in questions.items()
        }
        if self._is_always_worth_it:
            return fresh
        model = self._models.first
        packets = pack(fresh, self._subjects, stage, size)
        cost = forecast.cost(packets, self._parts.provider.traits(model), group=self._group)
        return fresh if cost is not None and cost > WORTH else {}

    def looks_worth_it(self, due: Due, size: int) -> Due:
        """The second looks that are to be handed over."""
        if self._batcher is None or not self.may_wait:
            return []
        left_over = self._batcher.left_over
        fresh = [
            (collection, [movie for movie in movies if (collection.key, movie.key, True) not in left_over])
            for collection, movies in due
        ]
        traits = self._parts.provider.traits(self._models.review)
        if not traits.has_batches:
            return []
        cost = forecast.looks_cost(second_looks(fresh, size), traits)
        return fresh if cost is not None and cost > WORTH else []

    async def hand_over(self, stage: Sequence[Collection], questions: Questions, due: Due, size: int) -> bool:
        """Hand questions and second looks over, as far as the money reaches; return whether any may be taken now."""
        if self._batcher is None:
            return False
        works, rest = reading(self._batcher.warm, questions, stage, self._subjects)
        packets = pack(rest, self._subjects, stage, size)
        works += opening(packets, self._parts.provider.traits(self._models.first), self._group)
        works += [Work(packet, second_look=True) for packet in second_looks(due, size)]
        handed_over = await self._batcher.hand_over(works, self._scope(stage, questions))
        if self._batcher.unavailable:
            self._warn(
                "CLAUDE_BATCHES",
                f"Questions were asked directly instead of in a batch, for more money: {self._batcher.unavailable}",
                "If that happens again, look at the key's rights, or set CLAUDE_BATCHES=off.",
            )
            self._batcher.unavailable = ""
        return handed_over

    def _warn(self, source: str, what: str, remedy: str) -> None:
        self._warnings.append(Problem(source=source, what=what, remedy=remedy, severity="warning"))

    def _scope(self, stage: Sequence[Collection], questions: Questions) -> Scope:
        memory, judged = self._parts.store.memory, self._subjects

        def is_open(question: BatchedQuestion, key: ItemKey) -> bool:
            known = memory.get(key)
            decision = known.collections.get(question.slug) if known else None
            if question.second_look:
                return key in judged and decision is not None and decision.second_look == "due"
            reason = questions.get(question.collection, {}).get(key)
            if reason is None:
                # Answered, or nothing to ask now: it is away, or decided by a pin or a tag, which may pass.
                return decision is None or decision.prompt_hash != question.prompt_hash
            return reason is not Reason.SECOND_LOOK

        return Scope({collection.key: collection for collection in stage}, judged, is_open)


def not_in_batches(
    batches: Iterable[OpenBatch],
    stage: Sequence[Collection],
    judged: Mapping[ItemKey, Subject],
    questions: Questions,
) -> Questions:
    """The questions without those of batches whose answers will hold when they come."""
    prompts = {collection.key: collection.prompt_hash for collection in stage}
    # Sets of items by question: a set of all 200,000 pairs would take 25 MB.
    awaited: defaultdict[tuple[CollectionKey, bool], set[ItemKey]] = defaultdict(set)
    for batch in batches:
        current = _current_pages(batch, judged)
        for question in batch.open_questions:
            if prompts.get(question.collection) == question.prompt_hash:
                awaited[question.collection, question.second_look].update(current[question.page])
    if not any(awaited.values()):
        return questions
    nothing: set[ItemKey] = set()
    left = {}
    for slug, pairs in questions.items():
        first, second = awaited.get((slug, False), nothing), awaited.get((slug, True), nothing)
        left[slug] = {
            key: reason
            for key, reason in pairs.items()
            if key not in (second if reason is Reason.SECOND_LOOK else first)
        }
    return left


def _current_pages(batch: OpenBatch, judged: Mapping[ItemKey, Subject]) -> list[tuple[ItemKey, ...]]:
    """The items of each page of a batch whose data are what they were when it was handed over."""
    return [
        tuple(key for key, asked_from in page if key in judged and judged[key].fingerprint.covers(asked_from))
        for page in batch.pages
    ]


def with_anthropic(
    batches: Iterable[OpenBatch],
    collections: Iterable[Collection],
    subjects: Mapping[ItemKey, Subject],
    *,
    can_collect: bool = True,
) -> list[Problem]:
    """What was asked through batches that have not been answered, and whether a run can collect the answers."""
    keys = {collection.key for collection in collections}
    problems = []
    for batch in batches:
        count = sum(
            key in subjects
            for question in batch.open_questions
            if question.collection in keys
            for key, _ in batch.pages[question.page]
        )
        if count:
            problems.append(
                Problem(
                    source="Claude",
                    what=f"{count} questions are with Anthropic as {f'batch {batch.id}' if batch.id else 'a batch'}.",
                    remedy=AWAITED if can_collect else OUT_OF_REACH,
                )
            )
    return problems


class _Ledger:
    """Open batches, as they are in the state, and the run that waits for them; see asking.batches.Ledger."""

    def __init__(self, store: Store, keep: Keep, waiting: Options) -> None:
        self._store = store
        self._keep = keep
        self._waiting = waiting

    def open(self) -> Sequence[OpenBatch]:
        return tuple(self._store.state.batches)

    def plan(self, batch: OpenBatch, left: float | None) -> bool:
        waiting = msgspec.structs.replace(self._waiting, max_cost=left)
        return self._keep(BatchPlanned(batch=batch), RunWaits(options=waiting))

    def name(self, key: str, batch_id: str, foreign: tuple[str, ...] = ()) -> None:
        self._keep(BatchNamed(key=key, id=batch_id, foreign=foreign))

    def take(self, key: str, collections: Iterable[CollectionKey]) -> None:
        self._keep(BatchTaken(key=key, collections=tuple(sorted(collections))))

    def drop(self, key: str) -> None:
        self._keep(BatchDropped(key=key))
