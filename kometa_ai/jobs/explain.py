"""Answer `--explain`: why a movie is in or out of each collection, decided as a run would; nothing is asked."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import MovieRef, fold_title, namesakes
from kometa_ai.core.decision import Cause, Decision
from kometa_ai.core.item import ArrId, ItemKey, name_movie, ref_of
from kometa_ai.core.movie import Movie
from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixUsage
from kometa_ai.judging.planning import subjects_of
from kometa_ai.judging.policy import Gates, decide, gates, is_in
from kometa_ai.judging.stages import Known, walk
from kometa_ai.library.port import LibrarySilent
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.reading import Reader

if TYPE_CHECKING:
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Reason
    from kometa_ai.core.options import Options
    from kometa_ai.run.parts import Parts, Rules


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One movie and one collection. `belongs` is None while undecided, `is_tagged` is None if Radarr is silent.

    `deciding_tags` are the movie's labels that the block includes or excludes, where such a tag decides.
    """

    collection: str
    slug: str
    tag: str
    is_tagged: bool | None
    belongs: bool | None
    cause: str
    deciding_tags: tuple[str, ...] = ()
    confidence: float | None = None
    threshold: float
    reason: str = ""
    model: str = ""
    decided: datetime | None = None
    second_look: str = ""
    metadata_hash: str = ""
    prompt_hash: str = ""
    request: str = ""
    to_be_asked: str = ""
    asked_again_when: str = ""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A movie, and its place in each collection. `problems` name collections that could not be read, and why.

    If Radarr does not answer, `without_radarr` says why: then all is as the movie was last seen, and its tags are
    unknown.
    """

    title: str
    year: int
    key: ItemKey
    tmdb_id: int = 0
    collections: tuple[Explanation, ...]
    without_radarr: str = ""
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        name_movie(self, self.key, self.tmdb_id)


async def explain(parts: Parts, rules: Rules, options: Options, text: str) -> Explained:
    """Explain one movie, named as in a pin. Raise FixUsage where no movie of the library has that name.

    While Radarr does not answer, what is remembered has to do; raise CheckRadarr for a movie that is not remembered.
    """
    reader = Reader(parts, rules, options, Keeper(parts.store, parts.interruption.course))
    try:
        await parts.library.check(tries=1)
    except LibrarySilent as error:
        return _from_memory(reader, parts, text, error)
    library = await reader.library()
    collections = reader.collections()
    reading = reader.result()
    movie = _find(text, library.movies)
    memory = parts.store.memory
    known = Known(library.movies, subjects_of(library.movies, memory), memory, parts.store.state.pins, rules.models)
    remembered = memory.get(movie.key)
    found: dict[str, Explanation] = {}
    for stage in walk(collections, reading.folder.collections, known):
        questions = stage.questions()
        settled = stage.decide(questions)
        for collection in stage.chosen:
            membership = settled.memberships[collection.slug]
            explanation = _explanation(
                movie,
                collection,
                stage.gates[collection.slug],
                remembered.collections.get(collection.slug) if remembered else None,
                belongs=None if movie.key in membership.undecided else movie.key in membership.members,
                question=questions[collection.slug].get(movie.key),
            )
            tags = stage.deciding_tags(collection, movie)
            found[collection.slug] = msgspec.structs.replace(explanation, deciding_tags=tags)
    return Explained(
        title=movie.title,
        year=movie.year,
        key=movie.key,
        collections=tuple(found[collection.slug] for collection in collections),
        problems=reading.problems,
    )


def _from_memory(reader: Reader, parts: Parts, text: str, error: LibrarySilent) -> Explained:
    remembered = parts.store.memory
    movies = tuple(
        Movie(arr_id=ArrId(0), key=key, title=known.title, year=known.year) for key, known in remembered.items()
    )
    try:
        movie = _find(text, movies)
    except FixUsage:
        raise error from None
    known = remembered[movie.key]
    found = []
    for collection in reader.collections():
        # Rules about tags cannot be applied: the tags are unknown.
        by_name = msgspec.structs.replace(collection, include_tags=frozenset(), exclude_tags=frozenset())
        gated = gates(by_name, [movie], {}, parts.store.state.pins)
        membership = decide([by_name], [movie.key], remembered, {by_name.slug: gated}, {})[by_name.slug]
        belongs = None if membership.undecided else bool(membership.members)
        decision = known.collections.get(collection.slug)
        explanation = _explanation(movie, collection, gated, decision, belongs=belongs, question=None)
        found.append(msgspec.structs.replace(explanation, is_tagged=None))
    seen = f" It was last seen on {known.last_seen}." if known.last_seen else ""
    return Explained(
        title=movie.title,
        year=movie.year,
        key=movie.key,
        collections=tuple(found),
        without_radarr=f"{error.message}{seen}",
        problems=reader.result().problems,
    )


def _find(text: str, movies: tuple[Movie, ...]) -> Movie:
    try:
        ref = MovieRef.parse(text)
        found = [movie for movie in movies if ref.names(movie)]
    except ValueError:
        ref = MovieRef(text, title=fold_title(text.strip()))
        found = namesakes(ref, movies)
    if not found:
        others = " or ".join(f'"{movie}"' for movie in namesakes(ref, movies))
        remedy = f"Did you mean {others}?" if others else 'Name it as "Heat (1995)", "tmdb:949" or "tt0113277".'
        raise FixUsage(f"Radarr has no movie {text!r}.", remedy)
    if len(found) > 1:
        several = ", ".join(f"{movie} ({ref_of(movie.key)})" for movie in found[:10])
        raise FixUsage(f"{text!r} names {len(found)} movies: {several}.", "Name one of them by its TMDb id.")
    return found[0]


def _explanation(
    movie: Movie,
    collection: Collection,
    gated: Gates,
    decision: Decision | None,
    *,
    belongs: bool | None,
    question: Reason | None,
) -> Explanation:
    cause = gated.causes.get(movie.key)
    base = Explanation(
        collection=collection.name,
        slug=collection.slug,
        tag=collection.label,
        is_tagged=collection.label in movie.labels,
        belongs=is_in(cause) if cause else belongs,
        cause=cause or (Cause.UNDECIDED if decision is None else Cause.VERDICT),
        threshold=collection.confidence_threshold,
        to_be_asked=question or "",
        asked_again_when=_again_when(cause, decision),
    )
    if decision is None:
        return base
    return msgspec.structs.replace(
        base,
        confidence=decision.confidence,
        reason=decision.reasoning,
        model=decision.model,
        decided=decision.timestamp,
        second_look=decision.second_look,
        metadata_hash=decision.metadata_hash,
        prompt_hash=decision.prompt_hash,
        request=decision.request,
    )


def _again_when(cause: Cause | None, decision: Decision | None) -> str:
    match cause:
        case Cause.PINNED_IN | Cause.PINNED_OUT:
            return "it is no longer pinned"
        case Cause.INCLUDE_TAG | Cause.EXCLUDE_TAG:
            return "it no longer has the tag that decides"
    if decision is None:
        return ""
    return (
        "its title, year, plot, genres, directors or first five actors change, the collection's prompt changes, "
        "or --force-refresh or --ask-again is given"
    )
