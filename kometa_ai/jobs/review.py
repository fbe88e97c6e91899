"""List what wants a person: read the libraries, decide and plan as a run does, and ask, write and remember nothing."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.asking.tally import Tally
from kometa_ai.core.changes import TagChange
from kometa_ai.core.choice import REVIEW_KINDS, ReviewKind
from kometa_ai.core.decision import Cause, Decision, decision_of
from kometa_ai.core.item import ItemKey, kind_of, name_item
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.core.options import Options
from kometa_ai.core.problem import Problem
from kometa_ai.core.saying import judged
from kometa_ai.judging.mutual import managed_tag
from kometa_ai.judging.planning import subjects_of
from kometa_ai.judging.review import Case, Held, Moved, Wanting, long_standing_that_left, queue
from kometa_ai.judging.stages import Known, walk
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.reading import Reader
from kometa_ai.run.results import Asking, Judging
from kometa_ai.run.tagging import brakes_of, plan, review_of
from kometa_ai.state import files
from kometa_ai.state.history import kept
from kometa_ai.state.schema import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo
    from pathlib import Path

    from kometa_ai.core.changes import TagPlan
    from kometa_ai.core.choice import Pair
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import Item
    from kometa_ai.jobs.session import Session
    from kometa_ai.judging.planning import Questions
    from kometa_ai.judging.policy import Gates, Membership
    from kometa_ai.judging.stages import Stage
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Reading

_LARGEST = 256 << 20
_NOTHING_ASKED = Asking(open_questions={}, reasons={}, last_asked={}, tally=Tally(), endings=())


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a person sees of a verdict. An answer says it again, so that no person answers what is another by now."""

    prompt_hash: str
    metadata_hash: str = ""
    confidence: float | None = None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A movie or show and a collection that want a person, and why.

    `belongs` is what was decided, `cause` what decides it, and `deciding_tags` are labels of other collections that do.
    `confidence` and `include` are the model's verdict, `first` the confidence of its first look where there were two.
    `waits_until` is when a change is made that `REVIEW` lets wait, `left` when the item was taken out.
    """

    kind: ReviewKind
    key: ItemKey
    tmdb_id: int = 0
    title: str
    year: int
    collection: CollectionKey
    slug: Slug
    name: str
    belongs: bool | None
    cause: str
    deciding_tags: tuple[str, ...] = ()
    confidence: float | None = None
    include: bool | None = None
    first: float | None = None
    threshold: float
    reason: str = ""
    model: str = ""
    decided: datetime | None = None
    waits_until: datetime | None = None
    left: datetime | None = None
    if_nothing_is_done: str
    seen: Seen

    def __post_init__(self) -> None:
        name_item(self, self.key, self.tmdb_id)

    @property
    def in_words(self) -> str:
        """`for it with 0.65 while 0.70 is needed, so it counts as out`, after `the model is`; empty where unjudged.

        What was decided is left out where something else decides, and where what was decided is not done yet.
        """
        is_done = self.cause == Cause.VERDICT and self.kind != "held back" and not self.waits_until
        return judged(
            self.belongs if is_done else None,
            include=self.include,
            confidence=self.confidence,
            threshold=self.threshold,
        )


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """The review queue, the most urgent first. `problems` name libraries and collections that could not be read."""

    as_of: datetime
    total: int
    by_kind: dict[ReviewKind, int]
    items: tuple[Card, ...]
    problems: tuple[Problem, ...] = ()


def seen_of(case: Case) -> Seen:
    """What a person sees of a case."""
    metadata_hash, prompt_hash = case.inputs
    return Seen(
        prompt_hash=prompt_hash,
        metadata_hash=metadata_hash,
        confidence=case.decision.confidence if case.decision else None,
    )


def card_of(wanting: Wanting, item: Item, decision: Decision | None) -> Card:
    """The card of a case; `decision` is its decision with the reason."""
    case, collection = wanting.case, wanting.case.collection
    card = Card(
        kind=wanting.kind,
        key=case.key,
        title=item.title,
        year=item.year,
        collection=collection.key,
        slug=collection.slug,
        name=collection.name,
        belongs=case.belongs,
        cause=case.cause,
        deciding_tags=case.tags,
        threshold=collection.confidence_threshold,
        waits_until=case.held.until if case.held else None,
        left=case.left,
        if_nothing_is_done=wanting.if_nothing_is_done,
        seen=seen_of(case),
    )
    if decision is None:
        return card
    return msgspec.structs.replace(
        card,
        confidence=decision.confidence,
        include=decision.include,
        first=decision.first,
        reason=decision.reasoning,
        model=decision.model,
        decided=decision.timestamp,
    )


def counted_by_kind(wantings: Iterable[Wanting]) -> dict[ReviewKind, int]:
    """How many there are of each kind of which there are any, in their order."""
    counts = dict.fromkeys(REVIEW_KINDS, 0)
    for wanting in wantings:
        counts[wanting.kind] += 1
    return {kind: count for kind, count in counts.items() if count}


async def review(session: Session, options: Options) -> Reviewed:
    """What wants a person now, in these collections or in all.

    Raise FixUsage for names that there are not, or CheckLibrary where no library can be used.
    """
    session.check_names(options.collections)
    return await session.look(lambda parts: _review(parts, session.rules, options))


async def _review(parts: Parts, rules: Rules, options: Options) -> Reviewed:
    reader = Reader(parts, rules, options, Keeper(parts.store, parts.interruption.course))
    await reader.libraries()
    reader.collections()
    found = _Looking(parts, rules, reader.result)
    found.decide()
    wantings = queue(found.cases(), parts.choices.read().dismissals)
    items = {item.key: item for item in reader.result.items}
    return Reviewed(
        as_of=parts.now(),
        total=len(wantings),
        by_kind=counted_by_kind(wantings),
        items=tuple(card_of(each, items[each.case.key], each.case.decision) for each in wantings),
        problems=reader.result.problems,
    )


class _Outcome(NamedTuple):
    """What was decided of one collection."""

    collection: Collection
    stage: Stage
    membership: Membership
    asked: frozenset[ItemKey]


class _Looking:
    """Decides what a run would that got no answer, and what it would change."""

    def __init__(self, parts: Parts, rules: Rules, reading: Reading) -> None:
        self._parts, self._rules, self._reading = parts, rules, reading
        self._memory = parts.store.memory
        self._subjects = subjects_of(reading.items, self._memory, reading.unconfirmed)
        self._outcomes: list[_Outcome] = []

    def decide(self) -> None:
        """Walk over the stages as a run does."""
        reading, pins = self._reading, self._parts.choices.read().pins
        known = Known(reading.items, self._subjects, self._memory, pins, self._rules.models)
        for stage in walk(reading.collections, reading.folder.collections, known):
            questions: Questions = stage.questions()
            settled = stage.decide(questions)
            self._outcomes += [
                _Outcome(each, stage, settled.memberships[each.key], frozenset(questions[each.key]))
                for each in stage.chosen
            ]

    def cases(self) -> Iterator[Case]:
        """Every pair that may want a person."""
        held = held_changes(self._plan(), self._parts.zone)
        left = long_standing_that_left(moves_in(self._parts.store.folder), self._parts.now())
        managed = {managed_tag(each) for each in self._reading.folder.collections}
        for collection, stage, membership, asked in self._outcomes:
            gates = stage.gates[collection.key]
            for key in self._subjects:
                if kind_of(key) != collection.kind or (gates.scope is not None and key not in gates.scope):
                    continue
                decision, cause = decision_of(self._memory, key, collection.slug), gates.causes.get(key)
                pair = (key, collection.slug)
                if decision is None and cause is None and pair not in held and pair not in left:
                    continue
                tags = stage.deciding_tags(collection, self._subjects[key].item) if cause else ()
                yield Case(
                    key=key,
                    collection=collection,
                    decision=decision,
                    cause=cause or (Cause.UNDECIDED if decision is None else Cause.VERDICT),
                    belongs=None if key in membership.undecided else key in membership.members,
                    is_asked=key in asked,
                    tags=tuple(label for label in tags if (collection.kind, label) in managed),
                    held=held.get(pair),
                    left=left.get(pair),
                    is_tagged=collection.label in self._subjects[key].item.labels,
                )

    def _plan(self) -> TagPlan:
        """What a run would change and hold now."""
        state, reading = self._parts.store.state, self._reading
        gates: dict[CollectionKey, Gates] = {}
        for each in self._outcomes:
            gates |= each.stage.gates
        judging = Judging(
            subjects=self._subjects,
            asking=_NOTHING_ASKED,
            gates=gates,
            memberships={each.collection.key: each.membership for each in self._outcomes},
        )
        return plan(
            reading.contents,
            reading.collections,
            judging,
            brakes_of(self._rules, Options(), reading.collections, state.collections),
            review=review_of(
                self._rules,
                reading,
                now=self._parts.now(),
                decision_of=partial(decision_of, self._memory),
                gates=gates,
                known=state.collections,
            ),
        ).plan


def held_changes(planned: TagPlan, zone: tzinfo) -> Mapping[Pair, Held]:
    """The changes of a plan that are not made, by the pair. Where a brake holds in one library it holds the pair."""
    found = {
        (each.change.movie.key, each.change.slug): Held(each.change.operation, each.until.astimezone(zone))
        for each in planned.in_review
    }
    return found | {(each.movie.key, each.slug): Held(each.operation) for each in planned.held_back}


class _Report(msgspec.Struct):
    """What is read of a kept report."""

    dry_run: bool = False
    changes: tuple[TagChange, ...] = ()


def moves_in(folder: Path) -> Sequence[Moved]:
    """Every change of a tag in the reports that are kept in a state folder; what cannot be read is left out."""
    found: list[Moved] = []
    for path in kept(folder):
        with suppress(OSError, *DAMAGE):
            report = msgspec.json.decode(files.read(path, _LARGEST), type=_Report)
            found += [
                Moved((each.key, each.collection), each.library, each.at, each.operation)
                for each in (() if report.dry_run else report.changes)
            ]
    return found
