"""Pages as tests read them: asked for as a browser does, with the key; their words, and the rows of their lists."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

    from tests.daemon.living import Beside

AS_BROWSER = {"Accept": "text/html"}


async def page(here: Beside, path: str, status: int = 200) -> str:
    """A page's HTML."""
    answered = await here.client.get(path, headers=AS_BROWSER)
    assert answered.status_code == status, answered.text
    return str(answered.text)


async def send(here: Beside, path: str, **fields: Any) -> httpx2.Response:
    """Send a form; a field with several values is a list."""
    return await here.client.post(path, data=fields, headers=AS_BROWSER)


def words(text: str) -> str:
    """What can be read, on one line."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", text).split()))


def part(text: str, title: str) -> str:
    """The words of the section that is named so, by its heading or its label."""
    found = re.search(r'id="([\w-]+)"[^>]*>(?:<[^>]*>)*\s*' + re.escape(title), text)
    label = rf'aria-labelledby="{found[1]}"' if found else rf'aria-label="{re.escape(title)}"'
    section = re.search(rf"<(section|dialog|table|ul)[^>]*{label}.*?</\1>", text, re.DOTALL)
    assert section, f"no part {title!r} in {words(text)}"
    return words(section[0])
