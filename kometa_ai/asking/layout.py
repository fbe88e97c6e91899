"""Choose how a packet is asked about: how many collections a request has, and whether its items are cached. Pure.

Why: docs/decisions/0028-groups.md
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kometa_ai.asking.pages import Page
from kometa_ai.asking.prompts import forms_of, question_text
from kometa_ai.core.item import kind_of
from kometa_ai.judging.records import records_text
from kometa_ai.providers import prices
from kometa_ai.providers.port import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.providers.traits import Traits

MOST_COLLECTIONS = 10
"""Of one request, whatever a setting or a model says."""

_WRITE, _WRITE_FOR_AN_HOUR, _READ = 1.25, 2.0, 0.1
"""What the cache costs of the usual price of a prompt, for a model whose own prices are not known."""
_TOKENS_FORMAT = 350
_TOKENS_OF_CREDITS = 70
"""Of an item's record, for people who are not known yet."""

T = TypeVar("T")


def group_size(setting: int, traits: Traits) -> int:
    """How many collections a request asks about at most; a `setting` of 0 leaves it to the model."""
    return max(1, min(setting or traits.collections, MOST_COLLECTIONS))


def groups(collections: Sequence[T], size: int) -> list[tuple[T, ...]]:
    """Cut into the fewest groups of at most `size`, nearly equal, in their order."""
    count = -(-len(collections) // size)
    ends = [len(collections) * number // count for number in range(count + 1)] if count else [0]
    return [tuple(collections[start:end]) for start, end in pairwise(ends)]


@lru_cache(maxsize=1024)
def is_cached(prefix: int, requests: int, traits: Traits, *, batched: bool = False) -> bool:
    """Whether requests that begin with the same `prefix` tokens are cheaper where the first writes it to the cache."""
    if requests < 2 or not traits.caches(prefix):  # noqa: PLR2004 - nothing is read by one alone
        return False
    if traits.caching == "automatic":
        return True
    writing = Usage(cache_write_tokens=prefix, cache_write_1h_tokens=prefix if batched else 0)
    plain, write, read = (
        prices.cost(usage, traits) for usage in (Usage(input_tokens=prefix), writing, Usage(cache_read_tokens=prefix))
    )
    if not plain or write is None or read is None:
        plain, write, read = 1.0, _WRITE_FOR_AN_HOUR if batched else _WRITE, _READ
    return write + (requests - 1) * read < requests * plain


def is_page_cached(
    page: Page, requests: int, traits: Traits, *, numbered: bool, second_look: bool = False, batched: bool = False
) -> bool:
    """The same for so many requests about a page."""
    form = page.form(numbered=numbered, second_look=second_look)
    return is_cached(form.tokens + prices.tokens_in(page.text), requests, traits, batched=batched)


class Bounds(NamedTuple):
    """How many tokens a prompt has at most, and its answer."""

    prompt: int
    answer: int


def bounds(items: Iterable[AnyItem], collections: Sequence[Collection], size: int, group: int) -> Bounds:
    """The longest prompt that requests about any of these items may have, and the longest answer."""
    prompt = answer = 0
    by_kind: dict[str, list[AnyItem]] = {}
    for item in items:
        by_kind.setdefault(kind_of(item.key), []).append(item)
    for kind, those in by_kind.items():
        asked = [each for each in collections if each.kind == kind]
        if not asked:
            continue
        longest = sorted(those, key=lambda item: len(records_text((item,))), reverse=True)[:size]
        wordiest = sorted(asked, key=lambda each: len(question_text((each,))), reverse=True)[:group]
        page = Page.of(longest)
        request = page.request(wordiest, "", second_look=False, cache=False)
        around = max(form.tokens for form in forms_of(page.kind)) + _TOKENS_FORMAT
        texts = prices.tokens_in(request.movies) + prices.tokens_in(request.collection)
        prompt = max(prompt, around + texts + _TOKENS_OF_CREDITS * len(longest))
        answer = max(answer, request.expected_tokens)
    return Bounds(prompt, answer)
