"""Run `--check-config` and show everything that is wrong with the settings, Kometa's files and the services."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from rich.cells import cell_len
from rich.text import Text

from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.core.summary import marked, places, same_cause
from kometa_ai.jobs.checkup import Diagnosis, check_up

if TYPE_CHECKING:
    from collections import abc
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from kometa_ai.cli.call import Call
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import Kind
    from kometa_ai.core.problem import Problem
    from kometa_ai.jobs.checkup import Named
    from kometa_ai.jobs.services import Looked

_WRONG = 2
_LONGEST_LINE = 140
_LONGEST_CORRECTION = 16


def check_config(call: Call) -> int:
    """Check everything, show the result, return 2 for problems, 1 for warnings only or a silent service."""

    def look_around(collections: Sequence[Collection]) -> tuple[Looked, ...]:
        with prepared(call, warn=False) as session:  # the warnings are in the result
            return asyncio.run(session.look_around(collections))

    found = check_up(call.environ, look_around)
    show(call, _as_json(found) if call.given["output"] == "json" else found, _print)
    return found.exit_code


def _as_json(found: Diagnosis) -> dict[str, Any]:
    """The result as data for JSON, with the severity of each problem."""
    data: dict[str, Any] = msgspec.to_builtins(found)
    for kind in ("problems", "warnings", "hints"):
        data[kind] = [{"severity": "error", **problem} for problem in data[kind]]
    for part in ("collections", "disabled", "skipped"):
        data[part] = [each["name"] for each in data[part]]
    # What was read from a library is no result.
    data["services"] = [
        {"service": looked.service, "status": looked.status, "detail": looked.detail} for looked in found.services
    ]
    return data


# In words


_LABELS = {"error": "[red]Problem[/]", "warning": "[yellow]Warning[/]", "hint": "[cyan]Hint[/]"}
_STATUS = {"ok": "[green]ok[/]", "unusable": "[yellow]cannot be used[/]", "silent": "[cyan]does not answer now[/]"}


def _print(found: Diagnosis) -> None:
    out = output.console()
    for problems in (found.problems, found.warnings, found.hints):
        for same in same_cause(problems):
            if len(same) == 1 or any(problem.column or problem.correction for problem in same):
                for problem in same:
                    _print_problem(out, problem)
            else:
                _print_together(out, same)
    for looked in found.services:
        out.print(f"[bold]{looked.service}[/] {_STATUS[looked.status]}: {output.clean(looked.detail)}")
    if found.not_looked_at:
        names = ", ".join(map(output.clean, found.not_looked_at))
        out.print(f"[bold]{names}[/]: not looked at, since the settings are wrong.")
    out.print(_verdict(found))
    kinds = {each.kind for each in (*found.collections, *found.skipped, *found.disabled) if each.kind}
    out.print(f"Collections that take part: {_listed(found.collections, kinds) or 'none'}.")
    for others, what in ((found.skipped, "Skipped because of a problem"), (found.disabled, "Switched off")):
        if others:
            out.print(f"{what}: {_listed(others, kinds)}.")


def _listed(collections: Iterable[Named], kinds: abc.Collection[Kind]) -> str:
    names = (marked(each.name, each.kind, kinds) if each.kind else each.name for each in collections)
    return output.clean(", ".join(names))


def _verdict(found: Diagnosis) -> str:
    """The result in a sentence. It never says that all works if something does not, or could not be checked."""
    by_status = {
        status: " and ".join(looked.service for looked in found.services if looked.status == status)
        for status in ("unusable", "silent")
    }
    if found.exit_code == _WRONG:
        return "[red]Something is wrong.[/]"
    if who := by_status["unusable"]:
        return f"[red]It does not work like this: {who} cannot be used.[/]"
    if who := by_status["silent"]:
        do = "do" if " and " in who else "does"
        but = ", but for the warnings" if found.warnings else ""
        silent = f"{who} {do} not answer now. Is the address right?"
        return f"[yellow]In order as far as it could be looked at{but}; {silent}[/]"
    if found.warnings:
        return "[yellow]It works, with warnings.[/]"
    if not found.collections:
        return "[yellow]In order, but no collection takes part.[/]"
    return "[green]All in order.[/]"


def _print_problem(out: Console, problem: Problem) -> None:
    where = f" {output.clean(problem.where)}:" if problem.where else ""
    about = f" {output.clean(problem.collection)}:" if problem.collection else ""
    output.print_hanging(out, f"{_LABELS[problem.severity]}{where}{about} {output.clean(problem.what)}")
    if problem.excerpt:
        _print_excerpt(out, problem)
    output.print_hanging(out, f"→ {output.clean(problem.remedy)}", lead=2, indent=4)
    if problem.correction:
        _print_correction(out, problem)
    out.print()


def _print_together(out: Console, same: Sequence[Problem]) -> None:
    """Print what is the same for several collections, or at several places, once."""
    names = list(dict.fromkeys(problem.collection for problem in same if problem.collection))
    where = f" {output.clean(places(same))}:" if places(same) else ""
    about = f" {output.clean(', '.join(names))}:" if names else ""
    output.print_hanging(out, f"{_LABELS[same[0].severity]}{where}{about} {output.clean(same[0].what)}")
    output.print_hanging(out, f"→ {output.clean(same[0].remedy)}", lead=2, indent=4)
    out.print()


def _print_excerpt(out: Console, problem: Problem) -> None:
    """Print the problem's line, cut around the column if it is long, and a caret below the column."""
    text, column = _printable(problem.excerpt), (problem.column or 1) - 1
    if len(text) > _LONGEST_LINE:
        start = max(0, min(column - _LONGEST_LINE // 2, len(text) - _LONGEST_LINE))
        text, column = text[start : start + _LONGEST_LINE], column - start
    number = str(problem.line)
    out.print(Text.assemble(f"  {number} ", ("| ", "dim"), text), no_wrap=True, overflow="ellipsis")
    if problem.column and column < len(text):
        caret = " " * cell_len(text[:column]) + "^"
        out.print(Text.assemble(" " * (len(number) + 3), ("| ", "dim"), (caret, "red")), no_wrap=True)


def _print_correction(out: Console, problem: Problem) -> None:
    correction = problem.correction
    if correction is None or len(correction.lines) > _LONGEST_CORRECTION:
        return
    first, last = correction.first, correction.last
    lines = f"line {first}" if first == last else f"lines {first} to {last}"
    if not correction.lines:
        out.print(f"  Take {lines} away.")
        return
    out.print(f"  Put in above line {first}:" if last < first else f"  In place of {lines}:")
    for line in correction.lines:
        out.print(Text("    " + _printable(line), style="green"), soft_wrap=True)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
