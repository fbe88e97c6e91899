"""The choices of a session: what wants a person is found once, however many ask."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from kometa_ai.app import now, session_of
from kometa_ai.core.choice import Choices, Pin
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.daemon.choosing import Choosing
from kometa_ai.daemon.indexing import Indexer
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


async def test_what_wants_a_person_is_found_once_for_all_who_ask_at_once(tmp_path: Path) -> None:
    """With a new index every page asks at the same time: one thread finds it, and the others wait for that."""
    looks = 0

    def slow() -> datetime:
        nonlocal looks
        looks += 1
        time.sleep(0.05)  # so that all of them are there before the first has found it
        return now()

    with World(tmp_path, movies(4)) as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(2), 0.65)
        await asyncio.to_thread(world.run)
        session = session_of(world.settings)
        indexer = Indexer(session)
        await indexer.newest()
        choosing = Choosing(session, indexer, slow)

        found = await asyncio.gather(*(choosing.waiting() for _ in range(8)))
        indexer.close()

    assert set(found) == {2}
    assert looks == 1


@pytest.mark.parametrize("were_asked", [True, False], ids=["with a verdict", "without one"])
async def test_a_released_pin_leaves_no_trace_in_the_queue(tmp_path: Path, *, were_asked: bool) -> None:
    """What the index of before the release says of a pin's changes, that the brake holds them, is true no more.

    What was pinned before the model was asked has no verdict to show.
    """
    keys = [movie_key(1000 + number) for number in range(12)]

    def pins(*, include: bool) -> list[Pin]:
        return [Pin(key=key, slug=Slug("noir"), include=include, title="", since=now()) for key in keys[6:]]

    with World(tmp_path, movies(12)) as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(12), 0.75)
        session = session_of(world.settings)
        if not were_asked:
            session.choices.change(lambda choices: choices.with_pins(*pins(include=True)))
        await asyncio.to_thread(world.run)
        indexer = Indexer(session)
        choosing = Choosing(session, indexer, now)
        session.choices.change(lambda choices: choices.with_pins(*pins(include=False)))
        await indexer.newest()
        with_pins = await choosing.review(None, None, 0, 100)
        session.choices.change(lambda _: Choices())
        without = await choosing.review(None, None, 0, 100)
        indexer.close()

    close = [(key, "close call") for key in (keys if were_asked else keys[:6])]
    assert {card.key for card in with_pins.cards} == set(keys[:6])
    assert [(card.key, card.kind) for card in without.cards] == close
