"""A collection's threshold, moved by keyboard and copied; a prompt that is tried; the same without script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser import checks
from tests.browser.visiting import WIDTHS

if TYPE_CHECKING:
    from tests.browser.conftest import SignedIn

THRESHOLD = "/collections/film-noir/threshold"
PROMPT = "/collections/film-noir/prompt"


async def test_the_slider_by_keyboard(signed_in: SignedIn) -> None:
    """Arrow keys move it: the count is there at once, names and the line to copy once it rests, and the address."""
    async with signed_in.visiting(permissions=["clipboard-read", "clipboard-write"]) as visit:
        page = visit.page
        await page.goto(THRESHOLD)
        slider = page.get_by_role("slider", name="What if the threshold were")
        sentence = page.locator("#sentence")
        await expect(slider).to_be_visible()
        await expect(sentence).to_contain_text("as it is now")
        await slider.focus()
        for _ in range(4):
            await page.keyboard.press("ArrowRight")

        await expect(sentence).to_contain_text("would leave")
        await expect(sentence).to_contain_text("At 0.90:")
        await expect(slider).to_be_focused()
        assert (await slider.get_attribute("aria-valuetext") or "").startswith("0.90: ")
        await expect(page.get_by_label("the threshold were", exact=True)).to_have_value("0.90")
        await expect(page).to_have_url(re.compile("at=0.90"))
        await expect(page.get_by_role("region", name="Would leave").get_by_role("link").first).to_be_visible()
        await page.get_by_role("button", name="Copy the lines").click()
        await expect(page.get_by_text("Copied")).to_be_visible()
        assert await page.evaluate("navigator.clipboard.readText()") == "  # confidence_threshold: 0.9"
        assert await checks.faults(visit) == []


async def test_the_threshold_without_script(signed_in: SignedIn) -> None:
    """A field and a button do the same; the slider is not there."""
    async with signed_in.visiting(java_script_enabled=False) as visit:
        page = visit.page
        await page.goto(THRESHOLD)
        await page.get_by_label("the threshold were", exact=True).fill("0.9")
        await page.get_by_role("button", name="Show").click()

        await expect(page.locator("#sentence")).to_contain_text("At 0.90:")
        await expect(page.locator("#slide")).to_be_hidden()
        assert visit.complaints == []


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
async def test_a_prompt_is_tried(signed_in: SignedIn, *, script: bool) -> None:
    """Its cost comes first; then the trial, whose page asks by itself until there is a result."""
    async with signed_in.visiting(java_script_enabled=script) as visit:
        page = visit.page
        await page.goto(PROMPT)
        await page.get_by_label("Which movies belong").fill(f"Crime in a city at night, {script}.")
        await page.get_by_role("button", name="What would that cost?").click()
        await expect(page.get_by_role("heading", name="What a trial would cost")).to_be_visible()
        await page.get_by_role("button", name="Try it").click()

        await expect(page.get_by_role("heading", name="A prompt that was tried")).to_be_visible()
        await expect(page.get_by_text("A sample: no share of the library")).to_be_visible()
        assert visit.complaints == []
        address = page.url
    if not script:
        return
    for width in WIDTHS:
        async with signed_in.visiting(width=width) as visit:
            await visit.page.goto(address)
            assert await checks.faults(visit) == []
