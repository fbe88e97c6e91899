"""Send push messages, chats and webhooks through Apprise, which is imported only when there are addresses.

Each address gets the report in the form that its service displays, and its length is measured as the service counts, so
that neither Apprise nor the service cuts it. Apprise's messages are shown without the address: most of an address may
be a token.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import parse_qs

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.core.text import beginning, one_line
from kometa_ai.network.trust import bundle_for
from kometa_ai.notification.background import in_thread
from kometa_ai.notification.channel import TEST_PATIENCE
from kometa_ai.notification.message import TEST, Delivery
from kometa_ai.notification.render import titled, written
from kometa_ai.notification.view import subject_of
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from apprise import AppriseResult, NotifyBase, NotifyFormat

    from kometa_ai.notification.message import Fate, Form
    from kometa_ai.notification.news import News
    from kometa_ai.notification.outbox import Letter
    from kometa_ai.settings.schema import Settings

PATIENCE = 300.0
"""Seconds for one address, including all retries of its service."""
CONNECTING, ANSWERING = 10.0, 120.0
"""Seconds to connect, and for an answer; Apprise's defaults are four each."""

_LONGEST_ANSWER = 300
_LONGEST = 8000
"""Characters that a user reads on a phone, even if a service accepts more."""
_WHOLE_REPORT = 10_000
"""Characters of HTML that a service must accept to get the whole report; chats with few tags accept fewer."""

_NTFY_BYTES = 4000
"""From 4,096 bytes on, a server turns the message into an attachment, or refuses it if it stores none."""
_NTFY_REQUEST = 7200
"""Characters of JSON with the title. From 8,000 on, Apprise turns the message into an attachment."""
_MOST = {"NotifySlack": 3000, "NotifyTelegram": 4096, "NotifyDiscord": 2000, "NotifyGuilded": 2000}
"""Limits of services that accept less than Apprise says, such as a block of Slack's."""
_IN_BYTES = {"NotifyWeComBot", "NotifyWeChat"}

_MARKDOWN_IN_TEXT = {"NotifyDiscord", "NotifyFluxer", "NotifyGuilded", "NotifyMattermost"}
"""These display CommonMark in any text."""
_MARKUP_IN_TEXT = {"NotifyZulip", "NotifyRevolt", "NotifyNextcloudTalk"}
"""These display a markup of their own in any text, and have no escapes."""

_STATUS = re.compile(r"\berror=(\d{3,5})\b")
# Signs that the request was sent completely before the connection failed, in the words of `requests` and urllib3.
_SENT = re.compile(r"Read timed out|RemoteDisconnected|Connection aborted|Connection broken|IncompleteRead")
_PASSING = {
    HTTPStatus.UNAUTHORIZED,  # passes once the token is right; nothing is wrong with the message
    HTTPStatus.FORBIDDEN,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


_REDIRECTED = re.compile(r"\berror=30[12378]\b")


class Target(NamedTuple):
    """One address of APPRISE_URLS. `key` identifies it without revealing it; `name` is what users see."""

    key: str
    name: str
    url: str
    authorities: tuple[bytes, ...] = ()


def targets(settings: Settings) -> list[Target]:
    """Every address, named by its service and its position in the setting."""
    found = []
    for number, secret in enumerate(settings.apprise_urls, start=1):
        url = secret.get_secret_value()
        schema = one_line(url.partition("://")[0].lower())
        key = f"{schema}:{sha256(url.encode()).hexdigest()[:16]}"
        name = f"{schema} (APPRISE_URLS, address {number})"
        found.append(Target(key, name, url, settings.network.authorities))
    return found


def unreadable(settings: Settings) -> list[Problem]:
    """A problem for each address that Apprise cannot read."""
    return [_unreadable(target) for target in targets(settings) if _service(target) is None]


def _unreadable(target: Target) -> Problem:
    return Problem(
        source="APPRISE_URLS",
        what=f"{target.name}: Apprise cannot read this address.",
        remedy="Compare it with Apprise's page on that service.",
        severity="warning",
    )


class Push:
    """Push services as a channel: each address gets a message of its own; see `Channel`."""

    name = "push"
    is_shared = False
    needs: tuple[str, ...] = ("APPRISE_URLS",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._targets = {target.key: target for target in targets(settings)}
        self._redact = Redactor(secrets_of(settings)).text
        self.receivers = tuple(self._targets)
        self.missing: tuple[str, ...] = () if self._targets else self.needs

    async def send(
        self,
        letter: Letter,
        news: Sequence[News],
        receivers: Sequence[str],
        handing: Callable[[Iterable[str]], None],
    ) -> list[Delivery]:
        """See Channel."""
        letter.name = letter.name or letter.run_ids[-1]
        title = subject_of(news[-1], len(news) - 1 + letter.lost)
        write = partial(written, news, self._settings.tz, lost=letter.lost, missing=letter.missing)
        return [
            await send(self._targets[receiver], title, write, redact=self._redact, handing=partial(handing, [receiver]))
            for receiver in receivers
        ]

    async def test(self) -> list[Delivery]:
        """See Channel."""
        return await asyncio.gather(
            *(
                send(target, TEST.subject, _test_text, patience=TEST_PATIENCE, redact=self._redact)
                for target in self._targets.values()
            )
        )


def _test_text(form: Form, fits: Callable[[str], bool]) -> str:
    text = TEST.html if form == "html" else TEST.text
    return text if fits(text) else "Kometa-AI"


async def send(
    target: Target,
    title: str,
    write: Callable[[Form, Callable[[str], bool]], str],
    *,
    patience: float = PATIENCE,
    redact: Callable[[str], str] = str,
    handing: Callable[[], object] = bool,
) -> Delivery:
    """Send to one address; return the delivery. Errors are returned, not raised.

    `write` renders the text in a form so that it fits; `redact` hides secrets in Apprise's messages. `handing` is
    called before the message is sent: from then on it may arrive.
    """
    try:
        delivery = await _send(target, title, write, patience, handing)
    except Exception as error:  # noqa: BLE001 - any of a hundred and fifty services
        delivery = _lost(target, f"{type(error).__name__}: {error}", "The log may say more.")
    if delivery.problem is None:
        return delivery
    # Some services repeat the address. Redact before cutting: a secret that was cut is not recognised.
    said = redact(delivery.problem.what.replace(target.url, "the address"))
    problem = msgspec.structs.replace(delivery.problem, what=one_line(f"{target.name}: {said}", _LONGEST_ANSWER))
    return msgspec.structs.replace(delivery, problem=problem)


async def _send(
    target: Target,
    title: str,
    write: Callable[[Form, Callable[[str], bool]], str],
    patience: float,
    handing: Callable[[], object],
) -> Delivery:
    # Imported here: it takes half a second and some megabytes, which a run without addresses saves.
    from apprise import Apprise  # noqa: PLC0415

    service = await asyncio.to_thread(_service, target)
    if service is None:
        problem = _unreadable(target)
        return _lost(target, problem.what.removeprefix(f"{target.name}: "), problem.remedy)
    taking = taking_of(service, target.url)
    title = beginning(title, service.title_maxlen or len(title))
    body = write(taking.form, partial(taking.fits, title))
    handing()
    sender = Apprise()
    sender.add(service)
    with bundle_for(target.authorities) as bundle:
        if bundle and service.verify_certificate is True:
            service.verify_certificate = str(bundle)  # type: ignore[assignment] # goes to `requests`, which takes a file
        # Not in Apprise's own threads: the program would wait for them when it ends.
        call = partial(
            sender.notify,
            body=taking.text_of(title, body),
            title=title if service.title_maxlen > 0 else "",
            body_format=taking.declared,
            log_level=logging.DEBUG,
        )
        try:
            result = await asyncio.wait_for(in_thread(call), patience)
        except TimeoutError:
            return _unconfirmed(target, service)
    return _delivery_of(target, service, result)


def _delivery_of(target: Target, service: NotifyBase, result: AppriseResult) -> Delivery:
    # Check each attempt: Apprise counts a service with `?optional=yes` as reached even if it was not.
    if all(one.attempts and one.attempts[-1] for one in result) and len(result):
        return Delivery(to=target.name, answer=f"{service.service_name} took it.")
    fate = _fate_of(result)
    if fate == "unclear":
        return _unconfirmed(target, service)
    warnings = (entry.message for entry in result.logs() if entry.level not in ("DEBUG", "INFO", "TRACE"))
    said = " ".join(dict.fromkeys(warnings)) or "It was not sent."
    if _REDIRECTED.search(said):
        return _lost(target, f"{said} It redirects, which is not followed.", "Write the address that it redirects to.")
    if fate == "refused":
        return _lost(target, said, "Its answer says why; other messages may pass.", fate)
    return _lost(target, said, "Check the address, and whether the service can be reached.")


def _service(target: Target) -> NotifyBase | None:
    from apprise import Apprise, AppriseAsset, NotifyBase  # noqa: PLC0415

    # Its log lines hold parts of addresses; the result has what matters.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    # A redirect would send the report to any other host. `?redirect=yes` in the address allows it.
    service = Apprise.instantiate(target.url, asset=AppriseAsset(http_redirects=False, async_mode=False))
    if not isinstance(service, NotifyBase):
        return None
    asked = _asked(target.url)
    if "cto" not in asked:
        service.socket_connect_timeout = CONNECTING
    if "rto" not in asked:
        service.socket_read_timeout = ANSWERING
    # A private logger: its details tell the outcome of a request, but hold tokens, so they must not reach the log.
    service.logger = logging.Logger("apprise", logging.DEBUG)  # noqa: LOG001 - private on purpose
    service.logger.addHandler(logging.NullHandler())
    return service


def _asked(url: str) -> dict[str, list[str]]:
    """The options in the address itself."""
    return parse_qs(url.partition("?")[2])


def _fate_of(result: AppriseResult) -> Fate:
    """The fate of a message that was not accepted. Without a status it may be accepted later."""
    said = [entry.message for entry in result.logs()]
    statuses = [int(found[1][:3]) for text in said for found in _STATUS.finditer(text)]
    if any(_SENT.search(text) for text in said):
        return "unclear"
    is_final = any(
        HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING
        for status in statuses
    )
    return "refused" if is_final else "waits"


# What a service takes


class Taking(NamedTuple):
    """How a service gets a report.

    `declared` is the form that Apprise is told, if it has to convert the text; None sends the text unchanged. `most` is
    the longest text that fits, with the title if it is part of the text, counted in `unit`s.
    """

    form: Form
    declared: NotifyFormat | None
    service: NotifyBase
    most: int
    unit: Literal["utf-16", "bytes", "ntfy"]

    def fits(self, title: str, body: str) -> bool:
        """Whether this body fits beside this title, as Apprise will send it."""
        sent, service = self.text_of(title, body), self.service
        if self.declared is not None:
            sent = service.dialect_convert(sent, self.declared)
        beside = len(title) + 2 if service.title_maxlen > 0 and service.overflow_amalgamate_title else 0
        if self.unit == "ntfy" and len(json.dumps(sent)) + len(json.dumps(title)) > _NTFY_REQUEST:
            return False
        size = len(sent.encode("utf-16-le")) // 2 if self.unit == "utf-16" else len(sent.encode())
        return size + beside <= self.most

    def text_of(self, title: str, body: str) -> str:
        """The text for Apprise: with the title in front if the service has no separate title."""
        text = body if self.service.title_maxlen > 0 else titled(self.form, title, body)
        # Telegram keeps line breaks as they are; with a tag in their place it would drop empty lines.
        is_html = self.form == "tags" and type(self.service).__name__ != "NotifyTelegram"
        return text.replace("\n", "<br>") if is_html else text


def taking_of(service: NotifyBase, url: str) -> Taking:
    """How a service gets a report: by what it displays, not what it accepts; `?format=` in the address overrides."""
    name = type(service).__name__
    form, declared = _form_of(service, is_asked="format" in _asked(url))
    if name == "NotifyNtfy":
        return Taking(form, declared, service, _NTFY_BYTES, "ntfy")
    most = service.body_maxlen if form == "html" else min(service.body_maxlen, _MOST.get(name, _LONGEST))
    return Taking(form, declared, service, most, "bytes" if name in _IN_BYTES else "utf-16")


def _form_of(service: NotifyBase, *, is_asked: bool) -> tuple[Form, NotifyFormat | None]:
    """The form of the text, and the form that Apprise is told."""
    from apprise import NotifyFormat  # noqa: PLC0415

    name, usual = type(service).__name__, service.resolve_format(None)
    if not is_asked and name in _MARKDOWN_IN_TEXT:
        takes_it = service.resolve_format(NotifyFormat.MARKDOWN) is NotifyFormat.MARKDOWN
        return "markdown", NotifyFormat.MARKDOWN if takes_it else None
    if not is_asked and service.resolve_format(NotifyFormat.TEXT) is NotifyFormat.TEXT:
        return ("guarded", None) if name in _MARKUP_IN_TEXT else ("text", NotifyFormat.TEXT)
    if usual is NotifyFormat.MARKDOWN:
        # Unless the address asks for Markdown, it is a dialect of the service's own, which knows few of the escapes.
        return ("markdown", usual) if is_asked else ("guarded", None)
    if usual is NotifyFormat.HTML and service.body_maxlen < _WHOLE_REPORT:
        return "tags", usual
    return ("html" if usual is NotifyFormat.HTML else "text"), usual


def _unconfirmed(target: Target, service: NotifyBase) -> Delivery:
    what = f"{service.service_name} did not confirm the message in time; it may arrive or not."
    return _lost(target, what, "See whether the service can be reached from here.", "unclear")


def _lost(target: Target, what: str, remedy: str, fate: Fate = "waits") -> Delivery:
    problem = Problem(source="APPRISE_URLS", what=what, remedy=remedy, severity="warning", at=datetime.now(UTC))
    return Delivery(to=target.name, problem=problem, fate=fate)
