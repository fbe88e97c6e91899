"""The documentation site, built as `make site` builds it: whole, from its own host alone, on every screen."""

from __future__ import annotations

import asyncio
import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from playwright.async_api import expect

from tests.browser import checks, programs
from tests.browser.visiting import WIDTHS, launched, visiting
from tests.written_docs import DOCS, ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Any

    from playwright.async_api import Browser

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""What a browser fetches by itself, and the attribute that says from where."""
QUOTING = {"code", "pre", "script", "style"}
_FOREIGN = re.compile(r"""((href|src)\s*=\s*["']|url\(["']?)(https?:)?//""")
"""The same in an SVG."""
_SNIPPET = re.compile(r'^\s*--8<-- "([^":]+)', re.MULTILINE)
CONFIGURATION = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))


class Page(HTMLParser):
    """The places on a page, where it leads, what it loads, and its text outside of samples."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self._quoting = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag holds; HTMLParser calls this."""
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADED and LOADED[tag] in found:
            self.loads.append(found[LOADED[tag]])
        self._quoting += tag in QUOTING

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a sample; HTMLParser calls this."""
        self._quoting -= tag in QUOTING

    def handle_data(self, data: str) -> None:
        """Keep what is read; HTMLParser calls this."""
        if not self._quoting:
            self.text += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make site` builds it: from a copy, since Zensical writes beside what it reads."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(DOCS, folder / "docs")
    texts = [path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")]
    for name in {"zensical.toml", *(found for text in texts for found in _SNIPPET.findall(text))}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page, by its file."""
    found = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    # It is shown in the place of any page, so that its links are meant from the site's root.
    del found[site / "404.html"]
    return found


def _target(site: Path, page: Path, link: str) -> Path | None:
    """The file of the site that a link on a page leads to."""
    path = unquote(urlsplit(link).path)
    target = (page.parent / path).resolve() if path else page
    target = target / "index.html" if target.is_dir() else target
    return target if target.is_file() and target.is_relative_to(site) else None


def test_every_link_on_the_site_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    """Each link inside the site leads to a file that is there, and to a place on that page if it names one."""
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = _target(site, path, link)
            if target is None or (parts.fragment and unquote(parts.fragment) not in pages[target].places):
                dead.append((path.relative_to(site).as_posix(), link))

    assert len(pages) > 30
    assert dead == []


def test_every_picture_is_there(site: Path, pages: dict[Path, Page]) -> None:
    """What a page loads is a file of the site: pictures, scripts and style sheets."""
    missing = [
        (path.relative_to(site).as_posix(), load)
        for path, page in pages.items()
        for load in page.loads
        if not urlsplit(load).scheme and _target(site, path, load) is None
    ]

    assert missing == []


def test_no_reference_is_left_as_it_was_written(site: Path, pages: dict[Path, Page]) -> None:
    """A link by a name that no line explains would be shown with its brackets."""
    left = [path.relative_to(site).as_posix() for path, page in pages.items() if "][" in page.text]

    assert left == []


def _paths(entry: Any) -> Iterator[str]:
    """The files that a part of the navigation names."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from _paths(part)


def test_the_navigation_has_every_page_once() -> None:
    """Each page can be reached by the menu, and each entry of it is a page."""
    named = list(_paths(CONFIGURATION["project"]["nav"]))

    assert sorted(named) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    """Readers of the site contact its host only: it has no fonts, scripts or pictures from elsewhere."""
    foreign = {
        load
        for page in pages.values()
        for load in page.loads
        if urlsplit(load).netloc or urlsplit(load).scheme == "http"
    }

    assert foreign == set()


def test_drawings_load_nothing() -> None:
    """An SVG is self-contained."""
    for drawing in (ROOT / "docs" / "images").glob("*.svg"):
        text = drawing.read_text(encoding="utf-8")
        assert not _FOREIGN.search(text), f"{drawing.name} loads {_FOREIGN.search(text)}"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with launched(programs.chromium()) as found:
        yield found


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of files that writes no log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("width", WIDTHS)
async def test_every_page_fits_its_window(browser: Browser, address: str, pages: dict[Path, Page], width: int) -> None:
    """No page is wider than a phone, a tablet or a desk; the browser has nothing to say, and asks no other host."""
    wide: dict[str, list[str]] = {}
    asked: set[str] = set()
    site = min(pages, key=lambda path: len(path.parts)).parent
    # Records and the map of the modules are long and plain: one of each kind is enough.
    paths = [path.parent.relative_to(site).as_posix() for path in pages if "decisions/00" not in path.as_posix()]

    async with visiting(browser, address, width=width) as visit:
        visit.page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        for path in paths:
            await visit.page.goto(f"/{path}/")
            if found := await checks.sideways(visit.page):
                wide[path] = found

    assert wide == {}
    assert asked - {""} == {urlsplit(address).netloc}
    assert visit.complaints == []


@pytest.mark.parametrize("width", [WIDTHS[0], WIDTHS[-1]])
async def test_a_reader_finds_a_page_by_a_word_of_it(browser: Browser, address: str, width: int) -> None:
    """The search needs no service: typing a word leads to a page that has it."""
    async with visiting(browser, address, width=width) as visit:
        await visit.page.goto("/")
        await visit.page.locator("header label:visible, header button:visible").last.click()
        await visit.page.keyboard.insert_text("fail2ban")
        # The results are in a tree that is closed to tests; Enter takes the first one, once there is one.
        async with asyncio.timeout(20):
            while "?h=" not in visit.page.url:
                await visit.page.keyboard.press("Enter")
                await visit.page.wait_for_timeout(100)

        await expect(visit.page.locator("article")).to_contain_text("fail2ban")


async def test_the_colours_follow_the_system_and_can_be_switched(browser: Browser, address: str) -> None:
    """A dark system gets a dark page, and a button makes it light."""
    async with visiting(browser, address, scheme="dark") as visit:
        await visit.page.goto("/models/")
        await expect(visit.page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
        await visit.page.get_by_title("Light").click()

        await expect(visit.page.locator("body")).to_have_attribute("data-md-color-scheme", "default")
