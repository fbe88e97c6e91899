"""Group questions into packets: movies that are sent together, with the collections they are asked about. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.decision import Reason
from kometa_ai.judging.looks import SECOND_LOOK_SIZE
from kometa_ai.judging.wariness import addresses_a_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.movie import Movie, TmdbId
    from kometa_ai.judging.planning import Questions, Subject

MOST_ALONE = 50
"""Movies that each have a packet of their own; where there are more they share packets, but with no other."""


class Packet(NamedTuple):
    """Movies that are asked about together, for each of the collections (highest priority first)."""

    movies: tuple[Movie, ...]
    collections: tuple[Collection, ...]


def pack(
    questions: Questions, library: Mapping[TmdbId, Subject], collections: Sequence[Collection], size: int
) -> list[Packet]:
    """Pack questions into packets of at most `size` movies, each pair exactly once, the urgent first.

    Second looks are left out, and what is given up.

    Movies that have the same collections to be asked about share packets, so that every request over a packet is
    exactly about what is to be asked. One whose texts address a reader stands alone, since one answer decides for all
    movies of its packet. `collections` is in order of priority; packets of one urgency are too.
    """
    wanted: dict[TmdbId, list[int]] = {}
    urgency: dict[TmdbId, int] = {}
    for rank, collection in enumerate(collections):
        for tmdb_id, reason in questions.get(collection.slug, {}).items():
            if reason.is_asked_first:
                wanted.setdefault(tmdb_id, []).append(rank)
                this = _urgency(reason, collection, library[tmdb_id].movie)
                urgency[tmdb_id] = min(this, urgency.get(tmdb_id, this))
    wary = {tmdb_id for tmdb_id in wanted if addresses_a_reader(library[tmdb_id].movie)}
    stand_alone = len(wary) <= MOST_ALONE
    groups: dict[tuple[tuple[int, ...], int], list[TmdbId]] = {}
    for tmdb_id in sorted(wanted, key=lambda tmdb_id: (urgency[tmdb_id], tmdb_id)):
        apart = 0 if tmdb_id not in wary else tmdb_id if stand_alone else 1
        groups.setdefault((tuple(wanted[tmdb_id]), apart), []).append(tmdb_id)
    chunks = [(ranks, chunk) for (ranks, _), members in groups.items() for chunk in _even(members, size)]
    chunks.sort(key=lambda piece: (min(urgency[tmdb_id] for tmdb_id in piece[1]), piece[0]))
    return [
        Packet(tuple(library[tmdb_id].movie for tmdb_id in chunk), tuple(collections[rank] for rank in ranks))
        for ranks, chunk in chunks
    ]


def second_looks(due: Iterable[tuple[Collection, Sequence[Movie]]]) -> list[Packet]:
    """Small packets about one collection each, for movies near its threshold; what addresses a reader stands alone."""
    packets = []
    for collection, movies in due:
        alone = [movie for movie in movies if addresses_a_reader(movie)]
        rest = [movie for movie in movies if movie not in alone]
        pages = [tuple(rest[start : start + SECOND_LOOK_SIZE]) for start in range(0, len(rest), SECOND_LOOK_SIZE)]
        packets += [Packet(page, (collection,)) for page in (*pages, *((movie,) for movie in alone))]
    return packets


def _urgency(reason: Reason, collection: Collection, movie: Movie) -> int:
    """What a run that is cut short should have done first: members of edited collections, new movies, the rest."""
    if reason is Reason.PROMPT_CHANGED and collection.label in movie.labels:
        return 0
    return 1 if reason is Reason.NEW else 2


def _even(items: list[TmdbId], size: int) -> Iterable[list[TmdbId]]:
    """Cut into as few pieces of at most `size` as can be, nearly equal: a last piece of one movie wastes a request."""
    pieces = -(-len(items) // size)
    start = 0
    for piece in range(pieces):
        end = start + (len(items) - start) // (pieces - piece) if piece < pieces - 1 else len(items)
        yield items[start:end]
        start = end
