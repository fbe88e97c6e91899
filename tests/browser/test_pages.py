"""Every page, on a phone, a tablet and a desk, dark and light: nothing that a browser, axe or a keyboard would find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute
from playwright.async_api import expect

from kometa_ai.standins.shows import shows
from kometa_ai.web import app
from tests.browser import checks
from tests.browser.visiting import WIDTHS, visiting

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.browser.conftest import SignedIn, Site

PAGES = {
    "/review": ("/review", "/review?view=grid&kind=close+call", "/review?kind=held+back"),
    "/pins": ("/pins",),
    "/": ("/",),
    "/start": ("/start", "/start?ask=at-once"),
    "/settings": ("/settings", "/settings?q=nothing+like+it"),
    "/logs": ("/logs", "/logs?level=error"),
    "/about": ("/about",),
    "/more": ("/more",),
    "/collections": ("/collections",),
    "/collections/{key}": (
        "/collections/film-noir",
        "/collections/show:among-the-stars",
        "/collections/long-evenings?list=all&view=table&page=2",
        "/collections/courtroom-dramas",
    ),
    "/collections/{key}/threshold": (
        "/collections/film-noir/threshold",
        "/collections/long-evenings/threshold?at=0.9",
    ),
    "/collections/{key}/prompt": ("/collections/film-noir/prompt", "/collections/show:among-the-stars/prompt"),
    "/collections/{key}/block": ("/collections/film-noir/block", "/collections/courtroom-dramas/block"),
    "/trials/{trial_id}": (),  # test_collection_tabs.py makes one, and looks at it
    "/movies": ("/movies?q=the",),
    "/movies/{key}": ("/movies/movie:900001", f"/movies/show:{shows()[0].tvdb_id}"),
    "/runs": ("/runs", "/runs?show=dry"),
    "/runs/{run_id}": ("/runs/{first}", "/runs/{last}"),
    "/runs/{run_id}/list": ("/runs/{first}/list?collection=long-evenings&side=added",),
    "/runs/{run_id}/undo": ("/runs/{first}/undo",),
}
"""Addresses of every page, by its route: as many as it has faces that are worth a look. Runs are `first` and `last`."""
_CASES = [
    (path, width)
    for faces in PAGES.values()
    for number, path in enumerate(faces)
    for width in (WIDTHS if number == 0 else WIDTHS[:1])
]
"""The first face of each page at all widths, the others where there is least room."""
_RESTLESS = '#steps > [hx-trigger="load"], #steps > [hx-trigger="every 2s"]'
_OTHERS = {"/login", "/favicon.ico", "/logs/download", "/static/{version}/{name}", "/posters/{key}"}
"""What browsers ask for beside pages; and the sign-in, which is looked at before it."""


def test_every_page_is_looked_at() -> None:
    """A page that is added is added here; none stays in this list that is gone."""
    routes = [route for router in app._PAGES for route in router.routes]
    paths = {route.path for route in routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())}

    assert paths - _OTHERS == PAGES.keys()


@pytest.mark.parametrize(("path", "width"), _CASES)
async def test_a_page_is_for_everybody(signed_in: SignedIn, path: str, width: int) -> None:
    """All that is on it can be read, has a name, is in the window and in reach of the keyboard; nothing goes wrong."""
    async with signed_in.visiting(width=width) as visit:
        answer = await visit.page.goto(_with_runs(signed_in.site, path))
        assert answer is not None
        assert answer.ok
        await visit.page.wait_for_load_state("load")
        # A check looks by itself when it is opened; what it swaps meanwhile would be out of reach.
        await expect(visit.page.locator(_RESTLESS)).to_have_count(0, timeout=60_000)

        assert await checks.faults(visit) == []


def _with_runs(site: Site, path: str) -> str:
    """The address with the ids of the first and the last run."""
    runs = site.living.call("GET", "/api/v1/runs").json()
    return path.replace("{first}", runs[-1]["run_id"]).replace("{last}", runs[0]["run_id"])


@pytest.mark.parametrize("width", WIDTHS)
async def test_so_is_the_sign_in(browser: Browser, site: Site, width: int) -> None:
    """Before the user has signed in, too."""
    async with visiting(browser, site.living.url, width=width) as visit:
        await visit.page.goto("/login")

        assert await checks.faults(visit) == []
