"""Draw samples of judged pairs: the same seed draws the same ones, whatever the order they come in. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, TypeVar

from kometa_ai.core.decision import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

Group = Literal["member", "near", "other"]
"""What a sample is drawn from: members, those near the threshold, and the rest."""

WIDE = 0.2
"""How far from the threshold a confidence may be to count as near in a sample: twice the band of second looks."""


class Drawn(NamedTuple, Generic[T]):
    """One of a sample, and the group that it was drawn from."""

    group: Group
    what: T


class Draw(Generic[T]):
    """Draws from pairs that are added one by one, and keeps at most `most` of each group meanwhile.

    `counts` are how many were added. The hash of seed and name is the lot of each, so one pair that comes or goes
    leaves the lots of all others as they are.
    """

    def __init__(self, seed: str, most: int) -> None:
        self.counts: Counter[Group] = Counter()
        self._seed = seed
        self._most = most
        self._lots: dict[Group, list[tuple[int, str, T]]] = {}

    def add(self, group: Group, name: str, what: T) -> None:
        """Add one. Its name must be its own."""
        self.counts[group] += 1
        lots = self._lots.setdefault(group, [])
        # The heap gives up its smallest, and the smallest lots are those to keep.
        entry = (-_lot(self._seed, name), name, what)
        if len(lots) < self._most:
            heappush(lots, entry)
        else:
            heappushpop(lots, entry)

    def sample(self, quotas: Mapping[Group, int]) -> list[Drawn[T]]:
        """As many of each group as its quota says; what one group lacks, the others make up for, in their order.

        All groups are mixed: where something stands in the sample says nothing of its group.
        """
        lots = {group: sorted(self._lots.get(group, ()), reverse=True) for group in quotas}
        taken = {group: min(quota, len(lots[group])) for group, quota in quotas.items()}
        lacking = min(self._most, sum(quotas.values())) - sum(taken.values())
        for group, found in lots.items():
            more = min(lacking, len(found) - taken[group])
            taken[group] += more
            lacking -= more
        chosen = [(entry, group) for group, found in lots.items() for entry in found[: taken[group]]]
        return [Drawn(group, entry[2]) for entry, group in sorted(chosen, key=lambda one: one[0][:2], reverse=True)]


def _lot(seed: str, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode(errors="surrogatepass")).digest()[:8], "big")


def seed_of(*texts: str) -> str:
    """The seed that some texts make: the same in every process."""
    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:16]


def is_in_reach(confidence: float, threshold: float) -> bool:
    """Whether a confidence is within 0.2 of the threshold, both ends included."""
    return abs(confidence - threshold) <= WIDE + ROUNDING
