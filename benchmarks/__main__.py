"""`python -m benchmarks`: measure, and print or write down the report."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

import msgspec

from benchmarks import report
from benchmarks.figures import SCENARIOS
from benchmarks.runs import ROOT, measure
from benchmarks.targets import targets

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = ROOT / "docs" / "benchmarks.md"

_DESCRIPTION = """\
Run the real program against stand-ins of Radarr and Claude that answer at once, for each number of movies and of
collections, and print what it asked, what that would cost, and what it used. All sizes together take a while:
10,000 movies and 20 collections about five minutes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 when a target is missed."""
    given = _parser().parse_args(arguments)
    scenarios = SCENARIOS if "all" in given.scenario else given.scenario
    load = os.getloadavg()[0]
    results = []
    for movies in given.movies:
        for collections in given.collections:
            for result in measure(movies=movies, collections=collections, members=given.members, scenarios=scenarios):
                used = result.used
                sys.stderr.write(
                    f"{movies:,} x {collections}, {result.scenario}: {result.seen.usd:.2f} USD, "
                    f"{used.cpu_seconds:.1f} s CPU, {used.peak_mb:.0f} MB, {used.wall_seconds:.0f} s\n"
                )
                results.append(result)
    heading = report.environment(load)
    if given.output == "json":
        content = msgspec.json.format(msgspec.json.encode(results), indent=2).decode() + "\n"
    else:
        content = report.text(results, heading) if given.output == "text" else report.markdown(results, heading)
    sys.stdout.write(content)
    if given.write:
        report.write(PAGE, report.markdown(results, heading))
    return 0 if all(target.is_met for result in results for target in targets(result)) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--movies", type=int, nargs="+", default=[1000, 5000, 10000, 20000], help="movies in Radarr")
    parser.add_argument("--collections", type=int, nargs="+", default=[5, 20], help="collections in Kometa's folder")
    parser.add_argument("--members", type=float, default=0.05, help="share of the movies that belong to a collection")
    parser.add_argument(
        "--scenario",
        nargs="+",
        choices=[*SCENARIOS, "all"],
        default=["all"],
        help="the first run, one with nothing changed after it, one with ten new movies after that",
    )
    parser.add_argument("--output", choices=["text", "json", "markdown"], default="text", help="form of the report")
    parser.add_argument("--write", action="store_true", help="also put the report into docs/benchmarks.md")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
