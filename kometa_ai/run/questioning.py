"""Ask what has to be asked about some collections: credits first, then the questions, then the second looks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.classifier.claude import ClaudeSilent
from kometa_ai.classifier.planning import Described, Questions, needing_credits, pack, plan_questions
from kometa_ai.classifier.provider import RETRIED
from kometa_ai.core.decision import Reason, Remembered, Unjudged
from kometa_ai.core.movie import Credits, Movie, fingerprint
from kometa_ai.core.problem import Problem
from kometa_ai.decisions.policy import settle
from kometa_ai.errors import CheckClaude
from kometa_ai.radarr.failures import CreditsUnavailable
from kometa_ai.run.batches import Batches, Choice
from kometa_ai.run.session import Findings, Parts, keep
from kometa_ai.run.spending import unbooked
from kometa_ai.state import schema
from kometa_ai.state.schema import Judged, LeftUnjudged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kometa_ai.classifier.asking import Asker
    from kometa_ai.classifier.outcomes import Answered
    from kometa_ai.core.collection import Collection

_CREDITS_A_CHECKPOINT = 100
_log = structlog.get_logger()


class Questioning:
    """Asks for one run. Every verdict becomes a decision, and is remembered, the moment it arrives."""

    def __init__(
        self,
        parts: Parts,
        found: Findings,
        *,
        batch_size: int,
        radarr_credits: bool,
        batches: Choice = Choice(),  # noqa: B008 - nothing of it changes
    ) -> None:
        self._parts = parts
        self._found = found
        self._batch_size = batch_size
        self._radarr_credits = radarr_credits
        self._choice = batches
        self._batches: Batches | None = None
        self._open: Questions = {}
        self._is_checked = False

    async def ask(self, stage: Sequence[Collection], asker: Asker, *, force: bool) -> None:
        """Ask all questions of a stage; those that stay open are left in the findings."""
        found, memory = self._found, self._parts.store.memory
        self._parts.observer.step("Planning the questions")
        questions = plan_questions(found.judged, stage, memory, found.gates, force=force)
        for slug, pairs in questions.items():
            found.reasons[slug] = count(pairs.values())
        total = sum(reason is not Reason.GIVEN_UP for pairs in questions.values() for reason in pairs.values())
        _log.info(
            "questions.planned", questions=total, reasons=count(r for p in questions.values() for r in p.values())
        )
        if found.is_forgetful:
            asker.end("the state cannot be written")
        if total and not asker.is_over:
            await self._check_model(asker)
        batches = self._batches = self._batches or Batches(self._parts, found, asker, self._choice, self.record)
        if (total or batches.are_open(stage)) and not asker.is_over:
            self._open = questions
            await batches.collect(stage, questions)
            await self._learn_credits(batches.left(stage, questions))
            await self._send(stage, asker, batches)
            questions = plan_questions(found.judged, stage, memory, found.gates)
        found.open_questions |= questions

    async def _check_model(self, asker: Asker) -> None:
        """Find out by free calls, once a run, whether there is any use in asking."""
        if self._is_checked:
            return
        self._is_checked = True
        for model in asker.models:
            try:
                warning = await self._parts.provider.check(model)
            except ClaudeSilent as error:
                # The questions themselves are sent with more patience than this.
                _log.info("claude.silent", why=error.message)
                return
            except CheckClaude as error:
                asker.stop(error)
                return
            if warning:
                remedy = "Choose another CLAUDE_MODEL in time; it asks nothing again."
                self._found.warnings.append(
                    Problem(source="CLAUDE_MODEL", what=warning, remedy=remedy, severity="warning")
                )

    async def _learn_credits(self, questions: Questions) -> None:
        """Fetch the credits of movies that are asked about for the first time, and remember what each is made of."""
        wanted = needing_credits(questions, self._found.judged, self._parts.store.memory)
        self._parts.observer.total("movies", len(wanted) if self._radarr_credits else 0)
        judged = dict(self._found.judged)
        failed: list[str] = []
        for start in range(0, len(wanted), _CREDITS_A_CHECKPOINT):
            if self._found.asker is not None and self._found.asker.is_over:
                break
            chunk = wanted[start : start + _CREDITS_A_CHECKPOINT]
            movies = [judged[tmdb_id].movie for tmdb_id in chunk]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._credits(movie)) for movie in movies]
            learned = []
            for movie, task in zip(movies, tasks, strict=True):
                people = task.result()
                if people is None and self._radarr_credits:
                    failed.append(str(movie))
                judged[movie.tmdb_id], entry = self._learn(movie, people)
                learned.append(entry)
            keep(self._parts, self._found, *learned)
        self._found.judged = judged
        if failed:
            self._found.warnings.append(
                Problem(
                    source="Radarr",
                    what=f"The directors and cast of {len(failed)} movies could not be read; they are judged without.",
                    remedy="Look at Radarr's log; it may be busy.",
                    movies=tuple(failed[:20]),
                    severity="warning",
                )
            )

    async def _credits(self, movie: Movie) -> Credits | None:
        if not self._radarr_credits:
            return None
        try:
            return await self._parts.radarr.credits(movie.radarr_id)
        except CreditsUnavailable as error:
            _log.info("credits.unavailable", movie=str(movie), why=str(error))
            return None
        finally:
            self._parts.observer.advance("movies", 1)

    def _learn(self, movie: Movie, people: Credits | None) -> tuple[Described, schema.Described]:
        """A movie with what Radarr says of its people now; what was known stays where Radarr says nothing."""
        known = self._parts.store.memory.get(movie.tmdb_id)
        if people is None and known is not None:
            people = known.credits
        if people is not None:
            movie = msgspec.structs.replace(movie, credits=people)
        prints = fingerprint(movie)
        remembered = Remembered(
            title=movie.title,
            year=movie.year,
            metadata_hash=prints.full,
            facts_hash=prints.blind,
            credits=people,
            last_seen=self._parts.now().date(),
        )
        return Described(movie, prints), schema.Described(tmdb_id=movie.tmdb_id, movie=remembered)

    async def _send(self, stage: Sequence[Collection], asker: Asker, batches: Batches) -> None:
        """Ask, and give what is near the threshold its second look."""
        questions = batches.left(stage, self._open)
        blocks = pack(questions, self._found.judged, stage, self._batch_size)
        self._parts.observer.step("Asking Claude")
        self._parts.observer.total("questions", sum(len(block.movies) * len(block.collections) for block in blocks))
        if await batches.ask(stage, self._open, self._batch_size):
            blocks = pack(batches.left(stage, self._open), self._found.judged, stage, self._batch_size)
        await asker.ask(blocks)
        self._count_failures(stage, asker)
        due = self._due(stage, batches)
        if due and not asker.is_over:
            self._parts.observer.step("Looking again at the borderline")
            self._parts.observer.total("questions", sum(len(movies) for _, movies in due))
            if await batches.look_again(stage, due):
                due = self._due(stage, batches)
            await asker.look_again(due)

    def _due(self, stage: Sequence[Collection], batches: Batches) -> list[tuple[Collection, list[Movie]]]:
        """The second looks that nobody has been asked for yet."""
        found = self._found
        open_now = batches.left(stage, plan_questions(found.judged, stage, self._parts.store.memory, found.gates))
        return [
            (collection, [found.judged[tmdb_id].movie for tmdb_id in sorted(pairs)])
            for collection in stage
            if (pairs := [i for i, reason in open_now[collection.slug].items() if reason is Reason.SECOND_LOOK])
        ]

    def _count_failures(self, stage: Sequence[Collection], asker: Asker) -> None:
        """Count movies that could not be judged for a reason of their own: they are not asked about for ever."""
        collections = {collection.slug: collection for collection in stage}
        entries = []
        if asker.stopped is not None or not any(spent.usage.requests for spent in asker.spent.values()):
            return  # it was not for the movies
        for gap in asker.gaps:
            if gap.failure in RETRIED or gap.collection not in collections:
                continue
            prompt_hash = collections[gap.collection].prompt_hash
            for movie in gap.movies:
                inputs = (self._found.judged[movie.tmdb_id].fingerprint.full, prompt_hash)
                known = self._parts.store.memory.get(movie.tmdb_id)
                before = known.unjudged.get(gap.collection) if known else None
                is_same = before is not None and (before.metadata_hash, before.prompt_hash) == inputs
                unjudged = Unjudged(
                    runs=before.runs + 1 if before and is_same else 1, metadata_hash=inputs[0], prompt_hash=inputs[1]
                )
                entries.append(LeftUnjudged(tmdb_id=movie.tmdb_id, slug=gap.collection, unjudged=unjudged))
        keep(self._parts, self._found, *entries)

    def record(self, answered: Answered) -> None:
        """Turn verdicts into decisions and remember them."""
        store, found, collection = self._parts.store, self._found, answered.collection
        entries = []
        for tmdb_id, verdict in answered.verdicts.items():
            known = store.memory.get(tmdb_id)
            decision = settle(
                verdict,
                known.collections.get(collection.slug) if known else None,
                collection,
                second_look=answered.second_look,
                metadata_hash=answered.away.get(tmdb_id) or found.judged[tmdb_id].fingerprint.full,
                model=answered.model,
                now=self._parts.now(),
            )
            self._open.get(collection.slug, {}).pop(tmdb_id, None)
            entries.append(Judged(tmdb_id=tmdb_id, slug=collection.slug, decision=decision))
            found.last_asked[collection.slug] = tmdb_id
        keep(self._parts, found, *entries, *unbooked(self._parts, found))
        self._parts.observer.advance("questions", len(entries))


def count(reasons: Iterable[Reason]) -> dict[str, int]:
    """How often each reason occurs."""
    counted: dict[str, int] = {}
    for reason in reasons:
        counted[str(reason)] = counted.get(str(reason), 0) + 1
    return counted
