"""The batches of one run: whether to use them, where they are written down, which questions are with Anthropic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import structlog

from kometa_ai.asking import forecast
from kometa_ai.asking.batching import Batcher, Scope
from kometa_ai.core.decision import Reason
from kometa_ai.core.problem import Problem
from kometa_ai.judging.packing import pack, second_looks
from kometa_ai.run.watching import Step
from kometa_ai.state.schema import BatchDropped, BatchNamed, BatchPlanned, BatchTaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kometa_ai.asking.pacing import Budget
    from kometa_ai.asking.tally import Answered, Tally
    from kometa_ai.core.batches import BatchedQuestion, OpenBatch
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import Slug
    from kometa_ai.judging.looks import Models
    from kometa_ai.judging.packing import Packet
    from kometa_ai.judging.planning import Questions, Subject
    from kometa_ai.run.keeping import Keep
    from kometa_ai.run.parts import Parts
    from kometa_ai.state.store import Store

WORTH = 1.0
"""USD that questions must be expected to cost for `auto` to wait for a batch."""
ROUNDS = 3
"""So often what batches left unanswered is put into batches again, while it is worth it."""

_log = structlog.get_logger()


class Choice(NamedTuple):
    """What the settings say of batches, whether somebody waits for the run, and whether it is about some movies only.

    Such a run is short. It leaves batches alone: it knows nothing of the other movies that they ask about.
    """

    mode: Literal["off", "auto", "on"] = "off"
    is_unattended: bool = False
    is_partial: bool = False


class Batches:
    """Asks through batches where that is wanted, and takes the answers of earlier ones in any case."""

    def __init__(
        self,
        parts: Parts,
        models: Models,
        choice: Choice,
        *,
        budget: Budget,
        tally: Tally,
        record: Callable[[Answered], None],
        keep: Keep,
        subjects: Mapping[ItemKey, Subject],
        warnings: list[Problem],
    ) -> None:
        self._parts = parts
        self._subjects = subjects
        self._warnings = warnings
        self._models = models
        self._course = parts.interruption.course
        self._choice = choice
        self._batcher: Batcher | None = None
        self._told: set[str] = set()
        if parts.batches is not None:
            self._batcher = parts.interruption.batcher = Batcher(
                parts.batches,
                models=models,
                budget=budget,
                tally=tally,
                course=self._course,
                caching=parts.provider,
                ledger=_Ledger(parts.store, keep),
                record=record,
                now=parts.now,
                sleep=parts.sleep,
            )

    @property
    def _may_wait(self) -> bool:
        choice = self._choice
        return not choice.is_partial and (choice.mode == "on" or (choice.mode == "auto" and choice.is_unattended))

    def are_open(self, stage: Sequence[Collection]) -> bool:
        """Whether answers about one of these collections are still to be taken by this run."""
        if self._choice.is_partial:
            return False
        slugs = {collection.slug for collection in stage}
        return any(
            question.slug in slugs for batch in self._parts.store.state.batches for question in batch.open_questions
        )

    async def collect(self, stage: Sequence[Collection], questions: Questions) -> None:
        """Take the answers of earlier batches; `questions` are those still open, from which `record` takes away."""
        if self._batcher is None or not self.are_open(stage):
            return
        self._parts.observer.step(Step.ASKING)
        await self._batcher.collect(self._scope(stage, questions), wait=self._may_wait)
        self._say_errors(self._batcher)

    async def ask(self, stage: Sequence[Collection], questions: Questions, size: int) -> bool:
        """Ask through batches what is worth it, and say whether anything was asked so.

        Answered questions are taken out of `questions` by `record`.
        """
        if self._batcher is None or not self._may_wait:
            return False
        asked = False
        for number in range(ROUNDS):
            packets = pack(self.left(stage, questions), self._subjects, stage, size)
            if not packets or self._course.is_over or not self._are_worth_it(packets, is_first=number == 0):
                break
            before, asked = _open(questions), True
            await self._batcher.ask(packets, self._scope(stage, questions))
            if self._batcher.unavailable or _open(questions) == before:
                break
        self._say_unavailable(self._batcher)
        return asked

    async def look_again(
        self, stage: Sequence[Collection], due: Sequence[tuple[Collection, Sequence[AnyItem]]]
    ) -> bool:
        """Give second looks through a batch where that is worth it, and say whether any was asked for so."""
        if self._batcher is None or not self._may_wait:
            return False
        packets = second_looks(due)
        cost = forecast.cost(packets, self._parts.provider, self._models.review, forecast.SECOND_LOOKS)
        if cost is None or cost <= WORTH:
            return False
        await self._batcher.look_again(packets, self._scope(stage, {}))
        self._say_unavailable(self._batcher)
        return True

    def _say_errors(self, batcher: Batcher) -> None:
        for why, batch_id in batcher.errors.items():
            if why not in self._told:
                self._told.add(why)
                self._warnings.append(
                    Problem(
                        source="Claude",
                        what=f"Questions of the batch {batch_id} ended with an error, which costs nothing: {why}",
                        remedy="They are asked again. If that fails too, what it says is to be put right.",
                        severity="warning",
                    )
                )

    def _say_unavailable(self, batcher: Batcher) -> None:
        self._say_errors(batcher)
        if batcher.unavailable:
            self._warnings.append(
                Problem(
                    source="CLAUDE_BATCHES",
                    what=f"Questions were asked directly instead of in a batch, for more money: {batcher.unavailable}",
                    remedy="If that happens again, look at the key's rights, or set CLAUDE_BATCHES=off.",
                    severity="warning",
                )
            )
            batcher.unavailable = ""

    def left(self, stage: Sequence[Collection], questions: Questions) -> Questions:
        """The questions without those that are with Anthropic: nobody shall pay for them twice."""
        return not_in_batches(self._parts.store.state.batches, stage, self._subjects, questions)

    def _are_worth_it(self, packets: Sequence[Packet], *, is_first: bool) -> bool:
        if self._choice.mode == "on" and is_first:
            return True
        cost = forecast.cost(packets, self._parts.provider, self._models.first)
        return cost is not None and cost > WORTH

    def _scope(self, stage: Sequence[Collection], questions: Questions) -> Scope:
        memory, judged = self._parts.store.memory, self._subjects

        def is_open(question: BatchedQuestion, key: ItemKey) -> bool:
            known = memory.get(key)
            decision = known.collections.get(question.slug) if known else None
            if question.second_look:
                return key in judged and decision is not None and decision.second_look == "due"
            reason = questions.get(question.slug, {}).get(key)
            if reason is None:
                # Answered, or nothing to ask now: it is away, or decided by a pin or a tag, which may pass.
                return decision is None or decision.prompt_hash != question.prompt_hash
            return reason is not Reason.SECOND_LOOK

        return Scope({collection.slug: collection for collection in stage}, judged, is_open)


def not_in_batches(
    batches: Iterable[OpenBatch],
    stage: Sequence[Collection],
    judged: Mapping[ItemKey, Subject],
    questions: Questions,
) -> Questions:
    """The questions without those of batches whose answers will hold when they come."""
    prompts = {collection.slug: collection.prompt_hash for collection in stage}
    awaited = {
        (question.slug, key, question.second_look)
        for batch in batches
        for question in batch.open_questions
        if prompts.get(question.slug) == question.prompt_hash
        for key, asked_from in batch.pages[question.page]
        if key in judged and judged[key].fingerprint.covers(asked_from)
    }
    if not awaited:
        return questions
    return {
        slug: {key: reason for key, reason in pairs.items() if (slug, key, reason is Reason.SECOND_LOOK) not in awaited}
        for slug, pairs in questions.items()
    }


def with_anthropic(
    batches: Iterable[OpenBatch], collections: Iterable[Collection], subjects: Mapping[ItemKey, Subject]
) -> list[Problem]:
    """What was asked through batches that have not been answered."""
    slugs = {collection.slug for collection in collections}
    problems = []
    for batch in batches:
        count = sum(
            key in subjects
            for question in batch.open_questions
            if question.slug in slugs
            for key, _ in batch.pages[question.page]
        )
        if count:
            problems.append(
                Problem(
                    source="Claude",
                    what=f"{count} questions are with Anthropic as {f'batch {batch.id}' if batch.id else 'a batch'}.",
                    remedy="Nothing to do: the next run collects the answers.",
                )
            )
    return problems


def _open(questions: Questions) -> int:
    return sum(map(len, questions.values()))


class _Ledger:
    """Open batches, as they are in the state; see batch_answers.Ledger."""

    def __init__(self, store: Store, keep: Keep) -> None:
        self._store = store
        self._keep = keep

    def open(self) -> Sequence[OpenBatch]:
        return tuple(self._store.state.batches)

    def plan(self, batch: OpenBatch) -> bool:
        return self._keep(BatchPlanned(batch=batch))

    def name(self, key: str, batch_id: str, foreign: tuple[str, ...] = ()) -> None:
        self._keep(BatchNamed(key=key, id=batch_id, foreign=foreign))

    def take(self, key: str, slugs: Iterable[Slug]) -> None:
        self._keep(BatchTaken(key=key, slugs=tuple(sorted(slugs))))

    def drop(self, key: str) -> None:
        self._keep(BatchDropped(key=key))
