"""Below a path, behind nginx that passes the path on and behind one that strips it: everything stays below the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
from playwright.async_api import expect

from tests.browser import programs
from tests.browser.conftest import PASSWORD, sign_in
from tests.browser.proxy import PREFIX, proxied
from tests.browser.visiting import visiting
from tests.daemon.living import KEY, daemon_process
from tests.run.world import World, block, movies
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Browser

    from tests.browser.proxy import Form

FORMS: tuple[Form, ...] = ("kept", "stripped")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Twelve movies, three of which are in a collection."""
    with World(tmp_path_factory.mktemp("world"), movies(12)) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(3))
        made.run()
        yield made


@pytest.fixture(scope="module")
def below(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Form, str]]:
    """A daemon with HTTP_URL_BASE, and its addresses behind either proxy."""
    program = programs.nginx()
    with daemon_process(world, HTTP_URL_BASE=PREFIX, WEB_PASSWORD=PASSWORD) as living:
        upstream = living.url
        with (
            proxied(program, upstream, tmp_path_factory.mktemp("kept"), "kept") as kept,
            proxied(program, upstream, tmp_path_factory.mktemp("stripped"), "stripped") as stripped,
        ):
            yield {"kept": kept, "stripped": stripped}


@pytest.mark.parametrize("form", FORMS)
async def test_pages_stay_below_their_path(browser: Browser, below: dict[Form, str], form: Form) -> None:
    """Redirects, forms, links, styles, scripts and posters: whatever the browser asks for is below the path."""
    async with visiting(browser, f"{below[form]}/") as visit:
        asked: list[str] = []
        visit.context.on("request", lambda request: asked.append(request.url))
        await visit.page.goto("collections/noir")
        assert visit.page.url.startswith(f"{below[form]}/login?next=")
        await sign_in(visit.page)
        await expect(visit.page).to_have_url(f"{below[form]}/collections/noir")
        await visit.page.get_by_role("link", name="Overview").click()
        await expect(visit.page).to_have_url(f"{below[form]}/")
        cookies = await visit.context.cookies()

        assert [url for url in asked if not url.startswith(f"{below[form]}/")] == []
        assert [cookie.get("path") for cookie in cookies] == [PREFIX]
        assert visit.complaints == []


@pytest.mark.parametrize("form", FORMS)
def test_events_are_not_held_back(world: World, below: dict[Form, str], form: Form) -> None:
    """An event comes through while the stream is open and the run goes on."""
    with (
        httpx2.Client(verify=PLAIN, headers={"X-Api-Key": KEY}, timeout=20) as client,
        client.stream("GET", f"{below[form]}/api/v1/events") as stream,
    ):
        lines = stream.iter_lines()
        with world.unanswered():
            begun = httpx2.post(f"{below[form]}/api/v1/runs", headers={"X-Api-Key": KEY}, json={"force_refresh": True})
            event = next(line for line in lines if line.startswith("event: "))
            status = client.get(f"{below[form]}/api/v1/status").json()
        last = next(line for line in lines if line == "event: ended")

    assert begun.status_code == 202
    assert event == "event: begun"
    assert status["status"] == "running"
    assert last
