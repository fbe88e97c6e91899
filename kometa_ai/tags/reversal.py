"""Plan the reverse of a run's tag changes: what something else has overtaken, and which pins say otherwise. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from kometa_ai.core.changes import Change, TagChange
from kometa_ai.core.choice import Choices, Pin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.report import RunReport


class Reversal(msgspec.Struct, frozen=True, kw_only=True):
    """The reverse of a run's changes, and those of its changes that something else has overtaken."""

    changes: tuple[Change, ...] = ()
    left: tuple[TagChange, ...] = ()


def plan_reversal(undone: RunReport, contents: Mapping[str, Iterable[AnyItem]]) -> Reversal:
    """The reverse of each change of a run whose item still is as the run has left it. Pure.

    `contents` are the items of each library that can be used, by its name.
    """
    by_place = {(name, item.key): item for name, items in contents.items() for item in items}
    names = {collection.key: collection.name for collection in undone.collections}
    changes: list[Change] = []
    left: list[TagChange] = []
    for change in undone.changes:
        if change.library not in contents:
            continue
        movie = by_place.get((change.library, change.key))
        if movie is None or (change.tag in movie.labels) is not (change.operation == "add"):
            left.append(change)
            continue
        opposite: Literal["add", "remove"] = "remove" if change.operation == "add" else "add"
        changes.append(
            Change(
                movie=movie,
                slug=change.collection,
                collection_name=names.get(change.collection_key, change.collection),
                label=change.tag,
                library=change.library,
                operation=opposite,
            )
        )
    return Reversal(changes=tuple(changes), left=tuple(left))


def undone_by(undone: RunReport, plan: Reversal, made: Iterable[TagChange]) -> str:
    """The earlier undo that took back all changes of a run; empty if there is more to it. Pure."""
    latest = {(change.library, change.key, change.tag): change for change in made}
    found = [latest.get((change.library, change.key, change.tag)) for change in plan.left]
    by = {change.run_id if change and change.undoes == undone.run_id else "" for change in found}
    return by.pop() if len(by) == 1 and len(plan.left) == len(undone.changes) else ""


class Opposed(NamedTuple):
    """The pins that say the opposite of what taking a run back does: it replaces some, and others stay."""

    replaced: tuple[Pin, ...] = ()
    kept: tuple[Pin, ...] = ()

    def about(self, changes: Iterable[Change]) -> Opposed:
        """Those of them that are about some of the changes."""
        pairs = {(change.movie.key, change.slug) for change in changes}
        return Opposed(*(tuple(pin for pin in pins if pin.pair in pairs) for pins in self))


def opposed(undone: RunReport, changes: Iterable[Change], choices: Choices) -> Opposed:
    """The pins that say the opposite of changes which take a run back. Pure."""
    wanted = {(change.movie.key, change.slug): change.operation == "add" for change in changes}
    against = tuple(pin for pin in choices.pins if wanted.get(pin.pair, pin.include) is not pin.include)
    if undone.kind != "undo":
        return Opposed(replaced=against)
    return Opposed(kept=tuple(pin for pin in against if not is_made_by(undone, pin)))


def is_made_by(undone: RunReport, pin: Pin) -> bool:
    """Whether an undo has made a pin. Older ones do not say which undo it was."""
    return pin.origin == "undo" and pin.run_id in ("", undone.run_id)
