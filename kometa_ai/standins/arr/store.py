"""Keep a stand-in's database. Single statements are atomic, and nothing else is.

As in the programs, every writer saves the whole row of an item, and there are no transactions and no row versions: a
writer that saves an old row overwrites what others did since.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence


class DuplicateLabel(Exception):
    """The unique index on the label of a tag refused a row."""


class Rule(Protocol):
    """An auto tagging rule: its target tags, its condition on a tag, and its other conditions by kind."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The labels that it sets."""

    @property
    def remove_tags_automatically(self) -> bool:
        """Whether an item that does not match loses them."""

    @property
    def tag(self) -> str | None:
        """The label that it asks for."""

    def conditions(self) -> Sequence[tuple[str, object]]:
        """Kind and value of each condition but that on a tag; a value that is empty stands for no condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An item's row."""

    id: int
    tags: frozenset[int]


_Row = TypeVar("_Row", bound=Row)
_Rule = TypeVar("_Rule", bound=Rule)
_Item = TypeVar("_Item")


class Store(ABC, Generic[_Row, _Rule]):
    """Items and tags. Ids only grow and are never used again."""

    def __init__(self, rules: Collection[_Rule] = (), tags_in_settings: Iterable[str] = ()) -> None:
        self._lock = threading.RLock()
        self._next_tag = 1
        self._rows: dict[int, _Row] = {}
        self._tags: dict[int, str] = {}
        self.rules = tuple(rules)
        self.refreshes = 0
        self.used_by_settings = frozenset(self.ensure_tag(label) for label in tags_in_settings)
        self._rule_targets: list[frozenset[int]] = []
        self._rule_conditions: list[int | None] = []
        self._number_rules()

    @abstractmethod
    def row_by_number(self, number: int) -> _Row | None:
        """The item with this number of the metadata's site, if it is in the library."""

    @abstractmethod
    def number(self, row: _Row) -> int:
        """The item's number at the metadata's site."""

    @abstractmethod
    def delete(self, item_id: int) -> None:
        """Remove an item; its tags stay."""

    @abstractmethod
    def _applies(self, rule: _Rule, row: _Row, labels: frozenset[str]) -> bool:
        """Whether a rule applies to an item that carries these tags."""

    # Items

    def rows(self) -> list[_Row]:
        """Every item in the order of the database."""
        with self._lock:
            return list(self._rows.values())

    def row(self, item_id: int) -> _Row | None:
        """One item, if it exists."""
        with self._lock:
            return self._rows.get(item_id)

    def rows_of(self, item_ids: Collection[int]) -> list[_Row]:
        """Those of these items that exist, each once, in the order of the database."""
        with self._lock:
            return [self._rows[item_id] for item_id in sorted(set(item_ids)) if item_id in self._rows]

    def update(self, row: _Row) -> None:
        """Save a whole row; nothing happens if the item was removed."""
        with self._lock:
            if row.id in self._rows:
                self._rows[row.id] = row

    # Tags

    def labels(self) -> dict[int, str]:
        """A copy of the tag table: id to label."""
        with self._lock:
            return dict(self._tags)

    def labels_of(self, row: _Row) -> frozenset[str]:
        """The labels of an item's tags, without ids that no longer name a tag."""
        labels = self.labels()
        return frozenset(labels[tag] for tag in row.tags if tag in labels)

    def tag_id(self, label: str) -> int | None:
        """The tag with exactly this label: the look-up is case-sensitive."""
        with self._lock:
            return next((tag for tag, known in self._tags.items() if known == label), None)

    def insert_tag(self, label: str) -> int:
        """Add a tag; return its id. Raises DuplicateLabel."""
        with self._lock:
            if self.tag_id(label) is not None:
                raise DuplicateLabel
            tag = self._next_tag
            self._next_tag += 1
            self._tags[tag] = label
            return tag

    def ensure_tag(self, label: str) -> int:
        """The id of the tag with this label in lower case, created if it is missing."""
        with self._lock:
            known = self.tag_id(label.lower())
            return self.insert_tag(label.lower()) if known is None else known

    def rename_tag(self, tag: int, label: str) -> None:
        """Change a label; nothing happens if the tag was removed. Raises DuplicateLabel."""
        with self._lock:
            if self.tag_id(label) not in {None, tag}:
                raise DuplicateLabel
            if tag in self._tags:
                self._tags[tag] = label

    def delete_tag(self, tag: int) -> None:
        """Remove a tag, and leave its id on the items that have it."""
        with self._lock:
            self._tags.pop(tag, None)

    def items_with(self, tag: int) -> list[int]:
        """The ids of the items that carry a tag."""
        return [row.id for row in self.rows() if tag in row.tags]

    def rules_with(self, tag: int, *, conditions: bool) -> list[int]:
        """The ids of the auto tagging rules that set a tag or (with `conditions`) ask for it."""
        return [
            number
            for number, (targets, condition) in enumerate(
                zip(self._rule_targets, self._rule_conditions, strict=True), start=1
            )
            if tag in targets or (conditions and tag == condition)
        ]

    def rules_by_id(self) -> list[tuple[_Rule, frozenset[int], int | None]]:
        """Every auto tagging rule with the ids of the tags that it sets, and of the one that it asks for."""
        return list(zip(self.rules, self._rule_targets, self._rule_conditions, strict=True))

    def housekeeping(self) -> None:
        """Delete every tag that no item, setting or rule uses, as the programs do once a day."""
        with self._lock:
            used = self.used_by_settings.union(
                self._rule_conditions, *self._rule_targets, *(row.tags for row in self._rows.values())
            )
            self._tags = {tag: label for tag, label in self._tags.items() if tag in used}

    def auto_tagged(self, row: _Row) -> _Row:
        """The row after the auto tagging rules: removals first, then additions."""
        if not self.rules:
            return row
        labels = self.labels_of(row)
        add: frozenset[int] = frozenset()
        remove: frozenset[int] = frozenset()
        for rule, targets in zip(self.rules, self._rule_targets, strict=True):
            if self._applies(rule, row, labels):
                add |= targets
            elif rule.remove_tags_automatically:
                remove |= targets
        return replace(row, tags=(row.tags - remove) | add)

    def _renumber_tags(self) -> dict[int, str]:
        """Give every tag another id, its neighbour's where there is one; returns the old table."""
        labels, self._tags = self._tags, {}
        if len(labels) > 1:
            self._next_tag = 1
        for label in rotated(list(labels.values())):
            self.insert_tag(label)
        self.used_by_settings = frozenset(self.ensure_tag(labels[tag]) for tag in self.used_by_settings)
        self._number_rules()
        return labels

    def _number_rules(self) -> None:
        self._rule_targets = [frozenset(map(self.ensure_tag, rule.tags)) for rule in self.rules]
        self._rule_conditions = [None if rule.tag is None else self.ensure_tag(rule.tag) for rule in self.rules]


def rotated(items: list[_Item]) -> list[_Item]:
    """The items, each in its neighbour's place."""
    return items[1:] + items[:1]
