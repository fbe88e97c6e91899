"""Fetch from Radarr the directors and cast of movies that are about to be asked about, and record them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.decision import Remembered
from kometa_ai.core.movie import fingerprint
from kometa_ai.core.problem import Problem
from kometa_ai.judging.planning import Subject, needing_credits
from kometa_ai.library.port import CreditsUnavailable
from kometa_ai.state.schema import Described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.movie import Credits, Movie
    from kometa_ai.judging.planning import Questions
    from kometa_ai.run.keeping import Keep
    from kometa_ai.run.parts import Parts

_CHECKPOINT = 100
"""After so many movies what was learned is recorded."""
_MOVIES_NAMED = 20

_log = structlog.get_logger()


class CreditsReader:
    """Completes `subjects` with credits. Without `is_enabled` Radarr is not asked: movies are judged without people."""

    def __init__(self, parts: Parts, subjects: dict[ItemKey, Subject], keep: Keep, *, is_enabled: bool) -> None:
        self._parts = parts
        self._course = parts.interruption.course
        self._subjects = subjects
        self._keep = keep
        self._is_enabled = is_enabled

    async def learn(self, questions: Questions) -> Iterator[Problem]:
        """Fetch the credits of movies that are asked about for the first time; return a warning if some failed."""
        wanted = needing_credits(questions, self._subjects, self._parts.store.memory)
        self._parts.observer.total("movies", len(wanted) if self._is_enabled else 0)
        learned: dict[ItemKey, Subject] = {}
        failed: list[Movie] = []
        for start in range(0, len(wanted), _CHECKPOINT):
            if self._course.is_over:
                break
            movies = [self._subjects[key].movie for key in wanted[start : start + _CHECKPOINT]]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._fetch(movie)) for movie in movies]
            entries = []
            for movie, task in zip(movies, tasks, strict=True):
                people = task.result()
                if people is None and self._is_enabled:
                    failed.append(movie)
                learned[movie.key], entry = self._complete(movie, people)
                entries.append(entry)
            self._keep(*entries)
        self._subjects |= learned
        return _warning(failed)

    async def _fetch(self, movie: Movie) -> Credits | None:
        if not self._is_enabled:
            return None
        try:
            return await self._parts.library.credits(movie.arr_id)
        except CreditsUnavailable as error:
            _log.info("credits.unavailable", movie=str(movie), why=str(error))
            return None
        finally:
            self._parts.observer.advance("movies", 1)

    def _complete(self, movie: Movie, people: Credits | None) -> tuple[Subject, Described]:
        """A movie with the people that Radarr names now; where it names none, the known ones stay."""
        known = self._parts.store.memory.get(movie.key)
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
        return Subject(movie, prints), Described(key=movie.key, movie=remembered)


def _warning(failed: list[Movie]) -> Iterator[Problem]:
    if failed:
        yield Problem(
            source="Radarr",
            what=f"The directors and cast of {len(failed)} movies could not be read; they are judged without.",
            remedy="Look at Radarr's log; it may be busy.",
            movies=tuple(map(str, failed[:_MOVIES_NAMED])),
            severity="warning",
        )
