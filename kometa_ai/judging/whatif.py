"""Tell who would be in a collection at another threshold, and what follows for collections that name its tag. Pure.

Both sides, as it is and as it would be, are decided by the functions of a run (`judging/stages.py`), from what is
remembered. A run at the other threshold asks what is open in any case, second looks that are due at it, and about items
that a rule of a follower decided so far and no longer does. The outcome of questions is not foreseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.core.decision import Reason
from kometa_ai.core.item import kind_of
from kometa_ai.judging.mutual import managed_tag, named_tags, with_named
from kometa_ai.judging.planning import may_turn
from kometa_ai.judging.policy import members_as_seen
from kometa_ai.judging.stages import Known, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.judging.planning import Questions
    from kometa_ai.judging.policy import Gates, Membership

STEPS = 21
"""Confidences come in steps of 0.05, from 0 to 1."""


class Step(msgspec.Struct, frozen=True):
    """How many verdicts have this confidence: those that say "belongs", and the others, which let nothing in."""

    confidence: float
    included: int
    others: int


class Decided(NamedTuple):
    """What follows from what is remembered: the collections with their rules, open questions, gates, memberships."""

    collections: tuple[Collection, ...]
    questions: Questions
    gates: Mapping[CollectionKey, Gates]
    memberships: Mapping[CollectionKey, Membership]


class Moved(NamedTuple):
    """The items that come into a collection and leave it."""

    enter: frozenset[ItemKey]
    leave: frozenset[ItemKey]


class Comparison(NamedTuple):
    """A collection's members at the threshold that it has, and at another one.

    `moved` are the changes of this collection and of those whose rules name its tag, by key; without those that stay.
    """

    now: Decided
    then: Decided
    moved: Mapping[CollectionKey, Moved]


def compare(
    collection: Collection,
    threshold: float,
    chosen: Sequence[Collection],
    everything: Sequence[Collection],
    known: Known,
) -> Comparison:
    """Decide a collection at its threshold and at another one, with all that a change of its members changes.

    `chosen` are the collections that a run would be about, `everything` all that take part, in order of priority.
    """
    other = msgspec.structs.replace(collection, confidence_threshold=threshold)
    about = touched_by(collection, everything)
    mine = [each for each in chosen if each.key in about]
    now = _decided(mine, everything, known)
    if threshold == collection.confidence_threshold:
        return Comparison(now, now, {})
    then = _decided(_with(other, mine), _with(other, everything), known)
    items = {item.key: item for item in known.movies}
    moved = {}
    for each in mine:
        before = members_as_seen(each, now.memberships[each.key], items)
        after = members_as_seen(each, then.memberships[each.key], items)
        if before != after:
            moved[each.key] = Moved(after - before, before - after)
    return Comparison(now, then, moved)


def touched_by(collection: Collection, everything: Sequence[Collection]) -> frozenset[CollectionKey]:
    """The collections that a change of this one's members may change, and all whose tags the rules of these name."""
    return frozenset(each.key for each in with_named(with_followers(collection, everything), everything))


def with_followers(collection: Collection, everything: Iterable[Collection]) -> tuple[Collection, ...]:
    """The collection, and all whose rules name its tag, directly or not."""
    found = {managed_tag(collection): collection}
    waiting = [each for each in everything if each.key != collection.key]
    while following := [each for each in waiting if named_tags(each) & found.keys()]:
        found |= {managed_tag(each): each for each in following}
        waiting = [each for each in waiting if managed_tag(each) not in found]
    return tuple(found.values())


def _with(other: Collection, collections: Iterable[Collection]) -> tuple[Collection, ...]:
    return tuple(other if each.key == other.key else each for each in collections)


def _decided(chosen: Sequence[Collection], everything: Sequence[Collection], known: Known) -> Decided:
    questions: Questions = {}
    gates: dict[CollectionKey, Gates] = {}
    memberships: dict[CollectionKey, Membership] = {}
    for stage in walk(chosen, everything, known):
        asked = stage.questions()
        settled = stage.decide(asked)
        questions |= asked
        gates |= stage.gates
        memberships |= settled.memberships
    return Decided(tuple(chosen), questions, gates, memberships)


def second_looks(questions: Mapping[ItemKey, Reason]) -> int:
    """How many of a collection's open questions are second looks: the first verdict counts until they are answered."""
    return sum(reason is Reason.SECOND_LOOK for reason in questions.values())


def opened(collection: Collection, compared: Comparison) -> frozenset[ItemKey]:
    """The items that a run asks about for a collection at the other threshold alone."""
    now, then = (each.questions.get(collection.key, {}) for each in (compared.now, compared.then))
    return may_turn(then) - may_turn(now)


def verdicts_that_count(collection: Collection, decided: Decided, known: Known) -> Iterable[tuple[bool, float]]:
    """Include and confidence of each verdict that decides now, where no pin or tag does and no question is open."""
    gates, membership = decided.gates[collection.key], decided.memberships[collection.key]
    for key in known.subjects:
        if key in gates.causes or key in membership.undecided or (gates.scope is not None and key not in gates.scope):
            continue
        remembered = known.memory.get(key)
        decision = remembered.collections.get(collection.slug) if remembered else None
        if decision is not None and collection.kind == kind_of(key):
            yield decision.include, decision.confidence


def histogram(verdicts: Iterable[tuple[bool, float]]) -> tuple[Step, ...]:
    """Count verdicts (include, confidence) by their confidence, each at the nearest of the 21 steps."""
    included, others = [0] * STEPS, [0] * STEPS
    for include, confidence in verdicts:
        at = min(max(round(confidence * (STEPS - 1)), 0), STEPS - 1)
        (included if include else others)[at] += 1
    return tuple(Step(at / (STEPS - 1), included[at], others[at]) for at in range(STEPS))
