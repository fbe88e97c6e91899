"""About, the phone's menu, the colours, and the text for a bug report."""

from __future__ import annotations

import html
import re
from importlib.metadata import PathDistribution
from typing import TYPE_CHECKING

import pytest

from kometa_ai.__version__ import __version__
from kometa_ai.web.pages.bug_report import bug_report
from kometa_ai.web.pages.licences import libraries, licence_of
from kometa_ai.web.pages.rendering import THEME_COOKIE
from tests.daemon.living import KEY, daemon_beside

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemon.living import Beside
    from tests.run.world import World

AS_BROWSER = {"Accept": "text/html"}


async def _page(here: Beside, path: str = "/about") -> str:
    answered = await here.client.get(path, headers=AS_BROWSER)
    assert answered.status_code == 200, answered.text
    return str(answered.text)


async def test_it_says_what_runs_and_how_much_room_it_takes(here: Beside) -> None:
    """Version, memory, state, posters; the libraries with their licences; nothing secret in the text to copy."""
    await here.run()
    text = await _page(here)
    words = html.unescape(" ".join(re.sub(r"<[^>]*>", " ", text).split()))

    assert f"Kometa-AI {__version__} " in words
    assert re.search(r"Memory \d+ MB", words)
    assert re.search(r"State \d+(\.\d)? kB", words)
    assert "Posters 0 bytes" in words
    assert "fastapi" in words
    assert "Settings that are not the default:" in words
    assert "RADARR_API_KEY=********" in words
    assert KEY not in text


async def test_posters_are_cleared(here: Beside, world: World) -> None:
    """By a POST, and then that is said."""
    kept = world.state_dir / "cache" / "posters" / "250"
    kept.mkdir(parents=True)
    (kept / "movie-1000.jpg").write_bytes(b"x" * 2000)
    answered = await here.client.post("/about/clear-posters", data={})
    text = await _page(here, answered.headers["location"])

    assert (answered.status_code, answered.headers["location"]) == (303, "/about?done=cleared")
    assert "The posters were deleted." in text
    assert not (kept / "movie-1000.jpg").exists()


@pytest.mark.parametrize(
    ("theme", "back", "place"),
    [("dark", "/more", "/more"), ("light", "/about", "/about"), ("auto", "https://elsewhere.example", "/about")],
)
async def test_colours_are_kept_in_the_browser(here: Beside, theme: str, back: str, place: str) -> None:
    """In a cookie, for a year; one goes back to where the choice was made, and nowhere else."""
    answered = await here.client.post("/theme", data={"theme": theme, "back": back})
    cookie = answered.headers["set-cookie"]

    assert (answered.status_code, answered.headers["location"]) == (303, place)
    assert cookie.startswith(f"{THEME_COOKIE}={theme};")
    assert "Path=/;" in f"{cookie};"
    assert "httponly" in cookie.lower()


async def test_colours_that_there_are_not_are_not_kept(here: Beside) -> None:
    """Only those that the page offers."""
    answered = await here.client.post("/theme", data={"theme": "pink"})

    assert answered.status_code == 303
    assert "set-cookie" not in answered.headers


async def test_chosen_colours_are_in_the_page(world: World) -> None:
    """The server writes them, so nothing flashes; below a URL base the cookie is for that path."""
    async with daemon_beside(world, environ={"HTTP_URL_BASE": "/ai"}) as here:
        answered = await here.client.post("/ai/theme", data={"theme": "dark"})
        shown = await here.client.get("/ai/more", headers={**AS_BROWSER, "Cookie": f"{THEME_COOKIE}=dark"})

    assert "Path=/ai" in answered.headers["set-cookie"]
    assert '<html lang="en" data-theme="dark">' in shown.text
    assert 'href="/ai/pins"' in shown.text


async def test_the_menu_leads_everywhere(here: Beside) -> None:
    """Whatever the phone's bar has no room for."""
    text = (await _page(here, "/more")).partition('<nav class="panel flush menu"')[2]

    assert re.findall(r'<a href="([^"]+)"', text.partition("</nav>")[0]) == [
        "/runs", "/pins", "/start", "/settings", "/logs", "/about"
    ]  # fmt: skip


def test_a_bug_report_is_a_line_for_each_thing() -> None:
    """Settings that are set, what is not in order, the last lines; hostile texts take no line of their own."""
    text = bug_report(
        {"Python": "3.13"},
        {
            "A": {"value": "x\ny", "source": "environment"},
            "B": {"value": ["p", "q"], "source": "file /s"},
            "C": {"value": 1, "source": "default"},
        },
        "stuck\u202e",
        [{"timestamp": "t", "level": "error", "event": "e", "run_id": "", "why": "because\nof\x07 it" + "!" * 500}],
    )

    assert text.splitlines()[:8] == [
        "Python: 3.13",
        "",
        "Not in order: stuck",
        "",
        "Settings that are not the default:",
        "A=x y (environment)",
        "B=p, q (file /s)",
        "",
    ]
    assert text.splitlines()[9].startswith("t error e why=because of it!!!")
    assert len(text.splitlines()[9]) == 300


def test_every_library_has_a_licence() -> None:
    """What the program needs, and what that needs; not the tools that it is made with."""
    found = {library.name.lower(): library for library in libraries()}

    assert {"fastapi", "starlette", "jinja2", "anthropic"} <= found.keys()
    assert not {"pytest", "kometa-ai", "mypy"} & found.keys()
    assert all(library.version and library.licence for library in found.values())


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("Classifier: License :: OSI Approved :: BSD License\nLicense: long", "BSD License"),
        ("License: Apache-2.0", "Apache-2.0"),
        ("License: " + "x" * 100, "see its page"),
        ("Summary: none", "see its page"),
    ],
)
def test_a_licence_is_said_in_a_few_words(tmp_path: Path, fields: str, licence: str) -> None:
    """Wherever a library's metadata name it; a whole text is not repeated."""
    (tmp_path / "METADATA").write_text(f"Metadata-Version: 2.4\nName: x\nVersion: 1\n{fields}\n", encoding="utf-8")

    assert licence_of(PathDistribution(tmp_path)) == licence
