"""Count tokens and keep prompts for the Chat Completions stand-in: its tokenizer and its prompt caches.

OpenAI's rules, from its guide "Prompt caching" and from reports of users: models since 5.6 write a prefix at each
breakpoint, and read what was written at a breakpoint of the same prompt; without breakpoints of the request's own there
is one at the end of its last message, and no shorter prefix is looked for. Older ones, and other services, read the
longest prefix of an earlier prompt, and writing is free. The schema and the effort are a part of the prefix.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from kometa_ai.standins.claude_cache import count_tokens
from kometa_ai.standins.claude_wire import encode
from kometa_ai.standins.openai_models import ChatModel

LIFETIME = 1800.0
"""Seconds from the last use."""
_STEP = 128
_KEPT = 50
_MARKS = ("prompt_cache_breakpoint", "cache_control")
_AHEAD = ("model", "reasoning_effort", "response_format", "tools")


class Part(msgspec.Struct, frozen=True):
    """A piece of a prompt, and whether it ends in a breakpoint."""

    text: str
    is_marked: bool


class Charged(msgspec.Struct, frozen=True):
    """How a prompt's tokens are counted."""

    tokens: int
    read: int = 0
    written: int = 0

    @property
    def fresh(self) -> int:
        """Those neither read nor written."""
        return self.tokens - self.read - self.written


def parts_of(body: dict[str, Any]) -> list[Part]:
    """The pieces of a prompt, in order; what is rendered ahead of the messages comes first."""
    parts = [Part(encode([body.get(name) for name in _AHEAD]).decode(), is_marked=False)]
    for message in body["messages"]:
        content = message["content"]
        pieces = [{"type": "text", "text": content}] if isinstance(content, str) else content
        parts += [Part(piece["text"], any(piece.get(mark) for mark in _MARKS)) for piece in pieces]
    return parts


def prompt_tokens(body: dict[str, Any]) -> int:
    """How many tokens a prompt has."""
    return sum(count_tokens(part.text) for part in parts_of(body))


class ChatCache:
    """The prompts that can be read, of all models. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._marked: dict[tuple[str, str], float] = {}
        self._prompts: OrderedDict[tuple[str, str], float] = OrderedDict()

    def clear(self) -> None:
        """Remove everything."""
        self._marked.clear()
        self._prompts.clear()

    def charge(self, body: dict[str, Any], model: ChatModel, now: float) -> Charged:
        """Charge a prompt, and keep of it what the model keeps."""
        parts = parts_of(body)
        if model.caching == "explicit":
            return self._at_breakpoints(body, parts, model, now)
        tokens = sum(count_tokens(part.text) for part in parts)
        if model.caching == "none" or tokens < model.cache_from:
            return Charged(tokens)
        read = self._longest(model, "".join(part.text for part in parts), now)
        if model.caching == "steps":
            read -= read % _STEP
        return Charged(tokens, read=read if read >= model.cache_from else 0)

    def _at_breakpoints(self, body: dict[str, Any], parts: list[Part], model: ChatModel, now: float) -> Charged:
        is_explicit = (body.get("prompt_cache_options") or {}).get("mode") == "explicit"
        is_routed = any("cache_control" in encode(message).decode() for message in body["messages"])
        prefixes: list[tuple[str, int]] = []
        text, tokens = "", 0
        for number, part in enumerate(parts):
            text, tokens = text + part.text, tokens + count_tokens(part.text)
            is_last = number == len(parts) - 1
            if part.is_marked or (is_last and not is_explicit and not is_routed and "/" not in model.id):
                prefixes.append((text, tokens))
        prefixes = [(prefix, length) for prefix, length in prefixes if length >= model.cache_from]
        read = max((length for prefix, length in prefixes if self._is_kept(model, prefix, now)), default=0)
        written = max((length for _, length in prefixes), default=0) - read
        for prefix, _ in prefixes:
            self._marked[model.id, prefix] = now + LIFETIME
        return Charged(tokens, read=read, written=max(0, written))

    def _is_kept(self, model: ChatModel, prefix: str, now: float) -> bool:
        return self._marked.get((model.id, prefix), 0.0) > now

    def _longest(self, model: ChatModel, text: str, now: float) -> int:
        """How many tokens an earlier prompt begins with that this one begins with, too."""
        alive = [prompt for (name, prompt), until in self._prompts.items() if name == model.id and until > now]
        longest = max((_same(text, prompt) for prompt in alive), default=0)
        self._prompts[model.id, text] = now + LIFETIME
        self._prompts.move_to_end((model.id, text))
        while len(self._prompts) > _KEPT:
            self._prompts.popitem(last=False)
        return longest * 2 // 7


def _same(one: str, other: str) -> int:
    """How many characters both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low
