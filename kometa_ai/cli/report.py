"""Print a run's report on a terminal, or as plain text in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.columns import Columns
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kometa_ai.cli.output import clean, console, dollars, number, print_hanging, print_problems, print_table
from kometa_ai.core.summary import (
    about,
    attention_of,
    audit_in_words,
    counted,
    headline,
    in_words,
    library_of,
    marked,
    unconfirming,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from kometa_ai.core.report import CollectionReport, MovieLine, RunReport, Spending, Tokens

LISTED = 10
"""The number of movies of a list that are shown; the kept report has all."""

_WIDE = 120
_ALWAYS = ("Members", "Added", "Removed")
_COLORS = {"well": "green", "unfinished": "yellow", "needs you": "red"}


def print_report(report: RunReport, *, reasons: bool = False) -> None:
    """Print the headline, the collections, their changes (with `reasons` also why), the problems and the costs."""
    out = console()
    out.print(f"\n[bold {_COLORS[attention_of(report)]}]{clean(headline(report))}[/]")
    if report.collections:
        print_table(out, _table(report, tags=not out.is_terminal or out.width >= _WIDE))
        for collection in report.collections:
            _print_changes(out, report, collection, reasons=reasons)
    if report.problems or report.warnings or report.orphans:
        out.print()
    for orphan in report.orphans:
        name, count = clean(marked(orphan.name, orphan.kind, report.kinds)), counted(orphan.members, orphan.kind)
        print_hanging(out, f"[yellow]Orphan[/] {name}: {clean(orphan.tag)} stays on {count}; {clean(orphan.why)}.")
        if orphan.remedy:
            print_hanging(out, f"→ {clean(orphan.remedy)}", lead=2, indent=4)
    print_problems(out, report.problems)
    print_problems(out, report.warnings)
    if report.audit is not None:
        out.print(f"Audit: {audit_in_words(report.audit)}.")
    out.print(_footer(report), style="dim")


def _table(report: RunReport, *, tags: bool) -> Table:
    """One line for each collection; columns of events that happened to none are left out."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Collection", overflow="fold")
    if tags:
        table.add_column("Tag", style="dim", overflow="fold")
    collections = report.collections
    columns = {
        "Members": [Text(f"{collection.members:,}") for collection in collections],
        "Added": [number(len(collection.added), "green", "+") for collection in collections],
        "Removed": [number(len(collection.removed), "red", "-") for collection in collections],
        "Held back": [number(len(collection.held_back), "yellow") for collection in collections],
        "In review": [number(len(collection.in_review), "yellow") for collection in collections],
        "Failed": [number(len(collection.failed), "red") for collection in collections],
        "Asked": [number(collection.asked) for collection in collections],
        "Pending": [number(collection.pending, "yellow") for collection in collections],
        "Cost": [
            Text(dollars(collection.cost_usd)) if collection.cost_usd else number(0) for collection in collections
        ],
    }
    shown = {name: cells for name, cells in columns.items() if name in _ALWAYS or any(c != number(0) for c in cells)}
    for name in shown:
        table.add_column(name, justify="right", overflow="fold")
    for collection, *cells in zip(collections, *shown.values(), strict=True):
        table.add_row(_name(report, collection), *([clean(collection.tag)] if tags else []), *cells)
    return table


def _name(report: RunReport, collection: CollectionReport) -> str:
    return clean(marked(collection.name, collection.kind, report.kinds))


def _print_changes(out: Console, report: RunReport, collection: CollectionReport, *, reasons: bool) -> None:
    would, name = "would be " if report.dry_run else "", _name(report, collection)
    if reasons and (kind := about(report, collection)):
        out.print(f"[bold]{name}[/]: [dim]{clean(kind)}[/]")
    for movies, what, style in (
        (collection.added, f"{would}added", "green"),
        (collection.removed, f"{would}removed", "red"),
        (collection.held_back_additions, "held back, not added", "yellow"),
        (collection.held_back_removals, "held back, not removed", "yellow"),
        (collection.in_review_additions, "in review, not added yet", "yellow"),
        (collection.in_review_removals, "in review, not removed yet", "yellow"),
        (collection.failed, f"not confirmed by {clean(unconfirming(report, collection))}", "red"),
        (collection.pinned_in, f"put on by hand, {would}pinned in", "cyan"),
        (collection.pinned_out, f"taken off by hand, {would}pinned out", "cyan"),
    ):
        if movies:
            out.print(f"[bold]{name}[/]: [{style}]{len(movies):,} {what}[/]")
            _print_movies(out, movies, reasons=reasons)
            if len(movies) > LISTED:
                rest = len(movies) - LISTED
                out.print(f"  [dim]and {rest:,} more: STATE_DIR/runs/{clean(report.run_id)}.json has them all[/]")


def _print_movies(out: Console, movies: Sequence[MovieLine], *, reasons: bool) -> None:
    """One a line; on a terminal mere titles stand in columns."""
    lines = [_line(movie, reasons=reasons) for movie in movies[:LISTED]]
    if out.is_terminal and all(line == clean(str(movie)) for line, movie in zip(lines, movies, strict=False)):
        titles = [Text.from_markup(line, overflow="fold") for line in lines]
        out.print(Padding(Columns(titles, padding=(0, 3), column_first=True), (0, 0, 0, 2)))
        return
    for line in lines:
        print_hanging(out, line, lead=2, indent=4)


def _line(movie: MovieLine, *, reasons: bool) -> str:
    where = f" [dim]{clean(movie.where)}[/]" if movie.where else ""
    told = ": ".join(filter(None, (movie.waits, movie.reason if reasons else "")))
    reason = f"  [dim]{clean(told)}[/]" if told else ""
    return f"{clean(str(movie))}{where}{reason}"


def _footer(report: RunReport) -> str:
    seconds = max((report.finished - report.started).total_seconds(), 0)
    parts = [f"Run {clean(report.run_id)}", f"{library_of(report)} in {seconds:.0f} s"]
    if len(report.libraries) > 1 and report.left_alone:
        parts.append(f"left alone: {clean(in_words(report.left_alone))}")
    if report.tokens.requests:
        requests = counted(report.tokens.requests, "request")
        parts.append(f"{counted(report.asked, 'verdict')} in {requests}, {_tokens(report.tokens)}")
        parts.append(_cost(report))
    else:
        parts.append("nothing was asked")
    if report.month:
        parts.append(_month(report.month))
    if report.decisions_by_other_models:
        whose = "are another model's" if report.decisions_by_other_models > 1 else "is another model's"
        parts.append(f"{counted(report.decisions_by_other_models, 'decision')} {whose}")
    return " · ".join(parts)


def _tokens(tokens: Tokens) -> str:
    read = tokens.input + tokens.cache_write + tokens.cache_read
    return f"{read:,} tokens in ({tokens.cache_read:,} from the cache), {tokens.output:,} out"


def _month(month: Spending) -> str:
    spent = _cost(month)
    return f"this month {spent}" + (f", {_tokens(month.tokens)}" if month.tokens.requests else "")


def _cost(spent: RunReport | Spending) -> str:
    unpriced = spent.unpriced_requests
    known = f"at least {dollars(spent.cost_usd)}" if spent.unclear_requests else dollars(spent.cost_usd)
    return known + (f" and {counted(unpriced, 'unpriced request')}" if unpriced else "")
