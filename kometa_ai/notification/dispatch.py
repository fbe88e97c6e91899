"""Who is told of a run, and when.

A channel is a function of the settings and a message that says of each receiver what became of it, and never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import needs_somebody
from kometa_ai.notification import email
from kometa_ai.notification.message import Message
from kometa_ai.notification.render import render
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

    from kometa_ai.core.report import RunReport
    from kometa_ai.notification.message import Delivery
    from kometa_ai.settings.schema import Settings


class Tested(NamedTuple):
    """What became of a test message: `outcome` is a sentence for whoever asked."""

    channel: str
    outcome: str
    is_delivered: bool


async def notify(report: RunReport, settings: Settings) -> list[Problem]:
    """Send a run's report to everybody who wants it, and return what could not be delivered, as warnings."""
    if not is_wanted(report, settings.notify_on):
        return []
    redactor = Redactor(secrets_of(settings))
    deliveries = await _deliver(settings, render(_redacted(report, redactor), settings.tz))
    problems = [delivery.problem for delivery in deliveries if delivery.problem]
    # One dead server is one problem, however many recipients it has.
    return [_without_secrets(problem, redactor) for problem in dict.fromkeys([*problems, *_unsupported(settings)])]


def is_wanted(report: RunReport, notify_on: Literal["always", "changes", "problems"]) -> bool:
    """Whether this run is one to tell of. Whoever wants to hear of changes also wants to hear what prevents them."""
    match notify_on:
        case "always":
            return True
        case "changes":
            return bool(report.added or report.removed) or needs_somebody(report)
        case "problems":
            return needs_somebody(report)


async def send_test(settings: Settings) -> list[Tested]:
    """Send a test message to every receiver, and say of each what happened; also why nothing was sent."""
    redactor = Redactor(secrets_of(settings))
    tested = [
        Tested(
            delivery.to,
            redactor.text(_sentence(delivery.problem) if delivery.problem else delivery.answer),
            is_delivered=delivery.problem is None,
        )
        for delivery in await _deliver(settings, _TEST)
    ]
    if not tested:
        tested.append(Tested("e-mail", f"Not sent: {_missing(settings)}", is_delivered=False))
    tested += [Tested("Apprise", _sentence(problem), is_delivered=False) for problem in _unsupported(settings)]
    return tested


_TEST = Message(
    subject="Kometa-AI: test message",
    text="This is a test. Reports of Kometa-AI arrive here.\n",
    html="<!doctype html><html lang='en'><body><p>This is a test. Reports of Kometa-AI arrive here.</p></body></html>",
)


async def _deliver(settings: Settings, message: Message) -> list[Delivery]:
    return [] if _missing(settings) else await email.send(settings, message)


def _missing(settings: Settings) -> str:
    """What keeps e-mail from being sent at all."""
    absent = [
        name
        for name, value in (
            ("SMTP_SERVER", settings.smtp_server),
            ("NOTIFICATION_RECIPIENTS", settings.notification_recipients),
        )
        if not value
    ]
    return f"{' and '.join(absent)} not set." if absent else ""


def _unsupported(settings: Settings) -> Iterable[Problem]:
    if settings.apprise_urls:
        yield Problem(
            source="APPRISE_URLS",
            what="This version sends e-mail only; nothing was sent to the addresses of Apprise.",
            remedy="Set SMTP_SERVER and NOTIFICATION_RECIPIENTS.",
            severity="warning",
        )


def _sentence(problem: Problem) -> str:
    return f"Not sent: {problem.what} {problem.remedy}"


def _redacted(report: RunReport, redactor: Redactor) -> RunReport:
    """The report with what others said redacted. Titles stay: "The Secret: Dare to Dream" is none."""
    return msgspec.structs.replace(
        report,
        problems=tuple(_without_secrets(problem, redactor) for problem in report.problems),
        warnings=tuple(_without_secrets(problem, redactor) for problem in report.warnings),
    )


def _without_secrets(problem: Problem, redactor: Redactor) -> Problem:
    return msgspec.structs.replace(
        problem,
        what=redactor.text(problem.what),
        remedy=redactor.text(problem.remedy),
        source=redactor.text(problem.source),
    )
