"""The page of another threshold: bars, counts, names and the line to copy, in each state of a collection."""

from __future__ import annotations

import asyncio
import html
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.decision import reaches
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import CollectionKey
from kometa_ai.jobs.whatif import LibraryTags, Title, WhatIf
from kometa_ai.judging.whatif import STEPS, Step
from kometa_ai.web.pages import foresight
from tests.run.world import World, block

if TYPE_CHECKING:
    from tests.daemon.living import Beside

PAGE = "/collections/noir/threshold"
HTML = {"Accept": "text/html"}
COUNTS = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=STEPS, max_size=STEPS)


def _steps(counts: list[tuple[int, int]]) -> list[Step]:
    return [Step(at / (STEPS - 1), *pair) for at, pair in enumerate(counts)]


async def _page(here: Beside, path: str = PAGE, status: int = 200, **query: str) -> str:
    """The text of a page as a reader has it: without tags, on one line."""
    return _text(await _html(here, path, status, **query))


async def _html(here: Beside, path: str = PAGE, status: int = 200, **query: str) -> str:
    answer = await here.client.get(path, params=query, headers=HTML)
    assert answer.status_code == status, answer.text
    return answer.text


def _text(source: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source)).split())


@pytest.fixture
def judged(world: World) -> World:
    """Three are in, one would be at 0.6; one is pinned in and one decided by a tag."""
    world.collections(block("Noir", include_movies="[tmdb:1010]", exclude_tags="[kids]"))
    world.radarr.tag_by_hand(1011, "kids")
    world.believe("Noir", [5], 0.6)
    world.run()
    world.claude.forget()
    return world


async def test_as_it_is_now(judged: World, here: Beside) -> None:
    """Without a threshold to try, the page shows how it is: the bars, and how many are in. No change is named."""
    shown = await _html(here)

    assert "At 0.70, as it is now: 4 are in." in _text(shown)
    assert 'data-included="0,0,0,0,0,0,0,0,0,0,0,0,1,0,0,0,0,0,0,3,0"' in shown
    assert 'data-base="1"' in shown
    assert "Would enter" not in shown
    assert not judged.claude.requests


async def test_who_would_enter(judged: World, here: Beside) -> None:
    """At another threshold: the counts first, then the names, and the line to copy with its place."""
    before = judged.numbers("kai-noir")

    shown = await _html(here, at="0.6")
    text = _text(shown)

    assert "At 0.60: 5 would be in (now 4). 1 would enter, none would leave." in text
    assert "1 pinned and 1 decided by a tag stay as they are." in text
    assert 'href="/movies/movie:1005">Movie 5<' in shown
    assert "Above line 4 of movies.yml:" in text
    assert "# confidence_threshold: 0.6" in shown
    assert "The next run does it and asks nothing for it. After an edit of the block the brake does not hold." in text
    assert judged.numbers("kai-noir") == before


async def test_what_is_written_is_replaced(world: World, here: Beside) -> None:
    """Where the threshold stands in the block already, its line is replaced; those who would leave have a reason."""
    world.collections(block("Noir", confidence_threshold=0.7))
    world.believe("Noir", [5], 0.75)
    await asyncio.to_thread(world.run)

    text = await _page(here, at="0,9")

    assert "At 0.90: 3 would be in (now 4). None would enter, 1 would leave." in text
    assert "In place of line 6 of movies.yml:" in text


@pytest.mark.parametrize("at", ["1.01", "-0.1", "nan", "inf", "much", "<script>alert(1)</script>", "9" * 300])
async def test_what_is_no_threshold(judged: World, here: Beside, at: str) -> None:
    """The page says so, keeps what was typed, and shows the present threshold."""
    shown = await _html(here, status=422, at=at)

    assert "That is no threshold." in shown
    assert f'value="{html.escape(at)}"' in shown
    assert "as it is now: 4 are in." in shown
    assert "<script>alert" not in shown
    assert judged.numbers("kai-noir")


async def test_nothing_judged(world: World, here: Beside) -> None:
    """Where no verdict decides, there are no bars, and the page says what would bring some."""
    await asyncio.to_thread(world.run, max_cost=0.0)

    shown = await _html(here)

    assert "No verdict decides here yet." in shown
    assert "data-whatif" not in shown
    assert "12 movies without a verdict of now" in await _page(here, at="0.5")


async def test_an_older_prompt(judged: World, here: Beside) -> None:
    """Verdicts of another prompt do not decide: the page says how many are judged anew first."""
    judged.collections(block("Noir", "Dark, and old."))

    text = await _page(here)

    assert "10 of another prompt, judged anew first" in text
    assert "All verdicts are of another prompt." in text


async def test_second_looks_that_become_due(world: World, here: Beside) -> None:
    """Where a run at that threshold would ask, the page does not promise that it asks nothing."""
    world.collections(block("Noir", confidence_threshold=0.7), block("Dark", "Dark.", include_tags="[kai-noir]"))
    world.believe("Noir", [5], 0.6)
    await asyncio.to_thread(world.run)

    text = await _page(here, at="0.99")

    assert "What follows elsewhere" in text
    assert "Dark : 0 would enter, 3 would leave" in text or "Dark : 0 would enter, 0 would leave, 3 movies" in text


async def test_collections_that_take_no_part(judged: World, here: Beside) -> None:
    """One that is off, skipped or gone says why; there is nothing to try. One that there never was is not found."""
    judged.collections(
        block("Noir").replace("enabled: true", "enabled: false"),
        block("Heist", confidence_threshold=75),
    )

    off, skipped = await _page(here), await _page(here, "/collections/heist/threshold", at="0.5")
    judged.collections(block("Other"))
    await here.daemon.indexer.newest()
    gone = await _page(here)

    assert "It is switched off" in off
    assert "skipped because of a problem" in skipped
    assert "no longer in Kometa's folder" in gone
    assert all("There is nothing to try here yet" in text for text in (off, skipped, gone))
    assert "There is no collection 'nothing'" in await _page(here, "/collections/nothing/threshold", 404)


async def test_a_folder_that_is_gone(judged: World, here: Beside) -> None:
    """Where Kometa's folder cannot be read when the lines are made, the page says so in place."""
    await _page(here)
    judged.kometa.rename(judged.folder / "elsewhere")

    text = await _page(here, status=422, at="0.6")

    assert "Kometa's folder cannot be read" in text


async def test_a_block_in_another_form(judged: World, here: Beside) -> None:
    """Where no line can be proved to do it, the page says what to write by hand."""
    judged.collections(block("Noir"), file="b.yml")
    (judged.kometa / "movies.yml").write_text(
        "collections:\n  # === KOMETA-AI ===\n  # enabled: true\n  # prompt: All about Noir.\n"
        '  # confidence_threshold: &t 0.7\n  # priority: 0\n  # === END KOMETA-AI ===\n  "Noir":\n    sync_mode: sync\n'
    )

    text = await _page(here, at="0.6")

    assert "The block stands in 2 files, and all must say the same." in text


async def test_hostile_titles(world: World, here: Beside) -> None:
    """Names are data: a title is escaped."""
    world.radarr.update_movie(1005, title="<img src=x> \u202eevil")
    world.truth["Noir"]["<img src=x> evil"] = 0.6
    await asyncio.to_thread(world.run)

    shown = await _html(here, at="0.6")

    assert "&lt;img src=x&gt; evil" in shown
    assert "<img src=x>" not in shown


# The pure parts


def _found(**fields: Any) -> WhatIf:
    """A preview in which nothing moves."""
    return WhatIf(
        **{
            "collection": "Noir",
            "key": CollectionKey("noir"),
            "kind": "movie",
            "tag": "kai-noir",
            "threshold_now": 0.7,
            "threshold": 0.75,
            "members_now": 59,
            "members": 52,
            "enters": (),
            "leaves": (Title(key=movie_key(1), title="Laura", year=1944),),
            "pinned_in": 0,
            "pinned_out": 0,
            "in_by_tag": 0,
            "out_by_tag": 0,
            "second_looks": 0,
            "asks": 0,
            "undecided": {},
            "histogram": (),
            "libraries": (),
            "follow": (),
            "lines": (),
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("fields", "stays"),
    [
        ({}, ""),
        ({"pinned_in": 2, "pinned_out": 1, "out_by_tag": 2}, " 3 pinned and 2 decided by a tag stay as they are."),
        ({"pinned_in": 1}, " 1 pinned stays as it is."),
        ({"in_by_tag": 1200}, " 1,200 decided by a tag stay as they are."),
    ],
)
def test_sentences(fields: dict[str, int], stays: str) -> None:
    """How many would be in, enter, leave, and which no threshold moves."""
    said = foresight.sentence(_found(**fields))

    assert said == f"At 0.75: 52 would be in (now 59). None would enter, 1 would leave.{stays}"


def test_what_the_next_run_does() -> None:
    """Questions, a person's say, and verdicts that are missing are named where there are any."""
    library = LibraryTags(library="radarr", title="Radarr", tagged=59, to_add=0, to_remove=5, held_back=0, in_review=2)

    plain = foresight.next_run(_found())
    full = foresight.next_run(_found(asks=1, undecided={"new": 3, "movie changed": 1}, libraries=(library,)))

    assert plain == (
        "The next run does it and asks nothing for it.",
        "After an edit of the block the brake does not hold.",
    )
    assert full == (
        "The next run does it, and asks 1 question for it.",
        "After an edit of the block the brake does not hold.",
        "2 changes would wait for a person first, as REVIEW says.",
        "4 movies without a verdict of now stay as they are until they are asked about.",
    )


@given(COUNTS)
def test_bars_stay_in_the_drawing(counts: list[tuple[int, int]]) -> None:
    """No bar is higher than the drawing; what says "belongs" is never cut; each that holds something can be seen."""
    drawn = foresight.bars_of(_steps(counts))

    assert len(drawn.bars) == STEPS
    for bar in drawn.bars:
        assert 0 <= bar.others_y <= bar.included_y <= foresight.HEIGHT
        assert bool(bar.included) == (bar.included_height > 0)
        assert bar.is_cut or bool(bar.others) == (bar.others_height > 0)
        assert 0 <= bar.x < bar.x + bar.width <= drawn.width


@given(st.floats(0, 1), COUNTS)
def test_the_line_parts_those_that_reach_it(threshold: float, counts: list[tuple[int, int]]) -> None:
    """Bars right of a threshold's line are those whose verdicts reach it."""
    edge = foresight.edge_of(threshold)

    for bar in foresight.bars_of(_steps(counts)).bars:
        assert (bar.x > edge) == reaches(bar.confidence, threshold)


@pytest.mark.parametrize(
    ("text", "threshold"),
    [("0.75", 0.75), (" 0,75 ", 0.75), ("1", 1.0), ("0", 0.0), ("", None), ("1.1", None), ("nan", None), ("x", None)],
)
def test_thresholds_as_typed(text: str, threshold: float | None) -> None:
    """A comma is as good as a point; what is no number from 0 to 1 is none."""
    assert foresight.threshold_of(text) == threshold


def test_steps_are_those_of_the_preview() -> None:
    """The drawing has a slot for each of the preview's steps."""
    assert foresight.bars_of(_steps([(0, 0)] * STEPS)).is_empty
    assert foresight.Bars(()).width == foresight.SLOT * STEPS
    assert msgspec.structs.astuple(Step(0.5, 1, 2)) == (0.5, 1, 2)
