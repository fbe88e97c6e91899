"""Say what another threshold of a collection would do, and lay out the bars of its confidences. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.decision import ROUNDING
from kometa_ai.core.summary import counted
from kometa_ai.judging.whatif import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.jobs.whatif import WhatIf
    from kometa_ai.judging.whatif import Step

SLOT = 30
"""Units of the drawing for each of the 21 bars."""
HEIGHT = 200
_GAP = 4
_LEAST = 4
_HEADROOM = 1.08


class Bar(NamedTuple):
    """A bar of the drawing: verdicts of one confidence, those that say "belongs" below, the others on top of them.

    `x`, `width` and the heights are in units of the drawing. One that would be too high `is_cut`.
    """

    confidence: float
    included: int
    others: int
    x: int
    width: int
    included_height: float
    others_height: float
    is_cut: bool

    @property
    def included_y(self) -> float:
        """Where the lower part begins, from the top."""
        return round(HEIGHT - self.included_height, 1)

    @property
    def others_y(self) -> float:
        """Where the upper part begins, from the top."""
        return round(HEIGHT - self.included_height - self.others_height, 1)


class Bars(NamedTuple):
    """The drawing: its bars, and how wide it is."""

    bars: tuple[Bar, ...]
    width: int = SLOT * STEPS

    @property
    def is_empty(self) -> bool:
        """Whether no verdict decides."""
        return not any(bar.included or bar.others for bar in self.bars)

    @property
    def cut(self) -> tuple[Bar, ...]:
        """Those that are not drawn in full."""
        return tuple(bar for bar in self.bars if bar.is_cut)


def bars_of(histogram: Sequence[Step]) -> Bars:
    """The bars of a histogram with its 21 steps.

    Those that may let something in are drawn in full. Clear refusals are often a hundred times as many, and are cut.
    """
    totals = [step.included + step.others for step in histogram]
    highest = max((total for total, step in zip(totals, histogram, strict=True) if step.included), default=0)
    unit = HEIGHT / ((highest or max(totals, default=0) or 1) * _HEADROOM)
    return Bars(tuple(_bar(at, step, unit) for at, step in enumerate(histogram)))


def _bar(at: int, step: Step, unit: float) -> Bar:
    included, others = (max(_LEAST, count * unit) if count else 0.0 for count in (step.included, step.others))
    room = HEIGHT - included
    return Bar(
        confidence=step.confidence,
        included=step.included,
        others=step.others,
        x=at * SLOT + _GAP,
        width=SLOT - 2 * _GAP,
        included_height=round(included, 1),
        others_height=round(min(others, room), 1),
        is_cut=others > room,
    )


def edge_of(threshold: float) -> int:
    """Where the line of a threshold stands: left of the first bar that reaches it."""
    return SLOT * min(STEPS, max(0, math.ceil((threshold - ROUNDING) * (STEPS - 1))))


def threshold_of(text: str) -> float | None:
    """A threshold as it was typed in, `0.75` or `0,75`; None for what is no number from 0 to 1."""
    try:
        found = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return found if 0 <= found <= 1 else None


def decided_otherwise(found: WhatIf) -> int:
    """How many are in by a pin or a tag, whatever the threshold."""
    return found.pinned_in + found.in_by_tag


def sentence(found: WhatIf) -> str:
    """What the threshold would do, in a few words: how many would be in, enter, leave, and stay whatever it is."""
    if not found.is_changed:
        return f"At {found.threshold:.2f}, as it is now: {found.members_now:,} are in."
    parts = [
        f"At {found.threshold:.2f}: {found.members:,} would be in (now {found.members_now:,}).",
        f"{_many(len(found.enters))} would enter, {_many(len(found.leaves)).lower()} would leave.",
    ]
    pins, tags = found.pinned_in + found.pinned_out, found.in_by_tag + found.out_by_tag
    stay = [text for count, text in ((pins, f"{pins:,} pinned"), (tags, f"{tags:,} decided by a tag")) if count]
    if stay:
        parts.append(f"{' and '.join(stay)} {'stays as it is' if pins + tags == 1 else 'stay as they are'}.")
    return " ".join(parts)


def next_run(found: WhatIf) -> tuple[str, ...]:
    """What the next run does once the line is in the file, as sentences."""
    noun = found.kind
    if found.asks:
        said = [f"The next run does it, and asks {counted(found.asks, 'question')} for it."]
    else:
        said = ["The next run does it and asks nothing for it."]
    said.append("After an edit of the block the brake does not hold.")
    waiting = sum(library.in_review for library in found.libraries)
    if waiting:
        said.append(f"{counted(waiting, 'change')} would wait for a person first, as REVIEW says.")
    undecided = sum(found.undecided.values())
    if undecided:
        said.append(f"{counted(undecided, noun)} without a verdict of now stay as they are until they are asked about.")
    return tuple(said)


def _many(count: int) -> str:
    return f"{count:,}" if count else "None"
