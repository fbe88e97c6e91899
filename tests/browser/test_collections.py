"""Selecting in a collection's list: with the mouse, over several pages, by keyboard, and without script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import Dialog, Page

    from tests.browser.conftest import SignedIn

LIST = "/collections/long-evenings"
_TOO_LONG = """
() => [...document.querySelectorAll('.places .tile > :not(.why)')].filter(each => each.scrollWidth > each.clientWidth)
  .map(each => `${each.scrollWidth} px of ${each.clientWidth}: ${each.textContent}`)
"""


async def test_a_selection_survives_paging_and_is_pinned_and_taken_back(signed_in: SignedIn) -> None:
    """A click selects, Shift a range, Ctrl opens; the next page keeps what is selected; leaving asks; Undo restores."""
    async with signed_in.visiting() as visit:
        page = visit.page
        await page.goto(LIST)
        tiles = page.locator(".places .tile > a")
        await page.get_by_role("button", name="Select", exact=True).click()
        await tiles.nth(1).click()
        await tiles.nth(4).click(modifiers=["Shift"])
        await _expect_selected(page, 4)
        async with visit.context.expect_page() as opened:
            await tiles.nth(0).click(modifiers=["Control"])
        await (await opened.value).close()
        await _expect_selected(page, 4)

        await page.get_by_role("link", name="Page 2").click()
        await expect(page).to_have_url(re.compile(r"[?]page=2$"))
        await expect(page.locator("#list :focus")).to_have_count(1)
        await tiles.nth(0).click()
        await _expect_selected(page, 5)

        asked: list[str] = []

        async def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            await dialog.dismiss()

        page.on("dialog", stay)
        await page.get_by_role("link", name="Threshold", exact=True).click()
        await expect(page).to_have_url(re.compile(r"[?]page=2$"))
        assert asked == ["beforeunload"]

        await page.get_by_role("button", name="Pin out").click()
        await expect(page.locator(".notice.good")).to_contain_text("5 movies are pinned out now")
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".notice.good")).to_contain_text("5 movies are as before")
        await expect(page.locator("#choose")).to_be_hidden()
        assert visit.complaints == []


async def test_movies_are_selected_by_keyboard(signed_in: SignedIn) -> None:
    """The boxes that selecting brings are stops of the Tab key; the bar follows the list."""
    async with signed_in.visiting(width=360) as visit:
        page = visit.page
        await page.goto("/collections/film-noir")
        await page.get_by_role("button", name="Select", exact=True).focus()
        await page.keyboard.press("Enter")
        box = page.locator(".places .tile input").first
        await box.focus()
        await page.keyboard.press("Space")
        await _expect_selected(page, 1)
        await page.get_by_role("button", name="Release").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator(".notice.good")).to_contain_text("Nothing has changed")
        assert visit.complaints == []


async def test_where_a_pinned_movie_stands_fits_below_its_poster(signed_in: SignedIn) -> None:
    """On a phone "pinned out 0.65" is wider than a poster: it goes on in a second line, and covers no neighbour."""
    async with signed_in.visiting(width=360) as visit:
        page = visit.page
        await page.goto(f"{LIST}?list=all")
        await page.get_by_role("button", name="Select", exact=True).click()
        tiles = page.locator(".places .tile > a")
        await tiles.nth(0).click()
        await tiles.nth(2).click(modifiers=["Shift"])
        await page.get_by_role("button", name="Pin out").click()
        await expect(page.locator(".notice.good")).to_contain_text("3 movies are pinned out now")
        await expect(page.locator(".places .stand.pinned")).to_have_count(3)

        assert await page.evaluate(_TOO_LONG) == []

        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".notice.good")).to_contain_text("3 movies are as before")
        assert visit.complaints == []


async def test_without_script_boxes_and_buttons_do_the_same(signed_in: SignedIn) -> None:
    """In the table each row has a box; all of a list is chosen by a box, too."""
    async with signed_in.visiting(java_script_enabled=False) as visit:
        page = visit.page
        await page.goto("/collections/show:among-the-stars?view=table")
        await page.locator(".places .tick input").nth(0).check()
        await page.locator(".places .tick input").nth(2).check()
        await page.get_by_role("button", name="Pin in").click()
        await expect(page.locator(".notice.good")).to_contain_text("2 shows are pinned in now")
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator(".notice.good")).to_contain_text("2 shows are as before")
        await page.get_by_label("of this list").check()
        await page.get_by_role("button", name="Copy as include_shows").click()
        await expect(page.get_by_role("heading", name="To pin them in by the block")).to_be_visible()
        assert visit.complaints == []


async def _expect_selected(page: Page, count: int) -> None:
    await expect(page.locator("[data-selected]")).to_have_text(f"{count} selected")
