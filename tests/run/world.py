"""A Radarr, a Claude and a Kometa folder of our own, and runs against them."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import msgspec

from kometa_ai.app import open_parts, rules_of
from kometa_ai.core.options import Options
from kometa_ai.jobs.running import run_and_report
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.claude import ClaudeStandIn, Judgement
from kometa_ai.standins.radarr import API_KEY, RadarrStandIn
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.standins.serving import serve
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from kometa_ai.core.report import RunReport
    from kometa_ai.run.watching import Observer

FOREVER = 10**9


def movies(count: int, **fields: Any) -> list[MovieSeed]:
    """Movies with TMDb ids from 1000 on, each with a plot and a cast of its own."""
    return [
        MovieSeed(
            title=f"Movie {number}",
            year=1950 + number % 70,
            tmdb_id=1000 + number,
            imdb_id=f"tt{1000 + number:07}",
            overview=f"What happens in movie {number}.",
            genres=("Drama",),
            directors=(f"Director {number}",),
            cast=(f"Actor {number}", f"Actress {number}"),
            **fields,
        )
        for number in range(count)
    ]


def block(name: str, prompt: str = "", **keys: object) -> str:
    """A collection with its block, as a piece of YAML below `collections:`."""
    lines = ["# === KOMETA-AI ===", "# enabled: true", "# prompt: |", f"#   {prompt or f'All about {name}.'}"]
    lines += [f"# {key}: {value}" for key, value in keys.items()]
    lines += ["# === END KOMETA-AI ===", f'"{name}":', "  sync_mode: sync"]
    return "".join(f"  {line}\n" for line in lines)


class World:
    """Everything around the program. `truth` says for each collection's name with which confidence a title belongs."""

    def __init__(self, folder: Path, seeds: Iterable[MovieSeed], **settings: Any) -> None:
        self.folder = folder
        self.radarr = RadarrStandIn(movies=seeds)
        self.claude = ClaudeStandIn(judge=self._judge, api_key="key")
        self.truth: dict[str, dict[str, float]] = {}
        self.reason = "so it is"
        self.kometa = folder / "kometa"
        self.kometa.mkdir()
        self.state_dir = folder / "state"
        self.state_dir.mkdir()
        self.now = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
        self._settings = settings
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._radarr_url = self._stack.enter_context(serve(self.radarr.app))
        self._claude_url = self._stack.enter_context(serve(self.claude.app))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _judge(self, collection: str, movie: dict[str, Any]) -> Judgement:
        name = collection.partition("<name>")[2].partition("</name>")[0]
        confidence = self.truth.get(name, {}).get(movie["title"], 0.0)
        return Judgement(include=confidence >= 0.5, confidence=confidence, reason=self.reason)

    @property
    def environ(self) -> dict[str, str]:
        """The environment that leads here. An empty variable counts as not set."""
        found = {
            "RADARR_URL": self._radarr_url,
            "RADARR_API_KEY": API_KEY,
            "CLAUDE_API_KEY": "key",
            "CLAUDE_BASE_URL": self._claude_url,
            "CONFIG_DIR": str(self.kometa),
            "STATE_DIR": str(self.state_dir),
            "LOG_DIR": str(self.folder / "logs"),
            # So that each request is about the one collection that a test speaks of; some say otherwise.
            "COLLECTIONS_PER_REQUEST": "1",
            **{name.upper(): str(value) for name, value in self._settings.items()},
        }
        return {name: value for name, value in found.items() if value}

    @property
    def settings(self) -> Settings:
        """The same as settings."""
        return Settings.model_validate(self.environ)

    def change(self, **settings: object) -> None:
        """Change settings, or set any other variable of the environment."""
        self._settings |= settings

    def collections(self, *pieces: str, file: str = "movies.yml") -> None:
        """Write a file of Kometa's folder."""
        (self.kometa / file).write_text("collections:\n" + "".join(pieces))

    def believe(self, name: str, numbers: Iterable[int], confidence: float = 0.95) -> None:
        """Let Claude believe that the movies with these numbers belong to a collection."""
        self.truth.setdefault(name, {}).update({f"Movie {number}": confidence for number in numbers})

    @contextmanager
    def unanswered(self) -> Iterator[None]:
        """While the context is open, Claude answers no question; at its end it answers those that wait, at once."""
        self.claude.latency = 300.0
        try:
            yield
        finally:
            self.claude.latency = 0.0

    def run(
        self,
        during: Callable[[World], None] | None = None,
        at: str = "Applying the changes",
        observer: Observer | None = None,
        **options: Any,
    ) -> RunReport:
        """One run, a day after the last one, with the state read from the disk; `during` happens as a step begins."""
        self.now += timedelta(days=1)
        between = observer or _Between(self, during, at)
        return asyncio.run(self._run(between, Options(**{"batch_size": rules_of(self.settings).page_size, **options})))

    async def _run(self, between: Observer, options: Options) -> RunReport:
        store = Store.load(self.state_dir)
        async with open_parts(self.settings, store, between) as real:
            parts = msgspec.structs.replace(real, now=lambda: self.now)
            return await run_and_report(parts, rules_of(self.settings), options)

    def numbers(self, label: str) -> set[int]:
        """The numbers of the movies that have a tag in Radarr now."""
        return {tmdb_id - 1000 for tmdb_id in self.radarr.members(label)}

    def asked(self) -> list[tuple[str, str]]:
        """The pairs (collection, title) of first looks that Claude was asked about since this was last called."""
        pairs = [
            (request.collection_name, title)
            for request in self.claude.requests
            if "second look" not in request.collection_text and request.status == 200
            for title in request.titles
        ]
        self.claude.forget()
        return sorted(pairs)


class _Between:
    """Lets something happen when a step of the run begins."""

    def __init__(self, world: World, during: Callable[[World], None] | None, at: str) -> None:
        self._at = at
        self._world = world
        self._during = during

    def step(self, name: str) -> None:
        if name == self._at and self._during is not None:
            self._during(self._world)

    def total(self, what: str, count: int) -> None:
        pass

    def advance(self, what: str, count: int) -> None:
        pass

    def cost(self, usd: float) -> None:
        pass
