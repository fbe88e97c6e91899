"""Whether Radarr and Claude can be used, asked in ways that cost nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette

from kometa_ai.app import session_of
from kometa_ai.daemon.watch import Watch
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.faults import answer
from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.openai import OpenAIStandIn
from kometa_ai.standins.serving import serve
from tests.daemon.living import daemon_beside, free_port, until
from tests.run.world import block

if TYPE_CHECKING:
    from tests.run.world import World


async def test_both_are_there(world: World) -> None:
    """Both are looked at, and Claude is asked nothing that it charges for."""
    watch = Watch(session_of(world.settings))
    await watch.look()

    assert watch.words == {"radarr": "ok", "claude": "ok"}
    assert world.asked() == []


async def test_a_proxy_without_a_list_of_models_proves_nothing(world: World) -> None:
    """What answers 404 to the free call may answer questions all the same: it is not called down."""
    with serve(Starlette()) as url:
        watch = Watch(session_of(Settings.model_validate({**world.environ, "CLAUDE_BASE_URL": url})))
        await watch.look()

    assert watch.word("Claude") == "ok"


@pytest.mark.parametrize("changed", [{"CLAUDE_API_KEY": "wrong"}, {"CLAUDE_BASE_URL": "http://127.0.0.1:{port}"}])
async def test_a_claude_that_cannot_be_used(world: World, changed: dict[str, str]) -> None:
    """A wrong key and a refused connection are explained."""
    changed = {name: value.format(port=free_port()) for name, value in changed.items()}
    watch = Watch(session_of(Settings.model_validate({**world.environ, **changed})))
    await watch.look()

    assert watch.word("Claude") == "down"
    assert watch.found["Claude"].detail


async def test_the_models_word_is_the_worst_of_their_providers(world: World) -> None:
    """With two providers each has its own word, and the model's is that of the one that is down."""
    local = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:14b", "LLM_REVIEW_MODEL": "claude/claude-sonnet-5-5"}
    with serve(OllamaStandIn().app) as url:
        settings = Settings.model_validate({**world.environ, **local, "OLLAMA_HOST": url})
        watch = Watch(session_of(settings))
        before = watch.model
        await watch.look()
        there = watch.words, watch.model
    await watch.look()

    assert before == "unknown"
    assert there == ({"radarr": "ok", "ollama": "ok", "claude": "ok"}, "ok")
    assert (watch.word("Ollama"), watch.word("Claude"), watch.model) == ("down", "ok", "down")


async def test_a_run_tells_of_the_provider_that_refused_it(world: World) -> None:
    """The status has the model's word under `model`, whichever provider it is of."""
    service = OpenAIStandIn(api_key="openai-key")
    with serve(service.app) as url:
        world.change(
            llm_provider="openai", llm_model="gpt-6-luna", openai_api_key="openai-key", openai_base_url=f"{url}/v1"
        )
        world.collections(block("Heist"))
        async with daemon_beside(world) as here:
            await until(lambda: here.daemon.watch.model == "ok")
            up = (await here.client.get("/api/v1/status")).json()
            service.api_key = "another"
            await here.run()
            down = (await here.client.get("/api/v1/status")).json()
            figures = (await here.client.get("/metrics")).text

    assert (up["model"], down["model"], down["last_outcome"]) == ("ok", "down", "model unusable")
    assert 'kometa_ai_service_up{service="openai"} 0.0' in figures


async def test_a_run_tells_what_became_of_them(world: World) -> None:
    """A run that Radarr refuses shows in the health at once, and so does the next one that goes well."""
    async with daemon_beside(world) as here:
        await here.run()
        world.radarr.faults.inject(answer(401), path="*", times=None)
        await here.run()
        down = (await here.client.get("/health")).json()
        world.radarr.faults.clear()
        await here.run()
        up = (await here.client.get("/health")).json()

    assert (down["status"], down["radarr"], down["last_outcome"]) == ("OK", "down", "library unusable")
    assert (up["status"], up["radarr"], up["last_outcome"]) == ("OK", "ok", "ok")


async def test_a_run_of_a_clock_that_was_ahead_is_not_the_last_for_years(world: World) -> None:
    """What came after it is told as the last, in the health, in the status and on the page."""
    world.collections(block("Heist"))
    world.now = datetime(2199, 1, 1, tzinfo=UTC)
    ahead = (await asyncio.to_thread(world.run)).run_id
    async with daemon_beside(world) as here:
        world.radarr.faults.inject(answer(401), path="*", times=None)
        run_id = await here.run()
        health = (await here.client.get("/health")).json()
        status = (await here.client.get("/api/v1/status")).json()
        listed = [run["run_id"] for run in (await here.client.get("/api/v1/runs")).json()]

    assert (health["last_outcome"], status["last_run_id"]) == ("library unusable", run_id)
    assert listed == [run_id, ahead]


async def test_a_state_that_cannot_be_written_is_unhealthy(world: World) -> None:
    """Without its state folder the daemon is ill, and well again with it."""
    away = world.state_dir.with_name("away")
    async with daemon_beside(world) as here:
        world.state_dir.rename(away)
        ill = await here.client.get("/health")
        away.rename(world.state_dir)
        well = await here.client.get("/health")

    assert (ill.status_code, ill.json()["state"]) == (503, "cannot be written")
    assert well.status_code == 200
