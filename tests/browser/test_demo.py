"""The demo that stays, clicked through: review and its undo, a run, and one taken back; without a key of anyone's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.conftest import sign_in
from tests.browser.visiting import visiting
from tests.cli.test_demo_page import served

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser


async def test_it_can_be_clicked_through(browser: Browser, tmp_path: Path) -> None:
    """An answer and its undo; a run of everything; and what the first run has added, taken back."""
    with served(tmp_path) as demo:
        async with visiting(browser, demo.url, width=1280) as visit:
            page = visit.page
            await page.goto("/")
            await sign_in(page, demo.password)

            await page.goto("/review")
            asked = page.locator("[data-card] h2 a")
            first = await asked.inner_text()
            await page.get_by_role("button", name="Belongs").click()
            await expect(asked).not_to_have_text(first)
            await page.get_by_role("button", name="Undo").click()
            await expect(asked).to_have_text(first)

            await page.goto("/")
            await page.get_by_role("link", name="Run now…").click()
            await page.get_by_role("button", name="Run", exact=True).click()
            await expect(page.locator(".runs li")).to_have_count(3)
            await expect(page.get_by_role("link", name="Run now…")).to_be_visible()

            await page.locator(".runs li a").last.click()
            await page.get_by_role("link", name="Take back…").click()
            await page.get_by_role("button", name="Look what would change").click()
            await expect(page.get_by_role("heading", name=re.compile("changes would be made"))).to_be_visible()
            await page.get_by_role("button", name=re.compile("Take [0-9]+ changes back")).click()
            await page.wait_for_url("**/?done=started")
            await expect(page.locator(".runs li").first).to_contain_text("took back")

            assert visit.complaints == []
        members = [collection["counts"]["members"] for collection in demo.ask("/api/v1/collections")["items"]]

    assert sum(members) <= len(members)
