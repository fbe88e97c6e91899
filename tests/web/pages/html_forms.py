"""Read the forms of a page and send them, as a browser without script does."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import httpx2

    from tests.daemon.living import Beside

HTML = {"Accept": "text/html"}


class HtmlForm(NamedTuple):
    """A form of a page: where it is sent, and the fields that it sends as it is shown, as name and value."""

    action: str
    fields: list[tuple[str, str]]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[HtmlForm] = []
        self._is_within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(HtmlForm(known.get("action", ""), []))
            self._is_within = True
        is_sent = "name" in known and (known.get("type") not in ("checkbox", "radio") or "checked" in known)
        if tag == "input" and self._is_within and is_sent:
            self.forms[-1].fields.append((known["name"], known.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_within = False


def forms_to(html: str, action: str) -> list[HtmlForm]:
    """The forms of a page that are sent to an address."""
    reader = _Reader()
    reader.feed(html)
    return [form for form in reader.forms if form.action == action]


async def opened(here: Beside, path: str, status: int = 200) -> str:
    """A page."""
    answer = await here.client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    return answer.text


async def sent(here: Beside, html: str, action: str, **pressed: str) -> httpx2.Response:
    """Send the first form of a page to an address, with the button that was pressed; give what a browser then shows."""
    form = forms_to(html, action)[0]
    fields: dict[str, list[str]] = {}
    for name, value in (*form.fields, *pressed.items()):
        fields.setdefault(name, []).append(value)
    answer = await here.client.post(action, data=fields, headers=HTML)
    if answer.status_code == 303:
        answer = await here.client.get(answer.headers["location"], headers=HTML)
    return answer
