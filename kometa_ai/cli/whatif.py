"""Print what another threshold of a collection would do, and the lines to copy; returns the exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.cli.output import clean, print_hanging
from kometa_ai.core.decision import Cause
from kometa_ai.core.item import dated
from kometa_ai.core.options import Options
from kometa_ai.core.summary import counted
from kometa_ai.jobs.whatif import parse, what_if
from kometa_ai.settings.environment import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from kometa_ai.cli.call import Call
    from kometa_ai.jobs.whatif import Title, WhatIf
    from kometa_ai.judging.whatif import Step
    from kometa_ai.kometa.checking.rewording import LinesToCopy

_LISTED = 50
_BARS = " ▁▂▃▄▅▆▇█"


def show_what_if(call: Call) -> int:
    """Show who would enter and leave a collection at another threshold."""
    wish = parse(call.given["what_if"])
    with prepared(call, LIBRARY) as session:
        found = asyncio.run(what_if(session, Options(), wish))
        show(call, found, print_what_if)
        return 1 if found.problems else 0


def print_what_if(found: WhatIf) -> None:
    """Print the counts first, then who would enter and leave, the lines to copy, and what the next run does."""
    out = output.console()
    out.print(
        f"[bold]{clean(found.collection)}[/] at {found.threshold:g} (now {found.threshold_now:g}): "
        f"{found.members:,} would be in (now {found.members_now:,}). "
        f"{counted(len(found.enters), found.kind)} would enter, {len(found.leaves):,} would leave."
    )
    for line in _staying(found):
        out.print(line)
    if out.is_terminal:
        print_bars(out, found)
    _print_titles(out, "Would enter", found.enters)
    _print_titles(out, "Would leave", found.leaves)
    for each in found.follow:
        held = f"; the brake would hold back {counted(each.held_back, 'change')}" if each.held_back else ""
        held += f"; {counted(each.in_review, 'change')} would wait for a person" if each.in_review else ""
        asks = f"; {counted(each.asks, found.kind)} must be asked about" if each.asks else ""
        out.print(f"[bold]{clean(each.collection)}[/] follows, as its block names the tag{asks}{held}:")
        _print_titles(out, "Would enter", each.enters)
        _print_titles(out, "Would leave", each.leaves)
    for tags in found.libraries:
        held = f", {tags.held_back:,} held back" if tags.held_back else ""
        held += f", {tags.in_review:,} wait for a person first" if tags.in_review else ""
        out.print(
            f"Tags in {clean(tags.title)}: {tags.tagged:,} now; {tags.to_add:,} to add, {tags.to_remove:,} to remove"
            f"{held}."
        )
    if found.is_changed:
        for lines in found.lines:
            print_lines(out, lines)
        asks = counted(found.asks, "question") if found.asks else "nothing"
        open_now = f" because of it, and what is open in any case ({_open(found)})" if found.undecided else ""
        out.print(
            f"The next run does it and asks {asks}{open_now}. After an edit of the block the brake does not hold."
        )
    output.print_problems(out, found.problems)


def _staying(found: WhatIf) -> Iterator[str]:
    """What a threshold does not reach."""
    pins, tags = found.pinned_in + found.pinned_out, found.in_by_tag + found.out_by_tag
    if pins or tags:
        yield (
            f"As they are stay {counted(pins, 'pin')} ({found.pinned_in:,} in, {found.pinned_out:,} out) and "
            f"{tags:,} by tag ({found.in_by_tag:,} in, {found.out_by_tag:,} out)."
        )
    if found.second_looks:
        yield f"A second look is due for {counted(found.second_looks, found.kind)}: its outcome may differ."
    if found.undecided:
        yield f"Not decided, and left as they are until a run has asked: {_open(found)}."


def _open(found: WhatIf) -> str:
    return ", ".join(f"{number:,} {clean(reason)}" for reason, number in found.undecided.items())


def _print_titles(out: Console, heading: str, titles: Sequence[Title]) -> None:
    if not titles:
        return
    out.print(f"{heading}:")
    for title in titles[:_LISTED]:
        sure = "" if title.confidence is None else f" {title.confidence:.2f}"
        why = "" if title.because == Cause.VERDICT else f" ({clean(title.because)})"
        waits = " [dim]a second look comes first[/]" if title.waits else ""
        print_hanging(out, f"{clean(dated(title.title, title.year))}{sure}{why}{waits}", lead=2, indent=4)
    if len(titles) > _LISTED:
        out.print(f"  [dim]and {len(titles) - _LISTED:,} more; --output json lists them all[/]")


def print_bars(out: Console, found: WhatIf) -> None:
    """The verdicts by confidence, as bars of one character, with marks at both thresholds."""
    table = Table.grid(padding=(0, 1))
    table.add_row("belongs", _bars([step.included for step in found.histogram]))
    table.add_row("does not", _bars([step.others for step in found.histogram]))
    marks = [" "] * len(found.histogram)
    marks[_place(found.threshold_now, found.histogram)] = "n"
    marks[_place(found.threshold, found.histogram)] = "^"
    table.add_row("", "".join(marks) + "  from 0.0 to 1.0; ^ the other threshold, n the one now")
    out.print(table)


def _place(threshold: float, histogram: Sequence[Step]) -> int:
    return round(threshold * (len(histogram) - 1))


def _bars(counts: Sequence[int]) -> str:
    most = max(counts, default=0)
    return "".join(_BARS[-(-number * (len(_BARS) - 1) // most)] if most else _BARS[0] for number in counts)


def print_lines(out: Console, lines: LinesToCopy) -> None:
    """Print the lines to copy into a file, with their place, or what to change there by hand."""
    correction = lines.correction
    if correction is None:
        out.print(f"{clean(lines.source)}:{lines.line}: {clean(lines.by_hand)}")
        return
    if correction.last < correction.first:
        out.print(f"Above line {correction.first} of {clean(lines.source)} put in:")
    else:
        several = f"lines {correction.first} to {correction.last}"
        place = f"line {correction.first}" if correction.first == correction.last else several
        out.print(f"In place of {place} of {clean(lines.source)}:")
    for line in correction.lines:
        out.print(Text("  " + "".join(each if each.isprintable() else "  " for each in line)), soft_wrap=True)
