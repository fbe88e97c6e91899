import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.written_docs import ROOT

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""What a browser fetches by itself, and the attribute that says from where."""
_FOREIGN = re.compile(r"""((href|src)\s*=\s*["']|url\(["']?)(https?:)?//""")
"""The same in an SVG."""


class Page(HTMLParser):
    """The places on a page, where it leads, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag holds; HTMLParser calls this."""
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADED and LOADED[tag] in found:
            self.loads.append(found[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make site` builds it."""
    folder = tmp_path_factory.mktemp("site")
    # In a separate process: mkdocs changes the logging of the process that it runs in.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page, by its file."""
    found = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    # It is shown in the place of any page, so that its links are meant from the site's root.
    del found[site / "404.html"]
    return found


def test_every_link_on_the_site_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    """Each link inside the site leads to a file that is there, and to a place on that page if it names one."""
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            is_there = target.is_file() and target.is_relative_to(site)
            if not is_there or (parts.fragment and unquote(parts.fragment) not in pages[target].places):
                dead.append((path.relative_to(site).as_posix(), link))

    assert len(pages) > 30
    assert dead == []


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
