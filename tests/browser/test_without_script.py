"""With script switched off: signing in, searching, and going through a list are links and forms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.conftest import sign_in
from tests.browser.visiting import visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.browser.conftest import Site


async def test_links_and_forms_do_it_all(browser: Browser, site: Site) -> None:
    """A form signs in and leads where one wanted to go; the next page of a list is a link, and the search a form."""
    async with visiting(browser, site.living.url, java_script_enabled=False) as visit:
        page = visit.page
        await page.goto("/collections/long-evenings?list=all")
        await sign_in(page)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Long Evenings")
        await page.get_by_role("navigation", name="Pages").get_by_role("link", name="Next").click()
        await expect(page).to_have_url(re.compile("page=2"))
        await page.get_by_label("Find a movie or show").fill("Casablanca")
        await page.get_by_label("Find a movie or show").press("Enter")
        await expect(page.locator("main")).to_contain_text("Casablanca")

        assert visit.complaints == []
