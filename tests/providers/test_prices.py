"""What tokens cost."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.providers import prices
from kometa_ai.providers.port import Usage
from kometa_ai.providers.traits import Traits

MILLION = 1_000_000


def claude(model: str) -> Traits:
    """The traits of a model of Claude."""
    return Traits(title="Claude", model=model, catalogue="anthropic")


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(input_tokens=MILLION), 2.0),
        (Usage(output_tokens=MILLION), 10.0),
        (Usage(cache_write_tokens=MILLION), 2.5),
        (Usage(cache_read_tokens=MILLION), 0.1),
        (Usage(input_tokens=100, cache_write_tokens=200, cache_read_tokens=300, output_tokens=40), 0.00113),
        (Usage(), 0.0),
    ],
)
def test_each_kind_of_token_has_its_price(usage: Usage, usd: float) -> None:
    """Sonnet 5.5 as Anthropic lists it; what was read from the cache is not paid as input once more."""
    assert prices.cost(usage, claude("claude-sonnet-5-5")) == pytest.approx(usd)


def test_a_long_prompt_of_haiku_costs_more() -> None:
    """The price steps up with the whole prompt, so requests are priced one at a time."""
    short, long = (prices.cost(Usage(input_tokens=tokens), claude("claude-haiku-5-5")) for tokens in (90_000, 180_000))

    assert short == pytest.approx(0.009)
    assert long == pytest.approx(0.09)


@pytest.mark.parametrize("model", ["llama-of-the-house", "", "gpt-5"])
def test_an_unknown_model_has_no_price(model: str) -> None:
    """None, not a guess."""
    assert not prices.is_priced(claude(model))
    assert prices.cost(Usage(input_tokens=MILLION), claude(model)) is None


def test_a_price_is_the_one_of_when_it_is_asked() -> None:
    """DeepSeek's prices double at night (UTC), and Gemini's change from one year to the next."""
    deepseek = Traits(title="DeepSeek", model="deepseek-v4-flash", catalogue="deepseek")
    gemini = Traits(title="Gemini", model="gemini-3.8-flash", catalogue="google")
    usage = Usage(input_tokens=MILLION)
    days = [
        datetime(2026, 12, 1, 12, tzinfo=UTC),
        datetime(2026, 12, 1, 2, tzinfo=UTC),
        datetime(2027, 1, 2, 12, tzinfo=UTC),
    ]

    assert [prices.cost(usage, deepseek, at=day) for day in days[:2]] == [pytest.approx(0.15), pytest.approx(0.3)]
    assert [prices.cost(usage, gemini, at=day) for day in days[::2]] == [pytest.approx(0.75), pytest.approx(1.5)]


def test_texts_are_estimated_a_little_high() -> None:
    """English has four characters a token with most tokenizers; ours counts more tokens than that."""
    text = "A crew robs three casinos in one night. " * 100

    assert len(text) / 4 < prices.tokens_in(text) < len(text) / 2.5
    assert prices.tokens_in("") <= 1


def test_what_the_service_states_wins() -> None:
    """A route may cost more or less than the list says, and a model that the list does not know has a price by that."""
    stated = Usage(input_tokens=MILLION, stated_cost=0.42)

    assert prices.cost(stated, claude("claude-sonnet-5-5")) == 0.42
    assert prices.cost(stated, claude("llama-of-the-house")) == 0.42


def test_a_slower_tier_costs_its_share() -> None:
    """The reply says which tier has answered; what was answered in the usual one has the usual price."""
    slow, usual = (
        prices.cost(Usage(output_tokens=MILLION, price_share=share), claude("claude-sonnet-5-5")) for share in (0.5, 1)
    )

    assert slow == pytest.approx(5.0)
    assert usual == pytest.approx(10.0)


def test_a_batch_costs_half() -> None:
    """Of everything, as Anthropic lists it."""
    usage = Usage(input_tokens=MILLION)

    assert prices.cost(usage, claude("claude-sonnet-5-5"), batched=True) == pytest.approx(1.0)


def test_a_free_model_costs_nothing() -> None:
    """Nothing is a price, too: a limit of cost lets it be asked."""
    at_home = Traits(title="Ollama", model="qwen3:14b", is_free=True)

    assert prices.is_priced(at_home)
    assert prices.cost(Usage(input_tokens=MILLION, output_tokens=MILLION), at_home) == 0.0


@given(st.integers(1, 10), st.tuples(*[st.integers(0, 10**6)] * 5), st.none() | st.floats(0, 10))
def test_shares_add_up(parts: int, tokens: tuple[int, int, int, int, int], stated: float | None) -> None:
    """To the token; each share of a stated cost is as large."""
    names = ("input_tokens", "cache_write_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens")
    usage = Usage(requests=1, **dict(zip(names, tokens, strict=True)), stated_cost=stated)

    shares = usage.shares(parts)

    assert msgspec.structs.replace(sum(shares, Usage()), stated_cost=stated) == usage
    assert [share.stated_cost for share in shares] == [None if stated is None else stated / parts] * parts
    assert max(share.output_tokens for share in shares) - min(share.output_tokens for share in shares) <= 1
