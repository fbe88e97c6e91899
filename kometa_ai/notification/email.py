"""Send e-mail over SMTP with aiosmtplib, and find out for each recipient whether it was delivered.

Encryption (`SMTP_SECURITY`):

    tls        from the first byte; the certificate must be valid
    starttls   before anything else; the certificate must be valid
    none       never, whatever is sent
    auto       TLS on port 465, elsewhere STARTTLS if the server offers it

`auto` without a user name accepts any certificate for STARTTLS: an attacker who can forge one can suppress the offer,
too, and most mail relays in local networks have self-signed certificates. With a user name the certificate must be
valid, and the password is not sent unencrypted to a server on the open internet; `none` sends it, since the operator
asked for it. SSL_CERT_FILE adds a private authority to the system's.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from functools import partial
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

import aiosmtplib
import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.network.trust import context_for, unverified
from kometa_ai.notification.channel import TEST_PATIENCE
from kometa_ai.notification.mail_troubles import (
    PERMANENT,
    Unfit,
    explained,
    fate_of,
    not_ascii,
    quoted,
    refusal,
    refused_recipient,
    server_of,
    unconfirmed,
)
from kometa_ai.notification.message import TEST, Delivery
from kometa_ai.notification.mime import bare, compose, message_id
from kometa_ai.notification.render import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kometa_ai.notification.message import Fate, Message
    from kometa_ai.notification.news import News
    from kometa_ai.notification.outbox import Letter
    from kometa_ai.settings.schema import Settings

PATIENCE = 30.0
"""Seconds to connect, and for each answer of the server except the one to the message."""
ANSWERING = 600.0
"""Seconds for the answer to the message: filters examine it meanwhile, and RFC 5321 allows them ten minutes."""

_GOODBYE = 5.0
_TLS_PORT = 465
_TOO_MANY = 452
"""Too many recipients: the server accepts the others with the next message. Also used for a full disk."""
_FOREIGN = (aiosmtplib.SMTPException, OSError, ValueError)
_FULL_NAME = re.compile(r"\A[A-Za-z0-9-]++(\.[A-Za-z0-9-]++)++")


class Email:
    """E-mail as a channel: one letter for all recipients who get the same; see `Channel`."""

    name = "e-mail"
    is_shared = True
    needs: tuple[str, ...] = ("SMTP_SERVER", "NOTIFICATION_RECIPIENTS")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        values = (settings.smtp_server, settings.notification_recipients)
        self.missing: tuple[str, ...] = tuple(name for name, value in zip(self.needs, values, strict=True) if not value)
        recipients = () if self.missing else settings.notification_recipients
        self._addresses = {f"e-mail:{address}": address for address in recipients}
        self.receivers = tuple(self._addresses)

    async def send(
        self,
        letter: Letter,
        news: Sequence[News],
        receivers: Sequence[str],
        handing: Callable[[Iterable[str]], None],
    ) -> list[Delivery]:
        """See Channel; the letter's name is its Message-ID."""
        letter.name = letter.name or message_id(self._settings)
        message = await asyncio.to_thread(render, news, self._settings.tz, lost=letter.lost, missing=letter.missing)
        keys = {self._addresses[receiver]: receiver for receiver in receivers}
        return await send(
            self._settings,
            message,
            list(keys),
            name=letter.name,
            handing=lambda recipients: handing(keys[recipient] for recipient in recipients),
        )

    async def test(self) -> list[Delivery]:
        """See Channel."""
        addresses = list(self._addresses.values())
        return await send(self._settings, TEST, addresses, answering=TEST_PATIENCE) if addresses else []


async def send(
    settings: Settings,
    message: Message,
    recipients: Sequence[str],
    *,
    patience: float = PATIENCE,
    answering: float = ANSWERING,
    name: str = "",
    handing: Callable[[list[str]], object] = len,
) -> list[Delivery]:
    """Hand a message to the mail server; return the delivery for each recipient, in their order.

    Errors are returned, not raised. A refused recipient does not stop the others, and a message that is refused for
    several is offered for each alone. `name` is its Message-ID if it has one already. `handing` is called with
    recipients before the server gets the message for them: from then on it may arrive.
    """
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_server,
        port=settings.smtp_port,
        # Replaced once connected. Without a name aiosmtplib looks one up in the DNS, however long that takes.
        local_hostname="localhost",
        timeout=patience,
        use_tls=_is_tls_at_once(settings),
        start_tls=False,
        tls_context=_tls_context(settings),
    )
    write = partial(compose, settings, message, recipients, name)
    post = _Post(settings, recipients, write=write, answering=answering, handing=handing)
    try:
        await _open(client, settings)
        await post.hand_over(client)
    except (*_FOREIGN, Unfit) as error:
        post.lose(explained(error, settings))
    except asyncio.CancelledError:
        client.close()  # without QUIT: the program ends
        raise
    finally:
        await _close(client)
    return post.deliveries


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
    """Connect, encrypt and log in, according to the settings."""
    await client.connect()
    client.local_hostname = _own_name(client.get_transport_info("sockname")[0])
    await _greet(client)
    offered = client.supports_extension("starttls")
    if settings.smtp_security == "starttls" and not offered:
        raise Unfit(
            "SMTP_SECURITY",
            f"{server_of(settings)} offers no STARTTLS.",
            "Set SMTP_SECURITY to tls if this is a TLS port (mostly 465), or to auto.",
        )
    if settings.smtp_security == "starttls" or (settings.smtp_security == "auto" and offered and not client.use_tls):
        await client.starttls()
        await _greet(client)
    if settings.smtp_username:
        await _log_in(client, settings)


def _own_name(address: str) -> str:
    """The name for EHLO: the full host name, or else the address as a literal (RFC 5321, 4.1.3)."""
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
        raise Unfit(
            "SMTP_SECURITY",
            f"{server_of(settings)} offers no encryption, so the password was not sent to it over the internet.",
            "Use its TLS port, or set SMTP_SECURITY to none to send the password in clear.",
        )
    if not client.supports_extension("auth"):
        raise Unfit(
            "SMTP_USERNAME",
            f"{server_of(settings)} offers no log-in" + ("." if is_encrypted else " without encryption."),
            "Remove SMTP_USERNAME if it wants none, or look at SMTP_PORT and SMTP_SECURITY.",
        )
    await client.login(settings.smtp_username, settings.smtp_password.get_secret_value())


def is_far(peer: str) -> bool:
    """Whether an IP address is reached over the open internet."""
    return ip_address(peer.partition("%")[0]).is_global


class _Post:
    """One message, and its delivery to each recipient."""

    def __init__(
        self,
        settings: Settings,
        recipients: Sequence[str],
        *,
        write: Callable[[], EmailMessage],
        answering: float,
        handing: Callable[[list[str]], object],
    ) -> None:
        self._settings = settings
        self._recipients = recipients
        self._write = write
        self._answering = answering
        self._handing = handing
        self._sender = bare(settings.smtp_from)
        self._became: dict[str, Delivery] = {}
        self._left_over: list[str] = []
        self._is_handed = False

    @property
    def deliveries(self) -> list[Delivery]:
        """The deliveries, in the recipients' order."""
        return [
            msgspec.structs.replace(self._became[bare(recipient)], to=_channel(recipient))
            for recipient in self._recipients
        ]

    def lose(self, problem: Problem) -> None:
        """Record that the recipients without an outcome have to wait because of this problem."""
        for recipient in self._recipients:
            self._became.setdefault(bare(recipient), Delivery(to=recipient, problem=problem, fate="waits"))

    async def hand_over(self, client: aiosmtplib.SMTP) -> None:
        """Offer the message to the server for all recipients."""
        addresses = list(dict.fromkeys(map(bare, self._recipients)))
        # aiosmtplib gives up on all of them if the server does not support one.
        takes_any = client.supports_extension("smtputf8")
        for address in addresses:
            if not takes_any and not address.isascii():
                self._settle([address], not_ascii(self._settings, address), "waits")
        possible = [address for address in addresses if address not in self._became]
        if possible:
            await self._offer(client, self._write(), possible)

    async def _offer(self, client: aiosmtplib.SMTP, letter: EmailMessage, addresses: Sequence[str]) -> None:
        is_utf8 = not "".join((self._sender, *addresses)).isascii()
        if is_utf8 and not client.supports_extension("smtputf8"):
            raise Unfit(
                "SMTP_FROM",
                f"{server_of(self._settings)} cannot send from {self._sender}: it knows no addresses beyond ASCII.",
                "Use another address in SMTP_FROM.",
            )
        raw = letter.as_bytes(policy=SMTPUTF8 if is_utf8 else SMTP)
        accepted: list[str] = []
        self._left_over = []
        self._is_handed = False
        try:
            await self._begin(client, len(raw), is_utf8=is_utf8)
            accepted = [address for address in addresses if await self._is_accepted(client, address, is_utf8=is_utf8)]
            if accepted:
                response = await self._hand_over(client, raw, accepted)
                said = f"{server_of(self._settings)} took it: {quoted(response.message, self._settings)}"
                self._became |= {address: Delivery(to=address, answer=said) for address in accepted}
                if self._left_over:
                    await self._offer(client, letter, self._left_over)
                return
        except aiosmtplib.SMTPSenderRefused as error:
            self._settle(addresses, refusal(error, self._settings), fate_of(error.code))
        except aiosmtplib.SMTPDataError as error:
            if error.code >= PERMANENT and len(accepted) > 1:
                for address in accepted:
                    await client.rset()
                    await self._offer(client, letter, [address])
                return
            self._settle(accepted, refusal(error, self._settings), fate_of(error.code))
        except (aiosmtplib.SMTPServerDisconnected, TimeoutError, ConnectionError):
            # Before the hand-over, the caller explains the error.
            if not self._is_handed:
                raise
            self._settle(accepted, unconfirmed(self._settings), "unclear")
            return
        await client.rset()

    async def _hand_over(self, client: aiosmtplib.SMTP, raw: bytes, accepted: Sequence[str]) -> aiosmtplib.SMTPResponse:
        """Send the message, and record when the server has asked for its content: before, it cannot arrive."""
        if client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        write = client.protocol.write

        def watched(data: bytes) -> None:
            if data != b"DATA\r\n" and not self._is_handed:
                self._is_handed = True
                self._handing([recipient for recipient in self._recipients if bare(recipient) in accepted])
            write(data)

        client.protocol.write = watched  # type: ignore[method-assign]  # the library has no other way to tell
        try:
            return await client.data(raw, timeout=self._answering)
        finally:
            if client.protocol:
                client.protocol.write = write  # type: ignore[method-assign]

    async def _begin(self, client: aiosmtplib.SMTP, size: int, *, is_utf8: bool) -> None:
        options = [f"size={size}"] if client.supports_extension("size") else []
        options += ["SMTPUTF8"] if is_utf8 else []
        await client.mail(self._sender, options=options, encoding="utf-8" if is_utf8 else "ascii")

    async def _is_accepted(self, client: aiosmtplib.SMTP, address: str, *, is_utf8: bool) -> bool:
        try:
            await client.rcpt(address, encoding="utf-8" if is_utf8 else "ascii")
        except aiosmtplib.SMTPRecipientRefused as error:
            self._settle([address], refused_recipient(self._settings, address, error), fate_of(error.code))
            if error.code == _TOO_MANY:
                self._left_over.append(address)
            return False
        return True

    def _settle(self, addresses: Iterable[str], problem: Problem, fate: Fate) -> None:
        self._became |= {address: Delivery(to=address, problem=problem, fate=fate) for address in addresses}


async def _close(client: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(*_FOREIGN):
        await client.quit(timeout=_GOODBYE)
    client.close()
