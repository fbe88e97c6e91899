"""Show what wants a person: the review queue by its kinds, each with the command that answers it."""

from __future__ import annotations

import asyncio
import shlex
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from kometa_ai.cli.calls import prepared, show
from kometa_ai.cli.output import clean, console, print_hanging, print_problems
from kometa_ai.core.item import dated, kind_of, ref_of
from kometa_ai.core.options import Options
from kometa_ai.core.summary import counted, marked
from kometa_ai.jobs.review import review
from kometa_ai.settings.environment import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kometa_ai.cli.call import Call
    from kometa_ai.core.choice import ReviewKind
    from kometa_ai.jobs.review import Card, Reviewed

_WHY: Mapping[ReviewKind, str] = {
    "held back": "the safety brake keeps these changes from being made",
    "wants to leave": "these are to leave, or have left after 30 days and more",
    "looks disagree": "the second look says otherwise than the first",
    "tag against verdict": "another collection's tag decides against the verdict",
    "close call": "the verdict is within 0.1 of the threshold",
}


def show_review(call: Call) -> int:
    """Print what wants a person."""
    with prepared(call, LIBRARY) as session:
        found = asyncio.run(review(session, Options(collections=call.given["collections"])))
        show(call, found, print_review)
        return 1 if found.problems else 0


def print_review(found: Reviewed) -> None:
    """Print the queue by kind: what the model says of each, what happens without an answer, and how to answer."""
    out = console()
    refs = _refs(found.items)
    kinds = {kind_of(card.key) for card in found.items}
    for kind, cards in groupby(found.items, key=lambda card: card.kind):
        out.print(f"[bold]{kind.capitalize()} ({found.by_kind[kind]:,})[/]: {_WHY[kind]}")
        for card in cards:
            side = {True: "[green]in[/]", False: "[red]out[/]", None: "[yellow]not decided[/]"}[card.belongs]
            name = clean(marked(card.name, kind_of(card.key), kinds))
            out.print(f"\n  [bold]{clean(dated(card.title, card.year))}[/] · {name}: {side}")
            for line in _lines(card):
                print_hanging(out, f"[dim]{line}[/]" if out.is_terminal else line, lead=4, indent=4)
            # Not folded: a command is there to be copied.
            command = f"--pin-in {shlex.quote(refs[card.key])} --collection {shlex.quote(card.name)}"
            out.print(f"    {clean(command)}  [dim](or --pin-out)[/]", soft_wrap=True)
        out.print()
    wants = f"{counted(found.total, 'case')} want{'s' if found.total == 1 else ''} you." if found.total else ""
    out.print(wants or "Nothing wants you: no change is held, no looks disagree, nothing is near its threshold.")
    print_problems(out, found.problems)


def _refs(cards: Sequence[Card]) -> Mapping[str, str]:
    """What names each item in a command: its title and year, or its id where others have the same."""
    titles = {card.key: dated(card.title, card.year) for card in cards}
    counts = Counter(titles.values())
    return {key: title if counts[title] == 1 and title.endswith(")") else ref_of(key) for key, title in titles.items()}


def _lines(card: Card) -> Iterator[str]:
    if card.confidence is not None and card.decided is not None:
        first = f", first look {card.first:.2f}" if card.first is not None else ""
        yield f"{clean(card.model)} is {card.in_words}{first}, {card.decided:%Y-%m-%d}"
    if card.reason:
        yield f"“{clean(card.reason)}”"
    if card.cause != "verdict" and card.deciding_tags:
        yield f"{clean(' and '.join(card.deciding_tags))} decides ({clean(card.cause)})"
    yield f"If you do nothing, {clean(card.if_nothing_is_done)}."
