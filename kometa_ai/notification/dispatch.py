"""Who is told of a run, when, and what becomes of a report that does not arrive.

A channel sends one message and says of each receiver what became of it; it never raises. What it could not deliver
waits in the outbox and is joined to the next report for that receiver, so nothing is lost and nobody is told twice.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.notification import email, push
from kometa_ai.notification.message import Message
from kometa_ai.notification.news import is_wanted, ledger_after, news_of
from kometa_ai.notification.outbox import Keeper
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


class Tested(msgspec.Struct, frozen=True):
    """What became of a test message: `outcome` is a sentence for whoever asked."""

    channel: str
    outcome: str
    is_delivered: bool


async def notify(report: RunReport, settings: Settings, *, unattended: bool) -> list[Problem]:
    """Tell everybody who wants it of a run, and return what could not be delivered, as warnings.

    What is sent of an `unattended` run depends on what was told before: see `news`.
    """
    receivers = _receivers(settings)
    if not receivers:
        return []
    keeper = Keeper(settings.state_dir)
    # Kept before anything is sent: sending may be the end of us.
    with keeper.changing() as box:
        box.keep_only(receivers)
        # Whoever is reached hears of those who are not.
        report = msgspec.structs.replace(report, warnings=(*report.warnings, *dict.fromkeys(box.failing.values())))
        clean = _redacted(report, Redactor(secrets_of(settings)))
        news = news_of(clean, box.told, settings.tz, in_full=not unattended)
        is_sent = is_wanted(news, settings.notify_on)
        box.told = ledger_after(news, box.told, settings.tz, is_sent=is_sent)
        if is_sent:
            box.put(news, receivers)
        parcels = _parcels(box, settings)
    return await _deliver(parcels, keeper, settings)


async def deliver_again(settings: Settings) -> list[Problem]:
    """Try once more to deliver what waits, and return what still cannot be."""
    keeper = Keeper(settings.state_dir)
    with keeper.changing() as box:
        box.keep_only(_receivers(settings))
        parcels = _parcels(box, settings)
    return await _deliver(parcels, keeper, settings)


async def send_test(settings: Settings) -> list[Tested]:
    """Send a test message to every receiver, and say of each what happened; also why nothing was sent."""
    redactor = Redactor(secrets_of(settings))
    addresses = [*_addresses(settings)]
    deliveries = await email.send(settings, _TEST, addresses) if addresses else []
    deliveries += await asyncio.gather(
        *(push.send(target, _TEST.subject, _test_text, redact=redactor.text) for target in push.targets(settings))
    )
    tested = [
        Tested(
            delivery.to,
            redactor.text(_sentence(delivery)),
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


class Parcel(NamedTuple):
    """What waits for one receiver, the oldest first, and how many more were given up."""

    news: Sequence[News]
    lost: int

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The runs it tells of."""
        return tuple(one.report.run_id for one in self.news)


def _parcels(box: Outbox, settings: Settings) -> dict[str, Parcel]:
    parcels = {receiver: Parcel(*box.of(receiver)) for receiver in _receivers(settings)}
    return {receiver: parcel for receiver, parcel in parcels.items() if parcel.news}


async def _deliver(parcels: dict[str, Parcel], keeper: Keeper, settings: Settings) -> list[Problem]:
    """Send everybody their parcel; what cannot be delivered goes on waiting."""
    if not parcels:
        return [keeper.trouble] if keeper.trouble else []
    redactor = Redactor(secrets_of(settings))
    problems = []
    deliveries = await _send(parcels, settings)
    with keeper.changing() as box:
        for receiver, delivery in deliveries.items():
            if delivery.problem is None:
                box.delivered(receiver, parcels[receiver].run_ids)
                continue
            problem = _without_secrets(delivery.problem, redactor)
            box.failing[receiver] = problem
            remedy = f"{problem.remedy} The report is kept, and joined to the next one."
            problems.append(msgspec.structs.replace(problem, remedy=remedy))
    if keeper.trouble:
        problems.append(keeper.trouble)
    # One dead server is one problem, however many recipients it has.
    return list(dict.fromkeys(problems))


async def _send(parcels: dict[str, Parcel], settings: Settings) -> dict[str, Delivery]:
    """All channels side by side: by receiver, what became of it."""
    targets = [target for target in push.targets(settings) if target.key in parcels]
    async with asyncio.TaskGroup() as group:
        mailed = group.create_task(_mail(parcels, settings))
        pushed = [group.create_task(_push(target, parcels[target.key], settings)) for target in targets]
    return mailed.result() | {target.key: task.result() for target, task in zip(targets, pushed, strict=True)}


async def _mail(parcels: dict[str, Parcel], settings: Settings) -> dict[str, Delivery]:
    """One message for all who wait for the same."""
    groups: dict[tuple[tuple[str, ...], int], list[str]] = {}
    for address, key in _addresses(settings).items():
        if key in parcels:
            groups.setdefault((parcels[key].run_ids, parcels[key].lost), []).append(address)
    found: dict[str, Delivery] = {}
    for addresses in groups.values():
        parcel = parcels[_key_of(addresses[0])]
        message = await asyncio.to_thread(render, parcel.news, settings.tz, lost=parcel.lost)
        deliveries = await email.send(settings, message, addresses)
        found |= zip(map(_key_of, addresses), deliveries, strict=True)
    return found


async def _push(target: Target, parcel: Parcel, settings: Settings) -> Delivery:
    title = subject_of(parcel.news[-1], len(parcel.news) - 1 + parcel.lost)
    write = partial(written, parcel.news, settings.tz, lost=parcel.lost)
    return await push.send(target, title, write, redact=Redactor(secrets_of(settings)).text)


# Secrets


def _sentence(delivery: Delivery) -> str:
    problem = delivery.problem
    if problem is None:
        return delivery.answer
    return f"Not sent: {problem.what.removeprefix(f'{delivery.to}: ')} {problem.remedy}"


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
