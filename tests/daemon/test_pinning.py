from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.choice import Dismissal, Pin
from kometa_ai.core.item import movie_key, show_key
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.daemon.pinning import MOST, ListChanged, Whole
from kometa_ai.errors import FixUsage
from kometa_ai.state.choices import ChoicesFile
from tests.daemon.living import daemon_beside
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from kometa_ai.core.choice import Choices
    from kometa_ai.daemon.pinning import Pinning
    from tests.daemon.living import Beside

NOIR = CollectionKey("noir")
KEYS = [movie_key(1000 + number) for number in range(12)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies, three of which are noir, one of them by its block, which keeps another one out."""
    with World(tmp_path, movies(12)) as made:
        made.collections(block("Noir", include_movies="[tmdb:1000]", exclude_movies="[tmdb:1005]"))
        made.believe("Noir", range(3))
        made.run()
        yield made


@pytest.fixture
async def here(world: World) -> AsyncIterator[Beside]:
    """A daemon beside the test."""
    async with daemon_beside(world) as made:
        yield made


@pytest.fixture
def pinning(here: Beside) -> Pinning:
    """Its bulk pins."""
    return here.daemon.pinning


def _kept(world: World) -> Choices:
    return ChoicesFile(world.state_dir).read()


async def test_many_items_are_pinned_with_their_verdicts_and_who_did_it(pinning: Pinning, world: World) -> None:
    """Those that no library holds, or of another kind, are left out; the index shows the pins at once."""
    chosen = await pinning.choose(NOIR, [KEYS[1], KEYS[7], movie_key(99), show_key(1)], "out", by="anna")
    pins = _kept(world).pins

    assert (chosen.choice, chosen.changed, chosen.in_block) == ("out", 2, 0)
    assert [(pin.key, pin.include, pin.origin, pin.by, pin.title) for pin in pins] == [
        (KEYS[1], False, "page", "anna", "Movie 1 (1951)"),
        (KEYS[7], False, "page", "anna", "Movie 7 (1957)"),
    ]
    assert pins[0].said is not None
    assert (pins[0].said.include, pins[0].said.confidence) == (True, 0.95)
    assert len({pin.since for pin in pins}) == 1


async def test_a_pin_that_is_there_keeps_its_maker(pinning: Pinning, world: World) -> None:
    """To pin in what is pinned in changes nothing, and there is nothing to take back."""
    await pinning.choose(NOIR, [KEYS[3]], "in", by="anna")
    again = await pinning.choose(NOIR, [KEYS[3]], "in", by="ben")

    assert (again.changed, again.id) == (0, "")
    assert [pin.by for pin in _kept(world).pins] == ["anna"]


async def test_the_block_wins_and_that_is_told(pinning: Pinning) -> None:
    """Of two that are pinned in, the block keeps one out."""
    chosen = await pinning.choose(NOIR, [KEYS[4], KEYS[5]], "in", by="")

    assert (chosen.changed, chosen.in_block) == (2, 1)


async def test_a_choice_is_taken_back_with_what_was_there_before(pinning: Pinning, world: World) -> None:
    """Pins that were replaced and a dismissal come back, but not where somebody has chosen otherwise since."""
    file = ChoicesFile(world.state_dir)
    old = Pin(key=KEYS[1], slug=Slug("noir"), include=False, since=world.now, origin="review")
    left = Dismissal(
        key=KEYS[2], slug=Slug("noir"), kind="close call", metadata_hash="m", prompt_hash="p", at=world.now
    )
    file.change(lambda choices: type(choices)(pins=(old,), dismissals=(left,)))
    chosen = await pinning.choose(NOIR, KEYS[1:4], "in", by="anna")
    assert pinning.can_take_back(chosen.id)
    await pinning.choose(NOIR, [KEYS[3]], "out", by="ben")

    assert await pinning.take_back(chosen.id) == 2
    now = _kept(world)
    assert {(pin.key, pin.include, pin.origin) for pin in now.pins} == {
        (KEYS[1], False, "review"),
        (KEYS[3], False, "page"),
    }
    assert now.dismissals == (left,)
    with pytest.raises(FixUsage, match="any more"):
        await pinning.take_back(chosen.id)


async def test_pins_are_released_and_that_too_is_taken_back(pinning: Pinning, world: World) -> None:
    """Only pins of this collection go; where there was none, nothing has changed."""
    other = Pin(key=KEYS[1], slug=Slug("heist"), include=True, since=world.now)
    ChoicesFile(world.state_dir).change(lambda choices: choices.with_pins(other))
    await pinning.choose(NOIR, KEYS[1:3], "out", by="")
    released = await pinning.choose(NOIR, KEYS[1:5], "release", by="")

    assert released.changed == 2
    assert _kept(world).pins == (other,)
    assert await pinning.take_back(released.id) == 2
    assert len(_kept(world).pins) == 3


async def test_a_whole_list_is_pinned_if_it_is_still_as_long(pinning: Pinning, world: World) -> None:
    """All members are pinned with one write; a list of another length is refused, and nothing is written."""
    with pytest.raises(ListChanged, match="had 4 movies"):
        await pinning.choose(NOIR, Whole("members", "", 4), "in", by="")
    assert _kept(world).pins == ()

    chosen = await pinning.choose(NOIR, Whole("members", "movie 1", 1), "in", by="")
    assert (chosen.changed, [pin.key for pin in _kept(world).pins]) == (1, [KEYS[1]])


@pytest.mark.parametrize(
    ("key", "wanted", "said"),
    [
        ("noir", [], "No movie was selected"),
        ("noir", [movie_key(number) for number in range(1, MOST + 2)], "501 movies are too many"),
        ("heist", [KEYS[0]], "takes part"),
    ],
)
async def test_what_cannot_be_chosen_is_refused(pinning: Pinning, key: str, wanted: list[str], said: str) -> None:
    """Nothing, too many, and a collection that there is not."""
    with pytest.raises(FixUsage, match=said):
        await pinning.choose(CollectionKey(key), wanted, "in", by="")  # type: ignore[arg-type]


async def test_only_the_last_choices_can_be_taken_back(pinning: Pinning) -> None:
    """The first of 21 is forgotten."""
    ids = [(await pinning.choose(NOIR, [KEYS[6]], "in" if n % 2 else "out", by="")).id for n in range(21)]

    assert [pinning.can_take_back(each) for each in (ids[0], ids[1], ids[-1])] == [False, True, True]


async def test_the_lines_for_the_block_name_what_it_lacks(pinning: Pinning) -> None:
    """By title and year, below what is there; where the block has all of them, no lines are offered."""
    (lines,) = await pinning.lines(NOIR, [KEYS[1], KEYS[0]])
    assert lines.correction is not None
    assert "Movie 1 (1951)" in "\n".join(lines.correction.lines)

    assert "Movie 0" not in "\n".join(lines.correction.lines)
    assert await pinning.lines(NOIR, [KEYS[0]]) == ()


async def test_a_block_that_has_just_gone_has_no_lines(pinning: Pinning, world: World) -> None:
    """The index still knows the collection; Kometa's folder does not any more."""
    assert await pinning.lines(NOIR, [KEYS[1]])
    world.collections(block("Other"))

    assert await pinning.lines(NOIR, [KEYS[1]]) == ()
