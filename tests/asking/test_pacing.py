"""Places, pauses and rate limits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.asking.ending import Course
from kometa_ai.asking.pacing import FIRST_WAIT, LONGEST_WAIT, Limits, Pauses, Places
from kometa_ai.judging.looks import Models
from kometa_ai.providers.claude.messages import pause_of
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.providers.router import Router
from kometa_ai.standins import claude_faults
from kometa_ai.standins.serving import serve
from tests.asking.support import Asker, Waits, block, collection, model_of, movies, router_to, stand_in

if TYPE_CHECKING:
    from random import Random

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def most_at_once(places: Places) -> int:
    """How many of 20 workers were in at the same time."""
    inside, most = 0, 0

    async def one() -> None:
        nonlocal inside, most
        async with places:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(one())
    return most


async def test_never_more_than_the_limit() -> None:
    """MAX_CONCURRENT_REQUESTS is kept, and reached."""
    assert await most_at_once(Places(4, pressure=lambda: 0.0)) == 4


async def test_a_busy_claude_halves_and_answers_add_up() -> None:
    """Each failure halves the places, down to one; answers bring them back one by one, up to the limit."""
    places = Places(8, pressure=lambda: 0.0)
    for expected in (4, 2, 1, 1):
        places.shrink()
        assert await most_at_once(places) == expected
    rounds = []
    for _ in range(60):
        places.grow()
        rounds.append(await most_at_once(places))

    assert rounds == sorted(rounds)
    assert rounds[-1] == 8
    assert set(rounds) == set(range(2, 9))


async def test_short_memory_sends_one_by_one() -> None:
    """Near the container's limit there is one request at a time, and it goes on."""
    assert await most_at_once(Places(8, pressure=lambda: 0.9)) == 1


async def test_the_longest_waiting_request_goes_first() -> None:
    """Also before one that has just left and comes back at once: the urgent is asked about first."""
    places = Places(1, pressure=lambda: 0.0)
    order: list[str] = []

    async def visit(*names: str) -> None:
        for name in names:
            async with places:
                order.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(visit("a1", "a2", "a3"), visit("b1"), visit("c1"))

    assert order == ["a1", "b1", "c1", "a2", "a3"]


@pytest.mark.parametrize("is_next", [False, True], ids=["while it waits", "as its turn comes"])
async def test_who_is_cancelled_keeps_no_place(*, is_next: bool) -> None:
    """The slot passes to the next request that waits."""
    places = Places(1, pressure=lambda: 0.0)
    await places.__aenter__()
    waiting = asyncio.create_task(places.__aenter__())
    await asyncio.sleep(0.01)
    if is_next:
        await places.__aexit__()
        waiting.cancel()
    else:
        waiting.cancel()
        await places.__aexit__()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async with asyncio.timeout(5):
        assert await most_at_once(places) == 1


@given(
    st.lists(st.sampled_from(["come", "cancel", "pass", "shrink", "grow", "tight"]), max_size=60),
    st.randoms(use_true_random=False),
)
def test_no_place_is_lost_or_given_twice(steps: list[str], chance: Random) -> None:
    """Workers may be cancelled while they wait, inside, or in the very moment in which a place becomes free."""
    asyncio.run(_hold_on(steps, chance))


async def _hold_on(steps: list[str], chance: Random) -> None:
    pressure = 0.0
    places = Places(3, pressure=lambda: pressure)
    inside: set[int] = set()
    tasks: list[asyncio.Task[None]] = []

    async def visit(number: int) -> None:
        async with places:
            inside.add(number)
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            finally:
                inside.remove(number)

    for step in steps:
        match step:
            case "come":
                tasks.append(asyncio.create_task(visit(len(tasks))))
            case "cancel" if tasks:
                chance.choice(tasks).cancel()
            case "pass":
                await asyncio.sleep(0)
            case "shrink":
                places.shrink()
            case "grow":
                places.grow()
            case "tight":
                pressure = 0.9 - pressure
        assert len(inside) <= 3
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    pressure = 0.0
    for _ in range(20):
        places.grow()

    assert await most_at_once(places) == 3


def headers(kind: str, remaining: int, seconds: float) -> dict[str, str]:
    """Rate-limit headers as the API sends them."""
    return {
        f"anthropic-ratelimit-{kind}-limit": "1000",
        f"anthropic-ratelimit-{kind}-remaining": str(remaining),
        f"anthropic-ratelimit-{kind}-reset": (NOW + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 0.0),
        (headers("requests", 500, 30), 0.0),
        (headers("requests", 99, 30), 30.0),
        (headers("output-tokens", 0, 12) | headers("tokens", 0, 4), 12.0),
        (headers("tokens", 0, 86400), 60.0),
        (headers("tokens", 0, -5), 0.0),
        ({**headers("tokens", 0, 5), "anthropic-ratelimit-tokens-reset": "soon"}, 0.0),
    ],
)
def test_a_limit_nearly_used_up_is_waited_for(given: dict[str, str], expected: float) -> None:
    """Below a tenth of a limit nothing is sent until it is full again, for a minute at most."""
    assert pause_of(given, NOW) == expected


@pytest.mark.parametrize(
    ("max_cost", "left", "limit", "full"),
    [(0.0, None, None, 0.0), (2.0, None, 2.0, 2.0), (2.0, 0.5, 0.5, 2.0), (0.0, 0.5, 0.5, 0.5), (1.0, 1.5, 1.0, 1.0)],
)
async def test_a_run_that_goes_on_has_what_is_left(
    max_cost: float, left: float | None, limit: float | None, full: float
) -> None:
    """The lower of MAX_COST_PER_RUN and what earlier runs have left counts; `full` is what the next run will have."""
    budget = Limits(max_cost=max_cost).budget(left)

    assert budget.is_limited is (limit is not None)
    assert (budget.left, budget.full) == (limit or 0.0, full)


@given(st.integers(1, 10))
def test_each_wait_is_about_twice_the_last(tries: int) -> None:
    """Jitter takes a third at most, so that a later wait is never shorter than an earlier one."""
    longest = min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT)
    wait = Pauses(asyncio.sleep, Course()).back_off(RequestFailed(Failure.OVERLOADED, "busy"), tries)

    assert longest * 2 / 3 <= wait <= longest


async def test_one_provider_does_not_wait_for_another() -> None:
    """That the first look's provider asked for minutes of patience holds no second look at another one's up."""
    busy, other, waits = stand_in("ollama"), stand_in("claude"), Waits()
    busy.faults.add(claude_faults.rate_limited(200), path="/api/chat")
    with serve(busy.app) as url, serve(other.app) as url_of_other:
        async with router_to(busy, url) as router, router_to(other, url_of_other) as router_to_other:
            asker = Asker(
                Router({**router.adapters, **router_to_other.adapters}),
                models=Models(str(model_of(busy)), str(model_of(other))),
                record=lambda _: None,
                sleep=waits,
            )
            await asker.ask([block(3, "Heists")])
            waited = list(waits)
            await asker.look_again([(collection("Heists"), movies(3))])

    assert waited == [pytest.approx(200, abs=1)]
    assert waits == waited
    assert len(other.requests) == 1
