"""Answer `--explain`: why a movie or show is in or out of each collection, decided as by a run; nothing is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.choice import Pin
from kometa_ai.core.decision import Cause, Decision
from kometa_ai.core.item import ItemKey, Kind, kind_of, name_item
from kometa_ai.core.problem import Problem
from kometa_ai.core.saying import judged
from kometa_ai.errors import CheckLibrary
from kometa_ai.jobs.finding import find_item
from kometa_ai.judging.planning import subjects_of
from kometa_ai.judging.policy import Gates, decide, gates, is_in
from kometa_ai.judging.stages import Known, walk
from kometa_ai.library.port import LibrarySilent
from kometa_ai.run.batches import not_in_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Reason
    from kometa_ai.core.item import Item
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.options import Options
    from kometa_ai.library.port import Library
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import LibraryFound, Reading


_FACTS: Mapping[Kind, str] = {
    "movie": "its title, year, plot, genres, directors or first five actors change",
    "show": "its title, year, plot, genres, network or language change, or it ends",
}


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """An item and a collection. `belongs` is None while undecided, `is_tagged` is None where no library tells.

    `deciding_tags` are the item's labels that the block includes or excludes, where such a tag decides. `differing` are
    the titles of the libraries in which the tag is not as it was decided. `pin` is the choice that decides, unless the
    block makes it. `include` and `confidence` are the model's verdict, also where it does not decide.
    """

    collection: str
    slug: str
    tag: str
    is_tagged: bool | None
    belongs: bool | None
    cause: str
    deciding_tags: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    include: bool | None = None
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
    in_batch: bool = False
    pin: Pin | None = None
    asked_again_when: str = ""

    @property
    def in_words(self) -> str:
        """What the model's verdict is, after `the model is`; empty where it does not decide."""
        if self.cause != Cause.VERDICT:
            return ""
        return judged(self.belongs, include=self.include, confidence=self.confidence, threshold=self.threshold)


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """An item, and its place in each collection. `problems` name collections that could not be read, and why.

    `libraries` are the names of those that hold it, `held_by` their titles where there are other libraries, too. If
    no library with it answers, `without_radarr` says why: then all is as it was last seen, and its tags are unknown.
    """

    title: str
    year: int
    key: ItemKey
    tmdb_id: int = 0
    libraries: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    collections: tuple[Explanation, ...]
    without_radarr: str = ""
    problems: tuple[Problem, ...] = ()

    def __post_init__(self) -> None:
        name_item(self, self.key, self.tmdb_id)


async def explain(parts: Parts, rules: Rules, options: Options, text: str) -> Explained:
    """Explain one movie or show, named as in a pin. Raise FixUsage where nothing in a library has that name.

    Where its library does not answer, what is remembered has to do; raise CheckLibrary for what is not remembered.
    """
    item, reader, silent, away = await find_item(parts, rules, options, text)
    reader.collections()
    if away is not None:
        return _from_memory(reader.result, parts, item, away)
    reading, memory = reader.result, parts.store.memory
    held = _held(reading, item.key)
    subjects = subjects_of(reading.items, memory, reading.unconfirmed)
    known = Known(reading.items, subjects, memory, parts.choices.read().pins, rules.models)
    remembered = memory.get(item.key)
    found: dict[CollectionKey, Explanation] = {}
    for stage in walk(reading.collections, reading.folder.collections, known):
        questions = stage.questions()
        to_ask = not_in_batches(parts.store.state.batches, stage.chosen, known.subjects, questions)
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
                question=to_ask[collection.key].get(item.key),
            )
            found[collection.key] = msgspec.structs.replace(
                explanation,
                in_batch=item.key in questions[collection.key] and item.key not in to_ask[collection.key],
                deciding_tags=stage.deciding_tags(collection, item),
                differing=_differing(held, collection, belongs=explanation.belongs),
            )
    return Explained(
        title=item.title,
        year=item.year,
        key=item.key,
        libraries=item.libraries,
        held_by=tuple(library.title for library, _ in held) if len(parts.libraries) > 1 else (),
        collections=tuple(found[each.key] for each in reading.collections if each.key in found),
        problems=(*(about_silence(parts.library(name), error) for name, error in silent.items()), *reading.problems),
    )


def about_silence(library: Library, error: LibrarySilent) -> Problem:
    """The problem that a library does not answer."""
    return Problem(source=library.title, what=error.message, remedy=error.remedy)


def _held(reading: Reading, key: ItemKey) -> list[tuple[LibraryFound, Item]]:
    """The libraries that hold the item, each with it as it is there."""
    return [
        (library, item)
        for library in reading.libraries
        if library.contents is not None
        for item in library.contents.items
        if item.key == key
    ]


def _differing(
    held: Sequence[tuple[LibraryFound, Item]], collection: Collection, *, belongs: bool | None
) -> tuple[str, ...]:
    """The titles of the libraries that hold the item and are the collection's, with a tag other than decided."""
    return tuple(
        library.title
        for library, item in held
        if belongs is not None and collection.is_for(library.kind, library.name)
        if (collection.label in item.labels) is not belongs
    )


def _from_memory(reading: Reading, parts: Parts, item: AnyItem, error: CheckLibrary) -> Explained:
    """Explain an item that a library may hold which cannot be used now: why not."""
    remembered, pins = parts.store.memory, parts.choices.read().pins
    known = remembered[item.key]
    found = []
    for collection in reading.folder.collections:
        # Rules about tags and libraries cannot be applied: it is not known what the item has, and where it is.
        by_name = msgspec.structs.replace(
            collection, include_tags=frozenset(), exclude_tags=frozenset(), libraries=frozenset()
        )
        if not by_name.concerns(item):
            continue
        gated = gates(by_name, [item], {}, pins)
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
        problems=reading.problems,
    )


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
        pin=gated.chosen.get(movie.key),
        threshold=collection.confidence_threshold,
        to_be_asked=question or "",
        asked_again_when=_again_when(cause, decision, kind_of(movie.key)),
    )
    if decision is None:
        return base
    return msgspec.structs.replace(
        base,
        include=decision.include,
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
    # The earlier verdict counts again once no pin or tag goes before it.
    since = ", and its data or the collection's prompt have changed since the model judged it" if decision else ""
    match cause:
        case Cause.PINNED_IN | Cause.PINNED_OUT:
            return f"it is no longer pinned{since}"
        case Cause.INCLUDE_TAG | Cause.EXCLUDE_TAG:
            return f"it no longer has the tag that decides{since}"
    if decision is None:
        return ""
    facts = _FACTS[kind]
    return f"{facts}, the collection's prompt changes, or --force-refresh or --ask-again is given"
