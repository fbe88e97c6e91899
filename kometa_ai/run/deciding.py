"""Judge stage by stage: ask what is open, then decide who belongs to each collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.core.collection import namesakes
from kometa_ai.core.item import SERVICES, kind_of, order_of, ref_of
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted, counted_items
from kometa_ai.judging.planning import subjects_of
from kometa_ai.judging.stages import Known, walk
from kometa_ai.run.questioning import Questioning
from kometa_ai.run.results import Judging
from kometa_ai.run.watching import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.choice import Choices
    from kometa_ai.core.collection import Collection, ItemRef
    from kometa_ai.core.item import ItemKey, Kind
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.options import Options
    from kometa_ai.judging.planning import Questions
    from kometa_ai.judging.policy import Gates, Membership
    from kometa_ai.judging.stages import Settled, Stage
    from kometa_ai.run.keeping import Keeper
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Reading
    from kometa_ai.run.spending import Booking
    from kometa_ai.state.schema import Entry

_MISSING_NAMED = 20


class Decider:
    """Asks and decides for one run, about the movies that it names, or else about the whole library.

    `choices` are those of people as the run has begun.
    """

    def __init__(
        self,
        parts: Parts,
        rules: Rules,
        options: Options,
        *,
        run_id: str,
        reading: Reading,
        choices: Choices,
        keeper: Keeper,
        booking: Booking,
    ) -> None:
        self._parts = parts
        self._rules = rules
        self._keeper = keeper
        self._reading = reading
        self._choices = choices
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []
        self._gates: dict[CollectionKey, Gates] = {}
        self._memberships: dict[CollectionKey, Membership] = {}
        self._subjects = subjects_of(self._in_scope(options.movies), parts.store.memory, reading.unconfirmed)
        self._questioning = Questioning(
            parts,
            rules,
            options,
            run_id=run_id,
            keep=self._keep,
            require_room=self._require_room,
            booking=booking,
            collections=reading.collections,
            subjects=self._subjects,
            warnings=self._warnings,
        )

    def result(self) -> Judging:
        """What has been asked and decided so far."""
        return Judging(
            subjects=self._subjects,
            choices=self._choices,
            asking=self._questioning.result(),
            gates=self._gates,
            memberships=self._memberships,
            problems=tuple(self._problems),
            warnings=tuple(self._warnings),
        )

    async def decide(self) -> None:
        """Plan the questions, ask them and decide, stage by stage."""
        parts, movies = self._parts, self._reading.items
        for stage in self._walk():
            if stage.chosen:
                await self._questioning.ask(stage)
            parts.observer.step(Step.DECIDING)
            settled = self._settle(stage, self._questioning.open_questions)
            for each in stage.chosen:
                self._warnings += _unknown_pins(each, stage.gates[each.key].unknown_pins, movies)
                self._warnings += _left_alone(each, settled.left_alone.get(each.key, frozenset()))

    def decide_again(self, choices: Choices) -> None:
        """Decide anew with choices that were made meanwhile. Nothing is asked: what they open stays as it is."""
        self._choices = choices
        for stage in self._walk():
            self._settle(stage, _joined(self._questioning.open_questions, stage.questions()))

    def _walk(self) -> Iterator[Stage]:
        reading, pins = self._reading, self._choices.pins
        known = Known(reading.items, self._subjects, self._parts.store.memory, pins, self._rules.models)
        for stage in walk(reading.collections, reading.folder.collections, known):
            self._gates |= stage.gates
            yield stage

    def _settle(self, stage: Stage, open_questions: Questions) -> Settled:
        settled = stage.decide(open_questions)
        self._memberships |= {each.key: settled.memberships[each.key] for each in stage.chosen}
        return settled

    def _keep(self, *entries: Entry) -> bool:
        """Record what has been learned; return whether the state can be written."""
        self._problems += self._keeper.record(*entries)
        return not self._keeper.is_unwritable

    def _require_room(self) -> None:
        """Look whether the state can take answers; where it cannot, nothing more is asked."""
        self._problems += self._keeper.require_room()

    def _in_scope(self, wanted: AbstractSet[ItemKey]) -> Sequence[AnyItem]:
        """The movies to judge; no other is changed. Pins, orphans and the brake count the whole library."""
        if not wanted:
            return self._reading.items
        movies = [movie for movie in self._reading.items if movie.key in wanted]
        if missing := sorted(wanted - {movie.key for movie in movies}, key=order_of):
            titles = " and ".join(library.title for library in self._reading.libraries)
            self._warnings.append(
                Problem(
                    source=titles,
                    what=f"{len(missing):,} of the {counted_items(wanted)} of this run are not in the list of "
                    f"{titles}.",
                    remedy="Nothing to do: once they are listed there, the next scheduled run judges them.",
                    movies=tuple(ref_of(key) for key in missing[:_MISSING_NAMED]),
                    severity="warning",
                )
            )
        return movies


def _joined(questions: Questions, others: Questions) -> Questions:
    """The questions of both; where both ask about a pair, the first say why."""
    return {key: others.get(key, {}) | questions.get(key, {}) for key in questions.keys() | others.keys()}


def _unknown_pins(collection: Collection, pins: Iterable[ItemRef], movies: Iterable[AnyItem]) -> Iterator[Problem]:
    for ref in pins:
        yield Problem(
            source=collection.source,
            line=collection.line,
            what=f"the pin {ref.text!r} names no {collection.kind} that {SERVICES[collection.kind]} has.",
            remedy=_remedy_for(ref, movies, collection.kind),
            collection=collection.name,
            severity="warning",
        )


def _remedy_for(pin: ItemRef, movies: Iterable[AnyItem], kind: Kind) -> str:
    found = namesakes(pin, movies)
    if others := [each for each in found if kind_of(each.key) == kind]:
        return f"Did you mean {' or '.join(map(str, others))}?"
    if found:
        other = kind_of(found[0].key)
        return f"{found[0]} is a {other}: pin it in a collection of {other}s, or take it away."
    return f"Correct it, or leave it until the {kind} is there."


def _left_alone(collection: Collection, movies: AbstractSet[ItemKey]) -> Iterator[Problem]:
    if movies:
        yield Problem(
            source="--collection",
            what=f"{counted(len(movies), collection.kind)}: left alone, since a collection that the block names has "
            "open questions about them.",
            remedy="Nothing to do: the next run of all collections decides them.",
            collection=collection.key,
            severity="warning",
        )
