"""Record the calls to the Claude stand-in, and select calls by rules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from kometa_ai.standins.claude_answers import Prompt, id_of


class RequestRecord(msgspec.Struct, kw_only=True):
    """One call, from its arrival to its answer. `at` is the stand-in's clock, in seconds.

    The fields after `error_type` are filled for requests to the model: `POST /v1/messages`, and each request of a
    batch (which then has a `batch_id`). `collection_names` are those that it asks about; where they are several,
    `collection_name` has them all, and `collection_text` is that of all. `judged` says that the model saw the movies:
    no fault or check came before.
    """

    method: str
    path: str
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: dict[str, Any] = msgspec.field(default_factory=dict)
    at: float = 0.0
    status: int | None = None
    error_type: str = ""
    collection_text: str = ""
    collection_name: str = ""
    collection_names: tuple[str, ...] = ()
    movies: tuple[dict[str, Any], ...] = ()
    judged: bool = False
    usage: dict[str, Any] = msgspec.field(default_factory=dict)
    stop_reason: str = ""
    answer: str = ""
    batch_id: str = ""
    custom_id: str = ""

    def describe(self, prompt: Prompt) -> None:
        """Keep what a request asks. Equal texts become one object, as thousands of them are kept."""
        self.movies = prompt.movies
        self.collection_text = sys.intern(prompt.text)
        self.collection_names = tuple(map(sys.intern, prompt.names))
        self.collection_name = sys.intern(", ".join(prompt.names))

    @property
    def model(self) -> str:
        """The model that was asked."""
        return str(self.body.get("model", ""))

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles of the movies that were asked about, in the order sent."""
        return tuple(str(movie.get("title", "")) for movie in self.movies)

    @property
    def movie_ids(self) -> tuple[int, ...]:
        """The numbers of the movies or shows that were asked about, in the order sent."""
        return tuple(id_of(movie) for movie in self.movies)


Predicate = Callable[[RequestRecord], bool]
T = TypeVar("T")


class _Rule(msgspec.Struct, Generic[T]):
    value: T
    times: int | None
    when: Predicate | None


class Rules(Generic[T]):
    """Values that wait for requests: each is handed out `times` times, to requests that satisfy `when`."""

    def __init__(self) -> None:
        self._rules: list[_Rule[T]] = []

    def __len__(self) -> int:
        return len(self._rules)

    def add(self, value: T, *, times: int | None = 1, when: Predicate | None = None) -> None:
        """Keep `value` for the next `times` matching requests (None: for all of them)."""
        self._rules.append(_Rule(value, times, when))

    def take(self, record: RequestRecord) -> T | None:
        """The oldest value that matches, which counts as one use; None if none does."""
        for rule in self._rules:
            if rule.when is not None and not rule.when(record):
                continue
            if rule.times is not None:
                rule.times -= 1
                if rule.times <= 0:
                    self._rules.remove(rule)
            return rule.value
        return None

    def clear(self) -> None:
        """Remove all waiting values."""
        self._rules.clear()
