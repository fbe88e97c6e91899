"""Keep what the libraries of a world hold, as a run does that has read them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kometa_ai.app import open_parts
from kometa_ai.state import libraries
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from tests.run.world import World


def keep_libraries(world: World) -> None:
    """Write the library files of a world as its libraries are now."""
    asyncio.run(_keep(world))


async def _keep(world: World) -> None:
    async with open_parts(world.settings, Store.load(world.state_dir, read_only=True)) as parts:
        for library in parts.libraries:
            contents = await library.contents()
            header = libraries.Header(library=library.name, at=world.now, run_id="a-run", managed={})
            libraries.write(world.state_dir, header, map(libraries.line_of, contents.items))
