"""Run `--check-config`: report everything that is wrong with the settings, Kometa's files and the services."""

from __future__ import annotations

import asyncio
import shlex
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from rich.cells import cell_len
from rich.text import Text

from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.core.collection import Folder
from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixConfiguration, KometaAIError
from kometa_ai.jobs.after_changes import about_left_out
from kometa_ai.kometa.checking.examination import examine_folder
from kometa_ai.kometa.checking.excerpts import Excerpts
from kometa_ai.kometa.checking.kometa_log import about_version
from kometa_ai.notification import push
from kometa_ai.observe.redact import Redactor
from kometa_ai.run.orphans import adopted_tags
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.schema import Settings, variables
from kometa_ai.state import files
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from rich.console import Console

    from kometa_ai.cli.call import Call
    from kometa_ai.jobs.services import Looked

_WRONG = 2
_LONGEST_LINE = 140
_LONGEST_CORRECTION = 16


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. `services` is empty where the settings do not lead to any."""

    exit_code: int
    collections: tuple[str, ...]
    disabled: tuple[str, ...]
    skipped: tuple[str, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    hints: tuple[Problem, ...]
    services: tuple[Looked, ...] = ()


def check_config(call: Call) -> int:
    """2 for problems, 1 for warnings only. A service that does not answer now is neither."""
    settings, problems, warnings, hints = _settings(call)
    if settings:
        problems += _unwritable(settings.state_dir, "STATE_DIR", "No run can keep what it has paid for", "error")
        warnings += _unwritable(settings.log_dir, "LOG_DIR", "No log is kept", "warning")
        warnings += _missing_program(settings.after_changes_command, call.environ)
        warnings += push.unreadable(settings)
    config_dir = settings.config_dir if settings else _config_dir(call)
    redact = Redactor(secrets_of(settings) if settings else _secrets_in(call.environ)).text
    told = _Teller(config_dir, redact)
    folder = Folder()
    if config_dir is not None:
        try:
            folder = examine_folder(config_dir, radarr_url=settings.radarr_url if settings else "")
        except FixConfiguration as error:
            problems += error.problems
    if config_dir is not None and folder.collections:
        warnings += about_version(config_dir)
    if settings and (settings.after_changes_command or settings.after_changes_url):
        left_out = list(about_left_out(folder.collections))
        warnings += [problem for problem in left_out if problem.severity == "warning"]
        hints = (*hints, *(problem for problem in left_out if problem.severity == "hint"))
    if settings:
        warnings += _adopted_tags(settings.state_dir, folder)
    services = _services(call, folder) if settings else ()
    warnings += folder.warnings
    warnings += [warning for looked in services for warning in looked.warnings]
    problems += folder.problems
    found = Diagnosis(
        exit_code=_WRONG if problems else 1 if warnings else 0,
        collections=tuple(collection.name for collection in folder.collections),
        disabled=tuple(collection.name for collection in folder.disabled),
        skipped=tuple(collection.name for collection in folder.skipped),
        problems=told(problems),
        warnings=told(warnings),
        hints=told([*hints, *folder.hints]),
        services=tuple(msgspec.structs.replace(looked, detail=redact(looked.detail)) for looked in services),
    )
    show(call, _as_json(found) if call.given["output"] == "json" else found, _print)
    return found.exit_code


def _settings(call: Call) -> tuple[Settings | None, list[Problem], list[Problem], tuple[Problem, ...]]:
    """The settings where they can be used, and their problems, warnings and hints."""
    try:
        loaded = load_settings(call.environ)
    except FixConfiguration as error:
        return None, list(error.problems), [], ()
    return loaded.settings, [], list(loaded.warnings), loaded.hints


def _config_dir(call: Call) -> Path | None:
    """Kometa's folder even where other settings are wrong."""
    wanted = {name: value for name, value in call.environ.items() if name.startswith("CONFIG_DIR")}
    try:
        return load_settings(wanted, required=()).settings.config_dir
    except FixConfiguration:
        return None


def _unwritable(folder: Path, setting: str, so: str, severity: Literal["error", "warning"]) -> Iterator[Problem]:
    """A problem where the folder cannot be written, or cannot be made, with what to do about the reason."""
    error = files.hindrance(folder)
    if error:
        yield Problem(
            source=setting,
            what=f"{str(folder)!r} cannot be written: {error.strerror}. {so}.",
            remedy=f"{files.remedy_for(error, setting)} Or set {setting} to another folder.",
            severity=severity,
        )


def _missing_program(command: str, environ: Mapping[str, str]) -> Iterator[Problem]:
    """A warning where the program that is to run after changes is not there."""
    program = next(iter(shlex.split(command)), "")
    if program and shutil.which(program, path=environ.get("PATH")) is None:
        yield Problem(
            source="AFTER_CHANGES_COMMAND",
            what=f"the program {program!r} is not there, or this user may not run it. Kometa is not told of changes.",
            remedy="Write its whole path. A container sees only programs of its own image and of mounted folders; "
            "AFTER_CHANGES_URL reaches others.",
            severity="warning",
        )


def _adopted_tags(state_dir: Path, folder: Folder) -> Iterator[Problem]:
    """Warnings about tags that the state knows as another collection's; none where no state can be read."""
    if not state_dir.is_dir():
        return
    with suppress(KometaAIError):
        yield from adopted_tags(folder, Store.load(state_dir, read_only=True).state.collections)


def _services(call: Call, folder: Folder) -> tuple[Looked, ...]:
    with prepared(call, warn=False) as session:  # the warnings are in the result
        return asyncio.run(session.look_around(folder.collections))


def _secrets_in(environ: Mapping[str, str]) -> Iterator[str]:
    """The secrets of settings that cannot be used as a whole."""
    for variable in variables().values():
        if variable.secret:
            yield from (environ[name] for name in (variable.name, variable.alias) if environ.get(name))


class _Teller:
    """Makes problems fit to be shown: with the lines they are about, and without any secret."""

    def __init__(self, root: Path | None, redact: Callable[[str], str]) -> None:
        self._excerpts = Excerpts(root, redact) if root else None
        self._redact = redact

    def __call__(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        return tuple(map(self._told, problems))

    def _told(self, problem: Problem) -> Problem:
        if self._excerpts:
            problem = self._excerpts.added_to(problem)
        return msgspec.structs.replace(problem, what=self._redact(problem.what), remedy=self._redact(problem.remedy))


def _as_json(found: Diagnosis) -> dict[str, Any]:
    """The same, with the severity of each problem written out."""
    data: dict[str, Any] = msgspec.to_builtins(found)
    for kind in ("problems", "warnings", "hints"):
        data[kind] = [{"severity": "error", **problem} for problem in data[kind]]
    data["services"] = [
        {"service": looked.service, "status": looked.status, "detail": looked.detail} for looked in found.services
    ]
    return data


# In words


_LABELS = {"error": "[red]Problem[/]", "warning": "[yellow]Warning[/]", "hint": "[cyan]Hint[/]"}
_STATUS = {"ok": "[green]ok[/]", "unusable": "[yellow]cannot be used[/]", "silent": "[cyan]does not answer now[/]"}


def _print(found: Diagnosis) -> None:
    out = output.console()
    for problem in (*found.problems, *found.warnings, *found.hints):
        _print_problem(out, problem)
    for looked in found.services:
        out.print(f"[bold]{looked.service}[/] {_STATUS[looked.status]}: {output.clean(looked.detail)}")
    if not found.services:
        out.print("[bold]Radarr, Claude[/]: not looked at, since the settings are wrong.")
    out.print(_verdict(found))
    out.print(f"Collections that take part: {output.clean(', '.join(found.collections)) or 'none'}.")
    for others, what in ((found.skipped, "Skipped because of a problem"), (found.disabled, "Switched off")):
        if others:
            out.print(f"{what}: {output.clean(', '.join(others))}.")


def _verdict(found: Diagnosis) -> str:
    """All of it in a sentence: never that it works where it does not, or where it could not look."""
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
        return f"[yellow]In order as far as it could be looked at{but}; {who} {do} not answer now.[/]"
    return "[yellow]It works, with warnings.[/]" if found.warnings else "[green]All in order.[/]"


def _print_problem(out: Console, problem: Problem) -> None:
    where = f" {output.clean(problem.where)}:" if problem.where else ""
    about = f" {output.clean(problem.collection)}:" if problem.collection else ""
    out.print(f"{_LABELS[problem.severity]}{where}{about} {output.clean(problem.what)}")
    if problem.excerpt:
        _print_excerpt(out, problem)
    out.print(f"  → {output.clean(problem.remedy)}")
    if problem.correction:
        _print_correction(out, problem)
    out.print()


def _print_excerpt(out: Console, problem: Problem) -> None:
    """The line itself, cut around the column if it is long, and a caret below the column."""
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
