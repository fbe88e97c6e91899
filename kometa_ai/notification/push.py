"""Push messages, chats and webhooks, through Apprise. The one module that imports it, and only where it is needed.

Each address gets the report in the form its service takes, within what it takes. What Apprise says is only shown
without the address: nearly all of it may be a token.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.core.text import one_line
from kometa_ai.network.trust import bundle_for
from kometa_ai.notification.message import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from apprise import NotifyBase

    from kometa_ai.notification.message import Form
    from kometa_ai.settings.schema import Settings

PATIENCE = 60.0
"""Seconds for one address, whatever its service does."""

_LONGEST_ANSWER = 300
_SPARE = 0.9
"""Of what a service takes: escaping may add some."""
_WHOLE_REPORT = 10_000
"""Characters of HTML that a service must take to get the report as by e-mail; chats that take some tags take fewer."""


_REDIRECTED = re.compile(r"\berror=30[12378]\b")


class Target(NamedTuple):
    """One address of APPRISE_URLS. `key` tells it from others and holds nothing of it; `name` is what people see."""

    key: str
    name: str
    url: str
    authorities: tuple[bytes, ...] = ()


def targets(settings: Settings) -> list[Target]:
    """Every address, named by its service and its position."""
    found = []
    for number, secret in enumerate(settings.apprise_urls, start=1):
        url = secret.get_secret_value()
        schema = one_line(url.partition("://")[0].lower())
        key = f"{schema}:{sha256(url.encode()).hexdigest()[:16]}"
        name = f"{schema} (APPRISE_URLS, address {number})"
        found.append(Target(key, name, url, settings.network.authorities))
    return found


async def send(
    target: Target,
    title: str,
    write: Callable[[Form, int], str],
    *,
    patience: float = PATIENCE,
    redact: Callable[[str], str] = str,
) -> Delivery:
    """Send to one address and say what became of it. Nothing that goes wrong on the way is raised.

    `write` is asked for the text in a form and within so many characters; `redact` hides secrets in what Apprise says.
    """
    try:
        delivery = await _send(target, title, write, patience)
    except Exception as error:  # noqa: BLE001 - one of a hundred and fifty services
        delivery = _lost(target, f"{type(error).__name__}: {error}", "The log may say more.")
    if delivery.problem is None:
        return delivery
    # Some repeat the address. Before it is cut: a secret that was cut is not found any more.
    said = redact(delivery.problem.what.replace(target.url, "the address"))
    problem = msgspec.structs.replace(delivery.problem, what=one_line(f"{target.name}: {said}", _LONGEST_ANSWER))
    return msgspec.structs.replace(delivery, problem=problem)


async def _send(target: Target, title: str, write: Callable[[Form, int], str], patience: float) -> Delivery:
    # Half a second and some megabytes, which a run without such addresses can do without.
    from apprise import Apprise, AppriseAsset, AppriseResultStatus, NotifyFormat, OverflowMode  # noqa: PLC0415

    # A redirect would take the report wherever it points. `?redirect=yes` in the address allows it.
    asset = AppriseAsset(http_redirects=False)
    service = await asyncio.to_thread(Apprise.instantiate, target.url, asset=asset)
    if service is None:
        return _lost(target, "Apprise cannot read this address.", "Compare it with Apprise's page on that service.")
    if service.overflow_mode is OverflowMode.UPSTREAM:
        # Only where escaping adds more than is spared: better cut than refused, or split into twenty.
        service.overflow_mode = OverflowMode.TRUNCATE
    form, room = form_and_room(service, title)
    sender = Apprise()
    sender.add(service)
    with bundle_for(target.authorities) as bundle:
        if bundle and service.verify_certificate is True:
            service.verify_certificate = str(bundle)  # type: ignore[assignment] # goes to `requests`, which takes a file
        result = await sender.async_notify(
            body=write(form, room), title=title, body_format=NotifyFormat(form), timeout=patience
        )
    if result:
        return Delivery(to=target.name, answer=f"{service.service_name} took it.")
    if any(one.status is AppriseResultStatus.TIMEOUT for one in result):
        return _lost(
            target,
            f"{service.service_name} did not answer within {patience:g} s; the message may arrive or not.",
            "See whether the service can be reached from here.",
        )
    said = " ".join(dict.fromkeys(entry.message for entry in result.logs()))
    if _REDIRECTED.search(said):
        return _lost(target, f"{said} It redirects, which is not followed.", "Write the address that it redirects to.")
    return _lost(target, said or "It was not sent.", "Check the address, and whether the service can be reached.")


def form_and_room(service: NotifyBase, title: str) -> tuple[Form, int]:
    """The form that a service takes, and how many characters of it are left beside a title in the body."""
    from apprise import NotifyFormat  # noqa: PLC0415

    room = int(service.body_maxlen * _SPARE) - (0 if service.title_maxlen > 0 else len(title) + 10)
    usual = service.resolve_format(None)
    if usual is NotifyFormat.HTML:
        return ("html" if room >= _WHOLE_REPORT else "text"), room
    # Chats show Markdown in whatever they get. A webhook hands on what it gets, so it says that it takes everything.
    takes_markdown = service.resolve_format(NotifyFormat.MARKDOWN) is NotifyFormat.MARKDOWN
    hands_on = service.resolve_format(NotifyFormat.HTML) is NotifyFormat.HTML
    return ("markdown" if takes_markdown and not hands_on else "text"), room


def _lost(target: Target, what: str, remedy: str) -> Delivery:
    problem = Problem(source="APPRISE_URLS", what=what, remedy=remedy, severity="warning", at=datetime.now(UTC))
    return Delivery(to=target.name, problem=problem)
