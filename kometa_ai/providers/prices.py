"""Price tokens with the data of `genai-prices`; an unknown model has no price instead of a guessed one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kometa_ai.providers.port import Usage

CHARS_PER_TOKEN = 3.3
"""Characters of English JSON a token of the current tokenizers stands for, a little on the safe side."""


@lru_cache
def is_priced(model: str) -> bool:
    """Whether the model's price is known."""
    from genai_prices import Usage as Priced  # noqa: PLC0415 - half a second, needed only when something is asked
    from genai_prices import calc_price  # noqa: PLC0415

    try:
        calc_price(Priced(input_tokens=1), model_ref=model, provider_id="anthropic")
    except LookupError:
        return False
    return True


BATCH_SHARE = 0.5
"""What a request in a batch costs, as a share of the usual price."""


def cost(usage: Usage, model: str, *, batched: bool = False) -> float | None:
    """The price of one request in USD, or None for a model without a known price.

    Ask for one request at a time: some models cost more above a prompt size.
    """
    if not is_priced(model):
        return None
    from genai_prices import Usage as Priced  # noqa: PLC0415
    from genai_prices import calc_price  # noqa: PLC0415

    priced = Priced(
        # This library's input includes the cached part, Anthropic's usage does not.
        input_tokens=usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        output_tokens=usage.output_tokens,
    )
    price = float(calc_price(priced, model_ref=model, provider_id="anthropic").total_price)
    return price * BATCH_SHARE if batched else price


def tokens_in(text: str) -> int:
    """About how many tokens a text has."""
    return round(len(text) / CHARS_PER_TOKEN) + 1
