"""Say what a trial of a prompt has found, and what it costs. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kometa_ai.core.summary import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.jobs.trial import GroupCount, Trial

TIMES_FORECAST = 2
"""What is proposed as the limit: a request may turn out dearer than it was forecast."""
_CENT = 0.01


def sentence(trial: Trial) -> str:
    """How each group fared: `3 of 12 members would leave, 2 of 14 near would enter, …; 35 of 40 as before.`."""
    parts = ", ".join(_of_group(group) for group in trial.groups if group.answered)
    if not parts:
        return "No answer has come."
    said = [f"{parts}; {trial.as_before} of {trial.answered} as before."]
    if trial.not_judged_before:
        said.append(f"{counted(trial.not_judged_before, trial.kind)} had not been judged before.")
    if trial.answered < trial.sampled:
        said.append(f"{counted(trial.sampled - trial.answered, trial.kind)} got no answer.")
    return " ".join(said)


def _of_group(group: GroupCount) -> str:
    match group.group:
        case "member":
            return f"{group.changed} of {counted(group.answered, 'member')} would leave"
        case "near":
            return f"{group.changed} of {group.answered} near would enter"
        case "other":
            return f"{group.changed} of {counted(group.answered, 'other')} would enter"


def sample(trial: Trial) -> str:
    """`12 members, 14 near, 14 others`: what the sample is made of."""
    return ", ".join(_sampled(trial)) or "nothing"


def _sampled(trial: Trial) -> Iterator[str]:
    for group in trial.groups:
        if group.sampled:
            yield f"{group.sampled} near" if group.group == "near" else counted(group.sampled, group.group)


def proposed_limit(trial: Trial) -> float | None:
    """USD that a trial may cost, for its forecast: twice as much, in whole cents; None without a known price."""
    if trial.forecast_usd is None:
        return None
    return max(_CENT, math.ceil(trial.forecast_usd * TIMES_FORECAST / _CENT - 1e-9) * _CENT)
