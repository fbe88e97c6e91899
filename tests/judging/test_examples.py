"""Which choices are shown to the model: the most telling, and never against what the block says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.core.choice import Pin, Said
from kometa_ai.core.collection import ItemRef, recognise
from kometa_ai.core.decision import Remembered
from kometa_ai.core.item import movie_key, show_key
from kometa_ai.core.naming import Slug
from kometa_ai.judging.examples import MOST, with_examples

from .making import NOW, collection, movie, settled, show, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Memory


def pin(number: int, **changes: Any) -> Pin:
    """A pin that puts a movie in; a higher number is a newer one."""
    fields: dict[str, Any] = {
        "key": movie_key(number),
        "slug": Slug("noir"),
        "include": True,
        "title": f"Movie {number} (1995)",
        "since": NOW + timedelta(minutes=number),
        "origin": "page",
    }
    return Pin(**fields | changes)


def shown(
    pins: Sequence[Pin], of: Collection | None = None, memory: Memory | None = None
) -> tuple[list[str], list[str]]:
    """The numbers of the movies that are shown, in and out."""
    items = [movie(number, imdb_id=f"tt{number:07}") for number in range(1, 60)]
    (found,) = with_examples(recognise([of or collection()], items), pins, items, memory or {})
    return tuple([title.split()[1] for title in side] for side in (found.chosen_in, found.chosen_out))  # type: ignore[return-value]


def test_those_against_the_verdict_come_first() -> None:
    """First those against what the model had said, or else says now; then the newest."""
    memory = {movie_key(2): Remembered(collections={Slug("noir"): settled(verdict(0.9, include=False))})}
    said = Said(include=True, confidence=0.8)
    pins = [
        pin(1, said=Said(include=False, confidence=0.3)),
        pin(2),
        pin(3),
        pin(4, said=said),
        pin(5, include=False, said=said),
        pin(6, include=False),
    ]

    assert shown(pins, memory=memory) == (["2", "1", "4", "3"], ["5", "6"])


def test_at_most_twenty_a_side() -> None:
    """Of many the first twenty of each side are kept."""
    into, out = shown([pin(number, include=number % 2 == 0) for number in range(1, 59)])

    assert (len(into), len(out)) == (MOST, MOST)
    assert (into[0], out[0]) == ("58", "57")


@pytest.mark.parametrize("text", ["tmdb:7", "tt0000007", "Movie 7 (1995)"])
@pytest.mark.parametrize("side", ["include_movies", "exclude_movies"])
def test_the_block_wins(text: str, side: str) -> None:
    """An item that the block pins, in whatever words and on whichever side, is the block's example."""
    block = collection(**{side: (ItemRef.parse(text),)})

    assert shown([pin(7), pin(8)], block) == (["8"], [])


@pytest.mark.parametrize("text", ["tmdb:70", "tt0000070", "Movie 70 (1995)"])
def test_the_block_wins_where_no_library_has_it(text: str) -> None:
    """The same for an item that no library holds now: the pin itself tells its ids and its title."""
    block = collection(exclude_movies=(ItemRef.parse(text),))

    assert shown([pin(70, imdb_id="tt0000070"), pin(8)], block) == (["8"], [])


def test_what_is_no_example() -> None:
    """Pins of an undo, of another collection, of another kind, and without a title are none."""
    others = [
        pin(1, origin="undo"),
        pin(2, slug=Slug("heist")),
        pin(3, key=show_key(3)),
        pin(4, title=""),
    ]

    assert shown(others) == ([], [])
    (of_shows,) = with_examples([collection(kind="show")], others, [show(3)], {})
    assert of_shows.chosen_in == ("Movie 3 (1995)",)


def test_nothing_is_asked_again() -> None:
    """Examples are no part of what a decision is made from, nor of the block: it does not look edited."""
    (found,) = with_examples([collection()], [pin(1)], [], {})

    assert found.chosen_in
    assert (found.prompt_hash, found.block_hash) == (collection().prompt_hash, collection().block_hash)
