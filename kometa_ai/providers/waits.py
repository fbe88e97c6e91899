"""Tell from the headers of an answer how long to wait: as the service asks, or since a limit is nearly used up."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NEARLY_USED_UP = 0.1
_LONGEST_PAUSE = 60.0


class Quota(NamedTuple):
    """A limit of requests or tokens: how much it allows, how much of that is left, in how many seconds it is full."""

    limit: float
    remaining: float
    seconds: float


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of `retry-after`, which HTTP lets a service write as a date, too. None where it names none."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def pause_until_full(quotas: Iterable[Quota]) -> float:
    """For how many seconds to send nothing: until a limit of which less than a tenth is left is full again."""
    low = (quota.seconds for quota in quotas if quota.remaining < quota.limit * _NEARLY_USED_UP)
    return min(max([0.0, *low]), _LONGEST_PAUSE)
