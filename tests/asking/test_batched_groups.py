"""Several collections in one request of a batch, through the real SDK and over real HTTP."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from kometa_ai.core.batches import BatchedQuestion, OpenBatch
from kometa_ai.core.item import number_of
from kometa_ai.core.naming import Slug
from kometa_ai.judging.packing import Packet
from kometa_ai.providers.port import Usage
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.claude_answers import REFUSED, Style
from tests.asking.support import KEY, block, judge
from tests.asking.test_asking import spent_by
from tests.asking.test_batches import Session, batching, pairs

NINE = tuple(f"C{number}" for number in range(9))


def asked(session: Session) -> list[tuple[int, int]]:
    """How many collections and how many movies each request was about, in order."""
    return [(len(request.collection_names), len(request.movies)) for request in session.claude.requests]


async def test_groups_that_are_worth_a_cache_are_asked_in_two_phases() -> None:
    """Three groups: one writes for an hour, two read; each pair has its own verdict."""
    async with batching(group=3) as session:
        await session.ask(block(30, *NINE))
    assert session.sizes == [1, 2]
    assert asked(session) == [(3, 30)] * 3
    assert session.claude.requests[0].usage["cache_creation"]["ephemeral_1h_input_tokens"] > 512
    assert session.asker.cache_reads == {True: 2}
    assert session.judged == pairs(30, *NINE)
    assert session.members == {name: set(range(5, 31, 5)) for name in NINE}


@pytest.mark.parametrize(("group", "expected"), [(9, [9]), (5, [4, 5])])
async def test_fewer_groups_are_asked_at_once(group: int, expected: list[int]) -> None:
    """To write for an hour costs as much as to send the movies twice."""
    async with batching(group=group) as session:
        await session.ask(block(30, *NINE))
    assert session.sizes == [len(expected)]
    assert sorted(collections for collections, _ in asked(session)) == expected
    assert not any(request.usage["cache_creation_input_tokens"] for request in session.claude.requests)
    assert session.judged == pairs(30, *NINE)


async def test_a_group_of_one_is_handed_over_as_ever() -> None:
    """One collection alone: nothing in the request or in the ledger differs."""
    bodies, ledgers = [], []
    for group in (1, 8):
        async with batching(group=group) as session:
            await session.run(block(30, "Heists"))
            ledgers.append([msgspec.json.encode(batch.questions) for batch in session.notes.open()])
            await session.wait()
            await session.take(block(30, "Heists"))
            bodies.append([request.body for request in session.claude.requests])
    assert bodies[0] == bodies[1]
    assert ledgers[0] == ledgers[1]


async def test_answers_are_taken_for_each_collection() -> None:
    """A run about some leaves the others', with their share of the cost, to a run about these."""
    some, others = block(30, *NINE[:4]), block(30, *NINE[4:])
    async with batching(group=9) as session:
        await session.run(block(30, *NINE))
        await session.wait()
        await session.take(some)
        assert session.judged == pairs(30, *NINE[:4])
        assert {question.slug for batch in session.notes.open() for question in batch.open_questions} == {
            each.slug for each in others.collections
        }
        (only,) = session.claude.requests
        first = sum(spent.cost for spent in session.asker.spent.values())
        await session.take(others)
        assert session.notes.open() == ()
    assert session.judged == pairs(30, *NINE)
    spent = session.asker.spent
    whole = sum(each.cost for each in spent.values())
    assert first == pytest.approx(whole * 4 / 9)
    assert whole == pytest.approx(spent_by(session.claude) / 2)
    usage = sum((each.usage for each in spent.values()), Usage())
    assert (usage.requests, usage.input_tokens) == (1, only.usage["input_tokens"])
    assert usage.output_tokens == only.usage["output_tokens"]


@pytest.mark.parametrize(
    "style",
    [REFUSED, Style(text="No."), Style(without=("C3",)), Style(missing=3, of="C3")],
    ids=["refused", "text", "without", "missing"],
)
async def test_what_a_group_leaves_open_is_left_over(style: Style) -> None:
    """And nothing else: whole answers about other collections are kept."""
    claude = ClaudeStandIn(judge=judge, api_key=KEY)
    claude.queue_style(style)
    async with batching(claude, group=9) as session:
        await session.run(block(30, *NINE))
        await session.wait()
        await session.take(block(30, *NINE))
        left = {
            (str(slug).upper(), number_of(key) - 1000) for slug, key, second in session.batcher.left_over if not second
        }
        assert not session.asker.is_over
    open_pairs = left - {(name.upper(), number) for name, number in session.judged}
    expected = {"C3"} if style.of or style.without else set(NINE)
    assert {name for name, _ in open_pairs} == expected
    assert len(open_pairs) == (3 if style.of else 30 * len(expected))


async def test_a_group_without_a_verdict_counts_once() -> None:
    """Four unreadable answers about nine collections each are four."""
    claude = ClaudeStandIn(judge=judge, api_key=KEY)
    claude.style = Style(text="No.")
    packets = [block(30, *NINE), *(Packet(block(30 + n, "C0").movies, block(1, *NINE).collections) for n in (1, 2, 3))]
    async with batching(claude, group=9) as session:
        await session.run(packets[0])
        await session.wait()
        await session.take(packets[0])
        assert sum(session.asker.tally.wasted.values()) == 1
        assert not session.asker.is_over


async def test_a_batch_is_found_by_the_number_of_its_requests() -> None:
    """And not by that of its questions, where nothing was heard of it."""
    from tests.asking.test_batches import LOST, creating  # noqa: PLC0415

    claude = ClaudeStandIn(judge=judge, api_key=KEY)
    async with batching(claude, group=5) as session:
        claude.faults.add(LOST, path="/v1/messages/batches", when=creating)
        await session.run(block(30, *NINE))
        (batch,) = session.notes.open()
        assert (batch.id, batch.requests, len(batch.questions)) == ("", 2, 9)
        await session.wait()
        await session.take(block(30, *NINE))
    assert session.sizes == [2]
    assert session.judged == pairs(30, *NINE)


def test_a_question_of_an_older_state_is_read() -> None:
    """It is about one collection alone, and is written as it ever was."""
    old: dict[str, Any] = {
        "key": "k",
        "model": "claude-sonnet-5-5",
        "planned": "2026-03-01T03:00:00Z",
        "pages": [[["movie:1", "h"]]],
        "questions": [
            {"id": "kai-1", "page": 0, "slug": "heists", "kind": "movie", "prompt_hash": "p", "second_look": False},
            {"id": "kai-2", "page": 0, "slug": "noir", "prompt_hash": "p"},
        ],
    }
    batch = msgspec.convert(old, OpenBatch)
    assert batch.requests == 2
    assert batch.questions[0] == BatchedQuestion(id="kai-1", page=0, slug=Slug("heists"), prompt_hash="p")
    assert Counter(question.number for question in batch.questions) == {0: 2}
    assert b"number" not in msgspec.json.encode(batch)
    numbered = msgspec.structs.replace(batch.questions[0], number=2)
    assert msgspec.json.decode(msgspec.json.encode(numbered), type=BatchedQuestion) == numbered
