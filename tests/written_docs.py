"""The parts of the documentation that are made from the code: `make docs` writes them, test_docs.py compares them."""

from __future__ import annotations

import ast
import re
import tomllib
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.cli.main import cli
from kometa_ai.daemon.metrics import Metrics
from kometa_ai.settings.variables import FURTHER_LIBRARIES, variables
from kometa_ai.state.upgrades import SINCE_FORMAT_1
from tests import written_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kometa_ai"
DOCS = ROOT / "docs"


class Part(NamedTuple):
    """A part of a page, between two comments that name it, and what makes it."""

    page: Path
    name: str
    make: Callable[[], str]

    def filled_in(self) -> str:
        """The whole page, with this part as it should be."""
        page = self.page.read_text(encoding="utf-8")
        begin, end = f"<!-- {self.name}: written by `make docs` -->\n", f"<!-- end of {self.name} -->\n"
        before, found, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found and found_end):
            raise ValueError(f"{self.page.name} has no place for {self.name}")
        return f"{before}{begin}\n{self.make()}\n{end}{after}"


def parts() -> list[Part]:
    """Every such part."""
    return [
        Part(DOCS / "settings.md", "settings", settings),
        Part(DOCS / "commands.md", "options", options),
        Part(DOCS / "cost.md", "costs", costs),
        Part(DOCS / "monitoring.md", "metrics", metrics),
        Part(DOCS / "modules.md", "map", module_map),
        Part(DOCS / "start.md", "forecast", written_outputs.estimate),
        Part(DOCS / "changes.md", "differences", differences),
        Part(DOCS / "prompts.md", "explanation", written_outputs.explanation),
        Part(DOCS / "block.md", "complaints", written_outputs.complaints),
        Part(DOCS / "kometa.md", "kometa-side", written_outputs.kometa_side),
        *(Part(DOCS / f"{page}.md", name, make) for page, name, make in written_outputs.SHOWN),
    ]


def settings() -> str:
    """Every setting with its default and what it is for."""
    rows = [(f"`{variable.name}`", variable.default, variable.help) for variable in variables().values()]
    rows.insert(1 + list(variables()).index("SONARR_API_KEY"), FURTHER_LIBRARIES)
    return _table(("variable", "default", ""), rows)


def options() -> str:
    """Every option with what `--help` says of it."""
    context = cli.make_context("kometa-ai", [], resilient_parsing=True)
    records = [record for each in cli.get_params(context) if (record := each.get_help_record(context))]
    # Not what click adds for the reader of --help: bounds and defaults, which the texts say where it matters.
    found = [(names.replace(" RANGE", ""), text.partition("  [")[0]) for names, text in records]
    return _table(("option", ""), [(f"`{names}`", text) for names, text in found])


def costs() -> str:
    """What runs on movies cost, from the table of the benchmarks."""
    figures: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows(DOCS / "benchmarks.md", "### Runs"):
        count, _, kind = row["library"].partition(" ")
        if kind == "movies":
            figures.setdefault((count, row["collections"]), {})[row["run"]] = row["USD"]
    columns = ("movies", "collections", "first run", "in batches", "unchanged night", "night with ten new movies")
    return _table(columns, [(*size, *(of[run] for run in _RUNS)) for size, of in figures.items()], right=True)


_RUNS = ("first", "batches", "settled", "ten-new")


def metrics() -> str:
    """Every figure of our own for Prometheus, with its labels."""
    registry = Metrics()._registry
    found = []
    for collector in dict.fromkeys(registry._collector_to_names):
        names = getattr(collector, "_labelnames", ())
        for family in collector.collect():
            if family.name.startswith("kometa_ai_process"):
                continue
            suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
            labels = ", ".join(f"`{name}`" for name in names)
            found.append((f"`{family.name}{suffix}`", family.type, labels, family.documentation))
    return _table(("name", "kind", "labels", ""), found)


def rows(page: Path, heading: str) -> list[dict[str, str]]:
    """The first table below a heading of a page, row by row."""
    below = page.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n#")[0].splitlines()
    lines = takewhile(_is_row, dropwhile(lambda line: not _is_row(line), below))
    table = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))] for line in lines]
    if not table:
        raise ValueError(f"{page.name} has no table below {heading!r}")
    header, _, *body = table
    return [dict(zip(header, row, strict=False)) for row in body]


def differences() -> str:
    """What is different for a user of 0.1, as the log tells it."""
    return _table(("what is different", "what you may want to do"), SINCE_FORMAT_1)


def _is_row(line: str) -> bool:
    return line.startswith("|")


def _table(header: tuple[str, ...], body: Sequence[tuple[str, ...]], *, right: bool = False) -> str:
    lines = [header, tuple("---:" if right else "---" for _ in header), *body]
    return "".join("|" + "|".join(map(_cell, line)) + "|\n" for line in lines)


def _cell(text: str) -> str:
    # Neither GitHub nor the site's Markdown understands how the other wants a `|` in code to be escaped.
    pipes = re.sub(r"`([^`]*\|[^`]*)`", lambda found: f"<code>{found[1]}</code>", text).replace("|", "&#124;")
    return f" {pipes} " if text else " "


def module_map() -> str:
    """Each package with its modules, and the first line of each docstring; packages in the order of their layers."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    names = [name for layer in layers for name in re.split(r" [:|] ", layer)]
    folders = [PACKAGE / name for name in names if (PACKAGE / name / "__init__.py").exists()]
    sections = [f"## `kometa_ai`: {_first_line(PACKAGE / '__init__.py')}", _list(PACKAGE)]
    for folder in folders:
        sections += [f"## `{folder.name}`: {_first_line(folder / '__init__.py')}", _list(folder)]
    return "\n\n".join(section for section in sections if section) + "\n"


def _list(folder: Path) -> str:
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    lines = [f"- `{path.name}`: {_first_line(path)}" for path in modules]
    for package in sorted(path.parent for path in folder.glob("*/__init__.py")) if folder != PACKAGE else []:
        lines.append(f"- `{package.name}/`: {_first_line(package / '__init__.py')}")
        lines += [f"    {line}" for line in _list(package).splitlines()]
    return "\n".join(lines)


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{path} does not say what it is for")
    return docstring.partition("\n")[0]


if __name__ == "__main__":
    for part in parts():
        part.page.write_text(part.filled_in(), encoding="utf-8")
