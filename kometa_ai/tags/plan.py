"""Plan tag changes from memberships and the tags that movies have, within the safety brake. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from kometa_ai.core.changes import Change, TagPlan
from kometa_ai.core.item import ItemKey, Kind
from kometa_ai.core.movie import Movie
from kometa_ai.core.show import Show
from kometa_ai.judging.policy import Membership

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey, Label

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
) -> TagPlan:
    """Compare memberships with the tags that the movies of a library have now.

    Only labels of the given collections are considered. Movies that are undecided, or were not in the library when it
    was judged, keep their tags. When a brake holds, none of a collection's removals (or additions) is made: a part of
    them each night would empty (or fill) it all the same. Additions that a user has `chosen` do not count.

    A collection that is for other libraries has no members in this one.
    """
    changes: list[Change] = []
    held_back: list[Change] = []
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
            if is_tagged:
                removed.append(_change(movie, collection, library, "remove"))
            else:
                added.append(_change(movie, collection, library, "add"))
        picked = chosen.get(collection.key, frozenset())
        weighed = [change for change in added if change.movie.key not in picked]
        changes += [change for change in added if change.movie.key in picked]
        (held_back if additions.holds(collection.key, len(weighed), members) else changes).extend(weighed)
        (held_back if brake.holds(collection.key, len(removed), members) else changes).extend(removed)
    return TagPlan(changes=tuple(changes), held_back=tuple(held_back))


def _change(movie: AnyItem, collection: Collection, library: str, operation: Literal["add", "remove"]) -> Change:
    return Change(
        movie=movie,
        slug=collection.slug,
        collection_name=collection.name,
        label=collection.label,
        library=library,
        operation=operation,
    )


class Edit(NamedTuple):
    """Changes that one call of the editor can make: the same labels added to, or removed from, the same movies."""

    operation: Literal["add", "remove"]
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
    operations: tuple[Literal["add", "remove"], ...] = ("add", "remove")
    for operation in operations:
        wanted = [change for change in changes if change.operation == operation]
        by_label, by_labels = _by_label(operation, wanted, size), _by_labels(operation, wanted, size)
        edits += by_label if len(by_label) <= len(by_labels) else by_labels
    return edits


def _by_label(operation: Literal["add", "remove"], changes: Sequence[Change], size: int) -> list[Edit]:
    groups: dict[Label, list[Change]] = {}
    for change in changes:
        groups.setdefault(change.label, []).append(change)
    return [
        Edit(operation, (label,), tuple(members[start : start + size]))
        for label, members in groups.items()
        for start in range(0, len(members), size)
    ]


def _by_labels(operation: Literal["add", "remove"], changes: Sequence[Change], size: int) -> list[Edit]:
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
