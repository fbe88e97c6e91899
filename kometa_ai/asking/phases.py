"""Plan what a run hands over in batches: what writes a page to the prompt cache first, what reads it later. Pure.

Why: docs/decisions/0010-batches.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.asking.layout import groups, is_page_cached
from kometa_ai.asking.pages import Page
from kometa_ai.judging.packing import Packet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.batches import AskedPage
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.judging.planning import Questions, Subject
    from kometa_ai.providers.traits import Traits


class Work(NamedTuple):
    """A packet to hand over, in requests about several collections if they are `numbered`, else about one each.

    `readers` are the collections whose questions wait for its cache.
    """

    packet: Packet
    cache: bool = False
    second_look: bool = False
    readers: tuple[Collection, ...] = ()
    numbered: bool = False


class WarmPage(NamedTuple):
    """A page that is in the prompt cache, as requests about numbered collections begin, or as those about one do."""

    page: AskedPage
    numbered: bool = False


def opening(packets: Iterable[Packet], traits: Traits, group: int = 1) -> list[Work]:
    """The first phase: one request about each packet that is worth caching, and all requests about the others."""
    works = []
    for packet in packets:
        parts = groups(packet.collections, group)
        numbered = len(parts[0]) > 1 or len(parts[-1]) > 1
        if is_page_cached(Page.of(packet.movies), len(parts), traits, numbered=numbered, batched=True):
            first, readers = parts[0], packet.collections[len(parts[0]) :]
            works.append(Work(Packet(packet.movies, first), cache=True, readers=readers, numbered=numbered))
        else:
            works.append(Work(packet, numbered=numbered))
    return works


def reading(
    warm: Iterable[WarmPage], questions: Questions, stage: Sequence[Collection], judged: Mapping[ItemKey, Subject]
) -> tuple[list[Work], Questions]:
    """The second phase: what is open about the whole of a page that is cached. Also return all other questions."""
    taken: dict[CollectionKey, set[ItemKey]] = {key: set() for key in questions}
    works = []
    for page, numbered in warm:
        if not all(key in judged and judged[key].fingerprint.full == asked for key, asked in page):
            continue
        open_here = [
            collection
            for collection in stage
            if (pairs := questions.get(collection.key))
            and all(
                key not in taken[collection.key] and (reason := pairs.get(key)) and reason.is_asked_first
                for key, _ in page
            )
        ]
        for collection in open_here:
            taken[collection.key].update(key for key, _ in page)
        if open_here:
            movies = tuple(judged[key].item for key, _ in page)
            works.append(Work(Packet(movies, tuple(open_here)), cache=True, numbered=numbered))
    if not works:
        return works, questions  # a copy of 200,000 pairs would take 10 MB
    return works, {
        key: {item: reason for item, reason in pairs.items() if item not in taken[key]}
        for key, pairs in questions.items()
    }
