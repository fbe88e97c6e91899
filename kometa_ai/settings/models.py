"""Find which models are asked, and which settings each provider needs, from the texts of their variables. Pure.

The texts need not be right: they are also read to say what is missing while other settings are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kometa_ai.core.model import PROVIDERS, TITLES, ModelName, ProviderName
from kometa_ai.network.private import is_private

OPENAI_URL = "https://api.openai.com/v1"
ADDRESSES: Mapping[ProviderName, str] = {
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "openrouter": "https://openrouter.ai/api/v1",
}
"""Where the providers are that no setting moves."""
KEYS: Mapping[ProviderName, str] = {
    "claude": "CLAUDE_API_KEY",
    "openai": "OPENAI_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
}
"""The variables of the keys. Ollama has none."""
ADDRESS_SETTINGS: Mapping[ProviderName, str] = {
    "claude": "CLAUDE_BASE_URL",
    "openai": "OPENAI_BASE_URL",
    "ollama": "OLLAMA_HOST",
}

OF_MODELS = ("LLM_PROVIDER", "LLM_MODEL", "LLM_REVIEW_MODEL", "CLAUDE_MODEL", "CLAUDE_REVIEW_MODEL")
"""The variables that say which models are asked."""

_DEFAULTS: Mapping[ProviderName, str] = {"openai": "gpt-6-luna", "gemini": "gemini-3.5-flash-lite"}
_FOR_CLAUDE = (
    "Give a key in CLAUDE_API_KEY, or in a file that CLAUDE_API_KEY_FILE names. Or set LLM_PROVIDER for another model."
)
_REVIEW_OF_OPENAI = "gpt-6.1-terra"
_EXAMPLES: Mapping[ProviderName, str] = {
    "openrouter": "Give the id of one of its models, such as anthropic/claude-haiku-5.5.",
    "ollama": "Give the name of a model that `ollama list` shows, such as qwen3:14b.",
}


class ChosenModels(NamedTuple):
    """The models of both looks. A name is empty where none is set and the provider has no default."""

    first: ModelName
    review: ModelName

    @property
    def providers(self) -> tuple[ProviderName, ...]:
        """The providers in use, that of the first look first."""
        return tuple(dict.fromkeys((self.first.provider, self.review.provider)))


class Missing(NamedTuple):
    """A variable that the models need and that is not set: why, and what to do; without a remedy the usual one."""

    setting: str
    what: str
    remedy: str = ""


def chosen_models(texts: Mapping[str, str]) -> ChosenModels:
    """The models that the variables name, by the texts of those that are set.

    `CLAUDE_MODEL` and `CLAUDE_REVIEW_MODEL` are for Claude as the provider only, and name no other one: gateways have
    slashes in their names.
    """
    provider = _provider(texts)
    first, second = texts.get("LLM_MODEL", ""), texts.get("LLM_REVIEW_MODEL", "")
    if first:
        found = ModelName.of(first, provider)
    elif provider == "claude":
        found = ModelName(provider, texts.get("CLAUDE_MODEL", ""))
    else:
        found = ModelName(provider, _DEFAULTS.get(provider, ""))
    if second:
        return ChosenModels(found, ModelName.of(second, provider))
    if provider == "claude" and (of_claude := texts.get("CLAUDE_REVIEW_MODEL")):
        return ChosenModels(found, ModelName(provider, of_claude))
    if provider == "openai" and not first and found.name:
        return ChosenModels(found, ModelName(provider, _REVIEW_OF_OPENAI))
    return ChosenModels(found, found)


def missing_model(texts: Mapping[str, str]) -> Iterator[Missing]:
    """The name of the first look's model, where the provider has no default."""
    first = chosen_models(texts).first
    if first.name or first.provider == "claude":
        return
    what = f"is not set, and LLM_PROVIDER is {first.provider}, which has no model to begin with."
    yield Missing("LLM_MODEL", what, _EXAMPLES.get(first.provider, ""))


def missing_keys(texts: Mapping[str, str]) -> Iterator[Missing]:
    """The keys of the providers in use that are not set. A server on a private address needs none."""
    chosen = chosen_models(texts)
    for provider in chosen.providers:
        setting = KEYS.get(provider, "")
        if not setting or setting in texts or (provider == "openai" and is_private(texts.get("OPENAI_BASE_URL", ""))):
            continue
        if provider == chosen.first.provider == "claude" and "LLM_PROVIDER" not in texts:
            yield Missing(setting, "is not set.", _other_ways(texts))
        elif provider == chosen.first.provider:
            of = "LLM_PROVIDER is" if provider == _provider(texts) else "LLM_MODEL names a model of"
            yield Missing(setting, f"is not set, and {of} {provider if of.endswith('is') else TITLES[provider]}.")
        else:
            yield Missing(setting, f"is not set, and the second look is for a model of {TITLES[provider]}.")


def _other_ways(texts: Mapping[str, str]) -> str:
    """What to set where the user may want another provider, and has its settings already or not."""
    given = [each for each in PROVIDERS[1:] if {KEYS.get(each, ""), ADDRESS_SETTINGS.get(each, "")} & texts.keys()]
    return (
        f"Set LLM_PROVIDER to {' or '.join(given)}, or give a key for Claude in CLAUDE_API_KEY."
        if given
        else _FOR_CLAUDE
    )


def _provider(texts: Mapping[str, str]) -> ProviderName:
    """The provider that is set. One that there is not is told elsewhere."""
    text = texts.get("LLM_PROVIDER", "").lower()
    return next((provider for provider in PROVIDERS if provider == text), "claude")
