"""Compare the meaning of a file before and after a correction, and judge whether only the intended entry changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from kometa_ai.kometa.block_keys import BLOCK_KEYS
from kometa_ai.kometa.checking.arrs import ARRS
from kometa_ai.kometa.checking.values import labels_in
from kometa_ai.kometa.markers import BARE_MARKER

if TYPE_CHECKING:
    from collections.abc import Sequence

MISSING: Final = object()
"""Stands for the value of a key that does not exist."""

_MOST_COMPARISONS = 1_000_000
_TAGLISTS = frozenset(arr.taglist for arr in ARRS)
_SYNC = "sync_mode"
_ORDER = "collection_order"
_WRITERS = frozenset(name for arr in ARRS for name in (arr.adds, arr.wipes, f"{arr.adds}.remove", arr.tags_new))
_DELETES = frozenset(arr.deletes for arr in ARRS)
_RENAMED = frozenset((arr.wipes, arr.adds) for arr in ARRS)
_DEPTH_OF_ATTRIBUTES = 3


class Change(NamedTuple):
    """A value that differs, with the path of keys that leads to it from the top of the file."""

    path: tuple[object, ...]
    old: object
    new: object

    @property
    def name(self) -> str:
        """The key in lower case, as Kometa looks it up."""
        return str(self.path[-1]).lower()


class _TooMuch(Exception):
    """The two differ in too many places, or are too large to compare."""


class _Comparison:
    """Compares two sets of data in parallel. Equal pairs are compared once, however many aliases repeat them.

    A list with any difference counts as one change of the whole list.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.changes: list[Change] = []
        self._equal: set[tuple[int, int]] = set()
        self._left = _MOST_COMPARISONS

    def compare(self, path: tuple[object, ...], old: object, new: object) -> None:
        self._left -= 1
        if self._left < 0 or len(self.changes) > self._most:
            raise _TooMuch
        pair = (id(old), id(new))
        if pair in self._equal:
            return
        before = len(self.changes)
        self._equal.add(pair)
        if isinstance(old, dict) and isinstance(new, dict):
            for key in [*old, *(key for key in new if key not in old)]:
                self.compare((*path, key), old.get(key, MISSING), new.get(key, MISSING))
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for number, (one, other) in enumerate(zip(old, new, strict=True)):
                self.compare((*path, number), one, other)
            if len(self.changes) > before:
                self.changes[before:] = [Change(path, old, new)]
        elif not _is_same_scalar(old, new):
            self.changes.append(Change(path, old, new))
        if len(self.changes) > before:
            self._equal.discard(pair)


def _is_same_scalar(old: object, new: object) -> bool:
    if isinstance(old, (dict, list)) or isinstance(new, (dict, list)):
        return False
    return old is new or (type(old) is type(new) and bool(old == new))


def changes_between(old: object, new: object, most: int = 10) -> list[Change] | None:
    """Where the data of a file differs, with anchors, aliases and merges resolved; None if in too many places."""
    comparison = _Comparison(most)
    try:
        comparison.compare((), old, new)
    except (_TooMuch, RecursionError):
        return None
    return comparison.changes


def is_meant(changes: Sequence[Change], collection: str) -> bool:
    """Whether these are changes that a correction may make, all in one place.

    `collection` is the collection that the correction is for; empty if it is for none.
    """
    if not changes:
        return True
    parents = {change.path[:-1] for change in changes if change.path}
    if len(parents) != 1 or not all(change.path for change in changes):
        return False
    (parent,) = parents
    root = parent[0] if parent else None
    return (
        is_new_name(changes)
        or all(change.new is MISSING and _is_of_a_block(change) for change in changes)
        or (root == "collections" and _is_for_collection(changes, collection))
        or (root in {"collections", "libraries"} and not collection and _is_about_writers(changes))
    )


def names_begun(changes: Sequence[Change]) -> set[str]:
    """The names of collections that Kometa finds only after the changes."""
    return {
        str(change.path[1])
        for change in changes
        if change.path[:1] == ("collections",) and len(change.path) == 2 and change.old in (MISSING, None)  # noqa: PLR2004
    }


def _is_of_a_block(change: Change) -> bool:
    """Whether the key can only come from a line of a block that lost its `#`. `libraries` is Kometa's own, too."""
    if change.name == "libraries" and isinstance(change.old, dict):
        return False
    return change.name in BLOCK_KEYS or bool(BARE_MARKER.fullmatch(change.name))


def is_new_name(changes: Sequence[Change]) -> bool:
    """Whether a collection only changed its name, from one that YAML does not read as text to one that it does."""
    gone = [change for change in changes if change.new is MISSING]
    come = [change for change in changes if change.old is MISSING]
    if len(changes) != len(gone) + len(come) or len(gone) != 1 or len(come) != 1 or len(gone[0].path) != 2:  # noqa: PLR2004
        return False
    old, new = gone[0].path[-1], come[0].path[-1]
    return (
        gone[0].path[0] == "collections"
        and not isinstance(old, str)
        and isinstance(new, str)
        and changes_between(gone[0].old, come[0].new) == []
    )


def _is_for_collection(changes: Sequence[Change], collection: str) -> bool:
    path = changes[0].path
    if len(path) < _DEPTH_OF_ATTRIBUTES:
        (change, *more) = changes
        if more or change.old is not None or not isinstance(change.new, dict) or str(path[1:2][0]) != collection:
            return False
        return all(_is_ours(Change((*path, key), MISSING, value)) for key, value in change.new.items())
    is_inside = len(path) == _DEPTH_OF_ATTRIBUTES and str(path[1]) == collection
    return is_inside and (all(map(_is_ours, changes)) or _is_of_other_service(changes))


def _is_of_other_service(changes: Sequence[Change]) -> bool:
    """Whether the taglist of one service went, or became that of the other with the same tags."""
    if len(changes) == 1:
        return changes[0].name in _TAGLISTS and changes[0].new is MISSING
    if len(changes) != 2:  # noqa: PLR2004 - the one that went and the one that came
        return False
    old, new = sorted(changes, key=lambda each: each.old is MISSING)
    is_renamed = old.new is MISSING and new.old is MISSING and {old.name, new.name} == _TAGLISTS
    return is_renamed and changes_between(old.old, new.new) == []


def _is_ours(change: Change) -> bool:
    """Whether an attribute now has the value that a block needs, and still holds the user's own tags."""
    if change.name == _SYNC:
        return str(change.new).lower() == "sync"
    if change.name == _ORDER:
        return change.new == "release"
    if change.name not in _TAGLISTS or change.new is MISSING:
        return False
    before = labels_in(change.old) if change.old is not MISSING else []
    mine = {label for label in labels_in(change.new) if not label.startswith("kai-")}
    return mine == {label for label in before if label and not label.startswith("kai-")}


def _is_about_writers(changes: Sequence[Change]) -> bool:
    """Whether an attribute that writes tags lost some of them, was removed, or now only adds tags."""
    change, *more = changes
    if more:  # the attribute was renamed
        old, new, *others = sorted(changes, key=lambda each: each.old is MISSING)
        renamed = (old.name, new.name) in _RENAMED and not others
        return renamed and new.old is MISSING and old.new is MISSING and changes_between(old.old, new.new) == []
    if change.name in _DELETES:
        return change.new is MISSING
    if change.name not in _WRITERS or change.old is MISSING:
        return False
    return change.new is MISSING or bool(set(labels_in(change.new)) < set(labels_in(change.old)))
