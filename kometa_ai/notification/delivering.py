"""Deliver what waits in the outbox, and decide what follows from each answer: delivered, retried, refused, unclear.

    taken      the receiver has it
    waits      it is kept, joined to the next report, and tried again with it
    refused    it will never be accepted: a letter of several reports is split, and the newest are sent by themselves
               at once; the next report says where the refused ones are
    unclear    it is sent once more, as the same message; then it is given up, and the next report says so

Each step is saved before it is taken, so a killed program does not send the same letter for ever.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.notification.channels import channels_of
from kometa_ai.notification.outbox import TRIES, Claims, Keeper, Letter
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kometa_ai.notification.channel import Channel
    from kometa_ai.notification.news import News
    from kometa_ai.settings.schema import Settings

_ROUNDS = 3
"""Rounds of sending in one delivery: reports that arrive in the outbox meanwhile are sent, too."""

_log = structlog.get_logger()


class _Parcel:
    """A letter with its reports, for one receiver, or for all receivers of a channel who get the same."""

    def __init__(self, channel: Channel, receivers: dict[str, Letter], news: Sequence[News]) -> None:
        self.channel = channel
        self.receivers = receivers
        self.news = news
        self.handed: set[str] = set()


class Delivering:
    """One delivery of all reports that wait and are not in flight."""

    def __init__(self, settings: Settings) -> None:
        self._keeper = Keeper(settings.state_dir)
        self._claims = Claims(settings.state_dir)
        self._redact = Redactor(secrets_of(settings)).text
        self._channels = channels_of(settings)
        self._failed: set[str] = set()
        self._problems: list[Problem] = []

    async def run(self) -> list[Problem]:
        """Send each receiver what waits for it; return what could not be delivered."""
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
        # One unreachable server is one problem, however many recipients it has.
        return list({(problem.what, problem.remedy): problem for problem in self._problems}.values())

    def _take(self) -> list[_Parcel]:
        """Everything that waits: one parcel for each letter, or one for all receivers who share the same letter."""
        parcels: list[_Parcel] = []
        with self._keeper.changing() as box:
            box.keep_only(receiver for channel in self._channels for receiver in channel.receivers)
            for channel in self._channels:
                alike: dict[object, dict[str, Letter]] = {}
                for receiver in channel.receivers:
                    letters = [] if receiver in self._failed else box.letters_for(receiver, self._claims.of(receiver))
                    self._claims.take(receiver, letters)
                    for letter in letters:
                        content = msgspec.structs.astuple(letter)
                        key = content if channel.is_shared else (receiver, content)
                        alike.setdefault(key, {})[receiver] = letter
                parcels += [
                    _Parcel(channel, receivers, box.news_in(next(iter(receivers.values()))))
                    for receivers in alike.values()
                ]
        return parcels

    async def _send(self, parcel: _Parcel) -> None:
        letters = list(parcel.receivers.values())
        if not parcel.news:  # given up meanwhile, for newer ones
            with self._keeper.changing() as box:
                for receiver, letter in parcel.receivers.items():
                    box.delivered(receiver, letter)
            return
        handing = partial(self._handing, parcel)
        deliveries = await parcel.channel.send(letters[0], parcel.news, list(parcel.receivers), handing)
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
                        # Not in the receiver's words: a filter may refuse those, too.
                        what = f"A report could not be delivered ({delivery.to})."
                        box.failing[receiver] = msgspec.structs.replace(problem, what=what, remedy="The log says why.")
                        box.give_up(receiver, own)
                        what_next = f"It is not sent again; the report is {places}, and the next one goes without it."
                    case _:
                        box.not_taken(receiver, own, problem, was_handed=receiver in parcel.handed)
                        what_next = "The report is kept, and joined to the next one."
                self._problems.append(msgspec.structs.replace(problem, remedy=f"{problem.remedy} {what_next}"))

    def _handing(self, parcel: _Parcel, receivers: Iterable[str]) -> None:
        """Save that these receivers may get the letter, before it can reach them."""
        with self._keeper.changing() as box:
            name = next(iter(parcel.receivers.values())).name
            for receiver in set(receivers) - parcel.handed:
                parcel.handed.add(receiver)
                parcel.receivers[receiver].name = name
                box.handing(receiver, parcel.receivers[receiver])


def _without_secrets(problem: Problem, redact: Callable[[str], str]) -> Problem:
    return msgspec.structs.replace(
        problem, what=redact(problem.what), remedy=redact(problem.remedy), source=redact(problem.source)
    )
