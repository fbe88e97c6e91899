"""What problems call models: by their provider where there is one, and with its settings."""

from __future__ import annotations

import pytest

from kometa_ai.core.model import PROVIDERS, TITLES, ModelName, ProviderName, words_about
from kometa_ai.settings.models import ADDRESS_SETTINGS
from kometa_ai.settings.variables import variables


@pytest.mark.parametrize("provider", PROVIDERS)
def test_models_of_one_provider_are_called_by_its_title(provider: ProviderName) -> None:
    """Two models of it, as decisions have them."""
    words = words_about([str(ModelName(provider, "a")), str(ModelName(provider, "b"))])

    assert words.title == TITLES[provider]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_remedies_can_name_the_settings_of_the_provider(provider: ProviderName) -> None:
    """They are settings that there are: its address where one can be set, and that of its model."""
    words = words_about([str(ModelName(provider, "a"))])

    assert words.address == ADDRESS_SETTINGS.get(provider, "")
    assert words.model == ("CLAUDE_MODEL" if provider == "claude" else "LLM_MODEL")
    assert {words.address, words.model} - {""} <= variables().keys()


@pytest.mark.parametrize("models", [[], ["claude-sonnet-5-5", "ollama/qwen3:14b"]])
def test_models_of_several_providers_are_the_model(models: list[str]) -> None:
    """A text that may be about either names neither, nor a setting that only one of them has."""
    words = words_about(models)

    assert (words.title, words.address, words.model) == ("The model", "", "LLM_MODEL")
