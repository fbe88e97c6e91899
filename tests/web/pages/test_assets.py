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
    from collections.abc import Iterator

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


PAGES = [each for each in TEMPLATES if not each.name.startswith("_")]
STYLES = sorted(name for name in assets.files() if name.endswith(".css"))


@pytest.mark.parametrize("name", STYLES)
def test_style_sheets_are_whole(name: str) -> None:
    """Each brace that opens is closed, and no rule stands deeper than in one condition: else the rest would be lost."""
    depths = list(accumulate({"{": 1, "}": -1}[sign] for sign in re.findall(r"[{}]", assets.files()[name].decode())))

    assert depths[-1] == 0
    assert set(depths) <= {0, 1, 2}


def _selectors(name: str) -> Iterator[tuple[str, set[str]]]:
    """The selectors of a style sheet, each with the classes in it."""
    text = re.sub(r"/\*.*?\*/", "", assets.files()[name].decode(), flags=re.DOTALL)
    for rule in re.findall(r"([^{}]+)\{[^{}]*\}", text):
        for selector in rule.split(","):
            yield selector.strip(), set(re.findall(r"\.([a-z][\w-]*)", selector))


def _with_parts(name: str) -> str:
    """A template with those whose macros it uses."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return text + "".join(_with_parts(other) for other in re.findall(r"{% from \"(\w+\.jinja)\" import", text))


@pytest.mark.parametrize(
    "template", [each for each in TEMPLATES if not each.name.startswith("_")], ids=lambda each: each.name
)
def test_a_page_loads_the_styles_of_its_classes(template: resources.abc.Traversable) -> None:
    """A rule of a page's own style sheet never fits another page, which does not load it."""
    text = _with_parts(template.name)
    classes = {
        name
        for found in re.findall(r"class=\"((?:[^\"{]|{{.*?}}|{%.*?%})*)\"", text)
        for name in re.findall(r"[a-z][\w-]*", re.sub(r"{%.*?%}", " ", found))
    }
    unloaded = [name for name in STYLES if name != "app.css" and f'static("{name}")' not in text]

    assert [(name, rule) for name in unloaded for rule, needed in _selectors(name) if needed <= classes] == []


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
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("br, GZIP;q=0.5", "gzip"), ("", ""), ("br", ""), ("gzip;q=0", ""), ("gzip; q=0.1", "gzip")],
)
async def test_assets_are_compressed_for_who_can_read_it(here: Beside, accepted: str, encoding: str) -> None:
    """Style and scripts take a third of their bytes on the wire; a client that reads no gzip gets them as they are."""
    answer = await here.client.get(assets.path_of("app.css"), headers={"Accept-Encoding": accepted})

    assert answer.headers.get("content-encoding", "") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.content == assets.files()["app.css"]


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
