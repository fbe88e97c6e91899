"""Letters that are refused or lost while others are in flight: others are unaffected, and none is sent for ever."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from kometa_ai.notification.dispatch import deliver_again
from kometa_ai.notification.outbox import undelivered
from kometa_ai.standins.mailbox import Mailbox
from tests.notification.support import settings_for
from tests.notification.test_delivering import ANN, BOB, night, refusing, text_of

if TYPE_CHECKING:
    from pathlib import Path


def nights_in(text: str) -> list[int]:
    """Which nights' reports a text holds."""
    return [number for number in range(1, 9) if f"Film of night {number} " in text]


async def test_one_refused_report_in_a_joined_letter_takes_no_other_with_it(tmp_path: Path) -> None:
    """Reports that were joined while the server was away go apart once their letter is refused, in the same run."""
    with Mailbox(say={"DATA": "451 4.3.0 later"}) as box:
        settings = settings_for(box, [ANN, BOB], state_dir=tmp_path)
        await night(1, settings)
        await night(2, settings)
        box.say = {"DATA": refusing("554 5.7.1 spam", "Film of night 1 ")}
        problems = await night(3, settings)
        assert await night(4, settings) == []
        got = [(mail.recipients, nights_in(text_of(mail)), text_of(mail)) for mail in box.received]
    assert sorted(nights for _, nights, _ in got) == [[2], [3], [4]]
    assert all(recipients == (ANN, BOB) for recipients, _, _ in got)
    assert all("STATE_DIR/runs/run-1.json" in problem.remedy for problem in problems)
    assert "run-2.json" not in str(problems)
    assert "could not be delivered: STATE_DIR/runs/run-1.json" in got[-1][2]
    assert undelivered(tmp_path) == 0


async def test_of_a_long_letter_that_is_refused_the_newest_reports_go(tmp_path: Path) -> None:
    """A letter that has grown too large: the last three reports go apart, the places of the others are told."""
    with Mailbox(say={"DATA": "452 4.3.1 full"}) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        for number in range(1, 6):
            await night(number, settings)
        box.say = {"DATA": refusing("552 5.3.4 too large", "Film of night 1 ")}
        await night(6, settings)
        got = sorted(nights_in(text_of(mail)) for mail in box.received)
        texts = "".join(text_of(mail) for mail in box.received)
    assert got == [[4], [5], [6]]
    assert all(texts.count(f"STATE_DIR/runs/run-{number}.json") == 1 for number in (1, 2, 3))


async def test_a_sender_that_is_refused_is_asked_for_few_letters(tmp_path: Path) -> None:
    """What is refused whatever is in it ends after the letter and its parts, and all of it is told later."""
    asked = 0

    def refuse(_about: str) -> str:
        nonlocal asked
        asked += 1
        return "553 5.7.1 Not you"

    with Mailbox(say={"DATA": "451 4.3.0 later"}) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        for number in range(1, 6):
            await night(number, settings)
        box.say = {"MAIL": refuse}
        await night(6, settings)
        assert await deliver_again(settings) == []
        box.say = {}
        await night(7, settings)
        (mail,) = box.received
    assert asked == 4
    assert [f"runs/run-{number}.json" in text_of(mail) for number in range(1, 7)] == [True] * 6


@pytest.mark.parametrize("slow", [1, 2])
async def test_two_letters_without_an_answer_are_both_remembered(slow: int, tmp_path: Path) -> None:
    """Whichever of two is answered last, each report goes twice at most, under one Message-ID."""
    with Mailbox(lose=True) as box:
        settings = settings_for(box, [ANN], state_dir=tmp_path)
        await night(1, settings)
        box.ponder = lambda text: 0.3 if f"Film of night {slow} " in text else 0
        for number in (2, 3, 4):
            await night(number, settings)
        box.lose = False
        await night(5, settings)
        names: dict[int, list[str]] = defaultdict(list)
        for mail in box.received:
            for number in nights_in(text_of(mail)):
                names[number].append(mail.message["Message-ID"])
    assert [len(found) for _, found in sorted(names.items())] == [2, 2, 2, 2, 1]
    assert all(len(set(found)) == 1 for found in names.values())


async def test_more_recipients_than_a_server_takes_at_once(tmp_path: Path) -> None:
    """The others get the same letter right behind it, each of them once."""
    taken = 0

    def one_by_one(_address: str) -> str:
        nonlocal taken
        taken += 1
        return "" if taken % 2 else "452 4.5.3 Too many recipients"

    with Mailbox(say={"RCPT": one_by_one}) as box:
        settings = settings_for(box, [ANN, BOB], state_dir=tmp_path)
        assert await night(1, settings) == []
        assert [mail.recipients for mail in box.received] == [(ANN,), (BOB,)]
    assert undelivered(tmp_path) == 0


@pytest.mark.parametrize("farewell", ["RCPT", "DATA"])
async def test_what_was_never_handed_over_is_tried_until_it_is(farewell: str, tmp_path: Path) -> None:
    """A server that ends the connection before it asks for the text has nothing: no letter is unclear or lost."""
    with Mailbox(end=farewell) as box:
        settings = settings_for(box, [ANN, BOB], state_dir=tmp_path)
        problems = [problem for number in (1, 2, 3) for problem in await night(number, settings)]
        box.end = ""
        assert await night(4, settings) == []
        texts = [text_of(mail) for mail in box.received]
    assert not any("may arrive" in problem.what for problem in problems)
    assert [nights_in(text) for text in texts] == [[1, 2, 3, 4]]
