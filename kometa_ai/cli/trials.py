"""Do the commands that ask about a sample and decide nothing: try a prompt, audit; each returns its exit code."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich import box
from rich.table import Table

from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.cli.whatif import print_lines
from kometa_ai.core.summary import audit_in_words, counted, marked
from kometa_ai.daemon import heartbeat
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.audit import AuditWanted, audit
from kometa_ai.jobs.foreground import Foreground
from kometa_ai.jobs.running import new_run_id
from kometa_ai.jobs.trial import LONGEST_PROMPT, Wanted, try_prompt
from kometa_ai.settings.environment import LIBRARY, MODEL, REQUIRED

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rich.console import Console

    from kometa_ai.cli.call import Call
    from kometa_ai.core.audit import Audit, AuditedItem
    from kometa_ai.jobs.session import Session
    from kometa_ai.jobs.trial import Trial
    from kometa_ai.run.parts import Parts

_LARGEST = 8 * LONGEST_PROMPT
_LISTED = 20

_T = TypeVar("_T")


def try_a_prompt(call: Call) -> int:
    """Judge a sample of one collection by another prompt."""
    if len(call.given["collections"]) != 1:
        raise FixUsage("--try-prompt is about one collection.", "Name it once: --collection NAME.")
    name = call.given["collections"][0]
    text = _text_of(call.given["try_prompt"])
    with prepared(call, *(LIBRARY, MODEL) if call.given["max_cost"] == 0 else REQUIRED) as session:
        wanted = Wanted(
            collection=name,
            text=text,
            max_cost=call.given["max_cost"],
            batch_size=call.given["batch_size"] or session.rules.page_size,
        )

        async def do(parts: Parts, say: Callable[[str], object]) -> Trial:
            return await try_prompt(
                parts,
                session.rules,
                wanted,
                trial_id=new_run_id(session.now()),
                announce=lambda trial: say(f"{_costs(trial)}."),
            )

        found = _done(session, do, (name,), is_free=wanted.is_free)
        show(call, found, print_trial)
        return found.exit_code


def audit_decisions(call: Call) -> int:
    """Ask again about a sample of decisions and all pins."""
    with prepared(call, *(LIBRARY, MODEL) if call.given["max_cost"] == 0 else REQUIRED) as session:
        wanted = AuditWanted(collections=call.given["collections"], max_cost=call.given["max_cost"])

        async def do(parts: Parts, say: Callable[[str], object]) -> Audit:
            return await audit(
                parts,
                session.rules,
                wanted,
                audit_id=new_run_id(session.now()),
                announce=lambda found: say(f"{_audit_costs(found)}."),
            )

        found = _done(session, do, wanted.collections, is_free=wanted.is_free)
        show(call, found, print_audit)
        return found.exit_code


def _done(
    session: Session,
    do: Callable[[Parts, Callable[[str], object]], Coroutine[Any, Any, _T]],
    names: tuple[str, ...],
    *,
    is_free: bool,
) -> _T:
    """Do it: what is free without the lock, what spends as a run does."""
    with output.Watcher() as watcher:
        if is_free:
            session.check_names(names)
            return asyncio.run(session.look(lambda parts: do(parts, watcher.say)))
        foreground = Foreground(session, watcher, partial(heartbeat.next_run, session.settings.state_dir))
        return asyncio.run(foreground.aside(lambda parts: do(parts, watcher.say), lambda: session.check_names(names)))


def _text_of(file: str) -> str:
    """The text to try. Raise FixUsage where it cannot be read."""
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise FixUsage(
            f"The file {file!r} cannot be read: {error.strerror}.", "Give a file with the prompt, or - for stdin."
        ) from error
    if len(content) > _LARGEST:
        raise FixUsage(f"{file!r} is too large for a prompt.", f"Write at most {LONGEST_PROMPT:,} characters.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FixUsage(f"{file!r} is not UTF-8: {error.reason}.", "Save it as UTF-8.") from error


# Results


def _about(amount: float | None) -> str:
    if amount is None:
        return "at a price that is not known"
    return f"about {output.dollars(amount)}" if amount else "free"


def _at_most(limit: float | None) -> str:
    if not limit:
        return " and no limit" if limit is None else ""
    return f", at most {output.dollars(limit)}"


def _allowed(limit: float | None) -> str:
    return "" if limit is None else f" of the {output.dollars(limit)} allowed"


def _costs(trial: Trial) -> str:
    library = counted(trial.library_questions, "question")
    return (
        f"To ask about {counted(trial.sampled, trial.kind)}: {_about(trial.forecast_usd)}{_at_most(trial.limit_usd)};"
        f" to judge the whole library by this prompt: {library}, {_about(trial.library_usd)}"
    )


def print_trial(trial: Trial) -> None:
    """Print what would change in the sample, and what it cost."""
    out = output.console()
    read = "a whole block" if trial.is_block else "the text of a prompt"
    same = " It is the prompt that the collection has now." if trial.is_present_prompt else ""
    threshold = (
        f", threshold {trial.threshold:.2f}"
        if trial.threshold == trial.threshold_now
        else f", threshold {trial.threshold:.2f} in place of {trial.threshold_now:.2f}"
    )
    out.print(f"[bold]{output.clean(trial.collection)}[/]{threshold}. What was read is {read}.{same}")
    if trial.outcome == "forecast":
        out.print(f"{_costs(trial)}.")
        out.print("Nothing was asked.", style="dim")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in (trial.kind.capitalize(), "Now", "Would be", "Why"):
        table.add_column(column)
    for item in trial.items:
        style = "" if item.changes else "dim"
        table.add_row(
            output.clean(str(item)),
            _side("not judged", item.confidence_now, is_in=item.is_in),
            _side("no answer", item.confidence, is_in=item.would_be_in),
            output.clean(item.reason),
            style=style,
        )
    output.print_table(out, table)
    out.print(f"[bold]{changes_of(trial)}[/]")
    out.print("A sample: it says nothing of how many in the whole library would change.", style="dim")
    out.print(
        f"It cost {output.dollars(trial.cost.cost_usd)}{_allowed(trial.limit_usd)}. To judge the whole "
        f"library by this prompt: {counted(trial.library_questions, 'question')}, {_about(trial.library_usd)}."
    )
    for lines in trial.lines:
        print_lines(out, lines)
    output.print_problems(out, trial.problems)


def _side(unknown: str, confidence: float | None, *, is_in: bool | None) -> str:
    if is_in is None:
        return f"[yellow]{unknown}[/]"
    return f"[{'green' if is_in else 'red'}]{'in' if is_in else 'out'}[/] {confidence or 0.0:.2f}"


def changes_of(trial: Trial) -> str:
    """`3 of 12 members would leave, 2 of 14 near would enter, 0 of 14 others change; 35 of 40 as before`."""
    words = {"member": ("members", "would leave"), "near": ("near", "would enter"), "other": ("others", "would enter")}
    parts = [
        f"{group.changed} of {group.answered} {words[group.group][0]} {words[group.group][1]}"
        for group in trial.groups
        if group.answered
    ]
    fresh = f"; {trial.not_judged_before} were not judged before" if trial.not_judged_before else ""
    lacking = trial.sampled - trial.answered
    unanswered = f"; {lacking} without an answer" if lacking else ""
    return f"{', '.join(parts) or 'No answers'}; {trial.as_before} of {trial.answered} as before{fresh}{unanswered}"


def _audit_costs(found: Audit) -> str:
    return (
        f"To ask again about {counted(found.sampled, 'decision')} and {counted(found.pins, 'pin')}: "
        f"{_about(found.forecast_usd)}{_at_most(found.limit_usd)}"
    )


def print_audit(found: Audit) -> None:
    """Print flips and disagreements by collection, and what it cost."""
    out = output.console()
    if found.outcome == "forecast":
        out.print(f"{_audit_costs(found)}.")
        out.print("Nothing was asked.", style="dim")
        return
    if found.collections:
        _print_audited(out, found)
    out.print(f"[bold]{audit_in_words(found)}[/]")
    out.print(
        f"It cost {output.dollars(found.cost_usd)}{_allowed(found.limit_usd)}. Sample {found.seed}. "
        "Nothing was changed by it.",
        style="dim",
    )
    output.print_problems(out, found.problems)


def _print_audited(out: Console, found: Audit) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Collection")
    for column in ("Asked", "Flips", "Mean change", "Pins", "Agreed"):
        table.add_column(column, justify="right")
    kinds = {each.kind for each in found.collections}
    for each in found.collections:
        table.add_row(
            output.clean(marked(each.name, each.kind, kinds)),
            output.number(each.asked),
            output.number(len(each.flips), "red"),
            "·" if each.mean_change is None else f"{each.mean_change:.2f}",
            output.number(each.pins_asked),
            output.number(each.agreed),
        )
    output.print_table(out, table)
    for each in found.collections:
        name = output.clean(marked(each.name, each.kind, kinds))
        _print_items(out, f"{name}: would flip", each.flips)
        _print_items(out, f"{name}: no flip, but surer or less sure by more than 0.2", each.shifted)
        _print_items(out, f"{name}: pinned against the model", each.disagreeing)


def _print_items(out: Console, heading: str, items: tuple[AuditedItem, ...]) -> None:
    for item in items[:_LISTED]:
        before = "" if item.confidence_before is None else f" {item.confidence_before:.2f}"
        now, then = ("in" if side else "out" for side in (item.stands, item.include))
        why = f": {output.clean(item.reason)}" if item.reason else ""
        out.print(f"{heading}: {output.clean(str(item))} {now}{before} → {then} {item.confidence:.2f}[dim]{why}[/]")
    if len(items) > _LISTED:
        out.print(f"[dim]{heading}: {len(items) - _LISTED:,} more; --output json has all[/]")
