"""The message for each push service: in the form that it displays, within its limit, and cut by us alone."""

from __future__ import annotations

import json
import re
from functools import partial
from html import unescape
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from apprise import Apprise, NotifyBase

from kometa_ai.core.problem import Problem
from kometa_ai.notification.news import News
from kometa_ai.notification.push import send, taking_of, targets
from kometa_ai.notification.render import written
from kometa_ai.settings.schema import Settings
from tests.notification.support import Hooks, collection, movies, report

if TYPE_CHECKING:
    from kometa_ai.core.report import RunReport

UTC = ZoneInfo("UTC")
TITLE = "Kometa-AI: needs you (1 problem): 1,500 added in 20 collections"
TOKEN = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
ADDRESSES = {
    "ntfy": "ntfy://ntfy.example.org/topic",
    "Gotify": "gotify://gotify.example.org/AbCdEfGhIjKlMnO",
    "Discord": f"discord://4174216298/{TOKEN}",
    "Telegram": f"tgram://123456789:{TOKEN}/12315544",
    "Pushover": f"pover://{'u' * 30}@{'t' * 30}",
    "Pushover HTML": f"pover://{'u' * 30}@{'t' * 30}?format=html",
    "Slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#kometa",
    "Matrix": "matrix://user:password@matrix.example.org/#kometa",
    "Mattermost": f"mmost://chat.example.org/{'a' * 26}",
    "Zulip": f"zulip://bot@org/{'a' * 32}/kometa",
    "Google Chat": "gchat://workspace/key/token",
    "Teams": "workflows://host/workflow/signature",
    "Rocket.Chat": f"rocket://{'a' * 24}/{'b' * 64}@chat.example.org/#kometa",
    "Signal": "signal://localhost:8080/+15551234567/+15551234568",
    "WhatsApp": f"whatsapp://{'a' * 60}@1234567890/+15551234567",
    "Webex": f"wxteams://{'a' * 80}",
    "a webhook": "json://example.org/hook",
}
MOST_UNITS = {"Discord": 2000, "Telegram": 4096, "Pushover": 1024, "Slack": 3000, "Mattermost": 4000, "Zulip": 10000}


def large(title: str) -> RunReport:
    """A first run: twenty collections, 1,500 movies, and a problem with a long list."""
    problem = Problem(what=f"{title} " * 20, remedy=f"{title} " * 20, movies=(title,) * 20, collection=title)
    return report(
        outcome="problems",
        problems=(problem,) * 3,
        collections=tuple(
            collection(f"{title} {n}", added=movies(*(f"{title} {i}" for i in range(75)))) for n in range(20)
        ),
    )


def service_of(url: str) -> NotifyBase:
    """The service that Apprise makes of an address."""
    service = Apprise.instantiate(url)
    assert isinstance(service, NotifyBase)
    return service


def sent(url: str, run: RunReport, before: int = 0) -> tuple[str, str]:
    """The title and the text that the service's own code is given to post, after all that Apprise does to it."""
    service = service_of(url)
    taking = taking_of(service, url)
    news = [News(report=run)] * (before + 1)
    body = written(news, UTC, taking.form, partial(taking.fits, TITLE))
    (piece,) = service._build_send_calls(  # the one place that shows it without sending it
        body=taking.text_of(TITLE, body),
        title=TITLE if service.title_maxlen > 0 else "",
        body_format=taking.declared or service.resolve_format(None),
        body_passthrough=taking.declared is None,
        _payload_precapped=None,
    )
    return str(piece["title"]), str(piece["body"])


def units(text: str) -> int:
    """Characters as JavaScript counts them: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "title", ["Crossroads", "日本の映画の題名", "🎬🎬🎬🎬", "Q & A <b> [x] 'y'", "&amp;&lt;" * 9, "_*_*"]
)
@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_large_report_fits(name: str, title: str, before: int) -> None:
    """As the service counts: bytes at ntfy, UTF-16 elsewhere; the end of the report and its place are there."""
    service = service_of(ADDRESSES[name])

    head, text = sent(ADDRESSES[name], large(title), before)

    if name == "ntfy":
        assert len(text.encode()) < 4096
        assert len(json.dumps({"topic": "topic", "title": head, "message": text})) < 8000
    else:
        assert units(text) <= MOST_UNITS.get(name, service.body_maxlen)
    assert "runs/20260302-020000-ab12.json" in unescape(text).replace("\\", "")
    assert re.search(r"and [\d,]+ more", text)
    assert not re.search(r"&\w*$", text)


def test_telegram_gets_all_that_matters() -> None:
    """Escaped HTML: the collections that fit, how many more, what it cost, the next run, and where the rest is."""
    _, text = sent(ADDRESSES["Telegram"], large("Q & A <b>"))

    assert text.startswith(f"<b>{TITLE}</b>\r\n")
    assert "Q &amp; A &lt;\u200bb&gt; 0: 43 movies" in text
    assert re.sub("</?b>", "", text).count("<") == 0
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;)", text)
    for piece in ("more collections", "Cost: ", "Next run: ", "The whole report: "):
        assert piece in text
    assert len(text) > 2500


@pytest.mark.parametrize(
    "name", ["Slack", "Google Chat", "Teams", "Rocket.Chat", "Signal", "Zulip", "Webex", "ntfy", "Matrix"]
)
def test_no_backslash_where_none_is_understood(name: str) -> None:
    """Services with a markup of their own get text without escapes."""
    _, text = sent(ADDRESSES[name], report(collections=(collection("A*B_C", added=movies("M*A*S*H (a) #1 + 2 - 3!")),)))
    assert "\\" not in text
    assert "M*A*S*H (a) #1 + 2 - 3! (1995)" in text


@pytest.mark.parametrize("name", ADDRESSES)
def test_nothing_in_a_title_leads_anywhere(name: str) -> None:
    """No link that hides where it leads, no call of a channel, no tag."""
    evil = "[click](https://evil.example)"
    run = report(
        outcome="problems",
        problems=(Problem(what=evil, remedy=evil, movies=(evil,), collection=evil),),
        collections=(
            collection(evil, added=movies(evil, "<https://evil.example|x>", "<!channel>", "@everyone", "[a][b]")),
        ),
    )
    _, text = sent(ADDRESSES[name], run)
    assert "evil.example" in text.replace("\\", "")
    assert not re.search(r"\]\(|\]\[|<https?:|<!|@everyone", text)


@pytest.mark.parametrize("name", ["Teams", "Rocket.Chat", "Zulip", "Webex", "Google Chat"])
def test_added_and_removed_stay_apart(name: str) -> None:
    """Where Markdown is read in it, no line begins like an item of a list, which would lose its sign."""
    run = report(collections=(collection("Heist", added=movies("Heat"), removed=movies("Ronin")),))
    _, text = sent(ADDRESSES[name], run)
    assert "+ Heat" in text
    assert "- Ronin" in text
    assert not re.search(r"^[-+*#>]", text, re.MULTILINE)


async def test_ntfy_is_sent_a_message_and_no_attachment() -> None:
    """Over HTTP: one JSON of less than 4,096 bytes of message, whatever the alphabet."""
    for title in ("Crossroads", "日本の映画の題名", "🎬🎬🎬🎬"):
        with Hooks() as hooks:
            (target,) = targets(Settings(apprise_urls=hooks.url("ntfy", "topic")))  # type: ignore[arg-type]
            delivery = await send(target, TITLE, partial(written, [News(report=large(title))], UTC))
            ((path, body),) = hooks.received
        assert delivery.problem is None
        assert path == ""
        assert len(body["message"].encode()) < 4096


@pytest.mark.parametrize("size", [1, 20, 60, 140, 160, 300])
def test_a_pager_gets_the_beginning(size: int) -> None:
    """However little fits, it begins with what matters, and says how many lines there are more."""
    run: Any = [News(report=large("Heat"))]
    for form in ("text", "markdown", "guarded", "tags", "html"):
        text = written(run, UTC, form, lambda made: len(made) <= size)
        assert len(text) <= size
        assert size < 20 or "eeds you" in text
    text = written(run, UTC, "text", lambda made: len(made) <= 200)
    assert re.search(r"and \d+ more lines: see STATE_DIR/runs/\S+\.json$", text)
