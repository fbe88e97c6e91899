"""The page of a program that waits for its settings."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import httpx2
import pytest

from kometa_ai.errors import FixConfiguration
from kometa_ai.settings.environment import load_settings, load_usable
from kometa_ai.web.serving import serving
from kometa_ai.web.visitors import entrance_of
from kometa_ai.web.waiting import STATE, Waiting, make_waiting_app
from tests.daemon.living import KEY, PATIENCE
from tests.run.world import block
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.run.world import World

AS_BROWSER = {"Accept": "text/html"}


class Here(NamedTuple):
    """What is waited for, a client with the key, and one without. `woken` is set when a visitor asks for a look."""

    waiting: Waiting
    client: httpx2.AsyncClient
    bare: httpx2.AsyncClient
    woken: asyncio.Event


@asynccontextmanager
async def waiting_beside(world: World, **changed: str) -> AsyncIterator[Here]:
    """The app of a program whose settings are wrong."""
    environ = {**world.environ, **changed}
    settings, woken = load_usable(environ), asyncio.Event()
    with pytest.raises(FixConfiguration) as caught:
        load_settings(environ)
    waiting = Waiting(environ, caught.value, woken.set)
    app = make_waiting_app(waiting, settings, entrance_of(settings, KEY), api_key=KEY)
    async with (
        serving(app, "127.0.0.1", 0) as url,
        httpx2.AsyncClient(
            verify=PLAIN, base_url=url, headers={"X-Api-Key": KEY, **AS_BROWSER}, timeout=PATIENCE
        ) as client,
        httpx2.AsyncClient(verify=PLAIN, base_url=url, headers=AS_BROWSER, timeout=PATIENCE) as bare,
    ):
        yield Here(waiting, client, bare, woken)


async def test_whoever_watches_is_told_that_it_waits(world: World) -> None:
    """It is alive, it is not in order, and these settings are why; HEAD as GET. No value is told."""
    async with waiting_beside(world, CLAUDE_API_KEY="", BATCH_SIZE="sk-in-the-wrong-place") as here:
        ping, health = await here.bare.get("/ping"), await here.bare.get("/health")
        heads = [await here.bare.head(path) for path in ("/ping", "/health")]

    assert ping.json() == {"status": "OK"}
    assert (health.status_code, health.json()["state"]) == (503, STATE)
    assert health.json()["problem"] == "2 settings are missing or wrong: BATCH_SIZE, CLAUDE_API_KEY."
    assert "sk-in" not in health.text
    assert [head.status_code for head in heads] == [200, 503]


@pytest.mark.parametrize("base", ["", "/ai"])
async def test_every_page_leads_to_the_one(world: World, base: str) -> None:
    """A visitor who has not signed in gets the form first; the API says why it cannot answer."""
    async with waiting_beside(world, CLAUDE_API_KEY="", HTTP_URL_BASE=base) as here:
        stranger = await here.bare.get(f"{base}/collections")
        form = await here.bare.get(f"{base}/login")
        known = await here.client.get(f"{base}/collections")
        api = await here.client.post(f"{base}/api/v1/runs", json={})
        figures = await here.client.get(f"{base}/metrics")
        unknown = await here.bare.get(f"{base}/api/v1/status")

    assert stranger.headers["location"].startswith(f"{base}/login?next=")
    assert "Sign in" in form.text
    assert (known.status_code, known.headers["location"]) == (303, f"{base}/start")
    assert (api.status_code, figures.status_code, unknown.status_code) == (503, 503, 401)
    assert "CLAUDE_API_KEY" in api.json()["error"]


async def test_the_page_says_what_is_wrong_and_where_it_is_set(world: World) -> None:
    """Kometa's folder is looked at already; services are not."""
    world.collections(block("Noir"), block("<b>Bad</b>", confidence_threshold="75"))
    async with waiting_beside(world, CLAUDE_API_KEY="", RADARR_4K_URL="http://elsewhere:7878") as here:
        found = await here.client.get("/start")
    text = found.text

    assert found.status_code == 200
    assert "2 settings are missing or wrong" in text
    assert 'id="step-radarr-4k"' in text
    assert "the settings come first" in text
    assert "&lt;b&gt;Bad&lt;/b&gt;" in text
    assert "<b>Bad</b>" not in text
    assert "RADARR_4K_API_KEY: ${RADARR_4K_API_KEY:?put it into .env}" in text
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert world.environ["RADARR_API_KEY"] not in text


async def test_one_setting_is_one(world: World) -> None:
    """A sentence with the right number; what is the network's own variable has no line in a compose file."""
    async with waiting_beside(world, SSL_CERT_FILE="/nowhere/authority.pem") as here:
        text = (await here.client.get("/start")).text

    assert "1 setting is missing or wrong" in text
    assert "SSL_CERT_FILE" in text
    assert "Where do I set them?" not in text


async def test_a_look_finds_that_it_is_over(world: World) -> None:
    """A visitor who asks for a look wakes the program, and is told that it begins."""
    secret = world.folder / "key"
    async with waiting_beside(world, CLAUDE_API_KEY="", CLAUDE_API_KEY_FILE=str(secret)) as here:
        still = await here.client.post("/looks/doctor", data={})
        was_over = here.waiting.is_over
        secret.write_text("key")
        await here.client.post("/looks/doctor", data={})
        text = (await here.client.get("/start")).text

    assert (still.status_code, still.headers["location"]) == (303, "/start")
    assert not was_over
    assert here.woken.is_set()
    assert "All settings are there" in text
    assert "Almost there" not in text


async def test_a_form_of_a_stranger_does_nothing(world: World) -> None:
    """The same guard as for the daemon."""
    async with waiting_beside(world, CLAUDE_API_KEY="") as here:
        answered = await here.bare.post("/looks/doctor", data={})

    assert answered.status_code == 303
    assert "/login" in answered.headers["location"]
    assert not here.woken.is_set()


async def test_without_a_page_there_is_none(world: World) -> None:
    """WEB_LOGIN=off: a caller with the key finds out why, no other anything."""
    async with waiting_beside(world, CLAUDE_API_KEY="", WEB_LOGIN="off") as here:
        known, stranger = await here.client.get("/start"), await here.bare.get("/start")

    assert (known.status_code, stranger.status_code) == (503, 401)
    assert "CLAUDE_API_KEY" in known.json()["error"]
