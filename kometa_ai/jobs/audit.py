"""Ask again about a sample of decisions and about all pins, blind, and compare. Decides nothing."""

from __future__ import annotations

import calendar
import secrets
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.core.audit import Audit, AuditedItem, CollectionAudit, Stratum
from kometa_ai.core.collection import EXAMPLES
from kometa_ai.core.decision import ROUNDING, Cause
from kometa_ai.core.options import Options
from kometa_ai.errors import RepairState
from kometa_ai.jobs.sampling import Inquiry, read, unkept
from kometa_ai.judging.policy import is_for_it, is_member
from kometa_ai.judging.sampling import WIDE, Draw, Drawn, Group, is_in_reach
from kometa_ai.kometa.block_keys import PINS
from kometa_ai.providers import prices
from kometa_ai.state.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import tzinfo
    from pathlib import Path

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Decision, Verdict
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.jobs.sampling import Ground, Verdicts, Wanted
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Reading

QUOTAS: dict[Group, int] = {"near": 40, "member": 30, "other": 30}
"""How many decisions of each group are asked about again. No flip among a hundred bounds the rate at three percent."""

AUDITS: Shelf[Audit] = Shelf("audits", Audit, 24)
"""The newest two dozen audits are kept."""

_MONTHS_OF_A_YEAR = 12


class AuditWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to audit: collections by name, empty for all. `max_cost` is as for a trial; `seed` repeats a sample."""

    collections: tuple[str, ...] = ()
    max_cost: float | None = None
    seed: str = ""

    @property
    def is_free(self) -> bool:
        """Whether nothing is to be asked."""
        return self.max_cost == 0


class _Pair(NamedTuple):
    """One pair to ask about: what stands, and the decision that says so; a pin has none."""

    collection: Collection
    key: ItemKey
    stands: bool
    decision: Decision | None = None


async def audit(
    parts: Parts,
    rules: Rules,
    wanted: AuditWanted,
    *,
    audit_id: str,
    announce: Callable[[Audit], object] = lambda _: None,
) -> Audit:
    """Audit what stands now. The caller holds the state's lock, unless it is free. Raise CheckLibrary or FixUsage."""
    reading = await read(parts, rules, Options(collections=wanted.collections, dry_run=True))
    auditing = Auditing(parts, rules, reading, wanted, audit_id=audit_id)
    return await auditing.go(announce)


class Auditing:
    """One audit of what was read. `inquiry` knows what it has cost."""

    def __init__(
        self, parts: Parts, rules: Rules, reading: Reading, wanted: AuditWanted, *, audit_id: str, run_id: str = ""
    ) -> None:
        self.inquiry = Inquiry(parts, rules, reading)
        self._parts = parts
        self._rules = rules
        self._wanted = wanted
        self._reading = reading
        self._strata: dict[Group, int] = {}
        self._sample: list[Drawn[_Pair]] = []
        self._pins: list[_Pair] = []
        seed = wanted.seed or secrets.token_hex(4)
        self._audit = Audit(
            audit_id=audit_id, run_id=run_id, seed=seed, started=parts.now(), finished=parts.now(), outcome="forecast"
        )

    async def go(self, announce: Callable[[Audit], object] = lambda _: None) -> Audit:
        """Draw, forecast, ask, compare, and keep the result. `announce` is called before anything is asked."""
        self._draw()
        inquiry, rules = self.inquiry, self._rules
        decisions = [pair for _, pair in self._sample]
        asked = {
            model: _by_collection(pair for pair in decisions if self._model_of(pair) == model)
            for model in dict.fromkeys(rules.models)
        }
        pins = _by_collection(pair._replace(collection=_blind(pair.collection)) for pair in self._pins)
        requests: list[tuple[str, Wanted]] = [*asked.items(), (rules.review_model, pins)]
        expected = prices.total(inquiry.forecast(wanted, model) for model, wanted in requests)
        inquiry.allow(self._wanted.max_cost, expected)
        found = msgspec.structs.replace(
            self._audit,
            models=tuple(dict.fromkeys(model for model, wanted in requests if wanted)),
            sampled=len(decisions),
            pins=len(self._pins),
            strata=self._strata_of({}),
            forecast_usd=expected,
            limit_usd=inquiry.limit,
        )
        announce(found)
        if self._wanted.is_free:
            return found
        AUDITS.open(self._parts.store.folder)  # before anything is paid for
        again: Verdicts = {}
        for model, wanted in asked.items():
            again |= await inquiry.ask(wanted, model)
        of_pins = await inquiry.ask(pins, rules.review_model)
        found = self._concluded(found, again, of_pins)
        if found.asked or found.pins_asked:
            try:
                AUDITS.keep(self._parts.store.folder, found.audit_id, found, self._parts.now())
            except RepairState as error:
                problems = (*found.problems, unkept(error))
                return msgspec.structs.replace(found, exit_code=found.exit_code or 1, problems=problems)
        return found

    def _draw(self) -> None:
        """Draw from all decisions that stand, and take all pins."""
        lots: Draw[_Pair] = Draw(self._audit.seed, sum(QUOTAS.values()))
        for ground in self.inquiry.grounds():
            for group, pair in self._standing(ground):
                lots.add(group, f"{pair.collection.key} {pair.key}", pair)
            self._pins += self._pinned(ground)
        self._strata = dict(lots.counts)
        self._sample = lots.sample(QUOTAS)

    def _standing(self, ground: Ground) -> Iterator[tuple[Group, _Pair]]:
        """The decisions of a collection that would not be asked about by themselves, each with its group."""
        collection, memory = ground.collection, self._parts.store.memory
        for key, subject in self.inquiry.subjects.items():
            if key in ground.gates.causes or key in ground.open_questions or not collection.concerns(subject.item):
                continue
            known = memory.get(key)
            decision = known.collections.get(collection.slug) if known else None
            if decision is None:
                continue
            stands = is_member(decision, collection)
            is_near = is_in_reach(decision.confidence, collection.confidence_threshold)
            yield "near" if is_near else "member" if stands else "other", _Pair(collection, key, stands, decision)

    def _pinned(self, ground: Ground) -> Iterator[_Pair]:
        """The pins of a collection, but for those of an undo: they may be a thousand, and were no judgement."""
        collection = ground.collection
        undone = {pin.key for pin in self.inquiry.choices.pins if pin.origin == "undo" and pin.slug == collection.slug}
        refs = (*collection.pins_in, *collection.pins_out)
        for key, cause in ground.gates.causes.items():
            subject = self.inquiry.subjects.get(key)
            if cause not in (Cause.PINNED_IN, Cause.PINNED_OUT) or subject is None:
                continue
            if key not in undone or any(ref.names(subject.item) for ref in refs):
                yield _Pair(collection, key, cause is Cause.PINNED_IN)

    def _model_of(self, pair: _Pair) -> str:
        """The model that a run would ask for such a decision."""
        is_second = pair.decision is not None and pair.decision.second_look == "done"
        return self._rules.models.asked_for(second_look=is_second)

    def _concluded(self, found: Audit, again: Verdicts, of_pins: Verdicts) -> Audit:
        inquiry = self.inquiry
        flips = {
            (pair.collection.key, pair.key)
            for _, pair in self._sample
            if (verdict := again.get((pair.collection.key, pair.key)))
            and is_for_it(verdict, pair.collection.confidence_threshold) != pair.stands
        }
        strata = self._strata_of(again, flips)
        collections = tuple(
            each
            for collection in self._reading.collections
            if (each := self._of_collection(collection, again, of_pins, flips)).asked or each.pins_asked
        )
        code, spent = inquiry.exit_code, inquiry.spending
        return msgspec.structs.replace(
            found,
            finished=self._parts.now(),
            outcome="interrupted" if inquiry.interrupted else "problems" if code else "ok",
            exit_code=code,
            asked=len(again),
            pins_asked=len(of_pins),
            flips=len(flips),
            pins_agreed=sum(each.agreed for each in collections),
            flip_rate=_rate(strata),
            strata=strata,
            collections=collections,
            cost_usd=spent.cost_usd,
            requests=spent.tokens.requests,
            unpriced_requests=spent.unpriced_requests,
            unclear_requests=spent.unclear_requests,
            problems=inquiry.problems(),
        )

    def _strata_of(
        self, again: Verdicts, flips: AbstractSet[tuple[CollectionKey, ItemKey]] = frozenset()
    ) -> tuple[Stratum, ...]:
        names = {group: {(p.collection.key, p.key) for g, p in self._sample if g == group} for group in QUOTAS}
        return tuple(
            Stratum(
                group=group,
                decisions=self._strata.get(group, 0),
                asked=len(names[group] & again.keys()),
                flips=len(names[group] & flips),
            )
            for group in QUOTAS
        )

    def _of_collection(
        self,
        collection: Collection,
        again: Verdicts,
        of_pins: Verdicts,
        flips: set[tuple[CollectionKey, ItemKey]],
    ) -> CollectionAudit:
        key = collection.key
        pairs = [p for _, p in self._sample if p.collection.key == key and (key, p.key) in again]
        items = [(self._item(pair, again[key, pair.key]), (key, pair.key) in flips) for pair in pairs]
        moved = [abs(item.confidence - (item.confidence_before or 0.0)) for item, _ in items]
        pins = [
            self._item(p, of_pins[key, p.key])
            for p in self._pins
            if p.collection.key == key and (key, p.key) in of_pins
        ]
        return CollectionAudit(
            name=collection.name,
            key=key,
            kind=collection.kind,
            asked=len(items),
            flips=_in_order(item for item, is_flip in items if is_flip),
            shifted=_in_order(
                item for (item, is_flip), way in zip(items, moved, strict=True) if not is_flip and way > WIDE + ROUNDING
            ),
            mean_change=round(sum(moved) / len(moved), 4) if moved else None,
            pins_asked=len(pins),
            disagreeing=_in_order(item for item in pins if item.include != item.stands),
        )

    def _item(self, pair: _Pair, verdict: Verdict) -> AuditedItem:
        item = self.inquiry.subjects[pair.key].item
        return AuditedItem(
            key=item.key,
            title=item.title,
            year=item.year,
            stands=pair.stands,
            confidence_before=pair.decision.confidence if pair.decision else None,
            include=is_for_it(verdict, pair.collection.confidence_threshold),
            confidence=verdict.confidence,
            reason=verdict.reason,
        )


def _by_collection(pairs: Iterable[_Pair]) -> Wanted:
    grouped: dict[CollectionKey, tuple[Collection, list[ItemKey]]] = {}
    for pair in pairs:
        grouped.setdefault(pair.collection.key, (pair.collection, []))[1].append(pair.key)
    return list(grouped.values())


def _blind(collection: Collection) -> Collection:
    """The collection without pins and examples, so that the model is not shown as an example what it is asked about."""
    pins: dict[str, tuple[()]] = {key: () for keys in PINS.values() for key in keys}
    return msgspec.structs.replace(collection, **pins, **dict.fromkeys(EXAMPLES, ()))


def _in_order(items: Iterable[AuditedItem]) -> tuple[AuditedItem, ...]:
    """The surest first."""
    return tuple(sorted(items, key=lambda item: (-abs(item.confidence - 0.5), item.title, item.year)))


def _rate(strata: Sequence[Stratum]) -> float | None:
    """The share of all decisions that would flip, from that of each stratum; None where one of them is not known."""
    there = [stratum for stratum in strata if stratum.decisions]
    if not there or not all(stratum.asked for stratum in there):
        return None
    flips = sum(stratum.decisions * stratum.flips / stratum.asked for stratum in there)
    return round(flips / sum(stratum.decisions for stratum in there), 6)


# When one is due


def is_due(folder: Path, interval: str, now: datetime, zone: tzinfo) -> bool:
    """Whether the last audit that is kept was so long ago. Days count, not hours: a nightly run is never on time.

    `interval` is as AUDIT_INTERVAL has it; empty is never.
    """
    if not interval:
        return False
    today = now.astimezone(zone).date()
    days = (_moment_of(each).astimezone(zone).date() for each in AUDITS.ids(folder, now))
    # One of a day that is yet to come was made while the clock was wrong.
    last = next((day for day in days if day <= today), None)
    return last is None or today >= later(last, interval)


def _moment_of(audit_id: str) -> datetime:
    return datetime.strptime(audit_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


def later(day: date, interval: str) -> date:
    """The day that is `3d`, `2w` or `1mo` later; the last one of a month that is too short."""
    number = int(interval.rstrip("dwmo"))
    if interval.endswith("mo"):
        year, month = divmod(day.year * _MONTHS_OF_A_YEAR + day.month - 1 + number, _MONTHS_OF_A_YEAR)
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
    return day + timedelta(days=number) * (7 if interval.endswith("w") else 1)
