"""Find tags on movies that no collection manages any more, whose they were, and what to do about them. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kometa_ai.core.naming import Label, label_of
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Orphan, RunReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import Slug
    from kometa_ai.run.results import RunResults
    from kometa_ai.state.schema import CollectionStatus

    Statuses = Mapping[Slug, CollectionStatus]

_REMEDY = "To be rid of it, in Radarr: filter the movies by this tag, select them all, and remove it with Edit, Tags."


def orphans(results: RunResults, known: Statuses) -> tuple[Orphan, ...]:
    """The tags that movies still have of collections that are gone or switched off, or that had another tag before.

    A collection that cannot be read now has no orphans, and while any file cannot be read none that came from it has.
    """
    tagged = Counter(label for movie in results.movies for label in movie.labels)
    folder = results.reading.folder
    cared_for = {collection.label for collection in folder.collections} | {other.label for other in folder.skipped}
    seen: dict[Label, Orphan] = {}
    for name, label, why in (*_switched_off(folder), *_left_behind(folder, known)):
        if tagged[label] and label not in cared_for and label not in seen:
            seen[label] = Orphan(name=name, tag=label, members=tagged[label], why=why, remedy=_REMEDY)
    return tuple(seen.values())


def _switched_off(folder: Folder) -> Iterator[tuple[str, Label, str]]:
    for other in folder.disabled:
        yield other.name, other.label, "it is switched off"


def _left_behind(folder: Folder, known: Statuses) -> Iterator[tuple[str, Label, str]]:
    """What the state knows of: collections that have gone, and tags that collections had before."""
    now = {collection.slug: collection.label for collection in folder.collections}
    now |= {other.slug: other.label for other in folder.disabled}
    unreadable = {other.slug for other in folder.skipped}
    for slug, status in known.items():
        if slug in unreadable or (slug not in now and folder.may_hide(status.source)):
            continue
        why = f"its tag is {now[slug]} now" if slug in now else "it is no longer in Kometa's folder"
        for label in tags_of(status):
            if label != now.get(slug):
                yield status.name, label, why


def adopted_tags(folder: Folder, statuses: Statuses) -> Iterator[Problem]:
    """Warn of each collection whose `tag:` movies still have from a collection that is gone."""
    there = {collection.slug for collection in folder.collections}
    there |= {other.slug for other in (*folder.disabled, *folder.skipped)}
    left = {label: status.name for slug, status in statuses.items() if slug not in there for label in tags_of(status)}
    for collection in folder.collections:
        if collection.label in left and collection.slug not in statuses:
            name = left[collection.label]
            yield Problem(
                what=f"its tag {collection.label} is the one that the collection {name!r}, which is gone, has left on "
                "movies. They become its members, and those that do not belong lose the tag.",
                remedy="If that is not meant, give it another tag.",
                source=collection.source,
                line=collection.line,
                collection=collection.name,
                severity="warning",
            )


def tags_of(status: CollectionStatus) -> tuple[Label, ...]:
    """Every tag that a collection may have left on movies: its last one, and those before it."""
    return (label_of(status.tag), *map(label_of, status.former_tags))


def former_tags(collection: Collection, before: CollectionStatus | None, movies: Iterable[AnyItem]) -> tuple[str, ...]:
    """The tags that the collection had before, as long as a movie still has them."""
    if before is None:
        return ()
    labels = {label for movie in movies for label in movie.labels}
    return tuple(label for label in dict.fromkeys(tags_of(before)) if label != collection.label and label in labels)


def departed(report: RunReport, folder: Folder, known: Statuses) -> list[Slug]:
    """Collections of the state that are no longer in Kometa's folder and whose last tag is gone."""
    if folder.unreadable_files:
        return []
    there = {c.slug for c in folder.collections} | {c.slug for c in (*folder.disabled, *folder.skipped)}
    orphaned = {label_of(orphan.tag) for orphan in report.orphans}
    return [slug for slug, status in known.items() if slug not in there and orphaned.isdisjoint(tags_of(status))]
