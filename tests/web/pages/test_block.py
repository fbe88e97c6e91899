"""The page of a collection's block: its lines as they stand, what they say, and what is wrong with them."""

from __future__ import annotations

import asyncio
import html
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.run.world import World, block

if TYPE_CHECKING:
    from tests.daemon.living import Beside

PAGE = "/collections/noir/block"
HOSTILE = {
    "markup": "</code><script>alert(1)</script> & <b>bold</b>",
    "bidi": "left \u202eright\u202c to left",
    "emoji": "👩‍👩‍👧 🎬 noir",
    "long": "word " * 1600,
}


@pytest.fixture
def judged(world: World) -> World:
    """The collection was judged once."""
    world.run()
    return world


async def _html(here: Beside, path: str = PAGE, status: int = 200) -> str:
    answer = await here.client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text
    return answer.text


def _text(source: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source)).split())


async def _page(here: Beside, path: str = PAGE, status: int = 200) -> str:
    return _text(await _html(here, path, status))


async def test_its_lines(judged: World, here: Beside) -> None:
    """The lines with their numbers, the name that they are bound to, and what they say in words."""
    judged.collections(block("Noir", confidence_threshold=0.75, include_tags="[noir]", exclude_movies="[tmdb:1004]"))
    await here.daemon.indexer.newest()

    shown = await _html(here)
    text = _text(shown)

    assert "movies.yml , lines 2 to 9" in text
    assert "<span>3</span><span>  # enabled: true</span>" in shown
    assert '<li class="bound"><span>10</span><span>  &#34;Noir&#34;:</span></li>' in shown
    assert "It is bound to Noir , the name in line 10." in text
    assert "0.75 line 6" in text
    assert "all of Radarr not written: the default" in text
    assert "In by tag noir line 7" in text
    assert "Pinned out tmdb:1004 line 8" in text


async def test_as_it_stands_now(judged: World, here: Beside) -> None:
    """The file is read for each look, so that what was just edited is there."""
    await _page(here)
    judged.collections(block("Noir", "Dark, and old."))

    assert "Dark, and old." in await _page(here)


async def test_the_files_are_read_once(judged: World, here: Beside) -> None:
    """Reading them takes seconds where there are many: a second look reads none of them that has not changed."""
    file = judged.kometa / "movies.yml"
    before = file.stat()
    await _page(here)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("All about", "Not about"), encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert "All about Noir" in await _page(here)

    os.utime(file)

    assert "Not about Noir" in await _page(here)


async def test_one_that_is_off(judged: World, here: Beside) -> None:
    """Its lines are shown, and that the rest does not count."""
    judged.collections(block("Noir").replace("enabled: true", "enabled: false"))
    await here.daemon.indexer.newest()

    text = await _page(here)

    assert "# enabled: false" in text
    assert "It says that the collection is off" in text
    assert "What it says" not in text.replace("What it says is", "")


async def test_a_problem_with_its_correction(world: World, here: Beside) -> None:
    """A wrong line is marked; the problem has its remedy and the line to copy, as on Check."""
    world.collections(block("Noir", confidence_treshold=0.75) + "    radarr_taglist: kai-noir\n")

    shown = await _html(here)
    text = _text(shown)

    assert '<li class="marked"><span>6</span><span>  # confidence_treshold: 0.75</span></li>' in shown
    assert "In place of line 6 of movies.yml" in text
    assert "# confidence_threshold: 0.75" in text
    assert "What it says is not used" in text
    assert text.count("is not a key of a block") == 1


async def test_a_block_without_an_end(world: World, here: Beside) -> None:
    """Where its lines cannot be told apart from others, none is shown, and the problem is."""
    world.collections(block("Noir").replace("  # === END KOMETA-AI ===\n", ""))

    text = await _page(here)

    assert "No block to show Its lines cannot be told apart" in text
    assert "the block has no end" in text


async def test_a_file_that_is_broken(judged: World, here: Beside) -> None:
    """A file that YAML refuses is named with what is wrong, also for a collection that it once held."""
    (judged.kometa / "movies.yml").write_text("collections:\n" + block("Noir") + "  - x: [\n")
    await here.daemon.indexer.newest()

    text = await _page(here)

    assert "No block to show" in text
    assert "the file cannot be read" in text


async def test_one_that_is_gone(judged: World, here: Beside) -> None:
    """Of a collection that Kometa's folder has no more, no block is shown. One that never was is not found."""
    judged.collections(block("Other"))
    await here.daemon.indexer.newest()

    assert "No file of Kometa's folder has a block for it now." in await _page(here)
    assert "There is no collection 'nothing'" in await _page(here, "/collections/nothing/block", 404)


async def test_a_folder_that_is_gone(judged: World, here: Beside) -> None:
    """Where Kometa's folder cannot be read, the page says why in place."""
    await _page(here)
    judged.kometa.rename(judged.folder / "elsewhere")

    assert "Kometa's folder cannot be read" in await _page(here, status=422)


async def test_in_two_files(judged: World, here: Beside) -> None:
    """Each file that holds the block is shown."""
    judged.collections(block("Noir"), file="more.yml")

    text = await _page(here)

    assert "movies.yml , lines 2 to 6" in text
    assert "more.yml , lines 2 to 6" in text
    assert "The block stands in 2 files" in text


async def test_no_secret_of_the_neighbourhood(judged: World, here: Beside) -> None:
    """Lines beside the block are not shown; a secret in it, or behind the name, is hidden."""
    written = block("Noir", libraries="[]").replace("# libraries: []", "# # webhook: https://x.example/S3cretHook")
    written = written.replace('  "Noir":\n', '  "Noir": {webhook: S3cretInline}\n').replace("    sync_mode: sync\n", "")
    (judged.kometa / "movies.yml").write_text(
        f"# S3cretAbove\nwebhooks:\n  error: S3cretError\ncollections:\n{written}  Next:\n    token: S3cretBelow\n"
    )
    await here.daemon.indexer.newest()

    shown = await _html(here)

    assert "webhook: ********" in shown
    assert "S3cret" not in shown


@pytest.mark.parametrize("prompt", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_prompts(judged: World, here: Beside, prompt: str) -> None:
    """A file's lines are data: escaped, and without what turns the text around."""
    judged.collections(block("Noir", prompt))

    shown = await _html(here)

    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert (
        html.escape(prompt.replace("\u202e", "").replace("\u202c", "").strip()[:40]).replace("&#x27;", "&#39;") in shown
    )


async def test_at_once(judged: World, here: Beside) -> None:
    """Several looks at a time are served."""
    assert judged.kometa.is_dir()
    shown = await asyncio.gather(*(_page(here) for _ in range(4)))

    assert len(set(shown)) == 1
