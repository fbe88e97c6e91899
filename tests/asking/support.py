"""Movies, collections and a Claude of our own for the tests of the classifier."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kometa_ai.asking.engine import Asker
from kometa_ai.asking.outcomes import Answered, Limits
from kometa_ai.core.collection import Collection
from kometa_ai.core.movie import Movie, RadarrId, TmdbId
from kometa_ai.core.naming import Label, Slug
from kometa_ai.judging.packing import Block
from kometa_ai.providers.claude.client import Claude
from kometa_ai.standins.claude import ClaudeStandIn, Judgement
from kometa_ai.standins.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from kometa_ai.core.decision import Verdict

KEY = "sk-ant-test"
MODEL = "claude-sonnet-5-5"


def movie(number: int = 1, **fields: Any) -> Movie:
    """A movie; its TMDb id is 1000 more than its number."""
    known = {"title": f"Movie {number}", "year": 1950 + number % 70, "plot": f"What happens in movie {number}. " * 4}
    return Movie(radarr_id=RadarrId(number), tmdb_id=TmdbId(1000 + number), **{**known, **fields})


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


def block(count: int, *names: str) -> Block:
    """So many movies, to be asked about for these collections."""
    return Block(movies(count), tuple(collection(name) for name in names))


def judge(_collection: str, record: dict[str, Any]) -> Judgement:
    """Movies with a number that can be divided by five belong."""
    belongs = int(record["title"].split()[-1]) % 5 == 0
    return Judgement(include=belongs, confidence=0.95 if belongs else 0.05, reason="its number")


class Waits(list[float]):
    """Sleeps that take no time, and how long they would have been."""

    async def __call__(self, seconds: float) -> None:
        """Do not wait."""
        self.append(seconds)


class Session:
    """An asker, the stand-in it talks to, and what it was told."""

    def __init__(self, claude: ClaudeStandIn, provider: Claude, **options: Any) -> None:
        self.claude = claude
        self.waits = Waits()
        self.answered: list[Answered] = []
        self.asker = Asker(
            provider,
            model=options.pop("model", MODEL),
            review_model=MODEL,
            limits=Limits(**{name: options.pop(name) for name in ("concurrency", "max_cost") if name in options}),
            record=options.pop("record", self.answered.append),
            sleep=options.pop("sleep", self.waits),
            **options,
        )

    async def ask(self, *blocks: Block) -> None:
        """Ask about blocks."""
        await self.asker.ask(blocks)

    @property
    def verdicts(self) -> dict[tuple[str, int], Verdict]:
        """The last verdict on each pair of a collection's name and a movie's number."""
        return {
            (answered.collection.name, tmdb_id - 1000): verdict
            for answered in self.answered
            for tmdb_id, verdict in answered.verdicts.items()
        }

    def judged(self, name: str) -> set[int]:
        """The numbers of the movies with a verdict for a collection."""
        return {number for collection_name, number in self.verdicts if collection_name == name}

    def left(self, name: str) -> set[int]:
        """The numbers of the movies that were given up for a collection."""
        slug = collection(name).slug
        return {m.tmdb_id - 1000 for gap in self.asker.gaps if gap.collection == slug for m in gap.movies}

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


def numbers(these: Iterable[Movie] | Sequence[Movie]) -> list[int]:
    """The numbers of movies."""
    return [each.tmdb_id - 1000 for each in these]
