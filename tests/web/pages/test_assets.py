"""Style sheet, scripts and icons: what is served, and what templates and scripts may hold."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kometa_ai.web.pages import assets

if TYPE_CHECKING:
    from tests.daemon.living import Beside

HTMX = ("4.0.1", "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130")
"""The version of htmx, and the SHA-256 of its `dist/htmx.min.js` on npm; `make assets` takes it from there."""
FOLDER = resources.files("kometa_ai.web") / "templates"
TEMPLATES = sorted(FOLDER.iterdir(), key=lambda entry: entry.name)
UNSAFE = {
    "an inline style": re.compile(r"<style|\sstyle="),
    "an inline handler": re.compile(r"\son[a-z]+="),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)"),
    "what htmx evaluates": re.compile(r"hx-on|js:|hx-trigger=\"[^\"]*\["),
    "boosted links": re.compile(r"hx-boost|morph"),
}


def test_htmx_is_what_npm_has() -> None:
    """The vendored file is the one that was published: not a byte differs, and `make assets` takes that version."""
    assert f"HTMX := {HTMX[0]}\n" in (Path(__file__).parents[3] / "Makefile").read_text(encoding="utf-8")
    assert hashlib.sha256(assets.files()["htmx.min.js"]).hexdigest() == HTMX[1]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda entry: entry.name)
def test_templates_need_nothing_unsafe(template: resources.abc.Traversable) -> None:
    """A strict policy is kept: no inline style or script, and nothing that htmx would evaluate."""
    text = template.read_text(encoding="utf-8")

    for what, pattern in UNSAFE.items():
        assert not pattern.search(text), f"{template.name} has {what}"


def test_the_style_sheet_is_whole() -> None:
    """Each brace that opens is closed, and no rule stands deeper than in one condition: else the rest would be lost."""
    depths = list(
        accumulate({"{": 1, "}": -1}[sign] for sign in re.findall(r"[{}]", assets.files()["app.css"].decode()))
    )

    assert depths[-1] == 0
    assert set(depths) == {0, 1, 2}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda entry: entry.name)
def test_forms_that_post_have_their_token(template: resources.abc.Traversable) -> None:
    """Each form that posts brings the token of the page, without which it is refused."""
    text = template.read_text(encoding="utf-8")
    forms = re.findall(r"<form\b[^>]*method=\"post\"[^>]*>.*?</form>", text, re.DOTALL)

    assert all("token_field()" in form for form in forms)


async def test_assets_are_kept_for_ever(here: Beside) -> None:
    """A file below the present digest may be kept for ever; below another one it comes too, but not for ever."""
    now = await here.client.get(assets.path_of("app.css"))
    later = await here.client.get("/static/0123456789ab/app.css")

    assert now.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert now.headers["content-type"].startswith("text/css")
    assert later.content == now.content
    assert "immutable" not in later.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/static/x/none.css", "/static/x/..%2fapp.css", "/static/x/htmx.LICENSE", "/static/x"]
)
async def test_nothing_else_is_served(here: Beside, path: str) -> None:
    """Only the files that there are, by their names."""
    assert (await here.client.get(path)).status_code in (404, 422)


async def test_the_icon_that_browsers_ask_for(here: Beside) -> None:
    """A browser asks for /favicon.ico by itself; its absence would be an error in its console."""
    answer = await here.client.get("/favicon.ico")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
