"""Explain why a mail server cannot be used, or refuses a message: which setting to look at, and what to do."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiosmtplib

from kometa_ai.core.problem import Problem
from kometa_ai.core.text import one_line
from kometa_ai.network.failures import certificate_trouble
from kometa_ai.notification.mime import bare
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from kometa_ai.notification.message import Fate
    from kometa_ai.settings.schema import Settings

PERMANENT = 500
"""From this status on a refusal is for good."""
_PASSING = 400
_LOG_IN_WANTED = {530, 534, 535, 538}
_TOO_LARGE = 552
_LONGEST_ANSWER = 200


class Unfit(Exception):
    """The server cannot be used with these settings."""

    def __init__(self, setting: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.setting = setting
        self.what = what
        self.remedy = remedy


def fate_of(code: int) -> Fate:
    """A permanent refusal is about this message, unless the server wants a log-in."""
    return "refused" if code >= PERMANENT and code not in _LOG_IN_WANTED else "waits"


def server_of(settings: Settings) -> str:
    """The mail server, as sentences begin with it."""
    return f"The mail server {settings.smtp_server}:{settings.smtp_port}"


def quoted(answer: str, settings: Settings) -> str:
    """The server's answer in quotes, without secrets: servers may repeat the password that they refuse."""
    return f'"{_cut(answer, settings)}"'


def _cut(text: str, settings: Settings) -> str:
    return one_line(Redactor(secrets_of(settings)).text(text), _LONGEST_ANSWER)


def _problem(setting: str, what: str, remedy: str) -> Problem:
    return Problem(source=setting, what=what, remedy=remedy, severity="warning", at=datetime.now(UTC))


def not_ascii(settings: Settings, address: str) -> Problem:
    """A server knows only ASCII, and a recipient's address is not."""
    return _problem(
        "NOTIFICATION_RECIPIENTS",
        f"{server_of(settings)} cannot send to {address}: it knows no addresses beyond ASCII.",
        "Use another address for this recipient.",
    )


def unconfirmed(settings: Settings) -> Problem:
    """The connection ended after the message was handed over, before the server took it."""
    return _problem(
        "SMTP_SERVER",
        f"{server_of(settings)} did not confirm the message; it may arrive or not.",
        "Look at the mail server if it happens again.",
    )


def refused_recipient(settings: Settings, address: str, response: aiosmtplib.SMTPRecipientRefused) -> Problem:
    """The server does not take the message for a recipient, now or for good."""
    is_final = response.code >= PERMANENT
    return _problem(
        "NOTIFICATION_RECIPIENTS",
        f"{server_of(settings)} {'refused' if is_final else 'put off'} {address}: "
        f"{response.code} {quoted(response.message, settings)}",
        "Check the address, and whether the server may send there."
        if is_final
        else "Nothing to do if it happens once: it asked to try later.",
    )


def explained(error: Exception, settings: Settings) -> Problem:
    """Explain an error before the hand-over: what is wrong, and what the operator should do."""
    server = server_of(settings)
    cause = error.__cause__ or error
    match cause if isinstance(cause, OSError) else error:
        case Unfit() as unfit:
            return _problem(unfit.setting, unfit.what, unfit.remedy)
        case aiosmtplib.SMTPResponseException() as response:
            return refusal(response, settings)
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
            what = f"{server} ended the connection."
            remedy = "Look at the mail server's log; check SMTP_PORT and SMTP_SECURITY."
        case _:
            what = f"{server} cannot be used: {_cut(str(error), settings)}"
            remedy = "Check the SMTP_ settings."
    return _problem("SMTP_SERVER", what, remedy)


def refusal(error: aiosmtplib.SMTPResponseException, settings: Settings) -> Problem:
    """What the server answered where it was to greet, to log in, or to take the sender or the message."""
    server, said = server_of(settings), f"{error.code} {quoted(error.message, settings)}"
    match error:
        case aiosmtplib.SMTPAuthenticationError():
            setting = "SMTP_USERNAME"
            what = f"{server} refused the log-in of {settings.smtp_username!r}: {said}"
            remedy = "Check SMTP_USERNAME and SMTP_PASSWORD; many providers want an app password here."
        case aiosmtplib.SMTPSenderRefused() if error.code in _LOG_IN_WANTED:
            setting, what = "SMTP_USERNAME", f"{server} wants a log-in: {said}"
            remedy = "Set SMTP_USERNAME and SMTP_PASSWORD, or use a port that wants none."
        case aiosmtplib.SMTPSenderRefused() if error.code >= PERMANENT and error.code != _TOO_LARGE:
            setting = "SMTP_FROM"
            what = f"{server} refused the sender {bare(settings.smtp_from)}: {said}"
            remedy = "Set SMTP_FROM to an address it may send from, and SMTP_USERNAME if it wants a log-in."
        case aiosmtplib.SMTPSenderRefused() | aiosmtplib.SMTPDataError():
            became = "refused" if error.code >= PERMANENT else "put off"
            setting, what = "SMTP_SERVER", f"{server} {became} the message: {said}"
            remedy = "Its answer says why; its log may say more."
        case _:
            became = "cannot talk now" if _PASSING <= error.code < PERMANENT else "refused to talk"
            setting, what = "SMTP_SERVER", f"{server} {became}: {said}"
            remedy = "Its answer says why; its log may say more."
    return _problem(setting, what, remedy)
