"""Movies, collections and a Claude of our own for the tests of the classifier."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kometa_ai.asking.ending import Course, Interrupted, OutOfBudget, Unpriced
from kometa_ai.asking.engine import Engine
from kometa_ai.asking.pacing import Budget
from kometa_ai.asking.tally import Answered, Gap, Spent, Tally
from kometa_ai.core.collection import Collection
from kometa_ai.core.item import ArrId, movie_key, number_of
from kometa_ai.core.movie import Movie
from kometa_ai.core.naming import CollectionKey, Label, Slug
from kometa_ai.judging.looks import SECOND_LOOK_SIZE, Models
from kometa_ai.judging.packing import Packet
from kometa_ai.providers.claude.client import Claude
from kometa_ai.standins.claude import ClaudeStandIn, Judgement
from kometa_ai.standins.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from kometa_ai.core.decision import Verdict
    from kometa_ai.core.item import Item
    from kometa_ai.providers.port import Provider

KEY = "sk-ant-test"
MODEL = "claude-sonnet-5-5"


def movie(number: int = 1, **fields: Any) -> Movie:
    """A movie; its TMDb id is 1000 more than its number."""
    known = {"title": f"Movie {number}", "year": 1950 + number % 70, "plot": f"What happens in movie {number}. " * 4}
    return Movie(arr_id=ArrId(number), key=movie_key(1000 + number), **{**known, **fields})


def movies(count: int) -> tuple[Movie, ...]:
    """So many movies, numbered from 1."""
    return tuple(movie(number) for number in range(1, count + 1))


def collection(name: str = "Heists", **fields: Any) -> Collection:
    """A collection; its slug and tag follow from its name."""
    slug = name.lower().replace(" ", "-")
    return Collection(**{"name": name, "slug": Slug(slug), "tag": f"KAI-{slug}", "prompt": f"About {name}.", **fields})


def labels(*names: str) -> frozenset[Label]:
    """The labels of collections with these names."""
    return frozenset(Label(f"kai-{name.lower()}") for name in names)


def block(count: int, *names: str) -> Packet:
    """So many movies, to be asked about for these collections."""
    return Packet(movies(count), tuple(collection(name) for name in names))


def judge(_collection: str, record: dict[str, Any]) -> Judgement:
    """Movies with a number that can be divided by five belong."""
    belongs = int(record["title"].split()[-1]) % 5 == 0
    return Judgement(include=belongs, confidence=0.95 if belongs else 0.05, reason="its number")


class Waits(list[float]):
    """Sleeps that take no time, and how long they would have been."""

    async def __call__(self, seconds: float) -> None:
        """Do not wait."""
        self.append(seconds)


class Asker:
    """The engine of one run with its tally and its course, as one thing."""

    def __init__(
        self,
        provider: Provider,
        *,
        models: Models,
        concurrency: int = 4,
        collections: int = 1,
        max_cost: float = 0.0,
        **options: Any,
    ) -> None:
        self.tally = Tally()
        self.course = Course()
        self.budget = Budget(max_cost or None)
        self._engine = Engine(
            provider,
            models=models,
            concurrency=concurrency,
            collections_per_request=collections,
            budget=self.budget,
            tally=self.tally,
            course=self.course,
            **options,
        )

    async def ask(self, blocks: Sequence[Packet]) -> None:
        """See Engine."""
        await self._engine.ask(blocks)

    async def look_again(self, due: Sequence[tuple[Collection, Sequence[Movie]]], size: int = SECOND_LOOK_SIZE) -> None:
        """See Engine."""
        await self._engine.look_again(due, size)

    def end(self, why: str) -> None:
        """Interrupt it."""
        self.course.end(Interrupted(why))

    @property
    def gaps(self) -> list[Gap]:
        """See Tally."""
        return self.tally.gaps

    @property
    def spent(self) -> dict[CollectionKey, Spent]:
        """See Tally."""
        return self.tally.spent

    @property
    def unknown_ids(self) -> Counter[CollectionKey]:
        """See Tally."""
        return self.tally.unknown_ids

    @property
    def cache_reads(self) -> Counter[bool]:
        """See Tally."""
        return self.tally.cache_reads

    @property
    def is_over(self) -> bool:
        """See Course."""
        return self.course.is_over

    @property
    def stopped(self) -> Exception | None:
        """See Course."""
        return self.course.stopped

    @property
    def out_of_budget(self) -> bool:
        """Whether that has ended it."""
        return any(isinstance(ending, OutOfBudget) for ending in self.course.endings)

    @property
    def unpriced(self) -> set[str]:
        """The models that could not be asked under a limit."""
        return {model for ending in self.course.endings if isinstance(ending, Unpriced) for model in ending.models}


class Session:
    """An asker, the stand-in it talks to, and what it was told."""

    def __init__(self, claude: ClaudeStandIn, provider: Claude, **options: Any) -> None:
        self.claude = claude
        self.waits = Waits()
        self.answered: list[Answered] = []
        self.asker = Asker(
            provider,
            models=Models(options.pop("model", MODEL), MODEL),
            record=options.pop("record", self.answered.append),
            sleep=options.pop("sleep", self.waits),
            **options,
        )

    async def ask(self, *blocks: Packet) -> None:
        """Ask about blocks."""
        await self.asker.ask(blocks)

    @property
    def verdicts(self) -> dict[tuple[str, int], Verdict]:
        """The last verdict on each pair of a collection's name and a movie's number."""
        return {
            (answered.collection.name, number_of(key) - 1000): verdict
            for answered in self.answered
            for key, verdict in answered.verdicts.items()
        }

    def judged(self, name: str) -> set[int]:
        """The numbers of the movies with a verdict for a collection."""
        return {number for collection_name, number in self.verdicts if collection_name == name}

    def left(self, name: str) -> set[int]:
        """The numbers of the movies that were given up for a collection."""
        key = collection(name).key
        return {number_of(m.key) - 1000 for gap in self.asker.gaps if gap.collection == key for m in gap.movies}

    def sizes(self, name: str | None = None) -> list[int]:
        """How many movies each request had, of all or of one collection, in the order they came."""
        return [
            len(request.movies) for request in self.claude.requests if name is None or request.collection_name == name
        ]


@asynccontextmanager
async def asking(claude: ClaudeStandIn | None = None, **options: Any) -> AsyncIterator[Session]:
    """A session over real HTTP."""
    claude = claude or ClaudeStandIn(judge=judge, api_key=KEY)
    with serve(claude.app) as url:
        async with Claude(KEY, url) as provider:
            yield Session(claude, provider, **options)


def holds(title: str) -> Callable[[Any], bool]:
    """Whether a request asks about the movie with that title."""
    return lambda request: title in request.titles


def numbers(these: Iterable[Item]) -> list[int]:
    """The numbers of movies."""
    return [number_of(each.key) - 1000 for each in these]
