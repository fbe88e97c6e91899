from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest

from kometa_ai.standins.mailbox import Mailbox

_PEM = Path(__file__).with_name("localhost.pem")


def _letter() -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = "kometa-ai@example.org"
    letter["To"] = "ann@example.org, bob@example.org"
    letter["Subject"] = "Drei Filme für „Film noir“"
    letter.set_content("Heat (1995)\n.\nÉté\n")
    letter.add_alternative("<p>Heat (1995)</p>", subtype="html")
    return letter


def _server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(_PEM)
    return context


def _client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(_PEM))


def test_keeps_message_and_envelope() -> None:
    """A received message is kept with sender and recipients, parsed, and as it was sent."""
    with Mailbox() as box:
        with smtplib.SMTP(box.host, box.port) as client:
            client.send_message(_letter())
        (mail,) = box.received
    assert mail.sender == "kometa-ai@example.org"
    assert mail.recipients == ("ann@example.org", "bob@example.org")
    assert mail.message["Subject"] == "Drei Filme für „Film noir“"
    plain = mail.message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content() == "Heat (1995)\n.\nÉté\n"


def test_nothing_listens_after_it_was_closed() -> None:
    """Closing ends open connections and frees the port."""
    with Mailbox() as box:
        client = smtplib.SMTP(box.host, box.port)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.noop()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP(box.host, box.port)
    with Mailbox(port=box.port) as again, smtplib.SMTP(box.host, again.port) as client:
        assert client.noop()[0] == 250


def test_refuses_recipients_it_does_not_know() -> None:
    """A refused recipient gets a 550; the others get the message."""
    with Mailbox(refuse={"bob@example.org"}) as box, smtplib.SMTP(box.host, box.port) as client:
        refused = client.send_message(_letter())
        assert refused["bob@example.org"][0] == 550
        assert box.received[0].recipients == ("ann@example.org",)


def test_greylisting_puts_off_once() -> None:
    """The first attempt of a sender for a recipient gets a 451, the second one is accepted."""
    with Mailbox(greylist=True) as box, smtplib.SMTP(box.host, box.port) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.send_message(_letter())
        assert refused.value.recipients["ann@example.org"][0] == 451
        client.send_message(_letter())
        assert len(box.received) == 1


def test_wants_the_right_password() -> None:
    """With credentials mail needs a log-in: 530 without, 535 with a wrong one."""
    with Mailbox(credentials=("ann", "secret")) as box, smtplib.SMTP(box.host, box.port) as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.send_message(_letter())
        assert refused.value.smtp_code == 530
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("ann", "guess")
        client.login("ann", "secret")
        client.send_message(_letter())
        assert len(box.received) == 1


def test_offers_no_login_without_credentials() -> None:
    """A server without users offers no AUTH."""
    with Mailbox() as box, smtplib.SMTP(box.host, box.port) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert not client.has_extn("starttls")


def test_starttls_comes_before_the_login() -> None:
    """With STARTTLS the log-in is offered only inside, and mail may be refused outside."""
    box = Mailbox(starttls=_server_context(), require_starttls=True, credentials=("ann", "secret"))
    with box, smtplib.SMTP("localhost", box.port) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.send_message(_letter())
        assert refused.value.smtp_code == 530
        client.starttls(context=_client_context())
        client.login("ann", "secret")
        client.send_message(_letter())
        assert len(box.received) == 1


def test_tls_from_the_first_byte() -> None:
    """With TLS the whole session is encrypted, the log-in included."""
    with (
        Mailbox(tls=_server_context(), credentials=("ann", "secret")) as box,
        smtplib.SMTP_SSL("localhost", box.port, context=_client_context()) as client,
    ):
        client.login("ann", "secret")
        client.send_message(_letter())
        assert len(box.received) == 1


def test_drops_the_connection_in_mid_message() -> None:
    """The client sees the connection end while it sends, and nothing is received."""
    with Mailbox(drop=True) as box:
        client = smtplib.SMTP(box.host, box.port)
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            client.send_message(_letter())
        client.close()
        assert box.received == []


def test_hangs_before_the_greeting() -> None:
    """The connection is accepted, and not a word follows."""
    with Mailbox(hang="greeting") as box, pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        smtplib.SMTP(box.host, box.port, timeout=0.1)


def test_hangs_after_a_message() -> None:
    """The message is never confirmed, so its sender cannot know."""
    with Mailbox(hang="data") as box:
        client = smtplib.SMTP(box.host, box.port, timeout=0.2)
        with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
            client.send_message(_letter())
        client.close()
