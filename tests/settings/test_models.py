"""Which models the settings name, and what each provider needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.model import PROVIDERS, ModelName
from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixConfiguration
from kometa_ai.network.private import is_private
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.environment import LIBRARY, MODEL, load_settings, providers_in
from kometa_ai.settings.schema import Settings

LIBRARIES = {"RADARR_URL": "http://radarr:7878", "RADARR_API_KEY": "radarr-key"}
ENOUGH = LIBRARIES | {"CLAUDE_API_KEY": "claude-key"}


def models(environ: dict[str, str]) -> list[str]:
    """The references of both looks' models."""
    return list(map(str, load_settings(environ, required=()).settings.models))


def problems(environ: dict[str, str]) -> list[Problem]:
    """The problems of an environment with a library, perhaps none."""
    try:
        load_settings(LIBRARIES | environ)
    except FixConfiguration as error:
        return [each for each in error.problems if each.severity == "error"]
    return []


@pytest.mark.parametrize(
    ("environ", "first", "review"),
    [
        ({}, "claude-sonnet-5-5", "claude-sonnet-5-5"),
        ({"CLAUDE_MODEL": "claude-haiku-5-5"}, "claude-haiku-5-5", "claude-haiku-5-5"),
        ({"CLAUDE_REVIEW_MODEL": "claude-opus-5"}, "claude-sonnet-5-5", "claude-opus-5"),
        ({"CLAUDE_MODEL": "openai/gpt"}, "claude/openai/gpt", "claude/openai/gpt"),
        ({"LLM_MODEL": "claude-haiku-5-5"}, "claude-haiku-5-5", "claude-haiku-5-5"),
        ({"LLM_MODEL": "claude-haiku-5-5", "CLAUDE_MODEL": "claude-opus-5"}, "claude-haiku-5-5", "claude-haiku-5-5"),
        (
            {"LLM_MODEL": "ollama/qwen3:14b", "CLAUDE_REVIEW_MODEL": "claude-opus-5"},
            "ollama/qwen3:14b",
            "claude-opus-5",
        ),
        ({"LLM_REVIEW_MODEL": "openai/gpt-6.1-terra"}, "claude-sonnet-5-5", "openai/gpt-6.1-terra"),
        ({"LLM_PROVIDER": "OpenAI"}, "openai/gpt-6-luna", "openai/gpt-6.1-terra"),
        ({"LLM_PROVIDER": "openai", "LLM_MODEL": "gpt-6-sol"}, "openai/gpt-6-sol", "openai/gpt-6-sol"),
        ({"LLM_PROVIDER": "openai", "LLM_REVIEW_MODEL": "gpt-6-sol"}, "openai/gpt-6-luna", "openai/gpt-6-sol"),
        ({"LLM_PROVIDER": "openai", "CLAUDE_REVIEW_MODEL": "x"}, "openai/gpt-6-luna", "openai/gpt-6.1-terra"),
        (
            {"LLM_PROVIDER": "openai", "OPENAI_BASE_URL": "http://llama:8080/v1"},
            "openai/gpt-6-luna",
            "openai/gpt-6.1-terra",
        ),
        (
            {"LLM_PROVIDER": "openai", "OPENAI_BASE_URL": "https://eu.api.openai.com/v1"},
            "openai/gpt-6-luna",
            "openai/gpt-6.1-terra",
        ),
        (
            {"LLM_PROVIDER": "openai", "OPENAI_BASE_URL": "http://llama/v1", "LLM_MODEL": "qwen"},
            "openai/qwen",
            "openai/qwen",
        ),
        ({"LLM_PROVIDER": "gemini"}, "gemini/gemini-3.5-flash-lite", "gemini/gemini-3.5-flash-lite"),
        ({"LLM_PROVIDER": "openrouter", "LLM_MODEL": "openai/gpt-6-luna"}, *["openrouter/openai/gpt-6-luna"] * 2),
        (
            {"LLM_PROVIDER": "ollama", "LLM_MODEL": "hf.co/a/b:Q4", "LLM_REVIEW_MODEL": "claude/claude-haiku-5-5"},
            "ollama/hf.co/a/b:Q4",
            "claude-haiku-5-5",
        ),
    ],
)
def test_models_by_the_settings(environ: dict[str, str], first: str, review: str) -> None:
    """Each provider's default, a provider in front of a name, and Claude's own variables for Claude alone."""
    assert models(environ) == [first, review]


def test_a_model_of_claude_is_never_taken_for_another_providers() -> None:
    """A gateway's name with a slash stays Claude's also when its reference is read again."""
    (first, _) = models({"CLAUDE_MODEL": "openai/gpt-6-luna"})

    assert ModelName.of(first) == ("claude", "openai/gpt-6-luna")


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, ["CLAUDE_API_KEY"]),
        ({"LLM_PROVIDER": "openai"}, ["OPENAI_API_KEY"]),
        ({"LLM_PROVIDER": "openai", "OPENAI_BASE_URL": "http://llama:8080/v1"}, []),
        ({"LLM_PROVIDER": "openai", "OPENAI_BASE_URL": "http://llama:8080/v1", "LLM_MODEL": "any"}, []),
        ({"LLM_PROVIDER": "openai", "OPENAI_BASE_URL": "https://api.example.org/v1"}, ["OPENAI_API_KEY"]),
        ({"LLM_PROVIDER": "gemini"}, ["GEMINI_API_KEY"]),
        ({"LLM_PROVIDER": "openrouter"}, ["LLM_MODEL", "OPENROUTER_API_KEY"]),
        ({"LLM_PROVIDER": "ollama"}, ["LLM_MODEL"]),
        ({"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:14b"}, []),
        ({"LLM_PROVIDER": "ollama", "LLM_MODEL": "a", "LLM_REVIEW_MODEL": "claude/b"}, ["CLAUDE_API_KEY"]),
        ({"LLM_MODEL": "ollama/a", "LLM_REVIEW_MODEL": "gemini/b"}, ["GEMINI_API_KEY"]),
        ({"LLM_MODEL": "ollama/a"}, []),
        ({"LLM_PROVIDER": "anthropic", "BATCH_SIZE": "x"}, ["LLM_PROVIDER", "CLAUDE_API_KEY", "BATCH_SIZE"]),
    ],
)
def test_only_what_the_providers_in_use_need(environ: dict[str, str], missing: list[str]) -> None:
    """The keys of the providers in use, and a name where there is no default; all at once, each with its remedy."""
    found = problems(environ)

    assert [each.source for each in found] == missing
    assert all(each.remedy for each in found)


def test_the_reason_why_a_setting_is_needed() -> None:
    """What is missing is told with what makes it necessary, and with what the user seems to want."""
    (key,) = problems({"LLM_PROVIDER": "openai"})
    (second,) = problems({"LLM_MODEL": "ollama/a", "LLM_REVIEW_MODEL": "gemini/b"})
    (first,) = problems({"LLM_MODEL": "gemini/b"})
    (local,) = problems({"LLM_PROVIDER": "ollama"})
    (forgotten,) = problems({"OPENAI_API_KEY": "key", "OLLAMA_HOST": "nas"})

    assert "LLM_PROVIDER is openai" in key.what
    assert "OPENAI_API_KEY_FILE" in key.remedy
    assert "second look" in second.what
    assert "LLM_MODEL names a model of Gemini" in first.what
    assert "ollama list" in local.remedy
    assert "LLM_PROVIDER to openai or ollama" in forgotten.remedy


def test_a_key_that_cannot_be_read_is_not_missing_too() -> None:
    """A key whose file is not there is one problem."""
    (problem,) = problems({"LLM_PROVIDER": "openai", "OPENAI_API_KEY_FILE": "/nowhere"})

    assert "OPENAI_API_KEY_FILE" in problem.what


def test_a_command_may_need_the_model_without_its_key() -> None:
    """What only forecasts wants to know the model."""
    with pytest.raises(FixConfiguration, match="One setting"):
        load_settings(LIBRARIES | {"LLM_PROVIDER": "ollama"}, required=(LIBRARY, MODEL))
    assert load_settings(LIBRARIES, required=(LIBRARY, MODEL)).settings.models.first.provider == "claude"


def test_one_model_twice() -> None:
    """LLM_MODEL wins over CLAUDE_MODEL, with a warning where they differ."""
    same = load_settings(ENOUGH | {"LLM_MODEL": "claude-haiku-5-5", "CLAUDE_MODEL": "claude-haiku-5-5"})
    other = load_settings(ENOUGH | {"LLM_MODEL": "claude-haiku-5-5", "CLAUDE_MODEL": "claude-opus-5"})
    review = load_settings(ENOUGH | {"LLM_REVIEW_MODEL": "a", "CLAUDE_REVIEW_MODEL": "b"})

    assert same.warnings == ()
    assert [each.source for each in other.warnings] == ["CLAUDE_MODEL"]
    assert [each.source for each in review.warnings] == ["CLAUDE_REVIEW_MODEL"]
    assert str(other.settings.models.first) == "claude-haiku-5-5"


def test_settings_of_claude_beside_another_provider() -> None:
    """Models of Claude that are left over are a hint, batches that are asked for a warning."""
    environ = LIBRARIES | {"LLM_PROVIDER": "ollama", "LLM_MODEL": "a", "CLAUDE_MODEL": "b", "CLAUDE_BATCHES": "on"}
    loaded = load_settings(environ)

    assert [each.source for each in loaded.hints] == ["CLAUDE_MODEL"]
    assert [each.source for each in loaded.warnings] == ["CLAUDE_BATCHES"]


def test_variables_of_the_sdk_are_told_to_those_who_use_it() -> None:
    """OPENAI_ORG_ID is a hint where OpenAI is asked, and nothing elsewhere; it is never a typo."""
    openai = load_settings(LIBRARIES | {"LLM_PROVIDER": "openai", "OPENAI_API_KEY": "k", "OPENAI_ORG_ID": "o"})
    claude = load_settings(ENOUGH | {"OPENAI_ORG_ID": "o"})

    assert [each.source for each in openai.hints] == ["OPENAI_ORG_ID"]
    assert (openai.warnings, claude.hints, claude.warnings) == ((), (), ())


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"LLM_PROVIDER": "openai", "OPENAI_API_KEY": "k"}, "OPENAI_BASE_URL leads"),
        ({"LLM_PROVIDER": "gemini", "GEMINI_API_KEY": "k"}, "Gemini leads"),
        (
            {"LLM_PROVIDER": "ollama", "LLM_MODEL": "a", "OLLAMA_HOST": "https://ollama.example.org"},
            "OLLAMA_HOST leads",
        ),
        ({"LLM_MODEL": "ollama/a", "CLAUDE_API_KEY": "k"}, "CLAUDE_BASE_URL leads"),
    ],
)
def test_an_unusable_proxy_on_the_way_to_a_model(environ: dict[str, str], told: str) -> None:
    """A proxy that cannot be used is a problem if a provider in use, or one that may have a batch, lies behind it."""
    (problem,) = problems({**environ, "HTTPS_PROXY": "socks5://proxy:1080"})

    assert problem.source == "HTTPS_PROXY"
    assert told in problem.what


def test_a_proxy_on_no_way() -> None:
    """It is no problem where only providers lie behind it that are not in use."""
    environ = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "a", "OLLAMA_HOST": "nas"}

    assert problems({**environ, "HTTPS_PROXY": "socks5://proxy:1080"}) == []


def test_keys_of_all_providers_are_secrets() -> None:
    """Each is hidden wherever it turns up, in use or not."""
    keys = {name: f"hush-{name.lower()}" for name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY")}

    assert set(keys.values()) <= secrets_of(load_settings(ENOUGH | keys).settings)


def test_providers_that_are_meant() -> None:
    """They are known also where other settings are wrong, or a key is missing."""
    assert providers_in({"LLM_PROVIDER": "ollama", "LLM_REVIEW_MODEL": "claude/x", "TZ": "nowhere"}) == (
        "ollama", "claude",
    )  # fmt: skip
    assert providers_in({"LLM_PROVIDER": "wrong", "LLM_MODEL_FILE": "/nowhere"}) == ("claude",)


@given(st.sampled_from(PROVIDERS), st.text("abc:./-", min_size=1, max_size=20))
def test_models_of_settings_can_be_read_again(provider: str, name: str) -> None:
    """Whatever the settings name: its reference leads to the same model."""
    chosen = Settings(llm_provider=provider, llm_model=f"m{name}1").models.first  # type: ignore[arg-type]

    assert ModelName.of(str(chosen)) == chosen


@pytest.mark.parametrize(
    ("url", "is_home"),
    [
        ("http://localhost:11434", True),
        ("http://127.0.0.1:8080/v1", True),
        ("http://192.168.1.5", True),
        ("http://100.100.1.1", True),
        ("http://[::1]:1/v1", True),
        ("http://[fd00::1]/v1", True),
        ("http://llama:8080/v1", True),
        ("http://host.docker.internal:1234/v1", True),
        ("http://nas.local/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("https://local.example.org", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_private_addresses(url: str, *, is_home: bool) -> None:
    """Addresses of a home network, of containers, and bare names; what anyone could register is public."""
    assert is_private(url) is is_home
