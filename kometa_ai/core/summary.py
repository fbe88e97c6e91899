"""Summarise a report: its headline, its totals, and the report as JSON data. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kometa_ai.core.item import KINDS, SERVICES, ItemKey, Kind, by_kind, order_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from kometa_ai.core.audit import Audit
    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import CollectionReport, MovieLine, Outcome, RunReport

_PLACES = 5
_NUMBER = re.compile(r"([0-9]+)")

Attention = Literal["well", "unfinished", "needs you"]


_FAILED: Mapping[Outcome, str] = {
    "library unusable": "no library usable",
    "radarr unusable": "Radarr unusable",
    "model unusable": "model unusable",
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
    """`All is well`, or what is wrong. A warning says why no collection takes part."""
    match attention_of(report):
        case "well" if (
            report.warnings and not report.collections and (report.kind, report.only_movies) == ("run", None)
        ):
            return "No collection takes part"
        case "well":
            return "All is well"
        case "unfinished":
            return unfinished(report).capitalize()
        case "needs you":
            return f"Needs you: {trouble(report)}"


def trouble(report: RunReport) -> str:
    """What needs the operator: services, a number of problems, and the libraries that were left alone."""
    if report.outcome == "library unusable" and report.left_alone:
        return f"{in_words(report.left_alone)} unusable"
    if report.outcome in _FAILED:
        return _FAILED[report.outcome]
    problems = counted(len(report.problems), "problem")
    return f"{in_words(report.left_alone)} left alone, {problems}" if report.left_alone else problems


def unfinished(report: RunReport) -> str:
    """Why a run that needs no operator is not complete."""
    words = {"interrupted": "interrupted", "waiting": "waiting for a batch"}
    return words.get(report.outcome, "not finished")


def changes_of(report: RunReport) -> str:
    """`12 added, 3 removed in 4 collections`, or `no changes`; in a dry run what would be.

    Where there are shows: `3 movies and 2 shows added in 4 collections`.
    """
    would = "would be " if report.dry_run else ""
    added, removed = (_changed(report, lambda each: each.added), _changed(report, lambda each: each.removed))
    done = [f"{count} {would}{word}" for count, word in ((added, "added"), (removed, "removed")) if count]
    touched = sum(1 for collection in report.collections if collection.added or collection.removed)
    return f"{', '.join(done)} in {counted(touched, 'collection')}" if done else "no changes"


def _changed(report: RunReport, lines_of: Callable[[CollectionReport], Collection[MovieLine]]) -> str:
    """How many items, by kind if the run knew shows; empty if there are none."""
    counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    for collection in report.collections:
        counts[collection.kind] += len(lines_of(collection))
    if not any(counts.values()):
        return ""
    return counted_kinds(counts) if "show" in report.kinds else f"{sum(counts.values()):,}"


def extent_of(report: RunReport) -> str:
    """What a run was about, as a sentence; empty if it was about the whole library."""
    if report.kind == "undo":
        return f"An undo of the run {report.undoes}."
    if report.only_movies is None:
        return ""
    return f"A run for {counted_kinds(report.only_items or {'movie': report.only_movies})} only."


def headline(report: RunReport) -> str:
    """The report in one to four sentences."""
    dry_run = "Dry run, nothing was written. " if report.dry_run else ""
    changes = changes_of(report)
    sentences = (extent_of(report), f"{title_of(report)}.", f"{changes[0].upper()}{changes[1:]}.")
    return dry_run + " ".join(filter(None, sentences))


def library_of(report: RunReport) -> str:
    """`301 movies and 119 shows`: what the libraries hold that could be used, each item once."""
    return counted_kinds(report.items or {report.kinds[0]: report.library})


def marked(name: str, kind: Kind, kinds: Collection[Kind]) -> str:
    """A collection's name. Where there are collections of both kinds, one of shows says so: `Christmas (shows)`."""
    return f"{name} (shows)" if kind == "show" and len(kinds) > 1 else name


def about(report: RunReport, collection: CollectionReport) -> str:
    """Of which kind a collection is, and why, where the run knew shows: ``about shows: `sonarr_taglist` ``."""
    if "show" not in report.kinds or not collection.kind_because:
        return ""
    return f"about {collection.kind}s: {collection.kind_because}"


def unconfirming(report: RunReport, collection: CollectionReport) -> str:
    """The libraries that did not confirm changes of a collection: `Radarr and Radarr 4K`."""
    of_kind = [library for library in report.libraries if library.kind == collection.kind]
    named = {name for line in collection.failed for name in line.libraries} or {library.name for library in of_kind}
    return in_words([each.title for each in of_kind if each.name in named]) or SERVICES[collection.kind]


_TOTALS = (
    "added",
    "removed",
    "held_back",
    "held_back_additions",
    "in_review",
    "in_review_additions",
    "failed",
    "asked",
    "pending",
)


def totals(report: RunReport) -> dict[str, int]:
    """All counts of a report; `held_back` and `in_review` are of additions and removals."""
    return {name: getattr(report, name) for name in _TOTALS}


def held_back(report: RunReport) -> str:
    """`12 additions and 3 removals`, whichever the safety brake holds back."""
    return _both_sides(report.held_back, report.held_back_additions)


def in_review(report: RunReport) -> str:
    """`1 addition and 3 removals`, whichever wait for a person."""
    return _both_sides(report.in_review, report.in_review_additions)


def _both_sides(changes: int, additions: int) -> str:
    counts = ((additions, "addition"), (changes - additions, "removal"))
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


def counted_items(keys: Collection[ItemKey]) -> str:
    """`3 movies and 2 shows`: how many there are of each kind."""
    return counted_kinds(by_kind(keys)) if keys else "nothing"


def counted_kinds(counts: Mapping[Kind, int]) -> str:
    """`3 movies and 2 shows`, and of none `0 movies`."""
    some = [counted(counts[kind], kind) for kind in KINDS if counts.get(kind)]
    return " and ".join(some) or counted(0, next(iter(counts), "movie"))


def in_words(names: Sequence[str]) -> str:
    """`Radarr, Radarr 4K and Sonarr`."""
    *others, last = names or ("",)
    return f"{', '.join(others)} and {last}" if others else last


def counted(number: int, noun: str) -> str:
    """`1 movie`, `1,200 movies`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def audit_in_words(audit: Audit) -> str:
    """`3 of 98 decisions would flip (3 of 40 near the threshold, …), about 0.4% of all; the model agrees with …`."""
    names = {"near": "near the threshold", "member": "other members", "other": "others"}
    groups = ", ".join(f"{each.flips} of {each.asked} {names[each.group]}" for each in audit.strata if each.asked)
    parts = []
    if audit.asked:
        rate = "" if audit.flip_rate is None else f", about {audit.flip_rate:.1%} of all decisions"
        parts.append(f"{audit.flips} of {counted(audit.asked, 'decision')} would flip ({groups}){rate}")
    if audit.pins_asked:
        parts.append(f"the model agrees with {audit.pins_agreed} of {counted(audit.pins_asked, 'pin')}")
    return "; ".join(parts) or "Nothing was answered"
