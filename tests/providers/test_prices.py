"""What tokens cost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

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
