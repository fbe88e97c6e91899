"""What pages say while the files that they are made of are damaged, or have gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.pages.reading import AS_BROWSER, page, words

if TYPE_CHECKING:
    from tests.daemon.living import Beside
    from tests.run.world import World

PAGES = ("/", "/collections", "/collections/noir", "/movies", "/movies/movie:1000", "/runs", "/settings", "/about")


@pytest.fixture
async def settled(here: Beside) -> Beside:
    """A daemon with an index."""
    await here.run()
    await here.daemon.indexer.newest()
    return here


async def test_pages_are_shown_while_the_choices_are_damaged(settled: Beside, world: World) -> None:
    """Pages that need no choice are there, and each says what is damaged and what to do."""
    for file in world.state_dir.glob("choices.json*"):
        file.write_text("{{{")

    for path in PAGES:
        shown = words(await page(settled, path))
        assert "are damaged" in shown, path
        assert "Restore the file from a backup of yours." in shown, path


async def test_pages_of_choices_say_that_they_are_damaged(settled: Beside, world: World) -> None:
    """Review and pins cannot be shown then, and say so."""
    for file in world.state_dir.glob("choices.json*"):
        file.write_text("{{{")

    for path in ("/review", "/pins"):
        assert "Restore the file from a backup of yours." in words(await page(settled, path, 503)), path


async def test_the_last_index_serves_while_the_state_folder_cannot_be_looked_at(settled: Beside, world: World) -> None:
    """A state folder that is no folder any more is no server error: what was known is shown."""
    kept = world.state_dir.rename(world.folder / "kept")
    world.state_dir.write_text("")
    try:
        statuses = {
            path: (await settled.client.get(path, headers=AS_BROWSER)).status_code
            for path in ("/collections", "/collections/noir", "/movies", "/settings")
        }
    finally:
        world.state_dir.unlink()
        kept.rename(world.state_dir)

    assert set(statuses.values()) == {200}, statuses
