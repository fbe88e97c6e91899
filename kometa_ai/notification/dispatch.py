"""Who is told of a run, when, and what becomes of a report that does not arrive.

A channel sends one message and says of each receiver what became of it; it never raises. What it could not deliver
waits in the outbox and is joined to the next report for that receiver, so nothing is lost and nobody is told twice.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from kometa_ai.notification import email, outbox, push
from kometa_ai.notification.message import Message
from kometa_ai.notification.news import is_wanted, ledger_after, news_of
from kometa_ai.notification.render import render, written
from kometa_ai.notification.view import subject_of
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.notification.message import Delivery, Form
    from kometa_ai.notification.news import News
    from kometa_ai.notification.outbox import Outbox
    from kometa_ai.notification.push import Target
    from kometa_ai.settings.schema import Settings

_log = structlog.get_logger()


class Tested(NamedTuple):
    """What became of a test message: `outcome` is a sentence for whoever asked."""

    channel: str
    outcome: str
    is_delivered: bool


async def notify(report: RunReport, settings: Settings) -> list[Problem]:
    """Tell everybody who wants it of a run, and return what could not be delivered, as warnings.

    What is sent depends on what was told before: see `news`. The caller holds the lock of the state folder.
    """
    receivers = _receivers(settings)
    if not receivers:
        return []
    box = outbox.load(settings.state_dir)
    box.keep_only(receivers)
    # Whoever is reached hears of those who are not.
    report = msgspec.structs.replace(report, warnings=(*report.warnings, *dict.fromkeys(box.failing.values())))
    news = news_of(_redacted(report, Redactor(secrets_of(settings))), box.told, settings.tz)
    is_sent = is_wanted(news, settings.notify_on)
    box.told = ledger_after(news, box.told, settings.tz, is_sent=is_sent)
    if is_sent:
        box.put(news, receivers)
    return await _empty(box, settings)


async def deliver_again(settings: Settings) -> list[Problem]:
    """Try once more to deliver what waits; return what still cannot be. The caller holds the state folder's lock."""
    box = outbox.load(settings.state_dir)
    box.keep_only(_receivers(settings))
    return await _empty(box, settings) if box.waiting else []


async def send_test(settings: Settings) -> list[Tested]:
    """Send a test message to every receiver, and say of each what happened; also why nothing was sent."""
    redactor = Redactor(secrets_of(settings))
    addresses = [*_addresses(settings)]
    deliveries = await email.send(settings, _TEST, addresses) if addresses else []
    deliveries += await asyncio.gather(
        *(push.send(target, _TEST.subject, _test_text) for target in push.targets(settings))
    )
    tested = [
        Tested(
            delivery.to,
            redactor.text(_sentence(delivery.problem) if delivery.problem else delivery.answer),
            is_delivered=delivery.problem is None,
        )
        for delivery in deliveries
    ]
    missing = _missing(settings)
    if len(missing) == 1 or not tested:
        # Half of it set up is a mistake; none of it is one only where nothing else is.
        missing += [] if tested or len(missing) == 1 else ["APPRISE_URLS"]
        tested.insert(0, Tested("e-mail", f"Not sent: {' and '.join(missing)} not set.", is_delivered=False))
    return tested


_TEST = Message(
    subject="Kometa-AI: test message",
    text="This is a test. Reports of Kometa-AI arrive here.\n",
    html="<!doctype html><html lang='en'><body><p>This is a test. Reports of Kometa-AI arrive here.</p></body></html>",
)


def _test_text(form: Form, room: int) -> str:
    return (_TEST.html if form == "html" else _TEST.text)[:room]


# Who


def _receivers(settings: Settings) -> list[str]:
    """The keys of everybody who is told."""
    return [*_addresses(settings).values(), *(target.key for target in push.targets(settings))]


def _addresses(settings: Settings) -> dict[str, str]:
    """Everybody who gets e-mail, each with a key."""
    return {} if _missing(settings) else {one: _key_of(one) for one in settings.notification_recipients}


def _key_of(address: str) -> str:
    return f"e-mail:{address}"


def _missing(settings: Settings) -> list[str]:
    """What keeps e-mail from being sent at all."""
    needed = {"SMTP_SERVER": settings.smtp_server, "NOTIFICATION_RECIPIENTS": settings.notification_recipients}
    return [name for name, value in needed.items() if not value]


# Delivering


async def _empty(box: Outbox, settings: Settings) -> list[Problem]:
    """Deliver all that waits; what cannot be delivered goes on waiting. It is kept first: sending may be the end."""
    problems = [outbox.save(settings.state_dir, box)]
    deliveries = await _deliver(box, settings)
    redactor = Redactor(secrets_of(settings))
    for receiver, delivery in deliveries.items():
        if delivery.problem is None:
            box.delivered(receiver)
            continue
        problem = _without_secrets(delivery.problem, redactor)
        _log.warning("notification.not_delivered", to=delivery.to, what=problem.what, remedy=problem.remedy)
        box.failing[receiver] = problem
        remedy = f"{problem.remedy} The report is kept, and joined to the next one."
        problems.append(msgspec.structs.replace(problem, remedy=remedy))
    if deliveries:
        problems.append(outbox.save(settings.state_dir, box))
    # One dead server is one problem, however many recipients it has.
    return list(dict.fromkeys(problem for problem in problems if problem))


async def _deliver(box: Outbox, settings: Settings) -> dict[str, Delivery]:
    """Send everybody what waits for them: by receiver, what became of it."""
    pushed = [target for target in push.targets(settings) if box.of(target.key)[0]]
    async with asyncio.TaskGroup() as group:
        mailed = group.create_task(_mail(box, settings))
        sent = [group.create_task(_push(target, *box.of(target.key), settings)) for target in pushed]
    return mailed.result() | {target.key: task.result() for target, task in zip(pushed, sent, strict=True)}


async def _mail(box: Outbox, settings: Settings) -> dict[str, Delivery]:
    """One message for all who wait for the same."""
    groups: dict[tuple[tuple[str, ...], int], list[str]] = {}
    for address, key in _addresses(settings).items():
        news, lost = box.of(key)
        if news:
            groups.setdefault((tuple(one.report.run_id for one in news), lost), []).append(address)
    found: dict[str, Delivery] = {}
    for (_, lost), addresses in groups.items():
        keys = [_key_of(address) for address in addresses]
        news, _ = box.of(keys[0])
        message = await asyncio.to_thread(render, news, settings.tz, lost=lost)
        found |= dict(zip(keys, await email.send(settings, message, addresses), strict=True))
    return found


async def _push(target: Target, news: Sequence[News], lost: int, settings: Settings) -> Delivery:
    title = subject_of(news[-1], len(news) - 1 + lost)
    return await push.send(target, title, partial(written, news, settings.tz, lost=lost))


# Secrets


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
