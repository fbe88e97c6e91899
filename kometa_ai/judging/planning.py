"""Decide which item and collection pairs need a question, and why. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.core.decision import TRIES, Decision, Memory, Reason, Remembered
from kometa_ai.core.fingerprint import Fingerprint, fingerprint, metadata_hash
from kometa_ai.core.item import KINDS, ItemKey, kind_of, order_of
from kometa_ai.core.movie import NO_CREDITS, Movie
from kometa_ai.judging.looks import Models, is_due

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Cause
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey, Slug
    from kometa_ai.judging.policy import Gates

Questions = dict["CollectionKey", dict[ItemKey, Reason]]
"""The movies to ask about for each collection, each with the reason."""


GIVEN_UP = "given-up"
"""The name under which `--ask-again` takes the questions that were given up."""


class Subject(NamedTuple):
    """An item ready to be asked about: with its known credits, and the fingerprint of what the model would see.

    One that is not `is_confirmed` has the remembered fingerprint, because another library than usual tells of it.
    """

    item: AnyItem
    fingerprint: Fingerprint
    is_confirmed: bool = True


def subjects_of(
    items: Iterable[AnyItem], memory: Memory, unconfirmed: AbstractSet[ItemKey] = frozenset()
) -> dict[ItemKey, Subject]:
    """Complete a library's movies with the remembered credits; shows are complete.

    The facts about the `unconfirmed` ones come from another library than usual: they do not count as changed.

    Remembered credits stay until new ones have been fetched, even if other facts changed: a credits call that fails
    must not make a movie look changed.
    """
    return {item.key: _subject(item, memory.get(item.key), is_confirmed=item.key not in unconfirmed) for item in items}


def _subject(item: AnyItem, remembered: Remembered | None, *, is_confirmed: bool) -> Subject:
    if remembered is not None and remembered.metadata_hash and not is_confirmed:
        people = remembered.credits
        known = item if people is None or not isinstance(item, Movie) else msgspec.structs.replace(item, credits=people)
        return Subject(known, Fingerprint(remembered.metadata_hash, remembered.facts_hash), is_confirmed=False)
    if not isinstance(item, Movie) or remembered is None or remembered.credits is None:
        return Subject(item, fingerprint(item))
    movie = msgspec.structs.replace(item, credits=remembered.credits)
    blind = metadata_hash(movie, NO_CREDITS)
    if blind == remembered.facts_hash:
        return Subject(movie, Fingerprint(remembered.metadata_hash, blind))
    return Subject(movie, Fingerprint(metadata_hash(movie, movie.credits), blind))


class _Rules(NamedTuple):
    """What is asked of a collection once, and not again for each of its pairs."""

    collection: Collection
    slug: Slug
    prompt_hash: str
    gated: Mapping[ItemKey, Cause]
    scope: AbstractSet[ItemKey] | None

    @classmethod
    def of(cls, collection: Collection, gates: Gates) -> _Rules:
        """Those of a collection."""
        return cls(collection, collection.slug, collection.prompt_hash, gates.causes, gates.scope)


def plan_questions(
    library: Mapping[ItemKey, Subject],
    collections: Sequence[Collection],
    memory: Memory,
    gates: Mapping[CollectionKey, Gates],
    models: Models,
    *,
    force: bool = False,
    again: AbstractSet[str] = frozenset(),
    since: datetime | None = None,
) -> Questions:
    """Find the questions to ask: pairs without a decision, or whose decision was made from other inputs.

    Each decision stores the inputs it was made from, so changed data is judged again in every collection. Gated movies
    need no question. With `force` every other movie of the collections is asked about; `again` names requests whose
    verdicts are asked for again, or is `given-up`. Neither asks again for verdicts since a given time. Questions that
    another model gave up are asked once more.
    """
    questions: Questions = {collection.key: {} for collection in collections}
    if not questions:
        return questions
    of_kind = {kind: [_Rules.of(each, gates[each.key]) for each in collections if each.kind == kind] for kind in KINDS}
    may_stay = not (force or again)
    for key, (_, prints, _) in library.items():
        known = memory.get(key)
        decisions = known.collections if known else {}
        for collection, slug, prompt_hash, gated, scope in of_kind[kind_of(key)]:
            decision = decisions.get(slug)
            # Nearly all pairs end here. Each call that is spared is a twentieth of a settled run.
            if (
                may_stay
                and decision is not None
                and decision.metadata_hash == prints.full
                and decision.prompt_hash == prompt_hash
                and decision.second_look != "due"
            ):
                continue
            if key in gated or (scope is not None and key not in scope):
                continue
            is_older = since is None or decision is None or decision.timestamp < since
            reason = _reason(decision, prints, prompt_hash, collection, force=force and is_older)
            if reason in (None, Reason.SECOND_LOOK) and decision is not None and is_older:
                reason = Reason.ASKED_AGAIN if is_named(decision.request, again) else reason
            if reason is None:
                continue
            can_be_given_up = known is not None and known.unjudged and not (force or GIVEN_UP in again)
            if can_be_given_up and _is_given_up(
                known, collection, prints, models.asked_for(second_look=reason is Reason.SECOND_LOOK)
            ):
                if reason is Reason.SECOND_LOOK:
                    continue  # the first verdict stands
                reason = Reason.GIVEN_UP
            questions[collection.key][key] = reason
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
    if is_due(decision, collection.confidence_threshold):
        return Reason.SECOND_LOOK
    return None


def is_named(request: str, again: AbstractSet[str]) -> bool:
    """Whether `again` names a request, by its whole name or by the part before the dash, which names its movies."""
    return bool(again and request) and (request in again or request.partition("-")[0] in again)


def _is_given_up(known: Remembered | None, collection: Collection, prints: Fingerprint, model: str) -> bool:
    """Whether this model has left this question without a verdict in enough runs."""
    tried = known.unjudged.get(collection.slug) if known else None
    return (
        tried is not None
        and tried.model in ("", model)
        and tried.runs >= TRIES
        and tried.prompt_hash == collection.prompt_hash
        and prints.covers(tried.metadata_hash)
    )


def to_describe(questions: Questions, library: Mapping[ItemKey, Subject], memory: Memory) -> tuple[ItemKey, ...]:
    """The items to be asked about that are not remembered as they are now, and movies whose credits are unknown.

    What another library than usual tells of an item is not to be remembered.
    """
    asked = {key for pairs in questions.values() for key, reason in pairs.items() if reason.is_asked_first}
    return tuple(
        key
        for key in sorted(asked, key=order_of)
        if library[key].is_confirmed
        if (known := memory.get(key)) is None
        or (known.credits is None and isinstance(library[key].item, Movie))
        or known.facts_hash != library[key].fingerprint.blind
    )


def unanswered(questions: Questions) -> dict[CollectionKey, frozenset[ItemKey]]:
    """The open pairs without a valid verdict; their tags stay as they are. A second look has a first verdict."""
    return {
        slug: frozenset(key for key, reason in pairs.items() if reason is not Reason.SECOND_LOOK)
        for slug, pairs in questions.items()
    }


def may_turn(questions: Mapping[ItemKey, Reason]) -> frozenset[ItemKey]:
    """The movies of one collection whose membership may change in the next run, as it asks about them."""
    return frozenset(key for key, reason in questions.items() if reason is not Reason.GIVEN_UP)
