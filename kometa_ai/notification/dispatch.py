"""Decide whether a report is sent, put it into the outbox, have it delivered; also retries and test messages.

A channel sends one message, returns the delivery for each receiver, and never raises. What may be delivered later waits
in the outbox and is joined to the next report for that receiver; see `delivering`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.notification.background import beside
from kometa_ai.notification.channels import channels_of
from kometa_ai.notification.delivering import Delivering
from kometa_ai.notification.news import is_wanted, ledger_after, news_of
from kometa_ai.notification.outbox import Keeper
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.notification.message import Delivery
    from kometa_ai.settings.schema import Settings

HURRY = 20.0
"""Seconds that a run waits for its messages to be sent: it holds the state, so that no other run can start."""


class Tested(msgspec.Struct, frozen=True):
    """The outcome of a test message, as a sentence for the user."""

    channel: str
    outcome: str
    is_delivered: bool


async def notify(report: RunReport, settings: Settings, *, unattended: bool, hurry: float = HURRY) -> list[Problem]:
    """Send a run's report to all receivers; return what could not be delivered, as warnings.

    What is sent of an `unattended` run depends on what was reported before; see `news`. After `hurry` seconds sending
    continues in its own thread; its outcome is logged and part of the next report.
    """
    receivers = [receiver for channel in channels_of(settings) for receiver in channel.receivers]
    if not receivers:
        return []
    keeper = Keeper(settings.state_dir)
    # Saved before anything is sent: the program may be killed while it sends.
    with keeper.changing() as box:
        box.keep_only(receivers)
        # Reachable receivers learn of the unreachable ones.
        report = msgspec.structs.replace(report, warnings=(*report.warnings, *dict.fromkeys(box.failing.values())))
        clean = _redacted(report, Redactor(secrets_of(settings)))
        news = news_of(clean, box.told, settings.tz, in_full=not unattended)
        is_sent = is_wanted(news, settings.notify_on)
        box.told = ledger_after(news, box.told, settings.tz, is_sent=is_sent)
        if is_sent:
            box.put(news, receivers)
    return await beside(Delivering(settings).run, hurry)


async def deliver_again(settings: Settings) -> list[Problem]:
    """Try once more to deliver what waits; return what still cannot be delivered."""
    return await Delivering(settings).run()


async def send_test(settings: Settings) -> list[Tested]:
    """Send a test message to every receiver; return the outcome of each, or why nothing was sent."""
    redactor = Redactor(secrets_of(settings))
    channels = channels_of(settings)
    tested = [
        Tested(delivery.to, redactor.text(_sentence(delivery)), is_delivered=delivery.problem is None)
        for channel in channels
        for delivery in await channel.test()
    ]
    # A half-configured channel is a mistake; no configured channel at all is one, too.
    half = [channel for channel in channels if 0 < len(channel.missing) < len(channel.needs)]
    first = half[0] if half else None if tested else channels[0]
    if first is not None:
        ways = ", or ".join(" and ".join(channel.missing) for channel in ([first] if half else channels))
        why = f"{ways} is not set." if half else f"nothing says where to. Give {ways}."
        tested.insert(0, Tested(first.name, f"Not sent: {why}", is_delivered=False))
    return tested


def _sentence(delivery: Delivery) -> str:
    problem = delivery.problem
    if problem is None:
        return delivery.answer
    became = "Not confirmed" if delivery.fate == "unclear" else "Not sent"
    return f"{became}: {problem.what.removeprefix(f'{delivery.to}: ')} {problem.remedy}"


def _redacted(report: RunReport, redactor: Redactor) -> RunReport:
    """The report with secrets redacted in other services' words. Titles stay, such as "The Secret: Dare to Dream"."""
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
