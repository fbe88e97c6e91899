"""The pictures of docs/images that show the page, from the demo: `python -m tests.page_pictures`.

The demo is started as anybody can start it; nothing in the pictures is made up for them. Needs Chromium, and makes its
pictures smaller with pngquant where that is there.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from itertools import product
from pathlib import Path

from tests.browser import programs
from tests.browser.conftest import sign_in
from tests.browser.visiting import SCHEMES, launched, visiting
from tests.cli.test_demo_page import served
from tests.pictures import IMAGES, shrink

PAGES = {
    "overview": "/",
    "collection": "/collections/feel-good",
    "review": "/review?kind=close+call",
    "movie": "/movies/movie:1091",
}
WIDTHS = {"desk": 1400, "phone": 390}
SHOWN = {"desk-light": PAGES.keys(), "desk-dark": {"overview"}, "phone-dark": PAGES.keys()}
"""Which pages README and docs show in which window."""


async def photograph(url: str, password: str, folder: Path) -> list[Path]:
    """The pages in the windows in which they are shown."""
    made = []
    async with launched(programs.chromium()) as browser:
        for (size, width), scheme in product(WIDTHS.items(), SCHEMES):
            shown = SHOWN.get(f"{size}-{scheme}", ())
            async with visiting(browser, url, width=width, scheme=scheme) as visit:
                await visit.page.goto("/login")
                await sign_in(visit.page, password)
                for name in shown:
                    await visit.page.goto(PAGES[name])
                    await visit.page.wait_for_timeout(1000)  # until all posters are there
                    made.append(folder / f"page-{name}-{size}-{scheme}.png")
                    await visit.page.screenshot(path=made[-1])
    return made


def main() -> None:
    """Make all of them, in docs/images or in the folder that is named."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as demo:
        for picture in asyncio.run(photograph(demo.url, demo.password, target)):
            shrink(picture)


if __name__ == "__main__":
    main()
