"""Select what is new in a report: a problem at once, then daily while it lasts, and once when it is over. Pure.

A ledger holds what was reported. A problem is recognised by its cause, even if its counts change. One that comes and
goes is reported once a day, like one that stays. A warning is reported once, with the next message. All this applies to
unattended runs: a run that a user starts is reported in full.

Why: docs/decisions/0014-news.md
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
"""A problem is reported again after this much wall-clock time: a nightly run may start a little earlier."""

MOST = 1000
"""Maximum ledger entries; older ones are dropped and reported again."""

_SHORT = 200
# Counts, and ids that differ each time, such as a request's.
_ONE = re.compile(r"(?<=# )(movie|show)\b")
_CHANGING = re.compile(r"(?<![\w:.,'\"(/-])\d[\d,.]*+(?=\s)|(?<![\w-])(?=[\w-]*\d)[\w-]{16,}\b")


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that was reported: first and last time, and when its end was reported, if it was."""

    what: str
    since: datetime
    last: datetime
    over: datetime | None = None
    is_warning: bool = False


Ledger = dict[str, Reported]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that no longer exists."""

    what: str
    since: datetime


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A report, with the keys of problems that were reported before, and the problems that have ended.

    `has_problems` says whether any is to be reported now, `has_fresh_problems` whether any of them is new.
    """

    report: RunReport
    told_before: frozenset[str] = frozenset()
    over: tuple[Ended, ...] = ()
    has_problems: bool = False
    has_fresh_problems: bool = False


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A report that was given up: not delivered, or sent without an answer (`may_have_arrived`)."""

    run_id: str
    started: datetime
    may_have_arrived: bool = False


def key_of(problem: Problem) -> str:
    """The identity of a problem: the same for the same problem in the next run, whatever its counts. 16 hex digits."""
    words = _ONE.sub(r"\1s", _CHANGING.sub("#", problem.what))
    parts = "\0".join((problem.severity, problem.source, problem.collection, words))
    return sha256(parts.encode(errors="replace")).hexdigest()[:16]


def news_of(report: RunReport, ledger: Mapping[str, Reported], zone: tzinfo, *, in_full: bool = False) -> News:
    """Divide a report into what to report in full, what in short, and what has ended.

    A run that did not look at everything ends no problem: one that it does not name may still exist. With `in_full`
    nothing is in short, since a user started the run and waits for it.
    """
    now = report.started
    present = _present(report)
    known = {key for key, problem in present.items() if key in ledger and not _is_due(ledger[key], problem, now, zone)}
    fresh = {key for key, problem in present.items() if problem.severity == "error" and key not in known}
    if fresh and report.outcome in ("library unusable", "radarr unusable"):
        # Here the warnings are the diagnosis of the error, so they are reported with it.
        known -= {key for key, problem in present.items() if problem.severity != "error"}
    away = {present[key].source for key in fresh}.intersection(report.left_alone)
    # The same of a library that was left alone while others went on.
    known -= {key for key, problem in present.items() if problem.severity != "error" and problem.source in away}
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
    """Whether there is anything to send. `changes` includes what keeps changes from being made."""
    match notify_on:
        case "always":
            return True
        case "changes":
            report = news.report
            pinned = any(each.pinned_in or each.pinned_out for each in report.collections)
            changed = report.added or report.removed or report.began_to_wait or pinned
            return bool(changed or news.over) or news.has_fresh_problems
        case "problems":
            return bool(news.over) or news.has_problems


def ledger_after(news: News, ledger: Mapping[str, Reported], zone: tzinfo, *, is_sent: bool) -> Ledger:
    """The ledger after the news were sent, or were not worth sending."""
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
                after[key] = _reported(problem, ledger.get(key), now)
    return dict(sorted(after.items(), key=lambda item: item[1].last)[-MOST:])


def _present(report: RunReport) -> dict[str, Problem]:
    """Each problem and warning by its key. A failed run without a named problem counts as one."""
    problems: Iterable[Problem] = report.problems
    if needs_operator(report) and not report.problems:
        problems = (Problem(what=report.outcome, remedy=""),)
    return {key_of(problem): problem for problem in (*report.warnings, *problems)}


def _reported(problem: Problem, before: Reported | None, now: datetime) -> Reported:
    name = f"{problem.collection}: " if problem.collection else ""
    return Reported(
        what=one_line(f"{name}{problem.what}", _SHORT),
        since=before.since if before and not before.over else now,
        last=now,
        is_warning=problem.severity != "error",
    )


def _is_due(told: Reported, problem: Problem, now: datetime, zone: tzinfo) -> bool:
    return problem.severity == "error" and _is_a_day_ago(told.last, now, zone)


def _is_a_day_ago(then: datetime, now: datetime, zone: tzinfo) -> bool:
    # Compare wall clocks: else a report is skipped for a day when the clock is set forward.
    passed = now.astimezone(zone).replace(tzinfo=None) - then.astimezone(zone).replace(tzinfo=None)
    return not timedelta(0) <= passed < DAILY
