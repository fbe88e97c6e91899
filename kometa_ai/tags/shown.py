"""Limit a plan to the changes that a dry run has shown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from kometa_ai.core.item import ItemKey, kind_of
from kometa_ai.core.naming import CollectionKey
from kometa_ai.errors import FixUsage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.changes import Change, TagPlan
    from kometa_ai.core.report import CollectionReport, MovieLine, RunReport


class Place(NamedTuple):
    """One change, told from all others: whose tag, on which item, in which library, and which way."""

    collection: CollectionKey
    item: ItemKey
    operation: Literal["add", "remove"]
    library: str


class Shown(NamedTuple):
    """The changes that a dry run has shown. What the brake held back in it was not shown as a change."""

    run_id: str
    places: AbstractSet[Place]

    def within(self, plan: TagPlan) -> TagPlan:
        """The plan without the changes that were not shown; these are its `unshown`."""
        unshown = tuple(change for change in plan.changes if _place(change) not in self.places)
        if not unshown:
            return plan
        changes = tuple(change for change in plan.changes if _place(change) in self.places)
        return msgspec.structs.replace(plan, changes=changes, unshown=unshown)


def shown_by(report: RunReport) -> Shown:
    """What a dry run has shown. Raise FixUsage for the report of any other run."""
    if not report.dry_run or report.kind != "run":
        what = "an undo" if report.kind == "undo" else "no dry run"
        raise FixUsage(f"The run {report.run_id} was {what}.", "Do a dry run, and name that one.")
    return Shown(report.run_id, frozenset(_places(report)))


def _place(change: Change) -> Place:
    return Place(change.collection, change.movie.key, change.operation, change.library)


def _places(report: RunReport) -> Iterator[Place]:
    for collection in report.collections:
        for line in collection.added:
            yield from _places_of(line, collection, "add", report)
        for line in collection.removed:
            yield from _places_of(line, collection, "remove", report)


def _places_of(
    line: MovieLine, collection: CollectionReport, operation: Literal["add", "remove"], report: RunReport
) -> Iterator[Place]:
    """The changes that a line of the report stands for. It names no library where there is one of its kind."""
    kind = kind_of(line.key)
    for library in line.libraries or [each.name for each in report.libraries if each.kind == kind]:
        yield Place(collection.key, line.key, operation, library)
