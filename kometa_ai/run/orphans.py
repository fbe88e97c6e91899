"""Find tags on items that no collection manages any more, whose they were, and what to do about them. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kometa_ai.core.collection import kind_in
from kometa_ai.core.item import kind_of
from kometa_ai.core.naming import Label, label_of
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Orphan, RunReport
from kometa_ai.judging.mutual import Managed, managed_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.run.results import Reading, RunResults
    from kometa_ai.state.schema import CollectionStatus

    Statuses = Mapping[CollectionKey, CollectionStatus]


def orphans(results: RunResults, known: Statuses) -> tuple[Orphan, ...]:
    """The tags that items still have of collections that are gone or switched off, or that had another tag before.

    A collection that cannot be read now has no orphans, and while any file cannot be read none that came from it has.
    """
    tagged = Counter((kind_of(item.key), label) for item in results.items for label in item.labels)
    folder = results.reading.folder
    cared_for = {managed_tag(collection) for collection in folder.collections}
    cared_for |= {(kind, other.label) for other in folder.skipped for kind in other.kinds}
    seen: dict[Managed, Orphan] = {}
    for name, tag, why, instead in (*_switched_off(folder), *_left_behind(folder, known)):
        if tagged[tag] and tag not in cared_for and tag not in seen:
            kind, label = tag
            remedy = f"{instead}{_remedy(results, tag)}"
            seen[tag] = Orphan(name=name, kind=kind, tag=label, members=tagged[tag], why=why, remedy=remedy)
    return tuple(seen.values())


def _remedy(results: RunResults, tag: Managed) -> str:
    kind, label = tag
    having = [
        library.title
        for library in results.reading.libraries
        if library.kind == kind and any(label in item.labels for item in results.contents.get(library.name, ()))
    ]
    return (
        f"To be rid of it, in {' and in '.join(having)}: filter the {kind}s by this tag, select them all, "
        "and remove it with Edit, Tags."
    )


def _switched_off(folder: Folder) -> Iterator[tuple[str, Managed, str, str]]:
    for other in folder.disabled:
        for kind in other.kinds:
            yield other.name, (kind, other.label), "it is switched off", ""


def _left_behind(folder: Folder, known: Statuses) -> Iterator[tuple[str, Managed, str, str]]:
    """What the state knows of: collections that have gone, and tags that collections had before; with a way back."""
    now = {collection.key: collection.label for collection in folder.collections}
    now |= {key: other.label for other in (*folder.disabled, *folder.unserved) for key in other.keys}
    # A file holds a name once: a collection of another kind there is the same one, whose kind has changed.
    by_place = {(one.source, one.name): one for one in folder.collections}
    unreadable = {key for other in folder.skipped for key in other.keys}
    for key, status in known.items():
        if key in unreadable or (key not in now and folder.may_hide(status.source)):
            continue
        why, instead = "it is no longer in Kometa's folder", ""
        if key in now:
            why = f"its tag is {now[key]} now"
        elif one := by_place.get((status.source, status.name)):
            was = kind_in(key)
            why = f"its block is about {one.kind}s now ({one.kind_because})"
            instead = f"If it is to be about {was}s, write `media: {was}s` into its block. "
        for label in tags_of(status):
            if label != now.get(key):
                yield status.name, (kind_in(key), label), why, instead


def adopted_tags(folder: Folder, statuses: Statuses) -> Iterator[Problem]:
    """Warn of each collection whose `tag:` items still have from a collection that is gone."""
    there = _keys(folder)
    left = {
        (kind_in(key), label): status.name
        for key, status in statuses.items()
        if key not in there
        for label in tags_of(status)
    }
    for collection in folder.collections:
        if (name := left.get(managed_tag(collection))) is not None and collection.key not in statuses:
            yield Problem(
                what=f"its tag {collection.label} is the one that the collection {name!r}, which is gone, has left on "
                f"{collection.kind}s. They become its members, and those that do not belong lose the tag.",
                remedy="If that is not meant, give it another tag.",
                source=collection.source,
                line=collection.line,
                collection=collection.name,
                severity="warning",
            )


def tags_of(status: CollectionStatus) -> tuple[Label, ...]:
    """Every tag that a collection may have left on items: its last one, and those before it."""
    return (label_of(status.tag), *map(label_of, status.former_tags))


def may_be_managed(label: Label, key: CollectionKey, folder: Folder, known: Statuses) -> bool:
    """Whether a label may still be this collection's: it is, or the collection cannot be read at the moment."""
    for collection in folder.collections:
        if collection.key == key:
            return collection.label == label
    if any(key in other.keys for other in (*folder.disabled, *folder.unserved)):
        return False
    if any(key in other.keys for other in folder.skipped):
        return True
    status = known.get(key)
    return folder.may_hide(status.source) if status else bool(folder.unreadable_files)


def former_tags(collection: Collection, before: CollectionStatus | None, results: RunResults) -> tuple[str, ...]:
    """The tags that the collection had before, as long as an item still has them, or may have where it was not read."""
    if before is None:
        return ()
    labels = [label for label in dict.fromkeys(tags_of(before)) if label != collection.label]
    if collection.kind not in results.reading.whole:
        return tuple(labels)
    return tuple(
        label
        for label in labels
        if any(label in item.labels for item in results.items if kind_of(item.key) == collection.kind)
    )


def _keys(folder: Folder) -> frozenset[CollectionKey]:
    """The keys of all collections in Kometa's folder; of one whose kind is not known, each that may be its own."""
    others = (*folder.disabled, *folder.unserved, *folder.skipped)
    keys = {key for other in others for key in other.keys}
    return frozenset(keys.union(collection.key for collection in folder.collections))


def departed(report: RunReport, reading: Reading, known: Statuses) -> list[CollectionKey]:
    """Collections of the state that are no longer in Kometa's folder and whose last tag is gone from every library."""
    folder = reading.folder
    if folder.unreadable_files:
        return []
    there = _keys(folder)
    orphaned = {(orphan.kind, label_of(orphan.tag)) for orphan in report.orphans}
    return [
        key
        for key, status in known.items()
        if key not in there
        and not folder.may_hide(status.source)
        and kind_in(key) in reading.whole
        and orphaned.isdisjoint((kind_in(key), label) for label in tags_of(status))
    ]
