"""Runs in a browser: begun, watched with and without events, stopped, let through, taken back; also without script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import CollectionKey
from tests.browser import checks
from tests.browser.visiting import visiting
from tests.daemon.living import KEY, daemon_beside, until
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.browser.visiting import Visit
    from tests.daemon.living import Beside

AS_KEY = {"X-Api-Key": KEY}
HIDE = """is_hidden => {
    Object.defineProperty(document, 'hidden', {value: is_hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A hundred movies, sixty of them tagged, of which 41 are held back by the last run."""
    with World(tmp_path, movies(100), radarr_credits="false") as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(60))
        made.run()
        made.believe("Noir", range(41), 0.1)
        made.run(force_refresh=True)
        yield made


@pytest.fixture
async def here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test."""
    async with daemon_beside(world) as made:
        yield made


def window(browser: Browser, here: Beside, **more: Any) -> AbstractAsyncContextManager[Visit]:
    """A window onto the daemon's page, let in by the key."""
    return visiting(browser, str(here.client.base_url), extra_http_headers=AS_KEY, **more)


async def last_run(here: Beside) -> str:
    """The id of the last run."""
    return (await here.daemon.views.past_runs())[-1].run_id


async def test_a_run_is_begun_watched_and_stopped(browser: Browser, here: Beside, world: World) -> None:
    """The dialog, the panel that follows the events, Stop with what stays, and the list once it has ended."""
    world.claude.latency = 40.0
    async with window(browser, here) as visit:
        page = visit.page
        await page.goto("/")
        await page.get_by_role("link", name="Run now…").click()
        await expect(page.get_by_role("dialog", name="Run now")).to_be_visible()
        await expect(page.get_by_role("link", name="Not now")).to_be_focused()
        await page.get_by_label("Only some collections").check()
        await page.get_by_label("Noir").check()
        await expect(page.locator("[data-forecast]")).to_have_text("Nothing is open: nothing will be asked.")
        await page.keyboard.press("Escape")
        await here.client.post("/api/v1/runs", json={"force_refresh": True})
        await expect(page.locator("[data-live]")).to_contain_text("0 of 100 questions")
        await expect(page.locator("#going")).to_contain_text("Running 0 %")
        await expect(page.locator("[data-progress-said]")).to_have_text("Asking the model")
        await expect(page.get_by_role("button", name="Run now…")).to_be_disabled()
        assert await checks.barriers(page) == []
        await page.get_by_role("link", name="its page").click()
        await expect(page.locator("[data-steps]")).to_contain_text("Asking the model")
        await expect(page.get_by_role("link", name="its page")).to_be_hidden()
        await page.go_back()
        await page.get_by_role("link", name="Stop…").click()
        await expect(page.get_by_role("link", name="Let it go on")).to_be_focused()
        await page.get_by_role("button", name="Stop it").click()
        await expect(page.locator("[data-live]")).to_contain_text("stopping")
        await expect(page.locator(".runs li").first).to_contain_text("interrupted")
        await expect(page.locator("[data-progress-said]")).to_have_text("The run has ended: interrupted.")
        await expect(page.locator("#going")).to_be_hidden()
        await expect(page.get_by_role("link", name="Run now…")).to_be_visible()

        assert visit.complaints == []


async def test_a_run_is_watched_without_events(browser: Browser, here: Beside, world: World) -> None:
    """Where a proxy lets no event through, the page asks; also on other pages, in the bar at the top."""
    async with window(browser, here) as visit:
        page = visit.page
        await page.clock.install()
        await page.route("**/api/v1/events", lambda route: route.abort())
        await page.goto("/runs")
        with world.unanswered():
            await here.client.post("/api/v1/runs", json={"force_refresh": True, "dry_run": True})
            await page.clock.fast_forward(11_000)
            await page.clock.resume()
            await expect(page.locator("#going")).to_contain_text("Running")
            await expect(page.locator("[data-live]")).to_contain_text("A dry run is on")
        await here.daemon.runs.ended()
        await page.clock.fast_forward(11_000)
        await expect(page.locator("#going")).to_be_hidden()
        await expect(page.locator(".runs li").first).to_contain_text("dry run")

        assert visit.forgive("/api/v1/events", "ERR_FAILED") == visit.complaints or visit.complaints == []


async def test_a_page_that_nobody_looks_at_has_no_stream(browser: Browser, here: Beside) -> None:
    """Browsers allow six connections to a host. Back again, it shows what has come meanwhile."""
    async with window(browser, here) as visit:
        await visit.page.goto("/")
        await until(lambda: here.watchers.count == 1)
        await visit.page.evaluate(HIDE, arg=True)
        await until(lambda: here.watchers.count == 0)
        await here.run(dry_run=True)
        await visit.page.evaluate(HIDE, arg=False)
        await expect(visit.page.locator(".runs li").first).to_contain_text("dry run")
        await until(lambda: here.watchers.count == 1)

        assert visit.complaints == []


async def test_held_back_removals_are_let_through(browser: Browser, here: Beside, world: World) -> None:
    """The number on the button follows the boxes; the dialog says it again; exactly those are taken out."""
    async with window(browser, here, width=360) as visit:
        page = visit.page
        await page.goto(f"/runs/{await last_run(here)}")
        await expect(page.get_by_role("link", name="Let the 41 ticked through…")).to_be_visible()
        await page.get_by_role("button", name="Tick none").click()
        await page.get_by_label("Movie 0 (1950)").check()
        await page.get_by_label("Movie 1 (1951)").check()
        await page.get_by_role("link", name="Let the 2 ticked through…").click()
        await expect(page.get_by_role("dialog")).to_contain_text("Take 2 titles out of Noir?")
        await page.get_by_role("button", name="Let them through").click()
        await page.wait_for_url("**/?done=started")
        await here.daemon.runs.ended()
        await expect(page.locator(".runs li").first).to_contain_text("2 removed")

        assert world.numbers("kai-noir") == set(range(2, 60))
        assert visit.complaints == []


async def test_the_count_to_review_follows_a_run(browser: Browser, here: Beside) -> None:
    """It is the same in the navigation as on the page when a run has ended, without loading anew."""
    async with window(browser, here) as visit:
        page = visit.page
        await page.goto("/")
        await expect(page.locator("[data-review-count]").first).to_have_text("41 to review")
        await here.daemon.choosing.pin(CollectionKey("noir"), movie_key(1000), include=True, by="", origin="page")
        await here.run()
        await expect(page.get_by_role("region", name="Needs you")).to_contain_text("40 cases to review.")
        await expect(page.locator("[data-review-count]").first).to_have_text("40 to review")

        assert visit.complaints == []


async def test_a_run_is_taken_back_by_keyboard(browser: Browser, here: Beside, world: World) -> None:
    """Look first, then the button with the number; without a mouse."""
    first = (await here.daemon.views.past_runs())[0].run_id
    async with window(browser, here) as visit:
        page = visit.page
        await page.goto(f"/runs/{first}")
        await page.get_by_role("link", name="Take back…").press("Enter")
        await page.get_by_role("button", name="Look what would change").press("Enter")
        await expect(page.get_by_role("heading", name="60 changes would be made")).to_be_focused()
        await page.get_by_role("button", name="Take 60 changes back").press("Enter")
        await page.wait_for_url("**/?done=started")
        await here.daemon.runs.ended()
        await expect(page.locator(".runs li").first).to_contain_text("took back")

        assert world.numbers("kai-noir") == set()
        assert visit.complaints == []


async def test_a_run_without_script(browser: Browser, here: Beside, world: World) -> None:
    """The dialog is a part of the page, its form does what it does, and the page asks again while the run is on."""
    async with window(browser, here, java_script_enabled=False) as visit:
        page = visit.page
        await page.goto("/")
        await page.get_by_role("link", name="Run now…").click()
        await page.get_by_label("Dry run").check()
        with world.unanswered():
            await page.get_by_role("button", name="Run").click()
            await expect(page.locator("[data-live]")).to_contain_text("A dry run is on")
        await here.daemon.runs.ended()
        await expect(page.locator(".runs li").first).to_contain_text("dry run")

        assert visit.complaints == []
