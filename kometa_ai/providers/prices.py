"""Price tokens with the data of `genai-prices`; an unknown model has no price instead of a guessed one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kometa_ai.providers.port import Usage
    from kometa_ai.providers.traits import Traits

CHARS_PER_TOKEN = 3.3
"""Characters of English JSON a token of the current tokenizers stands for, a little on the safe side."""

BATCH_SHARE = 0.5
"""What a request in a batch costs, as a share of the usual price."""


def is_priced(traits: Traits) -> bool:
    """Whether the model's price is known; nothing is a price, too."""
    return traits.is_free or bool(traits.catalogue and _is_listed(traits.catalogue, traits.model))


@lru_cache
def _is_listed(catalogue: str, model: str) -> bool:
    from genai_prices import Usage as Priced  # noqa: PLC0415 - half a second, needed only when something is asked
    from genai_prices import calc_price  # noqa: PLC0415

    try:
        calc_price(Priced(input_tokens=1), model_ref=model, provider_id=catalogue)
    except LookupError:
        return False
    return True


def cost(usage: Usage, traits: Traits, *, batched: bool = False, at: datetime | None = None) -> float | None:
    """The price of one request in USD, or None for a model without a known price.

    What the service itself says that a request has cost wins. Ask for one request at a time: some models cost more
    above a prompt size. Some prices change by the hour or the day: `at` is when it is asked, now unless it is given.
    """
    if usage.stated_cost is not None:
        return usage.stated_cost
    if traits.is_free:
        return 0.0
    if not is_priced(traits):
        return None
    from genai_prices import Usage as Priced  # noqa: PLC0415
    from genai_prices import calc_price  # noqa: PLC0415

    priced = Priced(
        # This library's input includes the cached part, our usage does not.
        input_tokens=usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        output_tokens=usage.output_tokens,
    )
    found = calc_price(priced, model_ref=traits.model, provider_id=traits.catalogue, genai_request_timestamp=at)
    price = float(found.total_price)
    price *= usage.price_share
    return price * BATCH_SHARE if batched else price


def total(costs: Iterable[float | None]) -> float | None:
    """The sum in USD; None where one of them is not known."""
    found = 0.0
    for each in costs:
        if each is None:
            return None
        found += each
    return found


def tokens_in(text: str) -> int:
    """About how many tokens a text has."""
    return round(len(text) / CHARS_PER_TOKEN) + 1
