"""What is spent, month by month, written down with the answers it has brought: a killed run has paid for them, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.core.report import Spending, Tokens
from kometa_ai.run.session import keep
from kometa_ai.state.schema import MoneySpent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, tzinfo

    from kometa_ai.asking.outcomes import Spent
    from kometa_ai.run.session import Findings, Parts


def total(spent: Iterable[Spent]) -> Spending:
    """The sum, as reports and the state have it."""
    sums = Spending()
    for item in spent:
        usage = item.usage
        tokens = Tokens(
            requests=usage.requests,
            input=usage.input_tokens,
            cache_write=usage.cache_write_tokens,
            cache_read=usage.cache_read_tokens,
            output=usage.output_tokens,
        )
        sums += Spending(
            tokens=tokens,
            cost_usd=item.cost,
            unpriced_requests=item.unpriced,
            unclear_requests=item.unclear,
        )
    return sums


def of_month(spending: Mapping[str, Spending], now: datetime, zone: tzinfo) -> Spending:
    """What this month has cost so far, whoever spent it: dry runs too."""
    month = f"{now.astimezone(zone):%Y-%m}"
    return spending.get(month) or Spending(month=month)


def unbooked(parts: Parts, found: Findings) -> tuple[MoneySpent, ...]:
    """The month with what this run has spent since the last time; it counts as written down from here on."""
    spent = total(found.asker.spent.values()) if found.asker else Spending()
    fresh = spent - found.booked
    if fresh == Spending():
        return ()
    found.booked = spent
    return (MoneySpent(spending=of_month(parts.store.state.spending, parts.now(), parts.zone) + fresh),)


def book(parts: Parts, found: Findings) -> None:
    """Write down what is not yet."""
    keep(parts, found, *unbooked(parts, found))
