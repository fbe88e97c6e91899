"""Let a nightly run be followed by an audit that is due, within what is left of its money; it never fails the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Spending
from kometa_ai.errors import KometaAIError
from kometa_ai.jobs.audit import Auditing, AuditWanted, is_due
from kometa_ai.observe.logs import log_unexpected
from kometa_ai.run.spending import of_month, total

if TYPE_CHECKING:
    from kometa_ai.core.audit import Audit
    from kometa_ai.core.options import Options
    from kometa_ai.core.report import RunReport
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import RunResults


class Audited(NamedTuple):
    """An audit that followed a run: what it found, what it cost, and why it could not be done, if so."""

    audit: Audit | None = None
    spending: Spending = Spending()
    warnings: tuple[Problem, ...] = ()

    def added_to(self, report: RunReport, parts: Parts) -> RunReport:
        """The run's report with the audit as a part of it: the run's cost is that of both."""
        if self == Audited():
            return report
        spent = Spending(tokens=report.tokens, cost_usd=report.cost_usd) + self.spending
        month = of_month(parts.store.state.spending, report.finished, parts.zone)
        return msgspec.structs.replace(
            report,
            audit=self.audit,
            tokens=spent.tokens,
            cost_usd=round(spent.cost_usd, 6),
            unpriced_requests=report.unpriced_requests + self.spending.unpriced_requests,
            unclear_requests=report.unclear_requests + self.spending.unclear_requests,
            month=month if report.month is not None or self.spending != Spending() else None,
            warnings=(*report.warnings, *self.warnings),
        )


async def audit_after(parts: Parts, rules: Rules, options: Options, results: RunResults, *, run_id: str) -> Audited:
    """Audit what the run has decided, if that is due and the run was one of everything that no user waits for."""
    is_nightly = options.unattended and not (options.movies or options.collections or options.dry_run)
    is_over = parts.interruption.course.is_over or bool(parts.interruption.why)
    if not is_nightly or is_over or results.asking is None or results.waiting is not None:
        return Audited()
    if not is_due(parts.store.folder, rules.audit_interval, parts.now(), parts.zone):
        return Audited()
    budget, spent = rules.limits.budget(options.max_cost), total(results.spent.values()).cost_usd
    left = budget.limit - spent if budget.is_limited else None
    if left is not None and left <= 0:
        return Audited(warnings=(_put_off("The run has used up its money.", "Raise MAX_COST_PER_RUN."),))
    wanted = AuditWanted(max_cost=left)
    auditing = Auditing(parts, rules, results.reading, wanted, audit_id=run_id, run_id=run_id)
    try:
        audit = await auditing.go()
    except KometaAIError as error:
        return Audited(spending=auditing.inquiry.spending, warnings=(_put_off(error.message, error.remedy),))
    except Exception as error:  # noqa: BLE001 - what the run has done stands
        told = log_unexpected("audit.failed", error)
        return Audited(spending=auditing.inquiry.spending, warnings=(_put_off(told, "The log says more."),))
    warnings = tuple(
        msgspec.structs.replace(problem, severity="warning", what=f"The audit: {problem.what}")
        for problem in audit.problems
    )
    return Audited(audit if audit.asked or audit.pins_asked else None, auditing.inquiry.spending, warnings)


def _put_off(why: str, remedy: str) -> Problem:
    return Problem(
        source="AUDIT_INTERVAL",
        what=f"An audit is due and was put off to the next run: {why}",
        remedy=remedy,
        severity="warning",
    )
