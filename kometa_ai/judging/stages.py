"""Put collections that name another's tag after it, and decide them in that order; also for estimates. Pure.

    for stage in walk(...):
        questions = stage.questions()        a run asks them in between
        settled = stage.decide(questions)    with the questions that are still open

A collection whose rules name the tag of another is in a later stage, and sees the members decided for that one.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.judging.mutual import Managed, Mutual, managed_tag, named_tags, with_named
from kometa_ai.judging.planning import Questions, may_turn, plan_questions, unanswered
from kometa_ai.judging.policy import Gates, Membership, decide, gates, tags_that_decide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from kometa_ai.core.choice import Pin
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Memory
    from kometa_ai.core.item import Item, ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey, Label
    from kometa_ai.judging.looks import Models
    from kometa_ai.judging.planning import Subject


class Known(NamedTuple):
    """What decisions are made from: the whole library, the subjects of it that are judged, and what is remembered.

    A run adds to `subjects` and `memory` while it walks.
    """

    movies: Sequence[AnyItem]
    subjects: Mapping[ItemKey, Subject]
    memory: Memory
    pins: Sequence[Pin]
    models: Models


class Settled(NamedTuple):
    """The memberships of the collections of a stage.

    `left_alone` are the movies of each that stay undecided because of an open question of another collection.
    """

    memberships: Mapping[CollectionKey, Membership]
    left_alone: Mapping[CollectionKey, AbstractSet[ItemKey]] = MappingProxyType({})


class Stage:
    """Collections that are decided together; the walk is about the `chosen` ones.

    The others are included because rules of chosen collections name their tags. They are decided from what is
    remembered.
    """

    def __init__(
        self, collections: Sequence[Collection], chosen: AbstractSet[CollectionKey], known: Known, mutual: Mutual
    ) -> None:
        self.collections = tuple(collections)
        self.chosen = tuple(collection for collection in collections if collection.key in chosen)
        self._others = tuple(collection for collection in collections if collection.key not in chosen)
        self._known = known
        self._mutual = mutual
        self._decided_before = {kind: dict(members) for kind, members in mutual.decided.items()}
        self.gates: Mapping[CollectionKey, Gates] = {
            each.key: gates(each, known.movies, mutual.decided[each.kind], known.pins) for each in collections
        }

    def questions(
        self, *, force: bool = False, again: AbstractSet[str] = frozenset(), since: datetime | None = None
    ) -> Questions:
        """The questions to ask about the chosen collections at this point; see `plan_questions`."""
        return self._plan(self.chosen, force=force, again=again, since=since)

    def deciding_tags(self, collection: Collection, movie: Item) -> tuple[Label, ...]:
        """The labels that let a movie in or keep it out; none if no tag decides."""
        cause = self.gates[collection.key].causes.get(movie.key)
        return tags_that_decide(collection, movie, cause, self._decided_before[collection.kind])

    def decide(self, open_questions: Questions) -> Settled:
        """Find the members, while these questions about the chosen collections are open.

        Call it once, before the walk goes on: later stages see the resulting members.
        """
        known, mutual = self._known, self._mutual
        of_others = self._plan(self._others)
        left = unanswered(open_questions | of_others)
        found = decide(self.collections, known.subjects, known.memory, self.gates, left)
        return Settled(
            {
                each.key: mutual.settle(
                    each, found[each.key], self.gates[each.key], may_turn(of_others.get(each.key, {}))
                )
                for each in self.collections
            },
            {each.key: mutual.left_alone[each.key] for each in self.collections if each.key in mutual.left_alone},
        )

    def _plan(
        self,
        collections: Sequence[Collection],
        *,
        force: bool = False,
        again: AbstractSet[str] = frozenset(),
        since: datetime | None = None,
    ) -> Questions:
        known = self._known
        return plan_questions(
            known.subjects, collections, known.memory, self.gates, known.models, force=force, again=again, since=since
        )


def walk(chosen: Sequence[Collection], everything: Sequence[Collection], known: Known) -> Iterator[Stage]:
    """Go through the chosen collections and those that their tags name, stage by stage.

    `everything` are all collections that take part, in order of priority.
    """
    named = with_named(chosen, everything)
    mutual = Mutual(named, known.movies)
    keys = {collection.key for collection in chosen}
    for collections in stages(named):
        yield Stage(collections, keys, known, mutual)


def stages(collections: Sequence[Collection]) -> list[list[Collection]]:
    """Group collections so that each comes after those that its tags name. A group can be asked about together.

    If collections name each other in a circle, the one with the highest priority is decided first and sees the others
    as empty: a decision must not depend on itself. `collections` is in order of priority, and each group is too.
    """
    waiting = list(collections)
    done: list[list[Collection]] = []
    while waiting:
        tags = {managed_tag(collection) for collection in waiting}
        ready = [c for c in waiting if not named_tags(c) & (tags - {managed_tag(c)})]
        if not ready:
            ready = [_first_in_circle(waiting)]
        done.append(ready)
        waiting = [collection for collection in waiting if collection not in ready]
    return done


def _first_in_circle(waiting: Sequence[Collection]) -> Collection:
    """The highest priority in a circle that depends on nothing outside itself; one exists whenever none is ready."""
    by_tag = {managed_tag(collection): collection for collection in waiting}

    def reached(start: Managed) -> set[Managed]:
        found: set[Managed] = set()
        todo = [start]
        while todo:
            current = by_tag[todo.pop()]
            for tag in (named_tags(current) & by_tag.keys()) - found - {managed_tag(current)}:
                found.add(tag)
                todo.append(tag)
        return found

    reach = {tag: reached(tag) for tag in by_tag}
    return next(
        collection
        for collection in waiting
        if all(managed_tag(collection) in reach[tag] for tag in reach[managed_tag(collection)])
    )
