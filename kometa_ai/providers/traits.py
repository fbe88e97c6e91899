"""Hold as data what a model can do and what it costs (`Traits`): all that differs by model above the adapters.

Why: docs/decisions/0027-other-models.md
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a model can do.

    `title` is its provider's name in texts, `model` its own. Its price is known where `catalogue`, the provider's id in
    the data of genai-prices, knows it; it is nothing where it `is_free`.

    `caching` says whether requests read what others have sent before: never, by themselves, or from where a request
    asks for it. Prefixes of fewer than `cache_from` tokens are not cached.

    `context` is how many tokens a prompt and its answer may have together, where that is known. A model that `is_local`
    runs on the user's own machine: slow, and one request at a time. One that `sizes_context` is given as long a context
    as it needs, which has to be known before the first question: see `Provider.expect`.

    `page_size` is how many items a request has unless a setting says otherwise, `concurrency` how many requests may be
    in flight, `collections` about how many collections a request may ask.
    """

    title: str
    model: str
    catalogue: str = ""
    is_free: bool = False
    caching: Literal["none", "automatic", "explicit"] = "automatic"
    cache_from: int = 1024
    has_batches: bool = False
    context: int | None = None
    is_local: bool = False
    sizes_context: bool = False
    page_size: int = 50
    concurrency: int = 4
    collections: int = 8

    def caches(self, tokens: int) -> bool:
        """Whether a prefix of about so many tokens is long enough for the prompt cache."""
        return self.caching != "none" and tokens >= self.cache_from
