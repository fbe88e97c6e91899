"""Format results as tables, for a terminal or in Markdown for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.targets import Target, list_reads, targets, tokens_a_plain_pair, tokens_an_excluded_pair, writes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.figures import Measured, Result

_BEGIN = "<!-- figures: written by `python -m benchmarks --write` -->\n"
_END = "<!-- end of figures -->\n"

_Row = dict[str, str]


def machine(load: float) -> str:
    """Where it was measured: the class of the machine, not its name. `load` is its load average before."""
    return (
        f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores; load average {load:.1f} "
        "before the first run. Where that is well above 0, other work ran beside it: wall times are then much too "
        "long, and CPU seconds, which are the program's own, up to a third too many, because cores and their caches "
        "were shared."
    )


def text(measured: Measured) -> str:
    """The report for a terminal."""
    tables = [f"{title}\n{_columns(rows)}" for title, rows in _tables(measured.results)]
    return "\n\n".join([_heading(measured), *tables]) + "\n"


def markdown(measured: Measured) -> str:
    """The report for a page."""
    tables = [f"\n### {title}\n\n{_pipes(rows)}" for title, rows in _tables(measured.results)]
    return "\n".join([_heading(measured), *tables])


def _heading(measured: Measured) -> str:
    days = sorted({result.measured for result in measured.results})
    when = " to ".join(f"{day:%Y-%m-%d}" for day in dict.fromkeys((*days[:1], *days[-1:])))
    return f"Measured {when} with {measured.machine}"


def write(page: Path, content: str) -> None:
    """Put the figures into a page, between the two comments that mark the place."""
    before, found, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, found_end, after = rest.partition(_END)
    if not (found and found_end):
        raise ValueError(f"{page.name} has no place for the figures")
    page.write_text(f"{before}{_BEGIN}\n{content}\n{_END}{after}", encoding="utf-8")


def _tables(results: Sequence[Result]) -> list[tuple[str, list[_Row]]]:
    tables = [
        ("Runs", [_run(result) for result in results]),
        ("What a first run costs, in USD, beside other layouts", [row for r in results for row in _cost(r)]),
        ("The daemon's index after a first run", [row for r in results for row in _index(r)]),
        ("The daemon's pages after a first run", [row for r in results for row in _pages(r)]),
        ("How a first run grows", _growth([result for result in results if result.scenario == "first"])),
        ("Targets, each where it was closest to being missed", _promises(results)),
    ]
    return [(title, rows) for title, rows in tables if rows]


def _run(result: Result) -> _Row:
    seen, used = result.seen, result.used
    return {
        **_size(result),
        "run": result.scenario,
        "lists": f"{list_reads(result)}",
        "credits": f"{seen.radarr.get('GET /credit', 0):,}",
        "writes": f"{writes(result):,}",
        "Claude: first looks": f"{seen.claude - seen.second_looks:,}",
        "second looks": f"{seen.second_looks:,}",
        "input tokens": f"{seen.input_tokens:,}",
        "cache write": f"{seen.cache_write_tokens:,}",
        "for an hour": f"{seen.cache_write_1h_tokens:,}" if seen.batches else "",
        "cache read": f"{seen.cache_read_tokens:,}",
        "output": f"{seen.output_tokens:,}",
        "USD": f"{seen.usd:.2f}",
        "tags changed": f"{result.tags_changed:,}",
        "CPU s": f"{used.cpu_seconds:.1f}",
        "wall s": f"{used.wall_seconds:.0f}",
        "peak MB": f"{used.peak_mb:.0f}",
        "state MB": f"{result.state_mb:.1f}",
        "checkpoint ms": f"{result.checkpoint.full_ms:.1f}" if result.checkpoint else "",
        "its CPU": f"{result.checkpoint.full_cpu_ms:.1f}" if result.checkpoint else "",
        "snapshot ms": f"{result.checkpoint.snapshot_ms:.0f}" if result.checkpoint else "",
    }


def _cost(result: Result) -> Iterable[_Row]:
    if result.layouts is None:
        return
    usd, others = result.seen.usd, result.layouts
    yield {
        **_size(result),
        "run": result.scenario,
        "batches": f"{result.seen.batches}",
        "cost": f"{usd:.2f}",
        "of it second looks": f"{result.seen.second_looks_usd:.2f}",
        "specification's layout": f"{others.baseline:.2f}",
        "cost / layout": f"1/{others.baseline / usd:.1f}",
        "layout, compact": f"{others.baseline_compact:.2f}",
        "cost / compact": f"1/{others.baseline_compact / usd:.1f}",
        "bound": f"{others.bound:.2f}",
        "cost / bound": f"{usd / others.bound:.2f}",
        "bound of bare ids": f"{others.bound_ids:.2f}",
        "cost / bare ids": f"{usd / others.bound_ids:.2f}",
        "tokens an excluded pair": f"{tokens_an_excluded_pair(result):.2f}",
        "a listed one without a reason": f"{tokens_a_plain_pair(result):.1f}" if result.seen.plain else "",
    }


def _index(result: Result) -> Iterable[_Row]:
    if (index := result.index) is None:
        return
    yield {
        **_size(result),
        "state MB": f"{result.state_mb:.1f}",
        "made, CPU s": f"{index.cpu_seconds:.2f}",
        "kept MB": f"{index.kept_mb:.1f}",
        "peak MB": f"{index.peak_mb:.1f}",
        "loop late, ms": f"{index.late_ms:.0f}",
        "60 members with reasons, ms": f"{index.rows_ms:.1f}",
        "search, ms": f"{index.search_ms:.1f}",
    }


def _pages(result: Result) -> Iterable[_Row]:
    if (pages := result.pages) is None:
        return
    for page in pages.pages:
        yield {**_size(result), "page": page.name, "ms": f"{page.ms:.1f}", "KB": f"{page.kb:.1f}"}
    yield {
        **_size(result),
        "page": "a first visit, with style and scripts",
        "ms": "",
        "KB": f"{pages.first_load_kb:.1f}",
    }
    for name, mb in (("with", pages.resting_mb), ("without", pages.resting_without_mb)):
        yield {**_size(result), "page": f"a daemon at rest, {name} the page", "ms": "", "KB": f"{mb * 1000:,.0f}"}


def _growth(results: Sequence[Result]) -> list[_Row]:
    """The cost of each further movie or show, from one size to the next: constant if nothing is quadratic."""
    rows = []
    for kind, collections in sorted({(result.kind, result.collections) for result in results}):
        alike = (r for r in results if (r.kind, r.collections) == (kind, collections))
        sizes = sorted(alike, key=lambda result: result.movies)
        for small, large in pairwise(sizes):
            more = large.movies - small.movies
            rows.append(
                {
                    "collections": f"{collections}",
                    "from": f"{small.movies:,} {kind}",
                    "to": f"{large.movies:,}",
                    "CPU ms each": f"{(large.used.cpu_seconds - small.used.cpu_seconds) / more * 1e3:.2f}",
                    "peak KB each": f"{(large.used.peak_mb - small.used.peak_mb) / more * 1e3:.1f}",
                    "state KB each": f"{(large.state_mb - small.state_mb) / more * 1e3:.2f}",
                }
            )
    return rows


def _promises(results: Sequence[Result]) -> list[_Row]:
    """Every target once, and further rows for those that are missed at several sizes."""
    closest: dict[tuple[str, str, str], tuple[Result, Target]] = {}
    missed = []
    for result in results:
        for target in targets(result):
            key = result.kind, result.scenario, target.what
            if not target.is_met:
                missed.append((result, target))
            elif key not in closest or target.closeness > closest[key][1].closeness:
                closest[key] = result, target
    known_missed = {(result.kind, result.scenario, target.what) for result, target in missed}
    met = [found for key, found in closest.items() if key not in known_missed]
    return [_promise(result, target) for result, target in (*missed, *met)]


def _promise(result: Result, target: Target) -> _Row:
    return {
        "run": result.scenario,
        "figure": target.what,
        "measured": f"{target.measured:,.4g}" if target.measured % 1 else f"{target.measured:,.0f}",
        "at most": f"{target.limit:,}",
        "target": "met" if target.is_met else "**missed**",
        **_size(result),
    }


def _size(result: Result) -> _Row:
    return {"library": f"{result.movies:,} {result.kind}", "collections": f"{result.collections}"}


def _columns(rows: Sequence[_Row]) -> str:
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{cell:>{w}}" for cell, w in zip(line, widths, strict=True)) for line in lines)


def _pipes(rows: Sequence[_Row]) -> str:
    lines = [list(rows[0]), ["---:"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
