"""Review in a browser: answers by keys that arrive in order and once, undo, a server that refuses, and no script."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from kometa_ai.core.choice import Choices
from kometa_ai.state.choices import ChoicesFile
from tests.browser import checks, programs
from tests.browser.conftest import PASSWORD, SignedIn, Site, sign_in
from tests.browser.visiting import PATIENCE, visiting
from tests.daemon.living import daemon_process
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from playwright.async_api import Browser, Page, Request, Route

    from kometa_ai.core.choice import Answered
    from tests.browser.visiting import Visit

COUNT = 45
QUEUE = [f"movie:{1000 + number}" for number in range(COUNT)]
"""The queue of the site: all as near to the threshold, so in order of their ids."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Forty-five close calls of one collection."""
    programs.chromium()
    plot = "A long story, told slowly. " * 30
    seeds = [replace(seed, overview=plot) for seed in movies(COUNT)]
    with World(tmp_path_factory.mktemp("review"), seeds, radarr_credits=False) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(COUNT), 0.75)
        made.run()
        yield made


@pytest.fixture(scope="module")
async def here(browser: Browser, world: World) -> AsyncIterator[SignedIn]:
    """A user who has signed in to a daemon with that queue."""
    with daemon_process(world, WEB_PASSWORD=PASSWORD) as living:
        async with visiting(browser, living.url) as visit:
            await visit.page.goto("/login")
            await sign_in(visit.page)
            cookies = await visit.context.storage_state()
        yield SignedIn(browser, Site(world, living), cookies)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _afresh(world: World) -> None:
    """Nothing is chosen yet."""
    ChoicesFile(world.state_dir).change(lambda _: Choices())


def answers(world: World) -> Sequence[Answered]:
    """The answers that were kept, in their order."""
    return ChoicesFile(world.state_dir).read().answers


async def opened(visit: Visit, path: str = "/review") -> Page:
    """The page, once its keys act."""
    await visit.page.goto(path)
    await expect(visit.page.locator("#desk[data-is-ready]")).to_be_visible()
    return visit.page


async def decided(page: Page, count: int) -> None:
    """Wait until so many are decided, and all answers were sent."""
    await expect(page.locator("[data-decided-count]")).to_have_text(str(count))
    async with asyncio.timeout(PATIENCE / 1000):
        while await page.evaluate("sessionStorage.getItem('kometa-ai-answers')") is not None:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)


async def test_answers_in_quick_succession_arrive_in_order_and_once(here: SignedIn, world: World) -> None:
    """One request at a time, those behind it joined; also where keys are faster than the server."""
    under_way, most, sent = 0, 0, 0

    async def slow(route: Route) -> None:
        nonlocal under_way, most, sent
        under_way, sent = under_way + 1, sent + 1
        most = max(most, under_way)
        await asyncio.sleep(0.1)
        await route.continue_()

    def ended(request: Request) -> None:
        nonlocal under_way
        under_way -= request.url.endswith("/review/answers")

    async with here.visiting() as visit:
        page = await opened(visit)
        await page.route("**/api/v1/review/answers", slow)
        page.on("requestfinished", ended)
        pressed = 0
        while pressed < 25:
            await expect(page.locator("[data-card]")).to_be_visible()
            await page.keyboard.press("yn"[pressed % 2])
            pressed += 1
        await decided(page, 25)
        assert visit.complaints == []

    kept = answers(world)
    assert [each.key for each in kept] == QUEUE[:25]
    assert [each.reply for each in kept] == ["in" if place % 2 == 0 else "out" for place in range(25)]
    assert len({each.id for each in kept}) == 25
    assert (most, 1 <= sent < 25) == (1, True)


@pytest.mark.parametrize(("width", "height"), [(360, 640), (390, 664), (412, 732)])
async def test_a_phone_shows_at_once_what_is_needed_to_answer(here: SignedIn, width: int, height: int) -> None:
    """Title, question, verdict with its reason, and the answers stand on the first screen, none over another."""
    async with here.visiting(width=width) as visit:
        await visit.page.set_viewport_size({"width": width, "height": height})
        page = await opened(visit)
        covered = await page.evaluate(
            """() => {
              const wanted = ['.card h2 a', '.card .question', '.verdict .pill', '.verdict blockquote',
                '#answers .yes', '#answers .no', '#answers [value=leave]', '#answers [data-skip]'];
              return wanted.filter(each => {
                const found = document.querySelector(each), at = found.getBoundingClientRect();
                const x = (at.left + at.right) / 2;
                return [at.top + 2, at.bottom - 2].some(y => !found.contains(document.elementFromPoint(x, y)));
              });
            }"""
        )

    assert covered == []


async def test_the_numbers_of_the_drop_downs_go_with_the_answers(here: SignedIn, world: World) -> None:
    """Each answer is one less of its kind and collection, and one that is taken back one more; also of all of them.

    What the button for the whole part says and sends goes along, so that it is not refused.
    """

    async def numbers(page: Page) -> list[str]:
        return await page.locator("[data-filter] option").all_inner_texts()

    async with here.visiting() as visit:
        page = await opened(visit, "/review?kind=close+call")
        assert await numbers(page) == ["All kinds · 45", "Close calls · 45", "All collections · 45", "Noir · 45"]
        for key in "yns":
            await page.keyboard.press(key)
        assert await numbers(page) == ["All kinds · 43", "Close calls · 43", "All collections · 43", "Noir · 43"]
        await page.keyboard.press("u")
        await decided(page, 1)
        assert await numbers(page) == ["All kinds · 44", "Close calls · 44", "All collections · 44", "Noir · 44"]
        await page.reload()
        await expect(page.locator("#desk[data-is-ready]")).to_be_visible()
        await page.keyboard.press("u")
        await expect(page.locator("[data-filter] option").first).to_have_text("All kinds · 45")
        await page.keyboard.press("y")
        await page.get_by_role("button", name="Leave all 44 close calls to the model").click()
        await expect(page.locator("main")).to_contain_text("Left to the model.")
        assert visit.complaints == []
    assert len(answers(world)) == COUNT


async def test_all_keys(here: SignedIn, world: World) -> None:
    """Looking answers nothing, skipping says nothing, undo takes back what was sent and what was not."""
    async with here.visiting() as visit:
        page = await opened(visit)
        title, press = page.locator("[data-card] h2 a"), page.keyboard.press
        await expect(title).to_have_text("Movie 0")
        for key, number in (("j", 1), ("ArrowRight", 2), ("k", 1), ("ArrowLeft", 0), ("s", 1), ("d", 2), ("n", 3)):
            await press(key)
            await expect(title).to_have_text(f"Movie {number}")
        await press("u")
        await expect(title).to_have_text("Movie 2")
        await decided(page, 1)
        await expect(page.locator("[data-more]")).to_be_visible()
        await press(" ")
        await expect(page.locator("[data-plot].short")).to_have_count(0)
        await press("?")
        await press("y")
        await expect(page.locator("dialog#keys")).to_be_visible()
        await press("Escape")
        await decided(page, 1)
        await press("u")
        await expect(title).to_have_text("Movie 1")
        await decided(page, 0)
        assert answers(world) == ()
        await page.locator("#keys [data-single-keys]").evaluate("box => box.click()")
        await press("y")
        await page.get_by_role("button", name="Does not").focus()
        await press("Enter")
        await decided(page, 1)
        assert [each.reply for each in answers(world)] == ["out"]
        assert visit.complaints == []


async def test_a_bulk_is_taken_back_as_a_whole(here: SignedIn, world: World) -> None:
    """By the key, from the cards, after a grid was answered with one poster moved over."""
    async with here.visiting(width=800) as visit:
        await visit.page.goto("/review?view=grid")
        page = visit.page
        await expect(page.locator('[data-side="in"] [data-tile]')).to_have_count(24)
        await page.locator("[data-tile] .movable").nth(2).click()
        await expect(page.locator('[data-side="out"] [data-tile]')).to_have_count(1)
        await page.get_by_role("button", name="Answer these 24 as shown").click()
        await expect(page.get_by_text("Kept, as they were shown.")).to_be_visible()
        assert [each.key for each in answers(world) if each.reply == "out"] == [QUEUE[2]]
        assert len(answers(world)) == 24
        await page.get_by_role("link", name="One by one").click()
        await expect(page.locator("#desk[data-is-ready]")).to_be_visible()
        await page.keyboard.press("y")
        await page.keyboard.press("u")
        await page.keyboard.press("u")
        await expect(page.get_by_text("Taken back.").last).to_be_visible()
        await expect(page.locator("[data-decided-count]")).to_have_text("0")
        assert answers(world) == ()
        assert visit.complaints == []


async def test_a_server_that_refuses(here: SignedIn, world: World) -> None:
    """What has changed comes back with why; a server that cannot keep it is asked again, and a lost one, too."""
    refusals: list[Any] = ["changed", 503, None]

    async def refuse(route: Route) -> None:
        refusal = refusals.pop(0) if refusals else "through"
        if refusal == "changed":
            ids = [each["id"] for each in route.request.post_data_json or ()]
            await route.fulfill(status=409, json={"results": [{"id": each, "result": "changed"} for each in ids]})
        elif refusal == 503:
            await route.fulfill(status=503, json={"error": "The choice cannot be kept.", "remedy": ""})
        elif refusal is None:
            await route.abort()
        else:
            await route.continue_()

    async with here.visiting() as visit:
        page = await opened(visit)
        await page.route("**/api/v1/review/answers", refuse)
        await page.keyboard.press("y")
        await expect(
            page.get_by_text("Not kept: Movie 0 (1950), Noir has changed since you saw it.").last
        ).to_be_visible()
        await expect(page.locator("[data-card] h2 a")).to_have_text("Movie 0")
        await decided(page, 0)
        await page.keyboard.press("n")
        await expect(page.locator("[data-told]")).to_contain_text("The choice cannot be kept.")
        await expect(page.locator("[data-told]")).to_contain_text("1 answer waits to be kept.")
        await page.keyboard.press("n")
        await decided(page, 2)
        await expect(page.locator("[data-told]")).to_be_hidden()
        assert [each.key for each in answers(world)] == QUEUE[:2]
        assert len(visit.forgive("409", "503", "ERR_FAILED")) > 0
        assert visit.complaints == []


async def test_what_is_not_sent_yet_survives_a_reload(here: SignedIn, world: World) -> None:
    """And the browser asks before it leaves."""
    asked: list[str] = []
    is_lost = True

    async def leave(dialog: Any) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    async def lose(route: Route) -> None:
        await (route.abort() if is_lost else route.continue_())

    async with here.visiting() as visit:
        # Before the page is there: an open page is given another way to the network, and a request may fall between.
        await visit.page.route("**/api/v1/review/answers", lose)
        page = await opened(visit)
        page.on("dialog", leave)
        await page.keyboard.press("y")
        # The page gives a request that hangs thirty seconds before it counts as lost.
        await expect(page.locator("[data-told]")).to_contain_text("1 answer waits to be kept.", timeout=45_000)
        await page.reload()
        await expect(page.locator("[data-card] h2 a")).to_have_text("Movie 1")
        # Only now: an answer that was kept before would be nothing to ask about.
        is_lost = False
        await decided(page, 1)
        assert [each.key for each in answers(world)] == QUEUE[:1]
        assert asked == ["beforeunload"]
        await page.keyboard.press("u")
        await expect(page.locator("[data-card] h2 a")).to_have_text("Movie 0")
        await decided(page, 0)
        visit.forgive("ERR_FAILED")
        assert visit.complaints == []


async def test_a_sign_in_that_has_ended_loses_nothing(here: SignedIn, world: World) -> None:
    """The page says so, and sends what waits once the user has signed in again."""
    async with here.visiting() as visit:
        page = await opened(visit)
        await visit.context.clear_cookies()
        await page.keyboard.press("y")
        await page.keyboard.press("n")
        await expect(page.locator("[data-told]")).to_contain_text("You are not signed in any more.")
        await page.get_by_role("link", name="Open it anew").click()
        await sign_in(page)
        await expect(page.locator("[data-card] h2 a")).to_have_text("Movie 2")
        await decided(page, 2)
        assert [each.key for each in answers(world)] == QUEUE[:2]
        visit.forgive("401")
        assert visit.complaints == []


async def test_the_end_says_what_was_decided(here: SignedIn, world: World) -> None:
    """With a run for exactly those movies that were pinned, and what was skipped."""
    async with here.visiting() as visit:
        page = await opened(visit)
        for number in range(COUNT):
            await expect(page.locator("[data-card]")).to_be_visible()
            await page.keyboard.press("s" if number == 1 else "d" if number else "y")
        await expect(
            page.get_by_role("heading", name=f"{COUNT - 1} decided: 1 in, 0 out, {COUNT - 2} left")
        ).to_be_focused()
        await expect(page.get_by_text("1 card skipped.")).to_be_visible()
        await expect(page.get_by_role("button", name="Run for this one")).to_be_visible()
        await expect(page.get_by_text("Asks nothing, costs nothing.")).to_be_visible()
        assert len(answers(world)) == COUNT - 1
        assert await checks.faults(visit) == []


async def test_the_end_on_a_phone(here: SignedIn) -> None:
    """The button that starts the run is whole within 360 pixels."""
    async with here.visiting(width=360) as visit:
        page = await opened(visit)
        for _ in range(COUNT):
            await expect(page.locator("[data-card]")).to_be_visible()
            await page.keyboard.press("y")
        button = page.get_by_role("button", name=f"Run for these {COUNT}")
        await expect(button).to_be_visible()
        box = await button.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 360
        assert await checks.faults(visit) == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_on_a_phone(here: SignedIn, world: World, scheme: Any) -> None:
    """The answers are within reach of a thumb, and all that is on the page can be read."""
    async with here.visiting(width=360, scheme=scheme) as visit:
        page = await opened(visit)
        for name in ("Belongs", "Does not", "Leave it", "Undo"):
            box = await page.get_by_role("button", name=name).bounding_box()
            assert box
            assert box["height"] >= 44
            assert box["y"] > 560
        await page.get_by_role("button", name="Belongs").tap()
        await decided(page, 1)
        assert [each.reply for each in answers(world)] == ["in"]
        assert await checks.faults(visit) == []


async def test_without_script(here: SignedIn, world: World) -> None:
    """Each answer is a form, skipping and undoing, too; the grid is boxes to tick."""
    async with here.visiting(java_script_enabled=False) as visit:
        page = visit.page
        await page.goto("/review")
        title = page.locator("[data-card] h2 a")
        await page.get_by_role("button", name="Belongs").click()
        await expect(title).to_have_text("Movie 1")
        await page.locator("[data-skip]").click()
        await expect(title).to_have_text("Movie 2")
        await page.get_by_role("button", name="Does not").click()
        await expect(title).to_have_text("Movie 3")
        await page.get_by_role("button", name="Undo").click()
        await expect(title).to_have_text("Movie 2")
        await page.get_by_role("link", name="Grid").click()
        await page.locator("[data-tile] .movable").first.click()
        await page.get_by_role("button", name=re.compile("Answer these 24")).click()
        await expect(page.get_by_text("Kept, as they were shown.")).to_be_visible()
        assert [each.reply for each in answers(world)] == ["in", "out", *["in"] * 23]
        assert visit.complaints == []
