"""Find the managed tags that a person put on or took off by hand in a library, since a run left it. Pure.

Not every difference is one: a service has rules and a housekeeping of its own, and a database may have been restored.
Where that may be so nothing is taken for a person's, and `Unclear` says why.

Why: docs/decisions/0020-hand-edits.md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.item import ArrId, ItemKey, order_of
from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.naming import CollectionKey, Label

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import Kind

FEW = 5
"""Up to this many differences of one collection are never too many for a person."""

Differences = Mapping[CollectionKey, Mapping[ItemKey, bool]]
"""The items of each collection whose tag differs from how a run left it; whether it is there now."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """How the last run left a library, and when.

    `managed` are the labels that it cared for, each with its collection, and `labels` those of them that each item had.
    `rows` are the ids that items had in the service: one that was deleted and added again has another.
    `ours` are the pairs that the program has changed since, or may have: a run that was killed did not say. `doubt` is
    why this cannot be relied on, empty where it can.
    """

    at: datetime
    managed: Mapping[Label, CollectionKey]
    labels: Mapping[ItemKey, frozenset[Label]]
    rows: Mapping[ItemKey, ArrId] = {}
    ours: AbstractSet[tuple[ItemKey, Label]] = frozenset()
    doubt: str = ""


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """What a library is now: its items, its tags, and its own rules that put tags on and take them off.

    `rules` name for each label those that do, and are None where they could not be read.
    """

    items: Sequence[AnyItem]
    tags: AbstractSet[Label]
    rules: Mapping[Label, tuple[str, ...]] | None = None


class HandEdit(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that a person put on (`include`) or took off, and the names of the libraries in which."""

    key: ItemKey
    collection: CollectionKey
    include: bool
    libraries: tuple[str, ...]


class Why(StrEnum):
    """Why differences are not taken for a person's, or are not followed."""

    DOUBT = "doubt"
    NO_TAG = "no tag"
    MANY = "many"
    RULES_UNREAD = "rules unread"
    RULE = "rule"
    CONTRADICTION = "contradiction"
    BLOCK = "block"


class Unclear(msgspec.Struct, frozen=True, kw_only=True):
    """Differences of one collection that pin nothing. `items` says whether each has the tag now.

    `library` is where, and empty for several. `detail` names the rules or the doubt, `before` counts the members that
    the collection had there.
    """

    collection: CollectionKey
    items: Mapping[ItemKey, bool]
    why: Why
    library: str = ""
    detail: str = ""
    before: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The hand edits, and what looks like some and is not."""

    edits: tuple[HandEdit, ...] = ()
    unclear: tuple[Unclear, ...] = ()


def cares(collections: Iterable[Collection], library: str, kind: Kind) -> dict[Label, CollectionKey]:
    """The labels that are managed in a library of this kind, each with its collection."""
    return {each.label: each.key for each in collections if each.kind == kind and each.is_for(each.kind, library)}


def differences(left: Left, items: Iterable[AnyItem], managed: Mapping[Label, CollectionKey]) -> Differences:
    """The tags of a library that differ from how it was left, and that no run of ours has changed.

    They are of items that were there both times, and of collections that cared for the same label then and do now.
    """
    labels = frozenset(label for label, key in left.managed.items() if managed.get(label) == key)
    found: dict[CollectionKey, dict[ItemKey, bool]] = {}
    for item in items:
        before = left.labels.get(item.key)
        if left.rows.get(item.key, item.arr_id) != item.arr_id:
            continue  # it is another entry, which begins without the tags of the one before
        if before is None or (changed := (before ^ item.labels) & labels) == frozenset():
            continue
        for label in changed:
            if (item.key, label) not in left.ours:
                found.setdefault(managed[label], {})[item.key] = label in item.labels
    return found


def judge(
    found: Mapping[str, Differences],
    left: Mapping[str, Left],
    now: Mapping[str, Now],
    collections: Iterable[Collection],
    limit: int,
) -> Found:
    """Tell hand edits from what only looks like them.

    `found`, `left` and `now` are by the name of the library, `limit` is the brake's percentage of a collection's
    members: more differences than that at once are no person's, and neither are those that a rule may have made.
    """
    by_key = {each.key: each for each in collections}
    unclear: list[Unclear] = []
    seen: dict[CollectionKey, dict[ItemKey, dict[str, bool]]] = {}
    for library, of_library in found.items():
        for key, items in of_library.items():
            label, before = by_key[key].label, left[library]
            if doubt := _doubt(label, items, before, now[library], limit):
                why, detail = doubt
                members = _members(label, before)
                unclear.append(
                    Unclear(collection=key, items=items, why=why, library=library, detail=detail, before=members)
                )
                continue
            for item, is_on in items.items():
                seen.setdefault(key, {}).setdefault(item, {})[library] = is_on
    edits: list[HandEdit] = []
    for key, places in seen.items():
        weighed = _weighed(by_key[key], places, _items(now, places))
        edits += weighed.edits
        unclear += weighed.unclear
    return Found(edits=tuple(edits), unclear=tuple(unclear))


def _doubt(label: Label, items: Mapping[ItemKey, bool], left: Left, now: Now, limit: int) -> tuple[Why, str] | None:
    """Why the differences of a collection in one library may be no hand edits, with the detail."""
    if left.doubt:
        return Why.DOUBT, left.doubt
    if label not in now.tags:
        return Why.NO_TAG, ""
    if len(items) > FEW and len(items) * 100 > limit * _members(label, left):
        return Why.MANY, ""
    if now.rules is None:
        return Why.RULES_UNREAD, ""
    return (Why.RULE, ", ".join(names)) if (names := now.rules.get(label)) else None


def _members(label: Label, left: Left) -> int:
    return sum(label in labels for labels in left.labels.values())


def _items(now: Mapping[str, Now], keys: Container[ItemKey]) -> Mapping[ItemKey, AnyItem]:
    """These items, each as the first library tells of it that holds it."""
    found: dict[ItemKey, AnyItem] = {}
    for each in now.values():
        found = {item.key: item for item in each.items if item.key in keys} | found
    return found


def _weighed(
    collection: Collection, places: Mapping[ItemKey, Mapping[str, bool]], items: Mapping[ItemKey, AnyItem]
) -> Found:
    """The hand edits of one collection: those that libraries agree on, and that its block has not decided."""
    edits: list[HandEdit] = []
    unclear: dict[Why, dict[ItemKey, bool]] = {}
    for key, by_library in sorted(places.items(), key=lambda place: order_of(place[0])):
        include = any(by_library.values())
        pinned = _pinned(collection, items[key])
        if include and not all(by_library.values()):
            unclear.setdefault(Why.CONTRADICTION, {})[key] = include
        elif pinned is None:
            edits.append(HandEdit(key=key, collection=collection.key, include=include, libraries=tuple(by_library)))
        elif pinned is not include:
            unclear.setdefault(Why.BLOCK, {})[key] = include
    return Found(
        edits=tuple(edits),
        unclear=tuple(Unclear(collection=collection.key, items=of, why=why) for why, of in unclear.items()),
    )


def _pinned(collection: Collection, item: AnyItem) -> bool | None:
    """What the block says of the item, if it pins it."""
    if any(ref.names(item) for ref in collection.pins_out):
        return False
    return True if any(ref.names(item) for ref in collection.pins_in) else None
