"""Movies and collections, and every provider, played by its stand-in, for the tests of the engine."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, get_args

from kometa_ai.asking.ending import Course, Interrupted, OutOfBudget, Unpriced
from kometa_ai.asking.engine import Engine
from kometa_ai.asking.pacing import Budget
from kometa_ai.asking.tally import Answered, Gap, Spent, Tally
from kometa_ai.core.collection import Collection
from kometa_ai.core.item import ArrId, movie_key, number_of
from kometa_ai.core.model import ModelName
from kometa_ai.core.movie import Movie
from kometa_ai.core.naming import CollectionKey, Label, Slug
from kometa_ai.judging.looks import SECOND_LOOK_SIZE, Models
from kometa_ai.judging.packing import Packet
from kometa_ai.providers import prices
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.compatible.client import Compatible
from kometa_ai.providers.compatible.services import GEMINI, OPENAI, OPENROUTER
from kometa_ai.providers.ollama.client import Ollama
from kometa_ai.providers.port import Usage
from kometa_ai.providers.router import Router
from kometa_ai.standins.claude import ClaudeStandIn, Judgement
from kometa_ai.standins.ollama import OllamaRecord, OllamaStandIn
from kometa_ai.standins.openai import OpenAIStandIn
from kometa_ai.standins.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from kometa_ai.core.decision import Verdict
    from kometa_ai.core.item import Item
    from kometa_ai.providers.port import Provider
    from kometa_ai.providers.traits import Traits
    from kometa_ai.standins.claude_log import RequestRecord

KEY = "sk-ant-test"
MODEL = "claude-sonnet-5-5"

StandIn = ClaudeStandIn | OpenAIStandIn | OllamaStandIn
Played = Literal["claude", "openai", "gemini", "openrouter", "local", "ollama"]
PLAYED: tuple[Played, ...] = get_args(Played)
"""A `local` one speaks Chat Completions, as llama.cpp and LM Studio do; Ollama is asked by its own API."""
_MODELS: Mapping[Played, ModelName] = {
    "claude": ModelName("claude", MODEL),
    "openai": ModelName("openai", "gpt-6-luna"),
    "gemini": ModelName("gemini", "gemini-3.5-flash-lite"),
    "openrouter": ModelName("openrouter", "anthropic/claude-haiku-5.5"),
    "local": ModelName("openai", "qwen3-14b-q4.gguf"),
    "ollama": ModelName("ollama", "qwen3:14b"),
}
_SERVICES = {"openai": OPENAI, "gemini": GEMINI, "openrouter": OPENROUTER}


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


def stand_in(played: Played) -> StandIn:
    """The stand-in of a provider, with our judge and our key."""
    match played:
        case "claude":
            return ClaudeStandIn(judge=judge, api_key=KEY)
        case "ollama":
            return OllamaStandIn(judge=judge)
        case _:
            return OpenAIStandIn(played, judge=judge, api_key=KEY)


def played_by(standin: StandIn) -> Played:
    """Whom a stand-in plays."""
    match standin:
        case ClaudeStandIn():
            return "claude"
        case OllamaStandIn():
            return "ollama"
        case OpenAIStandIn():
            return standin.face


def model_of(standin: StandIn) -> ModelName:
    """The model that is asked of it."""
    return _MODELS[played_by(standin)]


@asynccontextmanager
async def router_to(standin: StandIn, url: str) -> AsyncIterator[Router]:
    """The real adapter of a provider, behind the router of a run, which asks its stand-in at this address."""
    provider = model_of(standin).provider
    match standin:
        case ClaudeStandIn():
            async with Claude(KEY, url) as claude:
                yield Router({provider: claude})
        case OllamaStandIn():
            async with Ollama(url) as at_home:
                yield Router({provider: at_home})
        case OpenAIStandIn():
            # What is known of a server at home follows from its address.
            service = _SERVICES.get(standin.face)
            async with Compatible(provider, KEY, f"{url}{standin.prefix}", service=service) as compatible:
                yield Router({provider: compatible})


# What the stand-ins have seen


def asked_pairs(standin: StandIn) -> list[tuple[str, str]]:
    """Collection name and movie title of every verdict that the model was asked for, in the order asked."""
    return [
        (name, title)
        for record in standin.requests
        if record.judged
        for name in record.collection_names
        for title in record.titles
    ]


def read_from_cache(record: RequestRecord) -> int:
    """How many tokens of a prompt were known from an earlier one, as the stand-in counts them."""
    if isinstance(record, OllamaRecord):
        return record.known
    if "prompt_tokens" in record.usage:
        return int(record.usage["prompt_tokens_details"]["cached_tokens"])
    return int(record.usage["cache_read_input_tokens"])


def tokens(record: RequestRecord) -> tuple[int, int]:
    """How many tokens a prompt and its answer had."""
    usage = _usage(record.usage)
    return usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens, usage.output_tokens


def spent_at(standin: StandIn, traits: Traits) -> float:
    """What all its answers cost, by the tokens in them; USD."""
    usages = [_usage(record.usage) for record in standin.requests if record.usage]
    return sum(prices.cost(usage, traits) or 0.0 for usage in usages)


def _usage(stated: Mapping[str, Any]) -> Usage:
    if "prompt_tokens" not in stated:
        return Usage(
            input_tokens=stated["input_tokens"],
            cache_write_tokens=stated.get("cache_creation_input_tokens", 0),
            cache_read_tokens=stated.get("cache_read_input_tokens", 0),
            output_tokens=stated["output_tokens"],
        )
    details = stated["prompt_tokens_details"]
    read, written = details["cached_tokens"], details.get("cache_write_tokens", 0)
    return Usage(
        input_tokens=stated["prompt_tokens"] - read - written,
        cache_write_tokens=written,
        cache_read_tokens=read,
        output_tokens=stated["total_tokens"] - stated["prompt_tokens"],
        stated_cost=stated.get("cost"),
    )


# Asking


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

    def __init__(self, standin: StandIn, provider: Provider, **options: Any) -> None:
        self.standin = standin
        self.waits = Waits()
        self.answered: list[Answered] = []
        usual = str(model_of(standin))
        self.model = options.pop("model", usual)
        self.traits = provider.traits(self.model)
        self.asker = Asker(
            provider,
            models=Models(self.model, usual),
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
            len(request.movies) for request in self.standin.requests if name is None or request.collection_name == name
        ]


@asynccontextmanager
async def asking(standin: StandIn | None = None, **options: Any) -> AsyncIterator[Session]:
    """A session over real HTTP, with the adapter of whom the stand-in plays; Claude where none is given."""
    standin = standin or stand_in("claude")
    with serve(standin.app) as url:
        async with router_to(standin, url) as router:
            yield Session(standin, router, **options)


def holds(title: str) -> Callable[[Any], bool]:
    """Whether a request asks about the movie with that title."""
    return lambda request: title in request.titles


def numbers(these: Iterable[Item]) -> list[int]:
    """The numbers of movies."""
    return [number_of(each.key) - 1000 for each in these]
