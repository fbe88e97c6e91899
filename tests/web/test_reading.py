"""Reading changes nothing: whatever is asked for with GET, the state folder is as it was."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from fastapi.routing import APIRoute

from kometa_ai.web.app import _PAGES, _ROUTES
from tests.web.browsers import browser
from tests.web.pages.reading import AS_BROWSER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemon.living import Beside
    from tests.run.world import World

_KEPT_BY_THE_DAEMON = ("cache/", "heartbeat", "session_key")
_ENDLESS = "/events"
_ROUTERS = [*_PAGES, *(routes.router for routes in _ROUTES)]
_READ = [
    route.path
    for router in _ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and _ENDLESS not in route.path
]
_QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"ask": "stop", "done": "pinned", "undo": "x", "all": "1", "choice": "in", "level": "debug", "q": "a", "at": "0.5"},
    {"list": "all", "view": "grid", "threshold": "0.4", "collection": "noir", "side": "added", "fresh": "true"},
)


def _hashes(folder: Path) -> dict[str, str]:
    return {
        name: sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not (name := str(path.relative_to(folder))).startswith(_KEPT_BY_THE_DAEMON)
    }


async def test_no_get_changes_a_file(here: Beside, world: World) -> None:
    """Every page and route, by the key and by a visitor: no file of the state is written, made or removed."""
    world.believe("Noir", range(3, 6), 0.65)
    run_id = await here.run()
    await here.daemon.indexer.newest()
    named = {"run_id": run_id, "key": "movie:1000", "name": "app.css"}
    paths = {re.sub(r"\{(\w+)(:\w+)?\}", lambda found: named.get(found[1], "1"), path) for path in _READ}
    paths |= {path.replace("/collections/movie:1000", "/collections/noir") for path in paths}
    assert len(paths) > 30

    before, failed = _hashes(world.state_dir), []
    async with browser(here) as device:
        await device.sign_in()
        for path in sorted(paths):
            for query in _QUERIES:
                by_key = await here.client.get(path, params=query, headers=AS_BROWSER)
                by_visitor = await device.client.get(path, params=query, headers=AS_BROWSER)
                failed += [(path, query, each.status_code) for each in (by_key, by_visitor) if each.status_code >= 500]

    assert _hashes(world.state_dir) == before
    assert here.daemon.runs.current is None
    assert failed == []
