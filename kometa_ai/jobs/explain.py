"""Explain why a movie or show is in or out of each collection, by the same walk as a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import ItemRef, fold_title, namesakes
from kometa_ai.core.decision import Cause, Decision
from kometa_ai.core.item import ArrId, Item, ItemKey, Kind, kind_of, name_item, ref_of
from kometa_ai.core.problem import Problem
from kometa_ai.errors import CheckLibrary, FixUsage
from kometa_ai.judging.planning import subjects_of
from kometa_ai.judging.policy import Gates, decide, gates, is_in
from kometa_ai.judging.stages import Known, walk
from kometa_ai.library.port import LibrarySilent
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Reason
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.options import Options
    from kometa_ai.library.port import Library
    from kometa_ai.run.parts import Parts, Rules


_FACTS: Mapping[Kind, str] = {
    "movie": "its title, year, plot, genres, directors or first five actors change",
    "show": "its title, year, plot, genres, network or language change, or it ends",
}


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
    libraries: tuple[str, ...] = ()
    collections: tuple[Explanation, ...]
    without_radarr: str = ""
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        name_item(self, self.key, self.tmdb_id)


async def explain(parts: Parts, rules: Rules, options: Options, text: str) -> Explained:
    """Explain one movie or show, named as in a pin. Raise FixUsage where nothing in a library has that name.

    Where its library does not answer, what is remembered has to do; raise CheckLibrary for what is not remembered.
    """
    answering, silent = await _who_answers(parts.libraries)
    keeper = Keeper(parts.store, parts.interruption.course)
    reader = Reader(parts, rules, options, keeper, libraries=answering)
    if not answering:
        return _from_memory(reader, parts, text, silent[0])
    await reader.libraries()
    try:
        item = _find(text, reader.result.items)
    except FixUsage:
        away = [*silent, *(each.error for each in reader.result.libraries if each.error is not None)]
        if not away:
            raise
        return _from_memory(reader, parts, text, away[0])
    reader.collections()
    reading, memory = reader.result, parts.store.memory
    subjects = subjects_of(reading.items, memory, reading.unconfirmed)
    known = Known(reading.items, subjects, memory, parts.store.state.pins, rules.models)
    remembered = memory.get(item.key)
    found: dict[CollectionKey, Explanation] = {}
    for stage in walk(reading.collections, reading.folder.collections, known):
        questions = stage.questions()
        settled = stage.decide(questions)
        for collection in stage.chosen:
            if not collection.concerns(item):
                continue
            membership = settled.memberships[collection.key]
            explanation = _explanation(
                item,
                collection,
                stage.gates[collection.key],
                remembered.collections.get(collection.slug) if remembered else None,
                belongs=None if item.key in membership.undecided else item.key in membership.members,
                question=questions[collection.key].get(item.key),
            )
            tags = stage.deciding_tags(collection, item)
            found[collection.key] = msgspec.structs.replace(explanation, deciding_tags=tags)
    return Explained(
        title=item.title,
        year=item.year,
        key=item.key,
        libraries=item.libraries,
        collections=tuple(found[each.key] for each in reading.collections if each.key in found),
        problems=reading.problems,
    )


async def _who_answers(libraries: Sequence[Library]) -> tuple[list[Library], list[LibrarySilent]]:
    """The libraries that answer now, and what keeps the silent ones from it. Other faults show when they are read."""

    async def silence(library: Library) -> LibrarySilent | None:
        try:
            await library.check(tries=1)
        except LibrarySilent as error:
            return error
        except CheckLibrary:
            return None
        return None

    found = await asyncio.gather(*map(silence, libraries))
    answering = [library for library, error in zip(libraries, found, strict=True) if error is None]
    return answering, [error for error in found if error is not None]


def _from_memory(reader: Reader, parts: Parts, text: str, error: CheckLibrary) -> Explained:
    remembered = parts.store.memory
    items = tuple(
        Item(arr_id=ArrId(0), key=key, title=known.title, year=known.year) for key, known in remembered.items()
    )
    try:
        item = _find(text, items)
    except FixUsage:
        raise error from None
    known = remembered[item.key]
    reader.collections()
    found = []
    for collection in reader.result.folder.collections:
        # Rules about tags and libraries cannot be applied: it is not known what the item has, and where it is.
        by_name = msgspec.structs.replace(
            collection, include_tags=frozenset(), exclude_tags=frozenset(), libraries=frozenset()
        )
        if not by_name.concerns(item):
            continue
        gated = gates(by_name, [item], {}, parts.store.state.pins)
        membership = decide([by_name], [item.key], remembered, {by_name.key: gated}, {})[by_name.key]
        belongs = None if membership.undecided else bool(membership.members)
        decision = known.collections.get(collection.slug)
        explanation = _explanation(item, collection, gated, decision, belongs=belongs, question=None)
        found.append(msgspec.structs.replace(explanation, is_tagged=None))
    seen = f" It was last seen on {known.last_seen}." if known.last_seen else ""
    return Explained(
        title=item.title,
        year=item.year,
        key=item.key,
        collections=tuple(found),
        without_radarr=f"{error.message}{seen}",
        problems=reader.result.problems,
    )


def _find(text: str, movies: Sequence[Item]) -> Item:
    try:
        ref = ItemRef.parse(text)
        found = [movie for movie in movies if ref.names(movie)]
    except ValueError:
        ref = ItemRef(text, title=fold_title(text.strip()))
        found = namesakes(ref, movies)
    if not found:
        others = " or ".join(f'"{movie}"' for movie in namesakes(ref, movies))
        remedy = f"Did you mean {others}?" if others else 'Name it as "Heat (1995)", "tmdb:949" or "tt0113277".'
        raise FixUsage(f"No library has a movie or show {text!r}.", remedy)
    if len(found) > 1:
        several = ", ".join(f"{movie} ({ref_of(movie.key)})" for movie in found[:10])
        raise FixUsage(f"{text!r} names {len(found)} movies: {several}.", "Name one of them by its TMDb id.")
    return found[0]


def _explanation(
    movie: Item,
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
        asked_again_when=_again_when(cause, decision, kind_of(movie.key)),
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


def _again_when(cause: Cause | None, decision: Decision | None, kind: Kind) -> str:
    match cause:
        case Cause.PINNED_IN | Cause.PINNED_OUT:
            return "it is no longer pinned"
        case Cause.INCLUDE_TAG | Cause.EXCLUDE_TAG:
            return "it no longer has the tag that decides"
    if decision is None:
        return ""
    facts = _FACTS[kind]
    return f"{facts}, the collection's prompt changes, or --force-refresh or --ask-again is given"
