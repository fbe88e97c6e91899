"""The page of a collection's prompt: what it was, another one to try, and what a trial has found."""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING

import pytest

from kometa_ai.daemon.life import Paces
from kometa_ai.standins import claude_faults
from kometa_ai.standins.faults import answer
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store
from tests.daemon.living import daemon_beside
from tests.run.libraries import Home, shows
from tests.run.world import FOREVER, World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.daemon.living import Beside

PAGE = "/collections/noir/prompt"
PATIENCE = 60.0
HOSTILE = {
    "markup": '</textarea></code><script>alert(1)</script> & "quoted" <b>bold</b>',
    "bidi": "left \u202eright\u202c to left",
    "emoji": "👩‍👩‍👧 🎬 noir",
    "long": "dark and old " * 640,
    "lines": "one\n\n\ntwo\n  three",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Thirty movies, judged with two prompts: four are in, one more was by the first."""
    with World(tmp_path, movies(30)) as made:
        made.collections(block("Noir", "Dark films of old."))
        made.believe("Noir", range(5))
        made.run()
        made.believe("Noir", [4], 0.1)
        made.collections(block("Noir", "Dark films of the city."))
        made.run()
        made.claude.forget()
        yield made


@pytest.fixture
async def here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test."""
    async with daemon_beside(world, Paces(hints_quiet=0.2)) as made:
        yield made


def _text(source: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source)).split())


async def _html(here: Beside, path: str = PAGE, status: int = 200) -> str:
    found = await here.client.get(path, headers={"Accept": "text/html"})
    assert found.status_code == status, found.text
    return found.text


async def _page(here: Beside, path: str = PAGE, status: int = 200) -> str:
    return _text(await _html(here, path, status))


async def _post(here: Beside, prompt: str, status: int = 303, page: str = PAGE, **more: str) -> str:
    """Send the form; the path that it leads to, or the page that it answers with."""
    found = await here.client.post(page, data={"prompt": prompt, **more}, headers={"Accept": "text/html"})
    assert found.status_code == status, found.text
    return found.headers["location"] if status == 303 else found.text


async def _ended(here: Beside, path: str) -> str:
    """The page of a trial once it has ended."""
    async with asyncio.timeout(PATIENCE):
        while "under way" in (await here.client.get(f"/api/v1{path}")).json()["outcome"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return await _html(here, path)


def _typed(source: str) -> str:
    """What stands in the form's field."""
    found = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", source, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


async def test_the_history(world: World, here: Beside) -> None:
    """The present prompt, how it differs by words from the one before, and what its first run has changed."""
    shown = await _html(here)
    text = _text(shown)

    assert '<p class="prompt-text">Dark films of the city.</p>' in shown
    assert "Dark films of <del>old</del><ins>the city</ins>." in shown
    assert text.count("The first run with it : +0 \N{MINUS SIGN}1") == 2
    assert "The first run with it : +5 \N{MINUS SIGN}0" in text
    assert "Dark films of old." in text
    assert _typed(shown) == "Dark films of the city."
    assert not world.claude.requests


async def test_an_edit_that_no_run_has_read(world: World, here: Beside) -> None:
    """It is shown as what the next run reads."""
    world.collections(block("Noir", "Dark films of the town."))

    shown = await _html(here)

    assert "From the next run on" in shown
    assert "Dark films of the <del>city</del><ins>town</ins>." in shown
    assert "asks about each movie anew" in shown


async def test_before_the_first_run(tmp_path: Path) -> None:
    """Nothing is known but the prompt itself."""
    with World(tmp_path, movies(3)) as fresh:
        fresh.collections(block("Noir", "Dark."))
        async with daemon_beside(fresh) as here:
            text = await _page(here)

    assert "As it is" in text
    assert "The next run reads it for the first time" in text
    assert "History" not in text


async def test_a_forecast(world: World, here: Beside) -> None:
    """It costs nothing, says what a trial and the library would cost, and offers the trial with a limit."""
    with StateLock(world.state_dir):  # also while a run is on
        path = await _post(here, "Crime at\r\nnight.", do="forecast")
        shown = await _ended(here, path)
    text = _text(shown)

    assert "What a trial would cost" in text
    assert re.search(r"The sample: 4 members, (\d+ near, )?\d+ others", text)
    assert "the whole library then, 30 questions" in text
    assert 'name="max_cost_usd" type="number" min="0.01"' in shown
    assert '<input type="hidden" name="prompt" value="Crime at\nnight.">' in shown
    assert not world.claude.requests
    assert path in await _html(here)


async def test_a_trial(world: World, here: Beside) -> None:
    """Who would leave comes first, with why; how the groups fared; the lines to copy. Nothing is decided by it."""
    before = dict(Store.load(world.state_dir, read_only=True).memory)
    world.believe("Noir", [0, 1], 0.2)
    world.reason = "no <city> \u202eat the centre"

    path = await _post(here, "Crime at night.", do="try", max_cost_usd="0,5")
    shown = await _ended(here, path)
    text = _text(shown)

    assert "2 of 4 members would leave, " in text
    assert "; 28 of 30 as before." in text
    assert "A sample: no share of the library is derived from it. Nothing was decided." in text
    assert shown.index("Movie 0<") < shown.index("28 movies as before") < shown.index("Movie 2<")
    assert "no &lt;city&gt; at the centre" in shown
    assert "In place of lines 4 to 5 of movies.yml:" in text
    assert "  #   Crime at night." in shown
    assert "of at most $0.50" in text
    assert "cost " in text
    assert dict(Store.load(world.state_dir, read_only=True).memory) == before
    listed = await _page(here)
    assert "2 of 4 members would leave" in listed


async def test_the_present_prompt(here: Beside) -> None:
    """Tried as it is, there is nothing to write."""
    shown = await _ended(here, await _post(here, "Dark films of the city.", do="try", max_cost_usd="1"))

    assert "It is the present prompt, so there is nothing to write." in shown
    assert "0 of 4 members would leave" in shown


async def test_a_whole_block(world: World, here: Beside) -> None:
    """A block with its markers is tried with its threshold, which the result names."""
    text = (
        "# === KOMETA-AI ===\n# enabled: true\n# prompt: Crime.\n# confidence_threshold: 0.9\n# === END KOMETA-AI ==="
    )

    shown = await _ended(here, await _post(here, text, do="try"))

    assert "Judged at the threshold 0.90 of the block that was tried (now 0.70)." in shown
    assert "The prompt of the block that was given" in shown
    assert world.claude.requests


async def test_under_way(world: World, here: Beside) -> None:
    """The page asks again by itself, with script and without; one more trial waits, and keeps what was typed."""
    with world.unanswered():
        path = await _post(here, "Crime at night.", do="try", max_cost_usd="1")
        shown = await _html(here, path)
        refused = await _post(here, "Another <one>.", 409, do="try", max_cost_usd="0.10")
        listed = await _page(here)

    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in shown
    assert f'hx-get="{path}" hx-trigger="every 2s" hx-select="#trial"' in shown
    assert "Another prompt is being tried" in refused
    assert _typed(refused) == "Another <one>."
    assert 'value="0.10"' in refused
    assert "under way" in listed
    ended = await _ended(here, path)
    assert "hx-trigger" not in ended
    assert "http-equiv" not in ended


async def test_while_a_run_is_on(world: World, here: Beside) -> None:
    """It is refused with why, and the form stays as it was filled in. Once the run is over, it can be sent again."""
    with StateLock(world.state_dir):
        refused = await _post(here, "Crime at night.", 409, do="try", max_cost_usd="0.10")

    assert "run is in progress" in refused
    assert _typed(refused) == "Crime at night."
    assert 'name="do" value="try"' in refused
    await _ended(here, await _post(here, "Crime at night.", do="try", max_cost_usd="0.10"))
    assert world.claude.requests


async def test_a_run_disables_the_trial(world: World, here: Beside) -> None:
    """On the page of a forecast the button says that a run is on."""
    path = await _post(here, "Crime at night.", do="forecast")
    await _ended(here, path)
    world.collections(block("Noir", "Now another."))
    with world.unanswered():
        await here.client.post("/api/v1/runs")
        shown = await _html(here, path)
    await here.daemon.runs.ended()

    assert "A run is on: when it has ended, this can be tried." in shown


@pytest.mark.parametrize(
    ("prompt", "more", "why"),
    [
        ("", {"do": "forecast"}, "the text is empty"),
        ("  ", {"do": "try"}, "the text is empty"),
        ("x" * 20_001, {"do": "forecast"}, "20,001 characters"),
        ("# === KOMETA-AI ===", {"do": "forecast"}, "not one whole block"),
        ("Crime.", {"do": "try", "max_cost_usd": "-1"}, "The limit is no amount."),
        ("Crime.", {"do": "try", "max_cost_usd": "0"}, "The limit is no amount."),
        ("Crime.", {"do": "try", "max_cost_usd": "much"}, "The limit is no amount."),
        ("Crime.", {"do": "try", "max_cost_usd": "inf"}, "The limit is no amount."),
    ],
)
async def test_what_cannot_be_tried(world: World, here: Beside, prompt: str, more: dict[str, str], why: str) -> None:
    """Each is refused before anything begins, in place, with the form as it was filled in."""
    shown = await _post(here, prompt, 422, **more)

    assert why in _text(shown)
    assert _typed(shown) == prompt.strip()
    assert not world.claude.requests


async def test_a_limit_that_is_reached(world: World, here: Beside) -> None:
    """What has no answer says so, with the program's own sentence."""
    shown = await _ended(here, await _post(here, "Crime at night.", do="try", max_cost_usd="0.0001"))
    text = _text(shown)

    assert "A prompt that was tried, with gaps" in text
    assert "No answer has come." in text
    assert "No more than 0.0001 USD may be spent" in text
    assert not world.claude.requests


async def test_failures(world: World, here: Beside) -> None:
    """A key that is refused and a library that refuses ours are told as they are."""
    world.claude.faults.add(claude_faults.BAD_KEY, times=FOREVER)
    unasked = await _ended(here, await _post(here, "Crime at night.", do="try"))
    world.claude.faults.clear()
    fault = world.radarr.faults.inject(answer(401), times=None)
    failed = await _ended(here, await _post(here, "Crime at night.", do="try"))
    fault.times = 0

    assert "CLAUDE_API_KEY" in unasked
    assert "A trial that failed" in failed
    assert "RADARR_API_KEY" in failed
    assert "failed" in await _page(here)


async def test_the_end_of_the_program_interrupts(world: World, here: Beside) -> None:
    """What was answered by then is shown."""
    world.change(max_concurrent_requests=1)
    with world.unanswered():
        path = await _post(here, "Crime at night.", do="try")
        async with asyncio.timeout(PATIENCE):
            while not world.claude.requests:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        here.daemon.trials.close("SIGTERM")
    await here.daemon.trials.ended()

    assert "A trial that was interrupted" in await _ended(here, path)
    assert "The program is ending." in await _post(here, "Crime at night.", 409, do="try")


@pytest.mark.parametrize("prompt", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_prompts(world: World, here: Beside, prompt: str) -> None:
    """Prompts are data, typed in or read from files: escaped, whole, and without what turns the text around."""
    path = await _post(here, prompt, do="forecast")
    tried = await _ended(here, path)
    again = await _html(here, f"{PAGE}?trial={path.rpartition('/')[2]}")
    world.collections(block("Noir", prompt.replace("\n", "\n  #   ")))
    await here.daemon.indexer.newest()
    present = await _html(here)

    visible = prompt.replace("\u202e", "").replace("\u202c", "").strip()
    assert _typed(again) == visible
    for shown in (tried, again, present):
        assert "<script>alert" not in shown
        assert "\u202e" not in shown
        assert "<b>" not in shown
    assert html.escape(visible).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in tried


async def test_collections_that_take_no_part(world: World, here: Beside) -> None:
    """One that is off keeps its history and cannot be tried; one that there is not is not found."""
    world.collections(block("Noir").replace("enabled: true", "enabled: false"), block("New").replace("true", "false"))
    await here.daemon.indexer.newest()

    shown = await _html(here)

    assert "<textarea" not in shown
    assert "Dark films of <del>old</del><ins>the city</ins>." in shown
    assert "No prompt is known" in await _page(here, "/collections/new/prompt")
    assert "There is no collection 'nothing'" in await _page(here, "/collections/nothing/prompt", 404)
    refused = await _post(here, "Crime.", 404, "/collections/nothing/prompt", do="forecast")
    assert "There is no collection 'nothing'" in _text(refused)


@pytest.mark.parametrize("trial_id", ["20260301-030000-0000", "x", "a" * 60])
async def test_no_such_trial(here: Beside, trial_id: str) -> None:
    """A page that says so, and for how long trials are kept."""
    assert "each is kept for 30 days" in await _page(here, f"/trials/{trial_id}", 404)


async def test_a_damaged_trial(world: World, here: Beside) -> None:
    """It is named on its own page, and left out of the list."""
    path = await _post(here, "Crime.", do="forecast")
    await _ended(here, path)
    (world.state_dir / f"{path[1:]}.json").write_text("{")

    assert "is damaged" in await _page(here, path, 503)
    assert path not in await _html(here)


async def test_shows(tmp_path: Path) -> None:
    """A collection of shows is tried on shows."""
    with Home(tmp_path, movies(3), movies(1), shows(12)) as home:
        home.collections(block("Space", "Space.", media="shows"), file="shows.yml")
        home.truth["Space"] = {f"Show {number}": 0.9 for number in range(4)}
        await asyncio.to_thread(home.run)
        async with daemon_beside(home) as here:
            page = "/collections/show:space/prompt"
            shown = await _html(here, page)
            tried = await _ended(here, await _post(here, "Ships.", page=page, do="try"))

    assert "Which shows belong" in shown
    assert "0 of 4 members would leave" in tried
    assert 'src="/posters/show:1000"' in tried
