"""Check: every state on the way from nothing to the first real run, as HTML."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.app import session_of
from kometa_ai.errors import KometaAIError
from kometa_ai.standins.faults import answer
from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.serving import serve
from tests.daemon.living import PATIENCE, daemon_beside, until
from tests.run.world import block

if TYPE_CHECKING:
    import httpx2

    from kometa_ai.daemon.looks import Kind
    from kometa_ai.jobs.services import Looked
    from kometa_ai.jobs.session import Session
    from kometa_ai.settings.schema import Settings
    from tests.daemon.living import Beside
    from tests.run.world import World

AS_BROWSER = {"Accept": "text/html"}


async def page(here: Beside, path: str = "/start") -> str:
    """The page's HTML."""
    answered = await here.client.get(path, headers=AS_BROWSER)
    assert answered.status_code == 200, answered.text
    return str(answered.text)


async def send(here: Beside, path: str, **fields: str) -> httpx2.Response:
    """Send a form."""
    return await here.client.post(path, data=fields, headers=AS_BROWSER)


async def looked(here: Beside, kind: Kind = "doctor") -> str:
    """Press the button, wait until it has ended, and return the page."""
    answered = await send(here, f"/looks/{kind}")
    assert (answered.status_code, answered.headers["location"]) == (303, "/start")
    async with asyncio.timeout(PATIENCE):
        await until(lambda: here.daemon.looks.last(kind).status != "running")
    return await page(here)


def step(text: str, name: str) -> str:
    """The HTML of one step."""
    found = re.search(
        rf'<li class="step [^"]*" id="step-{name}">.*?(?=<li class="step |</ol>\n</div>)', text, re.DOTALL
    )
    assert found, f"no step {name}"
    return found[0]


def words(text: str) -> str:
    """What can be read, on one line."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", text).split()))


def is_open(part: str) -> bool:
    """Whether a step is unfolded."""
    return "<details open>" in part.partition("<summary>")[0]


async def test_nothing_is_looked_at_by_opening_the_page(here: Beside) -> None:
    """GET changes nothing: a page with script looks by a POST of its own, one without has a button."""
    text = await page(here)

    assert here.daemon.looks.last("doctor").status == "never"
    assert "not looked at yet" in step(text, "radarr")
    assert 'hx-trigger="load"' in text
    assert "Look now" in words(text)


async def test_all_in_order_leads_to_the_forecast(here: Beside, world: World) -> None:
    """Each step says how it was found; the next thing to do is open, and it is free. Nothing is looked at again."""
    world.collections(block("Noir") + "    radarr_taglist: kai-noir\n    show_missing: false\n")
    (world.kometa / "config.yml").write_text("libraries: {}\n")
    text = await looked(here)

    assert "can be written" in words(step(text, "state-folder"))
    assert "in order: Radarr" in words(step(text, "radarr"))
    assert "claude-sonnet-5-5" in words(step(text, "claude"))
    assert "1 collection takes part" in words(step(text, "kometa-s-folder"))
    assert is_open(step(text, "forecast"))
    assert not is_open(step(text, "dry-run"))
    assert "hx-trigger" not in text.partition("<main")[2]


async def test_while_it_looks_the_page_asks_again(here: Beside) -> None:
    """It refreshes, with script and without, and offers no second look; the same look twice is one."""
    await send(here, "/looks/doctor")
    again = await send(here, "/looks/doctor")
    text = await page(here)

    assert again.status_code == 303
    assert 'hx-trigger="every 2s"' in text
    assert '<noscript><meta http-equiv="refresh"' in text
    assert re.search(r"<button[^>]* disabled>", text)


async def test_one_look_at_a_time(here: Beside) -> None:
    """A forecast while everything is looked at is refused, in place."""
    await send(here, "/looks/doctor")
    refused = await send(here, "/looks/estimate")

    assert refused.status_code == 409
    assert "under way" in refused.text


async def test_a_look_that_is_refused_is_not_asked_for_at_once(here: Beside) -> None:
    """While another look is on, a page that looks by itself says so once, and does not ask again and again."""
    await send(here, "/looks/estimate")
    refused = await send(here, "/looks/doctor")

    assert refused.status_code == 409
    assert "under way" in refused.text
    assert 'hx-trigger="load"' not in refused.text


async def test_without_a_block_there_is_one_to_copy(here: Beside, world: World) -> None:
    """Where nothing is set up, the step says where a block goes, and has a sample: one for movies."""
    world.collections()
    (world.kometa / "movies.yml").write_text("collections: {}\n")
    text = await looked(here)
    folder = step(text, "kometa-s-folder")

    assert is_open(folder)
    assert "# === KOMETA-AI ===" in folder
    assert "radarr_taglist: kai-film-noir" in folder
    assert "sonarr_taglist" not in folder
    assert str(world.kometa) in folder
    assert "Kometa's folder comes first." in words(step(text, "forecast"))


async def test_a_problem_has_its_line_and_what_to_put_there(here: Beside, world: World) -> None:
    """File, line, the line as it stands, and the corrected one to copy; what comes from a file is data."""
    world.collections(
        block("Noir"),
        block("<b>Bad</b>", confidence_threshold="<script>alert(1)</script>"),
        "  # === KOMETA-AI ===\n  # enabled: true\n  # prompt: Slow films.\n  # === END KOMETA-AI ===\n"
        "  Long Evenings:\n    radarr_taglist: kai-long-evenings\n",
    )
    (world.kometa / "config.yml").write_text("libraries: {}\n")
    text = await looked(here)
    folder = step(text, "kometa-s-folder")

    assert is_open(folder)
    assert "<b>Bad</b> is skipped until its block is corrected. Nothing stands in the way of the others." in words(text)
    assert "1 skipped" in words(folder)
    assert "movies.yml:" in folder
    assert "Above line 22 of movies.yml" in words(folder)
    assert "data-copy" in folder
    assert "<script>alert" not in text
    assert "<b>Bad</b>" not in text
    assert "&lt;b&gt;Bad&lt;/b&gt;" in folder


async def test_characters_that_turn_a_line_around_are_not_shown(here: Beside, world: World) -> None:
    """No user is to copy a line that is another than it looks."""
    world.collections(
        "  # === KOMETA-AI ===\n  # enabled: true\n  # promt: \u202eolleh\x07\n  # === END KOMETA-AI ===\n  Bad: {}\n"
    )
    text = await looked(here)

    assert "movies.yml:4" in text
    assert "\u202e" not in text
    assert "\x07" not in text


async def test_what_refuses_us_is_a_fault_and_what_is_silent_is_none(world: World) -> None:
    """A refused key is to be mended; a service that is away is looked at again by itself."""
    world.change(claude_api_key="sk-wrong-000000000000")
    async with daemon_beside(world) as here:
        refused = await looked(here)
    world.change(claude_api_key="key", radarr_url="http://127.0.0.1:9")
    async with daemon_beside(world) as here:
        silent = await looked(here)

    assert is_open(step(refused, "claude"))
    assert "CLAUDE_API_KEY" in step(refused, "claude")
    assert "sk-wrong" not in refused
    assert "does not answer now" in words(step(silent, "radarr"))
    assert "no fault by itself" in words(step(silent, "radarr"))
    assert 'hx-trigger="every 300s"' in silent


async def test_a_key_that_was_changed_in_its_file_wants_a_restart(world: World) -> None:
    """The program uses the key that it has read at its start, and says so when the file holds another."""
    secret = world.folder / "secret"
    secret.write_text("key")
    environ = {"CLAUDE_API_KEY": "", "CLAUDE_API_KEY_FILE": str(secret)}
    async with daemon_beside(world, environ=environ) as here:
        before = await looked(here)
        secret.write_text("another-key-0000000")
        after = await looked(here)
        secret.unlink()
        gone = await looked(here)

    assert 'id="step-settings"' not in before
    assert "Restart the program" in words(step(after, "settings"))
    assert "another-key" not in after
    assert is_open(step(gone, "claude"))
    assert "cannot be read" in words(step(gone, "claude"))


async def test_the_forecast_says_what_it_would_cost(here: Beside) -> None:
    """Questions by collection, the price at once and in batches, and how that was worked out; then the dry run."""
    await looked(here)
    text = await looked(here, "estimate")
    forecast, dry = step(text, "forecast"), step(text, "dry-run")

    assert "about" in words(forecast)
    assert re.search(r"Noir\D*12\b", words(forecast))
    assert "in batches, later" in words(forecast)
    assert "How this was worked out" in words(forecast)
    assert is_open(dry)
    assert 'name="max_cost_usd"' in dry
    assert 'value="0.50"' in dry
    assert 'action="/runs"' in dry


async def test_a_free_model_has_no_price_but_a_time(world: World) -> None:
    """A local model's forecast says free and guesses the time, and no limit is asked for; Ollama is a step."""
    with serve(OllamaStandIn().app) as url:
        world.change(llm_provider="ollama", llm_model="qwen3:14b", ollama_host=url)
        async with daemon_beside(world) as here:
            await looked(here)
            text = await looked(here, "estimate")
    forecast, dry = step(text, "forecast"), step(text, "dry-run")

    assert "free" in words(forecast)
    assert re.search(r"time, a guess \d+ min", words(forecast))
    assert "$" not in words(forecast)
    assert "max_cost_usd" not in dry
    assert "qwen3:14b" in words(step(text, "ollama"))


async def test_without_a_price_there_is_no_limit_to_set(world: World) -> None:
    """A limit cannot be kept for a model whose price is not known: the page offers none, and the run is offered."""
    world.change(llm_model="claude-of-tomorrow")
    async with daemon_beside(world) as here:
        await looked(here)
        text = await looked(here, "estimate")

    assert "unknown" in words(step(text, "forecast"))
    assert "max_cost_usd" not in step(text, "dry-run")
    assert 'action="/runs"' in step(text, "dry-run")


async def test_a_forecast_that_fails_says_why(here: Beside, world: World) -> None:
    """In place, with what to do."""
    await looked(here)
    world.radarr.faults.inject(answer(401), path="*", times=None)
    text = await looked(here, "estimate")

    assert is_open(step(text, "forecast"))
    assert "Radarr" in words(step(text, "forecast"))
    assert 'role="alert"' in step(text, "forecast")


async def test_a_look_that_fails_says_why(world: World) -> None:
    """Instead of claiming anything."""

    async def broken(_: object) -> tuple[Looked, ...]:
        raise KometaAIError("The network is gone.", "Plug it in.")

    def with_broken_look(settings: Settings) -> Session:
        return msgspec.structs.replace(session_of(settings), look_around=broken)

    async with daemon_beside(world, session_of=with_broken_look) as here:
        text = await looked(here)

    assert "The last look could not be finished." in words(text)
    assert "The network is gone. Plug it in." in words(text)
    assert "not looked at yet" in words(step(text, "radarr"))


async def test_an_old_forecast_is_said_to_be_old(world: World) -> None:
    """After an hour it may be wrong, and is offered again; the page also looks at everything again by itself."""
    ahead = [timedelta(0)]

    def later(settings: Settings) -> Session:
        session = session_of(settings)
        return msgspec.structs.replace(session, now=lambda: session.now() + ahead[0])

    async with daemon_beside(world, session_of=later) as here:
        await looked(here)
        fresh = await looked(here, "estimate")
        ahead[0] = timedelta(hours=2)
        old = await page(here)

    assert "more than an hour ago" not in fresh
    assert "more than an hour ago" in words(step(old, "forecast"))
    assert "Work it out again" in words(step(old, "forecast"))
    assert is_open(step(old, "forecast"))
    assert 'hx-trigger="load"' in old


async def test_a_look_of_before_a_run_is_said_to_be_out_of_date(here: Beside) -> None:
    """Once a run has ended, what was found before is told as of then, and a page with script looks again by itself."""
    await looked(here)
    fresh = await looked(here, "estimate")
    await here.run(dry_run=True)
    stale = await page(here)
    await looked(here)
    again = await looked(here, "estimate")

    for text in (fresh, again):
        assert "Since then" not in words(text)
        assert "when it was worked out" not in words(text)
        assert 'hx-trigger="load"' not in text
    assert "It was like this today" in words(stale)
    assert "Since then a run has ended." in words(stale)
    assert 'hx-trigger="load"' in stale
    assert "Since then a run has ended." in words(step(stale, "forecast"))
    assert "before the last run" in words(step(stale, "forecast"))
    assert 'class="step panel unknown" id="step-forecast"' in stale
    assert re.search(r"Noir\D*0\b", words(step(again, "forecast")))


async def test_a_look_of_before_an_edit_of_kometas_files_is_said_to_be_out_of_date(here: Beside, world: World) -> None:
    """A block that was edited since is not said to be in order: neither the look nor the forecast is of it."""
    await looked(here)
    await looked(here, "estimate")
    world.collections(block("Noir", confidence_threshold=75))
    stale = await page(here)
    after = await looked(here)

    assert "Since then Kometa's files have changed." in words(stale)
    assert "Everything is in order." not in words(stale)
    assert 'hx-trigger="load"' in stale
    assert "Since then Kometa's files have changed." in words(step(stale, "forecast"))
    assert is_open(step(stale, "forecast"))
    assert "confidence_threshold" in words(step(after, "kometa-s-folder"))
    assert 'hx-trigger="load"' not in after
    assert "Since then Kometa's files have changed." in words(step(after, "forecast"))


async def test_a_real_run_implies_the_dry_one(here: Beside) -> None:
    """After a real run no step before it is to do: not the dry run, whether one was made or not, nor the forecast."""
    await looked(here)
    await here.run()
    without = await page(here)
    dry_id = await here.run(dry_run=True)
    await here.run(within=dry_id)
    after = await page(here)

    for text in (without, after):
        dry = step(text, "dry-run")
        assert words(dry).startswith("in order: Dry run a real run has ended well")
        assert 'class="step panel good"' in dry
        assert "to do:" not in words(text)


async def test_a_run_without_a_collection_is_no_first_run(here: Beside, world: World) -> None:
    """Each night of before there was a block ends well, and has done nothing: the steps to the first tags stay open."""
    world.collections()
    await here.run()
    world.collections(block("Noir"))
    text = await looked(here)

    assert "Everything is in order. It runs by itself" not in words(text)
    assert "ended well" not in words(text)
    assert is_open(step(text, "forecast"))


async def test_a_dry_run_right_after_a_real_one_is_shown(here: Beside) -> None:
    """Its changes are offered, also where both began within one second."""
    await looked(here)
    for _ in range(3):
        await here.run()
        dry_id = await here.run(dry_run=True)
        assert f'action="/runs/{dry_id}/make"' in await page(here)


async def test_from_the_dry_run_to_the_real_one(here: Beside) -> None:
    """The dry run shows its changes; what can be made is exactly these, and afterwards it runs by itself."""
    await looked(here)
    await looked(here, "estimate")
    run_id = await here.run(dry_run=True)
    shown = await page(here)
    real = step(shown, "for-real")
    await here.run(within=run_id)
    done = await page(here)

    assert re.search(r"Noir\D*3\b", words(step(shown, "dry-run")))
    assert f"/runs/{run_id}" in step(shown, "dry-run")
    assert is_open(real)
    assert "Make the 3 changes shown" in words(real)
    assert f'action="/runs/{run_id}/make"' in real
    assert "It runs by itself" in words(step(done, "for-real"))
    assert "From here to your first collection" not in words(done)


async def test_a_real_run_without_a_dry_one_asks_first(here: Beside) -> None:
    """It stands in a dialog with what it would ask and cost; without script the dialog is opened by its link."""
    await looked(here)
    closed = await looked(here, "estimate")
    opened = await page(here, "/start?ask=at-once")

    assert '<dialog id="at-once"' in closed
    assert re.search(r'<dialog id="at-once"[^>]* open>', opened)
    assert "12 questions" in words(opened.partition('<dialog id="at-once"')[2])


async def test_a_run_that_is_on_is_shown(here: Beside, world: World) -> None:
    """How far it has come, and nothing to begin meanwhile."""
    await looked(here)
    await looked(here, "estimate")
    with world.unanswered():
        begun = await here.client.post("/api/v1/runs", json={"dry_run": True, "max_cost_usd": 1})
        text = await page(here)
    await here.daemon.runs.ended()

    assert begun.status_code == 202
    assert "The dry run is on" in words(step(text, "dry-run"))
    assert 'name="max_cost_usd"' not in step(text, "dry-run")
    assert 'hx-trigger="every 2s"' in text


async def test_a_dry_run_that_hit_its_limit_says_so(here: Beside) -> None:
    """Questions that were not asked are counted, and what to do about it."""
    await looked(here)
    await looked(here, "estimate")
    await here.run(dry_run=True, max_cost_usd=0)
    dry = step(await page(here), "dry-run")

    assert "12 questions could not be asked" in words(dry)


async def test_a_dry_run_without_a_result(here: Beside, world: World) -> None:
    """What kept it from one is in its report; its changes are not offered."""
    await looked(here)
    await looked(here, "estimate")
    world.radarr.faults.inject(answer(401), path="*", times=None)
    await here.run(dry_run=True)
    text = await page(here)

    assert "ended without a result" in words(step(text, "dry-run"))
    assert "/make" not in text


async def test_a_dry_run_whose_report_cannot_be_read_shows_no_changes(here: Beside, world: World) -> None:
    """Its changes can be made where they can be seen, and nowhere else."""
    await looked(here)
    await looked(here, "estimate")
    run_id = await here.run(dry_run=True)
    here.daemon.runs.last = None
    (world.state_dir / "runs" / f"{run_id}.json").write_text("{torn")
    text = await page(here)

    assert "/make" not in text
    assert "Dry run again" in words(step(text, "dry-run"))
