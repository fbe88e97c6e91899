"""Compute from the index's sources what another threshold would do, over those items alone that it can touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.item import ItemKey, kind_of
from kometa_ai.daemon.standing import Decided, Sources, known_of
from kometa_ai.jobs.whatif import Basis, foresee
from kometa_ai.judging.whatif import touched_by
from kometa_ai.library.port import Contents
from kometa_ai.run.results import Reading

if TYPE_CHECKING:
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.jobs.whatif import WhatIf


def foresee_from(sources: Sources, decided: Decided, key: CollectionKey, threshold: float) -> WhatIf | None:
    """What the next run would do at another threshold; None for a collection that is not decided."""
    found = next((each for each in decided.collections if each.key == key), None)
    if found is None:
        return None
    columns, shelves = sources.columns, sources.shelves
    kept, left_out = _touched_by(sources, decided, found)
    known = known_of(sources, [item for item in shelves.items if item.key in kept])
    # Looked up five times for each item, and each time made of the columns.
    known = known._replace(memory={item.key: known.memory[item.key] for item in known.movies})
    libraries = tuple(
        msgspec.structs.replace(
            each,
            contents=Contents(items=tuple(item for item in each.contents.items if item.key in kept)),
        )
        if each.contents
        else each
        for each in shelves.libraries
    )
    reading = Reading(libraries=libraries, items=known.movies, folder=sources.folder, collections=decided.collections)
    basis = Basis(known, reading, columns.head.collections, sources.rules, sources.now, columns.decision, left_out)
    return foresee(found, threshold, basis)


def _touched_by(sources: Sources, decided: Decided, collection: Collection) -> tuple[frozenset[ItemKey], int]:
    """The items that another threshold of a collection may touch, and how many of its own these are not.

    Nothing moves what each of the collections that the threshold touches refuses outright: see `Basis.left_out`.
    """
    about = touched_by(collection, sources.folder.collections)
    standings = [decided.standings.get(key) for key in sorted(about)]
    items = [item for item in sources.shelves.items if kind_of(item.key) == collection.kind]
    if None in standings:  # one is about a library that no run has read yet
        return frozenset(item.key for item in items), 0
    there = [each for each in standings if each is not None]
    labels = {each.collection.label for each in there}
    kept = {item.key for item in items if not labels.isdisjoint(item.labels)}
    for standing in there:
        refused = sources.columns.refused(collection.kind, standing.collection.slug)
        kept |= {sources.shelves.at(row).key for row in standing.not_plain(refused)}
    own = decided.standings[collection.key]
    rows = sources.columns.rows
    return frozenset(kept), sum(own.concerns(rows[item.key]) for item in items if item.key not in kept)
