"""The free check of services that speak Chat Completions, before anything is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kometa_ai.errors import CheckModel
from kometa_ai.providers.compatible.client import Compatible
from kometa_ai.providers.compatible.listing import Listed
from kometa_ai.providers.port import ProviderSilent
from kometa_ai.standins.claude_faults import DROPPED, Fault
from kometa_ai.standins.openai import OpenAIStandIn
from kometa_ai.standins.openai_models import ChatModel
from tests.providers.test_compatible import FACES, JSON, KEY, MODELS, provider_for, service

if TYPE_CHECKING:
    from kometa_ai.core.problem import Problem
    from kometa_ai.standins.openai_models import Face


async def check(standin: OpenAIStandIn, model: str = "", key: str = KEY) -> Problem | None:
    """Check a model; without a name the usual one."""
    async with provider_for(standin, key) as provider:
        return await provider.check(model or MODELS[standin.face])


@pytest.mark.parametrize("face", FACES)
async def test_a_model_that_is_there_is_in_order(face: Face) -> None:
    """By calls that cost nothing."""
    standin = service(face)

    assert await check(standin) is None
    assert standin.requests == []


@pytest.mark.parametrize("face", FACES)
async def test_a_wrong_key_is_noticed(face: Face) -> None:
    """OpenRouter shows its list to anyone: there another call tells."""
    with pytest.raises(CheckModel, match="does not accept the key"):
        await check(service(face), key="sk-wrong")


async def test_a_model_that_ends_is_a_warning() -> None:
    """OpenAI's list says when."""
    doubt = await check(service(), "gpt-5-mini")

    assert doubt is not None
    assert (doubt.source, doubt.severity, "2026-12-11" in doubt.what) == ("LLM_MODEL", "warning", True)


@pytest.mark.parametrize("face", FACES)
async def test_a_model_that_is_not_listed_is_a_hint(face: Face) -> None:
    """LiteLLM and Azure list other names than those they answer to; near names are told."""
    doubt = await check(service(face), "gpt-6-lunar")

    assert doubt is not None
    assert (doubt.source, doubt.severity) == ("LLM_MODEL", "hint")
    assert face != "openai" or "gpt-6-luna" in doubt.remedy
    assert face != "local" or MODELS["local"] in doubt.remedy


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404, message="Not found"),
        Fault(status=405, message="Method not allowed"),
        Fault(status=404, raw="<html><title>404 Not Found</title></html>"),
        Fault(status=403, message="You have insufficient permissions. Missing scopes: api.model.read"),
        Fault(status=200, raw="{}", headers=JSON),
        Fault(status=200, raw='{"data": null}', headers=JSON),
        Fault(status=200, raw="null", headers=JSON),
        Fault(status=200, raw='{"data": [', headers=JSON),
        Fault(status=400, message="Bad request"),
    ],
    ids=lambda fault: fault.raw or str(fault.status),
)
async def test_no_list_is_a_hint(fault: Fault) -> None:
    """The first question tells."""
    standin = service()
    standin.faults.add(fault, path="*/models")

    doubt = await check(standin)

    assert doubt is not None
    assert (doubt.severity, "has no list" in doubt.what) == ("hint", True)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=401, message="Incorrect API key provided"),
        Fault(status=403, message="Country, region, or territory not supported"),
        Fault(status=402, message="Payment required"),
        Fault(status=200, raw="<!DOCTYPE html><title>Log in</title>"),
        Fault(status=302, raw="", headers={"location": "https://elsewhere.example/login"}),
    ],
    ids=lambda fault: str(fault.status),
)
async def test_what_is_in_the_way_of_questions_stops(fault: Fault) -> None:
    """With what to do."""
    standin = service()
    standin.faults.add(fault, path="*/models")

    with pytest.raises(CheckModel) as caught:
        await check(standin)

    assert not isinstance(caught.value, ProviderSilent)
    assert caught.value.remedy


@pytest.mark.parametrize("status", [200, 404])
async def test_the_web_site_of_openrouter_is_no_list(status: int) -> None:
    """It answers where /api is left out of the address, and questions there too."""
    standin = service("openrouter")
    standin.faults.add(Fault(status=status, raw="<!DOCTYPE html><title>OpenRouter</title>"), path="*/models")

    with pytest.raises(CheckModel, match="web page"):
        await check(standin)


@pytest.mark.parametrize(
    "fault",
    [
        DROPPED,
        Fault(status=503, message="Loading model"),
        Fault(status=502, raw="<html>"),
        Fault(status=429, message="x"),
    ],
    ids=["network", "loading", "gateway", "busy"],
)
@pytest.mark.parametrize("face", FACES)
async def test_a_service_that_does_not_answer_may_do_so_later(face: Face, fault: Fault) -> None:
    """Nothing is marked as failed for it."""
    standin = service(face)
    standin.faults.add(fault, path="*/models")

    with pytest.raises(ProviderSilent) as caught:
        await check(standin)

    assert caught.value.remedy


async def test_a_server_that_is_not_there_may_be_outside_of_the_container() -> None:
    """In a container, localhost is the container."""
    async with Compatible("openai", "", "http://localhost:9/v1") as provider:
        with pytest.raises(ProviderSilent, match=r"host\.docker\.internal"):
            await provider.check("x")


@pytest.mark.parametrize(
    ("face", "context"), [("openai", None), ("gemini", None), ("openrouter", 400_000), ("local", 16_384)]
)
async def test_the_context_is_kept_where_it_is_told(face: Face, context: int | None) -> None:
    """In OpenRouter's list, and at llama.cpp's own path; a list of vLLM's has it, too."""
    async with provider_for(service(face)) as provider:
        await provider.check(MODELS[face])
        assert provider.traits(MODELS[face]).context == context


async def test_the_context_of_vllm_is_in_its_list() -> None:
    """It has no path of llama.cpp's."""
    standin = service("local")
    listed = {"data": [{"id": "m", "max_model_len": 8192}]}
    standin.faults.add(Fault(status=200, raw=json.dumps(listed), headers=JSON), path="*/models")
    standin.faults.add(Fault(status=404, message="Not Found"), path="/props")
    async with provider_for(standin) as provider:
        assert await provider.check("m") is None
        assert provider.traits("m").context == 8192


async def test_ollama_is_told_to_be_asked_by_its_own_door() -> None:
    """Through this one it cuts prompts silently; its list of models betrays it."""
    standin = service("local")
    listed = {"object": "list", "data": [{"id": "qwen3:14b", "object": "model", "owned_by": "library"}]}
    standin.faults.add(Fault(status=200, raw=json.dumps(listed), headers=JSON), path="*/models")

    doubt = await check(standin, "qwen3:14b")

    assert doubt is not None
    assert (doubt.source, doubt.severity, "OLLAMA_HOST" in doubt.remedy) == ("LLM_PROVIDER", "warning", True)


async def test_a_context_that_is_large_enough_is_no_matter() -> None:
    """However long the prompts are."""
    standin = service("local", models={"x": ChatModel(id="x", context=8192)})
    async with provider_for(standin) as provider:
        provider.expect("x", prompt_tokens=4000, answer_tokens=8000)
        assert await provider.check("x") is None


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("models/gemini-3.5-flash-lite", "gemini-3.5-flash-lite"),
        ("Qwen3:14b", "qwen3:14b"),
        ("qwen/qwen3-14b", "qwen/qwen3-14b:free"),
    ],
)
def test_a_name_is_found_in_its_other_forms(name: str, model: str) -> None:
    """With Gemini's prefix, in another case, without OpenRouter's variant."""
    listed = Listed.of({"data": [{"id": name}, {"id": 5}, None, "x"]})

    assert listed is not None
    assert listed.entry(model) == {"id": name}


def test_a_long_list_is_read_quickly() -> None:
    """And no sentence grows with it."""
    listed = Listed.of([{"id": f"m{number}" * 40} for number in range(20_000)])

    assert listed is not None
    assert len(listed.nearest("gpt-6-luna")) <= 5
