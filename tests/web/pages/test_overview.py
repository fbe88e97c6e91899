"""The overview: every state of it, as HTML; and the forms that start and stop runs and cancel batches."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING

import msgspec
import pytest

from kometa_ai.app import session_of
from kometa_ai.core.report import Spending
from kometa_ai.daemon.spending import spent
from kometa_ai.standins.faults import answer
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.state.loading import SNAPSHOT
from kometa_ai.state.lock import LockReader, StateLock
from kometa_ai.state.store import Store
from kometa_ai.web.pages.starting import FIELDS
from tests.daemon.living import daemon_beside, until
from tests.run.world import World, block, movies
from tests.web.pages.reading import page, part, send, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kometa_ai.jobs.session import Session
    from kometa_ai.settings.schema import Settings
    from tests.daemon.living import Beside


@pytest.fixture
def after_a_run(world: World) -> World:
    """Twelve movies, three of them tagged."""
    world.run()
    return world


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[World]:
    """A hundred movies, sixty of them tagged, of which 41 are held back; one collection is off, another is skipped."""
    with World(tmp_path, movies(100), radarr_credits="false") as world:
        world.collections(block("Noir"), block("Heist"), block("Gone"))
        world.believe("Noir", range(60))
        world.believe("Heist", range(3))
        world.believe("Gone", range(70, 72))
        world.run()
        world.believe("Noir", range(41), 0.1)
        off = block("Westerns").replace("enabled: true", "enabled: false")
        world.collections(block("Noir"), block("Heist"), off, block("Courtroom", confidence_threshold=75))
        world.run(force_refresh=True)
        yield world


HOLDS = """
import pathlib, sys
from kometa_ai.state.lock import StateLock
with StateLock(pathlib.Path(sys.argv[1])):
    print(flush=True)
    input()
"""


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of a state folder. It is killed."""
    call = [sys.executable, "-c", HOLDS, str(folder)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:  # noqa: S603 - our own
        assert other.stdout
        other.stdout.readline()
        yield other
        other.kill()


async def test_before_the_first_run_there_is_the_check(here: Beside, world: World) -> None:
    """Until a run of everything has done its work and while none is on; a dry run is none, one with problems is."""
    before = await here.client.get("/", headers={"Accept": "text/html"})
    world.claude.latency = 0.5
    await send(here, "/runs", dry_run="1")
    during = await page(here, "/")
    await here.daemon.runs.ended()
    dry = await here.client.get("/", headers={"Accept": "text/html"})
    world.collections(block("Noir"), block("Courtroom", confidence_threshold=75))
    await here.run()

    assert (before.status_code, before.headers["location"]) == (303, "/start")
    assert "A dry run is on" in words(during)
    assert "data-reload" in during
    assert "Nothing needs you" not in words(during), "that is not known yet"
    assert "waits for a library" not in words(during)
    assert dry.status_code == 303
    assert "Courtroom is skipped" in part(await page(here, "/"), "Needs you")


async def test_nothing_needs_anybody_while_the_next_run_has_something_to_do(here: Beside, world: World) -> None:
    """What was answered since the last run, and what is still to ask, is named: then not all is as it was decided."""
    await here.run()
    settled = part(await page(here, "/"), "Nothing needs you")
    await here.client.put("/api/v1/pins/noir/movie:1004", json={"include": True})
    answered = part(await page(here, "/"), "Nothing needs you")
    world.collections(block("Noir"), block("Space"))
    new = await page(here, "/")

    assert "Every collection is as it was decided" in settled
    assert "Not all tags are as it was decided: the next run sets them. Every service answered." in answered
    assert "The next run asks 12 questions." in part(new, "Nothing needs you")


async def test_at_rest(here: Beside) -> None:
    """The next run, money, that nothing needs the operator, each collection with its figures, the last runs."""
    await here.run()
    text = await page(here, "/")
    row = re.search(r"<tr>\s*<th scope=\"row\">.*?</tr>", text, re.DOTALL)
    assert row

    assert words(row[0]) == "Noir 1 warning 3 3 0 0 under $0.01 +3 today"
    assert "next run, in" in part(text, "Next run and spending")
    assert "Nothing needs you" in words(text)
    assert "Movie 0 (1950)" in part(text, "Lately")
    assert "3 added" in part(text, "Last runs")
    assert "over the API" in part(text, "Last runs")
    assert "Nothing is open: nothing will be asked." in part(text, "Run now")
    assert "Sonarr" not in words(text), "who has no shows misses nothing"
    assert 'http-equiv="refresh"' not in text
    assert "data-live" not in text.replace("data-live-", "")


async def test_many_collections(here: Beside, world: World) -> None:
    """The table shows some, with a link to all; the dialog of a run offers each."""
    world.collections(*(block(f"C{number}") for number in range(50)))
    await here.run()
    await here.daemon.indexer.newest()
    text = await page(here, "/?ask=run")

    table = text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert table.count("<tr>") == 40
    assert "All 50 collections" in part(text, "Collections")
    assert text.count('name="collections"') == 50
    assert len(text) < 60_000


async def test_what_needs_a_person_comes_first(lived: World) -> None:
    """Held-back changes lead to their run, a skipped collection to its line; what is off or gone says what to do."""
    async with daemon_beside(lived) as here:
        text = await page(here, "/")
    needs = part(text, "Needs you")
    names = re.findall(r'<th scope="row"><a href="/collections/([\w:-]+)"', text)

    assert "Noir: 41 changes held back by the brake." in needs
    assert re.search(r'href="/runs/[\w-]+">Look', text)
    assert "Courtroom is skipped. movies.yml:" in needs
    assert "confidence_threshold holds '75'" in needs
    assert needs.count("error: Courtroom is skipped") == 1
    assert names == ["noir", "heist"]
    aside = part(text, "Taking no part")
    assert "Westerns off It is switched off" in aside
    assert "Gone orphan" in aside
    assert "2 tags left" in aside


async def test_while_a_run_is_on(here: Beside, world: World) -> None:
    """How far it has come and what it may cost; nothing else can be started, and a page without script asks again."""
    first = await here.run()
    world.radarr.add_movie(MovieSeed(title="New", year=2000, tmdb_id=5000))
    with world.unanswered():
        begun = await send(here, "/runs", about="all", dry_run="1", max_cost_usd="1.5")
        await until(lambda: world.claude.requests[1:])
        text = await page(here, "/")
        refused = await send(here, "/runs", about="all")
        earlier, undo = words(await page(here, f"/runs/{first}")), await page(here, f"/runs/{first}/undo")
        own = await page(here, f"/runs/{here.daemon.runs.current.run_id if here.daemon.runs.current else ''}")
    await here.daemon.runs.ended()
    last = here.daemon.runs.last

    assert (begun.status_code, begun.headers["location"]) == (303, "/?done=started")
    assert "A dry run is on by hand, since today" in words(text)
    assert "0 of 1 questions · $0.00 of at most $1.50" in words(text)
    assert '<noscript><meta http-equiv="refresh"' in text
    assert "A run is on: wait until it has ended, or stop it." in words(text)
    assert 'id="run"' not in text
    assert "Answers that have arrived are kept" in part(text, "Stop this run?")
    assert "Running 0 %" in words(text)
    assert refused.status_code == 409
    assert "is in progress" in words(refused.text)
    assert "So far" in words(own)
    assert "A run is on: wait until it has ended, or stop it." in earlier
    assert "Look what would change" in words(undo)
    assert last is not None
    assert (last.dry_run, last.outcome) == (True, "ok")


async def test_a_run_is_stopped(here: Beside, world: World) -> None:
    """It says that it stops, and who it was; to stop what has ended changes nothing."""
    await here.run()
    with world.unanswered():
        await send(here, "/runs", about="all", force_refresh="1")
        await until(lambda: world.claude.requests[1:])
        current = here.daemon.runs.current
        assert current is not None
        stopped = await send(here, f"/runs/{current.run_id}/stop")
        text = await page(here, "/?done=stopping")
    await here.daemon.runs.ended()
    late = await send(here, f"/runs/{current.run_id}/stop")
    after = await page(here, "/")
    last = here.daemon.runs.last
    assert last is not None

    assert (stopped.status_code, stopped.headers["location"]) == (303, "/?done=stopping")
    assert "stopping" in words(text)
    assert "Stop this run?" not in text
    assert "The run was stopped by a visitor of the page." in [each.what for each in last.warnings]
    assert late.status_code == 409
    assert "That run is not in progress any more." in words(late.text)
    assert "The last run was interrupted." in part(after, "Needs you")
    assert "interrupted" in part(after, "Last runs")


async def test_another_process_holds_the_state(here: Beside, world: World) -> None:
    """It is named, with since when, and no run can be begun; what this program does itself is told as that."""
    await here.run()
    with holding(world.state_dir) as other:
        text = words(await page(here, "/"))
        refused = await send(here, "/runs", about="all")
    killed = words(await page(here, "/"))
    with StateLock(world.state_dir):
        ours = words(await page(here, "/"))

    assert f"The state is in use by process {other.pid} on " in text
    assert "Until that has ended no run can begin here" in text
    assert refused.status_code == 409
    assert "The state is in use" not in killed
    assert "The state is in use by this program itself" in ours


def test_a_note_that_was_left_is_looked_at_once(tmp_path: Path) -> None:
    """Who was killed holds nothing; a lock that is no file, or is not there, has no holder."""
    reader = LockReader(tmp_path)
    before = reader.holder()
    (tmp_path / "lock").write_text("process 1 on elsewhere, since long ago")
    left = [reader.holder(), reader.holder()]
    with StateLock(tmp_path):
        held = reader.holder()
    folder = tmp_path / "folder"
    (folder / "lock").mkdir(parents=True)

    assert [before, *left, LockReader(folder).holder()] == [""] * 4
    assert held.startswith("process ")


async def test_the_last_run_failed(here: Beside, world: World) -> None:
    """Radarr refuses: the run says so, and so does the service; the figures of before stay."""
    await here.run()
    world.radarr.faults.inject(answer(401), path="*", times=None)
    await here.run()
    text = await page(here, "/")
    needs = part(text, "Needs you")

    assert "Radarr cannot be used" in needs
    assert "The last run did not do its work: no library could be used." in needs
    assert "no library could be used" in part(text, "Last runs")
    assert "Noir" in part(text, "Collections")


async def test_a_state_that_was_restored(here: Beside, world: World) -> None:
    """What a run has said of the state stands here until the next run."""
    await here.run()
    await here.run()
    (world.state_dir / SNAPSHOT).write_text("{")
    broken = await page(here, "/")
    await here.run()
    text = await page(here, "/")

    assert "is damaged" in words(broken)
    assert "Start a run: it restores the state" in words(broken)
    assert "damaged" in part(text, "Needs you")


async def test_while_the_index_is_being_made(after_a_run: World) -> None:
    """The frame, the next run and the last runs are there at once; the page asks for the rest by itself."""
    gate = threading.Event()

    def waiting(settings: Settings) -> Session:
        session = session_of(settings)

        def read(folder: Path) -> object:
            gate.wait(20)
            return session.read_folder(folder)

        return msgspec.structs.replace(session, read_folder=read)

    async with daemon_beside(after_a_run, session_of=waiting) as here:
        text = await page(here, "/")
        gate.set()
        await here.daemon.indexer.newest()
        after = await page(here, "/")

    assert "The collections are being counted" in words(text)
    assert "3 added" in part(text, "Last runs")
    assert "data-again" in text
    assert "What is open is still being counted." in part(text, "Run now")
    assert "Noir" in part(after, "Collections")


async def test_no_collection(after_a_run: World) -> None:
    """A folder without a block: where a sample is."""
    after_a_run.collections(block("Noir").replace("enabled: true", "enabled: false"))
    async with daemon_beside(after_a_run) as here:
        text = words(await page(here, "/"))

    assert "No collection takes part" in text


async def test_batches_are_waited_for_and_cancelled(tmp_path: Path) -> None:
    """How many questions are with Anthropic since when; their end is asked for by a form."""
    with World(tmp_path, movies(12), claude_batches="on") as world:
        world.collections(block("Noir"))
        world.claude.batches.polls = 10**6
        async with daemon_beside(world) as here:
            await here.run()
            text = await page(here, "/?ask=cancel")
            cancelled = await send(here, "/batches/cancel")
            done = await page(here, cancelled.headers["location"])

    assert "12 questions are with Anthropic since today" in part(text, "Waiting for answers")
    assert re.search(r'<dialog id="cancel"[^>]* open>', text)
    assert (cancelled.status_code, cancelled.headers["location"]) == (303, "/?done=cancelled")
    assert "The end of all open batches is asked for." in words(done)


async def test_batches_that_cannot_be_cancelled(here: Beside, world: World) -> None:
    """Claude's refusal of one is told of; while another holds the state none is asked for."""
    await here.run()
    with StateLock(world.state_dir):
        refused = await send(here, "/batches/cancel")

    assert refused.status_code == 409
    assert "Another run is in progress" in words(refused.text)
    assert "Not every batch could be cancelled" in words(await page(here, "/?done=cancelled-in-part"))
    assert "The run has begun, and has ended already" in words(await page(here, "/?done=started"))


async def test_a_run_for_some_collections(lived: World) -> None:
    """Those that are ticked, and no more than was said is spent: with 0 nothing is asked."""
    lived.radarr.add_movie(MovieSeed(title="New", year=2000, tmdb_id=5000))
    async with daemon_beside(lived) as here:
        lived.asked()
        begun = await send(here, "/runs", about="some", collections=["heist"], max_cost_usd="0")
        await here.daemon.runs.ended()
    last = here.daemon.runs.last
    assert last is not None

    assert begun.status_code == 303
    assert last.only_collections == ("Heist",)
    assert lived.asked() == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"about": "some"}, "No collection is chosen."),
        ({"about": "some", "collections": ["<b>none</b>"], "dry_run": "1"}, "'<b>none</b>'"),
        ({"about": "all", "max_cost_usd": "a lot"}, "'a lot' is no amount in USD."),
        ({"about": "all", "max_cost_usd": "-1", "collections": ["noir"]}, "'-1' is no amount in USD."),
        ({"movies": ["tmdb:x"]}, "'tmdb:x' is none of"),
        ({"max_cost": "1"}, "The form has a field 'max_cost', which no run has."),
        ({"within": "20260101-000000-abcd"}, "There is no run '20260101-000000-abcd'."),
    ],
)
async def test_what_cannot_be_run(here: Beside, fields: dict[str, object], said: str) -> None:
    """The sentence and what to do, in the form, which is as it was filled in; nothing has begun."""
    await here.run()
    before = here.daemon.runs.last
    refused = await send(here, "/runs", **fields)

    assert refused.status_code == 422
    assert said in part(refused.text, "Run now")
    assert re.search(r'<dialog id="run"[^>]* open>', refused.text)
    assert ("checked" in refused.text.partition('name="dry_run"')[2][:20]) is ("dry_run" in fields)
    assert f'value="{fields.get("max_cost_usd", "")}"' in refused.text
    assert 'value="all" checked' in refused.text if fields.get("about") == "all" else "<b>none" not in refused.text
    assert here.daemon.runs.last is before


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[World]:
    """A movie and a collection with odd names, after a run."""
    title = "<img src=x onerror=alert(1)> \u202egnp.exe\x07"
    with World(tmp_path, [MovieSeed(title=title, year=1999, tmdb_id=1)]) as world:
        world.collections(block("Odd <script>alert(1)</script>"))
        world.truth["Odd <script>alert(1)</script>"] = {title: 0.9}
        world.run()
        yield world


async def test_hostile_texts(odd: World) -> None:
    """Names and titles with markup, bidi marks and control characters are text, and do not turn what follows."""
    async with daemon_beside(odd) as here:
        text = await page(here, "/")

    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "\u202e" not in text
    assert "\x07" not in text
    assert "Odd <script>alert(1)</script>" in words(text)


@pytest.mark.parametrize(
    "template",
    sorted((resources.files("kometa_ai.web") / "templates").iterdir(), key=str),
    ids=lambda entry: entry.name,
)
def test_every_form_that_starts_a_run_is_understood(template: resources.abc.Traversable) -> None:
    """Its fields are those that are read."""
    forms = re.findall(r'<form[^>]*action="{{ url\("/runs"\) }}".*?</form>', template.read_text(), re.DOTALL)

    assert {name for form in forms for name in re.findall(r'\sname="([^"]*)"', form)} <= FIELDS


def test_what_questions_cost(world: World) -> None:
    """This month and the last, each collection's, and a question's from the last runs; of few nothing is derived."""
    first = world.run()
    (run,) = Store.load(world.state_dir, read_only=True).state.runs
    zone, later = world.settings.tz, world.now + timedelta(days=31)
    spending = {"2026-03": Spending(month="2026-03", cost_usd=0.5)}
    nothing, now = (spent(*each, world.now, zone) for each in (({}, []), (spending, [run, run])))
    few = spent({}, [msgspec.structs.replace(run, asked=9)], later, zone)

    assert first.cost_usd > 0
    assert (nothing.month.cost_usd, nothing.per_question, nothing.by_collection, nothing.is_whole) == (
        0,
        None,
        {},
        True,
    )
    assert (now.month.cost_usd, now.month_before.cost_usd) == (0.5, 0)
    assert now.by_collection == {"noir": pytest.approx(2 * first.cost_usd)}
    assert now.per_question == pytest.approx(first.cost_usd / 12)
    assert (few.per_question, few.by_collection) == (None, {})
    assert spent(spending, [], later, zone).month_before.cost_usd == 0.5
    assert not spent({}, [run] * 100, world.now, zone).is_whole
