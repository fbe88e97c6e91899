"""`ModelName`: the provider of a model and its name there, read from a setting and written as one text.

`ollama/qwen3:14b` is a model of another provider than the one that is set, `openrouter/anthropic/claude-haiku-5.5` one
with a slash in its own name. Written, a model of Claude stands alone: decisions of earlier versions say it so.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

ProviderName = Literal["claude", "openai", "gemini", "openrouter", "ollama"]
PROVIDERS: tuple[ProviderName, ...] = get_args(ProviderName)
TITLES: dict[ProviderName, str] = {
    "claude": "Claude",
    "openai": "OpenAI",
    "gemini": "Gemini",
    "openrouter": "OpenRouter",
    "ollama": "Ollama",
}
"""How each is called in texts."""

_NAMED_BEHIND_OPENROUTER: tuple[ProviderName, ...] = ("openrouter", "ollama", "claude")
"""OpenRouter's own names begin with `openai/` and the like: under it, only these heads name another provider."""


class ModelName(NamedTuple):
    """A model: whose it is, and what it is called there."""

    provider: ProviderName
    name: str

    @classmethod
    def of(cls, text: str, under: ProviderName = "claude") -> ModelName:
        """Read a name that belongs to the provider `under` unless a provider's name stands before its first slash."""
        head, slash, rest = text.partition("/")
        heads = _NAMED_BEHIND_OPENROUTER if under == "openrouter" else PROVIDERS
        for provider in heads:
            if slash and head == provider:
                return cls(provider, rest)
        return cls(under, text)

    def __str__(self) -> str:
        """The model as decisions and reports have it; `of` reads it again."""
        if self.provider == "claude" and self.name.partition("/")[0] not in PROVIDERS:
            return self.name
        return f"{self.provider}/{self.name}"
