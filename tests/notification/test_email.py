"""E-mail, sent to a mail server that fails in the ways of real ones."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from kometa_ai.network.environment import Network, read_network
from kometa_ai.notification import email
from kometa_ai.notification.email import PATIENCE, is_far
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.mailbox import Mailbox
from tests.notification.support import HELLO, settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kometa_ai.core.problem import Problem
    from kometa_ai.notification.message import Delivery, Message

PEM = Path(__file__).parents[1] / "standins" / "localhost.pem"
ANN, BOB = "ann@example.org", "bob@example.org"
SECRET = "swordfish"


@pytest.fixture(name="trusting")
def _trusting() -> Network:
    """The stand-in's certificate is trusted, the way an operator trusts a private authority."""
    return read_network({"SSL_CERT_FILE": str(PEM)}, {}).network


def server_context() -> ssl.SSLContext:
    """What the stand-in encrypts with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(PEM)
    return context


async def the_problem(settings: Settings, patience: float = 5) -> Problem:
    """Send to one recipient, which must fail: why."""
    (delivery,) = await send(settings, HELLO, patience=patience)
    assert delivery.problem is not None
    assert not delivery.answer
    assert delivery.problem.severity == "warning"
    assert delivery.problem.remedy
    return delivery.problem


async def send(settings: Settings, message: Message, patience: float = PATIENCE) -> list[Delivery]:
    """Send to everybody in the settings."""
    return await email.send(settings, message, settings.notification_recipients, patience=patience, answering=patience)


def by_recipient(deliveries: list[Delivery]) -> dict[str, str]:
    """Who got it (empty), and who did not: what is said of it."""
    return {d.to.removeprefix("e-mail to "): d.problem.what if d.problem else "" for d in deliveries}


# The message


async def test_arrives_as_text_and_html() -> None:
    """Both forms arrive as they were written, with everything that a mail program or filter expects."""
    with Mailbox() as box:
        (delivery,) = await send(settings_for(box, tz="Europe/Berlin"), HELLO)
        (mail,) = box.received
    assert delivery.problem is None
    assert delivery.answer == f'The mail server 127.0.0.1:{box.port} took it: "2.0.0 Accepted"'
    letter = mail.message
    assert letter.get_content_type() == "multipart/alternative"
    text, html = letter.iter_parts()
    assert (text.get_content_type(), text.get_content()) == ("text/plain", HELLO.text)
    assert (html.get_content_type(), html.get_content().strip()) == ("text/html", HELLO.html)
    assert {text.get_content_charset(), html.get_content_charset()} == {"utf-8"}
    assert letter["Subject"] == HELLO.subject
    assert (letter["From"], letter["To"]) == ("Kometa-AI <kometa-ai@example.org>", ANN)
    assert letter["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<\S+@example\.org>", letter["Message-ID"])
    written = parsedate_to_datetime(letter["Date"])
    assert written.utcoffset() in (timedelta(hours=1), timedelta(hours=2))
    assert abs(datetime.now(written.tzinfo) - written) < timedelta(minutes=1)


async def test_a_subject_stays_one_header() -> None:
    """A line break in a subject adds no header."""
    message = type(HELLO)(subject="Heat\r\nBcc: eve@example.org", text="x", html="x")
    with Mailbox() as box:
        await send(settings_for(box), message)
        (mail,) = box.received
    assert mail.message["Bcc"] is None
    assert mail.message["Subject"] == "Heat Bcc: eve@example.org"


async def test_names_and_foreign_domains() -> None:
    """A recipient may be written with a name and a domain of any script; the envelope has the bare address."""
    with Mailbox() as box:
        await send(settings_for(box, ['"Müller, Ann" <ann@müller.example>', "jürgen@example.org"]), HELLO)
        (mail,) = box.received
    assert mail.recipients == ("ann@xn--mller-kva.example", "jürgen@example.org")


async def test_each_address_gets_it_once() -> None:
    """An address that is listed twice, once with a name, is one recipient; it is said of both what became of it."""
    with Mailbox() as box:
        deliveries = await send(settings_for(box, [ANN, f"Ann <{ANN}>"]), HELLO)
        assert [mail.recipients for mail in box.received] == [(ANN,)]
    assert [delivery.problem for delivery in deliveries] == [None, None]


# Recipients


async def test_a_refused_recipient_does_not_stop_the_others() -> None:
    """The others get the message, and the refused one is named with what the server said."""
    with Mailbox(refuse={BOB}) as box:
        deliveries = await send(settings_for(box, [ANN, BOB]), HELLO)
        assert [mail.recipients for mail in box.received] == [(ANN,)]
    said = by_recipient(deliveries)
    assert said[ANN] == ""
    assert f'refused {BOB}: 550 "5.1.1 No such user here"' in said[BOB]


async def test_all_refused_is_said_of_each() -> None:
    """If every recipient is refused, nothing is sent, and each has its own problem."""
    with Mailbox(refuse={ANN, BOB}) as box:
        deliveries = await send(settings_for(box, [ANN, BOB]), HELLO)
        assert box.received == []
    assert [d.problem.source for d in deliveries if d.problem] == ["NOTIFICATION_RECIPIENTS"] * 2


async def test_greylisting_is_no_refusal() -> None:
    """Put off is said as such, and the next message arrives."""
    with Mailbox(greylist=True) as box:
        problem = await the_problem(settings_for(box))
        assert "put off ann@example.org: 451" in problem.what
        (second,) = await send(settings_for(box), HELLO)
        assert second.problem is None


async def test_an_address_the_server_cannot_write_stops_only_itself() -> None:
    """An old server gets the message for those it can send to."""
    controller = Controller(Sink(), hostname="127.0.0.1", port=0, enable_SMTPUTF8=False)
    # It tries its own address out, and knows no port 0.
    controller.port = _free_port()
    controller.start()
    try:
        settings = Settings(
            smtp_server="127.0.0.1", smtp_port=controller.port, notification_recipients=("jürgen@example.org", ANN)
        )
        said = by_recipient(await send(settings, HELLO))
    finally:
        controller.stop()
    assert said[ANN] == ""
    assert "beyond ASCII" in said["jürgen@example.org"]


def _free_port() -> int:
    with Mailbox() as box:
        return box.port


# Logging in


async def test_logs_in() -> None:
    """With a user name it logs in."""
    with Mailbox(credentials=("ann", SECRET)) as box:
        settings = settings_for(box, smtp_username="ann", smtp_password=SECRET)
        (delivery,) = await send(settings, HELLO)
        assert delivery.problem is None


async def test_a_wrong_password() -> None:
    """A refused log-in points at user and password, and repeats no password."""
    with Mailbox(credentials=("ann", SECRET)) as box:
        problem = await the_problem(settings_for(box, smtp_username="ann", smtp_password="guess"))
    assert problem.source == "SMTP_USERNAME"
    assert "refused the log-in of 'ann': 535" in problem.what
    assert "guess" not in str(problem)


async def test_a_log_in_that_is_wanted_and_not_configured() -> None:
    """A server that wants a log-in refuses the sender; the remedy names the user name."""
    with Mailbox(credentials=("ann", SECRET)) as box:
        problem = await the_problem(settings_for(box))
    assert "530" in problem.what
    assert "SMTP_USERNAME" in problem.remedy


async def test_a_log_in_that_is_not_offered() -> None:
    """A user name for a server without users is said to be one too many."""
    with Mailbox() as box:
        problem = await the_problem(settings_for(box, smtp_username="ann", smtp_password=SECRET))
    assert (problem.source, "offers no log-in" in problem.what) == ("SMTP_USERNAME", True)


@pytest.mark.parametrize(
    ("peer", "far"),
    [
        ("127.0.0.1", False), ("192.168.1.5", False), ("172.18.0.2", False), ("100.64.0.9", False),
        ("::1", False), ("fd00::5", False), ("fe80::1%eth0", False),
        ("8.8.8.8", True), ("2a00:1450:4001::1a", True),
    ],
)  # fmt: skip
def test_what_the_open_internet_is(peer: str, *, far: bool) -> None:
    """This machine and private networks are near; only elsewhere is a password kept back without encryption."""
    assert is_far(peer) is far


# Encryption


async def test_encrypts_where_it_is_offered() -> None:
    """`auto` takes STARTTLS, also from a relay that signs its own certificate, which beats sending in clear."""
    with Mailbox(starttls=server_context(), require_starttls=True) as box:
        (delivery,) = await send(settings_for(box), HELLO)
        assert delivery.problem is None


async def test_a_password_goes_only_to_a_valid_certificate() -> None:
    """`auto` with a user name does not log in to a server with an untrusted certificate."""
    with Mailbox(starttls=server_context(), credentials=("ann", SECRET)) as box:
        problem = await the_problem(settings_for(box, smtp_username="ann", smtp_password=SECRET))
        assert box.received == []
    assert "certificate" in problem.what
    assert "SSL_CERT_FILE" in problem.remedy


@pytest.mark.parametrize("security", ["auto", "starttls"])
async def test_logs_in_over_starttls(security: str, trusting: Network) -> None:
    """The log-in that is only offered inside is found there; a private authority is trusted by SSL_CERT_FILE."""
    with Mailbox(starttls=server_context(), require_starttls=True, credentials=("ann", SECRET)) as box:
        settings = settings_for(
            box, network=trusting, smtp_username="ann", smtp_password=SECRET, smtp_security=security
        )
        (delivery,) = await send(settings, HELLO)
        assert delivery.problem is None


async def test_tls_from_the_first_byte(trusting: Network) -> None:
    """`tls` speaks nothing else."""
    with Mailbox(tls=server_context(), credentials=("ann", SECRET)) as box:
        settings = settings_for(box, network=trusting, smtp_username="ann", smtp_password=SECRET, smtp_security="tls")
        (delivery,) = await send(settings, HELLO)
        assert delivery.problem is None


@pytest.mark.parametrize(("security", "knob"), [("tls", "tls"), ("starttls", "starttls")])
async def test_an_invalid_certificate(security: str, knob: str) -> None:
    """If encryption was required, an untrusted certificate ends the attempt."""
    with Mailbox(tls=server_context() if knob == "tls" else None, starttls=server_context()) as box:
        problem = await the_problem(settings_for(box, smtp_security=security))
    assert "The certificate of 127.0.0.1 is not trusted: self" in problem.what


async def test_none_stays_in_clear() -> None:
    """`none` ignores the offer."""
    with Mailbox(starttls=server_context()) as box:
        (delivery,) = await send(settings_for(box, smtp_security="none"), HELLO)
        assert delivery.problem is None
        box.require_starttls = True
        problem = await the_problem(settings_for(box, smtp_security="none"))
    assert "530" in problem.what


async def test_starttls_is_insisted_on() -> None:
    """`starttls` sends nothing where it is not offered."""
    with Mailbox() as box:
        problem = await the_problem(settings_for(box, smtp_security="starttls"))
        assert box.received == []
    assert (problem.source, "offers no STARTTLS" in problem.what) == ("SMTP_SECURITY", True)


async def test_tls_against_a_server_that_speaks_none() -> None:
    """TLS on a plain port is named as what it is."""
    with Mailbox() as box:
        problem = await the_problem(settings_for(box, smtp_security="tls"))
    assert (problem.source, "does not speak TLS" in problem.what) == ("SMTP_SECURITY", True)


async def test_no_tls_against_a_server_that_speaks_nothing_else() -> None:
    """A plain start on a TLS port waits for a greeting that never comes; the remedy knows why."""
    with Mailbox(tls=server_context()) as box:
        problem = await the_problem(settings_for(box), patience=0.3)
    assert "SMTP_SECURITY" in problem.remedy


# A server that is not well


@pytest.mark.parametrize(
    ("hang", "said"), [("greeting", "does not answer"), ("data", "did not confirm the message; it may arrive or not")]
)
async def test_a_server_that_hangs(hang: str, said: str) -> None:
    """It is left alone after a while, and whether the message may still arrive is said."""
    with Mailbox() as box:
        box.hang = "data" if hang == "data" else "greeting"
        began = time.monotonic()
        problem = await the_problem(settings_for(box), patience=0.3)
    assert said in problem.what
    assert time.monotonic() - began < 3


async def test_a_server_that_drops_the_connection() -> None:
    """If the connection is lost after the message was sent, the delivery is unclear."""
    with Mailbox(drop=True) as box:
        (delivery,) = await send(settings_for(box), HELLO)
    assert delivery.problem is not None
    assert "did not confirm the message" in delivery.problem.what
    assert delivery.fate == "unclear"


@contextlib.asynccontextmanager
async def answering(**answers: str) -> AsyncIterator[tuple[Settings, list[str]]]:
    """A server that answers 250, or what is given for a command; settings to reach it, and what it was told."""
    heard: list[str] = []
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{answers.get('greeting', '220 hello')}\r\n".encode())
        while line := (await reader.readline()).decode().strip():
            heard.append(line)
            writer.write(f"{answers.get(line.partition(' ')[0], '250 fine')}\r\n".encode())
        writer.close()
        await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(talk(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield Settings(smtp_server="127.0.0.1", smtp_port=port, notification_recipients=(ANN,)), heard
        await asyncio.wait_for(asyncio.gather(*talks, return_exceptions=True), 5)


@pytest.mark.parametrize(
    ("answers", "source", "said"),
    [
        ({"greeting": "554 5.3.2 Go away"}, "SMTP_SERVER", 'refused to talk: 554 "5.3.2 Go away"'),
        ({"MAIL": "550 5.7.1 Not you"}, "SMTP_FROM", 'refused the sender kometa-ai@example.org: 550 "5.7.1 Not you"'),
        ({"MAIL": "552 5.3.4 Too big"}, "SMTP_SERVER", 'refused the message: 552 "5.3.4 Too big"'),
        ({"MAIL": "452 4.3.1 Disk full"}, "SMTP_SERVER", 'put off the message: 452 "4.3.1 Disk full"'),
        ({"MAIL": "530 5.7.0 Log in"}, "SMTP_USERNAME", 'wants a log-in: 530 "5.7.0 Log in"'),
        ({"RCPT": "421 4.7.0 Later"}, "NOTIFICATION_RECIPIENTS", 'put off ann@example.org: 421 "4.7.0 Later"'),
        ({"DATA": "450 4.2.0 Later"}, "SMTP_SERVER", 'put off the message: 450 "4.2.0 Later"'),
        ({"greeting": "421 4.3.2 Busy"}, "SMTP_SERVER", 'cannot talk now: 421 "4.3.2 Busy"'),
        ({"DATA": "552 5.3.4 Too big"}, "SMTP_SERVER", 'refused the message: 552 "5.3.4 Too big"'),
        ({"greeting": "HTTP/1.1 400 Bad Request"}, "SMTP_SERVER", "refused to talk: "),
    ],
)
async def test_what_the_server_says_is_repeated(answers: dict[str, str], source: str, said: str) -> None:
    """Each refusal names the setting to look at, and the server's own words."""
    async with answering(**answers) as (settings, _):
        problem = await the_problem(settings.model_copy(update={"smtp_from": "kometa-ai@example.org"}))
    assert problem.source == source
    assert said in problem.what


async def test_a_server_that_knows_no_ehlo() -> None:
    """It is greeted the old way, by a full name or an address, as the standard has it."""
    async with answering(EHLO="502 what?", DATA="354 go on") as (settings, heard):
        await send(settings, HELLO, patience=0.3)
    assert heard[1].startswith("HELO ")
    assert re.fullmatch(r"\[127\.0\.0\.1\]|[\w-]+(\.[\w-]+)+", heard[1].removeprefix("HELO "))
    assert heard[3] == f"RCPT TO:<{ANN}>"


async def test_a_sender_the_server_cannot_write() -> None:
    """A server without SMTPUTF8 gets nothing from an address beyond ASCII."""
    async with answering() as (settings, _):
        problem = await the_problem(settings.model_copy(update={"smtp_from": "jürgen@example.org"}))
    assert "cannot send from jürgen@example.org" in problem.what
    assert problem.source == "SMTP_FROM"


async def test_nothing_listens() -> None:
    """A closed port is not taken for a slow server."""
    with Mailbox() as box:
        settings = settings_for(box)
    problem = await the_problem(settings)
    assert problem.what == f"Nothing listens at 127.0.0.1:{box.port}."


async def test_an_unknown_host() -> None:
    """A host name that cannot be resolved is shown."""
    problem = await the_problem(Settings(smtp_server="nowhere.invalid", notification_recipients=(ANN,)))
    assert "nowhere.invalid" in problem.what
