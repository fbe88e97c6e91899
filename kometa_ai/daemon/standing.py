"""Decide what the next run would say of each item and collection if it got no answer, by the functions of a run."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.asking.tally import Tally
from kometa_ai.core.collection import collection_key, recognise
from kometa_ai.core.decision import Cause, Reason
from kometa_ai.core.item import KINDS, kind_of
from kometa_ai.core.options import Options
from kometa_ai.jobs.review import held_changes
from kometa_ai.judging.stages import Known, walk
from kometa_ai.run.libraries import taking_part
from kometa_ai.run.results import Asking, Judging, Reading
from kometa_ai.run.tagging import brakes_of, plan, review_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from kometa_ai.core.changes import Change
    from kometa_ai.core.choice import Pin
    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.core.item import ItemKey, Kind
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey, Label
    from kometa_ai.daemon.columns import Columns
    from kometa_ai.daemon.shelves import Shelves
    from kometa_ai.judging.policy import Gates, Membership
    from kometa_ai.judging.review import Held
    from kometa_ai.judging.stages import Stage
    from kometa_ai.run.parts import Rules
    from kometa_ai.settings.libraries import LibrarySettings

# A pair is one byte: where the item stands, the cause if no verdict decides, and the reason of an open question.
_OUT, _IN, _UNDECIDED, _NOT_ITS_OWN = range(4)
_WHERE, _OF_CAUSES = 3, 7
_CAUSE, _REASON = 2, 5
_CAUSES: tuple[Cause | None, ...] = (None, *Cause)
_REASONS: tuple[Reason | None, ...] = (None, *Reason)
_PINNED = frozenset({Cause.PINNED_IN, Cause.PINNED_OUT})
_BY_TAG = frozenset({Cause.EXCLUDE_TAG, Cause.INCLUDE_TAG})
_NOTHING_ASKED = Asking(open_questions={}, reasons={}, last_asked={}, tally=Tally(), endings=())


class Sources(NamedTuple):
    """What is decided from: the state, the libraries, Kometa's folder, the pins, and the settings, at some time."""

    columns: Columns
    shelves: Shelves
    folder: Folder
    pins: Sequence[Pin]
    rules: Rules
    libraries: Sequence[LibrarySettings]
    now: datetime


class Tallied(NamedTuple):
    """How many items of a collection stand where; members without those that are undecided."""

    members: int
    pending: int
    pinned: int
    by_tag: int
    unjudged: int
    of_another_prompt: int


class Changes(NamedTuple):
    """Of one collection, the items whose tag a run would put on or take off in some library.

    The brake would hold back others, and some wait for a person, as `REVIEW` says; `held` are both kinds.
    """

    planned: AbstractSet[ItemKey] = frozenset()
    held_back: AbstractSet[ItemKey] = frozenset()
    in_review: AbstractSet[ItemKey] = frozenset()
    held: Mapping[ItemKey, Held] = MappingProxyType({})


class Standing:
    """Where each item stands in one collection, by its row.

    `tags` are the labels that decide, where a tag does. `in_batch` are the rows that an open batch asks about.
    """

    def __init__(
        self, collection: Collection, cells: bytearray, tags: Mapping[ItemKey, tuple[Label, ...]], changes: Changes
    ) -> None:
        self.collection = collection
        self._cells = cells
        self.tags = tags
        self.changes = changes
        self.in_batch: AbstractSet[int] = frozenset()

    def concerns(self, row: int) -> bool:
        """Whether the collection is about the item."""
        return self._cells[row] & _WHERE != _NOT_ITS_OWN

    def belongs(self, row: int) -> bool | None:
        """Whether the item is a member; None while it is undecided."""
        where = self._cells[row] & _WHERE
        return None if where == _UNDECIDED else where == _IN

    def gate(self, row: int) -> Cause | None:
        """What decides without a verdict; None where the verdict does."""
        return _CAUSES[self._cells[row] >> _CAUSE & _OF_CAUSES]

    def question(self, row: int) -> Reason | None:
        """Why the pair needs a verdict; None where it needs none."""
        return _REASONS[self._cells[row] >> _REASON]

    @property
    def rows(self) -> list[int]:
        """The rows of the items that the collection is about."""
        return [row for row, cell in enumerate(self._cells) if cell & _WHERE != _NOT_ITS_OWN]

    def not_plain(self, refused: AbstractSet[int]) -> list[int]:
        """The rows of the items that the collection is about, but for those of a set that are plainly out of it."""
        return [row for row, cell in enumerate(self._cells) if cell != _NOT_ITS_OWN and (cell or row not in refused)]

    @property
    def members(self) -> list[int]:
        """The rows of the members, as decided."""
        return [row for row, cell in enumerate(self._cells) if cell & _WHERE == _IN]

    @property
    def undecided(self) -> list[int]:
        """The rows of the items that stay as they are, since no verdict on them holds."""
        return [row for row, cell in enumerate(self._cells) if cell & _WHERE == _UNDECIDED]

    def tally(self) -> Tallied:
        """How many items stand where."""
        members = pending = pinned = by_tag = unjudged = of_another_prompt = 0
        for cell, count in Counter(self._cells).items():
            gate, reason = _CAUSES[cell >> _CAUSE & _OF_CAUSES], _REASONS[cell >> _REASON]
            members += count * (cell & _WHERE == _IN)
            unjudged += count * (cell & _WHERE == _UNDECIDED)
            pinned += count * (gate in _PINNED)
            by_tag += count * (gate in _BY_TAG)
            pending += count * (reason not in (None, Reason.GIVEN_UP))
            of_another_prompt += count * (reason is Reason.PROMPT_CHANGED)
        return Tallied(members, pending, pinned, by_tag, unjudged, of_another_prompt)


class Decided(NamedTuple):
    """The collections that take part, with their pins recognised, and where the items stand in each."""

    collections: tuple[Collection, ...]
    standings: Mapping[CollectionKey, Standing]


def known_of(sources: Sources, items: Sequence[AnyItem] | None = None) -> Known:
    """What a run would decide from, for the functions that it decides with; of these items only, if any are given."""
    columns, shelves = sources.columns, sources.shelves
    items = shelves.items if items is None else items
    subjects = {item.key: columns.subject(item, is_confirmed=item.key not in shelves.unconfirmed) for item in items}
    return Known(items, subjects, columns.memory, sources.pins, sources.rules.models)


def stand(sources: Sources) -> Decided:
    """Decide about all collections that can take part now, and plan the tags."""
    folder, shelves = sources.folder, sources.shelves
    chosen = recognise(
        taking_part(folder.collections, folder.collections, sources.libraries, shelves.libraries), shelves.items
    )
    known = known_of(sources)
    made = _Making(sources.columns.rows, known)
    gates: dict[CollectionKey, Gates] = {}
    memberships: dict[CollectionKey, Membership] = {}
    for stage in walk(chosen, folder.collections, known):
        gates |= stage.gates
        questions = stage.questions()
        settled = stage.decide(questions)
        for each in stage.chosen:
            memberships[each.key] = settled.memberships[each.key]
            made.add(each, stage, memberships[each.key], questions[each.key])
    changes = _changes(
        sources, chosen, Judging(subjects=known.subjects, asking=_NOTHING_ASKED, gates=gates, memberships=memberships)
    )
    return Decided(chosen, made.standings(changes, _in_batches(sources.columns)))


class _Making:
    """Puts together where the items stand, collection by collection."""

    def __init__(self, rows: Mapping[ItemKey, int], known: Known) -> None:
        self._rows = rows
        self._items = {item.key: item for item in known.movies}
        self._made: list[tuple[Collection, bytearray, dict[ItemKey, tuple[Label, ...]]]] = []
        self._shared: dict[tuple[Label, ...], tuple[Label, ...]] = {}
        self._blank: dict[Kind, bytearray] = {kind: bytearray([_NOT_ITS_OWN]) * len(rows) for kind in KINDS}
        for key in self._items:
            self._blank[kind_of(key)][rows[key]] = _OUT

    def add(
        self, collection: Collection, stage: Stage, membership: Membership, questions: Mapping[ItemKey, Reason]
    ) -> None:
        """Note a collection that has been decided."""
        rows, cells = self._rows, self._blank[collection.kind][:]
        tags: dict[ItemKey, tuple[Label, ...]] = {}
        gates = stage.gates[collection.key]
        if gates.scope is not None:
            for key, item in self._items.items():
                if kind_of(key) == collection.kind and key not in gates.scope:
                    cells[rows[item.key]] = _NOT_ITS_OWN
        for key in membership.members:
            cells[rows[key]] = _IN
        for key in membership.undecided:
            cells[rows[key]] = _UNDECIDED
        for key, cause in gates.causes.items():
            cells[rows[key]] |= _CAUSES.index(cause) << _CAUSE
            if cause in _BY_TAG:
                deciding = stage.deciding_tags(collection, self._items[key])
                tags[key] = self._shared.setdefault(deciding, deciding)
        for key, reason in questions.items():
            cells[rows[key]] |= _REASONS.index(reason) << _REASON
        self._made.append((collection, cells, tags))

    def standings(
        self, changes: Mapping[CollectionKey, Changes], in_batches: Mapping[CollectionKey, AbstractSet[int]]
    ) -> dict[CollectionKey, Standing]:
        """All that were noted."""
        found = {}
        for collection, cells, tags in self._made:
            standing = Standing(collection, cells, tags, changes.get(collection.key, Changes()))
            standing.in_batch = in_batches.get(collection.key, frozenset())
            found[collection.key] = standing
        return found


def _changes(sources: Sources, collections: Sequence[Collection], judging: Judging) -> Mapping[CollectionKey, Changes]:
    columns, shelves = sources.columns, sources.shelves
    known = columns.head.collections
    reading = Reading(
        libraries=shelves.libraries, items=shelves.items, folder=sources.folder, collections=tuple(collections)
    )
    review = review_of(
        sources.rules, reading, now=sources.now, decision_of=columns.decision, gates=judging.gates, known=known
    )
    brakes = brakes_of(sources.rules, Options(), collections, known)
    planned = plan(reading.contents, collections, judging, brakes, review=review).plan
    changing, held_back = _by_collection(planned.changes), _by_collection(planned.held_back)
    in_review = _by_collection(each.change for each in planned.in_review)
    held: dict[CollectionKey, dict[ItemKey, Held]] = {}
    for (item, slug), change in held_changes(planned, UTC).items():
        held.setdefault(collection_key(kind_of(item), slug), {})[item] = change
    return {
        key: Changes(
            planned=frozenset(changing.get(key, ())),
            held_back=frozenset(held_back.get(key, ())),
            in_review=frozenset(in_review.get(key, ())),
            held=held.get(key, {}),
        )
        for key in changing.keys() | held_back.keys() | in_review.keys()
    }


def _by_collection(changes: Iterable[Change]) -> dict[CollectionKey, set[ItemKey]]:
    found: dict[CollectionKey, set[ItemKey]] = {}
    for change in changes:
        found.setdefault(change.collection, set()).add(change.movie.key)
    return found


def _in_batches(columns: Columns) -> dict[CollectionKey, set[int]]:
    """The rows that open batches ask about, by collection."""
    found: dict[CollectionKey, set[int]] = {}
    for batch in columns.head.batches:
        for question in batch.open_questions:
            asked = found.setdefault(question.collection, set())
            asked.update(columns.rows[key] for key, _ in batch.pages[question.page] if key in columns.rows)
    return found
