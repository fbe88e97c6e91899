"""What pages say while the files that they are made of are damaged, or have gone."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize(
    "change",
    [
        {"changes": None},
        {"started": "yesterday"},
        {"collections": [{}]},
        {"collections": [{"name": "N", "slug": "n", "tag": "kai-n", "added": [{"title": "T", "year": 1}]}]},
        {"version": "99.9", "unknown": [1]},
        {"problems": [{"what": "w" * 9000, "remedy": "<b>"}]},
        {"outcome": "odd"},
        {"kind": "odd"},
        {"libraries": [{"name": "gone", "title": "<i>"}]},
        {"undoes": "../../x"},
        {"next_run": None, "month": None, "tokens": {}},
    ],
)
async def test_a_report_of_another_version_is_no_server_error(
    settled: Beside, world: World, change: dict[str, object]
) -> None:
    """Its page shows what can be read of it, or says that it is damaged and what to do; so do the pages around it."""
    (kept,) = (world.state_dir / "runs").iterdir()
    other = "20200101-000000-abcd"
    (kept.parent / f"{other}.json").write_text(json.dumps({**json.loads(kept.read_bytes()), "run_id": other, **change}))

    for path in (f"/runs/{other}", f"/runs/{other}/undo", f"/runs/{other}/list?collection=n&side=added"):
        answer = await settled.client.get(path, headers=AS_BROWSER)
        if answer.status_code == 503:
            assert "restore it from a backup, or remove it" in words(answer.text)
        else:
            assert answer.status_code in (200, 404), (path, answer.text)
    for path in PAGES:
        await page(settled, path)
