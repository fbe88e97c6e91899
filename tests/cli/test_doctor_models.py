"""`--check-config` about models: the providers in use by their names, what each says, and what is missing for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.serving import serve
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

NOWHERE = "http://127.0.0.1:9"


def services(found: Any) -> dict[str, str]:
    """How each service was found, by its title."""
    return {each["service"]: each["status"] for each in found["services"]}


def sources(told: Any) -> list[str]:
    """What problems or warnings are about."""
    return [each["source"] for each in told]


def test_each_provider_in_use_is_looked_at(world: World, call: Call) -> None:
    """A local model and Claude for the second look are two services; nothing is asked."""
    world.collections(block("Heist"))
    service = OllamaStandIn()

    with serve(service.app) as url:
        local = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:14b", "OLLAMA_HOST": url}
        ended = call("--check-config", "--output", "json", LLM_REVIEW_MODEL="claude/claude-sonnet-5-5", **local)
        alone = call("--check-config", "--output", "json", CLAUDE_API_KEY="", **local)

    assert services(ended.data) == {"Radarr": "ok", "Ollama": "ok", "Claude": "ok"}
    assert services(alone.data) == {"Radarr": "ok", "Ollama": "ok"}
    assert (service.requests, world.claude.requests) == ([], [])


def test_a_model_that_is_not_installed(world: World, call: Call) -> None:
    """It is a warning of Ollama's, which names models that are there."""
    world.collections(block("Heist"))
    service = OllamaStandIn()

    with serve(service.app) as url:
        local = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:41b", "OLLAMA_HOST": url}
        found = call("--check-config", "--output", "json", **local).data

    (warning,) = [each for each in found["warnings"] if each["source"] == "Ollama"]
    assert services(found)["Ollama"] == "unusable"
    assert "qwen3:14b" in warning["what"] + warning["remedy"]


@pytest.mark.parametrize(("size", "is_told"), [({}, False), ({"BATCH_SIZE": "5"}, False), ({"BATCH_SIZE": "25"}, True)])
def test_a_context_is_looked_at_for_the_pages_that_are_set(
    world: World, call: Call, size: dict[str, str], *, is_told: bool
) -> None:
    """A context that holds the usual ten movies need not hold as many as BATCH_SIZE says."""
    world.collections(block("Heist"))
    with serve(OllamaStandIn().app) as url:
        local = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:14b", "OLLAMA_HOST": url}
        found = call("--check-config", "--output", "json", OLLAMA_CONTEXT_LENGTH="4096", **local, **size).data

    told = [each["remedy"] for each in found["warnings"] if each["source"] == "OLLAMA_CONTEXT_LENGTH"]
    assert told == (["Set BATCH_SIZE to 13 or less."] if is_told else [])


def test_a_machine_that_sleeps_is_no_fault(world: World, call: Call) -> None:
    """Ollama that does not answer now may answer at night."""
    world.collections(block("Heist"))

    ended = call(
        "--check-config", "--output", "json", LLM_PROVIDER="ollama", LLM_MODEL="qwen3:14b", OLLAMA_HOST=NOWHERE
    )

    assert services(ended.data)["Ollama"] == "silent"
    assert ended.code == 1


def test_what_is_missing_for_the_provider(call: Call) -> None:
    """Without a model for Ollama or a key for OpenAI nothing is looked at, and the provider is named."""
    local = call("--check-config", "--output", "json", LLM_PROVIDER="ollama")
    hosted = call("--check-config", "--output", "json", LLM_PROVIDER="openai")

    assert (local.code, hosted.code) == (2, 2)
    assert (sources(local.data["problems"]), local.data["not_looked_at"]) == (["LLM_MODEL"], ["Radarr", "Ollama"])
    assert (sources(hosted.data["problems"]), hosted.data["not_looked_at"]) == (
        ["OPENAI_API_KEY"],
        ["Radarr", "OpenAI"],
    )


def test_batches_cannot_be_cancelled_without_a_key(call: Call) -> None:
    """While Claude is in use its key is wanted; with another provider there is nothing to be wrong."""
    claude = call("--cancel-batches", CLAUDE_API_KEY="")
    other = call("--cancel-batches", CLAUDE_API_KEY="", LLM_PROVIDER="ollama", LLM_MODEL="qwen3:14b")

    assert claude.code == 2
    assert "CLAUDE_API_KEY" in claude.err
    assert other.code == 0
    assert "no open batches" in other.out
