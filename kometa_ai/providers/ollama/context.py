"""Choose the length of the context, and prove from an answer that its prompt was read whole. Pure.

Ollama cuts a prompt that does not fit, keeps its end, and answers as if nothing had happened: the movies would be gone
and the collection left. Since 0.12.4 it can be told to refuse instead (`truncate` and `shift` false); older versions
ignore that. How they cut was read in its source: to exactly the length of the context, or to half of it and a few
tokens. A prompt of less than half the context can therefore not be one that was cut.
"""

from __future__ import annotations

import re
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.providers.prices import tokens_in

if TYPE_CHECKING:
    from kometa_ai.providers.port import Request

REFUSES_FROM = (0, 12, 4)
"""The version of Ollama from which on it refuses a prompt that is too long, if it is told so."""
STEP = 2048
MARGIN = 1.3
"""How much longer than estimated a prompt may be."""
WIDEST_MARGIN = 2 * MARGIN
"""The same for a run in which a prompt did not fit that should have."""

_LEAST_READ = 0.6
"""Of the tokens estimated: with fewer, something of the prompt must be missing."""
_MORE_OF_OTHERS = 0.7
"""Tokens that a character outside ASCII has more than a usual one, at most."""
_SHORTEST_ANSWER, _A_MOVIE = 100, 12
"""Tokens of an answer around the movies, and for each of them where few belong."""
_TOKENS_AROUND, _TOKENS_OF_A_MOVIE = 550, 180
"""Of a usual prompt, measured: its system prompt and collection, and a movie's record."""
_VERSION = re.compile(r"\A(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


class Size(NamedTuple):
    """How many tokens a prompt has, at least and at most, by the length of its text."""

    least: int
    most: int

    @classmethod
    def of(cls, text: str) -> Size:
        """Estimate it. Letters outside ASCII may be a token each, or none of the model's own where it knows words."""
        least = tokens_in(text)
        return cls(least, least + round(_MORE_OF_OTHERS * (len(text) - len(text.encode("ascii", "ignore")))))


class Room(NamedTuple):
    """What a question is asked with: the length of the context, and of it the most that the answer may take."""

    context: int
    answer: int


def version_of(text: object) -> tuple[int, ...] | None:
    """A version such as `0.33.0-rc2`; None where there is none. One that was built from source calls itself 0.0.0."""
    found = _VERSION.match(text) if isinstance(text, str) else None
    return tuple(map(int, found.groups())) if found else None


def context_for(prompt: int, answer: int, *, margin: float = MARGIN, is_doubled: bool = False) -> int:
    """How long a context has to be for a prompt of about so many tokens and its answer, in whole steps.

    `is_doubled`: so long that the prompt takes less than half of it.
    """
    longest = ceil(prompt * margin)
    full = max(longest + answer, 2 * longest + 1 if is_doubled else 0)
    return ceil(full / STEP) * STEP


def shortest_answer(request: Request) -> int:
    """How many tokens an answer needs that is of any use."""
    return _SHORTEST_ANSWER + _A_MOVIE * (request.movies.count("\n") + 1) * request.collections


def room_for(
    size: Size, request: Request, context: int, *, margin: float = MARGIN, is_doubled: bool = False
) -> Room | None:
    """How a question fits into a context of this length; None where it does not."""
    prompt = ceil(size.most * margin)
    left = context - prompt
    if left < min(shortest_answer(request), request.expected_tokens) or (is_doubled and 2 * prompt >= context):
        return None
    return Room(context, min(left, request.expected_tokens))


def page_for(context: int, *, is_doubled: bool = False) -> int:
    """How many movies with usual records a page may have; 0 where not even one fits."""
    left = context / 2 - 1 if is_doubled else context - _SHORTEST_ANSWER
    each = MARGIN * _TOKENS_OF_A_MOVIE + (0 if is_doubled else _A_MOVIE)
    return max(0, int((left - MARGIN * _TOKENS_AROUND) / each))


def usual_prompt(movies: int) -> int:
    """How many tokens a usual prompt about so many movies has."""
    return _TOKENS_AROUND + _TOKENS_OF_A_MOVIE * movies


def doubt(read: int | None, size: Size, room: Room, *, refuses: bool) -> str:
    """Why it is not certain that the model has read its whole prompt; empty where it is.

    `read` is how many tokens of it Ollama says that it has read, `refuses` whether it refuses a prompt that is too
    long. The context must be the one that the model really has.
    """
    if read is None:
        return "Ollama does not say how much of the prompt it has read."
    if read < _LEAST_READ * size.least:
        return f"Ollama read only {read:,} of about {size.least:,} tokens of the prompt."
    if read + room.answer > room.context:
        return (
            f"Ollama read {read:,} tokens and cut off what there may have been more: its context of {room.context:,} "
            f"has no room for them and an answer of {room.answer:,}."
        )
    if not refuses and 2 * read >= room.context:
        return (
            f"Ollama read {read:,} tokens, and this version cuts a prompt without a word: only one of less than half "
            f"the context of {room.context:,} is certain to be whole."
        )
    return ""
