"""Results for people and for scripts: tables on a terminal, plain text when piped, JSON on request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kometa_ai.core.decision import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

    from rich.progress import TaskID

    from kometa_ai.core.decision import Pin
    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import CollectionReport, MovieLine, RunReport
    from kometa_ai.notification.dispatch import Tested
    from kometa_ai.run.canceling import Cancellation
    from kometa_ai.run.estimate import Estimate
    from kometa_ai.run.explain import Explained, Explanation
    from kometa_ai.run.undo import Undone

LISTED = 10
"""Movies shown of a list before it is cut; JSON has them all."""

_PIPED_WIDTH = 120


def console() -> Console:
    """Standard output. Piped, it has no colours and does not fold lines at eighty columns."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


def clean(text: str) -> str:
    """Text from outside, without control characters and without meaning to the terminal or to rich."""
    return escape("".join(c if c.isprintable() else " " for c in text))


def print_json(value: Any) -> None:  # noqa: ANN401 - any result
    """Write a result as JSON."""
    encoded = value if isinstance(value, bytes) else msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(encoded.decode() + "\n")


# A run


def print_report(report: RunReport) -> None:
    """A run's report: the headline, the collections, what changed, what needs somebody."""
    out = console()
    out.print(_headline(report))
    if report.collections:
        out.print(_table(report))
        for collection in report.collections:
            _print_changes(out, collection, dry_run=report.dry_run)
    for orphan in report.orphans:
        out.print(
            f"[yellow]Orphan[/] {clean(orphan.name)}: {orphan.members} movies keep the tag {clean(orphan.tag)}, "
            f"but {orphan.why}."
        )
    print_problems(out, report.problems)
    print_problems(out, report.warnings)
    out.print(_footer(report), style="dim")


def _headline(report: RunReport) -> str:
    if report.exit_code == 0:
        mood = "[bold green]All well[/]"
    elif report.outcome == "problems":
        mood = "[bold yellow]Done, with something to look at[/]"
    else:
        mood = f"[bold red]{report.outcome.capitalize()}[/]"
    would = "would be " if report.dry_run else ""
    changes = f"{report.added} {would}added, {report.removed} {would}removed"
    what = "Dry run, nothing was written: " if report.dry_run else ""
    return f"\n{mood} · {what}{changes} · {report.library} movies"


def _table(report: RunReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Collection")
    table.add_column("Tag", style="dim")
    for heading in ("Members", "Added", "Removed", "Held back", "Asked", "Pending", "Cost"):
        table.add_column(heading, justify="right")
    for collection in report.collections:
        table.add_row(
            clean(collection.name),
            clean(collection.tag),
            str(collection.members),
            _number(len(collection.added), "green", "+"),
            _number(len(collection.removed), "red", "-"),
            _number(len(collection.held_back), "yellow"),
            _number(collection.asked),
            _number(collection.pending, "yellow"),
            _dollars(collection.cost_usd) if collection.cost_usd else "",
        )
    return table


def _number(count: int, style: str = "", sign: str = "") -> Text:
    return Text(f"{sign}{count}", style=style) if count else Text("·", style="dim")


def _dollars(amount: float) -> str:
    if amount and amount < 0.01:  # noqa: PLR2004 - below a cent
        return f"${amount:.4f}"
    return f"${amount:.2f}"


def _print_changes(out: Console, collection: CollectionReport, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for movies, what, style in (
        (collection.added, f"{would}added", "green"),
        (collection.removed, f"{would}removed", "red"),
        (collection.held_back, "held back, not removed", "yellow"),
    ):
        if movies:
            out.print(f"[bold]{clean(collection.name)}[/]: [{style}]{len(movies)} {what}[/]")
            _print_movies(out, movies)


def _print_movies(out: Console, movies: Sequence[MovieLine]) -> None:
    for movie in movies[:LISTED]:
        reason = f"  [dim]{clean(movie.reason)}[/]" if movie.reason else ""
        out.print(f"  {clean(str(movie))}{reason}", no_wrap=True, overflow="ellipsis")
    if len(movies) > LISTED:
        out.print(f"  [dim]and {len(movies) - LISTED} more (--output json lists them all)[/]")


def print_problems(out: Console, problems: Iterable[Problem]) -> None:
    """Each problem or warning: where, what, what to do."""
    for problem in problems:
        label = "[yellow]Warning[/]" if problem.severity == "warning" else "[red]Problem[/]"
        where = f" {clean(problem.where)}" if problem.where else ""
        about = f" {clean(problem.collection)}:" if problem.collection else ""
        out.print(f"{label}{where}:{about} {clean(problem.what)}")
        if problem.movies:
            out.print(f"  [dim]{clean(', '.join(problem.movies[:LISTED]))}[/]")
        if problem.remedy:
            out.print(f"  → {clean(problem.remedy)}")


def _footer(report: RunReport) -> str:
    tokens = report.tokens
    seconds = (report.finished - report.started).total_seconds()
    parts = [f"Run {report.run_id}", f"{seconds:.0f} s"]
    if tokens.requests:
        shown = tokens.input + tokens.cache_write + tokens.cache_read
        parts.append(
            f"{report.asked} verdicts in {tokens.requests} requests, {shown} tokens in "
            f"({tokens.cache_read} from the cache), {tokens.output} out"
        )
        parts.append(_dollars(report.cost_usd) + (" and unpriced requests" if report.unpriced_requests else ""))
    else:
        parts.append("nothing was asked")
    if report.month:
        unpriced = " and unpriced requests" if report.month.unpriced_requests else ""
        parts.append(f"{_dollars(report.month.cost_usd)}{unpriced} this month")
    if report.decisions_by_other_models:
        parts.append(f"{report.decisions_by_other_models} decisions are another model's")
    return " · ".join(parts)


# Other results


def print_estimate(estimate: Estimate) -> None:
    """What is pending and why, and the forecast."""
    out = console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Collection")
    table.add_column("Pending", justify="right")
    table.add_column("Why")
    for collection in estimate.collections:
        why = [f"{count} {reason}" for reason, count in collection.reasons.items()]
        if collection.in_batches:
            why.append(f"[dim]{collection.in_batches} already in a batch[/]")
        table.add_row(clean(collection.name), _number(collection.pending), ", ".join(why))
    out.print(table)
    tokens = estimate.input_tokens + estimate.cache_write_tokens + estimate.cache_read_tokens
    price = "unpriced (no known price)" if estimate.cost_usd is None else f"about {_dollars(estimate.cost_usd)}"
    out.print(
        f"[bold]{estimate.pending} decisions pending[/]: {estimate.requests} requests to {clean(estimate.model)}, "
        f"{tokens} tokens in ({estimate.cache_read_tokens} from the cache), {estimate.output_tokens} out: {price}"
    )
    if estimate.in_batches:
        out.print(
            f"{estimate.in_batches} more are in open batches: they are not asked again, only their answers taken."
        )
    out.print(f"Forecast {clean(estimate.basis)}.", style="dim")
    print_problems(out, estimate.problems)


def print_explained(explained: Explained) -> None:
    """Where a movie stands in each collection."""
    out = console()
    year = f" ({explained.year})" if explained.year else ""
    out.print(f"[bold]{clean(explained.title)}{year}[/] tmdb:{explained.tmdb_id}")
    for found in sorted(explained.collections, key=lambda found: found.belongs is False):
        out.print(_verdict_line(found))
        for line in _details(found):
            out.print(f"    [dim]{line}[/]")
    again = {found.asked_again_when for found in explained.collections if found.asked_again_when}
    if again:
        out.print(f"\nIt is asked about again when {' / '.join(clean(when) for when in sorted(again))}.")


def _verdict_line(found: Explanation) -> str:
    belongs = {True: "[green]in[/]", False: "[red]out[/]", None: "[yellow]not decided[/]"}[found.belongs]
    line = f"  [bold]{clean(found.collection)}[/]: {belongs} ({clean(found.cause)})"
    if found.confidence is not None and found.cause == Cause.VERDICT:
        line += f", confidence {found.confidence:.2f} against a threshold of {found.threshold:.2f}"
    if found.belongs is not None and found.belongs is not found.is_tagged:
        line += f" [yellow]but Radarr {'has' if found.is_tagged else 'lacks'} the tag {clean(found.tag)}[/]"
    return line


def _details(found: Explanation) -> list[str]:
    lines = []
    if found.to_be_asked:
        lines.append(f"to be asked in the next run: {clean(found.to_be_asked)}")
    if found.reason:
        lines.append(f"“{clean(found.reason)}”")
    if found.decided is not None and (found.belongs or found.reason):
        look = {"none": "", "due": ", a second look is due", "done": ", after a second look"}[found.second_look]
        lines.append(
            f"{clean(found.model)}, {found.decided:%Y-%m-%d %H:%M} UTC{look}; "
            f"made from data {found.metadata_hash[:12]} and prompt {found.prompt_hash}"
        )
    return lines


def print_undone(undone: Undone) -> None:
    """What was taken back."""
    out = console()
    would = "would be " if undone.dry_run else ""
    for what, lines in ((f"{would}put back", undone.added), (f"{would}taken off again", undone.removed)):
        for line in lines:
            out.print(f"{clean(line)} {what}")
    for line in undone.left:
        out.print(f"[dim]{clean(line)} left: something else has changed it since[/]")
    count = len(undone.added) + len(undone.removed)
    out.print(f"[bold]{count} changes {would}undone[/] of run {clean(undone.run_id)}.")
    print_problems(out, undone.problems)


def print_cancellation(cancellation: Cancellation) -> None:
    """What became of each batch."""
    out = console()
    if not cancellation.batches:
        out.print("There are no open batches.")
    for batch in cancellation.batches:
        style = {"canceling": "green", "failed": "red"}.get(batch.outcome, "yellow")
        name = clean(batch.id) or "A batch without an id"
        out.print(
            f"{name}, {batch.questions} questions, handed over {batch.planned:%Y-%m-%d %H:%M} UTC: "
            f"[{style}]{batch.outcome}[/]. {clean(batch.what)}"
        )


def print_pins(pins: Sequence[Pin]) -> None:
    """The pins that undoing has set."""
    out = console()
    if not pins:
        out.print("There are no pins. (Those in Kometa's files are not listed here.)")
    for pin in pins:
        side = "in" if pin.include else "out of"
        out.print(
            f"{clean(pin.title)} tmdb:{pin.tmdb_id} is pinned {side} {clean(pin.slug)} since {pin.since:%Y-%m-%d}"
        )


def print_outcomes(outcomes: Sequence[Tested]) -> None:
    """What became of each test message."""
    out = console()
    for tested in outcomes:
        mark = "[green]sent[/]" if tested.is_delivered else "[red]failed[/]"
        out.print(f"{clean(tested.channel)}: {mark}. {clean(tested.outcome)}")


def print_released(pins: Sequence[Pin]) -> None:
    """The pins that were dropped."""
    out = console()
    for pin in pins:
        out.print(f"{clean(pin.title)}: no longer pinned in {clean(pin.slug)}")


# Progress


class Watcher:
    """Shows the steps of a run as they happen, with a bar where something is counted; on a terminal only."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._is_shown = sys.stderr.isatty()
        self._step: TaskID | None = None
        self._name = ""

    def __enter__(self) -> Self:
        if self._is_shown:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            self._progress.stop()

    def step(self, name: str) -> None:
        """A step begins."""
        self._name = name
        if self._step is not None:
            self._progress.remove_task(self._step)
        self._step = self._progress.add_task(name, total=None)

    def total(self, what: str, count: int) -> None:
        """So many things are about to be done."""
        if self._step is not None and count:
            self._progress.update(self._step, total=count, completed=0, description=f"{self._name} ({what})")

    def advance(self, what: str, count: int) -> None:
        """So many of them are done."""
        del what
        if self._is_shown and self._step is not None:
            self._progress.advance(self._step, count)
