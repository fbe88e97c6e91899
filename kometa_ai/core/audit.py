"""Hold what an audit has found: decisions that a second answer contradicts, and pins the model disagrees with."""

from __future__ import annotations

from typing import Literal

import msgspec

from kometa_ai.core.item import ItemKey, Kind, dated
from kometa_ai.core.moment import Moment
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.problem import Problem

AuditOutcome = Literal["forecast", "ok", "problems", "interrupted"]


class AuditedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item that was asked about again: what stands, and what the model said this time.

    `stands` is whether it is in now; `confidence_before` is that of the decision, None for a pin.
    """

    key: ItemKey
    title: str
    year: int = 0
    stands: bool
    confidence_before: float | None = None
    include: bool
    confidence: float
    reason: str = ""

    def __str__(self) -> str:
        return dated(self.title, self.year)


class CollectionAudit(msgspec.Struct, frozen=True, kw_only=True):
    """An audit's findings about one collection.

    `asked` and `pins_asked` count the decisions and the pins that got an answer. `flips` are those of the former whose
    new verdict is on the other side of the threshold than what stands; `shifted` are others whose confidence has moved
    by 0.2 or more. `mean_change` is how far the confidences have moved, without sign. `disagreeing` are the pins that
    the new verdict is against.
    """

    name: str
    key: CollectionKey
    kind: Kind = "movie"
    asked: int = 0
    flips: tuple[AuditedItem, ...] = ()
    shifted: tuple[AuditedItem, ...] = ()
    mean_change: float | None = None
    pins_asked: int = 0
    disagreeing: tuple[AuditedItem, ...] = ()

    @property
    def agreed(self) -> int:
        """How many pins the model agrees with."""
        return self.pins_asked - len(self.disagreeing)


class Stratum(msgspec.Struct, frozen=True, kw_only=True):
    """One group that was sampled: how many decisions it has, how many got an answer, how many of these flipped."""

    group: Literal["member", "near", "other"]
    decisions: int
    asked: int = 0
    flips: int = 0


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """One audit. Nothing is decided by it.

    `run_id` is that of the run that it was a part of, if it was. The same `seed` draws the same sample from the same
    decisions. `sampled` and `pins` are how many were to be asked about. `flip_rate` is estimated for all decisions from
    the strata, each weighed with its size; None where one of them got no answer. `forecast_usd` is None for a model
    without a known price, `limit_usd` None without a limit.
    """

    audit_id: str
    started: Moment
    finished: Moment
    outcome: AuditOutcome = "ok"
    exit_code: int = 0
    run_id: str = ""
    seed: str
    models: tuple[str, ...] = ()
    sampled: int = 0
    pins: int = 0
    asked: int = 0
    pins_asked: int = 0
    flips: int = 0
    pins_agreed: int = 0
    flip_rate: float | None = None
    strata: tuple[Stratum, ...] = ()
    collections: tuple[CollectionAudit, ...] = ()
    forecast_usd: float | None = None
    limit_usd: float | None = None
    cost_usd: float = 0.0
    requests: int = 0
    unpriced_requests: int = 0
    unclear_requests: int = 0
    problems: tuple[Problem, ...] = ()
