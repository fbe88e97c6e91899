"""Answer what lists and pages show, from memory; reasons and texts come from the disk as needed.

Why: docs/decisions/0021-index-in-memory.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kometa_ai.core.collection import collection_key
from kometa_ai.core.decision import Cause, Decision
from kometa_ai.core.item import KINDS, ItemKey, Kind, kind_of
from kometa_ai.core.movie import Movie
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.core.show import Show
from kometa_ai.daemon.collection_lines import lines_of
from kometa_ai.daemon.foreseeing import foresee_from
from kometa_ai.daemon.listing import (
    STEPS,
    CollectionLine,
    CollectionOfItem,
    CollectionPage,
    Found,
    ItemInCollection,
    ItemPage,
    ListedItem,
    ListName,
    Pair,
    PinShown,
    Place,
    SortName,
    tmdb_id_of,
)
from kometa_ai.daemon.lists import Lists, distance, matching, names_in_block
from kometa_ai.daemon.standing import Decided, Sources, Standing, known_of, stand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.batches import OpenBatch
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Remembered
    from kometa_ai.core.item import ArrId
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.problem import Problem
    from kometa_ai.daemon.past import ItemChange, Moves, Past
    from kometa_ai.jobs.whatif import WhatIf
    from kometa_ai.judging.review import Moved
    from kometa_ai.judging.stages import Known

_PINNED = (Cause.PINNED_IN, Cause.PINNED_OUT)


class Index:
    """What is known, as of the last run and the choices since. Nothing in it changes; only the disk is read again.

    `collections` take part and are in order of priority. A collection is named by its key. Whatever reads the disk
    (reasons, texts) may take some milliseconds and belongs into a thread.
    """

    def __init__(self, sources: Sources, past: Past) -> None:
        self._sources, self._past = sources, past
        self._columns, self._shelves, self._folder = sources.columns, sources.shelves, sources.folder
        self._decided: Decided = stand(sources)
        self._lists = Lists(self._columns, self._shelves, self._decided.standings)
        self._pins = {(pin.key, collection_key(kind_of(pin.key), pin.slug)): pin for pin in sources.pins}
        self._lines = lines_of(sources, self._decided, self._lists)

    @property
    def collections(self) -> tuple[Collection, ...]:
        """The collections that take part and can be decided."""
        return self._decided.collections

    @property
    def everything(self) -> tuple[Collection, ...]:
        """All collections that are on, as `walk` wants them."""
        return self._folder.collections

    @property
    def known(self) -> Known:
        """What a run would decide from; made anew with each access. For `walk` with other rules than the present."""
        return known_of(self._sources)

    @property
    def as_of(self) -> datetime | None:
        """When the libraries were read; None before the first run that kept what they hold."""
        return self._shelves.as_of

    @property
    def open_batches(self) -> Sequence[OpenBatch]:
        """The batches whose answers no run has taken yet."""
        return self._columns.head.batches

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The errors in Kometa's folder, each of which leaves something out."""
        return tuple(each for each in self._folder.problems if each.severity == "error")

    @property
    def past(self) -> Past:
        """The changes of the runs that are kept."""
        return self._past

    # Collections

    def list_collections(self) -> list[CollectionLine]:
        """Every collection that there is or that has left something: those that take part first."""
        return list(self._lines.values())

    def collection(self, key: CollectionKey) -> CollectionPage | None:
        """One collection; None where there is none of that key."""
        line = self._lines.get(key)
        if line is None:
            return None
        fields = {name: getattr(line, name) for name in line.__struct_fields__}
        block = next((each for each in self.everything if each.key == key), None)
        if block is None:
            return CollectionPage(**fields)
        members, others = self._histogram(key)
        standing = self._decided.standings.get(key)
        return CollectionPage(
            **fields,
            prompt=block.prompt,
            prompt_hash=block.prompt_hash,
            libraries=tuple(sorted(block.libraries)),
            include_tags=tuple(sorted(block.include_tags)),
            exclude_tags=tuple(sorted(block.exclude_tags)),
            members_by_confidence=members,
            others_by_confidence=others,
            of_another_prompt=standing.tally().of_another_prompt if standing else 0,
        )

    def _histogram(self, key: CollectionKey) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The verdicts that decide, by their confidence: those of members, and those of others."""
        counts = {True: [0] * STEPS, False: [0] * STEPS}
        if (standing := self._decided.standings.get(key)) is not None:
            for row, decision in self._lists.verdicts(standing):
                step = min(STEPS - 1, max(0, round(decision.confidence * (STEPS - 1))))
                counts[self._lists.is_member(standing, row)][step] += 1
        return tuple(counts[True]), tuple(counts[False])

    # Items of a collection

    def items_of(
        self,
        key: CollectionKey,
        which: ListName = "members",
        *,
        sort: SortName | None = None,
        text: str = "",
        start: int = 0,
        size: int = 60,
    ) -> Found | None:
        """One part of a list of a collection; None where there is no such collection. Reads the disk for what it shows.

        Lists of changes show the latest first, all others the most confident; `sort` says otherwise.
        """
        line = self._lines.get(key)
        if line is None:
            return None
        past = self._past.of_collection(key)
        order = sort or ("changed" if which in ("entered", "left") else "confidence")
        rows = self._lists.ordered(self._lists.rows_of(line, which, text, past), order, line, past)
        standing = self._decided.standings.get(key)
        shown = [self._shelves.at(row) for row in rows[start : start + size]]
        return Found([self._in_collection(item, line, standing, past.get(item.key)) for item in shown], len(rows))

    def keys_of(self, key: CollectionKey, which: ListName, text: str = "") -> list[ItemKey]:
        """The items of a whole list of a collection, in no order; none where there is no such collection."""
        line = self._lines.get(key)
        rows = self._lists.rows_of(line, which, text, self._past.of_collection(key)) if line else ()
        return [self._shelves.at(row).key for row in rows]

    def lengths_of(self, key: CollectionKey) -> Mapping[ListName, int]:
        """How long each list of a collection is; empty where there is no such collection."""
        line = self._lines.get(key)
        return self._lists.lengths(line, self._past.of_collection(key)) if line else {}

    def faces(self, key: CollectionKey, count: int) -> list[ItemKey]:
        """The surest members of a collection; of one that takes no part, items that have its tag."""
        line = self._lines.get(key)
        return [self._shelves.at(row).key for row in self._lists.surest(line, count)] if line else []

    def name_in_block(self, keys: Iterable[ItemKey]) -> dict[ItemKey, str]:
        """How a block names these items: title and year where no other item has both, else the id."""
        return names_in_block(self._shelves.items, filter(None, map(self._shelves.get, keys)))

    def _in_collection(
        self, item: AnyItem, line: CollectionLine, standing: Standing | None, change: ItemChange | None
    ) -> ItemInCollection:
        place = self._place(item, line, standing, change, self._columns.in_full(item.key))
        return ItemInCollection(
            key=item.key, tmdb_id=tmdb_id_of(item.key), title=item.title, year=item.year, **_fields(place)
        )

    def _place(
        self,
        item: AnyItem,
        line: CollectionLine,
        standing: Standing | None,
        change: ItemChange | None,
        known: Remembered,
    ) -> Place:
        row, decision = self._columns.rows[item.key], known.collections.get(line.slug)
        gate = standing.gate(row) if standing else None
        belongs = standing.belongs(row) if standing else None
        return Place(
            belongs=belongs,
            is_tagged=line.tag in item.labels,
            cause=gate or (Cause.UNDECIDED if decision is None else Cause.VERDICT),
            deciding_tags=standing.tags.get(item.key, ()) if standing else (),
            include=decision.include if decision else None,
            confidence=decision.confidence if decision else None,
            threshold=line.threshold if line.threshold is not None else decision.threshold if decision else 0.0,
            reason=decision.reasoning if decision else "",
            model=decision.model if decision else "",
            decided=decision.timestamp if decision else None,
            second_look=decision.second_look if decision else "",
            first_confidence=decision.first if decision else None,
            metadata_hash=decision.metadata_hash if decision else "",
            prompt_hash=decision.prompt_hash if decision else "",
            waits_for=_waits_for(standing, item.key, row) if standing else (),
            pin=self._pin(item, standing.collection, gate) if standing and gate in _PINNED else None,
            changed=change.at if change else None,
            run_id=change.run_id if change else "",
        )

    def _pin(self, item: AnyItem, collection: Collection, gate: Cause) -> PinShown | None:
        include = gate is Cause.PINNED_IN
        if any(ref.names(item) for ref in (collection.pins_in if include else collection.pins_out)):
            return PinShown(include=include, origin="block")
        pin = self._pins.get((item.key, collection.key))
        if pin is None:
            return None
        return PinShown(
            include=pin.include, origin=pin.origin, by=pin.by, since=pin.since, said=pin.said, because=pin.because
        )

    # Items

    def search(self, text: str = "", *, kinds: Sequence[Kind] = KINDS, start: int = 0, size: int = 60) -> Found:
        """The items whose title has the text in it, or that it names (`Heat (1995)`, `tmdb:949`, `tt0113277`).

        What is called so comes first, then what begins so, each by title.
        """
        wanted = matching(text, kinds) if text.strip() else lambda item: kind_of(item.key) in kinds
        found = [item for item in self._shelves.items if wanted(item)]
        found.sort(key=lambda item: (distance(item, text), self._lists.rank[self._columns.rows[item.key]]))
        return Found([self._line(item) for item in found[start : start + size]], len(found))

    def _line(self, item: AnyItem) -> ListedItem:
        row = self._columns.rows[item.key]
        return ListedItem(
            key=item.key,
            tmdb_id=tmdb_id_of(item.key),
            title=item.title,
            year=item.year,
            imdb_id=item.imdb_id,
            libraries=item.libraries,
            collections=tuple(key for key, each in self._decided.standings.items() if each.belongs(row)),
        )

    def item(self, key: ItemKey) -> ItemPage | None:
        """One item with its texts, read from the disk; None where neither a library holds it nor the state knows it."""
        item, known = self._shelves.in_full(key), self._columns.in_full(key)
        history = tuple(self._past.of_item(key))
        if item is None:
            if not known.title:
                return None
            return ItemPage(
                key=key,
                tmdb_id=tmdb_id_of(key),
                title=known.title,
                year=known.year,
                directors=known.credits.directors if known.credits else (),
                actors=known.credits.actors if known.credits else (),
                gone_since=str(known.gone_since or ""),
                history=history,
            )
        people = known.credits or (item.credits if isinstance(item, Movie) else None)
        last: dict[CollectionKey, ItemChange] = {}
        for change in history:
            last.setdefault(change.collection, change)
        light = self._shelves.get(key) or item
        return ItemPage(
            key=key,
            tmdb_id=tmdb_id_of(key),
            title=item.title,
            year=item.year,
            imdb_id=item.imdb_id,
            plot=item.plot,
            genres=item.genres,
            directors=people.directors if people else (),
            actors=people.actors if people else (),
            network=item.network if isinstance(item, Show) else "",
            libraries=light.libraries,
            labels=tuple(sorted(light.labels)),
            collections=tuple(
                CollectionOfItem(
                    collection=line.key,
                    name=line.name,
                    slug=line.slug,
                    tag=line.tag,
                    **_fields(self._place(light, line, standing, last.get(line.key), known)),
                )
                for line, standing in self._about(light)
            ),
            history=history,
        )

    def _about(self, item: AnyItem) -> Iterator[tuple[CollectionLine, Standing]]:
        """The collections that are about an item."""
        row = self._columns.rows[item.key]
        for key, standing in self._decided.standings.items():
            if standing.concerns(row):
                yield self._lines[key], standing

    # For computing over all pairs

    def foresee(self, key: CollectionKey, threshold: float) -> WhatIf | None:
        """What the next run would do at another threshold, without the lines to copy.

        None for a collection that takes no part, or of which no library was read yet.
        """
        return foresee_from(self._sources, self._decided, key, threshold)

    def pairs(self, key: CollectionKey) -> Iterator[Pair]:
        """The pairs of a collection that matter to a person, in order of the items' rows.

        They are those with a confidence of their own, members, items with the tag, and those that a pin or a tag
        decides: all others are clear refusals, or not judged.
        """
        standing = self._decided.standings.get(key)
        if standing is None:
            return
        collection = standing.collection
        listed = {row for row, _ in self._columns.listed(collection.kind, collection.slug)}
        for row in standing.rows:
            item, gate, belongs = self._shelves.at(row), standing.gate(row), standing.belongs(row)
            is_tagged = collection.label in item.labels
            if belongs or is_tagged or gate or row in listed:
                decision = self._columns.decision(item.key, collection.slug)
                cause = gate or (Cause.UNDECIDED if decision is None else Cause.VERDICT)
                yield Pair(
                    item,
                    decision,
                    cause,
                    belongs,
                    is_tagged,
                    is_asked=standing.question(row) is not None,
                    tags=standing.tags.get(item.key, ()),
                    held=standing.changes.held.get(item.key),
                )

    def moves(self) -> Iterator[Moved]:
        """Every change of a tag that the runs which are kept have made."""
        return self._past.moves()

    def item_of(self, key: ItemKey) -> AnyItem | None:
        """An item without its texts; None where no library holds it."""
        return self._shelves.get(key)

    def held_as(self, key: ItemKey) -> tuple[tuple[str, ArrId], ...]:
        """The libraries that hold an item, in the order of the settings, each with its own id for it."""
        return self._shelves.held_as(key)

    def title_of(self, key: ItemKey) -> str:
        """The title of an item, which for one that has left all libraries is read from the disk; empty if unknown."""
        item = self._shelves.get(key)
        return item.title if item is not None else self._columns.in_full(key).title

    def decision(self, key: ItemKey, slug: Slug) -> Decision | None:
        """What is remembered of a pair, without the reason."""
        return self._columns.decision(key, slug)

    def decision_in_full(self, key: ItemKey, slug: Slug) -> Decision | None:
        """The same with its reason, read from the disk."""
        return self._columns.in_full(key).collections.get(slug)

    def is_pinned(self, key: ItemKey, slug: Slug) -> bool:
        """Whether a pin beside the state decides about a pair, and not one in the collection's block."""
        where = collection_key(kind_of(key), slug)
        item, standing = self._shelves.get(key), self._decided.standings.get(where)
        if item is None or standing is None or (key, where) not in self._pins:
            return False
        block = standing.collection
        return not any(ref.names(item) for ref in (*block.pins_in, *block.pins_out))

    def held_back(self, key: CollectionKey) -> frozenset[ItemKey]:
        """The items whose change the brake would hold back in the next run."""
        standing = self._decided.standings.get(key)
        return frozenset(standing.changes.held_back) if standing else frozenset()

    def moves_by_run(self, key: CollectionKey) -> Mapping[str, Moves]:
        """How many items each kept run has put into a collection and taken out of it, by the run's id."""
        return self._past.by_run(key)

    def facts(self, keys: Iterable[ItemKey]) -> dict[ItemKey, AnyItem]:
        """Items with their texts, read from the disk; those that no library holds are left out."""
        return {key: item for key in keys if (item := self._shelves.in_full(key)) is not None}


def _fields(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in Place.__struct_fields__}


def _waits_for(standing: Standing, key: ItemKey, row: int) -> tuple[str, ...]:
    question = standing.question(row)
    found = [str(question)] if question else []
    if row in standing.in_batch:
        found.append("batch")
    if key in standing.changes.planned:
        found.append("tag")
    if key in standing.changes.held_back:
        found.append("brake")
    if key in standing.changes.in_review:
        found.append("review")
    return tuple(found)
