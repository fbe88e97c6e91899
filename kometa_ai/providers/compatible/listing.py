"""Read a service's list of models: whether a model is named, its nearest names, its end, and its context. Pure.

Lists prove nothing: LiteLLM and Azure list other names than those they answer to, local servers answer for any.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kometa_ai.providers.compatible.messages import count_of

_USABLE = re.compile(r"[\w.:@/+ -]{1,200}", re.ASCII)
_NEAREST, _LOOKED_AT = 5, 1000
_CONTEXTS = ("max_model_len", "context_length")
"""How vLLM, OpenRouter and others call the longest prompt and answer together."""
_SHORTEST_CONTEXT = 256


class Listed(NamedTuple):
    """The models of a list, by name."""

    entries: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, body: object) -> Listed | None:
        """Read a list; None for what is none."""
        data = body.get("data") if isinstance(body, dict) else body
        if not isinstance(data, list):
            return None
        found = [entry for entry in data if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
        return cls({entry["id"]: entry for entry in found})

    def entry(self, model: str) -> Mapping[str, Any] | None:
        """What the list says of a model, named as it is, with a prefix (Gemini) or without a variant (OpenRouter)."""
        wanted = {_plain(model), _plain(model.partition(":")[0]) if "/" in model else _plain(model)}
        return next((entry for name, entry in self.entries.items() if _plain(name) in wanted), None)

    @property
    def is_of_ollama(self) -> bool:
        """Whether Ollama has written it, which says of its models that they are from its library."""
        return any(entry.get("owned_by") == "library" for entry in self.entries.values())

    def nearest(self, model: str) -> tuple[str, ...]:
        """The names that are most like it; where it is a short list, all of them."""
        usable = [name.removeprefix("models/") for name in self.entries if _USABLE.fullmatch(name)]
        if len(usable) <= _NEAREST:
            return tuple(usable)
        by_plain = {_plain(name): name for name in usable[:_LOOKED_AT]}
        found = difflib.get_close_matches(_plain(model), list(by_plain), n=_NEAREST, cutoff=0.3)
        return tuple(by_plain[name] for name in found)


def _plain(name: str) -> str:
    return name.casefold().removeprefix("models/")


def context_of(entry: Mapping[str, Any]) -> int | None:
    """How many tokens a prompt and its answer may have together, where the list says it."""
    return next((tokens for name in _CONTEXTS if (tokens := _context(entry, name)) is not None), None)


def context_of_slots(body: object) -> int | None:
    """The same from llama.cpp's `/props`."""
    return _context(body.get("default_generation_settings"), "n_ctx") if isinstance(body, dict) else None


def _context(thing: object, name: str) -> int | None:
    tokens = count_of(thing, name)
    return tokens if tokens is not None and tokens >= _SHORTEST_CONTEXT else None


def end_of(entry: Mapping[str, Any]) -> datetime | None:
    """When the model is switched off, where the list says it: a date, or seconds since 1970."""
    for name in ("shutdown_date", "expiration_date", "deprecation"):
        said = entry.get(name)
        try:
            if isinstance(said, str):
                when = datetime.fromisoformat(said)
                return when if when.tzinfo else when.replace(tzinfo=UTC)
            if isinstance(said, int | float) and not isinstance(said, bool):
                return datetime.fromtimestamp(said, UTC)
        except (ValueError, OverflowError, OSError):
            continue
    return None
