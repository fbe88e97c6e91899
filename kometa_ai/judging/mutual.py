"""Keep the members of collections already decided, so that rules such as `include_tags: [kai-noir]` see them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.core.decision import Cause
from kometa_ai.judging.policy import Membership, members_as_seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.movie import Movie
    from kometa_ai.core.naming import Label, Slug
    from kometa_ai.judging.policy import Gates


def with_named(chosen: Sequence[Collection], everything: Sequence[Collection]) -> tuple[Collection, ...]:
    """The chosen collections and all whose labels their rules name, directly or not, in the order of `everything`.

    A run of everything decides the named ones, too; a run for some collections must judge by the same members.
    """
    by_label = {collection.label: collection for collection in (*everything, *chosen)}
    found: set[Label] = set()
    waiting = [collection.label for collection in chosen]
    while waiting:
        label = waiting.pop()
        if label not in found:
            found.add(label)
            rules = by_label[label].include_tags | by_label[label].exclude_tags
            waiting += rules & by_label.keys()
    return tuple(collection for label, collection in by_label.items() if label in found)


class Mutual:
    """The members of the collections decided so far. `decided` maps labels to members, as `gates` expects them.

    Collections that the run is not about are decided from the remembered decisions. While a question about one of
    their movies is open, its answer may still change their members. A chosen collection leaves such movies as they are
    where its outcome depends on that answer; `left_alone` holds them.
    """

    def __init__(self, collections: Iterable[Collection], movies: Iterable[Movie]) -> None:
        self.decided: dict[Label, frozenset[ItemKey]] = {collection.label: frozenset() for collection in collections}
        self.left_alone: dict[Slug, frozenset[ItemKey]] = {}
        self._movies = {movie.key: movie for movie in movies}
        self._unsure: dict[Label, frozenset[ItemKey]] = {}

    def settle(
        self,
        collection: Collection,
        membership: Membership,
        gates: Gates,
        unasked: AbstractSet[ItemKey] = frozenset(),
    ) -> Membership:
        """Store a collection's members for later collections, and return them. `unasked` are open questions."""
        through_include = self._unsure_through(collection.include_tags)
        through_exclude = self._unsure_through(collection.exclude_tags)
        alone = frozenset(
            movie
            for movie in through_include | through_exclude
            if _depends(
                gates.causes.get(movie),
                is_member=movie in membership.members,
                on_include=movie in through_include,
                on_exclude=movie in through_exclude,
            )
        )
        if alone:
            self.left_alone[collection.slug] = alone
            membership = Membership(members=membership.members - alone, undecided=membership.undecided | alone)
        self._unsure[collection.label] = alone | unasked
        self.decided[collection.label] = members_as_seen(collection, membership, self._movies)
        return membership

    def _unsure_through(self, labels: AbstractSet[Label]) -> frozenset[ItemKey]:
        return frozenset().union(*(self._unsure[label] for label in labels if label in self._unsure))


def _depends(cause: Cause | None, *, is_member: bool, on_include: bool, on_exclude: bool) -> bool:
    """Whether the outcome for a movie depends on a tag that it may or may not get."""
    if cause in (Cause.PINNED_IN, Cause.PINNED_OUT) or (cause is Cause.EXCLUDE_TAG and not on_exclude):
        return False
    if cause is not None:
        return True
    return on_exclude if is_member else on_include
