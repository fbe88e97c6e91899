"""Random requests to every page and route: none is a server error, and nothing that was sent comes back as markup."""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING

from fastapi.routing import APIRoute

from kometa_ai.web.app import _PAGES, _ROUTES
from tests.daemon.living import daemon_beside
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import httpx2

REQUESTS = int(os.environ.get("FUZZED_REQUESTS", "1500"))
SEED = int(os.environ.get("FUZZED_SEED", "20260301"))
MARK = "<x-fuzz onload=1>"
PIECES = (
    MARK,
    "\u202e",
    "\x00",
    "\x1b[31m",
    "'\"><script>alert(1)</script>",
    "{{7*7}}",
    "../../etc/passwd",
    "%00",
    "\u2028",
    "😀" * 3,
    "noir",
    "show:noir",
    "movie:1000",
    "1000",
    "-1",
    "1e309",
    "nan",
    "0x10",
    "9" * 30,
    "",
    "true",
    "in",
    "out",
    "release",
    "members",
    "grid",
    "2",
    "a" * 3000,
)
_NAMES = (
    "list sort q page size view kind collection at done n undo ask level run_id choice keys key all count id ticket "
    "movies collections dry_run max_cost_usd within prompt text theme next password group in pin sitting show number "
    "threshold about allow_removals answer back do force_refresh origin side ticket token username first block "
    "only run"
)
FIELDS = _NAMES.split()
UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
ROUTERS = [*_PAGES, *(routes.router for routes in _ROUTES)]
OURS = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
ENDLESS = "/events"


def _value(chance: random.Random) -> str:
    return "".join(chance.choice(PIECES) for _ in range(chance.choice((1, 1, 1, 2, 3))))


def _requests(
    chance: random.Random, routes: Sequence[APIRoute]
) -> Iterator[tuple[str, str, dict[str, str], dict[str, str]]]:
    """Method, path, query and form of each request: half of the paths are as they should be."""
    while True:
        route = chance.choice(routes)
        path = re.sub(
            r"\{[a-z_]+\}",
            lambda _: (
                chance.choice(("noir", "movie:1000", "1000")) if chance.random() < 0.6 else _quoted(_value(chance))
            ),
            route.path,
        )
        fields = {name: _value(chance) for name in chance.sample(FIELDS, chance.randrange(5))}
        form = {name: _value(chance) for name in chance.sample(FIELDS, chance.randrange(6))}
        yield chance.choice((*sorted(route.methods or ()), "GET", "POST")), path, fields, form


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())[:600] or "x"


async def _send(client: httpx2.AsyncClient, method: str, path: str, query: dict[str, str], form: dict[str, str]) -> str:
    """Send a request; what is wrong with its answer, empty if nothing is."""
    answer = await client.request(
        method, path, params=query, data=form if method == "POST" else None, headers={"Accept": "text/html"}
    )
    if answer.status_code >= 500:
        return f"{answer.status_code} {method} {path} {query} {form}: {answer.text[:300]}"
    if answer.headers.get("content-type", "").startswith("text/html") and (
        "<x-fuzz" in answer.text or "<script>alert" in answer.text or UNSEEN.search(answer.text)
    ):
        return f"unescaped {method} {path} {query} {form}"
    return ""


async def test_no_request_breaks_a_page(tmp_path: Path) -> None:
    """Whatever is sent, the answer is no server error, and holds nothing that a browser would take for markup.

    FUZZED_REQUESTS sends more of them than a suite has time for, and FUZZED_SEED others.
    """
    chance = random.Random(SEED)
    with World(tmp_path, movies(12)) as world:
        world.collections(block("Noir", MARK))
        world.believe("Noir", range(3))
        async with daemon_beside(world) as here:
            await here.run()
            await here.daemon.indexer.newest()
            found = []
            for count, request in enumerate(_requests(chance, [route for route in OURS if ENDLESS not in route.path])):
                if count >= REQUESTS:
                    break
                found.append(await _send(here.client, *request))
            await here.daemon.runs.ended()

    assert [problem for problem in found if problem][:5] == []
