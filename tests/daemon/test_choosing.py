"""The choices of a session: what wants a person is found once, however many ask."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kometa_ai.app import now, session_of
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
