"""How texts call models: by their provider where there is one, and with its settings."""

from __future__ import annotations

import pytest

from kometa_ai.core.model import PROVIDERS, TITLES, ModelName, ProviderName, words_about


@pytest.mark.parametrize("provider", PROVIDERS)
def test_models_of_one_provider_are_called_by_its_title(provider: ProviderName) -> None:
    """Two models of it, as decisions have them; its title stays as it is within a sentence."""
    words = words_about([str(ModelName(provider, "a")), str(ModelName(provider, "b"))])

    assert (words.title, words.inside) == (TITLES[provider], TITLES[provider])


@pytest.mark.parametrize(
    ("model", "key", "address", "setting"),
    [
        ("claude-sonnet-5-5", "CLAUDE_API_KEY", "CLAUDE_BASE_URL", "CLAUDE_MODEL"),
        ("openai/gpt-5.5-mini", "OPENAI_API_KEY", "OPENAI_BASE_URL", "LLM_MODEL"),
        ("gemini/gemini-3.5-flash", "GEMINI_API_KEY", "", "LLM_MODEL"),
        ("openrouter/anthropic/claude-haiku-5.5", "OPENROUTER_API_KEY", "", "LLM_MODEL"),
        ("ollama/qwen3:14b", "", "OLLAMA_HOST", "LLM_MODEL"),
    ],
)
def test_remedies_can_name_the_settings_of_the_provider(model: str, key: str, address: str, setting: str) -> None:
    """Those of the contract's section 2; empty where a provider has none."""
    words = words_about([model])

    assert (words.key, words.address, words.model) == (key, address, setting)


@pytest.mark.parametrize("models", [[], ["claude-sonnet-5-5", "ollama/qwen3:14b"]])
def test_models_of_several_providers_are_the_model(models: list[str]) -> None:
    """A text that may be about either names neither, nor a setting that only one of them has."""
    words = words_about(models)

    assert (words.title, words.inside, words.address, words.model) == ("The model", "the model", "", "LLM_MODEL")
