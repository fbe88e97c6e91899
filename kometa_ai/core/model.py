"""Read and write the name of a model (`ModelName`): its provider and its name there, as one text.

`ollama/qwen3:14b` is a model of another provider than the one that is set, `openrouter/anthropic/claude-haiku-5.5` one
with a slash in its own name. Written, a model of Claude stands alone: decisions of earlier versions say it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


class Words(NamedTuple):
    """What problems call a provider, or `The model` where it may be one of several, and what an operator may look at.

    `address` and `model` are settings; `address` is empty where there is none. `status` is where the provider
    tells how it does.
    """

    title: str
    address: str
    model: str
    status: str


_WORDS: dict[ProviderName, Words] = {
    "claude": Words(TITLES["claude"], "CLAUDE_BASE_URL", "CLAUDE_MODEL", "Anthropic's status page"),
    "openai": Words(
        TITLES["openai"],
        "OPENAI_BASE_URL",
        "LLM_MODEL",
        "the service's status page, or the log of a server of your own",
    ),
    "gemini": Words(TITLES["gemini"], "", "LLM_MODEL", "Google's status page"),
    "openrouter": Words(TITLES["openrouter"], "", "LLM_MODEL", "OpenRouter's status page"),
    "ollama": Words(TITLES["ollama"], "OLLAMA_HOST", "LLM_MODEL", "Ollama's log"),
}
_OF_ANY = Words("The model", "", "LLM_MODEL", "the provider's status page")


def words_about(models: Iterable[str], titles: Mapping[ProviderName, str] = TITLES) -> Words:
    """What problems call these models, given as decisions have them: by their provider where they have only one.

    `titles` are the providers' where they are known; a server in OpenAI's place has its own.
    """
    providers = {ModelName.of(model).provider for model in models}
    if len(providers) != 1:
        return _OF_ANY
    provider = providers.pop()
    words = _WORDS[provider]
    return words._replace(title=titles.get(provider, words.title))
