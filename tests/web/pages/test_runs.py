"""The list of runs, and the page of one: every state, as HTML; letting through, keeping, making, taking back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from kometa_ai.core.item import movie_key
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import CollectionReport, MovieLine, RunReport
from kometa_ai.daemon.overtaken import overtaken_by
from kometa_ai.standins.faults import answer
from kometa_ai.state import history
from kometa_ai.state.lock import StateLock
from kometa_ai.state.schema import RunSummary
from kometa_ai.web.pages.needs import needs
from kometa_ai.web.pages.run_shown import shown_problems, shown_run
from kometa_ai.web.pages.run_words import belongs_to, outcome_of, told, undone_by
from tests.daemon.living import daemon_beside, until
from tests.run.world import World, block, movies
from tests.web.pages.reading import page, part, send, words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.daemon.living import Beside

WHEN = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


@pytest.fixture
def large(tmp_path: Path) -> Iterator[World]:
    """A hundred movies, sixty of them tagged, of which 41 are held back by the last run."""
    with World(tmp_path, movies(100), radarr_credits="false") as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(60))
        world.run()
        world.believe("Noir", range(41), 0.1)
        world.run(force_refresh=True)
        yield world


async def last_of(here: Beside) -> str:
    """The id of the last run."""
    return (await here.daemon.views.past_runs())[-1].run_id


def report_with(*collections: CollectionReport, **fields: object) -> RunReport:
    """A report of a run of these collections."""
    made = RunReport(
        run_id="20260301-030000-abcd",
        version="1",
        started=WHEN,
        finished=WHEN + timedelta(seconds=72),
        dry_run=False,
        outcome="ok",
        exit_code=0,
        collections=collections,
    )
    return msgspec.structs.replace(made, **fields)


def lines(count: int, title: str = "Movie") -> tuple[MovieLine, ...]:
    """Lines of a report."""
    return tuple(
        MovieLine(title=f"{title} {n}", year=1999, key=movie_key(n + 1), reason="so it is") for n in range(count)
    )


def summary(**fields: object) -> RunSummary:
    """A run of the list."""
    made = RunSummary(run_id="1", started=WHEN, finished=WHEN, outcome="ok", exit_code=0)
    return msgspec.structs.replace(made, **fields)


async def test_the_list(here: Beside, world: World) -> None:
    """The newest first, each in words; chips say how many there are of each sort, and show these alone."""
    empty = words(await page(here, "/runs"))
    await here.run()
    await here.run(dry_run=True, collections=["noir"])
    world.radarr.faults.inject(answer(401), path="*", times=None)
    await here.run()
    everything = await page(here, "/runs")
    changed, problems, dry = [words(await page(here, f"/runs?show={show}")) for show in ("changed", "problems", "dry")]
    await page(here, "/runs?show=else", status=422)

    assert "No run has ended yet" in empty
    assert "All 3 Changed something 1 Need a look 1 Dry runs 1" in words(everything)
    outcomes = [found.strip() for found in re.findall(r'<p class="small">([^<]*)', everything)]
    assert outcomes == ["no library could be used", "no changes", "3 added"]
    assert "dry run no changes · over the API" in words(everything)
    assert "3 added" in changed
    assert "no library could be used" not in changed
    assert "no library could be used" in problems
    assert "dry run" in dry


async def test_a_run(here: Beside) -> None:
    """When, why, how long and for how much; each title with its reason; what it looked at."""
    await here.run()
    run_id = await last_of(here)
    text = await page(here, f"/runs/{run_id}")
    read = words(text)
    quiet = words(await page(here, f"/runs/{await here.run()}"))

    assert re.search(
        r"today \d\d:\d\d over the API · \d+ s · under \$0.01 \(12 verdicts, second looks among them\)", read
    )
    assert "All is well. 3 added in 1 collection." in read
    assert "3 put in" in part(text, "Noir")
    assert "3 titles now · 12 verdicts" in part(text, "Noir")
    assert "Movie 0 (1950) 0.95 so it is" in part(text, "Noir")
    assert 'src="/posters/movie:1000"' in text
    assert f'href="/runs/{run_id}/undo"' in text
    assert "12 movies" in part(text, "What it looked at")
    assert "verdicts 12 of first and second looks" in part(text, "Cost and requests")
    assert "No tag was changed, and nothing waits." in quiet
    assert "Take back…" not in quiet
    assert "1 collection without changes" in quiet


async def test_a_run_that_is_not_kept(here: Beside) -> None:
    """A sentence, and no more."""
    for path in ("", "/undo", "/list?collection=noir&side=added"):
        text = words(await page(here, f"/runs/20200101-000000-abcd{path}", status=404))
        assert "There is no run '20200101-000000-abcd', or it is no longer kept: the last hundred are." in text


async def test_held_back_removals_are_let_through(large: World) -> None:
    """Those that are ticked and no others; it asks nothing, whatever is open; the dialog repeats what it does."""
    async with daemon_beside(large) as here:
        run_id = await last_of(here)
        text = await page(here, f"/runs/{run_id}?ask=let-noir-held_back")
        large.asked()
        begun = await send(here, f"/runs/{run_id}/let-through", collection="noir", movies=["movie:1000", "movie:1001"])
        await here.daemon.runs.ended()
        last = here.daemon.runs.last
    assert last is not None

    assert "<title>Run of " in text
    assert "<" not in text.partition("<title>")[2].partition("</title>")[0]
    assert "41 removals held back" in words(text)
    assert len(re.findall(r'name="movies" value="movie:\d+" checked', text)) == 41
    assert re.search(r'<dialog id="let-noir-held_back"[^>]* open>', text)
    assert "It asks nothing and costs nothing. All others stay held back." in words(text)
    assert begun.headers["location"] == "/?done=started"
    assert large.numbers("kai-noir") == set(range(2, 60))
    assert large.asked() == []
    assert (last.only_movies, last.removed, last.cost_usd) == (2, 2, 0)


async def test_what_is_not_shown_is_not_let_through(large: World) -> None:
    """Nothing ticked, a movie that was not held back, an unknown collection: nothing begins."""
    async with daemon_beside(large) as here:
        run_id = await last_of(here)
        path = f"/runs/{run_id}/let-through"
        nothing = await send(here, path, collection="noir")
        foreign = await send(here, path, collection="noir", movies=["movie:1050"])
        unknown = await send(here, path, collection="heist", movies=["movie:1000"])
        with StateLock(large.state_dir):
            busy = await send(here, path, collection="noir", movies=["movie:1000"])
            text = words(await page(here, f"/runs/{run_id}"))

    assert (nothing.status_code, "Nothing is ticked." in words(nothing.text)) == (422, True)
    assert (foreign.status_code, "'movie:1050' is not among" in words(foreign.text)) == (422, True)
    assert unknown.status_code == 404
    assert (busy.status_code, "Another run is in progress" in words(busy.text)) == (409, True)
    assert "The state is in use by this program itself" in text
    assert large.numbers("kai-noir") == set(range(60))


async def test_held_back_removals_are_kept(large: World) -> None:
    """What is ticked is pinned in; the next run holds back only the others."""
    async with daemon_beside(large) as here:
        run_id = await last_of(here)
        pinned = await send(here, f"/runs/{run_id}/pin", collection="noir", side="held_back", movies=["movie:1000"])
        text = words(await page(here, pinned.headers["location"]))
        nothing = await send(here, f"/runs/{run_id}/pin", collection="noir", side="held_back")
        await here.run()
        pins = await here.daemon.choosing.pins()
        last = here.daemon.runs.last
    assert last is not None

    assert pinned.headers["location"] == f"/runs/{run_id}?done=pinned-in"
    assert "Pinned in. They stay in" in text
    assert nothing.status_code == 422
    assert [(each.collection, each.pin.key, each.pin.include) for each in pins] == [("noir", "movie:1000", True)]
    assert last.held_back == 40


async def test_held_back_additions_are_pinned(tmp_path: Path) -> None:
    """No run lets additions through: they are pinned in or out."""
    with World(tmp_path, movies(60), radarr_credits="false") as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(5))
        async with daemon_beside(world) as here:
            await here.run()
            world.believe("Noir", range(50))
            run_id = await here.run(force_refresh=True)
            text = await page(here, f"/runs/{run_id}")
            out = await send(
                here,
                f"/runs/{run_id}/pin",
                collection="noir",
                side="held_back_additions",
                choice="out",
                movies=["movie:1010"],
            )
            done = words(await page(here, out.headers["location"]))

    assert "45 additions held back" in words(text)
    assert "Keep those ticked out: pin out" in words(text)
    assert "ticked through" not in words(text)
    assert "Pinned out. They stay out" in done


async def test_a_dry_run_is_carried_out(here: Beside, world: World) -> None:
    """Exactly what it has shown is done, and nothing is asked again; what has come since is left."""
    run_id = await here.run(dry_run=True)
    text = await page(here, f"/runs/{run_id}?ask=make")
    world.asked()
    world.collections(block("Noir"), block("Heist"))
    made = await send(here, f"/runs/{run_id}/make")
    await here.daemon.runs.ended()
    no_dry_run = await send(here, f"/runs/{await last_of(here)}/make")

    assert "Dry run, nothing was written. All is well. 3 would be added in 1 collection." in words(text)
    assert "Make the 3 changes shown?" in words(text)
    assert "3 titles would be in it" in words(text)
    assert "3 put in, 0 taken out." in words(text)
    assert made.headers["location"] == "/?done=started"
    assert world.numbers("kai-noir") == {0, 1, 2}
    assert world.asked() == []
    assert no_dry_run.status_code == 422


async def test_a_dry_run_that_a_real_run_has_overtaken(here: Beside) -> None:
    """Once a real run has done everything, the page of the dry run names that one and offers nothing.

    A page that was opened before has the button still: pressed, it begins nothing and says why.
    """
    dry_id = await here.run(dry_run=True)
    before = words(await page(here, f"/runs/{dry_id}"))
    real_id = await here.run()
    after = await page(here, f"/runs/{dry_id}")
    pressed = await send(here, f"/runs/{dry_id}/make")
    sent = await send(here, "/runs", within=dry_id)

    for refused in (pressed, sent):
        assert refused.status_code == 409
        assert f"What the dry run {dry_id} showed is done: the run {real_id} came after it" in words(refused.text)
    assert await last_of(here) == real_id
    assert "Make these changes" in before
    assert "nothing of this dry run is left to make" in words(after)
    assert f'href="/runs/{real_id}"' in after
    assert "Make the" not in words(after)


async def test_a_run_is_taken_back(here: Beside, world: World) -> None:
    """Only after its preview, whose numbers stand on the button; what is overtaken is left, and what is done told."""
    run_id = await here.run()
    early = await send(here, f"/runs/{run_id}/undo")
    before = words(await page(here, f"/runs/{run_id}/undo"))
    world.radarr.untag_by_hand(1000, "kai-noir")
    looked = await send(here, f"/runs/{run_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "done")
    preview = await page(here, f"/runs/{run_id}/undo")
    between = world.numbers("kai-noir")
    taken = await send(here, f"/runs/{run_id}/undo")
    await here.daemon.runs.ended()
    undo_id = await last_of(here)
    after, undo = words(await page(here, f"/runs/{run_id}")), words(await page(here, f"/runs/{undo_id}"))
    back = await page(here, f"/runs/{run_id}/undo")
    twice = await send(here, f"/runs/{run_id}/undo")
    last = words(await page(here, "/runs"))

    assert (early.status_code, "Look at it first." in words(early.text)) == (422, True)
    assert "This run made 3 changes. First look what taking them back would do" in before
    assert looked.headers["location"] == f"/runs/{run_id}/undo"
    assert "2 changes would be made taken out again 2 put in again 0 left alone 1" in words(preview)
    assert "What is taken back is pinned" in words(preview)
    assert "Movie 0 (1950)" in words(preview).partition("Left alone, since something else has changed it")[2]
    assert "Take 2 changes back" in words(preview)
    assert between == {1, 2}
    assert taken.headers["location"] == "/?done=started"
    assert world.numbers("kai-noir") == set()
    assert "This run was taken back today" in after
    assert "Take back…" not in after
    assert f"It took back the run {run_id} . What was taken back is pinned." in undo
    assert "took back 2 removed" in last
    for text in (back, twice.text):
        assert f"This run has been taken back already, by the run {undo_id} , today" in words(text)
        assert f'href="/runs/{undo_id}"' in text
        assert "would be made" not in text
        assert "Take 2 changes back" not in text
        assert "Look " not in words(text).partition("Take this run back")[2]
    assert (twice.status_code, await last_of(here)) == (409, undo_id)


async def test_pins_of_yours_that_an_undo_replaces_are_named(here: Beside) -> None:
    """A run carried out an answer: before it is taken back, the page names the pin, whose it is, and what follows."""
    await here.run()
    heat, other = movie_key(1005), movie_key(1000)
    await here.client.put(f"/api/v1/pins/noir/{heat}", json={"include": True, "by": "anna"})
    await here.client.put(f"/api/v1/pins/noir/{other}", json={"include": False})
    run_id = await here.run()
    await here.client.delete(f"/api/v1/pins/noir/{other}")
    await send(here, f"/runs/{run_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "done")
    text = await page(here, f"/runs/{run_id}/undo")
    named = part(text, "Pins of yours that are replaced")
    over_api = (await here.client.post(f"/api/v1/runs/{run_id}/undo", json={"dry_run": True})).json()

    assert "left alone 0 pins of yours replaced 1" in words(text)
    assert "Taking this run back pins the opposite in place of this pin" in named
    assert "Movie 5 (1955) pinned in Noir, by anna by the API" in named
    assert "Movie 0" not in named
    assert "Pins of yours that stay" not in text
    assert [(pin["key"], pin["by"]) for pin in over_api["replaced_pins"]] == [(heat, "anna")]


async def test_a_pin_of_yours_that_stays_is_named(here: Beside) -> None:
    """To take an undo back releases its own pins. One that you have made since stays, and the page says so."""
    run_id = await here.run()
    await send(here, f"/runs/{run_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "done")
    await send(here, f"/runs/{run_id}/undo")
    await here.daemon.runs.ended()
    undo_id = await last_of(here)
    await here.client.put("/api/v1/pins/noir/movie:1000", json={"include": False})
    await send(here, f"/runs/{undo_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "done")
    text = await page(here, f"/runs/{undo_id}/undo")

    assert "It says the opposite of what is taken back" in part(text, "Pins of yours that stay")
    assert "Movie 0 (1950)" in part(text, "Pins of yours that stay")
    assert "Movie 1 (1951)" not in part(text, "Pins of yours that stay")
    assert "are replaced" not in text


async def test_a_preview_of_before_another_run_says_so(here: Beside, world: World) -> None:
    """What another run has changed since may be other than the preview says; a new one is of now."""
    run_id = await here.run()
    await send(here, f"/runs/{run_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "done")
    fresh = words(await page(here, f"/runs/{run_id}/undo"))
    world.believe("Noir", range(2))
    await here.run(force_refresh=True)
    stale = words(await page(here, f"/runs/{run_id}/undo"))
    await send(here, f"/runs/{run_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "done")
    again = words(await page(here, f"/runs/{run_id}/undo"))

    assert "A run has ended since this was looked at" not in fresh + again
    assert "A run has ended since this was looked at" in stale


async def test_a_run_that_was_taken_back_in_part(here: Beside, world: World) -> None:
    """Where the undo met a fault, the page says that it did not end well, and offers to look what it has left."""
    world.collections(block("Noir"), block("Heist"))
    world.believe("Heist", [5])
    run_id = await here.run()
    await send(here, f"/runs/{run_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "done")
    world.radarr.faults.inject(answer(400), path="*/movie/editor", times=None, skip=1)
    await send(here, f"/runs/{run_id}/undo")
    await here.daemon.runs.ended()
    undo_id = await last_of(here)
    text = await page(here, f"/runs/{run_id}/undo")
    refused = await send(here, f"/runs/{run_id}/undo")
    world.radarr.faults.clear()
    await send(here, f"/runs/{run_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "done")
    rest = words(await page(here, f"/runs/{run_id}/undo"))
    await send(here, f"/runs/{run_id}/undo")
    await here.daemon.runs.ended()

    assert f"This run has been taken back already, by the run {undo_id}" in words(text)
    assert "That run did not end well: look what it has left." in words(text)
    assert "Look what would change" in words(text)
    assert "There is nothing left to do." not in words(text)
    assert refused.status_code == 409
    assert await last_of(here) != undo_id
    assert "That run did not end well" not in rest
    assert re.search(r"Take \d changes? back", rest)
    assert (world.numbers("kai-noir"), world.numbers("kai-heist")) == (set(), set())


async def test_what_cannot_be_taken_back(here: Beside, world: World) -> None:
    """A run that changed nothing; Radarr down; one that was taken back already; while a run is on."""
    run_id = await here.run()
    quiet = await here.run()
    nothing = await send(here, f"/runs/{quiet}/preview")
    world.radarr.faults.inject(answer(401), path="*", times=None)
    await send(here, f"/runs/{run_id}/preview")
    await until(lambda: here.daemon.looks.last("undo").status == "failed")
    failed = words(await page(here, f"/runs/{run_id}/undo"))
    other = words(await page(here, f"/runs/{quiet}/undo"))
    world.radarr.faults.clear()
    for _ in range(2):
        await send(here, f"/runs/{run_id}/preview")
        await until(lambda: here.daemon.looks.last("undo").status == "done")
        await send(here, f"/runs/{run_id}/undo")
        await here.daemon.runs.ended()
    done = words(await page(here, f"/runs/{run_id}/undo"))

    assert (nothing.status_code, f"The run {quiet} changed nothing." in words(nothing.text)) == (422, True)
    assert "Radarr" in failed
    assert "Look what would change" in failed
    assert "Radarr refuses" not in other
    assert "This run has been taken back already, by the run" in done
    assert "There is nothing left to do." in done
    assert "Take 3 changes back" not in done


async def test_while_the_libraries_are_read(here: Beside, world: World) -> None:
    """The page asks again by itself; a second look has to wait."""
    run_id = await here.run()
    world.radarr.faults.inject(answer(503), path="*", times=None)
    await send(here, f"/runs/{run_id}/preview")
    text = await page(here, f"/runs/{run_id}/undo")
    second = await send(here, f"/runs/{run_id}/preview")

    assert '<meta http-equiv="refresh" content="2">' in text
    assert "The libraries are being read." in words(text)
    assert second.status_code == 409


async def test_a_large_run_is_a_small_page(here: Beside) -> None:
    """Of long lists forty titles are shown, and sixty to tick, with a link to all; of many lists two of each."""
    big = CollectionReport(name="Big", slug="big", tag="kai-big", members=3000, added=lines(3000), held_back=lines(700))
    report = report_with(big, problems=(Problem(what="It is so.", remedy="Change it.", source="state"),))
    history.keep(here.daemon.settings.state_dir, report)
    text = await page(here, f"/runs/{report.run_id}")
    second = await page(here, f"/runs/{report.run_id}/list?collection=big&side=added&page=2")
    held = await page(here, f"/runs/{report.run_id}/list?collection=big&side=held_back&page=2&ask=let-big-held_back")
    beyond = words(await page(here, f"/runs/{report.run_id}/list?collection=big&side=removed"))
    many = [CollectionReport(name=f"C{n}", slug=f"c{n}", tag="kai", members=9, added=lines(60)) for n in range(100)]
    twenty = msgspec.structs.replace(report_with(*many[:20]), run_id="20260301-030000-aaaa")
    history.keep(here.daemon.settings.state_dir, twenty)

    assert len(text) < 80_000
    assert len(await page(here, f"/runs/{twenty.run_id}")) < 40_000
    assert text.count('<li class="change">') == 40
    assert text.count('name="movies"') == 60
    assert "All 3,000" in words(text)
    assert "All 700 to tick" in words(text)
    assert "It is so." in part(text, "Problems")
    assert "Movie 60 (1999)" in words(second)
    assert 'aria-label="Page 50"' in second
    assert held.count('name="movies"') == 200
    assert "Nothing stands here." in beyond
    assert [len(each.lists[0].lines) for each in shown_run(report_with(*many)).collections] == [2] * 100


async def test_every_list_of_a_run(here: Beside) -> None:
    """What waits for a person, what a library did not confirm, what hands have pinned; orphans, audits, dry undos."""
    until_then = WHEN + timedelta(days=7)
    waits = (MovieLine(title="W", year=2000, key=movie_key(9), until=until_then, libraries=("radarr-4k",)),)
    every = CollectionReport(
        name="Every",
        slug="every",
        tag="kai-every",
        members=1,
        in_review=waits,
        in_review_additions=waits,
        failed=lines(1, "F"),
        pinned_in=lines(1, "In"),
        pinned_out=lines(1, "Out"),
    )
    report = report_with(every, outcome="interrupted", exit_code=130, unclear_requests=1)
    waiting = msgspec.structs.replace(report_with(), run_id="20260302-030000-abcd", outcome="waiting")
    for each in (report, waiting):
        history.keep(here.daemon.settings.state_dir, each)
    text = await page(here, f"/runs/{report.run_id}")
    read = part(text, "Every")

    assert "1 additions that wait for you W (2000) (radarr-4k) until 2026-03-08" in read
    assert "1 not confirmed by the library F 0 (1999) so it is" in read
    assert "1 pinned in, since a person put the tag on In 0 (1999)" in read
    assert "Decide in review" in read
    assert "What it had done is kept, and the next run goes on from there." in words(text)
    assert "cost at least $0.00" in words(text)
    assert "are with Anthropic; a run goes on by itself" in words(await page(here, f"/runs/{waiting.run_id}"))


async def test_hostile_texts(here: Beside) -> None:
    """Titles and reasons with markup and bidi marks are text."""
    odd = "<script>alert(1)</script> \u202egnp"
    line = MovieLine(title=odd, year=1999, key=movie_key(1), reason=f"{odd}\n\x07{{{{ 7 * 7 }}}}")
    collection = CollectionReport(name=odd, slug="odd", tag="kai-odd", members=1, added=(line,), held_back=(line,))
    report = report_with(collection, problems=(Problem(what=odd, remedy=odd, source=odd, collection=odd),))
    history.keep(here.daemon.settings.state_dir, report)
    for path in ("", "/list?collection=odd&side=added", "/list?collection=odd&side=held_back"):
        text = await page(here, f"/runs/{report.run_id}{path}")

        assert "<script>alert" not in text
        assert "\u202e" not in text
        assert "\x07" not in text
        assert "{{ 7 * 7 }}" in text


def test_a_run_in_words() -> None:
    """How it ended, what it was about, and to which lists it belongs."""
    failed = summary(outcome="model unusable", exit_code=4)
    interrupted = summary(outcome="interrupted", added=2, removed=1)
    held = summary(held_back=3, problems=1, only_movies=2, only_collections=("A", "B", "C"))
    undo = summary(kind="undo", undoes="0", removed=1)

    assert outcome_of(failed) == "the model could not be used"
    assert outcome_of(interrupted) == "interrupted; 2 added, 1 removed"
    assert outcome_of(held) == "no changes; 3 held back; 1 problem"
    assert outcome_of(summary(dry_run=True, added=1)) == "1 would be added"
    assert told(held, {"1": "webhook"})[1:] == (
        "warning",
        "no changes; 3 held back; 1 problem",
        "2 titles in 3 collections",
        "for what is new in a library",
    )
    assert [told(run, {}).sign for run in (failed, interrupted, summary())] == ["error", "wait", "good"]
    assert [belongs_to(failed, show) for show in ("all", "changed", "problems", "dry")] == [True, False, True, False]
    assert undone_by("0", [undo]) is undo
    assert undone_by("1", [undo]) is None
    dry = summary(dry_run=True, only_collections=("Noir",))
    for later, does in (
        ({}, True),
        ({"only_collections": ("Noir", "Heist")}, True),
        ({"only_collections": ("Heist",)}, False),
        ({"only_movies": 1}, False),
        ({"dry_run": True}, False),
        ({"exit_code": 1}, False),
        ({"held_back": 1}, False),
    ):
        assert (overtaken_by("1", [dry, summary(run_id="2", **later)]) is not None) == does
    assert overtaken_by("1", [summary(run_id="2"), dry]) is None


def test_problems_with_one_cause_are_one() -> None:
    """What many collections have is said once, with their names."""
    same = [Problem(what="w", remedy="r", source="a.yml", line=n, collection=f"C{n}") for n in range(1, 31)]
    first, other = shown_problems([*same, Problem(what="x", remedy="r")])

    assert first.problem.where == "a.yml:1, 2, 3, 4, 5 and 25 more"
    assert (len(first.collections), first.more) == (20, 10)
    assert other.collections == []


def test_nothing_needs_anybody() -> None:
    """No service, collection or run; and one decision, one report."""
    assert needs([], [], [], None, review=0, undelivered=0) == []
    one = needs([], [], [], told(summary(dry_run=True, outcome="interrupted"), {}), review=1, undelivered=1)
    assert [each.what for each in one] == ["1 case to review.", "1 report could not be delivered yet."]
