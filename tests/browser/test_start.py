"""From the first look to the first real run, in a browser; copying without a clipboard; the page that waits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser import checks
from tests.browser.conftest import PASSWORD
from tests.browser.visiting import WIDTHS, visiting
from tests.cli.test_waiting import waiting_process
from tests.daemon.living import daemon_process
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.browser.visiting import Visit

LONG = 40_000
"""Milliseconds for what may take seconds by itself: a look that imports the SDK, a run."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A library of twelve movies, of which three are noir, before the first run."""
    with World(tmp_path, movies(12)) as made:
        made.collections(block("Noir") + "    radarr_taglist: kai-noir\n    show_missing: false\n")
        (made.kometa / "config.yml").write_text("libraries: {}\n")
        made.believe("Noir", range(3))
        yield made


async def sign_in(visit: Visit, path: str = "/") -> None:
    """Sign in, and go on to a page."""
    await visit.page.goto(path)
    await visit.page.get_by_label("Password").fill(PASSWORD)
    await visit.page.get_by_role("button", name="Sign in").click()
    await expect(visit.page.get_by_role("heading", level=1)).not_to_have_text("Sign in")


@pytest.mark.parametrize("has_script", [True, False])
async def test_from_the_first_look_to_the_first_run(browser: Browser, world: World, *, has_script: bool) -> None:
    """It looks by itself where script is on; forecast, dry run and real run follow, each a press of a button."""
    with daemon_process(world, WEB_PASSWORD=PASSWORD, HTTP_API_KEY="0123456789abcdef0123456789abcdef") as living:
        async with visiting(browser, living.url, java_script_enabled=has_script) as visit:
            page = visit.page
            await sign_in(visit)
            assert page.url.endswith("/start")
            if not has_script:
                await page.get_by_role("button", name="Look now").click()
            await expect(page.locator("#step-kometa-s-folder")).to_contain_text("1 collection takes part", timeout=LONG)
            await page.get_by_role("button", name="What would a run cost?").click()
            await expect(page.locator("#step-forecast dl")).to_contain_text("12", timeout=LONG)
            # To the overview, or, where it has ended already, back to here.
            async with page.expect_navigation(timeout=LONG):
                await page.get_by_role("button", name="Dry run").click()
            await visit.go("/start")
            await expect(page.get_by_role("button", name="Make the 3 changes shown")).to_be_visible(timeout=LONG)
            assert world.numbers("kai-noir") == set()
            faults = await checks.faults(visit) if has_script else []
            await page.get_by_role("button", name="Make the 3 changes shown").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text("Overview", timeout=LONG)
            await visit.go("/start")
            await expect(page.locator("#step-for-real")).to_contain_text("ended well", timeout=LONG)

        assert faults == []
        assert visit.complaints == []
    assert world.numbers("kai-noir") == {0, 1, 2}


async def test_lines_are_copied_also_without_a_clipboard(browser: Browser, world: World) -> None:
    """Over plain HTTP browsers give a page no clipboard: the lines are selected and copied all the same."""
    (world.kometa / "movies.yml").write_text("collections: {}\n")
    with daemon_process(world, WEB_PASSWORD=PASSWORD) as living:
        async with visiting(browser, living.url) as visit:
            await visit.context.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
            await sign_in(visit, "/start")
            step = visit.page.locator("#step-kometa-s-folder")
            await step.get_by_role("button", name="Copy the sample for movies").click(timeout=LONG)
            await expect(step.get_by_role("button", name="Copy the sample for movies")).to_contain_text("Copied")
            search = visit.page.get_by_role("searchbox", name="Find a movie or show")
            await search.focus()
            await visit.page.keyboard.press("Control+v")

            await expect(search).to_have_value(re.compile("KOMETA-AI"))


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_page_that_waits_is_for_everybody(browser: Browser, world: World, width: int) -> None:
    """What is missing can be read by all, and copied; once it is there, the page is the real one by itself."""
    secret = world.folder / "claude_key"
    changed = {"CLAUDE_API_KEY": "", "CLAUDE_API_KEY_FILE": str(secret), "WEB_PASSWORD": PASSWORD}
    with waiting_process(world, **changed) as living:
        async with visiting(browser, living.url, width=width) as visit:
            await sign_in(visit)
            await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Almost there")
            # /health says 503 as long as it waits, and the page looks there.
            visit.forgive("503")
            faults = await checks.faults(visit)
            secret.write_text("key")
            await visit.page.get_by_role("button", name="Look again").click()
            await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Check", timeout=LONG)

    assert faults == []
