"""Forecast what a run would ask and what that would cost, without a call that costs money."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.asking import forecast
from kometa_ai.asking.layout import group_size
from kometa_ai.core.item import KINDS, Kind
from kometa_ai.core.movie import Movie
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.errors import CheckModel
from kometa_ai.jobs.services import PATIENCE
from kometa_ai.judging.looks import due_now
from kometa_ai.judging.packing import Packet, pack, second_looks
from kometa_ai.judging.planning import Subject, may_turn, subjects_of, to_describe
from kometa_ai.judging.stages import Known, walk
from kometa_ai.providers import prices
from kometa_ai.providers.port import ProviderSilent, RequestFailed, Usage
from kometa_ai.providers.traits import Traits
from kometa_ai.run.batches import WORTH, not_in_batches
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.questioning import announce, count
from kometa_ai.run.reading import Reader
from kometa_ai.run.reporting import by_other_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.options import Options
    from kometa_ai.judging.planning import Questions
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Reading


_MINUTES_TOLD = 90
LOCAL_READS, LOCAL_WRITES = 1_000, 40
"""Tokens a second that a local model is taken to read and to write: a guess at one that a graphics card holds whole."""


class PendingCollection(msgspec.Struct, frozen=True, kw_only=True):
    """The pending questions about one collection, by reason; those `in_batches` wait for an answer only."""

    name: str
    slug: str
    kind: Kind = "movie"
    pending: int
    reasons: dict[str, int]
    in_batches: int = 0


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast of all that a run would ask. `cost_usd` is None without a known price. `basis` says how it was made.

    `second_looks` of it are asked of the `review_model`, for `second_looks_cost_usd`: those that are due, and about as
    many as first looks will come close to the threshold. `is_free` means that no model which is asked costs anything.
    `hours` is a guess at the time that local models take, None for others. `decisions_by_other_models` stand. It
    `is_apart` where some collections are asked about again without others that would share their requests.

    `batches_cost_usd` is what the same would cost through batches, None where the model has none. What is in open
    batches is neither pending nor in the cost.
    """

    collections: tuple[PendingCollection, ...]
    pending: int
    in_batches: int
    requests: int
    input_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    output_tokens: int
    cost_usd: float | None
    batches_cost_usd: float | None
    model: str
    review_model: str
    second_looks: int
    second_looks_cost_usd: float | None
    basis: str
    is_free: bool = False
    hours: float | None = None
    is_apart: bool = False
    decisions_by_other_models: int = 0
    problems: tuple[Problem, ...] = ()


async def estimate(parts: Parts, rules: Rules, options: Options) -> Estimate:
    """Plan a run's questions and price them; nothing is asked, written or remembered. Raise CheckLibrary."""
    reader = Reader(parts, rules, options, Keeper(parts.store, parts.interruption.course))
    await reader.libraries()
    reader.collections()
    reading = reader.result
    planned = _Planned(parts, rules, options)
    planned.plan(reading)
    ruler, basis = await _ruler(parts, rules, planned.packets)
    first, looks = planned.inquiries(ruler)
    asked = [each for each in (first, looks) if each.packets]
    total = sum((usage for each in asked for usage in each.usages()), Usage())
    local = [each for each in asked if each.traits.is_local]
    at_home = sum((usage for each in local for usage in each.usages()), Usage())
    return Estimate(
        collections=tuple(map(planned.pending, reading.collections)),
        pending=sum(len(may_turn(pairs)) for pairs in planned.questions.values()),
        in_batches=sum(planned.in_batches.values()),
        requests=total.requests,
        input_tokens=total.input_tokens,
        cache_write_tokens=total.cache_write_tokens,
        cache_read_tokens=total.cache_read_tokens,
        output_tokens=total.output_tokens,
        cost_usd=_sum(each.cost() for each in asked),
        batches_cost_usd=_sum(each.cost_in_batches() for each in asked) if first.traits.has_batches else None,
        model=rules.model,
        review_model=rules.review_model,
        second_looks=sum(len(packet.movies) for packet in looks.packets),
        second_looks_cost_usd=_sum([looks.cost()]),
        basis=f"{basis}; {duration(at_home)}" if at_home.requests else basis,
        is_free=all(each.traits.is_free for each in asked or (first, looks)),
        hours=round(_minutes(at_home) / 60, 4) if local or first.traits.is_local else None,
        is_apart=options.force_refresh
        and first.packets != []
        and len(reading.collections) < min(first.group, len(reading.folder.collections)),
        decisions_by_other_models=by_other_models(
            reading.collections, planned.subjects, parts.store.memory, frozenset(rules.models)
        ),
        problems=(
            *reading.problems,
            *_unpriced(parts, rules, total),
            *await _doubts(parts, rules, options, planned, reading.collections),
        ),
    )


class _Inquiry(NamedTuple):
    """What one model is asked, and how it is priced."""

    packets: Sequence[Packet]
    traits: Traits
    ruler: forecast.Ruler
    group: int = 1
    second_look: bool = False

    def usages(self) -> list[Usage]:
        """What each request would use."""
        return [
            usage
            for packet in self.packets
            for usage in forecast.usages(
                packet, self.traits, self.ruler, group=self.group, second_look=self.second_look
            )
        ]

    def cost(self, *, batched: bool = False) -> float | None:
        """USD, or None without a known price."""
        return forecast.cost(
            self.packets, self.traits, self.ruler, group=self.group, second_look=self.second_look, batched=batched
        )

    def cost_in_batches(self) -> float | None:
        """The same where what can be is asked through batches; second looks are only where they are worth one."""
        direct = self.cost()
        are_worth_it = not self.second_look or (direct or 0.0) > WORTH
        return self.cost(batched=True) if self.traits.has_batches and are_worth_it else direct


def _sum(costs: Iterable[float | None]) -> float | None:
    """The sum in USD, as precise as it is told; None where one is not known."""
    found = prices.total(costs)
    return None if found is None else round(found, 4)


def _unpriced(parts: Parts, rules: Rules, total: Usage) -> Iterator[Problem]:
    """A warning for each model that would not be asked, because a limit cannot be kept without its price."""
    if not (total.requests and rules.limits.max_cost):
        return
    for model in dict.fromkeys(rules.models):
        if not prices.is_priced(parts.provider.traits(model)):
            yield Problem(
                source="MAX_COST_PER_RUN",
                what=f"The price of the model {model!r} is not known, so the limit cannot be kept: it is not asked.",
                remedy="Choose a model whose price is known, or set MAX_COST_PER_RUN=0 to ask without a limit.",
                severity="warning",
            )


async def _doubts(
    parts: Parts, rules: Rules, options: Options, planned: _Planned, collections: Sequence[Collection]
) -> list[Problem]:
    """What a local model's own service says by free calls of the longest question: that its context is too small, say.

    A machine that is asleep now may be awake when the run comes.
    """
    asked = {rules.model: planned.packets, rules.review_model: [*planned.packets, *planned.looks]}
    local = [model for model, packets in asked.items() if packets and parts.provider.traits(model).is_local]
    announce(
        parts.provider,
        local,
        planned.subjects.values(),
        collections,
        page_size=options.batch_size,
        per_request=rules.collections_per_request,
    )
    return [doubt for model in local if (doubt := await _doubt(parts, model))]


async def _doubt(parts: Parts, model: str) -> Problem | None:
    found = None
    with suppress(ProviderSilent, TimeoutError):
        try:
            async with asyncio.timeout(PATIENCE):
                found = await parts.provider.check(model)
        except ProviderSilent:
            raise
        except CheckModel as error:
            found = Problem(source=parts.provider.traits(model).title, what=error.message, remedy=error.remedy)
    return msgspec.structs.replace(found, severity="warning") if found else None


def _minutes(usage: Usage) -> float:
    read = usage.input_tokens + usage.cache_write_tokens
    return (read / LOCAL_READS + usage.output_tokens / LOCAL_WRITES) / 60


def duration(usage: Usage) -> str:
    """How long a local model would take: it reads all that it does not keep from the question before."""
    minutes = _minutes(usage)
    spent = f"{minutes / 60:,.1f} hours" if minutes >= _MINUTES_TOLD else counted(max(1, round(minutes)), "minute")
    return (
        f"about {spent} at {LOCAL_READS:,} tokens a second read and {LOCAL_WRITES} written, which is a guess at your "
        "machine"
    )


def planned_cost(parts: Parts, rules: Rules, options: Options, reading: Reading) -> tuple[int, float | None]:
    """How many questions a run would ask about what was read, and what they would cost; None for an unknown price."""
    planned = _Planned(parts, rules, options)
    planned.plan(reading)
    questions = sum(len(may_turn(pairs)) for pairs in planned.questions.values())
    return questions, _sum(each.cost() for each in planned.inquiries(forecast.ASSUMED) if each.packets)


class _Planned:
    """The questions that a run would ask."""

    def __init__(self, parts: Parts, rules: Rules, options: Options) -> None:
        self._parts = parts
        self._rules = rules
        self._options = options
        self.questions: Questions = {}
        self.subjects: Mapping[ItemKey, Subject] = {}
        self.in_batches: dict[CollectionKey, int] = {}
        self.packets: list[Packet] = []
        self.looks: list[Packet] = []
        self._close = 0.0

    def inquiries(self, ruler: forecast.Ruler) -> tuple[_Inquiry, _Inquiry]:
        """What both looks are asked; the `ruler` is the first model's."""
        rules, traits = self._rules, self._parts.provider.traits
        of_looks = ruler if rules.review_model == rules.model else forecast.ASSUMED
        group = group_size(rules.collections_per_request, traits(rules.model))
        return (
            _Inquiry(self.packets, traits(rules.model), ruler, group),
            _Inquiry(self.looks, traits(rules.review_model), of_looks.of_second_looks, second_look=True),
        )

    def plan(self, reading: Reading) -> None:
        """Walk over the stages as a run does, deciding from what is remembered."""
        state, memory = self._parts.store.state, self._parts.store.memory
        options = self._options
        self.subjects = subjects = subjects_of(reading.items, memory, reading.unconfirmed)
        known = Known(reading.items, subjects, memory, self._parts.choices.read().pins, self._rules.models)
        for stage in walk(reading.collections, reading.folder.collections, known):
            every = stage.questions(force=options.force_refresh, again=frozenset(options.ask_again))
            asked = not_in_batches(state.batches, stage.chosen, known.subjects, every)
            self.in_batches |= {key: len(every[key]) - len(pairs) for key, pairs in asked.items()}
            self.questions |= asked
            described = self._with_credits(known.subjects, asked)
            self.packets += pack(asked, described, stage.chosen, options.batch_size)
            self.looks += second_looks(self._looks_at(described, stage.chosen, asked), options.batch_size)
            stage.decide(every)

    def _looks_at(
        self, described: Mapping[ItemKey, Subject], chosen: Sequence[Collection], asked: Questions
    ) -> Iterator[tuple[Collection, Sequence[AnyItem]]]:
        """The items of each collection that are looked at again: those due, and some for what will come close."""
        for collection in chosen:
            pairs = asked[collection.key]
            first = [key for key, reason in pairs.items() if reason.is_asked_first]
            before, self._close = self._close, self._close + forecast.SHARE_CLOSE * len(first)
            close = first[: int(self._close) - int(before)]
            yield collection, [described[key].item for key in (*due_now(pairs), *close)]

    def _with_credits(self, known: Mapping[ItemKey, Subject], asked: Questions) -> Mapping[ItemKey, Subject]:
        """The movies as they will be sent, with usual people in place of those that are not known yet."""
        if not self._rules.radarr_credits:
            return known
        complete = dict(known)
        for key in to_describe(asked, known, self._parts.store.memory):
            item, prints, _ = known[key]
            if isinstance(item, Movie):
                complete[key] = Subject(msgspec.structs.replace(item, credits=forecast.USUAL_CREDITS), prints)
        return complete

    def pending(self, collection: Collection) -> PendingCollection:
        """What is to be asked about one collection."""
        pairs = self.questions[collection.key]
        return PendingCollection(
            name=collection.name,
            slug=collection.slug,
            kind=collection.kind,
            pending=len(may_turn(pairs)),
            reasons=count(pairs.values()),
            in_batches=self.in_batches[collection.key],
        )


async def _ruler(parts: Parts, rules: Rules, packets: Sequence[Packet]) -> tuple[forecast.Ruler, str]:
    """The ruler that converts texts to tokens, from a few free counts or else assumed, and how it was made."""
    kinds = {packet.kind for packet in packets} or {"movie"}
    items = " and ".join(f"{kind}s" for kind in KINDS if kind in kinds)
    people = "usual people where Radarr has not been asked for them yet, " if "movie" in kinds else ""
    by = f" by {rules.review_model}" if rules.review_model != rules.model else ""
    answers = (
        f"{forecast.SHARE_LISTED:.0%} of the {items} written out in answers, {people}"
        f"{forecast.SHARE_CLOSE:.0%} of the questions looked at again{by}"
    )
    assumed = f"from the length of the texts, assuming {prices.CHARS_PER_TOKEN} characters a token"
    if not packets:
        return forecast.ASSUMED, f"{assumed}; {answers}"
    try:
        ruler = await forecast.measured(packets, parts.provider, rules.model)
    except (CheckModel, RequestFailed) as error:
        why = error.message if isinstance(error, CheckModel) else str(error)
        return (
            forecast.ASSUMED,
            f"{assumed}, since they could not be counted ({parts.redact(why).rstrip('.')}); {answers}",
        )
    if ruler is None:
        return forecast.ASSUMED, f"{assumed}; {answers}"
    title, ratio = parts.provider.traits(rules.model).title, f"{ruler.movies:.1f} characters a token"
    return ruler, f"from tokens that {title} counted in a sample ({ratio}); {answers}"
