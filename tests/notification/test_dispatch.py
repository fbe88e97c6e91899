"""Which receivers are notified of a run, and when."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kometa_ai.core.problem import Problem
from kometa_ai.core.report import RunReport
from kometa_ai.notification.dispatch import deliver_again, notify, send_test
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.mailbox import Mail, Mailbox
from tests.notification.support import STARTED, TROUBLE, Hooks, collection, movies, report, settings_for

if TYPE_CHECKING:
    from pathlib import Path

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
        ("problems", INTERRUPTED, False), ("problems", report(outcome="library unusable"), True),
    ],
)  # fmt: skip
async def test_tells_when_it_was_asked_to(notify_on: str, run: RunReport, tmp_path: Path, *, sent: bool) -> None:
    """`NOTIFY_ON` chooses the runs; a problem is told under each of its values."""
    with Mailbox() as box:
        assert await notify(run, settings_for(box, notify_on=notify_on, state_dir=tmp_path), unattended=True) == []
        assert bool(box.received) is sent


async def test_the_report_arrives(tmp_path: Path) -> None:
    """The mail is the report: its subject, its text, its HTML, in the settings' time zone."""
    with Mailbox() as box:
        await notify(CHANGED, settings_for(box, [ANN, BOB], tz="Europe/Berlin", state_dir=tmp_path), unattended=True)
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
        assert await notify(TROUBLED, settings_for(box, recipients=()), unattended=True) == []
        assert await notify(TROUBLED, Settings(notification_recipients=(ANN,)), unattended=True) == []
        assert box.received == []


async def test_a_dead_server_is_one_warning(tmp_path: Path) -> None:
    """However many recipients it has."""
    with Mailbox() as box:
        settings = settings_for(box, [ANN, BOB], state_dir=tmp_path)
    (problem,) = await notify(CHANGED, settings, unattended=True)
    assert (problem.severity, problem.source) == ("warning", "SMTP_SERVER")


async def test_a_refused_recipient_is_a_warning(tmp_path: Path) -> None:
    """The other one gets the report."""
    with Mailbox(refuse={BOB}) as box:
        (problem,) = await notify(CHANGED, settings_for(box, [ANN, BOB], state_dir=tmp_path), unattended=True)
        assert len(box.received) == 1
    assert BOB in problem.what


async def test_no_secret_leaves(tmp_path: Path) -> None:
    """A key that got into a problem is masked, and a title that only looks like one is not."""
    problem = Problem(what="401 for key hunter22hunter22", remedy="Look at http://u:pa55word@radarr/", source="Radarr")
    leaky = report(
        outcome="problems", problems=(problem,), collections=(collection(added=movies("Secret: Dare to Dream")),)
    )
    with Mailbox() as box:
        await notify(leaky, settings_for(box, radarr_api_key="hunter22hunter22", state_dir=tmp_path), unattended=True)
        (mail,) = box.received
    raw = "".join(part.get_content() for part in mail.message.iter_parts())
    assert "hunter22" not in raw
    assert "pa55word" not in raw
    assert "Secret: Dare to Dream (1995)" in raw


async def test_no_secret_is_kept(tmp_path: Path) -> None:
    """What waits for a server that is down holds no key and no address of a service, and is its owner's alone."""
    problem = Problem(what="401 for key hunter22hunter22", remedy="", source="Radarr")
    url = "json://127.0.0.1:1/sesame-open-sesame"
    await notify(
        report(problems=(problem,)),
        Settings(apprise_urls=url, radarr_api_key="hunter22hunter22", state_dir=tmp_path),  # type: ignore[arg-type]
        unattended=True,
    )
    kept = tmp_path / "notifications.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not re.search("hunter22|sesame", kept.read_text())


async def test_the_test_says_what_happened_to_each() -> None:
    """One sentence for each recipient: what the server said, or why not and what to do."""
    with Mailbox(refuse={BOB}) as box:
        ann, bob = await send_test(settings_for(box, [ANN, BOB]))
        (mail,) = box.received
    assert mail.message["Subject"] == "Kometa-AI: test message"
    assert msgspec.structs.astuple(ann) == (
        f"e-mail to {ANN}",
        f'The mail server 127.0.0.1:{box.port} took it: "2.0.0 Accepted"',
        True,
    )
    assert bob.channel == f"e-mail to {BOB}"
    assert "550" in bob.outcome
    assert bob.outcome.startswith("Not sent: ")
    assert not bob.is_delivered


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        (Settings(), "Not sent: nothing says where to. Give SMTP_SERVER and NOTIFICATION_RECIPIENTS, or APPRISE_URLS."),
        (Settings(smtp_server="mail"), "Not sent: NOTIFICATION_RECIPIENTS is not set."),
        (Settings(notification_recipients=(ANN,)), "Not sent: SMTP_SERVER is not set."),
    ],
)
async def test_the_test_says_what_is_missing(settings: Settings, outcome: str) -> None:
    """Nothing set up, or half of it, is named."""
    assert [msgspec.structs.astuple(one) for one in await send_test(settings)] == [("e-mail", outcome, False)]


# What does not arrive


def text_of(mail: Mail) -> str:
    """The plain text of a mail."""
    body = mail.message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def night(number: int, **fields: Any) -> RunReport:
    """The report of a night, with one movie added that no other night has."""
    at = STARTED + timedelta(days=number)
    usual: dict[str, Any] = {
        "run_id": f"run-{number}",
        "started": at,
        "finished": at,
        "collections": (collection(added=movies(f"Film of night {number}")),),
    }
    return report(**usual | fields)


async def test_what_did_not_arrive_is_joined_to_the_next(tmp_path: Path) -> None:
    """Two nights without a mail server, and the third mail has it all; the fourth has none of it."""
    with Mailbox() as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
    for number in (1, 2):
        (problem,) = await notify(night(number), settings, unattended=True)
        assert problem.remedy.endswith("The report is kept, and joined to the next one.")
    with Mailbox(port=box.port) as again:
        assert await notify(night(3), settings, unattended=True) == []
        assert await notify(night(4), settings, unattended=True) == []
        third, fourth = again.received
    assert third.message["Subject"] == "Kometa-AI: 1 added in 1 collection (and 2 earlier reports)"
    found = [text_of(third).index(f"Film of night {number} (1995)") for number in (3, 2, 1)]
    assert found == sorted(found)
    assert text_of(third).count("NOT DELIVERED BEFORE: ") == 2
    assert "Film of night 3" not in text_of(fourth)


def _later_for_bob(address: str) -> str:
    return "451 4.7.1 Later" if address == BOB else ""


async def test_only_who_missed_it_gets_it_again(tmp_path: Path) -> None:
    """Bob, who was put off, gets two reports in one; Ann, who was not, gets one after the other."""
    with Mailbox(say={"RCPT": _later_for_bob}) as box:
        settings = settings_for(box, [ANN, BOB], state_dir=tmp_path)
        await notify(night(1), settings, unattended=True)
        box.say.clear()
        await notify(night(2), settings, unattended=True)
        texts = {mail.recipients: text_of(mail) for mail in box.received[1:]}
    assert {recipients: "night 1" in text for recipients, text in texts.items()} == {(ANN,): False, (BOB,): True}


async def test_each_who_is_reached_hears_of_those_who_are_not(tmp_path: Path) -> None:
    """That Bob was put off stands in Ann's next report, once."""
    with Mailbox(say={"RCPT": _later_for_bob}) as box:
        settings = settings_for(box, [ANN, BOB], state_dir=tmp_path)
        for number in (1, 2, 3):
            await notify(night(number), settings, unattended=True)
        texts = [text_of(mail) for mail in box.received]
    assert [f"put off {BOB}" in text for text in texts] == [False, True, False]


async def test_greylisting_is_over_with_the_next_try(tmp_path: Path) -> None:
    """A report that was put off is delivered when it is tried again, without waiting for another run."""
    with Mailbox(greylist=True) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        (problem,) = await notify(night(1), settings, unattended=True)
        assert "put off" in problem.what
        assert await deliver_again(settings) == []
        assert await deliver_again(settings) == []
        (mail,) = box.received
    assert mail.message["Subject"] == "Kometa-AI: 1 added in 1 collection"


async def test_a_quiet_run_delivers_what_waits(tmp_path: Path) -> None:
    """A run that has nothing to tell still delivers what has not arrived."""
    with Mailbox() as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path, notify_on="changes")
    await notify(night(1), settings, unattended=True)
    with Mailbox(port=box.port) as again:
        await notify(night(2, collections=()), settings, unattended=True)
        (mail,) = again.received
    assert "Film of night 1" in text_of(mail)


async def test_months_without_a_mail_server(tmp_path: Path) -> None:
    """The newest thirty reports are kept; how many more there were is said, and the mail is not too large."""
    with Mailbox() as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
    for number in range(40):
        await notify(night(number), settings, unattended=True)
    with Mailbox(port=box.port) as again:
        await notify(night(40), settings, unattended=True)
        (mail,) = again.received
    assert mail.message["Subject"].endswith("(and 40 earlier reports)")
    assert "Film of night 39" in text_of(mail)
    assert "11 more could not be delivered" in text_of(mail)
    assert len(mail.message.as_bytes()) < 100_000


async def test_a_problem_every_half_hour_is_one_mail_a_day(tmp_path: Path) -> None:
    """With a schedule of half an hour a standing problem sends a mail at once, daily, and when it is over."""
    with Mailbox() as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path, notify_on="changes")
        for number in range(60):
            at = STARTED + timedelta(minutes=30 * number)
            await notify(
                report(run_id=f"{number}", started=at, outcome="problems", problems=(TROUBLE,)),
                settings,
                unattended=True,
            )
        await notify(report(run_id="x", started=STARTED + timedelta(hours=31)), settings, unattended=True)
        mails = box.received
    assert [mail.message["Subject"] for mail in mails] == [
        "Kometa-AI: needs you (1 problem): no changes",
        "Kometa-AI: needs you (1 problem): no changes",
        "Kometa-AI: no changes",
    ]
    assert "NO LONGER A PROBLEM\n* The answer was torn. (since " in text_of(mails[2])


async def test_a_state_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The report is sent all the same, and that nothing can be kept is said."""
    with Mailbox() as box:
        (problem,) = await notify(night(1), settings_for(box, [ANN], state_dir=tmp_path / "absent"), unattended=True)
        assert len(box.received) == 1
    assert "cannot be written" in problem.what


async def test_a_full_disk_makes_no_storm(tmp_path: Path) -> None:
    """What cannot be written is remembered as long as the program lives; when it can be written, it is."""
    folder = tmp_path / "absent"
    with Mailbox() as box:
        settings = settings_for(box, [ANN], state_dir=folder, notify_on="problems")
        for minutes in (0, 30, 60):
            await notify(
                night(0, started=STARTED + timedelta(minutes=minutes), problems=(TROUBLE,)), settings, unattended=True
            )
        assert len(box.received) == 1
        folder.mkdir()
        assert (
            await notify(
                night(0, started=STARTED + timedelta(minutes=90), problems=(TROUBLE,)), settings, unattended=True
            )
            == []
        )
        assert len(box.received) == 1
    assert "The answer was torn" in (folder / "notifications.json").read_text()


async def test_a_damaged_outbox_is_set_aside(tmp_path: Path) -> None:
    """It costs what it held, never a report."""
    (tmp_path / "notifications.json").write_text("{")
    with Mailbox() as box:
        assert await notify(night(1), settings_for(box, [ANN], state_dir=tmp_path), unattended=True) == []
        assert len(box.received) == 1
    assert (tmp_path / "notifications.json.damaged").read_text() == "{"


async def test_receivers_that_are_configured_no_more_are_forgotten(tmp_path: Path) -> None:
    """No report waits for a recipient who was removed from the settings."""
    with Mailbox(refuse={BOB}) as box:
        await notify(night(1), settings_for(box, [ANN, BOB], state_dir=tmp_path), unattended=True)
        await notify(night(2), settings_for(box, [ANN], state_dir=tmp_path), unattended=True)
    assert BOB not in (tmp_path / "notifications.json").read_text()


async def test_one_channel_does_not_wait_for_the_other(tmp_path: Path) -> None:
    """A dead mail server keeps no push message back, and the other way round."""
    with Hooks() as hooks, Mailbox() as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path, apprise_urls=hooks.url("json", "a"))
        assert await notify(night(1), settings, unattended=True) == []
        hooks.refusing = {"a"}
        (pushed,) = await notify(night(2), settings, unattended=True)
        hooks.refusing = set()
        assert await notify(night(3), settings, unattended=True) == []
        subjects = [mail.message["Subject"] for mail in box.received]
    assert pushed.source == "APPRISE_URLS"
    assert [body["title"] for _, body in hooks.received] == [
        "Kometa-AI: 1 added in 1 collection",
        "Kometa-AI: 1 added in 1 collection (and 1 earlier report)",
    ]
    assert subjects == ["Kometa-AI: 1 added in 1 collection"] * 3


async def test_the_test_reaches_every_channel(tmp_path: Path) -> None:
    """E-mail and each address are tested, and each is said what happened to."""
    with Hooks() as hooks, Mailbox() as box:
        hooks.refusing = {"b"}
        urls = f"{hooks.url('json', 'a')},{hooks.url('json', 'b')},nonsense://somewhere"
        tested = await send_test(settings_for(box, [ANN], state_dir=tmp_path, apprise_urls=urls))
    assert [(one.channel, one.is_delivered) for one in tested] == [
        (f"e-mail to {ANN}", True),
        ("json (APPRISE_URLS, address 1)", True),
        ("json (APPRISE_URLS, address 2)", False),
        ("nonsense (APPRISE_URLS, address 3)", False),
    ]
    assert "500" in tested[2].outcome
    assert "Apprise cannot read this address" in tested[3].outcome
    assert not (tmp_path / "notifications.json").exists()


async def test_the_test_of_a_webhook_alone() -> None:
    """Who uses no e-mail is not told that it is missing; who has set up half of it is."""
    with Hooks() as hooks:
        (tested,) = await send_test(Settings(apprise_urls=hooks.url("json")))  # type: ignore[arg-type]
        half, _ = await send_test(Settings(apprise_urls=hooks.url("json"), smtp_server="mail"))  # type: ignore[arg-type]
    assert tested.is_delivered
    assert half.outcome == "Not sent: NOTIFICATION_RECIPIENTS is not set."
