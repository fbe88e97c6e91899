"""Keep the members of collections already decided, so that rules such as `include_tags: [kai-noir]` see them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.core.decision import Cause
from kometa_ai.core.item import KINDS, ItemKey, Kind
from kometa_ai.core.naming import Label
from kometa_ai.judging.policy import Membership, members_as_seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import Item, ItemKey
    from kometa_ai.core.naming import CollectionKey, Label
    from kometa_ai.judging.policy import Gates


Managed = tuple[Kind, Label]
"""A managed tag: a collection of films and one of shows may have the same label."""


def managed_tag(collection: Collection) -> Managed:
    """The tag that is kept on the collection's members."""
    return collection.kind, collection.label


def named_tags(collection: Collection) -> frozenset[Managed]:
    """The tags in the collection's rules, as if all were managed: a rule means collections of the same kind."""
    return frozenset((collection.kind, label) for label in collection.include_tags | collection.exclude_tags)


def with_named(chosen: Sequence[Collection], everything: Sequence[Collection]) -> tuple[Collection, ...]:
    """The chosen collections and all whose labels their rules name, directly or not, in the order of `everything`.

    A run of everything decides the named ones, too; a run for some collections must judge by the same members.
    """
    by_tag = {managed_tag(collection): collection for collection in (*everything, *chosen)}
    found: set[Managed] = set()
    waiting = [managed_tag(collection) for collection in chosen]
    while waiting:
        tag = waiting.pop()
        if tag not in found:
            found.add(tag)
            waiting += named_tags(by_tag[tag]) & by_tag.keys()
    return tuple(collection for tag, collection in by_tag.items() if tag in found)


class Mutual:
    """The members of the collections decided so far. `decided` maps labels to members by kind, as `gates` expects them.

    Collections that the run is not about are decided from the remembered decisions. While a question about one of
    their movies is open, its answer may still change their members. A chosen collection leaves such movies as they are
    where its outcome depends on that answer; `left_alone` holds them.
    """

    def __init__(self, collections: Iterable[Collection], movies: Iterable[Item]) -> None:
        self.decided: dict[Kind, dict[Label, frozenset[ItemKey]]] = {kind: {} for kind in KINDS}
        for collection in collections:
            self.decided[collection.kind][collection.label] = frozenset()
        self.left_alone: dict[CollectionKey, frozenset[ItemKey]] = {}
        self._movies = {movie.key: movie for movie in movies}
        self._unsure: dict[Managed, frozenset[ItemKey]] = {}

    def settle(
        self,
        collection: Collection,
        membership: Membership,
        gates: Gates,
        unasked: AbstractSet[ItemKey] = frozenset(),
    ) -> Membership:
        """Store a collection's members for later collections, and return them. `unasked` are open questions."""
        through_include = self._unsure_through(collection.kind, collection.include_tags)
        through_exclude = self._unsure_through(collection.kind, collection.exclude_tags)
        alone = frozenset(
            movie
            for movie in through_include | through_exclude
            if (gates.scope is None or movie in gates.scope)
            and _depends(
                gates.causes.get(movie),
                is_member=movie in membership.members,
                on_include=movie in through_include,
                on_exclude=movie in through_exclude,
            )
        )
        if alone:
            self.left_alone[collection.key] = alone
            membership = Membership(members=membership.members - alone, undecided=membership.undecided | alone)
        self._unsure[managed_tag(collection)] = alone | unasked
        self.decided[collection.kind][collection.label] = members_as_seen(collection, membership, self._movies)
        return membership

    def _unsure_through(self, kind: Kind, labels: AbstractSet[Label]) -> frozenset[ItemKey]:
        return frozenset().union(*(self._unsure.get((kind, label), frozenset()) for label in labels))


def _depends(cause: Cause | None, *, is_member: bool, on_include: bool, on_exclude: bool) -> bool:
    """Whether the outcome for a movie depends on a tag that it may or may not get."""
    if cause in (Cause.PINNED_IN, Cause.PINNED_OUT) or (cause is Cause.EXCLUDE_TAG and not on_exclude):
        return False
    if cause is not None:
        return True
    return on_exclude if is_member else on_include
