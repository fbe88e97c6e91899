"""What `--what-if` foretells is what a run does once the threshold was changed in the file."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from kometa_ai.app import session_of
from kometa_ai.core.options import Options
from kometa_ai.errors import CheckLibrary, FixUsage
from kometa_ai.jobs.whatif import WhatIf, Wish, parse, what_if
from kometa_ai.kometa.checking.corrections import applied
from kometa_ai.standins.claude_answers import REFUSED
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from kometa_ai.jobs.whatif import Title
    from kometa_ai.run.parts import Parts
    from kometa_ai.run.watching import Observer
    from kometa_ai.state.store import Store

COUNT = 42
NAMES = ("Noir", "Neo", "Bright", "Else")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Movies of every confidence for Noir, with pins and tags; Neo takes in what Noir has, Bright keeps it out."""
    seeds = movies(COUNT)
    seeds[3] = movies(4, tags=("classic",))[3]
    with World(tmp_path, seeds) as made:
        for number in range(COUNT):
            made.believe("Noir", [number], number % 21 / 20)
            made.believe("Bright", [number], 0.9)
        made.collections(*map(block, NAMES))
        made.run()
        made.collections(
            block("Noir", include_movies="[tmdb:1001]", exclude_movies="[tmdb:1020]", include_tags="[classic]"),
            block("Neo", include_tags="[kai-noir]"),
            block("Bright", exclude_tags="[kai-neo]"),
            block("Else"),
        )
        made.run()
        made.claude.forget()
        yield made


def ask(world: World, threshold: float, name: str = "Noir") -> WhatIf:
    """The preview, at the world's time."""
    session = session_of(world.settings)

    @asynccontextmanager
    async def open_parts(store: Store, observer: Observer | None, *, patient: bool = False) -> AsyncIterator[Parts]:
        async with session.open_parts(store, observer, patient=patient) as parts:
            yield msgspec.structs.replace(parts, now=lambda: world.now)

    session_then = msgspec.structs.replace(session, open_parts=open_parts)
    return asyncio.run(what_if(session_then, Options(), Wish(name, threshold)))


def numbers(titles: Sequence[Title]) -> set[int]:
    """The numbers of the movies."""
    return {int(title.title.split()[1]) for title in titles}


def edit(world: World, found: WhatIf) -> None:
    """Make the corrections in the files."""
    for lines in found.lines:
        path = world.kometa / lines.source
        assert lines.correction
        path.write_text(applied(path.read_text(), lines.correction))


def tags(world: World) -> dict[str, set[int]]:
    """The members of each collection, by their tags in Radarr."""
    return {name: world.numbers(f"kai-{name}") for name in map(str.lower, NAMES)}


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.65, 0.75, 0.9, 1.0])
def test_the_run_does_what_was_foretold(world: World, threshold: float) -> None:
    """The run after the edit changes exactly what was foretold, in the followers too, asks nothing, and is not held."""
    before = tags(world)
    found = ask(world, threshold)
    assert tags(world) == before
    edit(world, found)
    report = world.run()

    assert not world.claude.requests
    after = tags(world)
    foretold = {"noir": (found.enters, found.leaves)} | {each.key: (each.enters, each.leaves) for each in found.follow}
    for name, members in after.items():
        enters, leaves = foretold.get(name, ((), ()))
        assert members - before[name] == (numbers(enters) if not held(found, name) else set())
        assert before[name] - members == (numbers(leaves) if not held(found, name) else set())
    assert len(after["noir"]) == found.members
    assert len(before["noir"]) == found.members_now
    assert (found.second_looks, found.asks, found.undecided) == (0, 0, {})
    (library,) = found.libraries
    assert (library.to_add, library.to_remove, library.held_back) == (len(found.enters), len(found.leaves), 0)
    assert sum(each.held_back for each in found.follow) == sum(len(each.held_back) for each in report.collections)


def held(found: WhatIf, name: str) -> bool:
    """Whether it was foretold that the brake holds changes of this collection."""
    return any(each.held_back for each in found.follow if each.key == name)


def test_the_present_threshold_changes_nothing(world: World) -> None:
    """At the threshold that it has, nothing enters or leaves, and there are no lines to copy."""
    found = ask(world, 0.7)

    assert (found.enters, found.leaves, found.follow, found.lines) == ((), (), (), ())
    assert found.members == found.members_now == len(world.numbers("kai-noir"))
    assert (found.pinned_in, found.pinned_out, found.in_by_tag, found.out_by_tag) == (1, 1, 1, 0)
    assert [step.confidence for step in found.histogram] == [pytest.approx(step / 20) for step in range(21)]
    # Of 42 movies, two of each confidence, three are decided by pins and the tag.
    assert sum(step.included + step.others for step in found.histogram) == COUNT - 3
    assert found.histogram[14].included == 2
    assert found.histogram[5].others == 2


def test_open_questions(world: World) -> None:
    """Movies that were never judged are told, and stay as they are; so are those that a rule no longer decides."""
    world.radarr.add_movie(movies(COUNT + 1)[-1])
    world.collections(block("Noir"), block("New", include_tags="[kai-noir]"))
    world.claude.queue_style(REFUSED, times=None, when=lambda request: request.collection_name == "New")
    world.run()
    world.claude.forget()

    found = ask(world, 0.75)

    assert found.undecided == {}
    assert found.second_looks == 0
    (new,) = found.follow
    assert (found.asks, new.asks, new.enters, new.leaves) == (2, 2, (), ())
    assert not world.claude.requests


def test_changes_that_wait_for_a_person(world: World) -> None:
    """Where REVIEW lets changes near the threshold wait, the preview says so, and the run lets them wait."""
    world.change(review="all")
    found = ask(world, 0.65)
    before = tags(world)["noir"]
    edit(world, found)

    world.run()

    (library,) = found.libraries
    assert library.in_review == len(found.enters) > 0
    assert library.to_add == library.to_remove == 0
    assert tags(world)["noir"] == before


def test_nothing_was_judged(world: World) -> None:
    """Before a first run all is open, and nothing is foretold but what pins and tags decide."""
    world.collections(block("Fresh", include_movies="[tmdb:1001]"))

    found = ask(world, 0.5, "Fresh")

    assert (found.members, found.enters) == (1, ())
    assert (found.undecided, found.asks) == ({"new": COUNT - 1}, 0)


def test_second_looks_that_are_due(world: World) -> None:
    """A second look that an earlier run could not afford is told: the first verdict counts in the preview."""
    world.collections(block("Late"))
    world.believe("Late", range(5), 0.65)
    world.claude.queue_style(REFUSED, times=None, when=lambda request: "second look" in request.collection_text)
    world.run()

    found = ask(world, 0.6, "Late")

    assert (found.second_looks, found.asks) == (5, 0)
    assert numbers(found.enters) == set(range(5))
    assert all(title.waits for title in found.enters)
    assert ask(world, 0.9, "Late").second_looks == 0


def test_names_and_numbers(world: World) -> None:
    """A wish is a name, or a tag, and a number; what is neither says so, and which names there are."""
    assert parse("A=B = 0.65") == Wish("A=B", 0.65)
    assert ask(world, 0.7, "KAI-noir").collection == "Noir"
    for wrong, why in (
        ("Noir", "names no collection and threshold"),
        ("=0.5", "names no collection"),
        ("Noir=0,65", "'0,65' is no threshold"),
        ("Noir=nan", "is no threshold"),
        ("Noir=1.01", "is no threshold"),
    ):
        with pytest.raises(FixUsage, match=why):
            parse(wrong)
    with pytest.raises(FixUsage) as unknown:
        ask(world, 0.7, "Nior")
    assert "There are: Bright, Else, Neo, Noir." in str(unknown.value)


def test_a_silent_library(world: World) -> None:
    """A library that does not answer is an error where it is the only one."""
    world.change(radarr_url="http://127.0.0.1:9")

    with pytest.raises(CheckLibrary):
        ask(world, 0.7)
