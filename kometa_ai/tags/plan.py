"""Plan tag changes from memberships and the tags that movies have, within the safety brake. Pure.

Why: docs/decisions/0007-removal-brake.md
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.changes import Change, TagPlan, Waiting
from kometa_ai.core.item import ItemKey, Kind
from kometa_ai.core.movie import Movie
from kometa_ai.core.show import Show
from kometa_ai.judging.looks import is_close_call
from kometa_ai.judging.policy import Gates, Membership

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime, timedelta

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Decision
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey, Label, Slug
    from kometa_ai.library.port import Operation

FEW_REMOVALS = 5
FEW_ADDITIONS = 20
"""Up to this many changes of one collection never trip its brake."""
NO_REMOVAL_LIMIT = 100
NO_ADDITION_LIMIT = 1_000_000


class Brake(NamedTuple):
    """How many of a collection's members one run may remove, or add to them, while its block is unchanged.

    `percent` may be `no_limit`. `released` names the collections that the brake does not hold: the user edited their
    blocks. `tight` names those whose changes were held back before: there it holds any change, so that a part of them
    cannot pass on its own. A collection without members is not protected.
    """

    percent: int
    released: AbstractSet[CollectionKey]
    tight: AbstractSet[CollectionKey] = frozenset()
    few: int = FEW_REMOVALS
    no_limit: int = NO_REMOVAL_LIMIT

    def holds(self, collection: CollectionKey, changes: int, members: int) -> bool:
        """Whether this many changes are too many for this many members."""
        if collection in self.released or self.percent == self.no_limit or not members:
            return False
        if collection in self.tight:
            return True
        if changes <= self.few:
            return False
        return changes * 100 > members * self.percent


class Review(NamedTuple):
    """Which changes wait for a person, and how long (`REVIEW`, `REVIEW_DAYS`): those that a close call decides.

    The time counts from the verdict, so that a verdict which is asked for again starts it anew, and a run that asks
    nothing does not. When it is over the change is made, without a pin: no person has chosen. A pin ends the waiting.

    What a pin or a tag rule decides never waits. Neither do additions to collections that are `building`: there is
    nothing yet that they could spoil. An edited block and `--allow-removals` lift the brake and nothing else: a close
    call is as close after an edit as before it.
    """

    operations: AbstractSet[Operation]
    length: timedelta
    now: datetime
    decision_of: Callable[[ItemKey, Slug], Decision | None]
    gates: Mapping[CollectionKey, Gates]
    building: AbstractSet[CollectionKey] = frozenset()

    def divide(self, changes: Iterable[Change], threshold: float) -> tuple[list[Waiting], list[Change]]:
        """The changes of a collection that wait, and those that are to be made now."""
        found = [(change, self._waiting(change, threshold)) for change in changes]
        return [waits for _, waits in found if waits], [change for change, waits in found if not waits]

    def _waiting(self, change: Change, threshold: float) -> Waiting | None:
        if change.operation not in self.operations:
            return None
        if change.operation == "add" and change.collection in self.building:
            return None
        key, gates = change.movie.key, self.gates.get(change.collection, _UNGATED)
        if key in gates.causes or (gates.scope is not None and key not in gates.scope):
            return None
        decision = self.decision_of(key, change.slug)
        if decision is None or not is_close_call(decision, threshold):
            return None
        until = decision.timestamp + self.length
        return Waiting(change, decision.timestamp, until) if self.now < until else None


_UNGATED = Gates()
NO_MEMBERS = Membership(members=frozenset(), undecided=frozenset())
NO_BRAKE = Brake(NO_ADDITION_LIMIT, frozenset(), few=FEW_ADDITIONS, no_limit=NO_ADDITION_LIMIT)


def plan_tags(
    collections: Sequence[Collection],
    memberships: Mapping[CollectionKey, Membership],
    movies: Sequence[AnyItem],
    judged: AbstractSet[ItemKey],
    brake: Brake,
    *,
    additions: Brake = NO_BRAKE,
    chosen: Mapping[CollectionKey, AbstractSet[ItemKey]] = MappingProxyType({}),
    library: str = "radarr",
    review: Review | None = None,
) -> TagPlan:
    """Compare memberships with the tags that the movies of a library have now.

    Only labels of the given collections are considered. Movies that are undecided, or were not in the library when it
    was judged, keep their tags. When a brake holds, none of a collection's removals (or additions) is made: a part of
    them each night would empty (or fill) it all the same. Additions that a user has `chosen` do not count.

    What waits for a `review` counts for the brakes, too: they see all that is wanted, and hold everything or nothing.

    A collection that is for other libraries has no members in this one.
    """
    changes: list[Change] = []
    held_back: list[Change] = []
    in_review: list[Waiting] = []
    # By type, since looking at each key again for each collection takes half as long again as all the rest.
    of_kind: dict[Kind, Sequence[AnyItem]] = {
        "movie": [item for item in movies if isinstance(item, Movie)],
        "show": [item for item in movies if isinstance(item, Show)],
    }
    for collection in collections:
        is_for = collection.is_for(collection.kind, library)
        label, membership = collection.label, memberships[collection.key] if is_for else NO_MEMBERS
        belonging, undecided = membership.members, membership.undecided
        added: list[Change] = []
        removed: list[Change] = []
        members = 0
        for movie in of_kind[collection.kind]:
            is_tagged = label in movie.labels
            members += is_tagged
            key = movie.key
            if is_tagged is (key in belonging) or key in undecided or key not in judged:
                continue
            (removed if is_tagged else added).append(_change(movie, collection, library, tagged=is_tagged))
        picked = chosen.get(collection.key, frozenset())
        weighed = [change for change in added if change.movie.key not in picked]
        changes += [change for change in added if change.movie.key in picked]
        for wanted, weighing in ((weighed, additions), (removed, brake)):
            if weighing.holds(collection.key, len(wanted), members):
                held_back += wanted
            elif review is None or not is_for:
                changes += wanted
            else:
                waiting, at_once = review.divide(wanted, collection.confidence_threshold)
                in_review += waiting
                changes += at_once
    return TagPlan(changes=tuple(changes), held_back=tuple(held_back), in_review=tuple(in_review))


def _change(movie: AnyItem, collection: Collection, library: str, *, tagged: bool) -> Change:
    return Change(
        movie=movie,
        slug=collection.slug,
        collection_name=collection.name,
        label=collection.label,
        library=library,
        operation="remove" if tagged else "add",
    )


class Edit(NamedTuple):
    """Changes that one call of the editor can make: the same labels added to, or removed from, the same movies."""

    operation: Operation
    labels: tuple[Label, ...]
    changes: tuple[Change, ...]

    @property
    def movies(self) -> tuple[AnyItem, ...]:
        """Each movie once."""
        return tuple({change.movie.key: change.movie for change in self.changes}.values())


def group(changes: Iterable[Change], size: int) -> list[Edit]:
    """Group changes into as few calls as possible without touching a pair that does not change; additions first.

    They are grouped by label, or by the set of labels that a movie needs, whichever takes fewer calls: the second does
    when few movies change in many collections.
    """
    changes = tuple(changes)
    edits: list[Edit] = []
    operations: tuple[Operation, ...] = ("add", "remove")
    for operation in operations:
        wanted = [change for change in changes if change.operation == operation]
        by_label, by_labels = _by_label(operation, wanted, size), _by_labels(operation, wanted, size)
        edits += by_label if len(by_label) <= len(by_labels) else by_labels
    return edits


def _by_label(operation: Operation, changes: Sequence[Change], size: int) -> list[Edit]:
    groups: dict[Label, list[Change]] = {}
    for change in changes:
        groups.setdefault(change.label, []).append(change)
    return [
        Edit(operation, (label,), tuple(members[start : start + size]))
        for label, members in groups.items()
        for start in range(0, len(members), size)
    ]


def _by_labels(operation: Operation, changes: Sequence[Change], size: int) -> list[Edit]:
    movies: dict[ItemKey, list[Change]] = {}
    for change in changes:
        movies.setdefault(change.movie.key, []).append(change)
    groups: dict[tuple[Label, ...], list[list[Change]]] = {}
    for of_movie in movies.values():
        groups.setdefault(tuple(sorted(change.label for change in of_movie)), []).append(of_movie)
    return [
        Edit(operation, labels, tuple(change for of_movie in members[start : start + size] for change in of_movie))
        for labels, members in groups.items()
        for start in range(0, len(members), size)
    ]
