"""Who is told of a run, and when."""

from __future__ import annotations

import pytest

from kometa_ai.core.problem import Problem
from kometa_ai.core.report import RunReport
from kometa_ai.notification.dispatch import notify, send_test
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.mailbox import Mailbox
from tests.notification.support import TROUBLE, collection, movies, report, settings_for

ANN, BOB = "ann@example.org", "bob@example.org"
QUIET = report()
CHANGED = report(collections=(collection(added=movies("Heat")),))
TROUBLED = report(outcome="problems", problems=(TROUBLE,))
INTERRUPTED = report(outcome="interrupted")


@pytest.mark.parametrize(
    ("notify_on", "run", "sent"),
    [
        ("always", QUIET, True), ("always", CHANGED, True), ("always", TROUBLED, True), ("always", INTERRUPTED, True),
        ("changes", QUIET, False), ("changes", CHANGED, True), ("changes", TROUBLED, True),
        ("changes", INTERRUPTED, False),
        ("problems", QUIET, False), ("problems", CHANGED, False), ("problems", TROUBLED, True),
        ("problems", INTERRUPTED, False), ("problems", report(outcome="radarr unusable"), True),
    ],
)  # fmt: skip
async def test_tells_when_it_was_asked_to(notify_on: str, run: RunReport, *, sent: bool) -> None:
    """`NOTIFY_ON` chooses the runs; a problem is told under each of its values."""
    with Mailbox() as box:
        assert await notify(run, settings_for(box, notify_on=notify_on)) == []
        assert bool(box.received) is sent


async def test_the_report_arrives() -> None:
    """The mail is the report: its subject, its text, its HTML, in the settings' time zone."""
    with Mailbox() as box:
        await notify(CHANGED, settings_for(box, [ANN, BOB], tz="Europe/Berlin"))
        (mail,) = box.received
    assert mail.recipients == (ANN, BOB)
    assert mail.message["Subject"] == "Kometa-AI: 1 added in 1 collection"
    for form in ("plain", "html"):
        body = mail.message.get_body((form,))
        assert body is not None
        assert "Heat (1995)" in body.get_content()
        assert "03:00 CET" in body.get_content()


async def test_without_server_or_recipients_there_is_no_mail() -> None:
    """What is not set up is not a problem, and nothing is sent."""
    with Mailbox() as box:
        assert await notify(TROUBLED, settings_for(box, recipients=())) == []
        assert await notify(TROUBLED, Settings(notification_recipients=(ANN,))) == []
        assert box.received == []


async def test_a_dead_server_is_one_warning() -> None:
    """However many recipients it has."""
    with Mailbox() as box:
        settings = settings_for(box, [ANN, BOB])
    (problem,) = await notify(CHANGED, settings)
    assert (problem.severity, problem.source) == ("warning", "SMTP_SERVER")


async def test_a_refused_recipient_is_a_warning() -> None:
    """The other one gets the report."""
    with Mailbox(refuse={BOB}) as box:
        (problem,) = await notify(CHANGED, settings_for(box, [ANN, BOB]))
        assert len(box.received) == 1
    assert BOB in problem.what


async def test_no_secret_leaves() -> None:
    """A key that got into a problem is masked, and a title that only looks like one is not."""
    problem = Problem(what="401 for key hunter22hunter22", remedy="Look at http://u:pa55word@radarr/", source="Radarr")
    leaky = report(
        outcome="problems", problems=(problem,), collections=(collection(added=movies("Secret: Dare to Dream")),)
    )
    with Mailbox() as box:
        await notify(leaky, settings_for(box, radarr_api_key="hunter22hunter22"))
        (mail,) = box.received
    raw = "".join(part.get_content() for part in mail.message.iter_parts())
    assert "hunter22" not in raw
    assert "pa55word" not in raw
    assert "Secret: Dare to Dream (1995)" in raw


async def test_the_test_says_what_happened_to_each() -> None:
    """One sentence for each recipient: what the server said, or why not and what to do."""
    with Mailbox(refuse={BOB}) as box:
        ann, bob = await send_test(settings_for(box, [ANN, BOB]))
        (mail,) = box.received
    assert mail.message["Subject"] == "Kometa-AI: test message"
    assert ann == (f"e-mail to {ANN}", f'The mail server 127.0.0.1:{box.port} took it: "2.0.0 Accepted"', True)
    assert bob[0] == f"e-mail to {BOB}"
    assert "550" in bob.outcome
    assert bob.outcome.startswith("Not sent: ")
    assert not bob.is_delivered


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        (Settings(), "Not sent: SMTP_SERVER and NOTIFICATION_RECIPIENTS not set."),
        (Settings(smtp_server="mail"), "Not sent: NOTIFICATION_RECIPIENTS not set."),
        (Settings(notification_recipients=(ANN,)), "Not sent: SMTP_SERVER not set."),
    ],
)
async def test_the_test_says_what_is_missing(settings: Settings, outcome: str) -> None:
    """Nothing set up, or half of it, is named."""
    assert await send_test(settings) == [("e-mail", outcome, False)]


async def test_apprise_is_not_passed_over_in_silence() -> None:
    """Addresses this version cannot send to are said to be that, after a run and in a test."""
    with Mailbox() as box:
        settings = settings_for(box, apprise_urls="ntfy://example.org/topic")
        (problem,) = await notify(CHANGED, settings)
        mail, apprise = await send_test(settings)
        assert len(box.received) == 2
    assert problem.source == "APPRISE_URLS"
    assert mail.is_delivered
    assert (apprise.channel, apprise.is_delivered) == ("Apprise", False)
