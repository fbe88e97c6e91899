"""Group questions into packets: items that are sent together, with the collections they are asked about. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.decision import Reason
from kometa_ai.core.item import kind_of, order_of
from kometa_ai.judging.looks import SECOND_LOOK_SIZE
from kometa_ai.judging.wariness import addresses_a_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey, Kind
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.judging.planning import Questions, Subject

MOST_ALONE = 50
"""Up to this many wary movies get a packet each; more of them share packets with each other, but with no others."""


class Packet(NamedTuple):
    """Items that are sent together, and the collections they are asked about, highest priority first.

    All are of one kind: they share their collections, each of which is about one kind.
    """

    movies: tuple[AnyItem, ...]
    collections: tuple[Collection, ...]

    @property
    def kind(self) -> Kind:
        """What its items are."""
        return kind_of(self.movies[0].key)


def pack(
    questions: Questions, library: Mapping[ItemKey, Subject], collections: Sequence[Collection], size: int
) -> list[Packet]:
    """Pack questions into packets of at most `size` movies, each pair exactly once, the urgent first.

    Second looks and questions that are given up are left out.

    Movies with the same open collections share packets, so that each request asks exactly what is open. A wary movie
    (see `wariness`) is packed apart, since one answer decides for all movies of a packet. `collections` is in order of
    priority; so are packets of the same urgency, where movies and shows of one priority take turns: a run that is cut
    short by its limit has asked about both.
    """
    wanted: dict[ItemKey, list[int]] = {}
    urgency: dict[ItemKey, int] = {}
    for rank, collection in enumerate(collections):
        for key, reason in questions.get(collection.key, {}).items():
            if reason.is_asked_first:
                wanted.setdefault(key, []).append(rank)
                this = _urgency(reason, collection, library[key].item)
                urgency[key] = min(this, urgency.get(key, this))
    wary = {key for key in wanted if addresses_a_reader(library[key].item)}
    stand_alone = len(wary) <= MOST_ALONE
    groups: dict[tuple[tuple[int, ...], int | ItemKey], list[ItemKey]] = {}
    for key in sorted(wanted, key=lambda key: (urgency[key], order_of(key))):
        apart = 0 if key not in wary else key if stand_alone else 1
        groups.setdefault((tuple(wanted[key]), apart), []).append(key)
    chunks = [(ranks, chunk) for (ranks, _), members in groups.items() for chunk in _even(members, size)]
    found = [(min(urgency[key] for key in chunk), ranks, chunk) for ranks, chunk in chunks]
    ordered = sorted(found, key=lambda piece: piece[:2])
    packets = [
        (urgent, Packet(tuple(library[key].item for key in chunk), tuple(collections[rank] for rank in ranks)))
        for urgent, ranks, chunk in ordered
    ]
    return _in_turns(packets)


def _in_turns(packets: Sequence[tuple[int, Packet]]) -> list[Packet]:
    """Packets with their urgency, in order: those of one urgency and priority by turns of one of each kind."""
    counted: Counter[tuple[int, int, Kind]] = Counter()
    turns = []
    for urgent, packet in packets:
        level = (urgent, -packet.collections[0].priority)
        turns.append((*level, counted[*level, packet.kind]))
        counted[*level, packet.kind] += 1
    return [packet for _, (_, packet) in sorted(zip(turns, packets, strict=True), key=lambda each: each[0])]


def second_looks(due: Iterable[tuple[Collection, Sequence[AnyItem]]], size: int = SECOND_LOOK_SIZE) -> list[Packet]:
    """Small packets about one collection each, for movies near its threshold; wary movies are packed alone."""
    size = min(size, SECOND_LOOK_SIZE)
    packets = []
    for collection, movies in due:
        alone = [movie for movie in movies if addresses_a_reader(movie)]
        rest = [movie for movie in movies if movie not in alone]
        pages = [tuple(rest[start : start + size]) for start in range(0, len(rest), size)]
        packets += [Packet(page, (collection,)) for page in (*pages, *((movie,) for movie in alone))]
    return packets


def _urgency(reason: Reason, collection: Collection, movie: AnyItem) -> int:
    """Rank a question, in case the run is cut short: members of edited collections, new movies, the rest."""
    if reason is Reason.PROMPT_CHANGED and collection.label in movie.labels:
        return 0
    return 1 if reason is Reason.NEW else 2


def _even(items: list[ItemKey], size: int) -> Iterable[list[ItemKey]]:
    """Cut into the fewest pieces of at most `size`, nearly equal, so that no request is spent on one last movie."""
    pieces = -(-len(items) // size)
    start = 0
    for piece in range(pieces):
        end = start + (len(items) - start) // (pieces - piece) if piece < pieces - 1 else len(items)
        yield items[start:end]
        start = end
