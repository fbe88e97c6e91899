"""Record spending by month, with each answer, so that a killed run is still accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.core.report import COST_DIGITS, Spending, Tokens
from kometa_ai.state.schema import MoneySpent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime, tzinfo

    from kometa_ai.asking.tally import Spent
    from kometa_ai.state.store import Store


def total(spent: Iterable[Spent]) -> Spending:
    """Add up, in the form that reports and the state use."""
    # Added up in plain numbers: this is asked anew with each answer, and twenty collections are twenty sums.
    requests = read = written = taken = output = unpriced = unclear = 0
    cost = 0.0
    for item in spent:
        usage = item.usage
        requests += usage.requests
        taken += usage.input_tokens
        written += usage.cache_write_tokens
        read += usage.cache_read_tokens
        output += usage.output_tokens
        cost = round(cost + item.cost, COST_DIGITS)
        unpriced += item.unpriced
        unclear += item.unclear
    return Spending(
        tokens=Tokens(requests=requests, input=taken, cache_write=written, cache_read=read, output=output),
        cost_usd=cost,
        unpriced_requests=unpriced,
        unclear_requests=unclear,
    )


def of_month(spending: Mapping[str, Spending], now: datetime, zone: tzinfo) -> Spending:
    """What this month has cost so far, dry runs included."""
    month = f"{now.astimezone(zone):%Y-%m}"
    return spending.get(month) or Spending(month=month)


class Booking:
    """Knows how much of a run's spending is in the state already."""

    def __init__(self, store: Store, now: Callable[[], datetime], zone: tzinfo) -> None:
        self._store = store
        self._now = now
        self._zone = zone
        self._booked = Spending()

    @property
    def booked(self) -> Spending:
        """What this run has spent, as far as it is in the state."""
        return self._booked

    def entries(self, spent: Iterable[Spent]) -> tuple[MoneySpent, ...]:
        """The month with what was spent since the last time; the caller records it."""
        so_far = total(spent)
        fresh = so_far - self._booked
        if fresh == Spending():
            return ()
        self._booked = so_far
        return (MoneySpent(spending=of_month(self._store.state.spending, self._now(), self._zone) + fresh),)
