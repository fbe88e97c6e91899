"""Ask what has to be asked about some collections: credits first, then the questions, then the second looks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.decision import TRIES, Reason, Remembered, Unjudged
from kometa_ai.core.movie import Credits, Movie, fingerprint
from kometa_ai.core.problem import Problem
from kometa_ai.errors import CheckClaude
from kometa_ai.judging.looks import due_now
from kometa_ai.judging.packing import pack
from kometa_ai.judging.planning import GIVEN_UP, Described, Questions, needing_credits
from kometa_ai.judging.policy import settle
from kometa_ai.library.port import CreditsUnavailable
from kometa_ai.providers.claude.client import ClaudeSilent
from kometa_ai.providers.port import RETRIED
from kometa_ai.run.batches import Batches, Choice
from kometa_ai.run.session import Findings, Parts, keep
from kometa_ai.run.spending import unbooked
from kometa_ai.state import schema
from kometa_ai.state.schema import Judged, LeftUnjudged

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from kometa_ai.asking.engine import Asker
    from kometa_ai.asking.outcomes import Answered, Gap
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Verdict
    from kometa_ai.core.movie import TmdbId
    from kometa_ai.judging.stages import Stage

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
        again: AbstractSet[str] = frozenset(),
        batches: Choice = Choice(),  # noqa: B008 - nothing of it changes
    ) -> None:
        self._parts = parts
        self._found = found
        self._batch_size = batch_size
        self._radarr_credits = radarr_credits
        self._choice = batches
        self._batches: Batches | None = None
        self._open: Questions = {}
        self._again = again
        self._is_checked = False
        self._doubts: list[Problem] = []
        self._gaps_counted = 0

    async def ask(self, stage: Stage, asker: Asker, *, force: bool) -> None:
        """Ask all questions of a stage; those that stay open are left in the findings."""
        found = self._found
        self._parts.observer.step("Planning the questions")
        questions = stage.questions(force=force, again=self._again)
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
        if (total or batches.are_open(stage.chosen)) and not asker.is_over:
            self._open = questions
            await batches.collect(stage.chosen, questions)
            await self._learn_credits(batches.left(stage.chosen, questions))
            await self._send(stage, asker, batches)
            questions = stage.questions()
            self._warn_of_doubts(asker)
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
            if warning is not None:
                self._doubts.append(warning)

    def _warn_of_doubts(self, asker: Asker) -> None:
        """Tell what the free check has said of the models, but for a doubt that their answers have dispelled."""
        doubts, self._doubts = self._doubts, []
        self._found.warnings += [
            msgspec.structs.replace(doubt, severity="warning")
            for doubt in doubts
            if doubt.severity == "warning"
            or not (asker.read_models or (asker.stopped is not None and asker.stopped.args[0] in doubt.what))
        ]

    async def _learn_credits(self, questions: Questions) -> None:
        """Fetch the credits of movies that are asked about for the first time, and remember what each is made of."""
        wanted = needing_credits(questions, self._found.judged, self._parts.store.memory)
        self._parts.observer.total("movies", len(wanted) if self._radarr_credits else 0)
        judged = self._found.judged
        described: dict[TmdbId, Described] = {}
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
                described[movie.tmdb_id], entry = self._learn(movie, people)
                learned.append(entry)
            keep(self._parts, self._found, *learned)
        judged |= described
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
            return await self._parts.library.credits(movie.radarr_id)
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

    async def _send(self, stage: Stage, asker: Asker, batches: Batches) -> None:
        """Ask, and give what is near the threshold its second look."""
        questions = batches.left(stage.chosen, self._open)
        blocks = pack(questions, self._found.judged, stage.chosen, self._batch_size)
        self._parts.observer.step("Asking Claude")
        self._parts.observer.total("questions", sum(len(block.movies) * len(block.collections) for block in blocks))
        if await batches.ask(stage.chosen, self._open, self._batch_size):
            blocks = pack(batches.left(stage.chosen, self._open), self._found.judged, stage.chosen, self._batch_size)
        await asker.ask(blocks)
        due = self._due(stage, batches)
        if due and not asker.is_over:
            self._parts.observer.step("Looking again at the borderline")
            self._parts.observer.total("questions", sum(len(movies) for _, movies in due))
            if await batches.look_again(stage.chosen, due):
                due = self._due(stage, batches)
            await asker.look_again(due)
        self._count_failures(stage, asker)

    def _due(self, stage: Stage, batches: Batches) -> list[tuple[Collection, list[Movie]]]:
        """The second looks that nobody has been asked for yet."""
        found = self._found
        open_now = batches.left(stage.chosen, stage.questions(again=self._again & {GIVEN_UP}))
        return [
            (collection, [found.judged[tmdb_id].movie for tmdb_id in due])
            for collection in stage.chosen
            if (due := due_now(open_now[collection.slug]))
        ]

    def _count_failures(self, stage: Stage, asker: Asker) -> None:
        """Count movies that could not be judged for a reason of their own: they are not asked about for ever."""
        gaps, self._gaps_counted = asker.gaps[self._gaps_counted :], len(asker.gaps)
        if asker.stopped is not None or not any(spent.usage.requests for spent in asker.spent.values()):
            return  # it was not for the movies
        collections = {collection.slug: collection for collection in stage.chosen}
        met = [
            (gap, movie, self._before(gap, movie, collections[gap.collection].prompt_hash))
            for gap in gaps
            if gap.failure not in RETRIED and gap.collection in collections
            for movie in gap.movies
        ]
        # Where nothing of a model could be read it is the endpoint that fails, unless only movies were asked about that
        # have failed beside others before.
        guilty = asker.read_models | {
            model for model in asker.models if all(before is not None for gap, _, before in met if gap.model == model)
        }
        keep(
            self._parts,
            self._found,
            *(
                self._unjudged(gap, movie, before, collections[gap.collection].prompt_hash)
                for gap, movie, before in met
                if gap.model in guilty
            ),
        )

    def _before(self, gap: Gap, movie: Movie, prompt_hash: str) -> Unjudged | None:
        """How often the same question has been asked in vain before, if so."""
        known = self._parts.store.memory.get(movie.tmdb_id)
        before = known.unjudged.get(gap.collection) if known else None
        inputs = (self._found.judged[movie.tmdb_id].fingerprint.full, prompt_hash)
        return before if before and (before.metadata_hash, before.prompt_hash) == inputs else None

    def _unjudged(self, gap: Gap, movie: Movie, before: Unjudged | None, prompt_hash: str) -> LeftUnjudged:
        """One vain run more; of what another model has given up, one is enough."""
        runs = before.runs if before else 0
        is_other = before is not None and before.model not in ("", gap.model)
        return LeftUnjudged(
            tmdb_id=movie.tmdb_id,
            slug=gap.collection,
            unjudged=Unjudged(
                runs=(TRIES if runs >= TRIES else 1) if is_other else runs + 1,
                metadata_hash=self._found.judged[movie.tmdb_id].fingerprint.full,
                prompt_hash=prompt_hash,
                model=gap.model,
            ),
        )

    def _without_secrets(self, verdict: Verdict) -> Verdict:
        """The verdict as it may be remembered, and so be shown: an endpoint may repeat what it was sent."""
        if not verdict.reason:
            return verdict
        return msgspec.structs.replace(verdict, reason=self._parts.redact(verdict.reason))

    def record(self, answered: Answered) -> None:
        """Turn verdicts into decisions and remember them."""
        store, found, collection = self._parts.store, self._found, answered.collection
        entries = []
        for tmdb_id, verdict in answered.verdicts.items():
            known = store.memory.get(tmdb_id)
            is_distrusted = self._open.get(collection.slug, {}).get(tmdb_id) is Reason.ASKED_AGAIN
            decision = settle(
                self._without_secrets(verdict),
                known.collections.get(collection.slug) if known and not is_distrusted else None,
                collection,
                second_look=answered.second_look,
                metadata_hash=answered.away.get(tmdb_id) or found.judged[tmdb_id].fingerprint.full,
                model=answered.model,
                now=self._parts.now(),
                request=answered.request,
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
