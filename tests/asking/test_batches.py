"""Asking through batches, through the real SDK and over real HTTP, with every kind of trouble on the way."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kometa_ai.asking.batch_search import ANSWERED_WITHIN, KEPT, LISTED_WITHIN
from kometa_ai.asking.batch_search import ended as ended_of
from kometa_ai.asking.batches import WARM, Batcher, Scope
from kometa_ai.asking.pacing import Budget
from kometa_ai.asking.phases import Work, opening, reading
from kometa_ai.asking.prompts import FORM
from kometa_ai.core.decision import Reason
from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.core.item import number_of
from kometa_ai.judging.looks import Models
from kometa_ai.judging.packing import Packet
from kometa_ai.judging.planning import Subject
from kometa_ai.providers.claude.batches import ClaudeBatches
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import BatchedRequest, Request, RequestFailed
from kometa_ai.standins import claude_faults as faults
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.claude_answers import REFUSED, Style
from kometa_ai.standins.claude_batches import BATCHES
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.serving import serve
from tests.asking.support import KEY, MODEL, Asker, block, collection, judge, movie, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from kometa_ai.asking.tally import Answered
    from kometa_ai.core.batches import OpenBatch
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.judging.planning import Questions
    from kometa_ai.standins.claude_log import RequestRecord

FOUR = ("Heists", "Noir", "War", "Space")
LOST = msgspec.structs.replace(faults.DROPPED, afterwards=True)


class Notes:
    """A ledger in memory; `may_plan` False is a disk that is full."""

    def __init__(self) -> None:
        self.batches: dict[str, OpenBatch] = {}
        self.said: list[str] = []
        self.left: list[float | None] = []
        self.may_plan = True

    def open(self) -> tuple[OpenBatch, ...]:
        """See Ledger."""
        return tuple(self.batches.values())

    def plan(self, batch: OpenBatch, left: float | None) -> bool:
        """See Ledger."""
        self.said.append("plan")
        self.left.append(left)
        if self.may_plan:
            self.batches[batch.key] = batch
        return self.may_plan

    def name(self, key: str, batch_id: str, foreign: tuple[str, ...] = ()) -> None:
        """See Ledger."""
        self.said.append("name" if batch_id else "foreign")
        self.batches[key] = msgspec.structs.replace(self.batches[key], id=batch_id, foreign=foreign)

    def take(self, key: str, collections: Iterable[CollectionKey]) -> None:
        """See Ledger."""
        self.said.append("take")
        batch = msgspec.structs.replace(self.batches[key], taken=self.batches[key].taken.union(collections))
        self.batches[key] = batch
        if not batch.open_questions:
            del self.batches[key]

    def drop(self, key: str) -> None:
        """See Ledger."""
        self.said.append("drop")
        del self.batches[key]


class Session:
    """The stand-in, a ledger, and runs that go on with each other: each has a batcher of its own, the `batcher`."""

    def __init__(
        self,
        claude: ClaudeStandIn,
        provider: Claude,
        model: str = MODEL,
        *,
        review_model: str = "",
        group: int = 1,
        **limits: Any,
    ) -> None:
        self.claude = claude
        self.notes = Notes()
        self.answered: list[Answered] = []
        self.waits: list[float] = []
        self.time = datetime(2026, 3, 1, tzinfo=UTC)
        claude.clock = lambda: self.time.timestamp()  # noqa: PLW0108 - the time will be another one
        self._models = Models(model, review_model or model)
        self.asker = Asker(provider, models=self._models, record=self.answered.append, **limits)
        self._caching = provider
        self._group = group
        self.provider = ClaudeBatches(provider)
        self.batcher = self._batcher(self.asker.budget)

    def _batcher(self, budget: Budget) -> Batcher:
        return Batcher(
            self.provider,
            models=self._models,
            budget=budget,
            tally=self.asker.tally,
            course=self.asker.course,
            traits=self._caching.traits,
            ledger=self.notes,
            record=self.answered.append,
            now=lambda: self.time,
            group=self._group,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += timedelta(seconds=seconds)

    def scope(self, *packets: Packet) -> Scope:
        """All of these packets are open."""
        return Scope(
            {each.key: each for packet in packets for each in packet.collections},
            {each.key: Subject(each, fingerprint(each)) for packet in packets for each in packet.movies},
            lambda _question, _key: True,
        )

    async def take(self, *packets: Packet) -> None:
        """What a run does first: take what there is about packets."""
        self.batcher = self._batcher(Budget(self.batcher.left))
        await self.batcher.take(self.scope(*packets))

    async def run(self, *packets: Packet) -> bool:
        """What a run does: take what there is about packets, and hand over what is open; return whether it did."""
        await self.take(*packets)
        scope, answered = self.scope(*packets), set(self.judged)
        left_over = self.batcher.left_over
        away = {key for batch in self.notes.open() for page in batch.pages for key, _ in page}
        stage = list(dict.fromkeys(scope.collections.values()))
        questions: Questions = {
            each.key: {
                one.key: Reason.NEW
                for packet in packets
                if each in packet.collections
                for one in packet.movies
                if one.key not in away
                and (each.name, number_of(one.key) - 1000) not in answered
                and (each.key, one.key, False) not in left_over
            }
            for each in stage
        }
        works, rest = reading(self.batcher.warm, questions, stage, scope.judged)
        left = [
            Packet(packet.movies, collections)
            for packet in packets
            if (collections := tuple(c for c in packet.collections if _is_open(packet, rest[c.key])))
        ]
        works += opening(left, self._caching.traits(self._models.first), self._group)
        return await self.batcher.hand_over(works, scope)

    async def wait(self) -> None:
        """Look every minute until a batch has ended."""
        for _ in range(2 * 24 * 60):
            if await ended_of(self.provider, self.notes.open(), self.time):
                return
            self.time += timedelta(minutes=1)
        raise AssertionError("it waits for ever")

    async def ask(self, *packets: Packet) -> None:
        """Ask about packets, by as many runs as it takes."""
        while await self.run(*packets) or self.notes.open():
            await self.wait()

    @property
    def members(self) -> dict[str, set[int]]:
        """For each collection the movies that belong."""
        found: dict[str, set[int]] = {}
        for answered in self.answered:
            belonging = {number_of(key) - 1000 for key, verdict in answered.verdicts.items() if verdict.include}
            found.setdefault(answered.collection.name, set()).update(belonging)
        return found

    @property
    def judged(self) -> list[tuple[str, int]]:
        """Every pair that a verdict was recorded of, as often as one was."""
        return sorted((a.collection.name, number_of(key) - 1000) for a in self.answered for key in a.verdicts)

    @property
    def sizes(self) -> list[int]:
        """How many requests each batch had, in order."""
        return [len(batch.records) for batch in self.claude.batches.known.values()]

    def sent(self, method: str, path: str = BATCHES) -> int:
        """How often this was called."""
        return sum((call.method, call.path) == (method, path) for call in self.claude.calls)


def _is_open(packet: Packet, questions: Iterable[ItemKey]) -> bool:
    return all(one.key in questions for one in packet.movies)


@asynccontextmanager
async def batching(claude: ClaudeStandIn | None = None, **options: Any) -> AsyncIterator[Session]:
    """A session over real HTTP."""
    claude = claude or ClaudeStandIn(judge=judge, api_key=KEY)
    with serve(claude.app) as url:
        async with Claude(KEY, url) as provider:
            yield Session(claude, provider, **options)


def creating(call: RequestRecord) -> bool:
    """Whether a call hands over a batch."""
    return call.method == "POST"


def pairs(count: int, *names: str) -> list[tuple[str, int]]:
    """Each pair once."""
    return sorted((name, number) for name in names for number in range(1, count + 1))


FIFTHS = {name: set(range(5, 31, 5)) for name in FOUR}

# What is sent


async def test_the_first_question_of_a_packet_goes_ahead_and_the_others_read_its_cache() -> None:
    """Two packets of four collections: a batch of two that write for an hour, a batch of six that read."""
    packets = (block(30, *FOUR), Packet(tuple(movie(n) for n in range(31, 61)), block(1, *FOUR).collections))
    async with batching() as session:
        await session.ask(*packets)

    assert session.sizes == [2, 6]
    written = [request.usage["cache_creation"]["ephemeral_1h_input_tokens"] for request in session.claude.requests]
    assert [tokens > 512 for tokens in written] == [True, True, *[False] * 6]
    assert all(request.usage["cache_read_input_tokens"] > 512 for request in session.claude.requests[2:])
    assert session.asker.cache_reads == {True: 6}
    assert session.judged == pairs(60, *FOUR)
    assert session.notes.said == ["plan", "name", "take"] * 2
    assert session.notes.open() == ()


async def test_a_page_is_warm_for_half_an_hour_only() -> None:
    """Later its cache may be gone before the second phase reads it: the next question about it writes it again."""
    async with batching() as session:
        await session.run(block(30, *FOUR))
        await session.wait()
        session.time += WARM + timedelta(minutes=1)
        await session.ask(block(30, *FOUR))

    assert session.sizes == [1, 1, 2]
    assert session.judged == pairs(30, *FOUR)


async def test_a_page_that_has_changed_is_not_warm() -> None:
    """Its text is another one now."""
    async with batching() as session:
        await session.run(block(30, *FOUR))
        await session.wait()
        changed = Packet((movie(1, plot="Another one."), *movies(30)[1:]), block(1, *FOUR).collections)
        await session.run(changed)

    assert session.sizes == [1, 1]
    assert session.batcher.warm


async def test_a_cache_that_is_not_read_is_noticed() -> None:
    """Each request has written its movies at twice the price; the report says so from ten on."""
    async with batching() as session:
        await session.run(block(30, *FOUR))
        await session.wait()
        await session.run(block(30, *FOUR))
        session.claude.batches.cache.clear()
        await session.ask(block(30, *FOUR))

    assert session.asker.cache_reads == {False: 3}
    assert session.judged == pairs(30, *FOUR)


@pytest.mark.parametrize("case", [block(30, "Heists"), block(30, "Heists", "War"), block(1, *FOUR)])
async def test_where_a_cache_saves_nothing_there_is_one_phase_without_it(case: Packet) -> None:
    """One or two questions about a packet, or too short a page: no breakpoint, all of them at once."""
    # The older model caches from 4,096 tokens on.
    async with batching(model="claude-haiku-4-5" if len(case.movies) == 1 else MODEL) as session:
        await session.ask(case)

    assert session.sizes == [len(case.collections)]
    assert all("cache_control" not in str(request.body["messages"]) for request in session.claude.requests)


async def test_a_request_is_the_one_that_would_be_sent_alone() -> None:
    """But for the hour of its cache and the stream, everything is byte for byte that of the ordinary way."""
    async with batching() as session:
        await session.ask(block(30, *FOUR))
        batched = {request.collection_name: request.body for request in session.claude.requests}
        session.claude.forget()
        await session.asker.ask([block(30, *FOUR)])
        alone = {request.collection_name: request.body for request in session.claude.requests}

    for name in FOUR:
        body = msgspec.json.encode(batched[name]).replace(b',"ttl":"1h"', b"")
        assert msgspec.json.decode(body) == {key: value for key, value in alone[name].items() if key != "stream"}


async def test_names_of_questions_follow_from_what_is_asked() -> None:
    """Well-formed, different within a batch, the same in another run, another for another movie."""
    seen = []
    for case in (block(30, *FOUR), block(30, *FOUR), block(29, *FOUR)):
        async with batching() as session:
            await session.ask(case)
            seen.append(sorted(request.custom_id for request in session.claude.requests))

    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", name) for name in seen[0])
    assert len(set(seen[0])) == 4
    assert seen[0] == seen[1]
    assert set(seen[0]).isdisjoint(seen[2])


async def test_a_large_batch_is_sent_in_parts() -> None:
    """So that neither memory nor Anthropic's limits are exceeded; every part reads the cache."""
    many = tuple(movie(number, plot=f"{number} and so on, " * 120) for number in range(1, 301))
    names = tuple(f"Collection {number}" for number in range(35))
    async with batching() as session:
        await session.ask(Packet(many, tuple(map(collection, names))))

    assert len(session.sizes) == 3
    assert sum(session.sizes) == 35
    assert session.judged == pairs(300, *names)
    assert all(request.usage["cache_read_input_tokens"] > 512 for request in session.claude.requests[1:])


async def test_a_batch_is_for_one_model() -> None:
    """Second looks of another model have a batch of their own."""
    other = "claude-opus-5-5"
    async with batching(review_model=other) as session:
        works = [Work(block(30, "War")), Work(block(5, "War"), second_look=True)]
        assert await session.batcher.hand_over(works, session.scope(block(30, "War")))
        models = [batch.model for batch in session.notes.open()]
        await session.wait()
        await session.take(block(30, "War"))

    assert (session.sizes, models) == ([1, 1], [MODEL, other])
    assert [(answered.model, answered.second_look) for answered in session.answered] == [(MODEL, False), (other, True)]


async def test_nothing_is_sent_that_is_not_written_down() -> None:
    """A ledger that cannot be written keeps the batch from being created."""
    async with batching() as session:
        session.notes.may_plan = False
        assert not await session.run(block(30, *FOUR))

    assert (session.sent("POST"), session.answered) == (0, [])


# What is answered


@pytest.mark.parametrize("style", [REFUSED, Style(text="Good morning."), Style(truncated_at=20)])
async def test_what_cannot_be_read_is_left_over_and_paid(style: Style) -> None:
    """An answer without verdicts leaves its questions to the direct way; its cost counts, as does its cache."""
    async with batching() as session:
        session.claude.queue_style(style, when=lambda request: request.collection_name == "Heists")
        await session.run(block(30, *FOUR))
        await session.wait()
        await session.run(block(30, *FOUR))
        left_over = session.batcher.left_over
        await session.wait()
        await session.take(block(30, *FOUR))

    assert {name for name, _ in session.judged}.issuperset(("Noir", "War", "Space"))
    assert len(session.judged) < 120
    assert len([pair for pair in left_over if pair[0] == "heists"]) == 30
    assert session.asker.spent[collection("Heists").key].cost > 0
    assert session.sizes == [1, 3]


async def test_without_an_answer_to_the_first_question_the_next_is_the_first() -> None:
    """Nothing was cached: each of the others would pay for writing it."""
    async with batching() as session:
        session.claude.batches.queue_outcome("errored", when=lambda request: request.collection_name == "Heists")
        await session.ask(block(30, *FOUR))

    assert session.sizes[:2] == [1, 1]
    assert [request.collection_name for request in session.claude.requests[:2]] == ["Heists", "Noir"]


@pytest.mark.parametrize(("outcome", "is_left_over"), [("errored", True), ("canceled", False), ("expired", False)])
async def test_an_error_is_left_to_the_direct_way(outcome: Any, *, is_left_over: bool) -> None:
    """What was cancelled or has expired can be handed over again."""
    async with batching() as session:
        session.claude.batches.queue_outcome(outcome)
        await session.run(block(30, "Heists"))
        await session.wait()
        await session.take(block(30, "Heists"))

    assert bool(session.batcher.left_over) is is_left_over
    assert (session.answered, session.notes.open()) == ([], ())


async def test_the_price_is_that_of_batches() -> None:
    """Half of the usual one."""
    async with batching() as session:
        await session.ask(block(30, "Heists"))
        batched = session.asker.spent[collection("Heists").key].cost
        await session.asker.ask([block(30, "Heists")])
        both = session.asker.spent[collection("Heists").key].cost

    assert batched * 3 == pytest.approx(both)


# Trouble


async def test_a_batch_whose_answer_was_lost_is_found() -> None:
    """It is looked for in the list, and never created again."""
    async with batching() as session:
        session.claude.faults.add(LOST, path=BATCHES, when=creating)
        await session.ask(block(30, *FOUR))

    assert session.sizes == [1, 3]
    assert session.members == FIFTHS
    assert session.sent("POST") == 2


async def test_a_batch_that_was_never_taken_is_given_up_after_looking() -> None:
    """A gateway's time-out says nothing: it is looked for some minutes, then the questions are free again."""
    async with batching() as session:
        session.claude.faults.add(faults.GATEWAY_TIMEOUT, path=BATCHES, when=creating)
        started = session.time
        assert await session.run(block(30, *FOUR))
        await session.take(block(30, *FOUR))
        assert len(session.notes.open()) == 1
        await session.wait()
        await session.take(block(30, *FOUR))

    assert session.time - started == LISTED_WITHIN + timedelta(minutes=1)
    assert (session.notes.said, session.batcher.unavailable) == (["plan", "drop"], "")


async def test_another_programs_batch_of_the_same_size_is_not_ours() -> None:
    """Its answers have other names: it is remembered as foreign, and ours is looked for on."""
    async with batching() as session:
        session.claude.batches.create({"requests": [{"custom_id": "theirs", "params": {}}]})
        session.claude.faults.add(LOST, path=BATCHES, when=creating)
        await session.ask(block(30, *FOUR))

    assert session.members == FIFTHS
    assert session.sizes == [1, 1, 3]
    assert "foreign" in session.notes.said


async def test_busy_means_later_and_nothing_was_taken() -> None:
    """A 429 or 529 is a clear no: the same batch is handed over again after a pause."""
    async with batching() as session:
        session.claude.faults.add(faults.rate_limited(120), path=BATCHES, when=creating)
        session.claude.faults.add(faults.OVERLOADED, path=BATCHES, when=creating)
        await session.ask(block(30, *FOUR))

    assert session.members == FIFTHS
    assert round(session.waits[0]) == 120
    assert session.notes.said[:3] == ["plan", "name", "take"]


@pytest.mark.parametrize("fault", [faults.BAD_KEY, faults.NOT_PERMITTED, faults.UNKNOWN_MODEL, faults.TOO_LARGE])
async def test_a_refused_batch_is_no_end(fault: Fault) -> None:
    """It is taken back, and the reason told; whether that ends the run is for the ordinary way to find out."""
    async with batching() as session:
        session.claude.faults.add(fault, path=BATCHES, when=creating)
        assert not await session.run(block(30, *FOUR))

    assert session.batcher.unavailable
    assert (session.notes.open(), session.asker.is_over, session.sent("POST")) == ((), False, 1)


async def test_a_batch_that_is_not_known_for_some_time_is_not_gone() -> None:
    """A 404 on an id that is known passes by itself; after a day, which no batch outlives, its questions are free."""
    async with batching() as session:
        session.claude.faults.add(faults.UNKNOWN_MODEL, path=f"{BATCHES}/*", times=5)
        await session.run(block(30, *FOUR))
        await session.take(block(30, *FOUR))
        assert len(session.notes.open()) == 1
        await session.ask(block(30, *FOUR))
    assert session.members == FIFTHS

    async with batching() as session:
        session.claude.faults.add(faults.UNKNOWN_MODEL, path=f"{BATCHES}/*", times=None)
        started = session.time
        await session.run(block(30, *FOUR))
        await session.wait()
        await session.take(block(30, *FOUR))
    assert (session.answered, session.notes.said) == ([], ["plan", "name", "drop"])
    assert session.time - started == ANSWERED_WITHIN + timedelta(minutes=1)


@pytest.mark.parametrize("fault", [faults.SERVER_ERROR, faults.DROPPED, faults.NOT_JSON, faults.OVERLOADED])
async def test_looks_that_fail_are_repeated(fault: Fault) -> None:
    """A run looks again after a pause, and leaves the batch to the next one where that does not help."""
    async with batching() as session:
        await session.run(block(30, "Heists"))
        await session.wait()
        session.claude.faults.add(fault, path=f"{BATCHES}/*", times=2)
        await session.take(block(30, "Heists"))
        assert session.members == {"Heists": FIFTHS["Heists"]}

    async with batching() as session:
        await session.run(block(30, "Heists"))
        await session.wait()
        session.claude.faults.add(fault, path=f"{BATCHES}/*", times=None)
        await session.take(block(30, "Heists"))
        assert (session.answered, len(session.notes.open())) == ([], 1)
        session.claude.faults.clear()
        await session.take(block(30, "Heists"))

    assert session.judged == pairs(30, "Heists")


async def test_a_file_of_answers_that_breaks_off_is_read_again() -> None:
    """As a whole: what was read before it broke off counts once."""
    async with batching() as session:
        batches = session.claude.batches
        await session.run(block(30, "Heists", "War"))
        await session.wait()
        (batch_id,) = batches.known
        part = Fault(status=200, raw=batches.results(batch_id)[:-300].decode())
        session.claude.faults.add(part, path=f"{BATCHES}/*/results")
        await session.take(block(30, "Heists", "War"))

    assert session.sent("GET", f"{BATCHES}/{batch_id}/results") == 2
    assert session.judged == pairs(30, "Heists", "War")
    assert sum(spent.usage.requests for spent in session.asker.spent.values()) == 2


@pytest.mark.parametrize(
    "usage", [None, {"input_tokens": 10, "cache_creation": {"ephemeral_1h_input_tokens": 4000}}, {"input_tokens": "?"}]
)
async def test_odd_figures_cost_no_answer(usage: object) -> None:
    """What an endpoint says of its tokens may be wrong; its answers are taken all the same."""
    async with batching() as session:
        batches = session.claude.batches
        await session.run(block(30, "Heists"))
        await session.wait()
        (batch_id,) = batches.known
        lines = [json.loads(line) for line in batches.results(batch_id).splitlines()]
        for line in lines:
            line["result"]["message"]["usage"] = usage
        odd = "".join(json.dumps(line) + "\n" for line in lines)
        session.claude.faults.add(Fault(status=200, raw=odd), path=f"{BATCHES}/*/results")
        await session.take(block(30, "Heists"))

    assert session.judged == pairs(30, "Heists")


# Later


async def test_a_batch_that_has_not_ended_is_left_alone() -> None:
    """A run looks once and waits for nothing; another one takes the answers, however late."""
    async with batching() as session:
        session.claude.batches.polls = 9
        await session.run(block(30, "Heists"))
        await session.take(block(30, "Heists"))
        assert (session.waits, session.answered, len(session.notes.open())) == ([], [], 1)
        await session.wait()
        session.time += timedelta(days=20)
        await session.take(block(30, "Heists"))

    assert session.judged == pairs(30, "Heists")
    assert (session.notes.open(), session.sent("POST")) == ((), 1)


async def test_changed_movies_and_prompts_make_answers_void() -> None:
    """Answers about what is no longer so are dropped, those about the rest and movies away are used; all are paid."""
    async with batching() as session:
        await session.run(block(30, "Heists", "War"))
        await session.wait()
        changed = (movie(1, plot="Another one."), *movies(30)[2:])
        await session.take(Packet(changed, (collection("Heists"), collection("War", prompt="Only battles."))))

    assert session.judged == [pair for pair in pairs(30, "Heists") if pair[1] > 1]
    assert sum(spent.usage.requests for spent in session.asker.spent.values()) == 2


async def test_a_batch_whose_answers_are_no_longer_kept_is_forgotten() -> None:
    """After 29 days nothing can be had of it."""
    async with batching() as session:
        await session.run(block(30, *FOUR))
        session.claude.forget()
        session.time += KEPT + timedelta(days=1)
        assert await ended_of(session.provider, session.notes.open(), session.time)
        await session.take(block(30, *FOUR))

    assert (session.notes.open(), session.claude.calls) == ((), [])


async def test_looking_for_the_end_costs_nothing_and_changes_nothing() -> None:
    """Of two batches the one that has ended is named; one that cannot be looked at is no reason for a run."""
    async with batching() as session:
        session.claude.batches.polls = 3
        await session.run(block(30, "Heists"))
        (first,) = session.notes.open()
        assert await ended_of(session.provider, session.notes.open(), session.time) == frozenset()
        await session.wait()
        await session.batcher.hand_over([Work(block(30, "War"))], session.scope(block(30, "War")))
        assert await ended_of(session.provider, session.notes.open(), session.time) == {first.key}
        session.claude.faults.add(faults.BAD_KEY, path=f"{BATCHES}/*", times=2)
        assert await ended_of(session.provider, session.notes.open(), session.time) == frozenset()

    assert session.notes.said == ["plan", "name"] * 2
    assert session.answered == []


# Money


@pytest.mark.parametrize("limit", [0.001, 0.01, 0.02, 0.05, 0.2])
async def test_no_more_is_handed_over_than_there_is_money_for(limit: float) -> None:
    """The packets that can be paid for are asked about, the others are left; a large limit changes nothing."""
    packets = [
        Packet(tuple(movie(number) for number in range(start, start + 20)), block(1, *FOUR).collections)
        for start in range(1, 201, 20)
    ]
    async with batching(max_cost=limit) as session:
        while await session.run(*packets):
            await session.wait()

    cost = sum(spent.cost for spent in session.asker.spent.values())
    assert cost <= limit
    assert (cost > 0) is (limit >= 0.01)
    if limit == 0.2:
        assert session.judged == pairs(200, *FOUR)


async def test_what_is_handed_over_counts_as_left_for_the_run_that_goes_on() -> None:
    """The ledger is told how much there is: all of it, as nothing was paid yet; once it is paid, so much less."""
    async with batching(max_cost=1.0) as session:
        await session.run(block(30, *FOUR))
        assert session.notes.left == [1.0]
        await session.wait()
        await session.run(block(30, *FOUR))

    paid = sum(spent.cost for spent in session.asker.spent.values())
    assert session.notes.left == [1.0, pytest.approx(1.0 - paid)]


async def test_an_unpriced_model_has_no_room_under_a_limit() -> None:
    """What it would cost is unknown, so nothing is handed over."""
    async with batching(max_cost=5.0, model="claude-unheard-of") as session:
        assert not await session.run(block(30, *FOUR))

    assert session.sent("POST") == 0


async def test_a_batch_is_never_sent_again_by_the_sdk() -> None:
    """The SDK repeats what timed out; here a dropped answer is one call."""
    async with batching() as session:
        session.claude.faults.add(faults.DROPPED, path=BATCHES, times=None, when=creating)
        request = Request(form=FORM, movies="{}", collection="War", model=MODEL, cache=False, expected_tokens=100)
        with pytest.raises(RequestFailed) as failed:
            await session.provider.create([BatchedRequest("one", request)])

    assert failed.value.may_be_billed
    assert session.sent("POST") == 1
