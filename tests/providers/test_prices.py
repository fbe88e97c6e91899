"""What tokens cost."""

from __future__ import annotations

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


def test_texts_are_estimated_a_little_high() -> None:
    """English has four characters a token with most tokenizers; ours counts more tokens than that."""
    text = "A crew robs three casinos in one night. " * 100

    assert len(text) / 4 < prices.tokens_in(text) < len(text) / 2.5
    assert prices.tokens_in("") <= 1
