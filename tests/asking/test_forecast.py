"""What questions are expected to use and to cost, against what they then do."""

from __future__ import annotations

import pytest

from kometa_ai.asking import forecast
from kometa_ai.asking.layout import groups
from kometa_ai.asking.pages import Page
from kometa_ai.judging.packing import Packet
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import Usage
from kometa_ai.standins.claude import ClaudeStandIn
from tests.asking.support import KEY, MODEL, asking, block, collection, judge, movie
from tests.asking.test_asking import spent_by

SONNET = Claude(KEY).traits(MODEL)
TWENTY = tuple(collection(f"C{number}", prompt="All about it. " * 20) for number in range(20))
PAGE = Packet(tuple(movie(number, plot="What happens in it, at length. " * 15) for number in range(1, 51)), TWENTY)


@pytest.mark.parametrize("group", [1, 2, 3, 7, 8, 10])
async def test_requests_and_their_cache_are_those_that_are_sent(group: int) -> None:
    """As many, the same ones write and read, with about as many tokens, for about as much."""
    claude = ClaudeStandIn(judge=judge, api_key=KEY)
    async with asking(claude, collections=group, concurrency=100) as session:
        await session.ask(PAGE)
    expected = forecast.usages(PAGE, SONNET, group=group)
    sent = [request.usage for request in claude.requests]
    assert len(expected) == len(sent) == len(groups(TWENTY, group))
    assert [bool(usage.cache_write_tokens) for usage in expected] == [
        bool(usage["cache_creation_input_tokens"]) for usage in sent
    ]
    assert [bool(usage.cache_read_tokens) for usage in expected] == [
        bool(usage["cache_read_input_tokens"]) for usage in sent
    ]
    total, prompt = sum(expected, Usage()), ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    tokens = sum(usage[name] for usage in sent for name in prompt)
    assert total.input_tokens + total.cache_write_tokens + total.cache_read_tokens == pytest.approx(tokens, rel=0.15)
    cost = forecast.cost((PAGE,), SONNET, group=group)
    assert cost == pytest.approx(spent_by(claude), rel=0.5)
    assert session.asker.gaps == []


@pytest.mark.parametrize("group", [1, 5, 8])
def test_the_most_that_a_request_costs_is_more_than_is_expected(group: int) -> None:
    """Of each group, whatever it reads from the cache then."""
    page = Page.of(PAGE.movies)
    for part, usage in zip(groups(TWENTY, group), forecast.usages(PAGE, SONNET, group=group), strict=True):
        request = page.request(part, MODEL, second_look=False, cache=True)
        most, expected = (
            forecast.most(request, SONNET),
            forecast.cost((Packet(PAGE.movies, part),), SONNET, group=group),
        )
        assert most is not None
        assert expected is not None
        assert most > expected
        assert usage.output_tokens < request.expected_tokens


def test_groups_cost_less_and_batches_half_of_it() -> None:
    """Where the movies are sent once, and nothing has to be written for an hour."""
    alone, together = (forecast.cost((PAGE,), SONNET, group=group) for group in (1, 8))
    whole, batched = (
        forecast.cost((block(50, *"ABCDE"),), SONNET, group=8, batched=batched) for batched in (False, True)
    )
    assert alone is not None
    assert together is not None
    assert whole is not None
    assert together < 0.9 * alone
    assert batched == pytest.approx(whole / 2)
