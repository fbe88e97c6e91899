"""Select what is new in a report: a problem at once, then daily while it lasts, and once when it is over. Pure.

What was told is remembered in a ledger. A problem is known again by its cause, whatever its counts are now. One that
comes and goes is told once a day, like one that stays. A warning is told once, with whatever is sent next. All this is
for runs that start by themselves: a run that a person starts is told in full.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.core.report import RunReport
from kometa_ai.core.summary import is_whole, needs_operator
from kometa_ai.core.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

DAILY = timedelta(hours=23, minutes=45)
"""A problem is told again after this long on the clock on the wall: a nightly run may begin a little earlier."""

MOST = 1000
"""Entries of a ledger; beyond, the oldest are forgotten, and told again."""

_SHORT = 200
# A count, and a name that something gives itself anew each time, such as a request's id.
_CHANGING = re.compile(r"(?<![\w:.,'\"(/-])\d[\d,.]*+(?=\s)|(?<![\w-])(?=[\w-]*\d)[\w-]{16,}\b")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that was told: when first and last, and since when it is over, if that was told, too."""

    what: str
    since: datetime
    last: datetime
    over: datetime | None = None
    is_warning: bool = False


Ledger = dict[str, Told]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that is no more."""

    what: str
    since: datetime


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and how to tell it: the keys of the problems that were told before, and those that are over.

    `has_problems` are those to be told; those that are news are `has_fresh_problems`.
    """

    report: RunReport
    told_before: frozenset[str] = frozenset()
    over: tuple[Ended, ...] = ()
    has_problems: bool = False
    has_fresh_problems: bool = False


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was not delivered and never will be, or (`may_have_arrived`) may have been without an answer."""

    run_id: str
    started: datetime
    may_have_arrived: bool = False


def key_of(problem: Problem) -> str:
    """What is the same for the same problem in the next run."""
    words = _CHANGING.sub("#", problem.what)
    parts = "\0".join((problem.severity, problem.source, problem.collection, words))
    return sha256(parts.encode(errors="replace")).hexdigest()[:16]


def news_of(report: RunReport, ledger: Mapping[str, Told], zone: tzinfo, *, in_full: bool = False) -> News:
    """What of a report is to be told in full, in short, and as over.

    A run that did not look at everything ends nothing: what it does not name may still be there. `in_full`: nothing in
    short, because a person started the run and waits for it.
    """
    now = report.started
    present = _present(report)
    known = {key for key, problem in present.items() if key in ledger and not _is_due(ledger[key], problem, now, zone)}
    fresh = {key for key, problem in present.items() if problem.severity == "error" and key not in known}
    if fresh and report.outcome == "radarr unusable":
        # There the warnings are the diagnosis: no use in naming the one without the other.
        known -= {key for key, problem in present.items() if problem.severity != "error"}
    over = [
        Ended(what=told.what, since=told.since)
        for key, told in ledger.items()
        if is_whole(report) and key not in present and not told.over and not told.is_warning
    ]
    told_before = frozenset() if in_full else frozenset(known)
    return News(
        report=report,
        told_before=told_before,
        over=tuple(over),
        has_problems=any(present[key].severity == "error" for key in present.keys() - told_before),
        has_fresh_problems=bool(fresh),
    )


def is_wanted(news: News, notify_on: Literal["always", "changes", "problems"]) -> bool:
    """Whether there is anything to send. A receiver of changes also gets the problems that prevent them."""
    match notify_on:
        case "always":
            return True
        case "changes":
            return bool(news.report.added or news.report.removed or news.over) or news.has_fresh_problems
        case "problems":
            return bool(news.over) or news.has_problems


def ledger_after(news: News, ledger: Mapping[str, Told], zone: tzinfo, *, is_sent: bool) -> Ledger:
    """The ledger once the news are told, or were not worth it."""
    now = news.report.started
    present = _present(news.report)
    after = {}
    for key, told in ledger.items():
        if key in present or not is_whole(news.report) or (told.over and not _is_a_day_ago(told.last, now, zone)):
            after[key] = told
        elif not told.is_warning and not told.over:
            after[key] = msgspec.structs.replace(told, over=now) if is_sent else told
    if is_sent:
        for key, problem in present.items():
            if key not in news.told_before:
                after[key] = _told(problem, ledger.get(key), now)
    return dict(sorted(after.items(), key=lambda item: item[1].last)[-MOST:])


def _present(report: RunReport) -> dict[str, Problem]:
    """Each problem and warning once. A run that failed without naming a problem is one."""
    problems: Iterable[Problem] = report.problems
    if needs_operator(report) and not report.problems:
        problems = (Problem(what=report.outcome, remedy=""),)
    return {key_of(problem): problem for problem in (*report.warnings, *problems)}


def _told(problem: Problem, before: Told | None, now: datetime) -> Told:
    name = f"{problem.collection}: " if problem.collection else ""
    return Told(
        what=one_line(f"{name}{problem.what}", _SHORT),
        since=before.since if before and not before.over else now,
        last=now,
        is_warning=problem.severity != "error",
    )


def _is_due(told: Told, problem: Problem, now: datetime, zone: tzinfo) -> bool:
    return problem.severity == "error" and _is_a_day_ago(told.last, now, zone)


def _is_a_day_ago(then: datetime, now: datetime, zone: tzinfo) -> bool:
    # Wall clocks: the night on which clocks are put forward is no reason to be silent for a day.
    passed = now.astimezone(zone).replace(tzinfo=None) - then.astimezone(zone).replace(tzinfo=None)
    return not timedelta(0) <= passed < DAILY
