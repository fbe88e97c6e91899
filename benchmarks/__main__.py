"""The command line of the benchmarks: measure, and print or save the results."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks import models, plots, report
from benchmarks.figures import SCENARIOS, Measured
from benchmarks.runs import ROOT, measure
from benchmarks.targets import targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.figures import Kind, Result

DOCS = ROOT / "docs"
PAGE, DATA, IMAGES, MODELS = "benchmarks.md", "benchmarks.json", "images", "compare.md"

_DESCRIPTION = """\
Run the real program against stand-ins of Radarr or Sonarr, and of Claude, that answer at once, for each number of
movies or shows and of collections, and print what it asked, what that would cost, and what it used. All sizes together
take a while: 10,000 movies and 20 collections about ten minutes."""
_MOVIES, _OF_MOVIES = (1000, 5000, 10000, 20000), (5, 20)
_SHOWS, _OF_SHOWS = (1000, 5000), (10,)


def main(arguments: Sequence[str] | None = None, docs: Path = DOCS) -> int:
    """Measure, or draw or price the saved results; 1 if a target is missed, or something could not be measured."""
    given = _parser().parse_args(arguments)
    if given.plots:
        plots.write(_kept(docs / DATA), docs / IMAGES)
        return 0
    if given.models:
        models.write(docs / MODELS, models.markdown(_kept(docs / DATA)))
        return 0
    found = Measured(machine=report.machine(os.getloadavg()[0]), results=[])
    kept = _kept(docs / DATA) if given.write else found
    kept.machine = found.machine
    failures = 0
    for result in _measured(given):
        if result is None:
            failures += 1
            continue
        found.put(result)
        if given.write:
            # Save at once: later measurements may fail, and this one took its time.
            kept.put(result)
            (docs / DATA).write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
    if given.output == "json":
        content = msgspec.json.format(msgspec.json.encode(found.results), indent=2).decode() + "\n"
    else:
        content = report.text(found) if given.output == "text" else report.markdown(found)
    sys.stdout.write(content)
    if given.write:
        report.write(docs / PAGE, report.markdown(kept))
        plots.write(kept, docs / IMAGES)
        if (docs / MODELS).exists():
            models.write(docs / MODELS, models.markdown(kept))
    is_good = all(target.is_met for result in found.results for target in targets(result)) and not failures
    return 0 if is_good else 1


def _measured(given: argparse.Namespace) -> Iterator[Result | None]:
    """Each result; None if a size failed, which is reported while the others continue."""
    scenarios = SCENARIOS if "all" in given.scenario else given.scenario
    for kind, items, collections in _sizes(given):
        named = f"{items:,} {kind} x {collections}"
        try:
            for result in measure(
                kind=kind, movies=items, collections=collections, members=given.members, scenarios=scenarios
            ):
                used = result.used
                sys.stderr.write(
                    f"{named}, {result.scenario}: {result.seen.usd:.2f} USD, "
                    f"{used.cpu_seconds:.1f} s CPU, {used.peak_mb:.0f} MB, {used.wall_seconds:.0f} s\n"
                )
                yield result
        except Exception as error:  # noqa: BLE001 - whatever it is, the other sizes are worth their hours
            sys.stderr.write(f"{named} broke off: {type(error).__name__}: {error}\n")
            yield None


def _sizes(given: argparse.Namespace) -> Iterator[tuple[Kind, int, int]]:
    """What the library holds, how many of it, and how many collections. Where one kind is given, the other is not."""
    is_open = given.movies is None and given.shows is None
    movies, shows = given.movies or (_MOVIES if is_open else ()), given.shows or (_SHOWS if is_open else ())
    yield from (("movies", items, number) for items in movies for number in given.collections or _OF_MOVIES)
    yield from (("shows", items, number) for items in shows for number in given.collections or _OF_SHOWS)


def _kept(path: Path) -> Measured:
    if not path.exists():
        return Measured(machine="", results=[])
    return msgspec.json.decode(path.read_bytes(), type=Measured)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    unless = "without either, all sizes of both"
    parser.add_argument(
        "--movies", type=int, nargs="+", default=argparse.SUPPRESS, help=f"movies in a Radarr; {unless}"
    )
    parser.add_argument("--shows", type=int, nargs="+", default=argparse.SUPPRESS, help=f"shows in a Sonarr; {unless}")
    parser.add_argument(
        "--collections",
        type=int,
        nargs="+",
        default=argparse.SUPPRESS,
        help="collections in Kometa's folder (default: 5 and 20 of movies, 10 of shows)",
    )
    parser.set_defaults(movies=None, shows=None, collections=None)
    parser.add_argument("--members", type=float, default=0.05, help="share of the items that belong to a collection")
    parser.add_argument(
        "--scenario",
        nargs="+",
        choices=[*SCENARIOS, "all"],
        default=["all"],
        help="the first run, one with nothing changed after it, one with ten new items after that, "
        "and a first run through batches",
    )
    parser.add_argument("--output", choices=["text", "json", "markdown"], default="text", help="form of the report")
    parser.add_argument(
        "--write", action="store_true", help="also keep it in docs/benchmarks.json, and make the pages and plots anew"
    )
    parser.add_argument("--plots", action="store_true", help="measure nothing, draw what is in docs/benchmarks.json")
    parser.add_argument(
        "--models",
        action="store_true",
        help="measure nothing, price the first runs in docs/benchmarks.json for other models, into docs/compare.md",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
