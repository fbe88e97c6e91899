"""Push services through Apprise, with an HTTP server that records their requests."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kometa_ai.core.problem import Problem
from kometa_ai.notification.news import News
from kometa_ai.notification.push import send, targets
from kometa_ai.notification.render import written
from kometa_ai.observe import logs
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.schema import Settings
from tests.notification.support import TROUBLE, Hooks, collection, movies, report

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.report import RunReport
    from kometa_ai.notification.message import Delivery, Form

BERLIN = ZoneInfo("Europe/Berlin")
EVENTFUL = report(
    outcome="problems",
    problems=(TROUBLE,),
    collections=(collection(added=movies("M*A*S*H", "Heat"), removed=movies("[REC]")),),
)
LARGE = report(
    collections=tuple(collection(f"Nr. {n}", added=movies(*(f"Film {i}" for i in range(100)))) for n in range(50)),
    outcome="problems",
    problems=(Problem(what="Very wrong. " * 100, remedy="Mend it. " * 100),) * 9,
)


async def pushed(url: str, run: RunReport = EVENTFUL, patience: float = 10) -> Delivery:
    """Send a run's report to one address."""
    (target,) = targets(Settings(apprise_urls=url))  # type: ignore[arg-type]
    write = partial(written, [News(report=run)], BERLIN)
    return await send(target, "Kometa-AI: 2 added", write, patience=patience)


@pytest.mark.parametrize(
    ("address", "posted", "line"),
    [
        (("json", "hook"), "hook", "+ M*A*S*H (1995)"),
        (("json", "hook", "format=markdown"), "hook", r"- \+ M\*A\*S\*H \(1995\)"),
        (("json", "hook", "format=html"), "hook", "<!doctype html>"),
        (("ntfy", "topic"), "", "+ M*A*S*H (1995)"),
        (("gotify", "tokentokentoken"), "message", "+ M*A*S*H (1995)"),
        (("mmost", "a" * 26), f"hooks/{'a' * 26}", r"- \+ M\*A\*S\*H \(1995\)"),
    ],
)
async def test_each_service_gets_its_own_form(address: tuple[str, ...], posted: str, line: str) -> None:
    """Markdown where it is known, so that titles keep their stars, the whole report as HTML, else plain text."""
    with Hooks() as hooks:
        delivery = await pushed(hooks.url(*address))
        ((where, body),) = hooks.received
    assert delivery.problem is None
    assert delivery.answer.endswith(" took it.")
    assert where == posted
    text = body.get("message") or body["text"]
    assert line in text
    # Mattermost has no title: it stands in the text.
    assert "Kometa-AI: 2 added" in (body.get("title") or text)


@pytest.mark.parametrize(("schema", "path", "most"), [("ntfy", "topic", 4000), ("mmost", "a" * 26, 4000)])
async def test_stays_within_what_a_service_takes(schema: str, path: str, most: int) -> None:
    """Five thousand changes are one message, with counts and the place of the whole report."""
    with Hooks() as hooks:
        delivery = await pushed(hooks.url(schema, path), LARGE)
        ((_, body),) = hooks.received
    text = body.get("message") or body["text"]
    assert delivery.problem is None
    assert len(text) <= most
    assert re.search(r"and \d+ more", text)
    assert "/runs/" in text


async def test_a_service_that_refuses() -> None:
    """What it answered is said, and which address it was; the address itself is not."""
    with Hooks() as hooks:
        hooks.refusing = {"my-own-secret-path"}
        delivery = await pushed(hooks.url("json", "my-own-secret-path"))
    assert delivery.problem is not None
    assert delivery.problem.what.startswith("json (APPRISE_URLS, address 1): Failed to send JSON")
    assert "500" in delivery.problem.what
    assert "my-own-secret-path" not in str(delivery.problem)


async def test_a_service_that_hangs() -> None:
    """It is left alone after a while, and the loop is free meanwhile."""
    with Hooks() as hooks:
        began = time.monotonic()
        ticking = asyncio.create_task(_ticks())
        delivery = await pushed(hooks.url("json", "slow"), patience=0.3)
        ticks = ticking.cancel() and len(_TICKS)
    assert time.monotonic() - began < 3
    assert delivery.problem is not None
    assert "did not confirm the message in time" in delivery.problem.what
    assert delivery.fate == "unclear"
    assert ticks > 5


_TICKS: list[float] = []


async def _ticks() -> None:
    _TICKS.clear()
    while True:
        _TICKS.append(time.monotonic())
        await asyncio.sleep(0.01)


async def test_nothing_listens() -> None:
    """A connection that cannot be made is said to be that."""
    with Hooks() as hooks:
        url = hooks.url("json")
    delivery = await pushed(url)
    assert delivery.problem is not None
    assert "Connection error" in delivery.problem.what


async def test_an_address_that_none_can_read() -> None:
    """A service that there is not, or half an address, is named by its position."""
    delivery = await pushed("discord://half")
    assert delivery.problem is not None
    assert delivery.problem.what == "discord (APPRISE_URLS, address 1): Apprise cannot read this address."


async def test_no_address_reaches_the_log(tmp_path: Path) -> None:
    """Not even with every detail logged."""
    with Hooks() as hooks:
        settings = Settings(apprise_urls=hooks.url("gotify", "short", "to=geheim"))  # type: ignore[arg-type]
        (target,) = targets(settings)
        logs.configure(tmp_path, debug=True, form="json", redactor=Redactor(secrets_of(settings)))
        try:
            await send(target, "Title", partial(written, [News(report=EVENTFUL)], BERLIN))
            logging.getLogger("here").info("done")
        finally:
            logs.shutdown()
    said = (tmp_path / logs.FILE_NAME).read_text()
    assert "done" in said
    assert not re.search("short|geheim", said)


def brief(run: RunReport, form: Form = "text", room: int = 4000, **more: Any) -> str:
    """A report as a phone gets it."""
    return written([News(report=run)], BERLIN, form, lambda text: len(text) <= room, **more)


def test_the_first_line_says_it() -> None:
    """All is well or not, and what changed, before anything else."""
    assert brief(report()).splitlines()[0] == "All is well. No changes."
    assert brief(EVENTFUL).splitlines()[:2] == [
        "Needs you: 1 problem. 2 added, 1 removed in 1 collection.",
        "! The answer was torn. The next run asks again.",
    ]


@pytest.mark.parametrize("call", ["@everyone", "<!channel>", "<@U12345678>", "@here"])
@pytest.mark.parametrize("form", ["text", "markdown", "guarded", "tags"])
def test_a_title_mentions_no_user(call: str, form: Form) -> None:
    """Titles come from a database that anyone may edit."""
    assert call not in brief(report(collections=(collection(call, added=movies(call)),)), form)


def test_markdown_shows_titles_as_they_are() -> None:
    """No star, bracket, tag or heading of a title is taken for markup."""
    text = brief(report(collections=(collection("# *One*", added=movies("<b>[x](y)</b> `z`")),)), "markdown")
    assert r"**\# \*One\***" in text
    assert r"\<" in text
    assert r"\[x\]\(y\)" in text
    assert r"\`z\`" in text


@pytest.mark.parametrize("room", [20, 60, 140, 300, 1000, 3600])
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_however_little_a_service_takes(room: int, form: Form) -> None:
    """Down to a pager, it is one message that begins with what matters."""
    text = brief(LARGE, form, room)
    assert len(text) <= room
    assert "Needs you"[:room] in text


_LINES = 12


@given(st.text(st.characters(), max_size=300), st.integers(1, 4000))
@settings(deadline=None)
def test_no_text_breaks_out(text: str, room: int) -> None:
    """Whatever titles and sentences hold: it fits, and no line begins that is not ours."""
    word = f"a{text}"
    run = report(
        outcome="problems",
        problems=(Problem(what=word, remedy=word, collection=word, movies=(word,)),),
        collections=(collection(word, added=movies(word)),),
    )
    for form in ("text", "markdown"):
        said = brief(run, form, room)
        assert len(said) <= room
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", said)
        assert len(said.splitlines()) <= _LINES
