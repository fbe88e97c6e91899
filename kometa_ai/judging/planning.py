"""Which movie and collection pairs need a question, and why. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.core.decision import TRIES, Decision, Memory, Reason, Remembered, is_near
from kometa_ai.core.movie import NO_CREDITS, Fingerprint, Movie, TmdbId, fingerprint, metadata_hash
from kometa_ai.judging.wariness import addresses_a_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.naming import Label, Slug
    from kometa_ai.judging.policy import Gates

_NOT_ASKED_FIRST = frozenset({Reason.SECOND_LOOK, Reason.GIVEN_UP})

SECOND_LOOK_SIZE = 15
"""Movies in one request of a second look."""

MOST_ALONE = 50
"""Movies that each have a block of their own; where there are more they share blocks, but with no other."""

Questions = dict["Slug", dict[TmdbId, Reason]]
"""For each collection the movies to ask about, each with the reason."""


GIVEN_UP = "given-up"
"""What to call the questions that were given up where they are to be asked again."""


class Models(NamedTuple):
    """Which model is asked first, and which for the second look."""

    first: str
    review: str


class Described(NamedTuple):
    """A movie with the credits that are known of it, and its fingerprint."""

    movie: Movie
    fingerprint: Fingerprint


def describe(movies: Iterable[Movie], memory: Memory) -> dict[TmdbId, Described]:
    """Complete Radarr's movies with the credits we know.

    Known credits are kept even while something else changed, until new ones have been fetched: a credits call that
    fails must not make a movie look changed.
    """
    return {movie.tmdb_id: _describe(movie, memory.get(movie.tmdb_id)) for movie in movies}


def _describe(movie: Movie, remembered: Remembered | None) -> Described:
    if remembered is None or remembered.credits is None:
        return Described(movie, fingerprint(movie))
    movie = msgspec.structs.replace(movie, credits=remembered.credits)
    blind = metadata_hash(movie, NO_CREDITS)
    if blind == remembered.facts_hash:
        return Described(movie, Fingerprint(remembered.metadata_hash, blind))
    return Described(movie, Fingerprint(metadata_hash(movie, movie.credits), blind))


def plan_questions(
    library: Mapping[TmdbId, Described],
    collections: Sequence[Collection],
    memory: Memory,
    gates: Mapping[Slug, Gates],
    models: Models,
    *,
    force: bool = False,
    again: AbstractSet[str] = frozenset(),
) -> Questions:
    """Find the questions to ask: pairs without a decision, or whose decision was made from other inputs.

    Each decision is compared with the inputs it was made from itself, so changed data is judged again in every
    collection. Gated movies need no question. With `force` every movie of the collections is asked about; `again` names
    requests whose verdicts are asked for again, or says `given-up`. What another model has given up is asked once.
    """
    questions: Questions = {collection.slug: {} for collection in collections}
    rules = [(collection, questions[collection.slug], gates[collection.slug].causes) for collection in collections]
    prompts = {collection.slug: collection.prompt_hash for collection in collections}
    for tmdb_id, (_, prints) in library.items():
        known = memory.get(tmdb_id)
        decisions = known.collections if known else {}
        for collection, wanted, gated in rules:
            if tmdb_id in gated:
                continue
            decision = decisions.get(collection.slug)
            reason = _reason(decision, prints, prompts[collection.slug], collection, force=force)
            if reason in (None, Reason.SECOND_LOOK) and decision is not None and is_named(decision.request, again):
                reason = Reason.ASKED_AGAIN
            if reason is None:
                continue
            model = models.review if reason is Reason.SECOND_LOOK else models.first
            can_be_given_up = known is not None and known.unjudged and not (force or GIVEN_UP in again)
            if can_be_given_up and _is_given_up(known, collection, prints, model):
                if reason is Reason.SECOND_LOOK:
                    continue  # the first verdict stands
                reason = Reason.GIVEN_UP
            wanted[tmdb_id] = reason
    return questions


def _reason(
    decision: Decision | None, prints: Fingerprint, prompt_hash: str, collection: Collection, *, force: bool
) -> Reason | None:
    if decision is None:
        return Reason.NEW
    if decision.prompt_hash != prompt_hash:
        return Reason.PROMPT_CHANGED
    if not prints.covers(decision.metadata_hash):
        return Reason.MOVIE_CHANGED
    if force:
        return Reason.FORCED
    if decision.second_look == "due" and is_near(decision.confidence, collection.confidence_threshold):
        return Reason.SECOND_LOOK
    return None


def is_named(request: str, again: AbstractSet[str]) -> bool:
    """Whether a request is one of those named: by its whole name, or by the part that stands for its movies."""
    return bool(again and request) and (request in again or request.partition("-")[0] in again)


def _is_given_up(known: Remembered | None, collection: Collection, prints: Fingerprint, model: str) -> bool:
    """Whether this very question has been put to this model in vain often enough."""
    tried = known.unjudged.get(collection.slug) if known else None
    return (
        tried is not None
        and tried.model in ("", model)
        and tried.runs >= TRIES
        and tried.prompt_hash == collection.prompt_hash
        and prints.covers(tried.metadata_hash)
    )


def needing_credits(questions: Questions, library: Mapping[TmdbId, Described], memory: Memory) -> tuple[TmdbId, ...]:
    """The movies to fetch credits for: those to be asked about whose credits are unknown, or older than a change."""
    asked = {
        tmdb_id for pairs in questions.values() for tmdb_id, reason in pairs.items() if reason not in _NOT_ASKED_FIRST
    }
    return tuple(
        tmdb_id
        for tmdb_id in sorted(asked)
        if (known := memory.get(tmdb_id)) is None
        or known.credits is None
        or known.facts_hash != library[tmdb_id].fingerprint.blind
    )


def unanswered(questions: Questions) -> dict[Slug, frozenset[TmdbId]]:
    """Of questions still open, the pairs that have no verdict to stand on: they stay as they are in Radarr."""
    return {
        slug: frozenset(tmdb_id for tmdb_id, reason in pairs.items() if reason is not Reason.SECOND_LOOK)
        for slug, pairs in questions.items()
    }


def may_turn(questions: Mapping[TmdbId, Reason]) -> frozenset[TmdbId]:
    """The movies of one collection that the next run of it asks about."""
    return frozenset(tmdb_id for tmdb_id, reason in questions.items() if reason is not Reason.GIVEN_UP)


class Block(NamedTuple):
    """Movies that are asked about together, for each of the collections (highest priority first)."""

    movies: tuple[Movie, ...]
    collections: tuple[Collection, ...]


def pack(
    questions: Questions, library: Mapping[TmdbId, Described], collections: Sequence[Collection], size: int
) -> list[Block]:
    """Pack questions into blocks of at most `size` movies, each pair exactly once, the urgent first.

    Second looks are left out, and what is given up.

    Movies that have the same collections to be asked about share blocks, so that every request over a block is
    exactly about what is to be asked. One whose texts address a reader stands alone, since one answer decides for all
    movies of its block. `collections` is in order of priority; blocks of one urgency are too.
    """
    wanted: dict[TmdbId, list[int]] = {}
    urgency: dict[TmdbId, int] = {}
    for rank, collection in enumerate(collections):
        for tmdb_id, reason in questions.get(collection.slug, {}).items():
            if reason not in _NOT_ASKED_FIRST:
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
        Block(tuple(library[tmdb_id].movie for tmdb_id in chunk), tuple(collections[rank] for rank in ranks))
        for ranks, chunk in chunks
    ]


def second_looks(due: Iterable[tuple[Collection, Sequence[Movie]]]) -> list[Block]:
    """Small blocks about one collection each, for movies near its threshold; what addresses a reader stands alone."""
    blocks = []
    for collection, movies in due:
        alone = [movie for movie in movies if addresses_a_reader(movie)]
        rest = [movie for movie in movies if movie not in alone]
        pages = [tuple(rest[start : start + SECOND_LOOK_SIZE]) for start in range(0, len(rest), SECOND_LOOK_SIZE)]
        blocks += [Block(page, (collection,)) for page in (*pages, *((movie,) for movie in alone))]
    return blocks


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


def stages(collections: Sequence[Collection]) -> list[list[Collection]]:
    """Group collections so that one whose tags name another comes after it; each group can be asked about together.

    Where collections name each other in a circle, the higher priority is decided first and sees the others as empty:
    a decision must not depend on itself. `collections` is in order of priority and each group is too.
    """
    waiting = list(collections)
    done: list[list[Collection]] = []
    while waiting:
        labels = {collection.label for collection in waiting}
        ready = [c for c in waiting if not (c.include_tags | c.exclude_tags) & (labels - {c.label})]
        if not ready:
            ready = [_first_in_circle(waiting)]
        done.append(ready)
        waiting = [collection for collection in waiting if collection not in ready]
    return done


def _first_in_circle(waiting: Sequence[Collection]) -> Collection:
    """The highest priority in a circle that depends on nothing outside itself; there is one when none is ready."""
    by_label = {collection.label: collection for collection in waiting}

    def reached(start: Label) -> set[Label]:
        found: set[Label] = set()
        todo = [start]
        while todo:
            current = by_label[todo.pop()]
            named = (current.include_tags | current.exclude_tags) & by_label.keys()
            for label in named - found - {current.label}:
                found.add(label)
                todo.append(label)
        return found

    reach = {label: reached(label) for label in by_label}
    return next(
        collection
        for collection in waiting
        if all(collection.label in reach[label] for label in reach[collection.label])
    )
