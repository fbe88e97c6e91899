"""The checks themselves: each finds the fault that is planted for it, and none in a page that has no fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from kometa_ai.standins.serving import serve
from tests.browser import checks
from tests.browser.visiting import WIDTHS, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Browser
    from starlette.requests import Request


STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#222, #eee); --paper: light-dark(#fff, #111) }
body { color: var(--ink); background: var(--paper); font: 16px sans-serif; margin: 16px }
a, button, input { color: var(--ink); background: var(--paper); min-height: 32px; display: inline-block }
:focus-visible { outline: 2px solid }
.pale { color: #777 } .dim { color: light-dark(#222, #444) }
.wide { width: 1600px; height: 10px } .bare:focus-visible { outline: none }
"""
SCRIPT = "document.getElementById('told').textContent = 'loaded'"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'"
WHOLE = '<p>A page with <a href="/">a link</a>, <button>a button</button> and <label>a field <input></label>.</p>'
PLANTED = {
    "pale": ('<p class="pale">Hardly to be read.</p>', "color-contrast"),
    "dim": ('<p class="dim">Hardly to be read where it is dark.</p>', "color-contrast"),
    "unlabelled": ("<button></button>", "button without a name"),
    "wide": ('<div class="wide"></div>', "px wide, in a window of"),
    "unreachable": ('<button tabindex="-1">Never reached</button>', "not reached: <button"),
    "invisible": ('<button class="bare">Where am I?</button>', "focus cannot be seen: <button"),
    "inline": ("<script>1</script>", "Content Security Policy"),
    "missing": ('<img src="/missing.png" alt="">', "404 to GET"),
    "broken": ('<script src="/broken.js"></script>', "uncaught: "),
}


async def _page(request: Request) -> Response:
    planted, _ = PLANTED.get(request.path_params["name"], ("", ""))
    html = (
        '<!doctype html><html lang="en"><head><title>A page</title><link rel="icon" href="/app.css">'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/app.css"></head>'
        f'<body><main><h1>A page</h1>{WHOLE}{planted}<p id="told"></p></main><script src="/app.js"></script></body>'
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": POLICY})


async def _file(request: Request) -> Response:
    files = {"app.css": (STYLE, "text/css"), "app.js": (SCRIPT, "text/javascript")}
    name = request.path_params["file"]
    content, kind = files.get(name, ("throw new Error('broken')", "text/javascript"))
    return Response(content, media_type=kind, status_code=404 if name.endswith(".png") else 200)


@pytest.fixture(scope="module")
def planted() -> Iterator[str]:
    """A site of small pages, each with one fault, or with none."""
    with serve(Starlette(routes=[Route("/pages/{name}", _page), Route("/{file}", _file)])) as url:
        yield url


@pytest.mark.parametrize("width", WIDTHS)
async def test_nothing_is_found_where_nothing_is_wrong(browser: Browser, planted: str, width: int) -> None:
    """A plain page passes every check, on a phone and on a desk, dark and light."""
    async with visiting(browser, planted, width=width) as visit:
        await visit.page.goto("/pages/whole")

        assert await visit.page.inner_text("#told") == "loaded"
        assert await checks.faults(visit) == []


@pytest.mark.parametrize("name", PLANTED)
async def test_what_is_planted_is_found(browser: Browser, planted: str, name: str) -> None:
    """One fault in a page is told by the check that is made for it, and nothing is told that is not there."""
    _, expected = PLANTED[name]
    async with visiting(browser, planted, scheme="dark") as visit:
        await visit.page.goto(f"/pages/{name}")
        found = await checks.faults(visit)

    assert any(expected in line for line in found), found
    assert len(found) <= 2, found


async def test_what_a_test_provokes_can_be_forgiven(browser: Browser, planted: str) -> None:
    """A complaint that was expected is taken out and handed over; others stay."""
    async with visiting(browser, planted) as visit:
        await visit.page.goto("/pages/missing")
        await visit.page.goto("/pages/inline")
        forgiven = visit.forgive("missing.png", "404")

        assert len(forgiven) == 2
        assert all("Content Security Policy" in line for line in visit.complaints)
        assert visit.complaints


async def test_a_window_is_as_it_is_wanted(browser: Browser, planted: str) -> None:
    """Width, colours and cookies of a visit are its own."""
    async with visiting(browser, planted, width=360, scheme="dark") as visit:
        await visit.page.goto("/pages/whole")
        width, is_dark = await visit.page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")

    assert (width, is_dark) == (360, True)
