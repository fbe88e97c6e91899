"""Write a report as an e-mail: headers, text and HTML, each in the shorter of two encodings."""

from __future__ import annotations

import contextlib
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import TYPE_CHECKING

from kometa_ai.core.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kometa_ai.notification.message import Message
    from kometa_ai.settings.schema import Settings


def message_id(settings: Settings) -> str:
    """A new Message-ID. A message that is sent again keeps it, so that mail programs show it once."""
    return make_msgid("kometa-ai", domain=bare(settings.smtp_from).rpartition("@")[2])


def compose(settings: Settings, message: Message, recipients: Iterable[str], name: str = "") -> EmailMessage:
    """Build the message: text and HTML, marked as generated so that no absence notice answers it (RFC 3834)."""
    letter = EmailMessage()
    letter["Subject"] = one_line(message.subject)
    letter["From"] = _mailbox(settings.smtp_from)
    letter["To"] = [_mailbox(recipient) for recipient in recipients]
    letter["Date"] = format_datetime(datetime.now(settings.tz))
    letter["Message-ID"] = name or message_id(settings)
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text, cte=_encoding(message.text))
    letter.add_alternative(message.html, subtype="html", cte=_encoding(message.html))
    return letter


def _mailbox(written: str) -> Address:
    name, _ = parseaddr(written)
    local, _, domain = bare(written).rpartition("@")
    return Address(name, local, domain)


def bare(written: str) -> str:
    """The address alone, its domain in IDNA form."""
    local, _, domain = parseaddr(written)[1].rpartition("@")
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}"


def _encoding(text: str) -> str:
    """The shorter encoding: quoted-printable writes each non-ASCII byte as three characters, base64 all as 4 for 3."""
    raw = text.encode()
    foreign = sum(byte > 0x7F for byte in raw)  # noqa: PLR2004 - the last of ASCII
    return "base64" if foreign > len(raw) / 6 else "quoted-printable"
