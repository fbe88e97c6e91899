"""Render reports as messages with Jinja: subject, text and HTML for e-mail, a short form for push services. Pure.

    report -> News (what was reported before) -> View (everything cleaned, counted and cut) -> templates

Templates only do the layout; `view` decides what is said and how much of it. If a message becomes too large, it is
rendered again with shorter lists, so that no mail program hides half of it and no service cuts it at random.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from kometa_ai.core.summary import counted, headline
from kometa_ai.core.text import ELLIPSIS, beginning
from kometa_ai.notification.message import Form, Message
from kometa_ai.notification.view import Limits, earlier_of, subject_of, view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from jinja2 import Environment

    from kometa_ai.core.report import RunReport
    from kometa_ai.notification.news import Missing, News
    from kometa_ai.notification.view import Earlier, View

MAX_BYTES = 66_000
"""Text and HTML together. In transit a message grows by at most 40 %, and stays below the 100 kB some servers allow."""

LIMITS = (
    Limits(earlier=10, collections=100, movies=50, problems=30, name=120, sentence=600),
    Limits(earlier=10, collections=100, movies=20, problems=30, name=120, sentence=600),
    Limits(earlier=5, collections=50, movies=15, problems=20, name=120, sentence=400),
    Limits(earlier=3, collections=40, movies=10, problems=10, name=100, sentence=300),
    Limits(earlier=1, collections=20, movies=5, problems=5, name=80, sentence=200),
    Limits(earlier=0, collections=8, movies=1, problems=3, name=30, sentence=100),
)
"""From the longest lists to the shortest; the last one fits any report."""

BRIEF = (
    Limits(earlier=3, collections=12, movies=10, problems=5, name=80, sentence=300),
    Limits(earlier=1, collections=20, movies=5, problems=5, name=80, sentence=300),
    Limits(earlier=1, collections=12, movies=5, problems=4, name=60, sentence=200),
    Limits(earlier=0, collections=12, movies=3, problems=4, name=60, sentence=200),
    Limits(earlier=0, collections=8, movies=3, problems=3, name=60, sentence=150),
    Limits(earlier=0, collections=4, movies=1, problems=2, name=40, sentence=100),
    Limits(earlier=0, collections=0, movies=0, problems=1, name=40, sentence=100),
)
"""The same for push messages: the first fits on a phone, the others suit services that accept less."""

_FORMS: Mapping[Form, tuple[str, Sequence[Limits]]] = {
    "html": ("report.html.jinja", LIMITS),
    "markdown": ("brief.md.jinja", BRIEF),
    "text": ("brief.txt.jinja", BRIEF),
    "guarded": ("brief.txt.jinja", BRIEF),
    "tags": ("brief.txt.jinja", BRIEF),
}
_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+.!|~=&-])")
# Mentions (`@everyone`, `<!channel>`, `<@U12345>`), and links that hide their target (`[text](address)`,
# `<address|text>`). A zero-width space keeps them text.
_CALLS = re.compile(r"(?<=[@<])(?=\S)|(?<=\])(?=[(\[:])")
# The beginning of a list item, a heading or a quotation in one markup or another.
_LINE_MARK = re.compile(r"^(?=[-+*>#=]|\d+[.)])", re.MULTILINE)
_NOTHING = "\u200b"


def render(news: Sequence[News], zone: tzinfo, *, lost: int = 0, missing: Sequence[Missing] = ()) -> Message:
    """Render reports as one e-mail, with times in `zone`: the last one, then those that did not arrive before.

    `lost` counts further reports that are no longer kept; `missing` are reports that were given up.
    """
    for view, earlier in _views(news, (lost, missing), zone, LIMITS):
        text = _laid_out("report.txt.jinja", view, earlier)
        html = _laid_out("report.html.jinja", view, earlier)
        if len(text.encode()) + len(html.encode()) <= MAX_BYTES:
            break
    return Message(subject=subject_of(news[-1], len(news) - 1 + lost), text=text, html=html)


def written(
    news: Sequence[News],
    zone: tzinfo,
    form: Form,
    fits: Callable[[str], bool],
    *,
    lost: int = 0,
    missing: Sequence[Missing] = (),
) -> str:
    """Render reports in one form, short enough to fit: the whole report as HTML, a short one in every other form."""
    name, steps = _FORMS[form]
    for view, earlier in _views(news, (lost, missing), zone, steps):
        text = _laid_out(name, view, earlier)
        if fits(made := _in_form(form, text)):
            return made
    # A service that accepts so little gets no HTML page.
    return _beginning("" if form == "html" else text, news[-1].report, form, fits)


def titled(form: Form, title: str, body: str) -> str:
    """Put the title in front of a text, for services without a separate title."""
    match form:
        case "markdown":
            return f"**{title}**\n{body}"
        case "tags":
            return f"<b>{escape(title, quote=False)}</b>\n{body}"
    return f"{title}\n{body}"


def _in_form(form: Form, text: str) -> str:
    if form == "html":
        return text
    text = _CALLS.sub(_NOTHING, text)
    match form:
        case "guarded":
            # Two blanks make a line break where a newline alone does not.
            return _LINE_MARK.sub(_NOTHING, text).replace("\n", "  \n")
        case "tags":
            return escape(text, quote=False)
    return text


def _beginning(text: str, report: RunReport, form: Form, fits: Callable[[str], bool]) -> str:
    """As many whole lines as fit, and where to find the rest; else as much of the headline as fits."""
    lines = text.rstrip("\n").split("\n")
    for count in range(len(lines) - 1, 0, -1):
        rest = f"and {counted(len(lines) - count, 'more line')}: see STATE_DIR/runs/{report.run_id}.json"
        if fits(made := _in_form(form, "\n".join([*lines[:count], _literal(form, rest)]))):
            return made
    words = headline(report)
    shorter = (_in_form(form, _literal(form, beginning(words, size))) for size in range(len(words), 0, -1))
    return next((made for made in shorter if fits(made)), ELLIPSIS)


def _literal(form: Form, text: str) -> str:
    return _escaped(text) if form == "markdown" else text


def _views(
    news: Sequence[News], gone: tuple[int, Sequence[Missing]], zone: tzinfo, steps: Sequence[Limits]
) -> Iterator[tuple[View, Earlier]]:
    *before, last = news
    for limits in steps:
        yield view_of(last, zone, limits), earlier_of(before[::-1], *gone, zone, limits)


def _laid_out(name: str, view: View, earlier: Earlier) -> str:
    return _environment().get_template(name).render(view=view, earlier=earlier)


def _escaped(text: str) -> str:
    """The text as CommonMark that shows it as it is."""
    return _MARKUP.sub(r"\\\1", text)


@cache
def _environment() -> Environment:
    from jinja2 import (  # noqa: PLC0415 - takes its time, and not every run is reported
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
