"""The fates of a letter (accepted, refused, greylisted, unclear), and what the next letter says of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.notification.background import finish
from kometa_ai.notification.dispatch import deliver_again, notify
from kometa_ai.notification.outbox import undelivered
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.mailbox import Mailbox
from tests.notification.support import STARTED, Hooks, collection, movies, report, settings_for
from tests.run.world import World, block
from tests.run.world import movies as library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.core.problem import Problem
    from kometa_ai.standins.mailbox import Mail

ANN, BOB = "ann@example.org", "bob@example.org"


def text_of(mail: Mail) -> str:
    """The plain text of a mail."""
    body = mail.message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def night(number: int, settings: Settings, **fields: Any) -> list[Problem]:
    """The run of a night, with one movie added that no other night has."""
    at = STARTED + timedelta(days=number)
    usual: dict[str, Any] = {
        "run_id": f"run-{number}",
        "started": at,
        "finished": at,
        "collections": (collection(added=movies(f"Film of night {number}")),),
    }
    hurry = fields.pop("hurry", 20.0)
    return await notify(report(**usual | fields), settings, unattended=True, hurry=hurry)


def refusing(words: str, what: str) -> Callable[[str], str]:
    """A filter that refuses a message that holds something."""
    return lambda text: words if what in text else ""


# Refused for good


@pytest.mark.parametrize(
    "words", ["554 5.7.1 Film of night 1 is spam", "552 5.3.4 Too large", "550 5.7.26 DMARC policy"]
)
async def test_a_refused_report_takes_no_other_with_it(words: str, tmp_path: Path) -> None:
    """The next ones go alone, the first of them says in a line where the refused one is, and no words of the filter."""
    with Mailbox(say={"DATA": refusing(words, "Film of night 1")}) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        (problem,) = await night(1, settings)
        others = [problem for number in (2, 3, 4) for problem in await night(number, settings)]
        texts = [text_of(mail) for mail in box.received]
    assert words[4:] in problem.what
    assert "STATE_DIR/runs/run-1.json" in problem.remedy
    assert others == []
    assert [f"Film of night {number}" in text for number, text in zip((2, 3, 4), texts, strict=True)] == [True] * 3
    assert ["STATE_DIR/runs/run-1.json" in text for text in texts] == [True, False, False]
    assert "could not be delivered: STATE_DIR/runs/run-1.json" in texts[0]
    assert not any("Film of night 1" in text or words[4:] in text for text in texts)


async def test_nothing_refused_is_tried_again(tmp_path: Path) -> None:
    """A server that has refused a message for good is not asked again, and the count of what is missing stays."""
    asked: Counter[str] = Counter()

    def refuse(_text: str) -> str:
        asked["DATA"] += 1
        return "554 no"

    with Mailbox(say={"DATA": refuse}) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        await night(1, settings)
        assert await deliver_again(settings) == []
        await night(2, settings)
    assert asked["DATA"] == 2
    assert undelivered(tmp_path) == 2


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_one_bad_recipient_stops_no_other(command: str, tmp_path: Path) -> None:
    """Refused as an address, or because the message is not for it: the others get the report, now and later."""

    def refuse(about: str) -> str:
        return "550 5.1.1 Not for Bob" if BOB in about.partition("\n")[0] else ""

    with Mailbox(say={command: refuse}) as box:
        settings = settings_for(box, [ANN, BOB], state_dir=tmp_path)
        (problem,) = await night(1, settings)
        await night(2, settings)
        got = [(mail.recipients, "night 1" in text_of(mail), "night 2" in text_of(mail)) for mail in box.received]
    assert "Not for Bob" in problem.what
    assert got == [((ANN,), True, False), ((ANN,), False, True)]


async def test_a_sender_that_is_refused(tmp_path: Path) -> None:
    """552 to the size is final; 530, for want of a log-in, is not: once that is mended, everything arrives."""
    with Mailbox(say={"MAIL": "552 5.3.4 Message size exceeds limit"}) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        await night(1, settings)
        box.say = {"MAIL": "530 5.7.0 Authentication required"}
        await night(2, settings)
        box.say = {}
        await night(3, settings)
        (mail,) = box.received
    assert "Film of night 1" not in text_of(mail)
    assert "STATE_DIR/runs/run-1.json" in text_of(mail)
    assert "Film of night 2" in text_of(mail)


@pytest.mark.parametrize(
    ("status", "is_final"),
    [(400, True), (404, True), (413, True), (401, False), (403, False), (429, False), (500, False), (503, False)],
)
async def test_a_push_service_that_refuses(status: int, tmp_path: Path, *, is_final: bool) -> None:
    """About this message, or about everything just now."""
    with Hooks() as hooks:
        settings = Settings(apprise_urls=hooks.url("json", "hook"), state_dir=tmp_path)  # type: ignore[arg-type]
        hooks.answer = (status, {"error": "can't parse entities"})
        (problem,) = await night(1, settings)
        hooks.answer = None
        assert await night(2, settings) == []
        ((_, body),) = hooks.received
    assert ("STATE_DIR/runs/run-1.json" in body["message"]) is is_final
    assert ("Film of night 1" in body["message"]) is not is_final
    assert "Film of night 2" in body["message"]
    assert ("not sent again" in problem.remedy) is is_final


# Nobody knows


async def test_a_server_that_takes_its_time(tmp_path: Path) -> None:
    """It gets each report once, however long it looks into it; the run does not wait for that."""
    with Mailbox(think=1.5) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        began = time.monotonic()
        assert await night(1, settings, hurry=0.2) == []
        assert await night(2, settings, hurry=0.2) == []
        assert time.monotonic() - began < 1.4
        assert finish(10)
        assert await night(3, settings) == []
        texts = [text_of(mail) for mail in box.received]
    assert [sum(f"Film of night {number} " in text for text in texts) for number in (1, 2, 3)] == [1, 1, 1]
    assert undelivered(tmp_path) == 0


async def test_a_lost_answer_is_asked_for_once_more(tmp_path: Path) -> None:
    """The same message under its old Message-ID, beside the next report; never a third time, and then that is said."""
    with Mailbox(lose=True) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        (problem,) = await night(1, settings)
        await deliver_again(settings)
        await deliver_again(settings)
        box.lose = False
        assert await night(2, settings) == []
        assert await night(3, settings) == []
        letters = [(mail.message["Message-ID"], text_of(mail)) for mail in box.received]
    assert "may arrive or not" in problem.what
    assert "once more" in problem.remedy
    names = [name for name, _ in letters]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert len(letters) == 4
    assert letters[0][1] == letters[1][1]
    assert "may not have arrived: STATE_DIR/runs/run-1.json" in letters[2][1]
    assert "run-1" not in letters[3][1]


async def test_a_lost_answer_is_no_failure(tmp_path: Path) -> None:
    """What was sent once more and taken then is told nowhere."""
    with Mailbox(lose=True) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        await night(1, settings)
        box.lose = False
        assert await night(2, settings) == []
        texts = {text_of(mail) for mail in box.received}
    assert len(texts) == 2
    assert not any("not confirm" in text or "may not have" in text for text in texts)
    assert undelivered(tmp_path) == 0


async def test_a_server_that_is_away_does_not_use_up_the_second_time(tmp_path: Path) -> None:
    """Where nothing could be handed over, the letter still goes once more."""
    with Mailbox(lose=True) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        await night(1, settings)
        first = box.received[0].message["Message-ID"]
    for _ in range(3):
        await deliver_again(settings)
    with Mailbox(port=box.port) as again:
        assert await deliver_again(settings) == []
        (mail,) = again.received
    assert mail.message["Message-ID"] == first


async def test_a_rude_goodbye_does_not_matter(tmp_path: Path) -> None:
    """A message that was taken is taken, whatever QUIT is answered."""
    with Mailbox(say={"QUIT": "421 4.3.0 I am tired"}) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        assert await night(1, settings) == []
        assert await night(2, settings) == []
        assert len(box.received) == 2


async def test_a_push_service_that_answers_late(tmp_path: Path) -> None:
    """Its message goes once more at most; in the end the report says that one may be missing."""
    with Hooks() as hooks:
        url = hooks.url("json", "slow", "rto=0.3")
        settings = Settings(apprise_urls=url, state_dir=tmp_path)  # type: ignore[arg-type]
        (problem,) = await night(1, settings)
        for _ in range(3):
            await deliver_again(settings)
        count = len(hooks.received)
    assert "may arrive or not" in problem.what
    assert count == 2
    assert undelivered(tmp_path) == 1


def test_a_program_that_is_ended_while_it_waits(tmp_path: Path) -> None:
    """SIGTERM ends it at once, and the next run sends the same letter once more."""
    with World(tmp_path, library(3)) as world, Mailbox(think=60) as box:
        world.collections(block("Heist"))
        mail = {"SMTP_SERVER": box.host, "SMTP_PORT": str(box.port), "NOTIFICATION_RECIPIENTS": ANN}
        environ = {**os.environ, **world.environ, **mail}
        command = [sys.executable, "-m", "kometa_ai", "--run-now"]
        with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:  # noqa: S603
            _until(lambda: len(box.received) == 1)
            began = time.monotonic()
            first.send_signal(signal.SIGTERM)
            first.wait(30)
            took = time.monotonic() - began
        box.think = 0
        subprocess.run(command, env=environ, check=True, capture_output=True, timeout=60)  # noqa: S603
        names = [mail.message["Message-ID"] for mail in box.received]
    assert took < 15
    assert len(names) == 3
    assert len(set(names)) == 2
    assert names.count(names[0]) == 2


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["notifications.json", "notifications.lock", "notifications.sending"])
async def test_what_is_no_file_does_not_block(name: str, tmp_path: Path) -> None:
    """A pipe in the place of the outbox or of a lock is not waited for: the report is sent all the same."""
    os.mkfifo(tmp_path / name)
    began = time.monotonic()
    with Mailbox() as box:
        await night(1, settings_for(box, [ANN], state_dir=tmp_path))
        assert len(box.received) == 1
    assert time.monotonic() - began < 10


async def test_an_optional_service_is_not_taken_at_its_word(tmp_path: Path) -> None:
    """Apprise says of it that all is well; the report waits all the same."""
    with Hooks() as hooks:
        settings = Settings(apprise_urls=hooks.url("json", "hook", "optional=yes"), state_dir=tmp_path)  # type: ignore[arg-type]
        hooks.refusing = {"hook"}
        assert len(await night(1, settings)) == 1
        hooks.refusing = set()
        assert await night(2, settings) == []
        ((_, body),) = hooks.received
    assert "Film of night 1" in body["message"]
