"""List the models of the Chat Completions stand-in, by the face of the service that has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

Face = Literal["openai", "gemini", "openrouter", "local"]
FACES: tuple[Face, ...] = get_args(Face)
Caching = Literal["explicit", "steps", "prefix", "none"]


class ChatModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model.

    `efforts` are those that it takes, empty for a model that does not think; `effort` is what it does unasked. Prompts
    are cached at breakpoints (`explicit`), in steps of 128 tokens (`steps`), or as far as they are the same (`prefix`),
    from `cache_from` tokens on. `dollars` are what a million tokens cost, of input, read, written and output, where
    answers state it.
    """

    id: str
    efforts: tuple[str, ...] = ()
    effort: str = ""
    caching: Caching = "none"
    cache_from: int = 1024
    context: int = 400_000
    longest: int = 128_000
    dollars: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    shutdown_date: str | None = None

    def info(self, face: Face) -> dict[str, Any]:
        """The model as the list of all describes it."""
        match face:
            case "gemini":
                return {"id": f"models/{self.id}", "object": "model", "owned_by": "google", "display_name": self.id}
            case "openrouter":
                return {"id": self.id, "name": self.id, "context_length": self.context, "pricing": {}}
            case "local":
                meta = {"n_ctx_train": 131_072, "n_params": 14_000_000_000}
                return {"id": self.id, "object": "model", "owned_by": "llamacpp", "meta": meta}
        return {
            "id": self.id,
            "object": "model",
            "created": 1_790_000_000,
            "owned_by": "openai",
            "shutdown_date": self.shutdown_date,
        }


_SIX = ("none", "low", "medium", "high", "xhigh")
_FIVE = ("minimal", "low", "medium", "high")
_GEMINI = ("minimal", "low", "medium", "high")


def _newest(name: str, *, can_rest: bool = True) -> ChatModel:
    efforts = _SIX if can_rest else _SIX[1:]
    return ChatModel(id=name, efforts=efforts, effort="medium", caching="explicit", context=1_050_000)


def _gemini(name: str, efforts: tuple[str, ...] = _GEMINI) -> ChatModel:
    return ChatModel(
        id=name, efforts=efforts, effort="high", caching="prefix", cache_from=4096, context=1_048_576, longest=65_536
    )


def _by_name(*models: ChatModel) -> Mapping[str, ChatModel]:
    return {model.id: model for model in models}


MODELS: Mapping[Face, Mapping[str, ChatModel]] = {
    "openai": _by_name(
        _newest("gpt-6-luna"),
        _newest("gpt-6.1-terra"),
        _newest("gpt-6.1-sol", can_rest=False),
        _newest("gpt-6-astra", can_rest=False),
        ChatModel(id="gpt-5-mini", efforts=_FIVE, effort="medium", caching="steps", shutdown_date="2026-12-11"),
        ChatModel(id="gpt-4.1", caching="steps", longest=32_768, shutdown_date="2027-01-14"),
    ),
    "gemini": _by_name(
        _gemini("gemini-3.5-flash-lite"),
        _gemini("gemini-3.8-flash", _GEMINI[1:]),
        _gemini("gemini-4-argon", _GEMINI[1:]),
    ),
    "openrouter": _by_name(
        ChatModel(
            id="anthropic/claude-haiku-5.5", caching="explicit", cache_from=512, dollars=(0.10, 0.01, 0.125, 0.50)
        ),
        ChatModel(
            id="openai/gpt-6-luna", efforts=_SIX, effort="medium", caching="explicit", dollars=(0.1, 0.01, 0.125, 0.5)
        ),
        ChatModel(id="google/gemini-3.5-flash-lite", efforts=_GEMINI, effort="high", caching="prefix", cache_from=4096),
        ChatModel(id="qwen/qwen3-14b", dollars=(0.05, 0.05, 0.05, 0.2)),
    ),
    "local": _by_name(ChatModel(id="qwen3-14b-q4.gguf", caching="prefix", cache_from=1, context=16_384)),
}
"""By face and by the name in requests."""
