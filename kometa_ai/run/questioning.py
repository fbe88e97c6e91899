"""Ask what has to be asked about some collections: credits first, then the questions, then the second looks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.asking.ending import Stopped
from kometa_ai.asking.engine import Engine
from kometa_ai.asking.layout import bounds, group_size
from kometa_ai.asking.tally import Tally
from kometa_ai.core.decision import Reason
from kometa_ai.core.problem import Problem
from kometa_ai.errors import CheckModel
from kometa_ai.judging.looks import due_now
from kometa_ai.judging.packing import pack
from kometa_ai.judging.planning import GIVEN_UP, Questions, Subject
from kometa_ai.judging.policy import settle
from kometa_ai.providers.port import ProviderSilent
from kometa_ai.run.batches import Batches
from kometa_ai.run.credits import CreditsReader
from kometa_ai.run.results import Asking
from kometa_ai.run.unjudged import count_vain
from kometa_ai.run.watching import Step
from kometa_ai.state.schema import Judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kometa_ai.asking.tally import Answered
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Verdict
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.options import Options
    from kometa_ai.judging.stages import Stage
    from kometa_ai.providers.port import Provider
    from kometa_ai.run.batches import Due
    from kometa_ai.run.keeping import Keep
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.spending import Booking

_log = structlog.get_logger()


class Questioning:
    """Asks for one run. Every verdict becomes a decision, and is remembered, the moment it arrives."""

    def __init__(
        self,
        parts: Parts,
        rules: Rules,
        options: Options,
        *,
        run_id: str,
        keep: Keep,
        require_room: Callable[[], None],
        booking: Booking,
        collections: Sequence[Collection],
        subjects: dict[ItemKey, Subject],
        warnings: list[Problem],
    ) -> None:
        self.open_questions: Questions = {}
        self._parts = parts
        self._options = options
        self._again = frozenset(options.ask_again)
        self._keep = keep
        self._require_room = require_room
        self._booking = booking
        self._rules = rules
        self._collections = collections
        self._subjects = subjects
        self._warnings = warnings
        self._tally = Tally()
        self._course = parts.interruption.course
        self._course.has_begun = True
        budget = rules.limits.budget(options.max_cost)
        self._engine = Engine(
            parts.provider,
            models=rules.models,
            concurrency=rules.limits.concurrency,
            collections_per_request=rules.collections_per_request,
            budget=budget,
            tally=self._tally,
            course=self._course,
            record=self._record,
        )
        self._batches = Batches(
            parts,
            rules,
            options,
            run_id=run_id,
            budget=budget,
            tally=self._tally,
            record=self._record,
            keep=keep,
            subjects=subjects,
            warnings=warnings,
        )
        self._credits = CreditsReader(parts, subjects, keep, is_enabled=rules.radarr_credits)
        self._reasons: dict[CollectionKey, dict[str, int]] = {}
        self._last_asked: dict[CollectionKey, ItemKey] = {}
        self._open: Questions = {}
        self._is_checked = False
        self._doubts: list[Problem] = []
        self._gaps_counted = 0
        self._waits = False
        self._not_repeated = 0

    def result(self) -> Asking:
        """What has been asked so far, and what came of it."""
        return Asking(
            open_questions=self.open_questions,
            reasons=self._reasons,
            last_asked=self._last_asked,
            tally=self._tally,
            endings=tuple(self._course.endings),
            waiting=self._batches.waiting if self._waits and self._course.may_wait else None,
            not_repeated=self._not_repeated,
        )

    async def ask(self, stage: Stage) -> None:
        """Ask all questions of a stage; those that stay open are added to `open_questions`."""
        course, batches = self._course, self._batches
        self._parts.observer.step(Step.PLANNING)
        options = self._options
        since = options.goes_on_with.since if options.goes_on_with is not None else None
        questions = stage.questions(force=options.force_refresh, again=self._again, since=since)
        for slug, pairs in questions.items():
            self._reasons[slug] = count(pairs.values())
        total = sum(reason is not Reason.GIVEN_UP for pairs in questions.values() for reason in pairs.values())
        _log.info(
            "questions.planned", questions=total, reasons=count(r for p in questions.values() for r in p.values())
        )
        if total and not course.is_over:
            self._announce()
            await self._check_use()
        # While answers are awaited, a later stage would be asked about movies that these may decide.
        if (total or batches.are_open(stage.chosen)) and not (course.is_over or self._waits):
            self._open = questions
            await batches.take(stage.chosen, questions)
            self._warnings += await self._credits.learn(batches.left(stage.chosen, questions))
            await self._send(stage)
            questions = stage.questions(force=options.force_refresh, again=self._again, since=batches.since)
            self._waits = batches.are_awaited(stage.chosen, questions)
            self._warn_of_doubts()
        if total and not self._waits:
            # With --force-refresh, what is not asked again yet counts as open while this run waits, and only then.
            asked_for, questions = questions, stage.questions()
            self._not_repeated += sum(len(pairs.keys() - questions[key].keys()) for key, pairs in asked_for.items())
        self.open_questions |= questions

    def _announce(self) -> None:
        """Tell the models how long a prompt may become in this run, where that must be known before the first."""
        if self._is_checked:
            return
        announce(
            self._parts.provider,
            self._engine.models,
            self._subjects.values(),
            self._collections,
            page_size=self._options.batch_size,
            per_request=self._rules.collections_per_request,
        )

    async def _check_use(self) -> None:
        """Find out once a run, by a small file and free calls, whether there is any use in asking."""
        if self._is_checked:
            return
        self._is_checked = True
        self._require_room()
        if self._course.is_over:
            return
        for model in self._engine.models:
            try:
                warning = await self._parts.provider.check(model)
            except ProviderSilent as error:
                # The questions themselves are sent with more patience than this.
                _log.info("model.silent", why=error.message)
                return
            except CheckModel as error:
                self._course.end(Stopped(error))
                return
            if warning is not None:
                self._doubts.append(warning)

    def _warn_of_doubts(self) -> None:
        """Tell what the free check has said of the models, but for a doubt that their answers have dispelled."""
        doubts, self._doubts = self._doubts, []
        stopped = self._course.stopped
        self._warnings += [
            msgspec.structs.replace(doubt, severity="warning")
            for doubt in doubts
            if doubt.severity == "warning"
            or not (self._tally.read_models or (stopped is not None and stopped.args[0] in doubt.what))
        ]

    async def _send(self, stage: Stage) -> None:
        """Ask, and give second looks to what is near the threshold: directly, or through batches for a later run."""
        batches, size = self._batches, self._options.batch_size
        left = batches.left(stage.chosen, self._open)
        questions = _without(left, batches.postponed(self._open, left))
        later = batches.worth_it(stage.chosen, questions, size)
        await self._ask_directly(stage, _without(questions, later))
        is_handing_over = any(later.values())
        # Second looks can wait as well then, and are worth a batch more likely when all of them are due.
        due = [] if is_handing_over else self._due(stage)
        looks_later = batches.looks_worth_it(due, size)
        await self._look_again(due if not looks_later else [])
        if (is_handing_over or looks_later) and not await batches.hand_over(stage.chosen, later, looks_later, size):
            await self._ask_directly(stage, later)
            await self._look_again(self._due(stage))
        self._count_vain(stage)

    async def _ask_directly(self, stage: Stage, questions: Questions) -> None:
        # What a batch has left is asked one by one: the answer of a group may have failed for one of its collections.
        left = self._batches.left_over(questions)
        one_by_one, packets = (
            pack(these, self._subjects, stage.chosen, self._options.batch_size)
            for these in (left, _without(questions, left))
        )
        self._parts.observer.step(Step.ASKING)
        self._parts.observer.total(
            "questions", sum(len(packet.movies) * len(packet.collections) for packet in (*one_by_one, *packets))
        )
        if one_by_one:
            await self._engine.ask(one_by_one, alone=True)
        await self._engine.ask(packets)

    async def _look_again(self, due: Due) -> None:
        if due and not self._course.is_over:
            self._parts.observer.step(Step.LOOKING_AGAIN)
            self._parts.observer.total("questions", sum(len(movies) for _, movies in due))
            await self._engine.look_again(due, self._options.batch_size)

    def _due(self, stage: Stage) -> Due:
        """The second looks that are neither given nor with Anthropic."""
        open_now = self._batches.left(stage.chosen, stage.questions(again=self._again & {GIVEN_UP}))
        return [
            (collection, [self._subjects[key].item for key in due])
            for collection in stage.chosen
            if (due := due_now(open_now[collection.key]))
        ]

    def _count_vain(self, stage: Stage) -> None:
        """Count movies that could not be judged for a reason of their own, so that they are not asked for ever."""
        tally = self._tally
        gaps, self._gaps_counted = tally.gaps[self._gaps_counted :], len(tally.gaps)
        if self._course.stopped is not None or not any(spent.usage.requests for spent in tally.spent.values()):
            return  # the service failed, not the movies
        entries = count_vain(
            gaps,
            stage.chosen,
            self._subjects,
            self._parts.store.memory,
            models=self._engine.models,
            read_models=tally.read_models,
        )
        self._keep(*entries)

    def _without_secrets(self, verdict: Verdict) -> Verdict:
        """The verdict as it may be remembered, and so be shown: an endpoint may repeat what it was sent."""
        if not verdict.reason:
            return verdict
        return msgspec.structs.replace(verdict, reason=self._parts.redact(verdict.reason))

    def _record(self, answered: Answered) -> None:
        """Turn verdicts into decisions and remember them."""
        memory, collection, now = self._parts.store.memory, answered.collection, self._parts.now()
        of = collection.key
        open_now = self._open.get(of, {})
        entries = []
        for key, verdict in answered.verdicts.items():
            known = memory.get(key)
            is_distrusted = open_now.pop(key, None) is Reason.ASKED_AGAIN
            decision = settle(
                self._without_secrets(verdict),
                known.collections.get(collection.slug) if known and not is_distrusted else None,
                collection,
                second_look=answered.second_look,
                metadata_hash=answered.away.get(key) or self._subjects[key].fingerprint.full,
                model=answered.model,
                now=now,
                request=answered.request,
            )
            entries.append(Judged(key=key, slug=collection.slug, decision=decision))
            self._last_asked[of] = key
        self._keep(*entries, *self._booking.entries(self._tally.spent.values()))
        self._parts.observer.advance("questions", len(entries))
        self._parts.observer.cost(self._booking.booked.cost_usd)


def announce(
    provider: Provider,
    models: Iterable[str],
    subjects: Iterable[Subject],
    collections: Sequence[Collection],
    *,
    page_size: int,
    per_request: int = 1,
) -> None:
    """Tell models that size their context how long prompts and answers about these may become."""
    for model in models:
        traits = provider.traits(model)
        if traits.sizes_context:
            items = [subject.item for subject in subjects]
            most = bounds(items, collections, page_size, group_size(per_request, traits))
            provider.expect(model, prompt_tokens=most.prompt, answer_tokens=most.answer)


def _without(questions: Questions, others: Questions) -> Questions:
    if not any(others.values()):
        return questions  # a copy of 200,000 pairs would take 10 MB
    return {
        slug: {key: reason for key, reason in pairs.items() if key not in others.get(slug, {})}
        for slug, pairs in questions.items()
    }


def count(reasons: Iterable[Reason]) -> dict[str, int]:
    """How often each reason occurs."""
    return {str(reason): times for reason, times in Counter(reasons).items()}
