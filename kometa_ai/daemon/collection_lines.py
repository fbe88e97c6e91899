"""Make the line of each collection: those that take part, with counts, then those that do not, each with why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.collection import kind_in
from kometa_ai.core.item import Kind, kind_of
from kometa_ai.core.naming import CollectionKey, Label, Slug, label_of
from kometa_ai.daemon.listing import CollectionLine, Counts
from kometa_ai.run.orphans import orphans
from kometa_ai.run.results import Reading, RunResults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kometa_ai.core.collection import Collection, OtherCollection
    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import Orphan
    from kometa_ai.daemon.listing import State
    from kometa_ai.daemon.lists import Lists
    from kometa_ai.daemon.standing import Decided, Sources


class _Unmanaged(NamedTuple):
    """A collection that takes no part, and why."""

    name: str
    slug: Slug
    label: Label
    state: State
    why: str
    source: str = ""
    line: int = 0


def lines_of(sources: Sources, decided: Decided, lists: Lists) -> Mapping[CollectionKey, CollectionLine]:
    """The line of every collection that there is or that has left something: those that take part first."""
    return _Lines(sources, decided, lists).all()


class _Lines:
    def __init__(self, sources: Sources, decided: Decided, lists: Lists) -> None:
        self._columns, self._shelves, self._folder = sources.columns, sources.shelves, sources.folder
        self._decided = decided
        self._lists = lists
        self._tagged = Counter((kind_of(item.key), label) for item in self._shelves.items for label in item.labels)

    def all(self) -> Mapping[CollectionKey, CollectionLine]:
        """The lines by their keys."""
        statuses = self._columns.head.collections
        found: dict[CollectionKey, CollectionLine] = {}
        for each in self._folder.collections:
            is_decided = each.key in self._decided.standings
            status = statuses.get(each.key)
            found[each.key] = CollectionLine(
                key=each.key,
                slug=each.slug,
                kind=each.kind,
                name=each.name,
                tag=each.label,
                state="on" if is_decided else "waiting",
                why="" if is_decided else "What a library of it holds is not known: no run has read it yet.",
                threshold=each.confidence_threshold,
                priority=each.priority,
                source=each.source,
                line=each.line,
                counts=self._counts(each) if is_decided else Counts(tagged=self._tagged[each.kind, each.label]),
                progress=status.status if status else "",
                last_run=status.last_run if status else None,
                problems=self._problems(each.source, each.name),
            )
        left = self._orphans()
        for key, other in self._unmanaged():
            orphan = left.get((kind_in(key), other.label))
            found[key] = CollectionLine(
                key=key,
                slug=other.slug,
                kind=kind_in(key),
                name=other.name,
                tag=other.label,
                state=other.state,
                why=f"{other.why} {orphan.remedy}" if orphan else other.why,
                source=other.source,
                line=other.line,
                counts=Counts(tagged=self._tagged[kind_in(key), other.label]),
                problems=self._problems(other.source, other.name),
            )
        return found

    def _unmanaged(self) -> Iterator[tuple[CollectionKey, _Unmanaged]]:
        folder = self._folder
        groups: tuple[tuple[Sequence[OtherCollection], State, str], ...] = (
            (folder.disabled, "off", "It is switched off: its block lacks `enabled: true`."),
            (folder.skipped, "skipped", "It is skipped because of a problem in Kometa's folder."),
            (folder.unserved, "without library", "No library of its kind is set up."),
        )
        there = {each.key for each in self._folder.collections}
        for others, state, why in groups:
            for each in others:
                for key in each.keys:
                    if key not in there:
                        there.add(key)
                        yield (
                            key,
                            _Unmanaged(each.name, each.slug, each.label, state, why, each.source, each.line),
                        )
        for key, status in self._columns.head.collections.items():
            if key not in there:
                why = "It is no longer in Kometa's folder."
                slug = Slug(key.removeprefix("show:"))
                yield key, _Unmanaged(status.name, slug, label_of(status.tag), "gone", why, status.source)

    def _orphans(self) -> Mapping[tuple[Kind, str], Orphan]:
        reading = Reading(libraries=self._shelves.libraries, items=self._shelves.items, folder=self._folder)
        found = orphans(RunResults(reading=reading), self._columns.head.collections)
        return {(orphan.kind, orphan.tag): orphan for orphan in found}

    def _problems(self, source: str, name: str) -> tuple[Problem, ...]:
        folder = self._folder
        return tuple(
            each
            for each in (*folder.problems, *folder.warnings, *folder.hints)
            if each.collection == name and each.source == source
        )

    def _counts(self, collection: Collection) -> Counts:
        standing = self._decided.standings[collection.key]
        tally = standing.tally()
        return Counts(
            members=tally.members + sum(self._lists.is_member(standing, row) for row in standing.undecided),
            tagged=self._tagged[collection.kind, collection.label],
            pending=tally.pending,
            near=len(self._lists.of_standing("near", standing)),
            pinned=tally.pinned,
            tag=tally.by_tag,
            unjudged=tally.unjudged,
            held_back=len(standing.changes.held_back),
        )
