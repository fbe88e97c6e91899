from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from kometa_ai.app import session_of
from kometa_ai.core.choice import Pin
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.daemon.indexing import BeingPrepared, Indexer
from kometa_ai.errors import RepairState
from kometa_ai.state.loading import SNAPSHOT
from kometa_ai.state.store import Store
from tests.daemon.kept import keep_libraries
from tests.daemon.living import until
from tests.run.world import World, block
from tests.state.making import judged

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.collection import Folder
    from kometa_ai.daemon.index import Index

NOIR = CollectionKey("noir")


@pytest.fixture
def lived(world: World) -> World:
    """A world after a run, whose libraries are kept."""
    world.run()
    keep_libraries(world)
    return world


class Gate:
    """Kometa's folder behind a gate: a reading waits until it is open. `readings` counts them."""

    def __init__(self, world: World) -> None:
        self.opened = threading.Event()
        self.readings = 0
        self.session = msgspec.structs.replace(session_of(world.settings), read_folder=self._read)
        self._really = session_of(world.settings).read_folder

    def _read(self, folder: Path) -> Folder:
        self.readings += 1
        assert self.opened.wait(20)
        return self._really(folder)


def members(index: Index) -> int:
    """How many movies are noir."""
    page = index.collection(NOIR)
    assert page is not None
    return page.counts.members


async def test_the_first_request_waits_and_others_share_what_is_made(lived: World) -> None:
    """Nothing is made before a request; while the first index takes long each request is told so; it is made once."""
    gate = Gate(lived)
    indexer = Indexer(gate.session, first=0.05)
    await asyncio.sleep(0)

    assert gate.readings == 0
    for _ in range(3):
        with pytest.raises(BeingPrepared, match="being prepared"):
            await indexer.index()
    gate.opened.set()
    index = await indexer.newest()

    assert (members(index), gate.readings) == (3, 1)
    assert await indexer.index() is index


async def test_the_old_index_serves_while_a_new_one_is_made(lived: World) -> None:
    """A changed block is seen once the new index is there; requests until then get the old one, at once."""
    gate = Gate(lived)
    gate.opened.set()
    now = 0.0
    indexer = Indexer(gate.session, clock=lambda: now)
    old = await indexer.index()
    gate.opened.clear()
    lived.collections(block("Noir", confidence_threshold=0.99))

    assert await indexer.index() is old
    await until(lambda: gate.readings == 2)
    assert await indexer.index() is old
    gate.opened.set()
    new = await indexer.newest()

    assert (members(old), members(new), gate.readings) == (3, 0, 2)


async def test_a_page_waits_for_the_newest_index_and_not_for_long(lived: World) -> None:
    """It gets the old one, or none, where that takes long; and what there is where none can be made."""
    gate = Gate(lived)
    now = 0.0
    indexer = Indexer(gate.session, clock=lambda: now)
    none = await indexer.soon(0.05)
    gate.opened.set()
    first = await indexer.soon(20)
    gate.opened.clear()
    lived.collections(block("Noir", confidence_threshold=0.99))
    old = await indexer.soon(0.05)
    gate.opened.set()
    new = await indexer.soon(20)
    (lived.state_dir / SNAPSHOT).write_text("{")
    broken = await indexer.soon(20)

    assert none == (None, True)
    assert first.found is not None
    assert new.found is not None
    assert (old, first.is_outdated, new.is_outdated) == ((first.found, True), False, False)
    assert (members(first.found), members(new.found)) == (3, 0)
    assert broken == (new.found, False)
    assert indexer.failure is not None


async def test_what_cannot_be_read_is_not_read_for_each_page(lived: World) -> None:
    """After a failure the page waits as long as after an index that was made."""
    (lived.state_dir / SNAPSHOT).write_text("{")
    now = [0.0]

    def clock() -> float:
        now[0] += 1.0  # as if it took long
        return now[0]

    indexer = Indexer(session_of(lived.settings), clock=clock)
    first = await indexer.soon(20)
    failure = indexer.failure
    again = await indexer.soon(20)

    assert (first, again) == ((None, False), (None, False))
    assert failure is not None
    assert indexer.failure is failure


async def test_what_has_not_changed_is_not_read_again(lived: World) -> None:
    """A pin needs neither the folder nor the state anew, and is in the newest index."""
    gate = Gate(lived)
    gate.opened.set()
    indexer = Indexer(gate.session)
    old = await indexer.index()
    pin = Pin(key=movie_key(1007), slug=Slug("noir"), include=True, since=lived.now)
    gate.session.choices.change(lambda choices: choices.with_pins(pin))
    new = await indexer.newest()

    assert (members(old), members(new), gate.readings) == (3, 4, 1)


async def test_the_journal_is_followed(lived: World) -> None:
    """A verdict that a run in progress has recorded shows, with its reason, before there is a snapshot with it."""
    indexer = Indexer(session_of(lived.settings))
    old = await indexer.index()
    store = Store.load(lived.state_dir)
    known = store.memory[movie_key(1005)].collections[Slug("noir")]
    entry = judged(1005, reasoning="A late one.", prompt_hash=known.prompt_hash, metadata_hash=known.metadata_hash)
    store.record(entry)
    new = await indexer.newest()
    found = new.items_of(NOIR, "members", text="Movie 5")

    assert (members(old), members(new)) == (3, 4)
    assert found is not None
    assert [getattr(each, "reason", "") for each in found.items] == ["A late one."]


async def test_the_old_index_outlives_its_files(lived: World) -> None:
    """Snapshots and library files are replaced by new ones; reasons and texts of the old ones can still be read."""
    indexer = Indexer(session_of(lived.settings))
    old = await indexer.index()
    before = old.items_of(NOIR)
    lived.reason = "another"
    await asyncio.to_thread(lived.run, force_refresh=True)
    await asyncio.to_thread(keep_libraries, lived)

    assert old.items_of(NOIR) == before
    item = old.item(movie_key(1000))
    assert item is not None
    assert item.plot == "What happens in movie 0."


async def test_a_state_folder_that_is_away_says_nothing(lived: World) -> None:
    """While the disk of STATE_DIR is not mounted the old index serves: there is no empty one in its place."""
    indexer = Indexer(session_of(lived.settings))
    old = await indexer.index()
    away = lived.state_dir.rename(lived.state_dir.with_name("away"))

    assert members(await indexer.newest()) == 3
    assert await indexer.index() is old
    away.rename(lived.state_dir)
    lived.believe("Noir", [3])
    await asyncio.to_thread(lived.run, force_refresh=True)
    assert await indexer.newest() is not old


@pytest.mark.parametrize("indent", [2, 0, -1])
async def test_a_state_that_somebody_has_formatted_is_read(lived: World, indent: int) -> None:
    """Lists and pages need no run for it, and find reasons in it as in any other."""
    path = lived.state_dir / SNAPSHOT
    before = (await Indexer(session_of(lived.settings)).index()).items_of(NOIR)
    path.write_bytes(msgspec.json.format(path.read_bytes(), indent=indent))
    after = (await Indexer(session_of(lived.settings)).index()).items_of(NOIR)

    assert after == before
    assert after is not None
    assert all(getattr(each, "reason", "") for each in after.items)


async def test_a_damaged_state_leaves_the_old_index(lived: World) -> None:
    """Without an index the damage is raised; with one that goes on serving, until a run has repaired the state."""
    indexer = Indexer(session_of(lived.settings))
    old = await indexer.index()
    path = lived.state_dir / "kometa_state.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(RepairState, match="is damaged"):
        await Indexer(session_of(lived.settings)).index()
    with pytest.raises(RepairState):
        await indexer.newest()
    assert await indexer.index() is old
    path.write_bytes(whole)
    assert members(await indexer.newest()) == 3
