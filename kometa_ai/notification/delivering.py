"""Deliver what waits in the outbox: who gets which letter, and what follows from what became of it.

    taken      the receiver has it
    waits      it is kept, joined to the next report, and tried again with it
    refused    it never will be taken: of several reports each of the newest is sent by itself at once, and the next
               one says where those are that were refused
    unclear    it goes once more, as the same message; then it is left, and the next report says so

Each step is written down before it is taken, so that whatever ends the program, no letter is sent for ever.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.notification import email, push
from kometa_ai.notification.outbox import TRIES, Claims, Keeper, Letter
from kometa_ai.notification.render import render, written
from kometa_ai.notification.view import subject_of
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kometa_ai.notification.message import Delivery
    from kometa_ai.notification.news import News
    from kometa_ai.notification.push import Target
    from kometa_ai.settings.schema import Settings

_ROUNDS = 3
"""What was put into the outbox while letters were on their way is sent, too."""

_log = structlog.get_logger()


def addresses_of(settings: Settings) -> dict[str, str]:
    """Everybody who gets e-mail, each with a key."""
    return {} if missing_settings(settings) else {one: key_of(one) for one in settings.notification_recipients}


def key_of(address: str) -> str:
    """What a recipient is called in the outbox."""
    return f"e-mail:{address}"


def missing_settings(settings: Settings) -> list[str]:
    """What keeps e-mail from being sent at all."""
    needed = {"SMTP_SERVER": settings.smtp_server, "NOTIFICATION_RECIPIENTS": settings.notification_recipients}
    return [name for name, value in needed.items() if not value]


class _Parcel:
    """A letter with its reports, for one receiver or for all who get the same."""

    def __init__(self, receivers: dict[str, Letter], news: Sequence[News]) -> None:
        self.receivers = receivers
        self.news = news
        self.letter = next(iter(receivers.values()))
        self.handed: set[str] = set()


class Delivering:
    """One time of delivering all that waits and is not on its way."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keeper = Keeper(settings.state_dir)
        self._claims = Claims(settings.state_dir)
        self._redact = Redactor(secrets_of(settings)).text
        self._targets = {target.key: target for target in push.targets(settings)}
        self._addresses = {key: address for address, key in addresses_of(settings).items()}
        self._failed: set[str] = set()
        self._problems: list[Problem] = []

    async def run(self) -> list[Problem]:
        """Send everybody what waits for them, and return what could not be delivered."""
        if not await asyncio.to_thread(self._claims.enter):
            _log.info("notification.left_to_others", why="another process is sending")
            return []
        try:
            for _ in range(_ROUNDS):
                parcels = self._take()
                if not parcels:
                    break
                async with asyncio.TaskGroup() as group:
                    for parcel in parcels:
                        group.create_task(self._send(parcel))
        finally:
            self._claims.leave()
        if self._keeper.trouble:
            self._problems.append(self._keeper.trouble)
        # One dead server is one problem, however many recipients it has.
        return list({(problem.what, problem.remedy): problem for problem in self._problems}.values())

    def _take(self) -> list[_Parcel]:
        """Whatever waits: one parcel for all who wait for the same by e-mail, and one for each push service."""
        parcels: list[_Parcel] = []
        with self._keeper.changing() as box:
            box.keep_only([*self._addresses, *self._targets])
            mail: dict[object, dict[str, Letter]] = {}
            for receiver in (*self._addresses, *self._targets):
                letters = [] if receiver in self._failed else box.letters_for(receiver, self._claims.of(receiver))
                self._claims.take(receiver, letters)
                for letter in letters:
                    if receiver in self._addresses:
                        mail.setdefault(msgspec.structs.astuple(letter), {})[receiver] = letter
                    else:
                        parcels.append(_Parcel({receiver: letter}, box.news_in(letter)))
            parcels += [_Parcel(receivers, box.news_in(next(iter(receivers.values())))) for receivers in mail.values()]
        return parcels

    async def _send(self, parcel: _Parcel) -> None:
        (first, *_), letter = parcel.receivers, parcel.letter
        if not parcel.news:  # given up meanwhile, for newer ones
            with self._keeper.changing() as box:
                for receiver in parcel.receivers:
                    box.delivered(receiver, letter)
            return
        if first in self._targets:
            deliveries = [await self._push(self._targets[first], parcel)]
        else:
            deliveries = await self._mail(parcel)
        with self._keeper.changing() as box:
            for (receiver, own), delivery in zip(parcel.receivers.items(), deliveries, strict=True):
                if delivery.problem is None:
                    box.delivered(receiver, own)
                    continue
                problem = _without_secrets(delivery.problem, self._redact)
                if delivery.fate == "refused" and len(own.run_ids) > 1:
                    _log.warning("notification.parted", to=delivery.to, runs=own.run_ids, why=problem.what)
                    box.part(receiver, own)
                    self._claims.give_back(receiver, own)
                    continue
                self._failed.add(receiver)
                places = ", ".join(f"STATE_DIR/runs/{run_id}.json" for run_id in own.run_ids[-3:])
                match delivery.fate:
                    case "unclear" if own.tries < TRIES:
                        what_next = "It is sent once more, as the same message."
                    case "unclear":
                        box.give_up(receiver, own, may_have_arrived=True)
                        what_next = f"It is not sent again; the report is {places}."
                    case "refused":
                        # Not in its words: a filter may refuse those, too.
                        what = f"A report could not be delivered ({delivery.to})."
                        box.failing[receiver] = msgspec.structs.replace(problem, what=what, remedy="The log says why.")
                        box.give_up(receiver, own)
                        what_next = f"It is not sent again; the report is {places}, and the next one goes without it."
                    case _:
                        box.not_taken(receiver, own, problem, was_handed=receiver in parcel.handed)
                        what_next = "The report is kept, and joined to the next one."
                self._problems.append(msgspec.structs.replace(problem, remedy=f"{problem.remedy} {what_next}"))

    async def _mail(self, parcel: _Parcel) -> list[Delivery]:
        letter = parcel.letter
        if not letter.name:
            name = email.message_id(self._settings)
            for own in parcel.receivers.values():
                own.name = name
        message = await asyncio.to_thread(
            render, parcel.news, self._settings.tz, lost=letter.lost, missing=letter.missing
        )
        addresses = [self._addresses[receiver] for receiver in parcel.receivers]
        return await email.send(
            self._settings,
            message,
            addresses,
            name=letter.name,
            handing=lambda recipients: self._handing(parcel, map(key_of, recipients)),
        )

    async def _push(self, target: Target, parcel: _Parcel) -> Delivery:
        letter = parcel.letter
        letter.name = letter.name or letter.run_ids[-1]
        title = subject_of(parcel.news[-1], len(parcel.news) - 1 + letter.lost)
        write = partial(written, parcel.news, self._settings.tz, lost=letter.lost, missing=letter.missing)
        handing = partial(self._handing, parcel, [target.key])
        return await push.send(target, title, write, redact=self._redact, handing=handing)

    def _handing(self, parcel: _Parcel, receivers: Iterable[str]) -> None:
        """From now on these receivers may get it: so much is written down before it is true."""
        with self._keeper.changing() as box:
            for receiver in set(receivers) - parcel.handed:
                parcel.handed.add(receiver)
                box.handing(receiver, parcel.receivers[receiver])


def _without_secrets(problem: Problem, redact: Callable[[str], str]) -> Problem:
    return msgspec.structs.replace(
        problem, what=redact(problem.what), remedy=redact(problem.remedy), source=redact(problem.source)
    )
