"""E-mail over SMTP: one connection, one message, and for each recipient what became of it.

Encryption (`SMTP_SECURITY`):

    tls        from the first byte; the certificate must be valid
    starttls   before anything else is said; the certificate must be valid
    none       never, whatever is sent
    auto       TLS on port 465, elsewhere STARTTLS where it is offered

`auto` without a user name takes any certificate for STARTTLS: whoever could forge one could as well hide the offer,
and most mail relays next door sign their own. With a user name the certificate must be valid, and the password
is not sent unencrypted to a server on the open internet; `none` sends it, since that is what somebody asked for.
A private authority is named in SSL_CERT_FILE, which adds it to the system's.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

import aiosmtplib

from kometa_ai.core.problem import Problem
from kometa_ai.core.text import one_line
from kometa_ai.network.failures import certificate_trouble
from kometa_ai.network.trust import context_for, unverified
from kometa_ai.notification.message import Delivery
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.notification.message import Message
    from kometa_ai.settings.schema import Settings

PATIENCE = 30.0
"""Seconds for each answer of the server."""

_GOODBYE = 5.0
_TLS_PORT = 465
_PERMANENT = 500
_LONGEST_ANSWER = 200
_FOREIGN = (aiosmtplib.SMTPException, OSError, ValueError)
_FULL_NAME = re.compile(r"\A[A-Za-z0-9-]++(\.[A-Za-z0-9-]++)++")


class _Unfit(Exception):
    """The server is not one that these settings can be used with."""

    def __init__(self, setting: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.setting = setting
        self.what = what
        self.remedy = remedy


async def send(
    settings: Settings, message: Message, recipients: Sequence[str], *, patience: float = PATIENCE
) -> list[Delivery]:
    """Hand a message to the mail server and say for each recipient what became of it, in their order.

    Nothing that goes wrong on the way is raised. A refused recipient does not stop the others. Nothing is tried twice.
    """
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_server,
        port=settings.smtp_port,
        # Replaced once connected. Without one the library would ask the DNS for it, and wait as long as that takes.
        local_hostname="localhost",
        timeout=patience,
        use_tls=_is_tls_at_once(settings),
        start_tls=False,
        tls_context=_tls_context(settings),
    )
    is_open = False
    try:
        await _open(client, settings)
        is_open = True
        return await _hand_over(client, settings, message, recipients)
    except (*_FOREIGN, _Unfit) as error:
        return _lost(recipients, _explained(error, settings, is_open=is_open))
    finally:
        await _close(client)


def _lost(recipients: Iterable[str], problem: Problem) -> list[Delivery]:
    return [Delivery(to=_channel(recipient), problem=problem) for recipient in recipients]


def _channel(recipient: str) -> str:
    return f"e-mail to {recipient}"


# The conversation


def _is_tls_at_once(settings: Settings) -> bool:
    return settings.smtp_security == "tls" or (settings.smtp_security == "auto" and settings.smtp_port == _TLS_PORT)


def _tls_context(settings: Settings) -> ssl.SSLContext:
    if settings.smtp_security == "auto" and settings.smtp_port != _TLS_PORT and not settings.smtp_username:
        return unverified()
    return context_for(settings.network.authorities)


async def _open(client: aiosmtplib.SMTP, settings: Settings) -> None:
    """Connect, encrypt and log in, as the settings say."""
    await client.connect()
    client.local_hostname = _own_name(client.get_transport_info("sockname")[0])
    await _greet(client)
    offered = client.supports_extension("starttls")
    if settings.smtp_security == "starttls" and not offered:
        raise _Unfit(
            "SMTP_SECURITY",
            f"{_server(settings)} offers no STARTTLS.",
            "Set SMTP_SECURITY to tls if this is a TLS port (mostly 465), or to auto.",
        )
    if settings.smtp_security == "starttls" or (settings.smtp_security == "auto" and offered and not client.use_tls):
        await client.starttls()
        await _greet(client)
    if settings.smtp_username:
        await _log_in(client, settings)


def _own_name(address: str) -> str:
    """How we introduce ourselves: the full host name, or else the address, as RFC 5321 wants it."""
    name = socket.gethostname()
    if _FULL_NAME.fullmatch(name):
        return name
    own = ip_address(address.partition("%")[0])
    return f"[IPv6:{own}]" if isinstance(own, IPv6Address) else f"[{own}]"


async def _greet(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


async def _log_in(client: aiosmtplib.SMTP, settings: Settings) -> None:
    is_encrypted = client.get_transport_info("sslcontext") is not None
    peer = client.get_transport_info("peername")[0]
    if not is_encrypted and settings.smtp_security == "auto" and is_far(peer):
        raise _Unfit(
            "SMTP_SECURITY",
            f"{_server(settings)} offers no encryption, so the password was not sent to it over the internet.",
            "Use its TLS port, or set SMTP_SECURITY to none to send the password in clear.",
        )
    if not client.supports_extension("auth"):
        raise _Unfit(
            "SMTP_USERNAME",
            f"{_server(settings)} offers no log-in" + ("." if is_encrypted else " without encryption."),
            "Remove SMTP_USERNAME if it wants none, or look at SMTP_PORT and SMTP_SECURITY.",
        )
    await client.login(settings.smtp_username, settings.smtp_password.get_secret_value())


def is_far(peer: str) -> bool:
    """Whether the way to an IP address leads over the open internet."""
    return ip_address(peer.partition("%")[0]).is_global


async def _hand_over(
    client: aiosmtplib.SMTP, settings: Settings, message: Message, recipients: Sequence[str]
) -> list[Delivery]:
    by_address = {_bare(recipient): recipient for recipient in recipients}
    # The library gives up on all of them where the server cannot take one.
    takes_any = client.supports_extension("smtputf8")
    possible = {address: name for address, name in by_address.items() if takes_any or address.isascii()}
    answer = ""
    refused: Mapping[str, aiosmtplib.SMTPResponse] = {}
    if possible:
        letter = compose(settings, message, possible.values())
        try:
            refused, answer = await client.send_message(
                letter, sender=_bare(settings.smtp_from), recipients=list(possible)
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = {one.recipient: aiosmtplib.SMTPResponse(one.code, one.message) for one in error.recipients}
    deliveries = []
    for recipient in recipients:
        address, problem = _bare(recipient), None
        if address not in possible:
            problem = _not_ascii(settings, address)
        elif address in refused:
            problem = _refused_recipient(settings, address, refused[address])
        said = "" if problem else f"{_server(settings)} took it: {_quoted(answer, settings)}"
        deliveries.append(Delivery(to=_channel(recipient), answer=said, problem=problem))
    return deliveries


async def _close(client: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(*_FOREIGN):
        await client.quit(timeout=_GOODBYE)
    client.close()


# The message


def compose(settings: Settings, message: Message, recipients: Iterable[str]) -> EmailMessage:
    """The message as it is sent: text and HTML, marked as written by a program so that no one's holiday answers it."""
    letter = EmailMessage()
    letter["Subject"] = one_line(message.subject)
    letter["From"] = _mailbox(settings.smtp_from)
    letter["To"] = [_mailbox(recipient) for recipient in recipients]
    letter["Date"] = format_datetime(datetime.now(settings.tz))
    letter["Message-ID"] = make_msgid("kometa-ai", domain=_bare(settings.smtp_from).rpartition("@")[2])
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text, cte=_encoding(message.text))
    letter.add_alternative(message.html, subtype="html", cte=_encoding(message.html))
    return letter


def _mailbox(written: str) -> Address:
    name, _ = parseaddr(written)
    local, _, domain = _bare(written).rpartition("@")
    return Address(name, local, domain)


def _bare(written: str) -> str:
    """The address itself, its domain as the DNS knows it."""
    local, _, domain = parseaddr(written)[1].rpartition("@")
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}"


def _encoding(text: str) -> str:
    """The shorter one: quoted-printable makes three characters of each byte that is not ASCII, base64 4 of 3."""
    raw = text.encode()
    foreign = sum(byte > 0x7F for byte in raw)  # noqa: PLR2004 - the last of ASCII
    return "base64" if foreign > len(raw) / 6 else "quoted-printable"


# What went wrong


def _server(settings: Settings) -> str:
    return f"The mail server {settings.smtp_server}:{settings.smtp_port}"


def _quoted(answer: str, settings: Settings) -> str:
    """What the server said, without secrets: it may repeat the password that it refuses."""
    return f'"{_cut(answer, settings)}"'


def _cut(text: str, settings: Settings) -> str:
    return one_line(Redactor(secrets_of(settings)).text(text), _LONGEST_ANSWER)


def _problem(setting: str, what: str, remedy: str) -> Problem:
    return Problem(source=setting, what=what, remedy=remedy, severity="warning", at=datetime.now(UTC))


def _not_ascii(settings: Settings, address: str) -> Problem:
    return _problem(
        "NOTIFICATION_RECIPIENTS",
        f"{_server(settings)} cannot send to {address}: it knows no addresses beyond ASCII.",
        "Use another address for this recipient.",
    )


def _refused_recipient(settings: Settings, address: str, response: aiosmtplib.SMTPResponse) -> Problem:
    is_final = response.code >= _PERMANENT
    return _problem(
        "NOTIFICATION_RECIPIENTS",
        f"{_server(settings)} {'refused' if is_final else 'put off'} {address}: "
        f"{response.code} {_quoted(response.message, settings)}",
        "Check the address, and whether the server may send there."
        if is_final
        else "Nothing to do if it happens once: it asked to try later.",
    )


def _explained(error: Exception, settings: Settings, *, is_open: bool = False) -> Problem:
    """Say what an error means to whoever wrote the settings. `is_open`: the message was already on its way."""
    server = _server(settings)
    cause = error.__cause__ or error
    match cause if isinstance(cause, OSError) else error:
        case _Unfit() as unfit:
            return _problem(unfit.setting, unfit.what, unfit.remedy)
        case aiosmtplib.SMTPResponseException() as response:
            return _refusal(response, settings)
        case TimeoutError() if is_open:
            what = f"{server} did not confirm the message in time; it may arrive or not."
            remedy = "Look at the mail server if it happens again."
        case TimeoutError():
            what = f"{server} does not answer."
            remedy = "Check SMTP_SERVER and SMTP_PORT; port 465 needs SMTP_SECURITY tls or auto."
        case ssl.SSLCertVerificationError() as invalid:
            return _problem("SMTP_SERVER", *certificate_trouble(invalid, settings.smtp_server, "SMTP_SERVER"))
        case ssl.SSLError():
            what = f"{server} does not speak TLS as it was asked to."
            return _problem("SMTP_SECURITY", what, "Set SMTP_SECURITY to starttls (mostly port 587), or to auto.")
        case socket.gaierror():
            what = f"No host is known by the name {settings.smtp_server}."
            remedy = "Check SMTP_SERVER, and the DNS of this machine or container."
        case ConnectionRefusedError():
            what = f"Nothing listens at {settings.smtp_server}:{settings.smtp_port}."
            remedy = "Check SMTP_PORT, and whether the mail server runs."
        case aiosmtplib.SMTPServerDisconnected() | ConnectionError():
            what = f"{server} ended the connection" + (" before it confirmed the message." if is_open else ".")
            remedy = "Look at the mail server's log; check SMTP_PORT and SMTP_SECURITY."
        case _:
            what = f"{server} cannot be used: {_cut(str(error), settings)}"
            remedy = "Check the SMTP_ settings."
    return _problem("SMTP_SERVER", what, remedy)


def _refusal(error: aiosmtplib.SMTPResponseException, settings: Settings) -> Problem:
    server, said = _server(settings), f"{error.code} {_quoted(error.message, settings)}"
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            setting = "SMTP_USERNAME"
            what = f"{server} refused the log-in of {settings.smtp_username!r}: {said}"
            remedy = "Check SMTP_USERNAME and SMTP_PASSWORD; many providers want an app password here."
        case aiosmtplib.SMTPSenderRefused():
            setting = "SMTP_FROM"
            what = f"{server} refused the sender {_bare(settings.smtp_from)}: {said}"
            remedy = "Set SMTP_FROM to an address it may send from, and SMTP_USERNAME if it wants a log-in."
        case aiosmtplib.SMTPDataError():
            setting, what = "SMTP_SERVER", f"{server} refused the message: {said}"
            remedy = "Its answer says why; its log may say more."
        case _:
            setting, what = "SMTP_SERVER", f"{server} refused to talk: {said}"
            remedy = "Its answer says why; its log may say more."
    return _problem(setting, what, remedy)
