"""What questions will use and cost, before any of them is sent: from the length of their texts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kometa_ai.classifier import prices
from kometa_ai.classifier.prompts import SYSTEM, collection_text, movies_text
from kometa_ai.classifier.provider import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kometa_ai.classifier.planning import Block
    from kometa_ai.classifier.provider import Request

SHARE_LISTED = 0.07
"""Of the movies: an answer names most as excluded (a number and a comma) and writes these out."""

_TOKENS_EXCLUDED, _TOKENS_LISTED, _TOKENS_ANSWER = 2, 45, 40
# Structured outputs add a description of the schema to the prompt.
_TOKENS_FORMAT = 350


class Caching(Protocol):
    """What a model keeps in its prompt cache; a part of Provider."""

    def caches(self, tokens: int, model: str) -> bool:
        """See Provider."""
        ...


def usages(block: Block, caching: Caching, model: str) -> list[Usage]:
    """What each request about a block would use: the first writes the movies to the cache, the others read them."""
    movies = prices.tokens_in(movies_text(block.movies))
    prefix = movies + prices.tokens_in(SYSTEM) + _TOKENS_FORMAT
    is_cached = len(block.collections) > 1 and caching.caches(movies, model)
    listed = len(block.movies) * SHARE_LISTED
    output = round(_TOKENS_ANSWER + listed * _TOKENS_LISTED + (len(block.movies) - listed) * _TOKENS_EXCLUDED)
    found = []
    for number, collection in enumerate(block.collections):
        question = prices.tokens_in(collection_text(collection))
        found.append(
            Usage(
                requests=1,
                input_tokens=question if is_cached else prefix + question,
                cache_write_tokens=prefix if is_cached and number == 0 else 0,
                cache_read_tokens=prefix if is_cached and number > 0 else 0,
                output_tokens=output,
            )
        )
    return found


def cost(blocks: Iterable[Block], caching: Caching, model: str) -> float | None:
    """What the questions would cost in USD, asked one by one; None for a model without a known price."""
    total = 0.0
    for block in blocks:
        for usage in usages(block, caching, model):
            price = prices.cost(usage, model)
            if price is None:
                return None
            total += price
    return total


def most(request: Request) -> float | None:
    """What a request in a batch costs at most: none of it is read from the cache. None without a known price."""
    prefix = prices.tokens_in(SYSTEM) + _TOKENS_FORMAT + prices.tokens_in(request.movies)
    question = prices.tokens_in(request.collection)
    written = prefix if request.cache else 0
    usage = Usage(
        input_tokens=question + prefix - written,
        cache_write_tokens=written,
        cache_write_1h_tokens=written,
        output_tokens=150 + 12 * (request.movies.count("\n") + 1),
    )
    return prices.cost(usage, request.model, batched=True)
