"""Draw the results: how cost, processor time and memory grow with the library."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pygal  # type: ignore[import-untyped]  # it has no types
from pygal.style import Style  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.figures import Measured, Result, Scenario


class Plot(NamedTuple):
    """A drawing: its file, its title, its scenarios, and the value to show."""

    name: str
    title: str
    scenarios: tuple[Scenario, ...]
    value: Callable[[Result], float]


PLOTS = (
    Plot("benchmark-cost", "Cost of a first run, USD", ("first", "batches"), lambda result: result.seen.usd),
    Plot("benchmark-cpu", "Processor time of a first run, s", ("first",), lambda result: result.used.cpu_seconds),
    Plot(
        "benchmark-cpu-settled",
        "Processor time of a run with nothing changed, s",
        ("settled",),
        lambda result: result.used.cpu_seconds,
    ),
    Plot("benchmark-memory", "Peak memory, MB", ("first", "settled", "ten-new"), lambda result: result.used.peak_mb),
)

# pygal hooks its own plugins into the import system, with a finder that Python 3.11 warns of at every later import.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "PluginImportFixer"]

_SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)
_STYLE = Style(
    background="#ffffff",
    plot_background="#ffffff",
    font_family="sans-serif",
    # Distinguishable with red-green colour blindness.
    colors=("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"),
)


def write(measured: Measured, folder: Path) -> None:
    """Put every plot into the folder. The same figures give the same files."""
    folder.mkdir(exist_ok=True)
    for plot in PLOTS:
        (folder / f"{plot.name}.svg").write_text(drawn(plot, measured), encoding="utf-8")


def drawn(plot: Plot, measured: Measured) -> str:
    """One plot of the runs about movies as SVG, a line for each scenario and number of collections; without scripts."""
    chart = pygal.XY(
        style=_STYLE,
        js=(),
        no_prefix=True,
        disable_xml_declaration=True,
        width=800,
        height=420,
        title=plot.title,
        x_title="movies",
        legend_at_bottom=True,
        include_x_axis=True,
        value_formatter=lambda value: f"{value:,.10g}",
        x_value_formatter=lambda value: f"{value:,.0f}",
    )
    results = [result for result in measured.results if result.kind == "movies"]
    numbers = sorted({result.collections for result in results})
    for scenario in plot.scenarios:
        for collections in numbers:
            points = [
                (result.movies, round(plot.value(result), 2))
                for result in results
                if (result.scenario, result.collections) == (scenario, collections)
            ]
            named = f"{scenario}, " if len(plot.scenarios) > 1 else ""
            if points:
                chart.add(f"{named}{collections} collections", sorted(points))
    return _SCRIPT.sub("", chart.render()) + "\n"
