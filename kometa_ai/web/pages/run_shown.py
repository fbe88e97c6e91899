"""Choose what a run's page shows of its report: the beginning of each list, and problems by their cause. Pure."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from kometa_ai.core.summary import marked, places, same_cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import CollectionReport, MovieLine, RunReport

Side = Literal[
    "added",
    "removed",
    "held_back",
    "held_back_additions",
    "in_review",
    "in_review_additions",
    "failed",
    "pinned_in",
    "pinned_out",
]
"""A list of a collection; `held_back` and `in_review` are of removals."""

PAGE = 60
"""Titles on one page of a list."""
_MOST_HELD = 500
"""Titles with boxes to tick on one page: all of them can be let through together."""
_IN_ALL = 40
_TICKED_IN_ALL = 60
_LEAST = 2
_MOST_PROBLEMS = 60
_NAMED = 20


_BRAKE_REMEDIES = {
    "REMOVAL_LIMIT": "Look at them above: those that are ticked can be let through, or be kept.",
    "ADDITION_LIMIT": "Look at them above: those that are ticked can be let in, or be kept out.",
}


class Word(NamedTuple):
    """What a list is called, the sign before each title, and how many of its titles a page shows."""

    word: str
    sign: Literal["in", "out", "pinned", "warning"]
    most: int = PAGE


SIDES: Mapping[Side, Word] = {
    "added": Word("put in", "in"),
    "removed": Word("taken out", "out"),
    "held_back": Word("removals held back", "warning", _MOST_HELD),
    "held_back_additions": Word("additions held back", "warning", _MOST_HELD),
    "in_review": Word("removals that wait for you", "warning"),
    "in_review_additions": Word("additions that wait for you", "warning"),
    "failed": Word("not confirmed by the library", "warning"),
    "pinned_in": Word("pinned in, since a person put the tag on", "pinned"),
    "pinned_out": Word("pinned out, since a person took the tag off", "pinned"),
}


class ListShown(NamedTuple):
    """The beginning of a list of a collection."""

    side: Side
    word: str
    sign: str
    lines: Sequence[MovieLine]
    total: int


class CollectionShown(NamedTuple):
    """A collection in which something happened; `held` are the lists with boxes to tick."""

    report: CollectionReport
    name: str
    lists: Sequence[ListShown]
    held: Sequence[ListShown]


class RunShown(NamedTuple):
    """What happened, collection by collection; in the `quiet` ones nothing did."""

    collections: Sequence[CollectionShown]
    quiet: Sequence[tuple[str, CollectionReport]]


class ProblemShown(NamedTuple):
    """Problems with one cause: the first of them, and the names of all collections that have it."""

    problem: Problem
    collections: Sequence[str]
    more: int


def list_of(collection: CollectionReport, side: Side) -> Sequence[MovieLine]:
    """One of the lists of a collection."""
    match side:
        case "held_back":
            return collection.held_back_removals
        case "in_review":
            return collection.in_review_removals
        case _:
            found: Sequence[MovieLine] = getattr(collection, side)
            return found


def held_side(side: Side) -> Side | None:
    """The same, if it is a list with boxes to tick."""
    return side if side in ("held_back", "held_back_additions") else None


def shown_run(report: RunReport) -> RunShown:
    """The collections of a report, each list cut so that the page stays small."""
    found = [side for each in report.collections for side in SIDES if list_of(each, side)]
    ticked = sum(held_side(side) is not None for side in found)
    plain, held_back = _share(_IN_ALL, len(found) - ticked), _share(_TICKED_IN_ALL, ticked)
    shown, quiet = [], []
    for each in report.collections:
        name = marked(each.name, each.kind, report.kinds)
        lists = [
            ListShown(
                side, SIDES[side].word, SIDES[side].sign, lines[: held_back if held_side(side) else plain], len(lines)
            )
            for side in SIDES
            if (lines := list_of(each, side))
        ]
        if lists:
            held = [found for found in lists if held_side(found.side)]
            shown.append(CollectionShown(each, name, [found for found in lists if found not in held], held))
        else:
            quiet.append((name, each))
    return RunShown(shown, quiet)


def _share(of_all: int, lists: int) -> int:
    """How many titles each of some lists shows."""
    return max(_LEAST, of_all // max(lists, 1))


def _on_the_page(problem: Problem) -> Problem:
    """The same; what was held back is let through with the buttons above, not with an option of the command line."""
    remedy = _BRAKE_REMEDIES.get(problem.source)
    return problem if remedy is None else msgspec.structs.replace(problem, remedy=remedy)


def shown_problems(problems: Iterable[Problem]) -> list[ProblemShown]:
    """The problems by their cause: what many collections have is said once."""
    found = []
    for group in islice(same_cause(problems), _MOST_PROBLEMS):
        first, names = _on_the_page(group[0]), list(dict.fromkeys(each.collection for each in group if each.collection))
        if len(group) > 1:
            first = msgspec.structs.replace(first, source=places(group), line=None, collection="", excerpt="")
        else:
            names = []
        found.append(ProblemShown(first, names[:_NAMED], max(0, len(names) - _NAMED)))
    return found
