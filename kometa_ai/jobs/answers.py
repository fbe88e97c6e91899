"""Take a person's answers to the review: they become pins and dismissals, each once, and can be taken back.

An answer waits for nothing but the lock of the choices, which is held for moments: a run that is on reads them again
before it plans tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from kometa_ai.core.choice import ANSWERS_KEPT, Answered, Choices, Dismissal, Pin, Reply, ReviewKind, Said
from kometa_ai.core.decision import ROUNDING
from kometa_ai.core.item import ItemKey
from kometa_ai.core.naming import Slug
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.review import Card, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.choice import Pair
    from kometa_ai.state.choices import ChoicesFile


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of a pair, the id by which it counts once, and what the person saw of the verdict."""

    id: str
    key: ItemKey
    slug: Slug
    reply: Reply
    seen: Seen
    by: str = ""

    @property
    def pair(self) -> Pair:
        """What the answer is about."""
        return self.key, self.slug


class Now(NamedTuple):
    """A pair as it stands: what a person would see of it, and what a choice about it says besides."""

    seen: Seen
    kind: ReviewKind
    title: str
    imdb_id: str = ""
    said: Said | None = None


class Taken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has become of an answer: it was kept, or the pair had changed since the person saw it.

    `card` is the pair as it wants a person now, if it does.
    """

    id: str
    result: Literal["kept", "changed"]
    card: Card | None = None


_IN_GROUP = "~"
"""Stands in the id of each answer of a group between the group's own id and the answer's number in it."""


def group_of(answer_id: str) -> str:
    """The group that an answer was given in: it is taken back as a whole. One that was given alone is its own group."""
    return answer_id.partition(_IN_GROUP)[0]


def id_in(group: str, number: int) -> str:
    """The id of an answer that is given in a group."""
    return f"{group}{_IN_GROUP}{number}"


class Overtaken(FixUsage):
    """An answer that cannot be taken back, since there was another choice about its pair after it."""


def take_answers(file: ChoicesFile, answers: Sequence[Answer], now: Mapping[Pair, Now], at: datetime) -> list[Taken]:
    """Keep answers as choices, in their order; `now` are their pairs as they stand, without those that there are not.

    An answer whose id was taken before is kept already, and changes nothing. One that was given to something else than
    what is now is refused. Raise FixUsage for an id that another answer has, and RepairState where nothing can be kept;
    then none of them was.
    """
    taken: list[Taken] = []

    def change(choices: Choices) -> Choices:
        making = _Making(choices, at)
        taken[:] = [making.take(answer, now.get(answer.pair)) for answer in answers]
        return making.choices()

    file.change(change)
    return taken


def take_back(file: ChoicesFile, answer_id: str) -> Answered | None:
    """Restore what had been chosen before an answer, and return it; None where no such answer is known.

    Raise Overtaken where another choice about its pair was made after it.
    """
    found = _restored(file, lambda each: each.id == answer_id)
    return found[0] if found else None


def take_back_group(file: ChoicesFile, group: str) -> Sequence[Answered]:
    """The same for all answers of a group, the latest first; none where no such group is known.

    Raise Overtaken where another choice about one of the pairs was made after it; then none is taken back.
    """
    return _restored(file, lambda each: group_of(each.id) == group)


def _restored(file: ChoicesFile, is_meant: Callable[[Answered], bool]) -> list[Answered]:
    found: list[Answered] = []

    def change(choices: Choices) -> Choices:
        found[:] = [each for each in reversed(choices.answers) if is_meant(each)]
        if not found:
            return choices
        making = _Making(choices, found[0].at)
        for each in found:
            making.restore(each)
        return making.choices()

    file.change(change)
    return found


class _Making:
    """Makes new choices of old ones, answer by answer."""

    def __init__(self, choices: Choices, at: datetime) -> None:
        self._at = at
        self._pins = {each.pair: each for each in choices.pins}
        self._dismissals = {each.pair: each for each in choices.dismissals}
        self._answers = {each.id: each for each in choices.answers}

    def choices(self) -> Choices:
        return Choices(
            pins=tuple(self._pins.values()),
            dismissals=tuple(self._dismissals.values()),
            answers=tuple(self._answers.values())[-ANSWERS_KEPT:],
        )

    def take(self, answer: Answer, now: Now | None) -> Taken:
        known = self._answers.get(answer.id)
        if known is not None:
            if (known.pair, known.reply) != (answer.pair, answer.reply):
                raise FixUsage(f"The id {answer.id!r} belongs to another answer.", "Give each answer an id of its own.")
            return Taken(id=answer.id, result="kept")
        if now is None or not _is_same(answer.seen, now.seen):
            return Taken(id=answer.id, result="changed")
        pair = answer.pair
        self._answers[answer.id] = Answered(
            id=answer.id,
            key=answer.key,
            slug=answer.slug,
            reply=answer.reply,
            at=self._at,
            pin=self._pins.pop(pair, None),
            dismissal=self._dismissals.pop(pair, None),
        )
        if answer.reply == "leave":
            self._dismissals[pair] = Dismissal(
                key=answer.key,
                slug=answer.slug,
                kind=now.kind,
                metadata_hash=now.seen.metadata_hash,
                prompt_hash=now.seen.prompt_hash,
                at=self._at,
                by=answer.by,
            )
        else:
            self._pins[pair] = Pin(
                key=answer.key,
                slug=answer.slug,
                include=answer.reply == "in",
                title=now.title,
                imdb_id=now.imdb_id,
                since=self._at,
                origin="review",
                by=answer.by,
                said=now.said,
            )
        return Taken(id=answer.id, result="kept")

    def restore(self, answered: Answered) -> None:
        pair = answered.pair
        pin, dismissal = self._pins.pop(pair, None), self._dismissals.pop(pair, None)
        latest = [each for each in self._answers.values() if each.pair == pair][-1]
        if latest != answered or not _is_of(answered, pin, dismissal):
            raise Overtaken(
                "This answer cannot be taken back: another choice about the same pair was made after it.",
                "Take the later one back first, or change the pin itself.",
            )
        del self._answers[answered.id]
        if answered.pin is not None:
            self._pins[pair] = answered.pin
        if answered.dismissal is not None:
            self._dismissals[pair] = answered.dismissal


def _is_of(answered: Answered, pin: Pin | None, dismissal: Dismissal | None) -> bool:
    """Whether what is chosen of a pair is what an answer has made. Moments are told apart by the second only."""
    if answered.reply == "leave":
        return pin is None and dismissal is not None and dismissal.at == answered.at
    if pin is None or (pin.since, pin.origin) != (answered.at, "review"):
        return False
    return pin.include is (answered.reply == "in")


def _is_same(seen: Seen, now: Seen) -> bool:
    """Whether a person saw what is now. Confidences have passed through JSON, and may be written in another way."""
    if (seen.prompt_hash, seen.metadata_hash) != (now.prompt_hash, now.metadata_hash):
        return False
    if seen.confidence is None or now.confidence is None:
        return seen.confidence is now.confidence
    return abs(seen.confidence - now.confidence) <= ROUNDING
