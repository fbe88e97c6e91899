"""Keep the Ollama stand-in's models, write prompts down as it does, and cut one that is too long.

Written from Ollama's source (0.33, and its runners of 0.5 to 0.12), in which all of this can be read.
"""

from __future__ import annotations

from math import ceil
from typing import Any, Literal

import msgspec

DEFAULT_CONTEXT = 4096
"""Tokens, where neither a request nor the server's OLLAMA_CONTEXT_LENGTH says more; on less than 24 GiB of memory."""
KEPT = 4
"""Tokens of a prompt's beginning that a cut leaves: `num_keep`."""

Cut = Literal["exact", "half"]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is installed.

    - `context`: the longest it was made for.
    - `thinks`: it thinks unless it is told not to. `by_levels`: as gpt-oss does, which takes low, medium or high and
      goes on thinking when it is told not to.
    - `refuses_think`: it answers 400 to any word about thinking.
    - `enforces`: answers keep to the form asked for; models in Ollama's cloud do not.
    - `answers`: it is a chat model; otherwise one for embeddings.
    """

    name: str
    context: int = 32_768
    thinks: bool = False
    by_levels: bool = False
    refuses_think: bool = False
    enforces: bool = True
    answers: bool = True

    @property
    def capabilities(self) -> list[str]:
        """As `/api/show` tells them."""
        if not self.answers:
            return ["embedding"]
        return ["completion", "tools"] + (["thinking"] if self.thinks else [])


MODELS = (
    Model(name="qwen3:14b", context=40_960, thinks=True),
    Model(name="gemma4:latest", context=131_072),
    Model(name="gpt-oss:20b", context=131_072, thinks=True, by_levels=True),
    Model(name="qwen3:480b-cloud", context=262_144, enforces=False),
    Model(name="nomic-embed-text:latest", context=2048, answers=False),
)


class Prompt(msgspec.Struct, frozen=True):
    """A prompt as the model reads it: its text, how many tokens that is, and whether something of it is gone."""

    text: str
    tokens: int
    is_cut: bool = False


def named(name: str) -> str:
    """A model's whole name: without a tag it is `latest`."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def render(messages: list[dict[str, Any]]) -> str:
    """The messages by a usual chat template."""
    written = (f"<|{message.get('role', '')}|>\n{message.get('content', '')}<|end|>\n" for message in messages)
    return f"{''.join(written)}<|assistant|>\n"


def count(text: str, characters: float) -> int:
    """How many tokens a text has, with so many characters a token."""
    return ceil(len(text) / characters)


def without_the_first(messages: list[dict[str, Any]], context: int, characters: float) -> list[dict[str, Any]]:
    """The messages that are left where all are too long: the first are dropped, but system messages and the last."""
    for start in range(len(messages)):
        kept = [each for each in messages[:start] if each.get("role") == "system"] + messages[start:]
        if count(render(kept), characters) <= context or start == len(messages) - 1:
            return kept
    return messages


def cut(text: str, context: int, characters: float, how: Cut) -> Prompt:
    """A prompt that is too long, cut as a runner does: some tokens of its beginning, and as much of its end as fits.

    `exact` fills the context, as the runners up to 0.12 do; `half` half of it, as the later one does.
    """
    left = context if how == "exact" else context // 2 + KEPT
    head, tail = int(KEPT * characters), int((left - KEPT) * characters)
    return Prompt(text[:head] + text[len(text) - tail :], left, is_cut=True)
