"""Reports as messages: subject, text and HTML for e-mail, and a short form for push services. Pure.

    report -> News (what is told before) -> View (everything cleaned, counted and cut) -> templates

The templates only lay out; what is said, and how much of it, is decided in `view`. A message that would become too
large is made again with shorter lists, so that no mail program hides half of it and no service cuts it anywhere.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from kometa_ai.core.summary import counted, headline
from kometa_ai.notification.message import Form, Message
from kometa_ai.notification.view import Limits, earlier_of, subject_of, view_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import tzinfo

    from jinja2 import Environment

    from kometa_ai.notification.news import News
    from kometa_ai.notification.view import Earlier, View

MAX_BYTES = 66_000
"""Text and HTML together. On its way a message grows by 40 % at most, and stays below the 100 kB some servers allow."""

LIMITS = (
    Limits(earlier=10, collections=100, movies=50, problems=30, name=120, sentence=600),
    Limits(earlier=10, collections=100, movies=20, problems=30, name=120, sentence=600),
    Limits(earlier=5, collections=50, movies=15, problems=20, name=120, sentence=400),
    Limits(earlier=3, collections=40, movies=10, problems=10, name=100, sentence=300),
    Limits(earlier=1, collections=20, movies=5, problems=5, name=80, sentence=200),
    Limits(earlier=0, collections=8, movies=1, problems=3, name=30, sentence=100),
)
"""From the most to the least; the last one fits whatever the reports hold."""

BRIEF = (
    Limits(earlier=3, collections=12, movies=10, problems=5, name=80, sentence=300),
    Limits(earlier=1, collections=12, movies=5, problems=4, name=60, sentence=200),
    Limits(earlier=0, collections=8, movies=3, problems=3, name=60, sentence=150),
    Limits(earlier=0, collections=4, movies=1, problems=2, name=40, sentence=100),
    Limits(earlier=0, collections=0, movies=0, problems=1, name=40, sentence=100),
)
"""The same for push messages: what fits on a phone, and less where a service takes less."""

_FORMS: Mapping[Form, tuple[str, Sequence[Limits]]] = {
    "html": ("report.html.jinja", LIMITS),
    "markdown": ("brief.md.jinja", BRIEF),
    "text": ("brief.txt.jinja", BRIEF),
}
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+.!|~=&-])")
# What services make calls of: `@everyone`, `<!channel>`, `<@U12345>`. A blank without width keeps them words.
_CALLS = re.compile(r"(?<=[@<])(?=\S)")


def render(news: Sequence[News], zone: tzinfo, *, lost: int = 0) -> Message:
    """Reports as one e-mail, with times in `zone`: the last one, and before it those that did not arrive.

    `lost` is how many more there were.
    """
    for view, earlier in _views(news, lost, zone, LIMITS):
        text = _laid_out("report.txt.jinja", view, earlier)
        html = _laid_out("report.html.jinja", view, earlier)
        if len(text.encode()) + len(html.encode()) <= MAX_BYTES:
            break
    return Message(subject=subject_of(news[-1], len(news) - 1 + lost), text=text, html=html)


def written(news: Sequence[News], zone: tzinfo, form: Form, room: int, *, lost: int = 0) -> str:
    """The same in one form and at most `room` characters: whole as HTML, in short as text and Markdown."""
    name, steps = _FORMS[form]
    for view, earlier in _views(news, lost, zone, steps):
        text = _laid_out(name, view, earlier)
        if form != "html":
            text = _CALLS.sub("\u200b", text)
        if len(text) <= room:
            return text
    # Not even a line of each fits: a text message, or a pager.
    return headline(news[-1].report)[:room]


def _views(news: Sequence[News], lost: int, zone: tzinfo, steps: Sequence[Limits]) -> Iterator[tuple[View, Earlier]]:
    *before, last = news
    for limits in steps:
        yield view_of(last, zone, limits), earlier_of(before[::-1], lost, zone, limits)


def _laid_out(name: str, view: View, earlier: Earlier) -> str:
    return _environment().get_template(name).render(view=view, earlier=earlier)


def _escaped(text: str) -> str:
    """The text as CommonMark that shows it as it is."""
    return _MARKUP.sub(r"\\\1", text)


@cache
def _environment() -> Environment:
    from jinja2 import (  # noqa: PLC0415 - takes its time, and not everybody is told
        Environment,
        PackageLoader,
        StrictUndefined,
        select_autoescape,
    )

    environment = Environment(
        loader=PackageLoader("kometa_ai.notification"),
        autoescape=select_autoescape(enabled_extensions=("html.jinja",), disabled_extensions=("txt.jinja", "md.jinja")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"md": _escaped, "counted": counted}
    return environment
