"""Summarise a report: its headline, its totals, and the report as JSON data. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kometa_ai.core.item import KINDS, ItemKey, kind_of, order_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import MovieLine, Outcome, RunReport

_PLACES = 5
_NUMBER = re.compile(r"([0-9]+)")

Attention = Literal["well", "unfinished", "needs you"]


_FAILED: Mapping[Outcome, str] = {
    "library unusable": "no library usable",
    "radarr unusable": "Radarr unusable",
    "claude unusable": "Claude unusable",
    "state unusable": "state unusable",
    "wrong configuration": "wrong configuration",
}
"""The outcomes of runs that could not do their work, as headlines name them."""


def needs_operator(report: RunReport) -> bool:
    """Whether something stays wrong until the operator acts. The next run continues an interrupted one by itself."""
    return bool(report.problems) or report.outcome in _FAILED


def is_whole(report: RunReport) -> bool:
    """Whether the run looked at everything, so that a problem which it does not name no longer exists."""
    if report.kind == "undo":
        return False
    return report.outcome in ("ok", "problems") and report.only_movies is None and not report.only_collections


def attention_of(report: RunReport) -> Attention:
    """What the run asks of the operator."""
    if needs_operator(report):
        return "needs you"
    return "well" if report.outcome == "ok" else "unfinished"


def title_of(report: RunReport) -> str:
    """`All is well`, or what is wrong."""
    match attention_of(report):
        case "well":
            return "All is well"
        case "unfinished":
            return unfinished(report).capitalize()
        case "needs you":
            return f"Needs you: {trouble(report)}"


def trouble(report: RunReport) -> str:
    """What needs the operator: services, or a number of problems."""
    if report.outcome == "library unusable" and report.libraries:
        return f"{' and '.join(each.title for each in report.libraries if each.error)} unusable"
    return _FAILED.get(report.outcome) or counted(len(report.problems), "problem")


def unfinished(report: RunReport) -> str:
    """Why a run that needs no operator is not complete."""
    words = {"interrupted": "interrupted", "waiting": "waiting for a batch"}
    return words.get(report.outcome, "not finished")


def changes_of(report: RunReport) -> str:
    """`12 added, 3 removed in 4 collections`, or `no changes`; in a dry run what would be."""
    would = "would be " if report.dry_run else ""
    both = ((report.added, "added"), (report.removed, "removed"))
    done = [f"{count:,} {would}{word}" for count, word in both if count]
    touched = sum(1 for collection in report.collections if collection.added or collection.removed)
    return f"{', '.join(done)} in {counted(touched, 'collection')}" if done else "no changes"


def extent_of(report: RunReport) -> str:
    """What a run was about, as a sentence; empty if it was about the whole library."""
    if report.kind == "undo":
        return f"An undo of the run {report.undoes}."
    if report.only_movies is None:
        return ""
    return f"A run for {counted(report.only_movies, 'movie')} only."


def headline(report: RunReport) -> str:
    """The report in one to four sentences."""
    dry_run = "Dry run, nothing was written. " if report.dry_run else ""
    changes = changes_of(report)
    sentences = (extent_of(report), f"{title_of(report)}.", f"{changes[0].upper()}{changes[1:]}.")
    return dry_run + " ".join(filter(None, sentences))


_TOTALS = ("added", "removed", "held_back", "held_back_additions", "failed", "asked", "pending")


def totals(report: RunReport) -> dict[str, int]:
    """All counts of a report; `held_back` is of additions and removals."""
    return {name: getattr(report, name) for name in _TOTALS}


def held_back(report: RunReport) -> str:
    """`12 additions and 3 removals`, whichever the safety brake holds back."""
    additions = report.held_back_additions
    counts = ((additions, "addition"), (report.held_back - additions, "removal"))
    return " and ".join(counted(count, noun) for count, noun in counts if count)


def as_data(report: RunReport) -> dict[str, Any]:
    """The report as scripts read it: its fields and derived values. A RunReport can be read from its JSON."""
    return {
        "headline": headline(report),
        **msgspec.structs.asdict(report),
        "totals": totals(report),
        "duration_seconds": max(round((report.finished - report.started).total_seconds(), 3), 0),
    }


def same_cause(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Group problems that say the same of several collections, or of several places of a file."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.source, problem.what, problem.remedy), []).append(problem)
    return list(groups.values())


def places(problems: Sequence[Problem]) -> str:
    """The places of problems with one cause: `movies.yml:3, 17 and 4 more`."""
    lines = sorted({problem.line for problem in problems if problem.line})
    if not lines:
        return problems[0].source
    more = f" and {len(lines) - _PLACES} more" if len(lines) > _PLACES else ""
    return f"{problems[0].source}:{', '.join(map(str, lines[:_PLACES]))}{more}"


def in_order(movies: Iterable[MovieLine]) -> tuple[MovieLine, ...]:
    """Sort by title as people do: `Film 2` before `Film 10`, ignoring case."""
    return tuple(sorted(movies, key=lambda movie: (_natural(movie.title), movie.year, order_of(movie.key))))


def _natural(title: str) -> list[tuple[int, str]]:
    # Each number is compared by its count of digits first, so that longer ones come after shorter ones.
    words = _NUMBER.split(title.casefold())
    return [(len(word.lstrip("0")), word.lstrip("0")) if place % 2 else (0, word) for place, word in enumerate(words)]


def counted_items(keys: Iterable[ItemKey]) -> str:
    """`3 movies and 2 shows`: how many there are of each kind."""
    kinds = Counter(map(kind_of, keys))
    return " and ".join(counted(kinds[kind], kind) for kind in KINDS if kinds[kind]) or "nothing"


def counted(number: int, noun: str) -> str:
    """`1 movie`, `1,200 movies`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
