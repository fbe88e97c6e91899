"""Find titles as people spell them: accents, punctuation and spaces do not count. Pure."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from kometa_ai.core.collection import fold_title

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kometa_ai.core.item import Item

    ItemT = TypeVar("ItemT", bound=Item)

_APART = re.compile(r"[\W_]+")
_NEAR = 3
_ALIKE = 0.75
_SPELT_SO = 2.0
_SHORTEST = 3
"""Shorter texts are in too many titles to tell which one was meant."""


@lru_cache(maxsize=1 << 15)
def _plain(title: str) -> str:
    """The title's words, folded, each apart by one space; a title without letters and digits as it is."""
    if not title.isascii():
        marked = unicodedata.normalize("NFKD", title)
        title = "".join(each for each in marked if not unicodedata.combining(each))
    return _APART.sub(" ", title.casefold()).strip() or fold_title(title.strip())


def spelt(title: str) -> str:
    """What is left of a title where accents, punctuation and spaces do not count: `walle` of `WALL·E`."""
    return _plain(title).replace(" ", "")


def holding(text: str) -> Callable[[str], bool]:
    """Whether a title has the text in it. What the text runs together has to begin with a word of the title."""
    folded, words = fold_title(text.strip()), _plain(text)
    joined = words.replace(" ", "")

    def is_held(title: str) -> bool:
        if folded in fold_title(title):
            return True
        plain = _plain(title)
        if words in plain:
            return True
        if joined not in plain.replace(" ", ""):
            return False
        parts = plain.split(" ")
        return any("".join(parts[at:]).startswith(joined) for at in range(len(parts)))

    return is_held


def nearest(title: str, year: int, items: Sequence[ItemT]) -> list[ItemT]:
    """The few items that may be meant by a title that is none's: spelt so, else holding it or much like it.

    Those of the `year`, where there is one, come first among their like.
    """
    wanted, is_held = spelt(title), holding(title)
    if len(wanted) < _SHORTEST:
        return []
    matcher: SequenceMatcher[str] = SequenceMatcher(b=wanted)
    found: list[tuple[float, bool, str, ItemT]] = []
    for item in items:
        own = spelt(item.title)
        matcher.set_seq1(own)
        if own == wanted:
            alike = _SPELT_SO
        elif min(matcher.real_quick_ratio(), matcher.quick_ratio()) < _ALIKE:
            alike = 1.0 if is_held(item.title) else 0.0
        else:
            alike = max(matcher.ratio(), float(is_held(item.title)))
        if alike >= _ALIKE:
            found.append((-alike, item.year != year, own, item))
    found.sort(key=lambda each: each[:3])
    are_spelt_so = bool(found) and found[0][0] == -_SPELT_SO
    return [item for alike, *_, item in found[:_NEAR] if alike == -_SPELT_SO or not are_spelt_so]
