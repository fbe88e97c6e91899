"""Choose and order the items of a collection's list or of a search, over the index's rows."""

from __future__ import annotations

from array import array
from collections import Counter
from heapq import nsmallest
from typing import TYPE_CHECKING

from kometa_ai.core.collection import ItemRef, fold_title
from kometa_ai.core.decision import Cause
from kometa_ai.core.item import kind_of, ref_of
from kometa_ai.core.text import one_line
from kometa_ai.core.titles import holding, spelt
from kometa_ai.judging.looks import is_near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kometa_ai.core.decision import Decision
    from kometa_ai.core.item import ItemKey, Kind
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.daemon.columns import Columns
    from kometa_ai.daemon.listing import CollectionLine, ListName, SortName
    from kometa_ai.daemon.past import ItemChange
    from kometa_ai.daemon.shelves import Shelves
    from kometa_ai.daemon.standing import Standing

    Changes = Mapping[ItemKey, ItemChange]

_PINNED = (Cause.PINNED_IN, Cause.PINNED_OUT)
_BY_TAG = (Cause.INCLUDE_TAG, Cause.EXCLUDE_TAG)


class Lists:
    """The lists of all collections. `rank` has by row the place of an item among all in order of their titles."""

    def __init__(self, columns: Columns, shelves: Shelves, standings: Mapping[CollectionKey, Standing]) -> None:
        self._columns, self._shelves, self._standings = columns, shelves, standings
        self.rank = self._by_title()

    def rows_of(self, line: CollectionLine, which: ListName, text: str, past: Changes) -> list[int]:
        """The rows of a list, narrowed to what a text means."""
        standing = self._standings.get(line.key)
        if standing is None:
            rows = self._tagged(line) if which in ("members", "all") else []
        elif which in ("entered", "left"):
            rows = self._moved(standing, which, past)
        else:
            rows = self.of_standing(which, standing)
        if text.strip():
            wanted = matching(text, (line.kind,))
            rows = [row for row in rows if wanted(self._shelves.at(row))]
        return rows

    def lengths(self, line: CollectionLine, past: Changes) -> Mapping[ListName, int]:
        """How long each list of a collection is."""
        counts, standing = line.counts, self._standings.get(line.key)
        return {
            "members": counts.members if standing else counts.tagged,
            "near": counts.near,
            "entered": len(self._moved(standing, "entered", past)) if standing else 0,
            "left": len(self._moved(standing, "left", past)) if standing else 0,
            "pinned": counts.pinned,
            "tag": counts.tag,
            "unjudged": counts.unjudged,
            "all": len(standing.rows) if standing else counts.tagged,
        }

    def surest(self, line: CollectionLine, count: int) -> list[int]:
        """The rows of the surest members."""
        return nsmallest(count, self.rows_of(line, "members", "", {}), key=self._order("confidence", line, {}))

    def ordered(self, rows: Iterable[int], sort: SortName, line: CollectionLine, past: Changes) -> list[int]:
        """Rows in an order: the surest, the newest, the latest change first."""
        return sorted(rows, key=self._order(sort, line, past))

    def of_standing(self, which: ListName, standing: Standing) -> list[int]:
        """The rows of a list that depends on no run."""
        match which:
            case "members":
                return standing.members + [row for row in standing.undecided if self.is_member(standing, row)]
            case "near":
                threshold = standing.collection.confidence_threshold
                return [row for row, each in self.verdicts(standing) if is_near(each.confidence, threshold)]
            case "pinned":
                return [row for row in standing.rows if standing.gate(row) in _PINNED]
            case "tag":
                return [row for row in standing.rows if standing.gate(row) in _BY_TAG]
            case "unjudged":
                return standing.undecided
            case _:
                return standing.rows

    def verdicts(self, standing: Standing) -> Iterator[tuple[int, Decision]]:
        """The verdicts with a confidence of their own that decide, since neither a pin nor a tag does."""
        collection = standing.collection
        for row, decision in self._columns.listed(collection.kind, collection.slug):
            if standing.concerns(row) and standing.gate(row) is None:
                yield row, decision

    def is_member(self, standing: Standing, row: int) -> bool:
        """Whether the item is a member, as decided; one that is undecided stays as it is."""
        belongs = standing.belongs(row)
        return standing.collection.label in self._shelves.at(row).labels if belongs is None else belongs

    def _tagged(self, line: CollectionLine) -> list[int]:
        return [
            self._columns.rows[item.key]
            for item in self._shelves.items
            if kind_of(item.key) == line.kind and line.tag in item.labels
        ]

    def _moved(self, standing: Standing, which: ListName, past: Changes) -> list[int]:
        operation = "add" if which == "entered" else "remove"
        return [
            row
            for item, change in past.items()
            if change.operation == operation
            and (row := self._columns.rows.get(item)) is not None
            and standing.concerns(row)
        ]

    def _by_title(self) -> array[int]:
        rank = array("I", bytes(4 * len(self._columns.rows)))
        ordered = sorted(self._shelves.items, key=lambda item: (fold_title(item.title), item.year, item.key))
        for place, item in enumerate(ordered):
            rank[self._columns.rows[item.key]] = place
        return rank

    def _order(self, sort: SortName, line: CollectionLine, past: Changes) -> Callable[[int], tuple[float, ...]]:
        rank = self.rank

        def changed(row: int) -> float:
            change = past.get(self._shelves.at(row).key)
            return change.at.timestamp() if change else self._columns.decided_at(line.kind, line.slug, row)

        match sort:
            case "title":
                return lambda row: (rank[row],)
            case "year":
                return lambda row: (-self._shelves.at(row).year, rank[row])
            case "changed":
                return lambda row: (-changed(row), rank[row])
            case "confidence":
                return lambda row: (-self._columns.confidence(line.kind, line.slug, row), rank[row])


def names_in_block(everything: Iterable[AnyItem], wanted: Iterable[AnyItem]) -> dict[ItemKey, str]:
    """How a block names the wanted items: title and year where no other item has both, else the id."""
    names = Counter((kind_of(item.key), fold_title(item.title), item.year) for item in everything)
    return {
        item.key: _named(item) if names[kind_of(item.key), fold_title(item.title), item.year] == 1 else ref_of(item.key)
        for item in wanted
    }


def _named(item: AnyItem) -> str:
    """Title and year as a block may name the item; its id where they would name nothing, or could not be copied."""
    text = f"{item.title} ({item.year})"
    try:
        is_its_name = text == one_line(text) and ItemRef.parse(text, kind_of(item.key)).names(item)
    except ValueError:
        is_its_name = False
    return text if is_its_name else ref_of(item.key)


def matching(text: str, kinds: Sequence[Kind]) -> Callable[[AnyItem], bool]:
    """Whether an item is meant by a text: named by it, or with it in its title."""
    refs = []
    for kind in kinds:
        try:
            refs.append((kind, ItemRef.parse(text, kind)))
        except ValueError:
            continue
    is_held = holding(text)

    def is_meant(item: AnyItem) -> bool:
        own = kind_of(item.key)
        return (own in kinds and is_held(item.title)) or any(own == kind and ref.names(item) for kind, ref in refs)

    return is_meant


def distance(item: AnyItem, text: str) -> int:
    """How far an item's title is from a text: 0 where it is the title, 1 where the title begins so, else 2."""
    wanted = spelt(text)
    if not wanted:
        return 0
    title = spelt(item.title)
    return (title != wanted) + (not title.startswith(wanted))
