"""Make decisions from verdicts, and find out who is in a collection. Pure.

Order of precedence: a user's pin, then an exclude tag, then an include tag, then the stored verdict.
A pin on both sides keeps the movie out. Without a verdict a movie stays as it is.

Why: docs/decisions/0005-no-flapping.md
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import keys_of
from kometa_ai.core.decision import ROUNDING, Cause, Decision, Verdict, reaches
from kometa_ai.core.item import KINDS, Item, ItemKey, kind_of
from kometa_ai.core.naming import CollectionKey, Label
from kometa_ai.judging.looks import needs_second_look

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from kometa_ai.core.choice import Pin
    from kometa_ai.core.collection import Collection, ItemRef
    from kometa_ai.core.decision import Memory


_MARGIN = 0.1
"""A verdict must be this far beyond the threshold to flip a standing membership."""


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """The movies of one collection that need no verdict, each with the cause.

    `scope` are the movies that the collection is about, where that is not every one of its kind. `chosen` are the pins
    that decide, but for those of the block.
    """

    causes: Mapping[ItemKey, Cause] = {}
    chosen: Mapping[ItemKey, Pin] = {}
    scope: frozenset[ItemKey] | None = None
    unknown_pins: tuple[ItemRef, ...] = ()

    @property
    def members(self) -> frozenset[ItemKey]:
        """The gated movies that are in."""
        return frozenset(movie for movie, cause in self.causes.items() if is_in(cause))

    @property
    def pinned_in(self) -> frozenset[ItemKey]:
        """The movies that a pin puts in."""
        return frozenset(movie for movie, cause in self.causes.items() if cause is Cause.PINNED_IN)


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """The members of one collection now. Movies in neither set are out; `undecided` ones stay as they are."""

    members: frozenset[ItemKey]
    undecided: frozenset[ItemKey]


def is_in(cause: Cause) -> bool:
    """Whether a gate with this cause lets the movie in."""
    return cause in {Cause.PINNED_IN, Cause.INCLUDE_TAG}


def gates(
    collection: Collection,
    movies: Sequence[Item],
    decided: Mapping[Label, frozenset[ItemKey]],
    pins: Iterable[Pin] = (),
) -> Gates:
    """Find the movies of a collection that a pin or a tag decides.

    `decided` maps the labels of collections of that kind already decided in this run to their members; all other labels
    are those that movies have in a library. `unknown_pins` are pins of the block that name no movie of the library.
    """
    causes: dict[ItemKey, Cause] = {}
    chosen: dict[ItemKey, Pin] = {}
    pinned = {pin.key: pin for pin in pins if pin.slug == collection.slug and kind_of(pin.key) == collection.kind}
    rules = (collection.include_tags, collection.exclude_tags, collection.pins_in, collection.pins_out)
    scope = frozenset(movie.key for movie in movies if collection.concerns(movie)) if collection.libraries else None
    if not any(rules) and not pinned:
        return Gates(scope=scope)
    include = _TagRule(collection.include_tags, decided)
    exclude = _TagRule(collection.exclude_tags, decided)
    refs_in, refs_out = _RefIndex(collection.pins_in), _RefIndex(collection.pins_out)
    for movie in movies:
        if not collection.concerns(movie):
            continue
        pinned_in = refs_in.names(movie)
        if refs_out.names(movie):
            causes[movie.key] = Cause.PINNED_OUT
        elif pinned_in:
            causes[movie.key] = Cause.PINNED_IN
        elif (choice := pinned.get(movie.key)) is not None:
            causes[movie.key] = Cause.PINNED_IN if choice.include else Cause.PINNED_OUT
            chosen[movie.key] = choice
        elif exclude.applies(movie):
            causes[movie.key] = Cause.EXCLUDE_TAG
        elif include.applies(movie):
            causes[movie.key] = Cause.INCLUDE_TAG
    return Gates(causes=causes, chosen=chosen, scope=scope, unknown_pins=(*refs_in.unused(), *refs_out.unused()))


def tags_that_decide(
    collection: Collection, movie: Item, cause: Cause | None, decided: Mapping[Label, frozenset[ItemKey]]
) -> tuple[Label, ...]:
    """The labels that let a movie in or keep it out, in order; none if no tag decides. `decided` is as for `gates`."""
    match cause:
        case Cause.EXCLUDE_TAG:
            rule = collection.exclude_tags
        case Cause.INCLUDE_TAG:
            rule = collection.include_tags
        case _:
            return ()
    return tuple(label for label in sorted(rule) if _TagRule(frozenset({label}), decided).applies(movie))


class _TagRule:
    """Whether a movie has one of some labels; a decided collection's label stands for its members."""

    def __init__(self, labels: frozenset[Label], decided: Mapping[Label, frozenset[ItemKey]]) -> None:
        self._plain = labels - decided.keys()
        self._members: frozenset[ItemKey] = frozenset().union(*(decided[label] for label in labels & decided.keys()))

    def applies(self, movie: Item) -> bool:
        return not self._plain.isdisjoint(movie.labels) or movie.key in self._members


class _RefIndex:
    """Indexes pins by id, IMDb id or title, so that the library is walked once and not once for each pin."""

    def __init__(self, refs: tuple[ItemRef, ...]) -> None:
        self._refs = refs
        self._keys = {ref.key for ref in refs}
        self._seen: set[object] = set()

    def names(self, movie: Item) -> bool:
        if not self._keys:
            return False
        found = self._keys.intersection(keys_of(movie))
        self._seen |= found
        return bool(found)

    def unused(self) -> tuple[ItemRef, ...]:
        return tuple(ref for ref in self._refs if ref.key not in self._seen)


def settle(
    verdict: Verdict,
    previous: Decision | None,
    collection: Collection,
    *,
    second_look: bool,
    metadata_hash: str,
    model: str,
    now: datetime,
    request: str = "",
) -> Decision:
    """Make the decision that follows from a verdict.

    The first verdict, or the first after a changed prompt, counts as it is. Otherwise (changed data, or a forced
    question) a standing membership flips only if the confidence is 0.1 or more beyond the threshold. A verdict near
    the threshold is due for one second look, whose outcome is final; until then a standing membership stays.
    """
    threshold = collection.confidence_threshold
    due = not second_look and needs_second_look(verdict, threshold)
    standing = _standing(previous, collection, second_look=second_look)
    member = is_for_it(verdict, threshold)
    if standing is not None and (due or not _is_decisive(verdict, threshold)):
        member = standing
    first, first_include = _first_look(previous, collection) if second_look else (None, True)
    return Decision(
        tag=collection.tag,
        include=verdict.include,
        confidence=verdict.confidence,
        timestamp=now.astimezone(UTC),
        member=member,
        threshold=threshold,
        metadata_hash=metadata_hash,
        prompt_hash=collection.prompt_hash,
        model=model,
        reasoning=verdict.reason,
        second_look="done" if second_look else "due" if due else "none",
        standing=standing if due else None,
        request=request,
        first=first,
        first_include=first_include,
    )


def _first_look(previous: Decision | None, collection: Collection) -> tuple[float | None, bool]:
    """The confidence of the first look that a second one follows, and whether it said that the movie belongs."""
    if previous is None or previous.prompt_hash != collection.prompt_hash:
        return None, True
    if previous.second_look == "done":
        # Two verdicts of one second look: the first look is the one before both.
        return previous.first, previous.first_include
    return previous.confidence, previous.include


def _standing(previous: Decision | None, collection: Collection, *, second_look: bool) -> bool | None:
    """The membership that hysteresis protects, or None if the new verdict counts as it is."""
    if previous is None or previous.prompt_hash != collection.prompt_hash:
        return None
    if second_look and previous.standing is None:
        # The first look gave the first verdict on these inputs; the second one may correct it freely.
        return None
    return is_member(previous, collection)


def _is_decisive(verdict: Verdict, threshold: float) -> bool:
    return not verdict.listed or is_beyond(verdict.confidence, threshold)


def is_for_it(verdict: Verdict, threshold: float) -> bool:
    """Whether a verdict by itself, without any membership to protect, lets its movie in."""
    return verdict.include and reaches(verdict.confidence, threshold)


def is_beyond(confidence: float, threshold: float) -> bool:
    """Whether a confidence is 0.1 or more away from the threshold, on either side.

    For a threshold closer than that to 0 or 1, the end of the scale counts as beyond: else no verdict could flip a
    membership there.
    """
    return (
        confidence >= min(1.0, threshold + _MARGIN) - ROUNDING or confidence <= max(0.0, threshold - _MARGIN) + ROUNDING
    )


def is_member(decision: Decision, collection: Collection) -> bool:
    """Whether a stored decision makes its movie a member; a changed threshold is applied to the stored confidence."""
    if decision.threshold == collection.confidence_threshold:
        return decision.member
    return decision.include and reaches(decision.confidence, collection.confidence_threshold)


def pick(one: Verdict, other: Verdict, *, standing: bool) -> Verdict:
    """Choose between two verdicts of one look on a pair: the higher confidence, on a tie the standing one."""
    if one.confidence != other.confidence:
        return max(one, other, key=lambda verdict: verdict.confidence)
    return one if one.include is standing else other


def members_as_seen(
    collection: Collection, membership: Membership, movies: Mapping[ItemKey, Item]
) -> frozenset[ItemKey]:
    """A collection's members as other collections see them: an undecided movie is one if it has the tag."""
    label = collection.label
    return membership.members | {key for key in membership.undecided if label in movies[key].labels}


def decide(
    stage: Sequence[Collection],
    movies: Iterable[ItemKey],
    memory: Memory,
    gated: Mapping[CollectionKey, Gates],
    unanswered: Mapping[CollectionKey, AbstractSet[ItemKey]],
) -> dict[CollectionKey, Membership]:
    """Find the members of each collection, from its gates and the stored decisions about the library's movies.

    No verdict means no change: movies with an `unanswered` question stay as they are, even if an older verdict exists.
    """
    sorting = [_Sorting(each, gated[each.key], unanswered.get(each.key, frozenset())) for each in stage]
    # Loop over movies outside and collections inside: the decisions of a movie lie together in memory, and the other
    # order takes seven times as long.
    of_kind = {
        kind: [(each, each.collection.slug) for each in sorting if each.collection.kind == kind] for kind in KINDS
    }
    for key in movies:
        known = memory.get(key)
        decisions = known.collections if known else {}
        for each, slug in of_kind[kind_of(key)]:
            decision = decisions.get(slug)
            # Nearly all pairs are out whatever the threshold is, and their calls would take most of the time.
            if decision is None or decision.include or decision.member or key in each.open_questions:
                each.sort(key, decision)
    return {each.collection.key: each.membership() for each in sorting}


class _Sorting:
    """Sorts movies into members of one collection and undecided ones."""

    def __init__(self, collection: Collection, gates: Gates, open_questions: AbstractSet[ItemKey]) -> None:
        self.collection = collection
        self.open_questions = open_questions
        self._scope = gates.scope
        self._causes = gates.causes
        self._members = set(gates.members)
        self._undecided: set[ItemKey] = set()

    def sort(self, key: ItemKey, decision: Decision | None) -> None:
        if key in self._causes:
            return
        if decision is None or key in self.open_questions:
            self._undecided.add(key)
        elif is_member(decision, self.collection):
            self._members.add(key)

    def membership(self) -> Membership:
        members, undecided, scope = frozenset(self._members), frozenset(self._undecided), self._scope
        if scope is None:
            return Membership(members=members, undecided=undecided)
        return Membership(members=members & scope, undecided=undecided & scope)
