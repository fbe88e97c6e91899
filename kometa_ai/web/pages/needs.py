"""Find what needs the operator: held-back changes, unusable collections and services, reports, reviews. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.summary import counted
from kometa_ai.core.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kometa_ai.core.problem import Problem
    from kometa_ai.daemon.listing import CollectionLine
    from kometa_ai.jobs.services import Looked
    from kometa_ai.web.pages.run_words import Told

_LONGEST = 300


class Need(NamedTuple):
    """One thing that needs the operator: what it is, what to do, and the page (`path`) where that is done."""

    severity: str
    what: str
    remedy: str
    path: str
    word: str


def needs(
    lines: Sequence[CollectionLine],
    problems: Iterable[Problem],
    services: Iterable[Looked],
    last: Told | None,
    *,
    review: int,
    undelivered: int,
) -> list[Need]:
    """Everything, the most urgent first. `problems` are those of Kometa's folder, and what a run said of the state."""
    found = [*_of_services(services), *_of_last(last), *_of_collections(lines, last)]
    told = {problem for line in lines for problem in line.problems}
    found += [_of_problem(problem) for problem in problems if problem not in told]
    if review:
        found.append(Need("hint", f"{counted(review, 'case')} to review.", "", "/review", "Review"))
    if undelivered:
        what = f"{counted(undelivered, 'report')} could not be delivered yet."
        found.append(Need("warning", what, "Each run tries again; the log says why.", "/logs", "Logs"))
    return found


def _of_services(services: Iterable[Looked]) -> Iterator[Need]:
    for each in services:
        if each.status in ("unusable", "silent"):
            what = "cannot be used" if each.status == "unusable" else "does not answer"
            detail = one_line(each.detail, _LONGEST).rstrip(".")
            yield Need("error", f"{each.service} {what}{': ' if detail else ''}{detail}.", "", "/start", "Check")


def _of_last(last: Told | None) -> Iterator[Need]:
    if last is None or last.run.dry_run:
        return
    path = f"/runs/{last.run.run_id}"
    if last.sign == "error":
        yield Need("error", f"The last run did not do its work: {last.outcome}.", "", path, "Look")
    elif last.run.outcome == "interrupted":
        remedy = "What it had done is kept; the next run goes on from there."
        yield Need("warning", "The last run was interrupted.", remedy, path, "Look")


def _of_collections(lines: Sequence[CollectionLine], last: Told | None) -> Iterator[Need]:
    for line in lines:
        path = f"/collections/{line.key}"
        name = one_line(line.name, _LONGEST)
        if line.counts.held_back:
            what = f"{name}: {counted(line.counts.held_back, 'change')} held back by the brake."
            seen = f"/runs/{last.run.run_id}" if last and last.run.held_back else path
            yield Need("warning", what, "", seen, "Look")
        if line.state == "skipped":
            errors = [each for each in line.problems if each.severity == "error"]
            where = f" {errors[0].where}:" if errors and errors[0].where else ""
            why = f"{where} {one_line(errors[0].what, _LONGEST)}" if errors else f" {line.why}"
            yield Need("error", f"{name} is skipped.{why}", errors[0].remedy if errors else "", path, "Mend")


def _of_problem(problem: Problem) -> Need:
    where = f"{problem.where}: " if problem.where else ""
    what = one_line(f"{where}{problem.what}", 2 * _LONGEST)
    return Need(problem.severity, what, one_line(problem.remedy, 2 * _LONGEST), "/start", "Check")
