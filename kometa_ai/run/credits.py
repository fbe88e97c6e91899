"""Record what items are like that are about to be asked about, and fetch the directors and cast of movies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.decision import Remembered
from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.core.movie import Movie
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.judging.planning import Subject, to_describe
from kometa_ai.library.port import CreditsUnavailable
from kometa_ai.state.schema import Described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.movie import Credits
    from kometa_ai.judging.planning import Questions
    from kometa_ai.library.port import CreditsSource
    from kometa_ai.run.keeping import Keep
    from kometa_ai.run.parts import Parts

_CHECKPOINT = 100
"""After so many movies what was learned is recorded."""
_MOVIES_NAMED = 20

_log = structlog.get_logger()


class CreditsReader:
    """Completes `subjects` with credits.

    Without `is_enabled`, or where the library tells of none, nothing is fetched: items are judged without people.
    """

    def __init__(self, parts: Parts, subjects: dict[ItemKey, Subject], keep: Keep, *, is_enabled: bool) -> None:
        self._parts = parts
        self._course = parts.interruption.course
        self._subjects = subjects
        self._keep = keep
        self._sources = {each.name: each.credits for each in parts.libraries if each.credits} if is_enabled else {}

    async def learn(self, questions: Questions) -> Iterator[Problem]:
        """Record items that are asked about for the first time, with their credits; warn for libraries without some."""
        wanted = to_describe(questions, self._subjects, self._parts.store.memory)
        told = sum(self._source_of(self._subjects[key].item) is not None for key in wanted)
        self._parts.observer.total("movies", told)
        learned: dict[ItemKey, Subject] = {}
        failed: dict[str, list[AnyItem]] = {}
        for start in range(0, len(wanted), _CHECKPOINT):
            if self._course.is_over:
                break
            items = [self._subjects[key].item for key in wanted[start : start + _CHECKPOINT]]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._fetch(item)) for item in items]
            entries = []
            for item, task in zip(items, tasks, strict=True):
                people = task.result()
                if people is None and self._source_of(item):
                    failed.setdefault(item.libraries[0], []).append(item)
                learned[item.key], entry = self._complete(item, people)
                entries.append(entry)
            self._keep(*entries)
        self._subjects |= learned
        return (_warning(self._parts.library(name).title, items) for name, items in failed.items())

    async def _fetch(self, item: AnyItem) -> Credits | None:
        source = self._source_of(item)
        if source is None:
            return None
        try:
            return await source.of(item.arr_id)
        except CreditsUnavailable as error:
            _log.info("credits.unavailable", movie=str(item), why=str(error))
            return None
        finally:
            self._parts.observer.advance("movies", 1)

    def _source_of(self, item: AnyItem) -> CreditsSource | None:
        """The library that tells what the item is, if it tells of people, too."""
        return self._sources.get(item.libraries[0]) if item.libraries else None

    def _complete(self, item: AnyItem, people: Credits | None) -> tuple[Subject, Described]:
        """An item with the people that the library names now; where it names none, the known ones stay."""
        known = self._parts.store.memory.get(item.key)
        if people is None and known is not None:
            people = known.credits
        if people is not None and isinstance(item, Movie):
            item = msgspec.structs.replace(item, credits=people)
        prints = fingerprint(item)
        remembered = Remembered(
            title=item.title,
            year=item.year,
            metadata_hash=prints.full,
            facts_hash=prints.blind,
            credits=people,
            last_seen=self._parts.now().date(),
        )
        return Subject(item, prints), Described(key=item.key, movie=remembered)


def _warning(library: str, failed: Sequence[AnyItem]) -> Problem:
    judged = "it is" if len(failed) == 1 else "they are"
    return Problem(
        source=library,
        what=f"The directors and cast of {counted(len(failed), 'movie')} could not be read; {judged} judged without.",
        remedy=f"Look at {library}'s log; it may be busy.",
        movies=tuple(map(str, failed[:_MOVIES_NAMED])),
        severity="warning",
    )
